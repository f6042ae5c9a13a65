"""Numbers, ordinals and times of day in English words and in German.

In German, `PART` stands between the parts of a word, so that it can be written as one
("siebenundachtzig") or taken apart ("sieben und achtzig").
"""

from __future__ import annotations

PART = "|"

ENGLISH = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
ENGLISH_TENS = [
    "-",
    "-",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
]
GERMAN = [
    "null",
    "ein",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
]
GERMAN_TENS = [
    "-",
    "-",
    "zwanzig",
    "dreißig",
    "vierzig",
    "fünfzig",
    "sechzig",
    "siebzig",
    "achtzig",
    "neunzig",
]
ENGLISH_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
GERMAN_ORDINALS = {1: "erste", 3: "dritte", 7: "siebte", 8: "achte"}


def english(number: int) -> str:
    """A number below 10^9 in British English words: "one hundred and one"."""
    if number < 20:
        return ENGLISH[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return ENGLISH_TENS[tens] + (f"-{ENGLISH[ones]}" if ones else "")
    for size, name in ((10**6, "million"), (10**3, "thousand"), (100, "hundred")):
        if number >= size:
            many, rest = divmod(number, size)
            word = "and " if 0 < rest < 100 else ""
            return f"{english(many)} {name}" + (f" {word}{english(rest)}" if rest else "")
    raise AssertionError(number)


def german(number: int) -> str:
    """A number below 10^9 in German words, as one counts: it ends in "eins", not in "ein"."""
    millions, rest = divmod(number, 10**6)
    words = []
    if millions:
        words.append("eine Million" if millions == 1 else f"{_joined(millions)} Millionen")
    if rest or not millions:
        words.append(_joined(rest) + ("s" if rest % 100 == 1 else ""))
    return " ".join(words)


def _joined(number: int) -> str:
    """A number below 10^6 as it stands before another word: it ends in "ein"."""
    for size, name in ((1000, "tausend"), (100, "hundert")):
        if number >= size:
            many, rest = divmod(number, size)
            return PART.join([_joined(many), name, *([_joined(rest)] if rest else [])])
    if number < 20:
        return GERMAN[number]
    tens, ones = divmod(number, 10)
    return PART.join([*([GERMAN[ones], "und"] if ones else []), GERMAN_TENS[tens]])


def english_ordinal(number: int) -> str:
    """A number below 100 as an ordinal: "twenty-first"."""
    before, dash, last = english(number).rpartition("-")
    ordinal = ENGLISH_ORDINALS.get(last) or f"{last.removesuffix('y')}{'ie' * last.endswith('y')}th"
    return before + dash + ordinal


def german_ordinal(number: int) -> str:
    """A number below 100 as an ordinal: "einundzwanzigste"."""
    if number < 20:
        return GERMAN_ORDINALS.get(number, f"{GERMAN[number]}te")
    return f"{_joined(number)}ste"


def english_year(year: int) -> str:
    """A year from 1100 to 1999, not the first nine of a century: "nineteen eighty-seven"."""
    century, rest = divmod(year, 100)
    return f"{english(century)} {english(rest) if rest else 'hundred'}"


def german_year(year: int) -> str:
    """A year from 1100 to 1999: "neunzehnhundertsiebenundachtzig"."""
    century, rest = divmod(year, 100)
    return PART.join([_joined(century), "hundert", *([german(rest)] if rest else [])])


def english_time(hour: int, minute: int) -> str:
    """A time of day, hour 1 to 12, minute a multiple of 5: "twenty-five to four"."""
    if minute == 0:
        return f"{english(hour)} o'clock"
    if minute == 30:
        return f"half past {english(hour)}"
    past = minute < 30
    minutes = minute if past else 60 - minute
    amount = "a quarter" if minutes == 15 else english(minutes)
    return f"{amount} {'past' if past else 'to'} {english(hour if past else hour % 12 + 1)}"


def german_time(hour: int, minute: int) -> str:
    """The same in German, where half past three is half four: "fünf nach halb vier"."""
    after = german(hour % 12 + 1)
    match minute:
        case 0:
            return f"{_joined(hour)} Uhr"
        case 15:
            return f"Viertel nach {german(hour)}"
        case 45:
            return f"Viertel vor {after}"
        case 30:
            return f"halb {after}"
        case 25:
            return f"fünf vor halb {after}"
        case 35:
            return f"fünf nach halb {after}"
    if minute < 30:
        return f"{german(minute)} nach {german(hour)}"
    return f"{german(60 - minute)} vor {after}"
