"""Words that recur are categories; numbers and dates in disguise, and free texts, are not."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from nettuner.models.data.load import load
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.sources.parquet import Parquet

DAY = datetime.date(2020, 1, 1)
WORDS = ("the", "red", "old", "house", "has", "a", "green", "door", "and", "nine", "dark", "walls")


def day(i, form):
    return (DAY + datetime.timedelta(days=i)).strftime(form)


def spelled(i):
    """A word for each number: 0 is a, 25 is z, 26 is ba."""
    return (spelled(i // 26) if i >= 26 else "") + chr(ord("a") + i % 26)


def sentence(i):
    return " ".join(WORDS[(i * (k + 1) + i // 12) % 12] for k in range(8)) + f" {spelled(i)}"


@pytest.fixture
def write(tmp_path):
    def write(column, count=200, target=lambda i: i % 2):
        path = tmp_path / "data.csv"
        frame = pd.DataFrame({"x": [column(i) for i in range(count)], "z": np.arange(count) % 7})
        frame.assign(y=[target(i) for i in range(count)]).to_csv(path, index=False)
        return str(path)

    return write


NUMBERS = {
    "3,14": lambda i: f"{3 + i // 10},{14 + i}",
    "1,001": lambda i: f"1,{i + 1:03}",
    "1.001,5": lambda i: f"1.{i + 1:03},5",
    "1 001": lambda i: f"1 {i + 1:03}",
    "$5": lambda i: f"${i + 5}",
    "-$5.50": lambda i: f"-${i + 5}.50",
    "5 €": lambda i: f"{i + 5} €",
    "EUR 5": lambda i: f"EUR {i + 5}",
    "5 %": lambda i: f"{i % 95 + 5} %",
    "5.0kg": lambda i: f"{i + 5}.0kg",
    "\N{MINUS SIGN}5": lambda i: f"\N{MINUS SIGN}{i + 5}",
}
DATES = {
    "31/12/2020": lambda i: day(365 + i, "%d/%m/%Y"),
    "31.12.20": lambda i: day(365 + i, "%d.%m.%y"),
    "12/31/2020": lambda i: day(365 + i, "%m/%d/%Y"),
    "2020/12/31 08:05": lambda i: day(365 + i, "%Y/%m/%d 08:05"),
    "31 December 2020": lambda i: day(365 + i, "%d %B %Y"),
    "Dec 31, 2020": lambda i: day(365 + i, "%b %d, %Y"),
    "31-Dec-20": lambda i: day(365 + i, "%d-%b-%y"),
    "Thu, 31 Dec 2020": lambda i: day(365 + i, "%a, %d %b %Y"),
    "31. Dez 2020": lambda i: f"{i % 28 + 1 if i else 31}. Dez {2020 + i // 28}",
    "00:00:07": lambda i: f"{i % 24:02}:{i % 60:02}:07",
}


@pytest.mark.parametrize("example", NUMBERS)
def test_numbers_in_another_form_are_refused(write, example, refused):
    message = refused(Csv(path=write(NUMBERS[example])))
    rule = f"column 'x' must hold numbers as 1234.5, got {example!r} in row 1; write them so"
    assert message.startswith(rule)
    assert message.endswith('or leave it out with drop: ["x"]')
    assert ('(or set decimal: ",")' in message) == (example == "3,14")


@pytest.mark.parametrize("example", DATES)
def test_dates_in_another_form_are_refused(write, example, refused):
    message = refused(Csv(path=write(DATES[example])))
    rule = f"column 'x' must hold dates as 2020-12-31, got {example!r} in row 1; write them so"
    assert message.startswith(rule)


def test_what_is_refused_may_be_left_out_or_read_right(write):
    path = write(NUMBERS["3,14"])
    assert load(Csv(path=path, drop=("x",))).preprocessing.columns == ("z",)
    data = load(Csv(path=path, decimal=","))
    assert data.shape == (2,)  # the number and z


@pytest.mark.parametrize(
    ("column", "rest"),
    [
        (lambda i: "-" if i == 16 else f"{i}.5", "numbers, got '-' in row 17; correct it"),
        (lambda i: "-" if i == 16 else i % 12, "numbers, got '-' in row 17; correct it"),
        (lambda i: "--" if i % 50 == 9 else i % 12, "numbers, got '--' in row 10 (and in 3 more)"),
        (lambda i: "-" if i % 3 == 2 else i, "numbers, got '-' in row 3 (and in 65 more); correct"),
        (lambda i: {4: "o12", 9: "none"}.get(i, i), "numbers, got 'o12' in row 5 (and in 1 more)"),
        (lambda i: "-" if i == 16 else day(i, "%Y-%m-%d"), "dates, got '-' in row 17; correct it"),
    ],
)
def test_a_slip_among_numbers_or_dates_is_named_with_its_row(write, column, rest, refused):
    message = refused(Csv(path=write(column)))
    assert message.startswith(f"column 'x' must hold {rest}")
    assert 'or leave it empty, or leave it out with drop: ["x"]' in message


def test_rows_are_counted_as_in_the_file_where_some_have_no_target(write, refused):
    path = write(lambda i: "-" if i == 16 else f"{i}.5", target=lambda i: "" if i < 5 else i % 2)
    assert "got '-' in row 17" in refused(Csv(path=path))


@pytest.mark.parametrize(
    ("column", "count"),
    [(lambda i: f"Ann {spelled(i)}", 12), (lambda i: f"user_{i}", 200), (sentence, 40)],
)
def test_words_that_do_not_recur_are_refused(write, column, count, refused):
    message = refused(Csv(path=write(column, count)))
    rule = "a column of words must hold categories, which recur, got "
    assert message.startswith(f"{rule}{count} different texts in {count} rows of 'x', such as '")
    assert message.endswith('; leave out what is no category with drop: ["x"]')


def test_sentences_are_refused_though_some_recur(write, refused):
    path = write(lambda i: "nothing to say" if i % 3 == 0 else sentence(i), 600)
    assert "401 different texts in 600 rows of 'x'" in refused(Csv(path=path))


def test_all_columns_of_free_texts_are_named_at_once(tmp_path, refused):
    path = tmp_path / "data.csv"
    lines = [f"Ann {spelled(i)},{sentence(i)},{i % 3},{i % 2}" for i in range(40)]
    path.write_text("\n".join(["name,note,z,y", *lines]))
    message = refused(Csv(path=str(path)))
    assert "40 rows of 'name', such as 'Ann a', and the like in 'note'; leave out" in message
    assert message.endswith('drop: ["name", "note"]')
    assert load(Csv(path=str(path), drop=("name", "note"))).preprocessing.columns == ("z",)


CATEGORIES = {
    "40 countries": (lambda i: f"country {spelled(i * i % 40)}", 2000),
    "300 towns": (lambda i: spelled(i * 7 % 300), 2000),
    "600 tickets of 900": (lambda i: f"A/{spelled(i % 600)}", 900),
    "chromosomes": (lambda i: {0: "X", 23: "Y"}.get(i % 24, i % 24), 960),
    "0, 1, 2, 3+": (lambda i: "3+" if i % 4 == 3 else i % 4, 200),
    "codes of diseases": (
        lambda i: f"V{i % 97}" if i % 15 == 0 else f"{i % 500}.{i % 9}",
        9000,
    ),
    "floors": (lambda i: f"{i % 20 + 4}th" if i % 23 else ("1st", "2nd", "3rd")[i % 3], 400),
    "house numbers": (lambda i: f"{i % 30 + 1}{'abcd'[i % 4]}", 600),
    "prefixed": (lambda i: f"A{i % 60}", 1200),
    "ranges": (lambda i: f"{i % 12 * 5}-{i % 12 * 5 + 4}", 600),
    "months": (lambda i: day(31 * (i % 12), "%B"), 600),
    "months of years": (lambda i: f"{2018 + i % 2}-{i % 12 + 1:02}", 600),
    "hours": (lambda i: f"{i % 24:02}:00", 600),
    "prices of tiers": (lambda i: f"${i % 9}", 600),
    "300 descriptions": (lambda i: sentence(i % 300), 3000),
    "names in nine rows": (spelled, 9),
}


@pytest.mark.parametrize("name", CATEGORIES)
def test_categories_stay_categories_whatever_they_look_like(write, name):
    column, count = CATEGORIES[name]
    data = load(Csv(path=write(column, count)))
    assert data.preprocessing.columns == ("x", "z")
    distinct = len({str(column(i)) for i in range(count)})
    assert data.shape[0] in range(min(distinct, 50) - 4, min(distinct, 50) + 2)  # and z


def test_declared_categories_may_look_like_numbers(tmp_path):
    column = pd.Series([f"{i % 40},5" for i in range(400)], dtype="category")
    table = pd.DataFrame({"x": column, "y": [0, 1] * 200})
    table.to_parquet(tmp_path / "data.parquet")
    assert load(Parquet(path=str(tmp_path / "data.parquet"))).shape == (40,)


@pytest.mark.parametrize(
    ("target", "rest"),
    [
        (NUMBERS["3,14"], "numbers as 1234.5, got '3,14' in row 1; write them so (or set decimal"),
        (NUMBERS["$5"], "numbers as 1234.5, got '$5' in row 1; write them so, or set task to"),
        (lambda i: "-" if i == 16 else f"{i}.5", "numbers, got '-' in row 17; correct it"),
    ],
)
@pytest.mark.parametrize("task", [None, "regression"])
def test_a_target_of_numbers_written_as_texts_is_no_class(write, target, rest, task, refused):
    message = refused(Csv(path=write(lambda i: i % 5, target=target), task=task))
    assert message.startswith(f"column 'y' must hold {rest}")
    assert message.endswith("or set task to classification if these are classes")


def test_classes_may_look_like_numbers_where_that_is_said(write):
    path = write(lambda i: i % 5, target=lambda i: f"${i % 12}")
    assert load(Csv(path=path, task="classification")).outputs == 12


def test_numbers_that_a_file_holds_as_texts_are_a_regression(tmp_path):
    numbers = [str(k * k / 4) for k in range(100)]
    table = pd.DataFrame({"x": range(100), "y": numbers})
    table.to_parquet(tmp_path / "data.parquet")
    assert load(Parquet(path=str(tmp_path / "data.parquet"))).task == "regression"
    table["y"] = [str(k % 30) for k in range(100)]
    table.to_parquet(tmp_path / "data.parquet")
    assert load(Parquet(path=str(tmp_path / "data.parquet"))).task == "classification"
