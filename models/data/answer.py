"""What a function of one's own answers with: training, validation and test data, or one set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from nettuner.models.data.preprocessing import listed
from nettuner.models.data.split_names import SPLIT_NAMES
from nettuner.models.did_you_mean import did_you_mean

TRAIN, VALIDATION, TEST = SPLIT_NAMES.values()
ONE_SET = "data"
# What else it may say.
OPTIONS = (
    "target",
    "task",
    "classes",
    "epoch",
    "fingerprint",
    "collate_fn",
    "num_workers",
)
# Those of them that are whole numbers, with the lowest of each.
NUMBERS = {"epoch": 1, "num_workers": 0}
WAY_OUT = (
    "return train and validation (and test): Datasets, DataLoaders, DataFrames or arrays; or one "
    "set to be split"
)


@dataclass(frozen=True, eq=False)
class Answer:
    """Data of one's own.

    Args:
        train: Training data, or one set to be split.
        validation, test: Data of these splits; None where there are none.
        options: What else was said, by name.
    """

    train: Any
    validation: Any = None
    test: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)


def understood(given: Any, function: str) -> Answer:
    """The splits in an answer.

    Args:
        given: Answer of the function.
        function: Name of the function, for errors.

    Raises:
        ValueError: There are none.
    """
    if isinstance(given, Mapping):
        return _of_mapping(given, function)
    if is_set(given):
        return Answer(given)
    named = {n: getattr(given, n) for n in (*TRAIN, *VALIDATION, *TEST) if hasattr(given, n)}
    if any(name in named for name in TRAIN):
        more = {name: getattr(given, name) for name in OPTIONS if hasattr(given, name)}
        return _of_mapping({**named, **more}, function)
    if isinstance(given, tuple | list) and given:
        if all(is_array(part) for part in given) and len(given) > 1:
            return Answer(tuple(given))
        if _is_table_and_target(given):
            return Answer(tuple(given))
        if len(given) in (2, 3) and all(part is None or _is_split(part) for part in given):
            return Answer(*given)
        if isinstance(given, list):
            return Answer(given)
    raise ValueError(f"{function} must return data, got {_shown(given)}; {WAY_OUT}")


def _of_mapping(given: Mapping[Any, Any], function: str) -> Answer:
    names = [str(name) for name in given]
    if not {*TRAIN, ONE_SET} & set(names):
        if given and all(is_array(part) for part in given.values()):
            return Answer(dict(given))
        raise ValueError(
            f"{function} must return a mapping with the name train, got {listed(names)}; {WAY_OUT}"
        )
    known = (*TRAIN, *VALIDATION, *TEST, ONE_SET, *OPTIONS)
    unknown = [name for name in names if name not in known]
    if unknown:
        hint = did_you_mean(unknown[0], known)
        raise ValueError(
            f"{function} must return train, validation, test and what belongs to them, got "
            f"{unknown[0]!r}; {hint}known names: {', '.join(known)}"
        )

    def found(of: tuple[str, ...]) -> Any:
        return next((given[name] for name in of if given.get(name) is not None), None)

    train = found((*TRAIN, ONE_SET))
    if train is None:
        raise ValueError(f"{function} must return training data, got None; {WAY_OUT}")
    options = {name: given[name] for name in OPTIONS if given.get(name) is not None}
    for name, lowest in NUMBERS.items():
        told = options.get(name, lowest)
        if not isinstance(told, Integral) or isinstance(told, bool) or told < lowest:
            raise ValueError(
                f"{name} must be a whole number from {lowest}, got {told!r:.60}; correct it"
            )
    return Answer(train, found(VALIDATION), found(TEST), options)


def is_array(given: Any) -> bool:
    """Whether it is an array, a tensor or a column."""
    return isinstance(given, np.ndarray | torch.Tensor | pd.Series)


def is_set(given: Any) -> bool:
    """Whether it is a set of samples by itself."""
    if isinstance(given, Dataset | DataLoader | pd.DataFrame) or is_array(given):
        return True
    plain = isinstance(given, tuple | list | Mapping | str | bytes)
    return not plain and hasattr(given, "__getitem__") and hasattr(given, "__len__")


def _is_split(given: Any) -> bool:
    """Whether it is a split beside others."""
    if is_set(given) and not is_array(given):
        return True
    if isinstance(given, Mapping):
        return bool(given) and all(is_array(part) for part in given.values())
    if isinstance(given, tuple):
        return bool(given) and (all(is_array(p) for p in given) or _is_table_and_target(given))
    return isinstance(given, list)


def _is_table_and_target(given: Any) -> bool:
    if len(given) != 2 or not isinstance(given[0], pd.DataFrame):
        return False
    return is_array(given[1]) and given[1].ndim == 1


def as_table(given: Any, target: str | int | None) -> tuple[pd.DataFrame, str | int | None] | None:
    """A DataFrame and its target, if it is one, or is given as inputs and target."""
    if isinstance(given, pd.DataFrame):
        return given.rename(columns=str), target
    if isinstance(given, tuple) and _is_table_and_target(given):
        table, column = given
        name = str(getattr(column, "name", None) or "target")
        return table.rename(columns=str).assign(**{name: np.asarray(column)}), name
    return None


def _shown(given: Any) -> str:
    if isinstance(given, tuple | list):
        kinds = ", ".join(type(part).__name__ for part in given[:4])
        return f"{type(given).__name__} of {len(given)}: {kinds}" if kinds else "nothing in it"
    return type(given).__name__
