"""Whether texts are categories, which recur; or numbers, dates and free texts that look like it.

As categories these would become one feature for each row, of which no network can learn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nettuner.models.arrays import Ints
from nettuner.models.data.columns import in_yaml
from nettuner.models.data.fit import DATE, MOST_CATEGORIES
from nettuner.models.data.preprocessing import listed, texts

# Fewer different values than this are categories, whatever they look like.
FEWEST_VALUES = 10
# Of so many different values at most one is no number (no date): a slip, or a sign for a gap.
VALUES_PER_STRAY = 100
FEW_STRAYS = 3
# No number and no date is written in more letters.
LONGEST = 60
# Of an identifier or a free text, so few rows have a value that another row has, too.
SHARE_OF_DIFFERENT = 0.9
WORDS_OF_A_SENTENCE = 4

_MONTH = r"(jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zä]*\.?"
_TIME = r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(\s?[ap]\.?m\.?)?"
OTHER_DATE = re.compile(
    rf"""(\w+,?\s+)?                                   # the day of the week
    ( \d{{1,4}} ([./-]\s?) \d{{1,2}} \3 \d{{1,4}}      # 31/12/2020, 31.12.20, 2020/12/31
    | \d{{4}} [./-] \d{{1,2}} | \d{{1,2}} / \d{{4}}    # 2020-12, 12/2020
    | \d{{1,2}} (st|nd|rd|th|\.)? [\s-]* {_MONTH} [\s,-]* (\d{{2,4}})?
    | {_MONTH} [\s-]* (\d{{1,2}} (st|nd|rd|th)? [\s,]+ )? \d{{2,4}}
    ) ([T\s,]+ {_TIME})?  | {_TIME}""",
    re.VERBOSE | re.IGNORECASE,
)
_SIGN = "[-+\N{MINUS SIGN}(]?"
_THOUSANDS = "[., '\N{RIGHT SINGLE QUOTATION MARK}\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]"
_CURRENCY = "([$€£¥₹]|USD|EUR|GBP|CHF|JPY)"
_UNIT = "(?P<unit>%|‰|°[A-Z]?|[a-zµ][a-zA-Z/]{0,3}|[A-Z][a-zA-Z/]{1,3})"
OTHER_NUMBER = re.compile(
    rf"""{_SIGN} \s? ({_CURRENCY} \s? {_SIGN})?
    ( \d+ ({_THOUSANDS} \d{{3}})*
      ([.,] \d*)? | [.,] \d+ )
    ([eE] {_SIGN} \d+)? \s? ({_CURRENCY} | {_UNIT})? \)?""",
    re.VERBOSE,
)
DECIMAL_COMMA = re.compile(r"[-+]?\d+,(\d{1,2}|\d{4,})")
GROUPED = {
    ",": re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?"),
    ".": re.compile(r"[-+]?\d{1,3}(\.\d{3})+(,\d*)?"),
    "'": re.compile(r"[-+]?\d{1,3}('\d{3})+(\.\d*)?"),
    " ": re.compile(r"[-+]?\d{1,3}( \d{3})+([.,]\d*)?"),
}

What = Literal["numbers", "dates"]
Kind = Literal["plain", "other", "stray"]


@dataclass(frozen=True, eq=False)
class Texts:
    """The different texts of a column.

    Args:
        name: Name of the column.
        values: Different texts, none of them missing.
        counts: Shape [values]: rows that have each.
        first: Shape [values]: place of the first row that has each.
    """

    name: str
    values: list[str]
    counts: Ints
    first: Ints

    def at(self, places: Sequence[int]) -> Texts:
        """Those at these places."""
        chosen = np.array(places, dtype=np.int64)
        values = [self.values[place] for place in places]
        return Texts(self.name, values, self.counts[chosen], self.first[chosen])

    def __len__(self) -> int:
        return len(self.values)

    @property
    def rows(self) -> int:
        """Rows that have a value."""
        return int(self.counts.sum())

    @property
    def mostly_different(self) -> bool:
        """Whether there are more values than a category has, or hardly any recurs."""
        return len(self) > MOST_CATEGORIES or 2 * len(self) > self.rows


def texts_of(column: pd.Series[Any]) -> Texts:
    """The different texts of a column, in the order of their first rows."""
    codes, found = texts(column)
    present = np.array([text is not None for text in found], dtype=bool)
    counts = np.bincount(codes[codes >= 0], minlength=len(found))
    first = np.full(len(found), len(codes))
    np.minimum.at(first, codes[codes >= 0], np.flatnonzero(codes >= 0))
    places = np.flatnonzero(present)
    values = [str(found[place]) for place in places]
    return Texts(str(column.name), values, counts[places], first[places])


def check_categories(columns: Sequence[pd.Series[Any]], rows: NDArray[Any]) -> None:
    """Refuse columns of texts that are no categories.

    Args:
        columns: Columns that would be taken as categories.
        rows: Shape [rows]: place of each row in its file, from 1.

    Raises:
        ValueError: A column holds numbers or dates in another form, or free texts.
    """
    free: list[Texts] = []
    for column in columns:
        found = texts_of(column)
        if not isinstance(column.dtype, pd.CategoricalDtype):
            wrong = disguised(found, rows)
            if wrong:
                raise ValueError(f"{wrong}, or leave it out with drop: {in_yaml(found.name)}")
        if is_free(found):
            free.append(found)
    if free:
        names = [found.name for found in free]
        shown = free[0]
        raise ValueError(
            f"a column of words must hold categories, which recur, got {len(shown)} different "
            f"texts in {shown.rows} rows of {shown.name!r}, such as {_brief(shown.values[0])}"
            + (f", and the like in {listed(names[1:])}" if names[1:] else "")
            + f"; leave out what is no category with drop: {in_yaml(*names)}"
        )


def is_free(found: Texts) -> bool:
    """Whether texts are names, identifiers or sentences: hardly any occurs twice."""
    if len(found) < FEWEST_VALUES:
        return False
    words = sum(value.count(" ") + 1 for value in found.values) / len(found)
    share = 0.5 if words >= WORDS_OF_A_SENTENCE else SHARE_OF_DIFFERENT
    return len(found) > share * found.rows


def disguised(found: Texts, rows: NDArray[Any]) -> str | None:
    """What is wrong with texts most of which are numbers or dates; None if they are neither.

    Args:
        found: Texts of a column.
        rows: Shape [rows]: place of each row in its file, from 1.
    """
    if len(found) < FEWEST_VALUES:
        return None
    return _as(found, rows, "numbers") or _as(found, rows, "dates")


def _as(found: Texts, rows: NDArray[Any], what: What) -> str | None:
    kinds = _kinds(found.values, what)
    if kinds is None:
        return None
    plain, other, stray = (
        found.at([place for place, kind in enumerate(kinds) if kind == wanted])
        for wanted in ("plain", "other", "stray")
    )
    alike = found.at([place for place, kind in enumerate(kinds) if kind != "stray"])
    if len(alike) < FEWEST_VALUES or alike.rows <= stray.rows:
        return None
    if len(other) and (alike.mostly_different or what == "numbers") and one_unit(other.values):
        return (
            f"column {found.name!r} must hold {what} as {_EXAMPLES[what]}, "
            f"got {_brief(other.values[0])} in row {rows[other.first[0]]}; write them so"
            + _by_its_marks(other.values)
        )
    if len(other) or not len(stray):
        return None
    if not (stray.rows == 1 or _signs_alone(stray) or _measured(plain, what)):
        return None
    more = f" (and in {stray.rows - 1} more)" if stray.rows > 1 else ""
    return (
        f"column {found.name!r} must hold {what}, got {_brief(stray.values[0])} "
        f"in row {rows[stray.first[0]]}{more}; correct it or leave it empty"
    )


def _by_its_marks(values: Sequence[str]) -> str:
    """What to say of a CSV file in which numbers have other marks; empty if that is not all."""
    if any(map(DECIMAL_COMMA.fullmatch, values)):
        return ' (or set decimal: ",")'
    for mark, grouped in GROUPED.items():
        if all(map(grouped.fullmatch, values)):
            return f' (or set thousands: "{mark}")'
    return ""


_EXAMPLES = {"numbers": "1234.5", "dates": "2020-12-31"}


def _kinds(values: list[str], what: What) -> list[Kind] | None:
    """What each value is; None where more than a few are strays."""
    few = max(FEW_STRAYS, len(values) // VALUES_PER_STRAY)
    kinds: list[Kind] = []
    strays = 0
    for value in values:
        kinds.append(_kind(value, what))
        strays += kinds[-1] == "stray"
        if strays > few:
            return None
    return kinds


def _kind(value: str, what: What) -> Kind:
    plain, other = (is_number, OTHER_NUMBER) if what == "numbers" else (DATE.fullmatch, OTHER_DATE)
    if len(value) > LONGEST:
        return "stray"
    if plain(value):
        return "plain"
    return "other" if other.fullmatch(value) else "stray"


def is_number(text: str) -> bool:
    """Whether a text is a number as Python writes one."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def one_unit(values: Sequence[str]) -> bool:
    """Whether numbers have one unit or two at most: with more, as in 1st, 2nd, they are names."""
    matches = [OTHER_NUMBER.fullmatch(value) for value in values]
    return len({match["unit"] for match in matches if match and match["unit"]}) <= 2


def _signs_alone(stray: Texts) -> bool:
    """Whether what stands among numbers has no letter and no digit, such as - for a gap."""
    return not any(char.isalnum() for value in stray.values for char in value)


def _measured(plain: Texts, what: What) -> bool:
    """Whether numbers are measured, or counted far, and no codes such as 1 to 22, X, Y."""
    if plain.mostly_different or what == "dates":
        return True
    return any(not float(value).is_integer() for value in plain.values)


def _brief(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
