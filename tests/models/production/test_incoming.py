"""What production brings in: files, patterns, queries; and the rows that are set aside."""

from __future__ import annotations

import os
import sqlite3

import numpy as np
import pandas as pd
import pytest

from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.sources.parquet import Parquet
from nettuner.models.production.incoming import NoDataError, read_incoming
from nettuner.models.production.set_aside import set_aside

LIKE = Csv(path="train.csv", target="y")


def write(folder, name, rows, at):
    path = folder / name
    path.write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in rows))
    os.utime(path, (at, at))


def test_of_a_pattern_the_newest_files_count(tmp_path):
    write(tmp_path, "b.csv", [(1, "p")], at=100)
    write(tmp_path, "a.csv", [(2, "q")], at=200)
    write(tmp_path, "c.txt", [(3, "r")], at=300)
    pattern = str(tmp_path / "*.csv")
    assert read_incoming(pattern, LIKE).table["x"].tolist() == [2]
    assert read_incoming(pattern, LIKE, newest=5).table["x"].tolist() == [1, 2]


def test_no_file_and_no_rows_are_said(tmp_path):
    with pytest.raises(NoDataError, match="no file"):
        read_incoming(str(tmp_path / "*.csv"), LIKE)
    write(tmp_path, "a.csv", [], at=1)
    with pytest.raises(NoDataError, match="no rows"):
        read_incoming(str(tmp_path / "*.csv"), LIKE)


def test_a_file_is_read_as_the_studys_own(tmp_path):
    (tmp_path / "a.data").write_text("1;p\n2;?\n")
    like = Csv(path="train.data", target=-1, header=False, separator=";")
    incoming = read_incoming(str(tmp_path / "a.data"), like)
    assert incoming.target == "1"
    assert len(incoming.table) == 2
    assert incoming.labelled["0"].tolist() == [1]


def test_a_query_is_a_feed(tmp_path):
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table sales (x, y, day)")
        connection.executemany("insert into sales values (?, ?, ?)", [(1, "p", 1), (2, None, 2)])
    address = f"sqlite:///{path}"
    incoming = read_incoming("select x, y from sales order by day", LIKE, database=address)
    assert incoming.inputs["x"].tolist() == [1, 2]
    assert incoming.examples().truth == ("p",)
    with pytest.raises(
        ValueError, match=r"the query must run on the database, got .*no such table"
    ):
        read_incoming("select x from rents", LIKE, database=address)


def test_rows_without_the_target_are_no_labelled_ones(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x\n1\n2\n")
    incoming = read_incoming(str(path), LIKE)
    assert len(incoming.inputs) == 2
    assert len(incoming.examples()) == 0


def test_a_target_by_position_is_that_of_the_studys_own_file(tmp_path):
    write(tmp_path, "train.csv", [(1, "p")], at=1)
    like = Csv(path=str(tmp_path / "train.csv"), target=-1)
    (tmp_path / "new.csv").write_text("x\n1\n")
    incoming = read_incoming(str(tmp_path / "new.csv"), like)
    assert incoming.target == "y"
    assert incoming.inputs["x"].tolist() == [1]


def test_files_that_are_read_together_have_the_same_columns(tmp_path):
    write(tmp_path, "a.csv", [(1, "p")], at=1)
    (tmp_path / "b.csv").write_text("z,y\n1,p\n")
    with pytest.raises(ValueError, match="must have the same columns, got 'x', 'z' only in"):
        read_incoming(str(tmp_path / "*.csv"), LIKE, newest=2)


def test_a_study_on_parquet_reads_a_csv_whose_names_are_numbers(tmp_path):
    (tmp_path / "new.csv").write_text("400,410,420,y\n1,2,3,p\n")
    incoming = read_incoming(str(tmp_path / "new.csv"), Parquet(path="a.parquet", target="y"))
    assert list(incoming.inputs.columns) == ["400", "410", "420"]


def test_a_study_on_images_has_no_feed(tmp_path):
    with pytest.raises(ValueError, match=r"read as tables .* got a study on 'digits'"):
        read_incoming("a.csv", Builtin(name="digits"))


ROWS = pd.DataFrame({"x": range(2000), "y": np.arange(2000) % 3})


def test_a_share_of_the_rows_is_set_aside():
    """A quarter of 2000 distinct rows: 500 with a standard deviation of 19; five of them apart."""
    divided = set_aside(ROWS, 0.25)
    assert abs(len(divided.aside) - 500) < 97
    assert sorted([*divided.open["x"], *divided.aside["x"]]) == list(range(2000))


def test_a_row_is_set_aside_by_its_content_wherever_it_stands():
    aside = set(set_aside(ROWS, 0.25).aside["x"])
    shuffled = ROWS.sample(frac=0.5, random_state=0)[["y", "x"]]
    assert set(set_aside(shuffled, 0.25).aside["x"]) == aside & set(shuffled["x"])


def test_a_row_is_the_same_in_files_of_other_types():
    aside = set_aside(ROWS, 0.25).aside["x"].tolist()
    for kind in ("float64", "Int64", "string", object):
        found = set_aside(ROWS.astype({"x": kind}), 0.25).aside["x"]
        assert found.astype(float).astype(int).tolist() == aside, kind


def test_equal_rows_go_to_the_same_side():
    twice = pd.concat([ROWS, ROWS])
    assert len(set_aside(twice, 0.25).aside) == 2 * len(set_aside(ROWS, 0.25).aside)
