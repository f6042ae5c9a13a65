"""What torch does not promise to keep and is used nevertheless, in one place.

- `make_fx` and `TensorMetadata`: record a vectorised loss as a flat list of operations.
- `tree_map`: takes the first member out of nested arguments.
- `TorchFunctionMode`: replaces torch's random functions while a step runs.
- the fused kernels of optimisers: one call moves a whole row of weights.
- `unscale`: divides gradients by a scale, and says if one of them is not finite.
- `convolution_backward`, and the operations that the log softmax consists of.
- `end_loading`: ends the processes of a DataLoader that is not read to its end.
- `version_of`: how often a tensor was changed in place.

`tests/models/test_torch_private.py` fails first where a release changes one of them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.passes.shape_prop import TensorMetadata
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

__all__ = [
    "TensorMetadata",
    "TorchFunctionMode",
    "convolution_backward",
    "end_loading",
    "fused_adam",
    "fused_adamw",
    "fused_sgd",
    "log_softmax",
    "log_softmax_backward",
    "make_fx",
    "tree_map",
    "unscale",
    "version_of",
]

fused_adam = torch.ops.aten._fused_adam_.default
fused_adamw = torch.ops.aten._fused_adamw_.default
fused_sgd = torch.ops.aten._fused_sgd_.default
unscale = torch.ops.aten._amp_foreach_non_finite_check_and_unscale_.default
convolution_backward = torch.ops.aten.convolution_backward
log_softmax = torch.ops.aten._log_softmax.default
log_softmax_backward = torch.ops.aten._log_softmax_backward_data.default


def version_of(tensor: Tensor) -> int:
    """How often a tensor was changed in place."""
    return tensor._version


def end_loading(batches: Any) -> None:
    """End the processes of an iterator over a DataLoader, if it has any."""
    end = getattr(batches, "_shutdown_workers", None)
    if end is not None:
        end()
