import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from nettuner.models.data.load import load
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.sources.parquet import Parquet

REAL = Path(__file__).parents[4] / "shared" / "data" / "uci_csv"


def lines(count=20):
    """x counts, colour alternates in threes, y is yes for the second half."""
    return [
        f"{i},{('red', 'blue', 'green')[i % 3]},{'no' if i < 10 else 'yes'}" for i in range(count)
    ]


@pytest.fixture
def write(tmp_path):
    def write(rows, header="x,colour,y", name="data.csv"):
        path = tmp_path / name
        path.write_text("\n".join([header, *rows] if header else rows) + "\n")
        return str(path)

    return write


def test_a_csv_with_a_header_is_a_classification_of_its_last_column(write):
    data = load(Csv(path=write(lines())))
    assert data.task == "classification"
    assert data.classes == ("no", "yes")
    assert data.shape == (4,)  # x, and one each for blue, green, red
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 4, 4)
    assert data.train.inputs.dtype == np.float32
    assert data.train.targets.dtype == np.int64
    assert list(data.example.columns) == ["x", "colour"]
    assert len(data.example) == 5


def test_without_a_header_columns_are_numbered(write):
    data = load(Csv(path=write(lines(), header=None), header=False))
    assert data.preprocessing.columns == ("0", "1")
    assert len(data.train) + len(data.validation) + len(data.test) == 20
    served = pd.DataFrame([[3, "red"]])  # pandas numbers its columns with integers
    assert data.preprocessing.transform(served).shape == (1, 4)


def test_data_taken_for_a_header_is_an_error(write):
    path = write([f"{i},0.{i},1" for i in range(20)], header=None)
    with pytest.raises(ValueError, match=r"must hold column names.*set header to false"):
        load(Csv(path=path))


def test_columns_that_are_counted_in_the_header_are_names(write):
    assert load(Csv(path=write(lines(), header="0,1,2"))).preprocessing.columns == ("0", "1")


def test_a_separator_at_the_end_of_each_line_adds_no_column(write):
    data = load(Csv(path=write([f"{line}," for line in lines()])))
    assert data.fingerprint == load(Csv(path=write(lines()))).fingerprint


@pytest.mark.parametrize("separator", [";", "\t", "\x01", r"\s+", "::"])
def test_other_separators_are_read_alike(write, separator):
    plain = load(Csv(path=write(lines())))
    between = " " if separator == r"\s+" else separator
    rows = [line.replace(",", between) for line in ["x,colour,y", *lines()]]
    other = load(Csv(path=write(rows, header=None, name="other.csv"), separator=separator))
    assert other.fingerprint == plain.fingerprint
    np.testing.assert_array_equal(other.train.inputs, plain.train.inputs)


def test_a_comma_may_stand_before_the_decimals(write):
    plain = load(Csv(path=write([f"{i}.25,{i % 2}" for i in range(20)], header="x,y")))
    rows = [f"{i},25;{i % 2}" for i in range(20)]
    path = write(rows, header="x;y", name="other.csv")
    assert load(Csv(path=path, separator=";", decimal=",")).fingerprint == plain.fingerprint


def test_a_decimal_comma_may_stand_in_quotes_between_commas(write):
    rows = [f'"{i},25",{i % 2}' for i in range(20)]
    data = load(Csv(path=write(rows, header="x,y"), decimal=","))
    assert data.example["x"].dtype == np.float64
    assert set(data.example["x"] % 1) == {0.25}


def test_thousands_are_not_taken_for_decimals(write):
    rows = [f"{i + 1}.234;{i % 2}" for i in range(20)]
    path = write(rows, header="x;y")
    with pytest.raises(ValueError, match=r"no point where decimals follow a comma, got '1\.234'"):
        load(Csv(path=path, separator=";", decimal=","))


def test_a_wrong_separator_is_an_error(write):
    with pytest.raises(ValueError, match=r"got only 'x,colour,y' in .*; give its separator"):
        load(Csv(path=write(lines()), separator=";"))


def test_gzip_is_known_by_its_content(write, tmp_path):
    plain = write(lines())
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(Path(plain).read_bytes()))
    assert load(Csv(path=str(packed))).fingerprint == load(Csv(path=plain)).fingerprint


def test_parquet_equals_csv(write, tmp_path):
    rows = [f"{line},{i % 2 == 0},2020-01-{i + 1:02}" for i, line in enumerate(lines())]
    rows[3] = "?,,no,,"
    path = write(rows, header="x,colour,y,even,on")
    table = pd.read_csv(path, na_values=["?"], parse_dates=["on"])
    table.to_parquet(tmp_path / "data.parquet")
    csv = load(Csv(path=path, target="y"))
    parquet = load(Parquet(path=str(tmp_path / "data.parquet"), target="y"))
    assert csv.preprocessing == parquet.preprocessing
    for one, other in ((csv.train, parquet.train), (csv.test, parquet.test)):
        np.testing.assert_array_equal(one.inputs, other.inputs)
        np.testing.assert_array_equal(one.targets, other.targets)


@pytest.mark.parametrize("target", ["y", 2, -1])
def test_the_target_goes_by_name_or_position(write, target):
    assert load(Csv(path=write(lines()), target=target)).classes == ("no", "yes")


def test_an_unknown_target_lists_the_columns_and_the_closest(write):
    path = write(lines())
    with pytest.raises(ValueError, match=r"did you mean 'colour'\? the table has: 'x', 'colour'"):
        load(Csv(path=path, target="color"))
    with pytest.raises(ValueError, match="one of 3 columns, got position 3"):
        load(Csv(path=path, target=3))


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (lambda i: i % 20, "classification"),  # 20 distinct integers, 3 rows each
        (lambda i: i % 21, "regression"),
        (lambda i: i % 2 + 0.0, "regression"),
        (lambda i: i % 2 == 0, "classification"),
        (lambda i: "ab"[i % 2], "classification"),
    ],
)
def test_the_task_is_guessed_from_the_target(write, target, task):
    data = load(Csv(path=write([f"{i},{target(i)}" for i in range(60)], header="x,y")))
    assert data.task == task


@pytest.mark.parametrize(("task", "outputs"), [("classification", 2), ("regression", 1)])
def test_the_task_that_is_given_wins(write, task, outputs):
    path = write([f"{i},{i % 2}" for i in range(20)], header="x,y")
    data = load(Csv(path=path, task=task))
    assert (data.task, data.outputs) == (task, outputs)


@pytest.mark.parametrize(
    ("values", "classes"),
    [(("1", "2"), (1, 2)), (("True", "False"), (False, True)), (("1.5", "2"), (1.5, 2.0))],
)
def test_labels_keep_their_type_beside_a_missing_one(write, values, classes):
    rows = [f"{i},{values[i % 2]}" for i in range(20)] + ["20,?", "21,"]
    data = load(Csv(path=write(rows, header="x,y"), task="classification"))
    assert data.classes == classes
    assert [type(label) for label in data.classes] == [type(label) for label in classes]
    assert data.dropped == 2
    answer = data.preprocessing.answer(np.eye(2))
    assert answer["prediction"].tolist() == list(classes)


def test_a_column_of_numbers_with_question_marks_is_still_numeric(write):
    rows = lines()
    rows[0], rows[5] = "?,red,no", "?,green,no"
    data = load(Csv(path=write(rows)))
    known = data.example["x"].dropna()
    assert known.dtype == np.float64
    assert data.shape[0] in (4, 5)  # 5 where a training row has the gap


def test_a_question_mark_in_a_parquet_column_of_texts_is_a_gap(tmp_path):
    table = pd.DataFrame({"x": ["1", "2", "?", "4"] * 5, "y": ["a", "b"] * 10})
    table.to_parquet(tmp_path / "data.parquet")
    data = load(Parquet(path=str(tmp_path / "data.parquet")))
    assert data.shape == (2,)  # the number and its gaps


@pytest.mark.parametrize("place", ["validation", "test"])
def test_no_statistic_comes_from_validation_or_test_rows(write, place):
    before = load(Csv(path=write([f"{i},c{i % 3},{i % 2}" for i in range(40)])))
    seen = getattr(before, place).inputs[0]
    columns = before.preprocessing.inputs.columns
    row = round(float(seen[0]) * columns[0].std + columns[0].mean)
    changed = [f"{i},c{i % 3},{i % 2}" for i in range(40)]
    changed[row] = f"1000000,strange,{row % 2}"
    after = load(Csv(path=write(changed, name="changed.csv")))
    assert after.preprocessing == before.preprocessing
    np.testing.assert_array_equal(after.train.inputs, before.train.inputs)
    assert getattr(after, place).inputs.max() > 1000
    assert after.fingerprint != before.fingerprint


def test_the_target_of_a_regression_is_scaled_by_training_rows_alone(write):
    data = load(Csv(path=write([f"{i},{i * i}.5" for i in range(50)], header="x,y")))
    assert data.train.targets.mean() == pytest.approx(0, abs=1e-6)
    assert data.train.targets.std() == pytest.approx(1, abs=1e-6)
    everything = np.concatenate([data.train.targets, data.validation.targets, data.test.targets])
    numbers = data.preprocessing.answer(everything[:, None])["prediction"]
    np.testing.assert_allclose(np.sort(numbers), np.arange(50) ** 2 + 0.5, rtol=1e-5, atol=1e-3)


def test_the_example_gives_what_the_network_was_trained_on(write):
    data = load(Csv(path=write(lines())))
    trained = {tuple(row) for row in data.train.inputs.tolist()}
    assert all(tuple(row) in trained for row in data.preprocessing.transform(data.example).tolist())


def test_the_fingerprint_follows_the_content_not_the_file_or_the_run(write):
    first = load(Csv(path=write(lines()))).fingerprint
    assert len(first) == 16
    assert load(Csv(path=write(lines(), name="copy.csv"))).fingerprint == first
    assert load(Csv(path=write(lines(21), name="longer.csv"))).fingerprint != first
    assert load(Csv(path=write(lines()), target="colour")).fingerprint != first


def test_a_file_that_changed_is_read_again(write):
    source = Csv(path=write(lines()))
    before = load(source)
    write(lines(40))
    assert len(load(source).train) == 2 * len(before.train)


@pytest.mark.parametrize(
    ("rows", "task", "rule"),
    [
        ([], None, "a target must be known in some rows, got none in 0 rows"),
        (["1,?", "2,", "3,NA"], None, "a target must be known in some rows, got none in 3 rows"),
        (["1,a", "2,b", "3,a"], "regression", "column 'y' must hold numbers, got 'a'"),
        (["1,2.5"] * 20, None, "a regression target must vary, got 2.5"),
        (["1,a"] * 20, None, "at least two classes, got only 'a'"),
        (["1,a"] * 9 + ["2,b"] * 2, None, "at least 3 rows.*in 'y' 'b' has fewer"),
        (["1,0.5", "2,0.7"], None, "every split needs a row"),
        (["1,0.5,3"] * 20, None, "is no CSV table"),
        (["1,0.5", "1,0.5,3"] * 20, None, "is no CSV table"),
        (["1,inf"] * 9, "regression", "must be known in some rows, got none in 9 rows"),
        (
            [f"{i},{i}e200" for i in range(1, 40)],
            None,
            r"target must lie within 1e\+18 standard .* from 1e\+200 to 3\.9e\+201; rescale",
        ),
        (
            [f"{i},{i}e-200" for i in range(1, 40)],
            None,
            r"target must lie within .* got numbers from 1e-200 to 3\.9e-199; rescale them",
        ),
        (
            [f"{i}e200,{i}.5" for i in range(1, 40)],
            None,
            r"numbers must have a standard deviation .* from \de\+20\d to .* in 'x'; rescale",
        ),
        (
            [f"{i}e-200,{i}.5" for i in range(1, 40)],
            None,
            r"numbers must have a standard deviation .* in 'x'; rescale the column",
        ),
    ],
)
def test_a_table_that_breaks_a_rule_is_told_so_in_one_line(write, rows, task, rule):
    with pytest.raises(ValueError, match=rule) as caught:
        load(Csv(path=write(rows, header="x,y"), task=task))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["validation", "test"])
def test_a_number_that_only_other_rows_make_too_large_is_an_error(write, place):
    rows = [f"{i},{i}.5" for i in range(40)]
    before = load(Csv(path=write(rows, header="x,y")))
    column = before.preprocessing.inputs.columns[0]
    chosen = round(float(getattr(before, place).inputs[0, 0]) * column.std + column.mean)
    for wrong, rule in (
        (f"1e30,{chosen}.5", r"standard deviations of the mean .* got one beyond in 'x'; correct"),
        (f"{chosen},1e30", r"a regression target must lie within .* to 1e\+30; rescale"),
    ):
        changed = [*rows[:chosen], wrong, *rows[chosen + 1 :]]
        with pytest.raises(ValueError, match=rule):
            load(Csv(path=write(changed, header="x,y", name="changed.csv")))


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    for source in (Csv(path=str(tmp_path / "empty")), Parquet(path=str(tmp_path / "empty"))):
        with pytest.raises(ValueError, match="must hold data, got an empty file"):
            load(source)


def test_a_csv_is_no_parquet(write):
    with pytest.raises(ValueError, match="is no Parquet table") as caught:
        load(Parquet(path=write(lines())))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"no file /nowhere\.csv"):
        load(Csv(path="/nowhere.csv"))


def test_a_column_of_lists_is_an_error(tmp_path):
    table = pd.DataFrame({"x": [[1, 2], [3]] * 10, "y": ["a", "b"] * 10})
    table.to_parquet(tmp_path / "data.parquet")
    with pytest.raises(ValueError, match=r"single values, got .* in 'x'"):
        load(Parquet(path=str(tmp_path / "data.parquet")))


def test_shares_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(ValidationError, match=r"validation=0\.5 and test=0\.5"):
        Csv(path="x.csv", validation=0.5, test=0.5)


@pytest.mark.parametrize(
    ("name", "rows", "task", "outputs"),
    [
        ("abalone", 4177, "regression", 1),
        ("banknote_authentication", 1372, "classification", 2),
        ("german", 1000, "classification", 2),
        ("pima-indians-diabetes", 768, "classification", 2),
        ("sonar", 208, "classification", 2),
        ("winequality-red", 1599, "classification", 6),
    ],
)
def test_tables_of_the_uci_archive_load(name, rows, task, outputs):
    path = REAL / f"{name}.csv"
    if not path.is_file():
        pytest.skip(f"real tables are absent from {REAL}")
    data = load(Csv(path=str(path), header=False))
    assert (data.task, data.outputs) == (task, outputs)
    assert len(data.train) + len(data.validation) + len(data.test) == rows
    assert all(np.isfinite(part.inputs).all() for part in (data.train, data.validation, data.test))
