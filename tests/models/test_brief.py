"""Messages of bounded length."""

import pytest

from nettuner.models.brief import brief


def test_a_quoted_value_has_at_most_a_hundred_characters():
    secret = "begin" + "x" * 5000 + "end"
    shown = brief(f"a table needs a target, got only {secret!r} in data.csv; give its separator")
    assert shown.startswith("a table needs a target, got only 'beginxxx")
    assert shown.endswith("xxxend' in data.csv; give its separator")
    assert "..." in shown
    assert (
        len(shown)
        == len("a table needs a target, got only '' in data.csv; give its separator") + 100
    )


@pytest.mark.parametrize("mark", ["'", '"'])
def test_quotes_and_spaces_in_a_value_end_it_no_sooner(mark):
    value = f"it is \\{mark} " * 100
    shown = brief(f"got {mark}{value}{mark}; drop it")
    assert len(shown) < 100 + len("got ''; drop it") + 2
    assert shown.endswith("; drop it")


def test_apostrophes_are_no_quotes():
    text = "the study's path, which is relative to the folder of its file, and " * 2
    text += "the users' folder is another one; correct it"
    assert brief(text) == text


def test_a_word_without_end_is_cut_and_lines_stay_lines():
    shown = brief("unknown key, got " + "k" * 5000 + ": 1\nsecond")
    first, second = shown.splitlines()
    assert len(first) == len("unknown key, got ") + 300 + len(" 1")
    assert second == "second"


def test_a_line_of_many_words_ends_after_two_thousand_characters():
    assert len(brief("word " * 10_000)) <= 2000
