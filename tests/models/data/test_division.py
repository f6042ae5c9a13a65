"""Tables that are divided by group, by time, or into files of their own."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from nettuner.models.data.load import load
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.sources.parquet import Parquet


@pytest.fixture
def write(tmp_path):
    def write(rows, header="x,customer,on,y", name="data.csv"):
        path = tmp_path / name
        path.write_text("\n".join([header, *rows]) + "\n")
        return str(path)

    return write


def orders(count=60):
    """Twenty customers in turn, a day each, x counts, the answer alternates every twenty rows."""
    days = pd.date_range("2020-01-01", periods=count).strftime("%Y-%m-%d")
    return [f"{i},c{i % 20},{days[i]},{'ny'[i // 20 % 2]}" for i in range(count)]


def xs(labelled):
    return labelled.rows["x"].tolist()


def test_all_rows_of_a_customer_go_to_one_split_and_the_customer_is_no_input(write):
    data = load(Csv(path=write(orders()), split_by="customer"))
    assert data.preprocessing.columns == ("x", "on")
    train, test = ({x % 20 for x in xs(part)} for part in (data.raw_train, data.raw_test))
    assert not train & test
    assert (len(data.train), len(data.validation), len(data.test)) == (36, 12, 12)


def test_the_newest_rows_are_for_the_test_and_their_day_is_an_input(write):
    data = load(Csv(path=write(reversed(orders())), split_by_time="on", drop=["customer"]))
    assert sorted(xs(data.raw_test)) == list(range(48, 60))
    assert sorted(xs(data.raw_train)) == list(range(36))
    assert data.preprocessing.columns == ("x", "on")


def test_a_column_may_order_the_rows_and_be_left_out_of_the_inputs(write):
    data = load(Csv(path=write(orders()), split_by_time="on", drop=["on", "customer"]))
    assert data.preprocessing.columns == ("x",)
    assert sorted(xs(data.raw_test)) == list(range(48, 60))


@pytest.mark.parametrize("key", ["split_by", "split_by_time"])
def test_the_fingerprint_is_that_of_the_content(write, key):
    path = write(orders())
    assert load(Csv(path=path, **{key: "on"})).fingerprint == load(Csv(path=path)).fingerprint


@pytest.mark.parametrize(
    ("column", "key", "rule"),
    [
        (
            ["a"] * 3 + [""],
            "split_by",
            "got none of 'g' in row 4 .and in 4 more.; fill it or leave",
        ),
        (["1"] * 3 + ["?"], "split_by_time", "got none of 'g' in row 4 .and in 4 more.; fill it"),
        (["a", "b"], "split_by_time", "of dates as 2020-12-31 or of numbers, got 'a' in 'g'"),
        (["a", "b"], "split_by", "every split needs a group of its own, got 2 for 3 splits"),
        (["1", "2"], "split_by_time", "every split needs a moment of its own, got 2 for 3 splits"),
    ],
)
def test_a_column_that_cannot_divide_the_rows_is_told_so(write, refused, column, key, rule):
    rows = [f"{i},{column[i % len(column)]},{'ny'[i % 2]}" for i in range(20)]
    line = refused(Csv(path=write(rows, "x,g,y"), **{key: "g"}))
    assert pd.Series([line]).str.contains(rule).all(), line


def test_a_column_that_is_not_there_or_is_the_target_cannot_divide(write, refused):
    path = write(orders())
    line = refused(Csv(path=path, split_by="custommer"))
    assert line.startswith("split_by must name a column, got 'custommer'; did you mean 'customer'?")
    line = refused(Csv(path=path, split_by_time="y"))
    assert line.startswith("split_by_time must name another column than the target, got 'y'")


def test_a_class_that_only_came_later_cannot_be_learned(write, refused):
    rows = [f"{i},{'n' if i < 50 else 'y'}" for i in range(60)]
    line = refused(Csv(path=write(rows, "x,y"), split_by_time="x"))
    assert line.startswith("every class must occur among the 36 training rows, got none of 'y';")


def test_files_of_their_own_are_the_splits_and_nothing_is_taken_from_the_training_file(write):
    source = Csv(
        path=write(orders(20) + orders(60)[20:40]),
        validation_path=write(orders(3), name="validation.csv"),
        test_path=write(orders(4), name="test.csv"),
        drop=["customer"],
    )
    data = load(source)
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 3, 4)
    assert xs(data.raw_test) == [0, 1, 2, 3]
    alone = load(Csv(path=source.path, drop=["customer"]))
    assert data.fingerprint != alone.fingerprint
    one = load(source.model_copy(update={"test_path": None}))
    assert (len(one.train), len(one.validation), len(one.test)) == (32, 3, 8)


def test_a_training_file_whose_targets_are_all_missing_is_told_so(write, refused):
    train, other = write(["1,a,1,", "2,a,1,"]), write(["1,a,1,0.5", "2,a,1,1.5"], name="b.csv")
    again = write(["3,a,1,0.5"], name="c.csv")
    source = Csv(path=train, validation_path=other, test_path=again, task="regression")
    assert "every split needs a row, got 0 to train" in refused(source)


def test_statistics_come_from_the_training_file_alone(write):
    given = Csv(
        path=write([f"{i},{i % 2}" for i in range(10)], "x,y"),
        validation_path=write(["1000,0", "2000,1"], "x,y", "validation.csv"),
        test_path=write(["0,5000"], "y,x", "test.csv"),
        task="classification",
    )
    data = load(given)
    (column,) = data.preprocessing.inputs.columns
    assert column.mean == 4.5
    np.testing.assert_allclose(data.test.inputs, (5000 - 4.5) / np.arange(10).std(), rtol=1e-6)


@pytest.mark.parametrize(
    ("header", "rows", "rule"),
    [
        (
            "x,z",
            ["1,n"],
            " must have the columns of the training rows, got none named 'y' and more: 'z'",
        ),
        ("x,y", ["1,?"], "every split needs a row, got none with a target for test; correct its"),
        (
            "x,y",
            ["1,maybe"],
            "every class must occur among the 16 training rows, got none of 'mayb",
        ),
        ("x,y,y", ["1,n,n"], "columns must have distinct names, got 'y' twice"),
    ],
)
def test_a_test_file_that_does_not_fit_is_told_so(write, refused, header, rows, rule):
    path = write([f"{i},{'ny'[i % 2]}" for i in range(20)], "x,y")
    line = refused(Csv(path=path, test_path=write(rows, header, "test.csv")))
    assert rule in line, line


def test_a_fault_in_another_file_is_named_with_its_file(write, refused):
    path = write([f"{i}.5,{'ny'[i % 2]}" for i in range(40)], "x,y")
    other = write(["1.5,n", "oops,n"], "x,y", "test.csv")
    line = refused(Csv(path=path, test_path=other))
    assert f"got 'oops' in row 2 of {other};" in line


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        (
            {"split_by": "a", "split_by_time": "b"},
            "split_by: give split_by or split_by_time, not b",
        ),
        (
            {"split_by": "a", "validation_path": "v", "test_path": "t"},
            "split_by: goes with rows to be divided, got 'a', and files for validation and test;",
        ),
        ({"test_path": "x"}, "test_path: must be a file of other rows, got 'x' twice; give each"),
        ({"validation_path": "v", "test_path": "v"}, "test_path: must be a file of other rows"),
    ],
)
@pytest.mark.parametrize("source", [Csv, Parquet])
def test_ways_to_divide_that_exclude_each_other_are_refused(source, keys, rule):
    with pytest.raises(ValidationError, match=rule):
        source(path="x", **keys)


def test_a_share_that_is_not_used_takes_nothing():
    assert Csv(path="x", validation=0.9, test=0.9, validation_path="v", test_path="t")
