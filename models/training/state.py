"""The state of a user's own training in one file.

Tensors and arrays are the file's tensors; the tree of plain values round them is JSON in its
metadata. A JSON list is a list; an object has one key, which says what it stands for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from nettuner.models.training import tensor_file

Tree = Any
"""Nested dicts (keys: str or int), lists and tuples of None, bool, int, float, str, tensors and
arrays."""


@dataclass(frozen=True)
class State:
    """What a training goes on from.

    Args:
        rounds: Rounds trained.
        parts: State of each part, by the name it was kept under.
        built: Plain values of each part as they were before its first round.
    """

    rounds: int
    parts: Mapping[str, Tree]
    built: Mapping[str, Tree]


def save(path: Path, state: State) -> None:
    """Write a state.

    Raises:
        TypeError: An entry is neither a plain value nor a tensor; the message names it.
    """
    tensors: dict[str, Tensor] = {}
    tree = {
        "rounds": state.rounds,
        "parts": {name: _encoded(part, name, tensors) for name, part in state.parts.items()},
        "built": {n: _encoded(part, f"built:{n}", tensors) for n, part in state.built.items()},
    }
    # A single entry, because safetensors writes several in any order.
    tensor_file.write(path, tensors, {"state": json.dumps(tree)})


def load(path: Path) -> State:
    """Read a state.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no state of an own loop, or damaged.
    """
    try:
        metadata, tensors = tensor_file.read(path)
    except SafetensorError as error:
        raise ValueError(f"{path} must be a state, got a damaged file: {error}") from error
    if "state" not in metadata:
        raise ValueError(
            f"{path} must be the state of an own loop, got another file; a learner's weights are "
            "read with safetensors.torch.load_file"
        )
    tree = json.loads(metadata["state"])
    parts, built = (
        {name: _decoded(part, tensors) for name, part in tree[kind].items()}
        for kind in ("parts", "built")
    )
    return State(tree["rounds"], parts, built)


def load_state(path: str | Path) -> dict[str, Tree]:
    """The parts of a state file, as they were kept: `net.load_state_dict(load_state(path)["net"])`.

    Args:
        path: Path of the file, such as `state.safetensors` among the artifacts of a search.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no state of an own loop, or damaged.
    """
    return dict(load(Path(path)).parts)


def _encoded(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """A value as JSON; its tensors are added to `tensors`."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Tensor):
        return {"tensor": _added(value, name, tensors)}
    if isinstance(value, np.ndarray):
        return {"array": _added(_as_tensor(value, name), name, tensors)}
    if isinstance(value, Mapping):
        pairs = [(_key(key, name), key, entry) for key, entry in value.items()]
        return {"dict": [[k, _encoded(v, f"{name}/{key}", tensors)] for k, key, v in pairs]}
    if isinstance(value, list | tuple):
        items = [_encoded(item, f"{name}/{place}", tensors) for place, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    raise _refused(name, type(value).__name__)


def _key(key: Any, name: str) -> str | int:
    if type(key) not in (str, int):
        raise _refused(name, f"a key {key!r} ({type(key).__name__})")
    return key  # type: ignore[no-any-return]


def _added(tensor: Tensor, name: str, tensors: dict[str, Tensor]) -> str:
    """The name under which a tensor was added."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
        raise _refused(name, "a tensor that is sparse, quantised or without values")
    while name in tensors:
        name += "'"
    tensors[name] = tensor
    return name


def _as_tensor(array: Any, name: str) -> Tensor:
    try:
        return torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))
    except TypeError:
        raise _refused(name, f"an array of {array.dtype}") from None


def _refused(name: str, got: str) -> TypeError:
    return TypeError(
        f"{name} of a state must be a number, text, None, a tensor, an array, or a list, tuple or "
        f"dict of such, got {got}; leave it out of what is kept, or keep what it is made from"
    )


def _decoded(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_decoded(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, found),) = value.items()
    if kind == "tensor":
        return tensors[found]
    if kind == "array":
        return tensors[found].numpy()
    if kind == "tuple":
        return tuple(_decoded(item, tensors) for item in found)
    return {key: _decoded(entry, tensors) for key, entry in found}
