"""The arrays of an .npz file: one pair of inputs and targets, or one for each split."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nettuner.models.data.preprocessing import listed
from nettuner.models.data.split_names import SPLIT_NAMES
from nettuner.models.did_you_mean import did_you_mean

WHAT = {"train": "train", "validation": "validate", "test": "test"}
# What an array may be packed to, as of a file that is packed by gzip.
MOST_BYTES = 8 * 2**30

Pair = tuple[NDArray[Any], NDArray[Any]]


def read_pairs(content: bytes, path: str, inputs: str, targets: str) -> dict[str, Pair]:
    """Inputs and targets by split: `train` alone, unless there are `x_train`, `x_test` and so on.

    Args:
        content: Content of the file.
        path: Named in errors.
        inputs, targets: Names of the arrays, or what comes before `_train` in them.

    Raises:
        ValueError: It is no such file, has no such arrays, or they do not match.
    """
    with _readable(path):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size > MOST_BYTES:
            raise ValueError(f"{size:,} bytes unpacked, of at most {MOST_BYTES:,}")
        file = np.load(io.BytesIO(content), allow_pickle=False)
    names = _names(list(file.files), path, inputs, targets)
    with _readable(path), file:
        pairs = {split: (file[x], file[y]) for split, (x, y) in names.items()}
    _check(pairs, path)
    return pairs


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """What goes wrong while a file is read, in a line."""
    try:
        yield
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path} must be an .npz file of plain arrays, got: {reason}; write it with numpy.savez"
        ) from None


def _names(there: list[str], path: str, inputs: str, targets: str) -> dict[str, tuple[str, str]]:
    """The names of the arrays of each split."""
    if inputs in there:
        return {"train": (inputs, _named(there, path, targets))}
    found: dict[str, tuple[str, str]] = {}
    for split, endings in SPLIT_NAMES.items():
        for ending in endings:
            if f"{inputs}_{ending}" in there:
                wanted = f"{targets}_{ending}"
                found[split] = f"{inputs}_{ending}", _named(there, path, wanted)
    if "train" not in found:
        _named(there, path, inputs)
    return found


def _named(there: list[str], path: str, name: str) -> str:
    if name not in there:
        hint = did_you_mean(name, there)
        raise ValueError(f"{path} has no array {name!r}; {hint}it has: {listed(there)}")
    return name


def _check(pairs: dict[str, Pair], path: str) -> None:
    """Refuse arrays that do not belong together, or hold no numbers."""
    first = pairs["train"][0]
    for split, (x, y) in pairs.items():
        if x.dtype.kind not in "biuf" or x.ndim < 2:
            raise ValueError(
                f"{path} must have inputs of numbers [rows, ...], got {x.dtype} of shape "
                f"{list(x.shape)} to {WHAT[split]}; write one row for each example"
            )
        if y.ndim == 2 and y.shape[1] == 1:
            pairs[split] = x, y[:, 0]
        elif y.ndim != 1:
            raise ValueError(
                f"{path} must have one target for each row, got shape {list(y.shape)} to "
                f"{WHAT[split]}; give class numbers or numbers [rows]"
            )
        if len(x) != len(y) or x.shape[1:] != first.shape[1:] or not len(x):
            raise ValueError(
                f"{path} must have as many targets as inputs, all of one shape, got inputs "
                f"{list(x.shape)} and targets {list(y.shape)} to {WHAT[split]}, and inputs "
                f"{list(first.shape)} to train; correct the file"
            )


def as_images(x: NDArray[Any], path: str) -> NDArray[Any]:
    """Images [rows, height, width] or, in colours, [rows, height, width, colours].

    Raises:
        ValueError: They have neither that shape nor the colours first.
    """
    if x.ndim == 3:
        return x
    if x.ndim == 4:
        for images in (x, x.transpose(0, 2, 3, 1)):
            if images.shape[-1] == 1:
                return images[..., 0]
            if images.shape[-1] in (3, 4):
                return np.ascontiguousarray(images)
    raise ValueError(
        f"{path} must have inputs [rows, columns] or images [rows, height, width] or with 1, 3 or "
        f"4 colours first or last, got shape {list(x.shape)}; read them with a function of your own"
    )
