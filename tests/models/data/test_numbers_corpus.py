from __future__ import annotations

import numpy as np
import pytest

from nettuner.models.data.load import load
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
from nettuner.models.data.numbers_corpus import DAYS, sentences
from nettuner.models.data.sources.numbers import Numbers


def joined(text):
    return text.replace(PART, "")


@pytest.mark.parametrize(
    ("number", "in_english", "in_german"),
    [
        (0, "zero", "null"),
        (1, "one", "eins"),
        (2, "two", "zwei"),
        (7, "seven", "sieben"),
        (11, "eleven", "elf"),
        (12, "twelve", "zwölf"),
        (16, "sixteen", "sechzehn"),
        (17, "seventeen", "siebzehn"),
        (20, "twenty", "zwanzig"),
        (21, "twenty-one", "einundzwanzig"),
        (30, "thirty", "dreißig"),
        (40, "forty", "vierzig"),
        (66, "sixty-six", "sechsundsechzig"),
        (77, "seventy-seven", "siebenundsiebzig"),
        (87, "eighty-seven", "siebenundachtzig"),
        (100, "one hundred", "einhundert"),
        (101, "one hundred and one", "einhunderteins"),
        (112, "one hundred and twelve", "einhundertzwölf"),
        (121, "one hundred and twenty-one", "einhunderteinundzwanzig"),
        (300, "three hundred", "dreihundert"),
        (999, "nine hundred and ninety-nine", "neunhundertneunundneunzig"),
        (1000, "one thousand", "eintausend"),
        (1001, "one thousand and one", "eintausendeins"),
        (1100, "one thousand one hundred", "eintausendeinhundert"),
        (2021, "two thousand and twenty-one", "zweitausendeinundzwanzig"),
        (
            12_345,
            "twelve thousand three hundred and forty-five",
            "zwölftausenddreihundertfünfundvierzig",
        ),
        (21_000, "twenty-one thousand", "einundzwanzigtausend"),
        (101_000, "one hundred and one thousand", "einhunderteintausend"),
        (200_005, "two hundred thousand and five", "zweihunderttausendfünf"),
        (1_000_000, "one million", "eine Million"),
        (1_000_001, "one million and one", "eine Million eins"),
        (2_300_000, "two million three hundred thousand", "zwei Millionen dreihunderttausend"),
        (31_000_016, "thirty-one million and sixteen", "einunddreißig Millionen sechzehn"),
    ],
)
def test_numbers_are_written_as_they_are_read(number, in_english, in_german):
    assert english(number) == in_english
    assert joined(german(number)) == in_german


def test_the_parts_of_a_german_number_turn_ones_and_tens_round():
    assert german(987).split(PART) == ["neun", "hundert", "sieben", "und", "achtzig"]
    assert english(987).split() == ["nine", "hundred", "and", "eighty-seven"]


def test_no_two_numbers_are_written_alike():
    for write in (english, german):
        assert len({write(n) for n in range(20_000)}) == 20_000


@pytest.mark.parametrize(
    ("number", "in_english", "in_german"),
    [
        (1, "first", "erste"),
        (2, "second", "zweite"),
        (3, "third", "dritte"),
        (5, "fifth", "fünfte"),
        (7, "seventh", "siebte"),
        (8, "eighth", "achte"),
        (9, "ninth", "neunte"),
        (12, "twelfth", "zwölfte"),
        (16, "sixteenth", "sechzehnte"),
        (19, "nineteenth", "neunzehnte"),
        (20, "twentieth", "zwanzigste"),
        (21, "twenty-first", "einundzwanzigste"),
        (23, "twenty-third", "dreiundzwanzigste"),
        (30, "thirtieth", "dreißigste"),
        (31, "thirty-first", "einunddreißigste"),
    ],
)
def test_ordinals(number, in_english, in_german):
    assert english_ordinal(number) == in_english
    assert joined(german_ordinal(number)) == in_german


@pytest.mark.parametrize(
    ("hour", "minute", "in_english", "in_german"),
    [
        (1, 0, "one o'clock", "ein Uhr"),
        (12, 0, "twelve o'clock", "zwölf Uhr"),
        (1, 5, "five past one", "fünf nach eins"),
        (3, 15, "a quarter past three", "Viertel nach drei"),
        (3, 20, "twenty past three", "zwanzig nach drei"),
        (3, 25, "twenty-five past three", "fünf vor halb vier"),
        (3, 30, "half past three", "halb vier"),
        (12, 30, "half past twelve", "halb eins"),
        (3, 35, "twenty-five to four", "fünf nach halb vier"),
        (3, 40, "twenty to four", "zwanzig vor vier"),
        (12, 45, "a quarter to one", "Viertel vor eins"),
        (11, 55, "five to twelve", "fünf vor zwölf"),
    ],
)
def test_times_of_day(hour, minute, in_english, in_german):
    assert english_time(hour, minute) == in_english
    assert joined(german_time(hour, minute)) == in_german


@pytest.mark.parametrize(
    ("year", "in_english", "in_german"),
    [
        (1987, "nineteen eighty-seven", "neunzehnhundertsiebenundachtzig"),
        (1111, "eleven eleven", "elfhundertelf"),
        (1600, "sixteen hundred", "sechzehnhundert"),
    ],
)
def test_years(year, in_english, in_german):
    assert english_year(year) == in_english
    assert joined(german_year(year)) == in_german


@pytest.mark.parametrize("compounds", [True, False])
def test_a_smaller_corpus_is_the_beginning_of_a_larger_one_without_repetition(compounds):
    some, more = (sentences(rows, 999_999, compounds=compounds) for rows in (100, 3000))
    assert list(more.source[:100]) == list(some.source)
    assert list(more.target[:100]) == list(some.target)
    assert len(set(more.source)) == len(more.source) == 3000
    assert not any(PART in text for text in more.target)


def test_every_kind_of_sentence_occurs_and_reads_as_it_should():
    found = sentences(3000, 999_999, compounds=True)
    told = dict(zip(found.source, found.target, strict=True))
    beginnings = {" ".join(text.split()[:2]) for text in found.target}
    assert {"der Zug", "der Laden", "die Stadt", "wir haben"} <= beginnings
    leaves = next(text for text in told if text.startswith("the train leaves"))
    assert told[leaves].startswith("der Zug fährt am ")
    assert told[leaves].endswith(" ab")
    assert not any(f"eins {thing}" in text for text in found.target for thing in ("Vögel", "Ein"))
    assert max(DAYS) == 31


def test_no_number_is_above_the_highest():
    assert "million" in " ".join(sentences(300, 10**7, compounds=True).source)
    assert "thousand" in " ".join(sentences(300, 9999, compounds=True).source)
    assert "ten thousand" not in " ".join(sentences(3000, 9999, compounds=True).source)


@pytest.mark.parametrize("vocabulary", ["word", "subword"])
def test_splits_share_no_sentence_and_all_is_spelled(vocabulary):
    data = load(Numbers(rows=1000, vocabulary=vocabulary))
    parts = [{tuple(row) for row in part.inputs} for part in (data.train, data.validation)]
    parts.append({tuple(row) for row in data.test.inputs})
    assert [len(part) for part in parts] == [600, 200, 200]
    assert not parts[0] & parts[1] | parts[1] & parts[2] | parts[0] & parts[2]
    assert data.dropped == 0
    known = data.preprocessing.inputs
    wanted = set(sentences(1000, 999_999, compounds=vocabulary == "subword").target)
    spelled = [known.target.decode(row) for row in data.test.targets.tolist()]
    assert np.mean([text in wanted for text in spelled]) > 0.98  # rare words may be unknown


def test_the_same_corpus_has_the_same_fingerprint():
    assert load(Numbers(rows=100)).fingerprint == load(Numbers(rows=100, split_seed=1)).fingerprint
    assert load(Numbers(rows=100)).fingerprint != load(Numbers(rows=101)).fingerprint
