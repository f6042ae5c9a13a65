"""Files that people have: in other encodings, with other separators, marks and gaps."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from nettuner.models.data.load import load
from nettuner.models.data.preprocessing import Preprocessing
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.sources.parquet import Parquet


@pytest.fixture
def write(tmp_path):
    def write(rows, header="x,y", name="data.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(("\n".join([header, *rows]) + "\n").encode(encoding))
        return str(path)

    return write


PLAIN = [f"{i}.25,{'ny'[i % 2]}" for i in range(20)]
WITH_COMMA = [f"{i},25;{'ny'[i % 2]}" for i in range(20)]
WITH_TABS = [row.replace(";", "\t") for row in WITH_COMMA]


@pytest.mark.parametrize(
    ("rows", "header", "keys", "found"),
    [
        (PLAIN, "x,y", {}, {}),
        (WITH_COMMA, "x;y", {}, {"separator": ";", "decimal": ","}),
        (WITH_TABS, "x\ty", {}, {"separator": "\t", "decimal": ","}),
        ([row.replace(",", "|") for row in PLAIN], "x|y", {}, {"separator": "|"}),
        (WITH_COMMA, "x;y", {"separator": ";", "decimal": ","}, {}),
    ],
)
def test_what_the_file_tells_need_not_be_said(write, rows, header, keys, found):
    plain = load(Csv(path=write(PLAIN, name="plain.csv")))
    source = Csv(path=write(rows, header), **keys)
    assert source.recognised() == found
    assert load(source).fingerprint == plain.fingerprint


@pytest.mark.parametrize(
    ("encoding", "found"), [("utf-8", {}), ("cp1252", "cp1252"), ("utf-16", "utf-16")]
)
def test_another_encoding_is_recognised(write, encoding, found):
    rows = [f"{('rot', 'grün')[i % 2]},{'ny'[i // 2 % 2]}" for i in range(20)]
    source = Csv(path=write(rows, "größe,y", encoding=encoding))
    assert source.recognised() == ({"encoding": found} if found else {})
    (column,) = load(source).preprocessing.inputs.columns
    assert (column.name, column.categories) == ("größe", ("grün", "rot"))


def test_an_encoding_that_is_given_is_used(write):
    rows = [f"{('да', 'нет')[i % 2]},{'ny'[i // 2 % 2]}" for i in range(20)]
    source = Csv(path=write(rows, encoding="koi8-r"), encoding="koi8-r")
    assert load(source).preprocessing.inputs.columns[0].categories == ("да", "нет")


def test_a_separator_that_is_given_leaves_points_before_decimals(write, refused):
    """Few different texts with commas were categories before, and stay so."""
    rows = [f"{i % 3},5;{'ny'[i % 2]}" for i in range(20)]
    data = load(Csv(path=write(rows, "x;y"), separator=";"))
    assert data.preprocessing.inputs.columns[0].categories == ("0,5", "1,5", "2,5")


@pytest.mark.parametrize(
    ("mark", "decimal", "separator"),
    [(",", ".", ";"), (".", ",", ";"), ("'", ".", ","), (" ", ".", ","), (" ", ",", ";")],
)
def test_thousands_are_read(write, mark, decimal, separator):
    numbers = [f"{i * 1234567}.5" for i in range(20)]
    plain = load(Csv(path=write([f"{n},{'ny'[i % 2]}" for i, n in enumerate(numbers)])))
    swap = str.maketrans({",": mark, ".": decimal})
    rows = [f"{float(n):,.1f}".translate(swap) for n in numbers]
    rows = [f"{row}{separator}{'ny'[i % 2]}" for i, row in enumerate(rows)]
    path = write(rows, f"x{separator}y", "grouped.csv")
    source = Csv(path=path, thousands=mark, separator=separator, decimal=decimal)
    assert load(source).fingerprint == plain.fingerprint


def test_points_between_thousands_leave_commas_for_decimals(write):
    rows = [f"{i + 1}.234,5;{'ny'[i % 2]}" for i in range(20)]
    data = load(Csv(path=write(rows, "x;y"), thousands="."))
    assert set(data.raw_train.rows["x"] % 1000) == {234.5}


def test_dates_are_not_taken_for_numbers_with_thousands(write, refused):
    rows = [f"{i + 1:02}.12.2020;{'ny'[i % 2]}" for i in range(20)]
    line = refused(Csv(path=write(rows, "on;y"), thousands="."))
    assert line.startswith(
        "numbers must have '.' between groups of three digits, got '01.12.2020' in 'on' in row 1;"
    )


@pytest.mark.parametrize(
    ("example", "way"),
    [
        ("{}1,234", '(or set thousands: ",")'),
        ("{}1.234,5", '(or set thousands: ".")'),
        ("{}1'234", '(or set thousands: "\'")'),
        ("{}1,25", '(or set decimal: ",")'),
        ("${}1,234", None),
    ],
)
def test_a_number_in_another_form_is_refused_with_the_key_that_reads_it(
    write, refused, example, way
):
    rows = [f'"{example.format(i)}",{"ny"[i % 2]}' for i in range(1, 21)]
    line = refused(Csv(path=write(rows)))
    assert (way in line) if way else ("(or set" not in line)


def test_more_texts_may_stand_for_gaps_also_for_a_served_model(write):
    rows = [f"{'-' if i % 5 == 0 else i},{'unknown' if i == 7 else 'ny'[i % 2]}" for i in range(20)]
    data = load(Csv(path=write(rows), missing=["-", "unknown"]))
    assert data.dropped == 1
    assert data.classes == ("n", "y")
    assert data.shape == (2,)  # the number, and its gaps
    served = Preprocessing.from_json(data.preprocessing.to_json())
    assert served == data.preprocessing
    inputs = served.transform(pd.DataFrame({"x": ["-", "?", None, "12"]}))
    assert inputs[:, 1].tolist() == [1, 1, 1, 0]


def test_a_number_may_stand_for_a_gap(write, tmp_path):
    rows = [f"{-999 if i % 5 == 0 else i},{'ny'[i % 2]}" for i in range(20)]
    csv = load(Csv(path=write(rows), missing=["-999"]))
    pd.read_csv(write(rows)).to_parquet(tmp_path / "data.parquet")
    parquet = load(Parquet(path=str(tmp_path / "data.parquet"), missing=["-999"]))
    assert csv.preprocessing == parquet.preprocessing
    assert csv.preprocessing.inputs.columns[0].mean > 0
    inputs = csv.preprocessing.transform(pd.DataFrame({"x": [-999, 12]}))
    assert inputs[:, 1].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({"encoding": "utf9"}, "must be an encoding that Python knows, got 'utf9'; such as utf-8"),
        ({"encoding": "base64"}, "must be an encoding that Python knows"),
        ({"thousands": ",", "decimal": ","}, "thousands: must be another mark than decimal, got"),
    ],
)
def test_marks_that_make_no_sense_are_refused(keys, rule):
    with pytest.raises(ValidationError, match=rule):
        Csv(path="x", **keys)


def test_bytes_that_an_encoding_does_not_have_are_refused_in_one_line(write, refused):
    line = refused(Csv(path=write(["grün,y"] * 5, encoding="cp1252"), encoding="utf-8"))
    assert "is no CSV table: 'utf-8' codec can't decode byte 0xfc" in line


def test_files_of_production_are_recognised_one_by_one(write, tmp_path):
    from nettuner.models.production.incoming import read_incoming

    source = Csv(path=write(PLAIN))
    other = write(WITH_COMMA, "x;y", name="fresh.csv")
    np.testing.assert_array_equal(read_incoming(other, source).table["x"] % 1, [0.25] * 20)
