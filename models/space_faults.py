"""Whether a study's space has what its learner takes: the names, and values of the right kind."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from nettuner.models.did_you_mean import did_you_mean
from nettuner.models.learner import Hyperparameter
from nettuner.models.space import Choice, Dimension, Fixed
from nettuner.models.study import Study


def space_faults(study: Study, known: Mapping[str, Hyperparameter]) -> Iterator[tuple[str, str]]:
    """What is wrong with the space of a study, by key.

    Args:
        study: Study.
        known: Hyperparameters that its learner takes, by name.
    """
    for name, dimension in study.space.items():
        key = f"space.{name}"
        if name not in known:
            hint = did_you_mean(name, known)
            takes = ", ".join(sorted(known))
            yield key, f"{study.learner} takes no {name!r}; {hint}it takes: {takes}"
        else:
            wrong = _wrong_value(dimension, known[name])
            if wrong:
                yield key, wrong
    for name, hyperparameter in known.items():
        if hyperparameter.default is not None:
            continue
        if name not in study.space:
            yield "space", f"{study.learner} must be given {name!r}, got none; add it to the space"
        elif study.space[name].when:
            yield (
                f"space.{name}",
                f"must be given in every trial, got a condition; drop when, or give {name} a "
                f"default in {study.learner}",
            )


def _wrong_value(dimension: Dimension, wanted: Hyperparameter) -> str | None:
    """Message about the first value of a dimension that the learner cannot take; None if none."""
    values = dimension.levels or (dimension.from_unit(0.0), dimension.from_unit(1.0))
    for value in values:
        if wanted.choices and value not in wanted.choices:
            return f"must be one of {', '.join(map(str, wanted.choices))}, got {value!r}; drop it"
        if not _is_a(wanted.kind, value):
            return (
                f"must be {_in_words(wanted.kind)}, got {value!r} ({type(value).__name__}); "
                f"use {_suitable(wanted.kind)}"
            )
        if isinstance(value, int | float) and not wanted.low <= value <= wanted.high:
            if math.isinf(wanted.high):
                rule = f"at least {wanted.low:g}"
            else:
                rule = f"between {wanted.low:g} and {wanted.high:g}"
            if isinstance(dimension, Choice | Fixed):
                return f"must be {rule}, got {value:g}; correct it"
            end = "down" if value < wanted.low else "up"
            return f"must be {rule}, got values {end} to {value:g}; narrow the range"
    return None


def _is_a(kind: type, value: object) -> bool:
    if kind is object or kind not in (int, float, str, bool):
        return True
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is kind


def _in_words(kind: type) -> str:
    words = {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}
    return words[kind]


def _suitable(kind: type) -> str:
    uses = {
        int: "distribution: integer",
        float: "distribution: uniform or log-uniform",
        str: "a choice of words",
        bool: "a choice of true and false",
    }
    return uses[kind]
