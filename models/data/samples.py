"""Samples of data of one's own: which part is the target, and what a network is given of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nettuner.models.data.preprocessing import listed
from nettuner.models.data.source import TaskKind
from nettuner.models.did_you_mean import did_you_mean
from nettuner.models.inputs import Inputs

# Names by which a mapping may have its target.
TARGETS = ("target", "targets", "label", "labels", "y")
# The class of a position that is not learned, as torch's cross entropy has it.
IGNORED = -100

Batch = tuple[Inputs, Any]


class SampleError(ValueError):
    """A sample breaks a rule."""


def parted(given: Any, target: str | None) -> tuple[Any, Any, bool]:
    """Inputs, targets, and whether there are targets of their own.

    The last part of a tuple is the target, and the entry of a mapping that is called so. Without
    one the inputs are the targets, too.

    Args:
        given: A sample, or a batch of samples.
        target: Name of the target in a mapping; None: one of the usual names.

    Raises:
        SampleError: A mapping has no such entry, or several of the usual names.
    """
    if isinstance(given, Mapping):
        name = _target_of(given, target)
        inputs: Any = {key: value for key, value in given.items() if key != name}
        if not inputs:
            raise _without_inputs(given)
        inputs = next(iter(inputs.values())) if len(inputs) == 1 else inputs
        return inputs, inputs if name is None else given[name], name is not None
    if not isinstance(given, tuple | list):
        return given, given, False
    if not given:
        raise _without_inputs(given)
    *first, last = given
    if not first:
        return last, last, False
    return first[0] if len(first) == 1 else tuple(first), last, True


def _without_inputs(given: Any) -> SampleError:
    return SampleError(
        f"samples must have inputs, got {f'only {listed(given)}' if given else 'nothing'}; add them"
    )


def _target_of(given: Mapping[str, Any], target: str | None) -> str | None:
    if target is not None:
        if target not in given:
            hint = did_you_mean(target, given)
            raise SampleError(
                f"target must be an entry of the samples, got {target!r}; {hint}they have: "
                f"{listed(given)}"
            )
        return target
    found = [name for name in TARGETS if name in given]
    if len(found) > 1:
        raise SampleError(
            f"samples must have one target, got {listed(found)}; say which with target: {found[0]}"
        )
    return found[0] if found else None


def plain(value: Any, what: str = "inputs") -> Any:
    """Numbers as networks take them: tensors, in tuples and mappings; float64 becomes float32.

    Texts in a mapping are left out.

    Raises:
        SampleError: Something is no tensor.
    """
    if isinstance(value, Tensor):
        return value.float() if value.dtype == torch.float64 else value
    if isinstance(value, Mapping):
        return {str(k): plain(part, what) for k, part in value.items() if not _is_text(part)}
    if isinstance(value, tuple | list) and value and not _is_text(value):
        return tuple(plain(part, what) for part in value)
    shown = next(iter(value), value) if _is_text(value) and not isinstance(value, str) else value
    raise SampleError(
        f"{what} must be numbers, arrays or tensors, got {shown!r:.60} ({type(shown).__name__}); "
        "convert them in the Dataset or in a collate_fn"
    )


def _is_text(value: Any) -> bool:
    if isinstance(value, list | tuple) and value:
        return all(isinstance(part, str | bytes) for part in value)
    return isinstance(value, str | bytes)


def task_of(targets: Any) -> TaskKind:
    """What is learned, from the type and the shape of a batch of targets.

    Whole numbers are classes, of each input or of each position; a vector of truth values, or of
    floats that are all 0 or 1, says which labels apply; other floats are numbers.
    """
    if not isinstance(targets, Tensor) or targets.is_complex():
        return "own"
    if targets.dtype == torch.bool:
        return "labels" if targets.ndim == 2 else "classification"
    if not targets.is_floating_point():
        return "classification"
    if targets.ndim == 2 and bool(((targets == 0) | (targets == 1)).all()):
        return "labels"
    return "regression"


@dataclass(frozen=True)
class Form:
    """How batches become inputs and targets.

    Args:
        target: Name of the target in a mapping; None: one of the usual names.
        task: What is learned; None takes targets as they are.
        outputs: Number of classes, where it is known.
    """

    target: str | None = None
    task: TaskKind | None = None
    outputs: int | None = None

    def batch(self, given: Any, where: str) -> Batch:
        """Inputs and targets of a batch.

        Args:
            given: Batch as it was collated.
            where: Where it is from, for errors.

        Raises:
            SampleError: It has no numbers, no target, or a class that does not exist.
        """
        inputs, targets, has_targets = parted(given, self.target)
        inputs = plain(inputs)
        if not has_targets:
            return inputs, inputs
        return inputs, self.typed(plain(targets, "targets"), where)

    def typed(self, targets: Any, where: str) -> Any:
        """Targets of the type that their loss takes.

        Raises:
            SampleError: There is a class that does not exist.
        """
        if not isinstance(targets, Tensor):
            return targets
        if self.task == "classification":
            targets = whole(targets, where)
            if self.outputs is not None:
                check_classes(targets, self.outputs, where)
        elif self.task in ("labels", "regression"):
            targets = targets.float()
        return targets


def whole(targets: Tensor, where: str) -> Tensor:
    """Classes as whole numbers.

    Raises:
        SampleError: One is none.
    """
    found = targets.long()
    wrong = targets != found
    if wrong.any():
        raise SampleError(
            f"targets must be classes, which are whole numbers, got {targets[wrong][0]:g} in row "
            f"{int(wrong.nonzero()[0, 0])} of {where}; correct them, or give task: regression"
        )
    return found


def check_classes(targets: Tensor, classes: int, where: str) -> None:
    """Refuse a class that does not exist.

    Raises:
        SampleError: There is one.
    """
    wrong = (targets < 0) | (targets >= classes)
    if targets.ndim > 1:
        wrong &= targets != IGNORED
    if wrong.any():
        row = int(wrong.nonzero()[0, 0])
        raise SampleError(
            f"targets must be classes from 0 to {classes - 1}, got {int(targets[wrong][0])} in row "
            f"{row} of {where}; correct them, or say how many there are with classes"
        )
