"""How tests are named: the same in every worker, in short words."""

import gzip
import re

import pytest


@pytest.fixture
def named(pytestconfig):
    def named(value):
        return pytestconfig.hook.pytest_make_parametrize_id(
            config=pytestconfig, val=value, argname="argument"
        )

    return named


def test_bytes_that_have_the_time_in_them_do_not_change_a_name(named):
    noon, later = (gzip.compress(b"some rows", mtime=second) for second in (43200, 43201))
    assert noon != later
    assert named(noon) == named(later) == "value"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("sgd", "sgd"),
        ("epochs: 1.5", "epochs"),
        ("", "empty"),
        ("must be a whole number of at least 1, got 'ten'", "must-be-a-whole-number-of-at"),
        ("x" * 100, "x" * 32),
    ],
)
def test_a_text_is_named_by_its_first_words(named, text, name):
    assert named(text) == name


def test_no_name_is_long_or_odd(request):
    names = [item.name.partition("[")[2].removesuffix("]") for item in request.session.items]
    assert [n for n in names if len(n) > 120 or re.search(r"[^\w.+:/ -]", n)] == []
