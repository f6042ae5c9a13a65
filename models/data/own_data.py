"""Data of one's own as a dataset: in memory where that is possible, else read when needed."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, Subset

from nettuner.models.data import fingerprint
from nettuner.models.data.answer import Answer, is_array
from nettuner.models.data.dataset import EXAMPLES, Dataset, Split
from nettuner.models.data.own_table import own_table
from nettuner.models.data.preprocessing import Label, listed
from nettuner.models.data.samples import Batch, Form, task_of
from nettuner.models.data.source import Source, TaskKind
from nettuner.models.data.split import split
from nettuner.models.data.streams import (
    IterableStream,
    LoaderStream,
    RowStream,
    Stream,
    formed,
)
from nettuner.models.data.whole import Whole, empty, of_arrays, of_dataset
from nettuner.models.inputs import each, parts, taken

# Rows of a Dataset that are looked at to see what it holds.
LOOKED_AT = 64
# How long the classes of a training set that is not in memory may be counted [s].
COUNT_SECONDS = 30.0
NAMES = ("training", "validation", "test")

Known = Whole | Stream


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
    peek = _peek(known[0])
    texts = isinstance(peek.targets, np.ndarray)
    learned: TaskKind = "classification" if texts else task_of(peek.targets)
    task = task or (learned if peek.has_targets else "own")
    if known[1] is not None and source.fold is not None:
        raise ValueError(
            "folds are of one set that nettuner splits, got validation data beside the training "
            "data; return one set, or drop folds"
        )
    if known[1] is None:
        known[0], known[1], known[2] = _divided(known[0], known[2], source, task)
    classes = _classes(known[0], answer, peek, task)
    form = Form(target if isinstance(target, str) else None, task, classes.count)
    finished = [
        None if part is None else _finished(part, name, form, classes)
        for part, name in zip(known, NAMES, strict=True)
    ]
    train, validation, test = finished
    assert train is not None
    assert validation is not None
    first = _first(known[0], train, form)
    inputs, targets = first
    target_shape = tuple(targets.shape[1:]) if isinstance(targets, Tensor) else ()
    outputs = classes.count or (target_shape[0] if task == "labels" else math.prod(target_shape))
    held = [part for part in finished if isinstance(part, Split)]
    sizes = {
        name: _size(part, known_part)
        for name, part, known_part in zip(NAMES, finished, known, strict=True)
        if part is not None
    }
    for part in (part for part in finished if part is not None and not isinstance(part, Split)):
        _peek(part)  # a fault is found before anything is trained
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
    known = [name for name in get_args(TaskKind) if name != "translation"]
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


@dataclass(frozen=True, eq=False)
class Peek:
    """The first rows of a split: inputs, targets, and whether these are other than the inputs."""

    inputs: Any
    targets: Any
    has_targets: bool

    @property
    def row_bytes(self) -> int:
        """Size of a row [bytes]."""
        every = parts(self.inputs)
        return int(sum(p.numel() * p.element_size() for p in every)) // max(1, len(every[0]))


def _peek(part: Known) -> Peek:
    """The first rows of a split; starts no process."""
    if isinstance(part, Whole):
        first = part if len(part) <= LOOKED_AT**2 else part.at(slice(LOOKED_AT**2))
        return Peek(first.inputs, first.targets, part.has_targets)
    batches = _here(part)
    found = next(batches, None)
    batches.close()
    if found is None:
        raise empty(part.name)
    inputs, targets = found
    return Peek(inputs, targets, inputs is not targets)


def _here(part: Stream) -> Any:
    """The batches of an epoch, read by this process."""
    if isinstance(part, RowStream):
        rows = range(len(part))
        places = [list(rows[at : at + LOOKED_AT]) for at in range(0, len(part), LOOKED_AT)]
        return part.read(places, here=True)
    if isinstance(part, IterableStream):
        part = part.loaded(LOOKED_AT)
    return part.read(0, 0, here=True)


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


@dataclass(frozen=True)
class Classes:
    """The classes of a target.

    Args:
        count: How many there are; None where there are none.
        labels: Their labels, where they have any.
        texts: Whether targets are these labels.
    """

    count: int | None = None
    labels: tuple[Label, ...] = ()
    texts: bool = False


def _classes(train: Known, answer: Answer, peek: Peek, task: TaskKind) -> Classes:
    if task != "classification":
        return Classes()
    told = answer.options.get("classes")
    if told is None:
        told = _attribute(answer.train, "classes")
    if isinstance(train, Whole) and isinstance(train.targets, np.ndarray):  # texts
        found = tuple(sorted({str(text) for text in train.targets.tolist()}))
        names = found if told is None else tuple(map(str, told))
        return Classes(len(names), names, texts=True)
    if isinstance(told, int) and not isinstance(told, bool):
        return Classes(told)
    if isinstance(told, Sequence) and told and not isinstance(told, str):
        return Classes(len(told), tuple(map(str, told)))
    if told is not None:
        raise ValueError(
            f"classes must be their number, or a list of their names, got {told!r:.60}; correct it"
        )
    if not isinstance(peek.targets, Tensor):
        raise ValueError(
            f"classes need targets that are one tensor, got {type(peek.targets).__name__}; give "
            "task: own and a learner with a loss of its own"
        )
    if isinstance(train, Whole):
        return Classes(int(train.targets.max()) + 1)
    targets = _attribute(answer.train, "targets")
    if targets is not None and len(targets):
        return Classes(int(torch.as_tensor(np.asarray(targets)).max()) + 1)
    return Classes(_counted(train))


def _attribute(given: Any, name: str) -> Any:
    """An attribute of a Dataset, or of the one in a DataLoader."""
    return getattr(getattr(given, "dataset", given), name, None)


def _counted(train: Stream) -> int:
    """One more than the largest class of an epoch.

    Raises:
        ValueError: To read it takes too long.
    """
    largest, deadline = 0, time.monotonic() + COUNT_SECONDS
    left = _most_batches(train)
    for _, targets in _here(train):
        largest = max(largest, int(targets.max()))
        left -= 1
        if left == 0:
            break
        if time.monotonic() > deadline:
            raise ValueError(
                f"the number of classes must be known, got training data that cannot be read in "
                f"{COUNT_SECONDS:g} s to count them; answer with classes: NUMBER"
            )
    return largest + 1


def _most_batches(part: Stream) -> int:
    if isinstance(part, RowStream):
        return len(part)
    if isinstance(part, LoaderStream):
        return part.batches_of_an_epoch()
    return math.ceil(part.rows_of_an_epoch() / LOOKED_AT)


def _finished(part: Known, name: str, form: Form, classes: Classes) -> Split | Stream:
    """A split as it is trained on or evaluated."""
    if not isinstance(part, Whole):
        if isinstance(part, IterableStream) and name == NAMES[0]:
            part.rows_of_an_epoch()
        if isinstance(part, LoaderStream) and name == NAMES[0]:
            part.batches_of_an_epoch()
        return formed(part, form, _peek(part).row_bytes)
    targets = part.targets
    if classes.texts:
        targets = _indices(np.asarray(targets), classes.labels, name)
    targets = form.typed(targets, f"the {name} data") if part.has_targets else part.inputs
    return Split(each(_array, part.inputs), each(_array, targets))


def _array(tensor: Tensor) -> Any:
    return tensor.contiguous().numpy()


def _indices(texts: Any, labels: tuple[Label, ...], name: str) -> Tensor:
    """The class of each label.

    Raises:
        ValueError: There is another label.
    """
    index = {label: place for place, label in enumerate(labels)}
    for row, text in enumerate(texts.tolist()):
        if str(text) not in index:
            raise ValueError(
                f"targets must be classes of the training data, got {text!r} in row {row} of the "
                f"{name} data; training has: {listed(labels)}"
            )
    return torch.tensor([index[str(text)] for text in texts.tolist()])


def _first(part: Known | None, train: Split | Stream, form: Form) -> Batch:
    """Inputs and targets of the first training rows."""
    if isinstance(train, Split):
        few = slice(EXAMPLES)
        return (
            each(torch.from_numpy, taken(train.inputs, few)),
            each(torch.from_numpy, taken(train.targets, few)),
        )
    peek = _peek(train)
    few = slice(EXAMPLES)
    return taken(peek.inputs, few), taken(peek.targets, few)


def _size(part: Split | Stream, known: Known | None) -> str:
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
