"""Data of one's own as a dataset: in memory where that is possible, else read when needed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, Subset

from nettuner.models.data import fingerprint
from nettuner.models.data.answer import Answer, is_array
from nettuner.models.data.dataset import EXAMPLES, Dataset, Split
from nettuner.models.data.own_classes import Classes, classes_of, indices
from nettuner.models.data.own_table import own_table
from nettuner.models.data.peek import Known, peek
from nettuner.models.data.samples import Batch, Form, task_of
from nettuner.models.data.source import OwnTask, Source, TaskKind
from nettuner.models.data.split import split
from nettuner.models.data.streams import IterableStream, LoaderStream, RowStream, Stream
from nettuner.models.data.whole import Whole, empty, of_arrays, of_dataset
from nettuner.models.inputs import each, parts, taken

NAMES = ("training", "validation", "test")


@dataclass(frozen=True)
class Told:
    """What a study says of data of one's own.

    Args:
        reference: Reference to the function.
        marks: Facts that tell the data from others, by name: the hash of the file, the arguments.
        target: Name (position) of the target; None finds it.
        task: Task; None finds it.
    """

    reference: str
    marks: Mapping[str, str]
    target: str | int | None = None
    task: TaskKind | None = None


def own_dataset(answer: Answer, source: Source, told: Told) -> Dataset:
    """The dataset of an answer.

    Args:
        answer: Answer of the function.
        source: Source: its shares and its split seed.
        told: What the study says.

    Raises:
        ValueError: The data break a rule, which the message names.
    """
    target = told.target if told.target is not None else answer.options.get("target")
    task = _task(told.task or answer.options.get("task"))
    table = own_table(answer, target, source, task, told.marks)
    if table is not None:
        return table
    given = [answer.train, answer.validation, answer.test]
    known = [
        None if part is None else _known(part, name, answer.options, target, told.reference)
        for part, name in zip(given, NAMES, strict=True)
    ]
    assert known[0] is not None
    seen = peek(known[0])
    texts = isinstance(seen.targets, np.ndarray)
    learned: TaskKind = "classification" if texts else task_of(seen.targets)
    task = task or (learned if seen.has_targets else "own")
    if known[1] is not None and source.fold is not None:
        raise ValueError(
            "folds are of one set that nettuner splits, got validation data beside the training "
            "data; return one set, or drop folds"
        )
    if known[1] is None:
        known[0], known[1], known[2] = _divided(known[0], known[2], source, task)
    classes = classes_of(known[0], answer, seen, task)
    form = Form(target if isinstance(target, str) else None, task, classes.count)
    finished = [
        None if part is None else _finished(part, name, form, classes)
        for part, name in zip(known, NAMES, strict=True)
    ]
    train, validation, test = finished
    assert train is not None
    assert validation is not None
    inputs, targets = first = _first(train)
    target_shape = tuple(targets.shape[1:]) if isinstance(targets, Tensor) else ()
    several = task == "labels" and target_shape
    outputs = classes.count or (target_shape[0] if several else math.prod(target_shape))
    held = [part for part in finished if isinstance(part, Split)]
    sizes = {
        name: _size(part) for name, part in zip(NAMES, finished, strict=True) if part is not None
    }
    return Dataset(
        train,
        validation,
        test,
        task,
        tuple(inputs.shape[1:]) if isinstance(inputs, Tensor) else (),
        classes.labels,
        None,
        first,
        None,
        None,
        _fingerprint(answer, held, len(held) == len(sizes), {**told.marks, **sizes}),
        target_shape=target_shape,
        own_outputs=outputs,
        facts={**told.marks, **sizes},
    )


def _task(given: Any) -> TaskKind | None:
    known = get_args(OwnTask)
    if given is not None and given not in known:
        raise ValueError(f"task must be one of {', '.join(known)}, got {given!r}; correct it")
    return given  # type: ignore[no-any-return]


def _known(
    part: Any, name: str, options: Mapping[str, Any], target: str | int | None, reference: str
) -> Known:
    """A split in memory, or a stream of it."""
    key = target if isinstance(target, str) else None
    if _is_arrays(part):
        return of_arrays(part, name, key)
    form = Form(key)
    if isinstance(part, DataLoader):
        batches = None
        if options.get("epoch") is not None and isinstance(part.dataset, IterableDataset):
            batches = math.ceil(options["epoch"] / (part.batch_size or 1))
        return LoaderStream(name, form, reference, part, batches if name == NAMES[0] else None)
    collate, workers = options.get("collate_fn"), options.get("num_workers", 0)
    if isinstance(part, IterableDataset):
        rows = options.get("epoch") if name == NAMES[0] else None
        return IterableStream(name, form, reference, part, rows, collate, workers)
    if not hasattr(part, "__getitem__") or not hasattr(part, "__len__"):
        raise ValueError(
            f"the {name} data must be a Dataset, a DataLoader, a DataFrame or arrays, got "
            f"{type(part).__name__}; give a Dataset __getitem__ and __len__"
        )
    if len(part) == 0:
        raise empty(name)
    found = None if collate else of_dataset(part, name, key)
    return RowStream(name, form, reference, part, collate, workers) if found is None else found


def _is_arrays(part: Any) -> bool:
    if isinstance(part, Mapping):
        return all(is_array(value) for value in part.values())
    if isinstance(part, tuple):
        return bool(part) and all(is_array(value) for value in part)
    return is_array(part)


def _divided(
    train: Known, test: Known | None, source: Source, task: TaskKind
) -> tuple[Known, Known, Known | None]:
    """One set as training, validation and, unless it has come apart, test rows."""
    if isinstance(train, LoaderStream | IterableStream):
        raise ValueError(
            f"only a set whose rows have numbers can be split, got {type(train.source).__name__} "
            "in a DataLoader or as an IterableDataset, alone; return validation data beside it"
        )
    classes = None
    if isinstance(train, Whole) and task == "classification" and train.has_targets:
        every = train.targets if isinstance(train.targets, np.ndarray) else train.targets.numpy()
        classes = np.unique(every, return_inverse=True)[1] if every.ndim == 1 else None
    share = 0.0 if test is not None else source.test_share
    rows = split(len(train), source.validation_share, share, source.split_seed, classes)
    rows = source.folded(rows, classes)

    def part(chosen: Any, name: str) -> Known:
        if isinstance(train, Whole):
            return train.at(chosen)
        subset: Any = Subset(train.dataset, chosen.tolist())
        return RowStream(name, train.form, train.reference, subset, train.collate_fn, train.workers)

    return (
        part(rows.train, NAMES[0]),
        part(rows.validation, NAMES[1]),
        test if test is not None else part(rows.test, NAMES[2]),
    )


def _finished(part: Known, name: str, form: Form, classes: Classes) -> Split | Stream:
    """A split as it is trained on or evaluated."""
    if not isinstance(part, Whole):
        if isinstance(part, IterableStream) and name == NAMES[0]:
            part.rows_of_an_epoch()
        if isinstance(part, LoaderStream) and name == NAMES[0]:
            part.batches_of_an_epoch()
        stream: Stream = replace(part, form=form)
        # It is read in its form: a fault is found before anything is trained.
        return replace(stream, row_bytes=peek(stream).row_bytes)
    targets = part.targets
    if classes.texts:
        targets = indices(np.asarray(targets), classes.labels, name)
    elif isinstance(targets, np.ndarray):
        raise ValueError(
            f"targets must be numbers here, got {str(targets.flat[0])!r} in the {name} data; "
            "encode them, or give texts for classification in every split"
        )
    targets = form.typed(targets, f"the {name} data") if part.has_targets else part.inputs
    return Split(each(_array, part.inputs), each(_array, targets))


def _array(tensor: Tensor) -> Any:
    return tensor.contiguous().numpy()


def _first(train: Split | Stream) -> Batch:
    """Inputs and targets of the first training rows."""
    few = slice(EXAMPLES)
    if not isinstance(train, Split):
        seen = peek(train)
        return taken(seen.inputs, few), taken(seen.targets, few)
    return (
        each(torch.from_numpy, taken(train.inputs, few)),
        each(torch.from_numpy, taken(train.targets, few)),
    )


def _size(part: Split | Stream) -> str:
    """How large a split is, for people."""
    if isinstance(part, Split):
        return f"{len(part)} rows in memory"
    if isinstance(part, RowStream):
        return f"{len(part)} rows"
    if isinstance(part, IterableStream):
        try:
            return f"{part.rows_of_an_epoch()} rows of an IterableDataset"
        except ValueError:
            return "an IterableDataset"
    try:
        return f"{part.batches_of_an_epoch()} batches of a DataLoader"
    except ValueError:
        return "a DataLoader"


def _fingerprint(answer: Answer, held: list[Split], is_all: bool, marks: Mapping[str, str]) -> str:
    """What tells these data from others.

    What the answer says; or else the content where all of it is in memory; or else the file, the
    arguments and the sizes.
    """
    told = answer.options.get("fingerprint")
    if told is not None:
        return fingerprint.of_texts([str(told)])
    content = fingerprint.of_arrays(
        *(array for part in held for array in (*parts(part.inputs), *parts(part.targets)))
    )
    if is_all:
        return content
    return fingerprint.of_texts([f"{name}={value}" for name, value in marks.items()], [content])
