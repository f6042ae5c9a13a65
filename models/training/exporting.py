"""Imports what `torch.export` imports when it is first used, for who wants to be ready for that."""

from __future__ import annotations

import torch._dynamo
import torch._export.non_strict_utils
import torch._functorch.aot_autograd
import torch.export._trace
import torch.export.passes  # noqa: F401 - all of them only to be there
