"""A first study of data, or of code: what to train and what to search, as far as can be seen."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.source import Source
from nettuner.models.data.sources import SHORT, AnySource
from nettuner.models.data.sources import at_place as source_at
from nettuner.models.learner import DataFacts, Learner, arguments
from nettuner.models.read_names import read_names
from nettuner.models.study import Direction
from nettuner.models.training.loop import facts
from nettuner.models.training.own_loop import own_loop
from nettuner.models.usual_ranges import Written, usual_range

# Optimiser steps that a small network needs about, and a training's bounds in epochs.
STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 2000, 5, 50
BATCH = 64
# Live hyperparameters that are searched although they have a default that is right for many.
ALSO = ("learning_rate", "weight_decay")
MORE_IS_BETTER = re.compile(r"acc|auc|f1|bleu|r2|reward|return|score|precision|recall|iou|dice")
UNKNOWN: Written = {"distribution": "uniform", "low": 0.0, "high": 1.0}


@dataclass(frozen=True)
class Draft:
    """A study to begin with.

    Args:
        name: Of the study.
        learner: What is trained.
        data: As a study says it; None where the code brings its own.
        metric, direction: What is improved; no direction where the learner knows it.
        epochs: Length of a training; None where a function trains as long as it likes.
        space: What is searched.
        notes: Remarks on lines of the study, by their key.
        also: Hyperparameters that may be searched, too.
    """

    name: str
    learner: str
    data: Mapping[str, Any] | str | None
    metric: str
    direction: Direction | None
    epochs: int | None
    space: Mapping[str, Written]
    notes: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()


def data_named(given: str, target: str | None, text: str | None) -> Mapping[str, Any] | str:
    """What a study says of data that a person names.

    Args:
        given: A file, a folder, a data set that comes with nettuner, or a function, `file.py:f`.
        target: Column to predict; None for the last one.
        text: Column with sentences; None where inputs are numbers and categories.

    Raises:
        ValueError: It is none of these.
    """
    if given in SHORT or ":" in given:
        if target or text:
            raise ValueError(
                f"--target and --text are for tables in files, got them with {given}; drop them"
            )
        return given
    place = Path(given)
    if not place.exists():
        raise ValueError(
            f"--data must be a file, a folder, file.py:FUNCTION, or one of {', '.join(SHORT)}, "
            f"got {given!r}, which is not there; correct it"
        )
    found = source_at(place.absolute())
    column = int(target) if target and re.fullmatch(r"-\d+", target) else target
    asked = {name: value for name, value in (("target", column), ("text", text)) if value}
    return {**found, **({"source": "sentences"} if text else {}), **asked}


def drafted(name: str, learner: str | None, data: Mapping[str, Any] | str | None) -> Draft:
    """A draft for a learner, for data, or for both.

    Args:
        name: Of the study.
        learner: A learner or a function; None to choose one that suits the data.
        data: As a study says it; None where the code brings its own.

    Raises:
        ValueError: Neither learner nor data are given, one cannot be read, or they do not go
            together.
    """
    if learner is None and data is None:
        raise ValueError("say what to begin with: --data FILE, or --learner FILE.py:NAME")
    found = None if learner is None else learners.find(learner)
    if learner is not None and not (isinstance(found, type) and issubclass(found, Learner)):
        return _of_function(name, learner, found, data)
    if data is None:
        raise ValueError(f"{learner} learns from data, got none; add --data FILE")
    source = _source(data)
    dataset = load(source)
    known = facts(dataset)
    chosen = learner or _suited(known)
    rows = None if not dataset.held else len(dataset.train)  # type: ignore[arg-type]
    return _of_learner(name, chosen, learners.find(chosen), data, known, rows)


def _source(data: Mapping[str, Any] | str) -> Source:
    """The source that a study with these data has."""
    found: Source = TypeAdapter(AnySource).validate_python(data)
    return found


def _suited(data: DataFacts) -> str:
    """The built-in learner for such data."""
    if data.sentences is not None:
        return "translator"
    if data.tokens:
        return "text_classifier"
    return "cnn" if len(data.shape) == 3 and min(data.shape[1:]) >= 4 else "mlp"


def _of_learner(
    name: str,
    reference: str,
    learner: Any,
    data: Mapping[str, Any] | str,
    known: DataFacts,
    rows: int | None,
) -> Draft:
    every = learner.hyperparameters()
    own = [*arguments(learner.build), *learner.live]
    searched = [*ALSO, *(each for each in own if "dropout" in each or _is_size(every[each]))]
    space = {
        each: found
        for each in searched
        if (found := usual_range(each, every[each].default)) is not None
    }
    metrics = learner(known).metrics
    first = next(iter(metrics))
    others = ", ".join(f"val_{each}" for each in metrics if each != first)
    return Draft(
        name,
        reference,
        data,
        f"val_{first}",
        None,
        _epochs(rows),
        space,
        {"metric": f"or {others}"} if others else {},
        tuple(sorted(set(every) - set(space) - {"precision"})),
    )


def _is_size(hyperparameter: Any) -> bool:
    """Whether it is a number of units, layers or the like."""
    return (
        hyperparameter.kind is int and not hyperparameter.choices and bool(hyperparameter.default)
    )


def _epochs(rows: int | None) -> int:
    """Epochs in which a small network takes some thousand steps."""
    wanted = STEPS * BATCH / rows if rows else FEWEST_EPOCHS
    return min(max(math.ceil(wanted), FEWEST_EPOCHS), MOST_EPOCHS)


def _of_function(
    name: str, reference: str, function: Any, data: Mapping[str, Any] | str | None
) -> Draft:
    loop = own_loop(function) is not None
    read = read_names(function)
    if not read.hyperparameters:
        raise ValueError(
            f"{reference} must read hyperparameters by their names, as h['learning_rate'], for its "
            "space to be guessed, got none; write the study by hand: nettuner schema has all of it"
        )
    space, notes = {}, {}
    for each, default in read.hyperparameters.items():
        found = usual_range(each, default)
        space[each] = UNKNOWN if found is None else found
        if found is None:
            notes[each] = "a guess: say what it may be"
    metric = read.metrics[0] if read.metrics else "loss"
    if not read.metrics:
        notes["metric"] = "what the function returns"
    direction: Direction = "maximize" if MORE_IS_BETTER.search(metric.lower()) else "minimize"
    notes["direction"] = "by its name: correct it if that is wrong"
    return Draft(
        name, reference, data, metric, direction, MOST_EPOCHS if loop else None, space, notes
    )
