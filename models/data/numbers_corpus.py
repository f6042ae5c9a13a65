"""A parallel text made here: numbers, dates and times of day in English and German.

It is a task of word order. English puts the tens first and German the ones; German names the
day before the hour, sends the verb or half of it to the end, and calls half past three half four.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from nettuner.models.data.number_words import (
    PART,
    english,
    english_ordinal,
    english_time,
    english_year,
    german,
    german_ordinal,
    german_time,
    german_year,
)
from nettuner.models.data.texts import Pairs

MONTHS = {
    "January": "Januar",
    "February": "Februar",
    "March": "März",
    "April": "April",
    "May": "Mai",
    "June": "Juni",
    "July": "Juli",
    "August": "August",
    "September": "September",
    "October": "Oktober",
    "November": "November",
    "December": "Dezember",
}
DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# What happens at {time} on a {day}; separable verbs leave their half behind.
EVENTS = (
    ("the train leaves at {time} on {day}", "der Zug fährt {day} um {time} ab"),
    ("the train arrives at {time} on {day}", "der Zug kommt {day} um {time} an"),
    ("the shop opens at {time} on {day}", "der Laden öffnet {day} um {time}"),
    ("we have met at {time} on {day}", "wir haben uns {day} um {time} getroffen"),
)
COUNTED = (
    ("we have counted {n} birds", "wir haben {n} Vögel gezählt"),
    ("the town has {n} inhabitants", "die Stadt hat {n} Einwohner"),
)

Texts = tuple[str, str]


def sentences(rows: int, highest: int, *, compounds: bool) -> Pairs:
    """This many different pairs; fewer are the first of more.

    Args:
        rows: Number of pairs.
        highest: The largest number that may occur.
        compounds: True for German numbers as one word, False for their parts apart.
    """
    rng = random.Random(0)
    kinds: tuple[Callable[[random.Random, int], Texts], ...] = (_number, _counted, _date, _event)
    found: dict[str, str] = {}
    while len(found) < rows:
        source, target = rng.choice(kinds)(rng, highest)
        found.setdefault(source, target.replace(PART, "" if compounds else " "))
    return Pairs(list(found), list(found.values()))


def _some(rng: random.Random, highest: int) -> int:
    """A number of any length alike, rather than one of the many long ones."""
    digits = rng.randint(1, len(str(highest)))
    return rng.randint(0 if digits == 1 else 10 ** (digits - 1), min(10**digits - 1, highest))


def _number(rng: random.Random, highest: int) -> Texts:
    number = _some(rng, highest)
    return english(number), german(number)


def _counted(rng: random.Random, highest: int) -> Texts:
    """None that ends in one, where German says "ein", "einen" or "eins" as the noun wants."""
    number = _some(rng, highest)
    if number < 2 or number % 100 == 1:
        number = max(number - 1, 2)
    source, target = rng.choice(COUNTED)
    return source.format(n=english(number)), target.format(n=german(number))


def _day(rng: random.Random) -> tuple[int, str, str]:
    month = rng.randrange(12)
    return rng.randint(1, DAYS[month]), *list(MONTHS.items())[month]


def _date(rng: random.Random, highest: int) -> Texts:
    """The third of May nineteen eighty-seven."""
    day, month, monat = _day(rng)
    year = 100 * rng.randint(11, 19) + rng.randint(10, 99)
    return (
        f"the {english_ordinal(day)} of {month} {english_year(year)}",
        f"der {german_ordinal(day)} {monat} {german_year(year)}",
    )


def _event(rng: random.Random, highest: int) -> Texts:
    day, month, monat = _day(rng)
    when = rng.randint(1, 12), 5 * rng.randrange(12)
    source, target = rng.choice(EVENTS)
    return (
        source.format(time=english_time(*when), day=f"the {english_ordinal(day)} of {month}"),
        target.format(time=german_time(*when), day=f"am {german_ordinal(day)}n {monat}"),
    )
