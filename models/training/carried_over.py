"""What of a saved state is carried over where hyperparameters were changed since.

A state dict mixes what was learned, what was counted, and what a constructor was given: the
learning rate of an optimiser, the decay of a schedule. A population changes the latter, and a plain
`load_state_dict` would bring the old ones back (ray#62173, #36660). So a saved value is compared
with the one that was built before it was trained, and with the one that is built now.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nettuner.models.training.state import Tree

# Entries that hold a learning rate in force, which schedules move.
RATES = ("lr", "_last_lr")


def plain(value: Tree, in_group: bool = False) -> Tree:
    """A copy of a tree without its tensors and arrays, but for numbers in an optimiser's groups."""
    if isinstance(value, Mapping):
        return {k: plain(entry, in_group or k == "param_groups") for k, entry in value.items()}
    if isinstance(value, list | tuple):
        items = [plain(item, in_group) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, Tensor):
        return value.detach().clone() if in_group and value.numel() == 1 else None
    return None if isinstance(value, np.ndarray) else value


def carried_over(then: Tree, saved: Tree, now: Tree) -> Tree:
    """The state to load.

    Tensors are as saved. Of plain values, those that were only changed by construction are as
    built now, all others as saved. Where both changed: a learning rate that a schedule has moved
    moves along in proportion, other hyperparameters of an optimiser's groups are as built now.

    Args:
        then: State as it was built before its first round, its plain values.
        saved: State after its last round.
        now: State as it is built now.
    """
    return _merged(then, saved, now, in_group=False)


def _merged(then: Tree, saved: Tree, now: Tree, in_group: bool, name: object = "") -> Tree:
    if isinstance(saved, Mapping):
        return _mapping(then, saved, now, in_group)
    if _is_list(saved):
        return _list(then, saved, now, in_group, name)
    if isinstance(saved, np.ndarray):
        return saved
    if isinstance(saved, Tensor) and not (in_group and saved.numel() == 1):
        return saved
    if name in RATES:
        return _rate(then, saved, now)
    if _same(then, now):
        return saved
    return now if in_group or _same(then, saved) else saved


def _mapping(then: Tree, saved: Mapping[Any, Any], now: Tree, in_group: bool) -> Tree:
    before = then if isinstance(then, Mapping) else {}
    built = now if isinstance(now, Mapping) else {}
    found = {
        key: _merged(before[key], value, built[key], in_group or key == "param_groups", key)
        if key in before and key in built
        else value
        for key, value in saved.items()
    }
    if "initial_lr" in built and "initial_lr" in before and "lr" in saved:
        found["lr"] = _rate(before["initial_lr"], saved["lr"], built["initial_lr"], now["lr"])
    if not isinstance(now, dict) or type(now) is dict:
        return found
    same_kind = copy.copy(now)  # an OrderedDict, a Counter
    same_kind.clear()
    same_kind.update(found)
    return same_kind


def _list(then: Tree, saved: Sequence[Any], now: Tree, in_group: bool, name: object) -> Tree:
    if name == "params":  # the indices of an optimiser's parameters
        return saved
    if _is_list(then) and _is_list(now) and len(then) == len(saved) == len(now):
        rows = zip(then, saved, now, strict=True)
        items = [_merged(t, s, n, in_group, name) for t, s, n in rows]
        return items if isinstance(saved, list) else tuple(items)
    if _same(then, now):
        return saved
    return now if in_group or _same(then, saved) else saved


def _rate(then: Any, saved: Any, now: Any, otherwise: Any = None) -> Any:
    """A learning rate, moved by as much as it was since it was built; to the bit if unchanged."""
    if _same(then, now):
        return saved
    if _same(then, saved):
        return now
    try:
        return saved * now / then if then else (now if otherwise is None else otherwise)
    except (TypeError, ValueError):
        return now


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal; nan is equal to itself."""
    if _is_list(one) and _is_list(other):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        both = isinstance(one, Tensor) and isinstance(other, Tensor)
        return both and torch.equal(one.cpu(), other.cpu())
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return False
    return type(one) is type(other) and bool(one == other or (one != one and other != other))
