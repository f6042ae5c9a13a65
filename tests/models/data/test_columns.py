"""A column is an input only under one name of its own, and where it is not left out."""

from __future__ import annotations

import io
import sqlite3

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nettuner.models.data.load import load
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.sources.parquet import Parquet
from nettuner.models.production.incoming import read_incoming


@pytest.fixture
def write(tmp_path):
    def write(header, row, count=20, name="data.csv"):
        path = tmp_path / name
        lines = [row(i) for i in range(count)]
        path.write_text("\n".join([header, *(",".join(map(str, line)) for line in lines)]) + "\n")
        return str(path)

    return write


def test_a_name_that_occurs_twice_is_refused_with_its_places(write, refused):
    """The last y would be the target, and the first one, its twin, an input."""
    path = write("a,y,y", lambda i: (i * i % 7, i % 2, i % 2))
    assert refused(Csv(path=path)) == (
        "columns must have distinct names, got 'y' twice (columns 2 and 3); rename one, "
        'or leave out what is not needed with drop: ["y"]'
    )


def test_names_that_differ_in_spaces_alone_are_refused(write, refused):
    path = write("y ,a,y", lambda i: (i % 2, i * i % 7, i % 2))
    assert "got 'y ' and 'y' (columns 1 and 3)" in refused(Csv(path=path))


def test_of_names_that_occur_twice_both_may_be_left_out(write):
    path = write("a,b,b,y", lambda i: (i, i, i, i % 2))
    assert load(Csv(path=path, drop=("b",))).preprocessing.columns == ("a",)


def test_a_name_with_a_number_behind_is_a_name(write):
    path = write("y,y.1,a", lambda i: (i % 2, i % 3, i % 2))
    assert load(Csv(path=path)).preprocessing.columns == ("y", "y.1")


def test_a_twin_that_pandas_renamed_before_it_wrote_the_file_is_refused(write, refused):
    path = write("a,y,y.1", lambda i: (i, i % 2, i % 2))
    for target, twin in (("y", "y.1"), ("y.1", "y")):
        message = refused(Csv(path=path, target=target))
        assert f"got the values of {target!r} again in {twin!r}" in message
        assert f'leave it out with drop: ["{twin}"]' in message
    assert load(Csv(path=path, target="y", drop=("y.1",))).preprocessing.columns == ("a",)


def test_two_columns_of_one_name_in_a_parquet_file_are_refused(tmp_path, refused):
    table = pa.table([[1, 2], [3, 4], [5, 6]], names=["a", "y", "y"])
    pq.write_table(table, tmp_path / "data.parquet")
    assert "got 'y' twice (columns 2 and 3)" in refused(
        Parquet(path=str(tmp_path / "data.parquet"))
    )


@pytest.mark.parametrize("header", [",a,y", "Unnamed: 0,a,y", '"",a,y', " ,a,y"])
def test_row_numbers_without_a_name_are_no_input(write, header, refused):
    path = write(header, lambda i: (i, i * i % 7, i % 2))
    assert refused(Csv(path=path)) == (
        "every column must have a name, got none for column 'Unnamed: 0' (0, 1, 2 and 17 more), "
        'such as pandas writes the numbers of rows; leave it out with drop: ["Unnamed: 0"], '
        "or name it"
    )
    assert load(Csv(path=path, drop=("Unnamed: 0",))).preprocessing.columns == ("a",)


def test_an_index_that_became_a_column_of_a_parquet_file_is_no_input(tmp_path, refused):
    path = str(tmp_path / "data.parquet")
    numbers = list(range(20))
    table = {"a": numbers[::-1], "__index_level_0__": numbers, "y": [i % 2 for i in numbers]}
    pq.write_table(pa.table(table), path)
    assert 'leave it out with drop: ["__index_level_0__"]' in refused(Parquet(path=path))
    assert load(Parquet(path=path, drop=("__index_level_0__",))).preprocessing.columns == ("a",)


def test_an_index_in_a_parquet_file_that_pandas_wrote_is_no_column(tmp_path):
    table = pd.DataFrame({"a": range(20), "y": [0, 1] * 10}, index=range(5, 25))
    table.to_parquet(tmp_path / "data.parquet")
    data = load(Parquet(path=str(tmp_path / "data.parquet")))
    assert data.preprocessing.columns == ("a",)


def test_a_separator_at_the_end_of_the_header_too_is_no_column(write):
    path = write("a,y,", lambda i: (i, i % 2, ""))
    assert load(Csv(path=path, target="y")).preprocessing.columns == ("a",)


def test_columns_are_left_out_by_name(write):
    path = write("id,a,b,y", lambda i: (f"row {i}", i, i % 3, i % 2))
    data = load(Csv(path=path, drop=("id", "b")))
    assert data.preprocessing.columns == ("a",)
    bare = write("a,y", lambda i: (i, i % 2), name="bare.csv")
    assert data.fingerprint == load(Csv(path=bare)).fingerprint


def test_a_target_by_position_is_counted_among_the_columns_that_are_left(write):
    path = write("a,y,note", lambda i: (i, i % 2, "x"))
    source = Csv(path=path, drop=("note",))
    assert load(source).preprocessing.columns == ("a",)
    assert source.target_column() == "y"


def test_what_is_left_out_must_be_there(write, refused):
    path = write("a,note,y", lambda i: (i, "x", i % 2))
    assert refused(Csv(path=path, drop=("notes",))) == (
        "drop must name columns, got 'notes'; did you mean 'note'? the table has: 'a', 'note', 'y'"
    )


@pytest.mark.parametrize("last", ["y", "470"])
def test_a_header_of_numbers_is_one_where_that_is_said(write, last, refused):
    """Wavelengths: with header: true they are names; unsaid, they may be data."""
    path = write(f"400,410,420,{last}", lambda i: (i, i * i, -i, i % 2))
    message = refused(Csv(path=path))
    assert "set header to false if it is data, or to true if these are names" in message
    data = load(Csv(path=path, header=True))
    with pytest.raises(ValueError, match="or to true if these are names"):
        load(Csv(path=path))  # what was read with other options does not count
    assert data.preprocessing.columns == ("400", "410", "420")
    assert sum(map(len, (data.train, data.validation, data.test))) == 20


def test_production_data_leave_out_what_the_study_does(write, tmp_path):
    like = Csv(path="train.csv", target="y", drop=("id", "gone"))
    path = write(",id,a,y", lambda i: (i, i, i * i, i % 2))
    assert list(read_incoming(path, like).table.columns) == ["Unnamed: 0", "a", "y"]
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("create table sales (id, a, y)")
        connection.execute("insert into sales values (1, 2, 'p')")
    address = f"sqlite:///{tmp_path / 'shop.db'}"
    table = read_incoming("select * from sales", like, database=address).table
    assert list(table.columns) == ["a", "y"]


def test_production_data_with_a_name_twice_are_refused(write, tmp_path):
    like = Csv(path="train.csv", target="y")
    path = write("a,y,y", lambda i: (i, i % 2, i % 2))
    with pytest.raises(ValueError, match="got 'y' twice"):
        read_incoming(path, like)
    sqlite3.connect(tmp_path / "shop.db").close()
    address = f"sqlite:///{tmp_path / 'shop.db'}"
    with pytest.raises(ValueError, match="got 'y' twice"):
        read_incoming("select 1 as a, 2 as y, 3 as y", like, database=address)


def test_a_header_may_be_quoted_run_over_lines_and_follow_empty_ones(tmp_path):
    content = io.StringIO()
    content.write('\n"a\nb","c,d",y\n')
    content.writelines(f"{i},{i % 3},{i % 2}\n" for i in range(20))
    (tmp_path / "data.csv").write_text(content.getvalue())
    data = load(Csv(path=str(tmp_path / "data.csv")))
    assert data.preprocessing.columns == ("a\nb", "c,d")
