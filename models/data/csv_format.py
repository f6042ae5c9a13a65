"""What a CSV file tells of itself: its encoding, what separates columns, what precedes decimals.

Nothing is guessed where two readings are possible: then it is taken as UTF-8 with commas between
columns and decimal points, as ever.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from itertools import islice
from typing import Literal

UTF8 = "utf-8-sig"  # with a byte order mark or without
Decimal = Literal[".", ","]
COMMA: Literal[","] = ","
POINT: Literal["."] = "."

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Bytes that text in Western encodings has none of.
_CONTROL = bytes(set(range(32)) - set(b"\t\n\f\r"))
_OTHER_SEPARATORS = (";", "\t", "|")
_LINES = 1000
# Between these separators commas are free to precede decimals.
_WITH_DECIMAL_COMMA = (";", "\t")
_NUMBER_LIKE = re.compile(
    r"""(?:^|[;\t"]) [ ]* ([-+]?[\d.,]*\d) (?:[eE][-+]?\d+)? [ ]* (?=[;\t"\r]|$)""",
    re.VERBOSE | re.MULTILINE,
)
_WITH_COMMA = re.compile(r"[-+]?\d+,\d+")
_MAYBE_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")


def encoding_of(content: bytes) -> str:
    """The encoding of a text: by its mark, UTF-8 if it is valid as such, else a Western one.

    Windows-1252, or Latin-1 where that has no character for a byte. What has control characters is
    no text of these, and is taken for UTF-8.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    if _decodes(content, UTF8) or len(content.translate(None, _CONTROL)) < len(content):
        return UTF8
    return "cp1252" if _decodes(content, "cp1252") else "latin-1"


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def separator_of(text: str) -> str:
    """What stands between two columns: a comma where that gives a table of two columns and more.

    Else that one of semicolon, tab and bar which alone gives every line the same two fields or
    more.
    """
    rows = _rows(text, COMMA)
    if rows and len(rows[0]) >= 2 and all(_filled(row) <= len(rows[0]) for row in rows):
        return COMMA
    found = []
    for separator in _OTHER_SEPARATORS:
        widths = {len(row) for row in _rows(text, separator)}
        if len(widths) == 1 and min(widths) >= 2:
            found.append(separator)
    return found[0] if len(found) == 1 else COMMA


def _rows(text: str, separator: str) -> list[list[str]]:
    """The first lines as fields, without blank ones; none where that is impossible."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        return [row for row in islice(reader, _LINES) if any(field.strip() for field in row)]
    except csv.Error:
        return []


def _filled(row: list[str]) -> int:
    """Fields of a row, without empty ones at its end."""
    return max((place for place, field in enumerate(row, start=1) if field.strip()), default=0)


def decimal_of(text: str, separator: str) -> Decimal:
    """What precedes decimals: a comma where all numbers say so and one of them must mean it.

    `1,234` may be a little over one or a thousand; `0,5` and `12,75` are no thousands. A number
    with a point speaks against it, a date such as 31.12.2020 does not.
    """
    if separator not in _WITH_DECIMAL_COMMA:
        return POINT
    certain = False
    for found in _NUMBER_LIKE.finditer(text):
        cell = found[1]
        if COMMA in cell:
            if not _WITH_COMMA.fullmatch(cell):
                return POINT
            certain = certain or not _MAYBE_THOUSANDS.fullmatch(cell)
        elif cell.count(POINT) == 1:
            return POINT
    return COMMA if certain else POINT
