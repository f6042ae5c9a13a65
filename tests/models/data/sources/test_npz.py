"""Arrays of numpy: a table of numbers, or images, whole or by split."""

import numpy as np
import pandas as pd
import pytest

from nettuner.models.data.load import load
from nettuner.models.data.preprocessing import Preprocessing
from nettuner.models.data.profiling import profile
from nettuner.models.data.sources.npz import Npz

X = np.arange(80).reshape(20, 4) / 3
Y = np.arange(20) % 2


@pytest.fixture
def write(tmp_path):
    def write(**arrays):
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)
        return str(path)

    return write


def test_two_axes_are_a_table(write):
    data = load(Npz(path=write(x=X, y=Y)))
    assert data.preprocessing.columns == ("x0", "x1", "x2", "x3")
    assert (data.task, data.classes) == ("classification", (0, 1))
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 4, 4)
    np.testing.assert_allclose(data.train.inputs.mean(0), 0, atol=1e-6)
    found = profile(Npz(path=write(x=X, y=Y)), data)
    assert [column.kind for column in found.columns] == ["number"] * 4
    assert found.target.classes == {"0": 10, "1": 10}


def test_the_arrays_go_by_name_and_targets_may_be_numbers(write):
    path = write(features=X, price=(Y + 0.5)[:, None], more=X)
    data = load(Npz(path=path, inputs="features", targets="price"))
    assert data.task == "regression"
    assert data.preprocessing.columns[0] == "features0"


def test_arrays_of_splits_are_the_splits(write):
    path = write(x_train=X, y_train=Y, x_val=X[:3], y_val=Y[:3], x_test=X[:2] + 100, y_test=Y[:2])
    data = load(Npz(path=path))
    assert (len(data.train), len(data.validation), len(data.test)) == (20, 3, 2)
    assert data.preprocessing.inputs.columns[0].mean == pytest.approx(X[:, 0].mean())
    assert data.raw_test.rows["x0"].tolist() == pytest.approx([100, 100 + 4 / 3])
    two = load(Npz(path=write(x_train=X, y_train=Y, x_test=X[:2], y_test=Y[:2])))
    assert (len(two.train), len(two.validation), len(two.test)) == (16, 4, 2)


@pytest.mark.parametrize(
    ("shape", "inputs"),
    [
        ((20, 4, 6), (1, 4, 6)),
        ((20, 4, 6, 1), (1, 4, 6)),
        ((20, 1, 4, 6), (1, 4, 6)),
        ((20, 4, 6, 3), (3, 4, 6)),
        ((20, 3, 4, 6), (3, 4, 6)),
    ],
)
def test_three_and_four_axes_are_images(write, shape, inputs):
    pixels = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    data = load(Npz(path=write(x=pixels, y=Y)))
    assert data.shape == inputs
    assert data.train.inputs.max() <= 1
    served = Preprocessing.from_json(data.preprocessing.to_json())
    np.testing.assert_array_equal(served.transform(data.raw_test.rows), data.test.inputs)
    np.testing.assert_array_equal(served.transform(pixels[:0]).shape, (0, *inputs))
    np.testing.assert_array_equal(
        np.sort(served.transform(pixels).ravel()), np.sort(pixels.ravel() / np.float32(255))
    )


def test_images_of_floats_are_scaled_by_the_largest_of_the_training_ones(write):
    data = load(Npz(path=write(x=np.arange(80.0).reshape(20, 2, 2), y=Y.astype(str))))
    assert data.train.inputs.max() == 1
    assert data.classes == ("0", "1")


@pytest.mark.parametrize(
    ("arrays", "rule"),
    [
        ({"X": X, "y": Y}, "has no array 'x'; it has: 'X', 'y'"),
        ({"x": X}, "has no array 'y'; "),
        ({"x_train": X, "y_train": Y, "x_test": X}, "has no array 'y_test'; did you mean"),
        ({"x_test": X, "y_test": Y}, "has no array 'x'; "),
        ({"x": X, "y": Y[:5]}, "as many targets as inputs, all of one shape, got inputs [20, 4]"),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:, :3], "y_test": Y},
            "all of one shape, got inputs [20, 3] and targets [20] to test, and inputs [20, 4]",
        ),
        ({"x": X, "y": np.eye(20)}, "must have one target for each row, got shape [20, 20]"),
        ({"x": X.astype(str), "y": Y}, "must have inputs of numbers [rows, ...], got <U"),
        ({"x": X[:, 0], "y": Y}, "of numbers [rows, ...], got float64 of shape [20]"),
        ({"x": np.zeros((20, 2, 2, 2, 2)), "y": Y}, "images [rows, height, width] or with 1, 3 or"),
        ({"x": np.zeros((20, 5, 5, 7)), "y": Y}, "got shape [20, 5, 5, 7]; read them with a"),
        ({"x": np.zeros((20, 5, 5)), "y": Y / 3}, "images must have labels, got numbers to"),
        ({"x": np.array([{}, []], dtype=object), "y": Y}, "of plain arrays, got: Object"),
    ],
)  # fmt: skip
def test_arrays_that_cannot_be_learned_from_are_told_so(write, refused, arrays, rule):
    line = refused(Npz(path=write(**arrays)))
    assert rule in line, line


def test_a_file_that_is_none_is_told_so(write, refused, tmp_path):
    path = write(x=X, y=Y)
    (tmp_path / "data.npz").write_bytes((tmp_path / "data.npz").read_bytes()[:-50])
    assert "must be an .npz file of plain arrays, got: File is not a zip file" in refused(
        Npz(path=path)
    )


def test_served_tables_take_columns_in_any_order(write):
    data = load(Npz(path=write(x=X, y=Y)))
    rows = pd.DataFrame({"x3": [1.0], "x1": [2.0], "x0": [3.0], "x2": [4.0]})
    assert data.preprocessing.transform(rows).shape == (1, 4)
