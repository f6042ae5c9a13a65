import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nettuner.models.data import preprocessing
from nettuner.models.data.fit import fit_table, kind_of
from nettuner.models.data.preprocessing import Category, Number, Pixels, Preprocessing, Table

# Present values 1, 3, 5: median 3, so filled 1, 3, 3, 5: mean 3, variance (4 + 0 + 0 + 4) / 4 = 2.
SIZE = [1.0, np.nan, 3.0, 5.0]
COLOUR = ["red", "blue", None, "red"]
ROWS = pd.DataFrame({"size": SIZE, "colour": COLOUR, "same": [7] * 4, "void": [np.nan] * 4})
ROOT = 2**0.5


def fitted(rows, **kwargs):
    kinds = {name: kind_of(rows[name]) for name in rows.columns}
    return Preprocessing(fit_table(rows, kinds), **kwargs)


def test_numbers_are_filled_standardised_and_their_gaps_marked():
    inputs = fitted(ROWS[["size"]]).transform(ROWS)
    expected = [[-2 / ROOT, 0], [0, 1], [0, 0], [2 / ROOT, 0]]
    np.testing.assert_allclose(inputs, expected, rtol=1e-6)
    assert inputs.dtype == np.float32


def test_texts_become_one_feature_for_each_category_and_one_for_gaps():
    inputs = fitted(ROWS[["colour"]]).transform(ROWS)
    # blue, red, missing
    assert inputs.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_columns_that_are_constant_or_empty_are_dropped():
    assert fitted(ROWS).columns == ("size", "colour")


def test_a_table_without_a_varying_column_is_an_error():
    with pytest.raises(ValueError, match="none of 2 does in the training rows"):
        fitted(ROWS[["same", "void"]])


def test_an_unseen_category_is_all_zeros():
    table = fitted(pd.DataFrame({"colour": ["red", "blue"]}))
    assert table.transform(pd.DataFrame({"colour": ["green", None]})).tolist() == [[0, 0], [0, 0]]


def test_of_many_categories_the_rarest_share_one_feature():
    # c00 occurs 61 times, c01 60 times, ... c59 twice: the first 49 keep a feature of their own.
    rows = pd.DataFrame({"c": [f"c{i:02}" for i in range(60) for _ in range(61 - i)]})
    table = fitted(rows)
    assert table.shape == (50,)
    inputs = table.transform(pd.DataFrame({"c": ["c00", "c48", "c49", "c59", "new"]}))
    assert inputs.argmax(axis=1).tolist() == [0, 48, 49, 49, 49]
    assert inputs.sum(axis=1).tolist() == [1] * 5


@pytest.mark.parametrize("values", [[True, False], ["True", "False"], pd.array([True, False])])
def test_booleans_are_categories_however_they_are_written(values):
    table = fitted(pd.DataFrame({"b": [True, False, False]}))
    # False, True
    assert table.transform(pd.DataFrame({"b": values})).tolist() == [[0, 1], [1, 0]]


def test_numbers_may_arrive_as_text():
    table = fitted(pd.DataFrame({"x": [1.0, 3.0]}))  # mean 2, deviation 1, no gaps
    inputs = table.transform(pd.DataFrame({"x": ["1", " 3.0", "?", None]}))
    assert inputs.tolist() == [[-1], [1], [0], [0]]


def test_a_text_in_a_column_of_numbers_is_an_error():
    table = fitted(pd.DataFrame({"x": [1.0, 3.0]}))
    with pytest.raises(ValueError, match="column 'x' must hold numbers, got 'many'"):
        table.transform(pd.DataFrame({"x": ["1", "many"]}))


@pytest.mark.parametrize("write", [str, pd.Timestamp, lambda text: pd.Timestamp(text, tz="UTC")])
def test_dates_are_counted_in_days(write):
    table = fitted(pd.DataFrame({"on": ["1970-01-02", "1970-01-04"]}))
    assert table.inputs.columns == (Number("on", 2.0, 2.0, 1.0, dates=True),)
    inputs = table.transform(pd.DataFrame({"on": [write("1970-01-04"), write("1970-01-05")]}))
    assert inputs.tolist() == [[1], [2]]


def test_a_text_in_a_column_of_dates_is_an_error():
    table = fitted(pd.DataFrame({"on": ["1970-01-02", "1970-01-04"]}))
    with pytest.raises(ValueError, match="column 'on' must hold dates, got 'later'"):
        table.transform(pd.DataFrame({"on": ["1970-01-02", "later"]}))


def test_infinite_numbers_count_as_missing():
    inputs = fitted(ROWS[["size"]]).transform(pd.DataFrame({"size": [np.inf, -np.inf]}))
    assert inputs.tolist() == [[0, 1], [0, 1]]


def test_the_order_of_columns_does_not_matter_and_more_are_ignored():
    table = fitted(ROWS)
    shuffled = ROWS[["void", "colour", "size"]].assign(more=1)
    np.testing.assert_array_equal(table.transform(shuffled), table.transform(ROWS))


def test_missing_columns_are_named_with_those_expected_and_got():
    rule = "columns are missing: 'colour'; expected 'size', 'colour'; got 'size', 'same', 'void'"
    with pytest.raises(ValueError, match=rule):
        fitted(ROWS).transform(ROWS.drop(columns="colour"))


def test_an_array_is_no_table():
    with pytest.raises(ValueError, match="takes a table with the columns 'size', 'colour', got"):
        fitted(ROWS).transform(np.zeros((2, 2)))


def test_no_rows_give_no_inputs():
    assert fitted(ROWS).transform(ROWS[:0]).shape == (0, 5)


@pytest.mark.parametrize(
    "given",
    [
        fitted(ROWS, classes=(1, 2.5, "three", True)),
        fitted(ROWS, target_mean=0.1, target_std=1 / 3),
        Preprocessing(Table((Category("c", ("a", "b"), True, True), Number("d", 1, 2, 3)))),
        Preprocessing(Pixels(2, 3, 255.0), classes=(0, 1)),
    ],
)
def test_json_gives_an_equal_one_back(given):
    found = Preprocessing.from_json(given.to_json())
    assert found == given
    assert [type(label) for label in found.classes] == [type(label) for label in given.classes]


def test_after_json_the_inputs_are_equal_to_the_last_bit():
    table = fitted(ROWS)
    again = Preprocessing.from_json(table.to_json())
    np.testing.assert_array_equal(again.transform(ROWS), table.transform(ROWS))


def test_an_answer_names_the_label_and_the_probability_of_each():
    table = fitted(ROWS, classes=("no", "yes"))
    # softmax(0, ln 3) = (1/4, 3/4); large outputs must not overflow.
    answer = table.answer(np.array([[0, np.log(3)], [1000, 0]], dtype=np.float32))
    assert list(answer.columns) == ["prediction", "p_no", "p_yes"]
    assert answer["prediction"].tolist() == ["yes", "no"]
    np.testing.assert_allclose(answer["p_yes"], [0.75, 0], atol=1e-6)


def test_an_answer_of_a_regression_is_in_the_units_of_the_target():
    table = fitted(ROWS, target_mean=10.0, target_std=2.0)
    for outputs in (np.array([[0.0], [1.5]]), np.array([0.0, 1.5])):
        assert table.answer(outputs)["prediction"].tolist() == [10, 13]


def test_outputs_of_another_width_are_an_error():
    with pytest.raises(ValueError, match=r"shape \[rows, 2\], got \[1, 3\]"):
        fitted(ROWS, classes=(0, 1)).answer(np.zeros((1, 3)))


def test_the_file_works_on_its_own_beside_a_served_model(tmp_path):
    here = Path(preprocessing.__file__)
    (tmp_path / "preprocessing.py").write_text(here.read_text())
    (tmp_path / "fitted.json").write_text(fitted(ROWS).to_json())
    program = (
        "import sys; from preprocessing import Preprocessing; "
        "print(Preprocessing.from_json(open('fitted.json').read()).columns, "
        "[name for name in sys.modules if name.split('.')[0] in ('models', 'sklearn', 'torch')])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "('size', 'colour') []"
