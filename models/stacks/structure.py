"""What the members of a stack share, and what each has of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nettuner.models.learner import Learner, Now
from nettuner.models.stacks.program import Tensors, Together, UnstackableError
from nettuner.models.structure import is_number


def divided(
    learner: Learner, params: Sequence[Now], nows: Sequence[Now]
) -> tuple[dict[str, Any], Tensors]:
    """The hyperparameters shared by all members, and those of each member as tensors [members].

    Raises:
        UnstackableError: A non-numeric hyperparameter differs between the members.
    """
    structural = learner.structural()
    defaults = learner.now({})
    # Also those derived from what was given: `<network>_<name>` from the shared `name`.
    varied = {
        name
        for given, now in zip(params, nows, strict=True)
        for name, value in now.items()
        if name in given or value != defaults.get(name)
    }
    live = {n for n in varied - structural if all(is_number(now.get(n)) for now in nows)}
    names = dict.fromkeys(chain(*nows))
    fixed = {name: nows[0].get(name) for name in names if name not in live}
    for name, value in fixed.items():
        if any(repr(now.get(name)) != repr(value) for now in nows):
            raise UnstackableError(f"the members of a stack differ in {name}")
    numbers = {
        name: torch.tensor([float(now[name]) for now in nows], dtype=torch.float32)
        for name in sorted(live)
    }
    return fixed, numbers


def check_alike(networks: Mapping[str, nn.Module], members: Sequence[Together]) -> None:
    """Check that members differ in their weights and buffers only.

    Raises:
        UnstackableError: They differ in more, or their weights cannot be stacked.
    """
    learned = [
        {p for p in network.parameters() if p.requires_grad} for network in networks.values()
    ]
    if not all(learned):
        raise UnstackableError("a network has nothing to learn")
    if len(set().union(*learned)) < sum(map(len, learned)):
        raise UnstackableError("two networks learn the same weights")
    if any(p.dtype != torch.float32 for p in chain(*learned)):
        raise UnstackableError("a stack needs weights of float32")
    held = [[_held(part) for part in member.modules()] for member in members]
    if not all(_equal(other, held[0]) for other in held[1:]):
        raise UnstackableError("the networks of members differ in more than weights and buffers")


def _held(part: nn.Module) -> dict[str, Any]:
    """The attributes of a module other than parameters, buffers and submodules."""
    return {n: v for n, v in vars(part).items() if n not in ("_parameters", "_buffers", "_modules")}


def _equal(left: Any, right: Any) -> bool:
    """Whether two attributes are equal; of objects of other types only the types are compared."""
    if isinstance(left, nn.Parameter):
        return True  # recurrent layers list their parameters, which are also registered by name
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return _equal(list(left.values()), list(right.values()))
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return torch.equal(left, right)
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return np.array_equal(left, right)
    if isinstance(left, int | float | str):
        return bool(left == right)
    return type(left) is type(right)
