"""What is accepted in data and yet looks like a mistake: a line each, with the way out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nettuner.models.data.categories import (
    OTHER_DATE,
    OTHER_NUMBER,
    Texts,
    is_number,
    one_unit,
)
from nettuner.models.data.columns import in_yaml
from nettuner.models.data.fit import MOST_CATEGORIES
from nettuner.models.data.preprocessing import listed

IDENTIFIER = re.compile(
    r"(.*[ _.-])?(id|idx|index|uuid|guid|key|nr|no|number|row|rownames?|code)|.*Id|.*ID"
)
FEWEST_TO_COUNT = 10
MOSTLY_DIFFERENT = 0.5
NEARLY_ALL = 0.95
# What configurations among the best differ by is seldom more than this.
MOST_POINTS = 2.0
MOST_PERCENT = 5.0
USUAL_ACCURACY = 0.9


def looks_like_an_index(name: str, values: NDArray[np.float64]) -> bool:
    """Whether numbers count rows, or are all different and called an identifier.

    Args:
        name: Name of the column.
        values: Shape [rows]: its numbers, NaN where they are missing.
    """
    if len(values) < FEWEST_TO_COUNT or np.isnan(values).any() or (values % 1 != 0).any():
        return False
    if len(np.unique(values)) < len(values):
        return False
    return values.max() - values.min() == len(values) - 1 or bool(IDENTIFIER.fullmatch(name))


def of_indices(names: Sequence[str]) -> str:
    """What to say of columns that count rows or identify them."""
    return (
        f"every row has another whole number in {listed(names)}, as row numbers and identifiers "
        f"have; leave out what means nothing with drop: {in_yaml(*names)}"
    )


def of_constants(names: Sequence[str]) -> str:
    """What to say of columns that cannot be learned from."""
    return (
        f"no training row differs from another in {listed(names)}: left out; correct the file if "
        "they should vary"
    )


def of_words(found: Texts) -> str | None:
    """What to say of texts that hardly recur, so that few have a feature of their own."""
    share = len(found) / max(found.rows, 1)
    if len(found) < FEWEST_TO_COUNT or share <= MOSTLY_DIFFERENT:
        return None
    more = (
        f"; {MOST_CATEGORIES - 1} have a feature of their own, the others share one"
        if len(found) > MOST_CATEGORIES
        else ""
    )
    return (
        f"{found.name!r} has {len(found)} different words in {found.rows} rows, of which a network "
        f"learns little{more}; leave it out with drop: {in_yaml(found.name)}, or group them"
    )


def of_numbers_as_text(found: Texts) -> str | None:
    """What to say of categories that are numbers or dates in another form, such as 12 %."""
    values = found.values
    if len(values) < 2:
        return None
    for form, plain in ((OTHER_NUMBER, "1234.5"), (OTHER_DATE, "2020-12-31")):
        if all(map(form.fullmatch, values)) and not all(map(is_number, values)):
            if form is OTHER_NUMBER and not one_unit(values):
                continue
            what = "numbers" if form is OTHER_NUMBER else "dates"
            return (
                f"{found.name!r} looks like {what} written as text, such as {values[0]!r}, and is "
                f"taken as {len(values)} categories; write them as {plain}"
            )
    return None


def of_spelling(name: str, labels: Iterable[str]) -> str | None:
    """What to say of categories or classes that differ in blanks or in capitals alone."""
    known: dict[str, str] = {}
    for label in labels:
        first = known.setdefault("".join(label.split()).casefold(), label)
        if first != label:
            return (
                f"{first!r} and {label!r} in {name!r} differ in blanks or capitals alone and are "
                "two; write them alike if they are one"
            )
    return None


def of_majority(name: str, counts: Mapping[str, int]) -> str | None:
    """What to say of one class that nearly all rows have."""
    total = sum(counts.values())
    label, most = max(counts.items(), key=lambda item: item[1], default=("", 0))
    if total == 0 or most < NEARLY_ALL * total:
        return None
    return (
        f"{most / total:.1%} of the rows are {label!r} in {name!r}: who always says so has that "
        "accuracy; search by val_loss, or give more rows of the others"
    )


def of_few_classified(rows: int, majority: float) -> str | None:
    """What to say of a validation split on which accuracies cannot be told apart.

    The standard error of an accuracy p on n rows is sqrt(p (1 - p) / n), taken at 0.9, or at the
    share of the largest class if that is larger.
    """
    chance = max(USUAL_ACCURACY, majority)
    points = 100 * math.sqrt(chance * (1 - chance) / max(rows, 1))
    if points <= MOST_POINTS:
        return None
    return (
        f"{rows} validation rows tell accuracies near {chance:.0%} apart by {points:.1f} points at "
        f"best (one standard error); {_more_rows(chance * (1 - chance) / (MOST_POINTS / 100) ** 2)}"
    )


def of_few_measured(rows: int) -> str | None:
    """What to say of a validation split on which errors of numbers cannot be told apart.

    The relative standard error of a root mean square of n normal errors is 1 / sqrt(2 n).
    """
    percent = 100 / math.sqrt(2 * max(rows, 1))
    if percent <= MOST_PERCENT:
        return None
    return (
        f"{rows} validation rows tell errors apart by {percent:.0f}% at best (one standard error "
        f"of val_rmse); {_more_rows(0.5 / (MOST_PERCENT / 100) ** 2)}"
    )


def _more_rows(enough: float) -> str:
    rows = math.ceil(round(enough, 6))
    return f"about {rows:,} are enough: give more rows, a larger share, or folds"


def known(*lines: str | None) -> tuple[str, ...]:
    """The lines that there are."""
    return tuple(line for line in lines if line is not None)
