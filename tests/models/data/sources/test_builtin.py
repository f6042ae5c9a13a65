import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from nettuner.models.data.images import image_dataset
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.data.tables import Tables, table_dataset


def test_digits_are_images_of_0_to_1():
    data = load(Builtin(name="digits"))
    assert data.train.inputs.shape[1:] == data.shape == (1, 8, 8)
    assert (data.train.inputs.min(), data.train.inputs.max()) == (0, 1)
    assert data.classes == tuple(range(10))
    assert data.outputs == 10
    assert data.example.shape == (5, 8, 8)
    assert data.example.max() > 1
    assert data.preprocessing.transform(data.example).max() <= 1


def test_iris_keeps_its_names():
    data = load(Builtin(name="iris"))
    assert data.classes == ("setosa", "versicolor", "virginica")
    assert data.example.columns[0] == "sepal length (cm)"
    # 150 rows, 50 of each class, a fifth each to validate and to test.
    assert np.bincount(data.validation.targets).tolist() == [10, 10, 10]
    np.testing.assert_allclose(data.train.inputs.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(data.train.inputs.std(axis=0), 1, atol=1e-5)


def test_diabetes_is_a_regression_on_a_standardised_target():
    data = load(Builtin(name="diabetes"))
    assert (data.task, data.classes, data.outputs) == ("regression", (), 1)
    assert data.train.targets.dtype == np.float32
    assert data.train.targets.mean() == pytest.approx(0, abs=1e-5)
    assert data.train.targets.std() == pytest.approx(1, abs=1e-5)
    answer = data.preprocessing.answer(data.train.targets[:, None])
    # Between 25 and 346 in the published table.
    assert answer["prediction"].between(24.9, 346.1).all()
    assert (answer["prediction"].round(3) % 1 == 0).all()


@pytest.mark.parametrize(
    ("name", "features", "classes"),
    [
        ("wine", 13, ("class_0", "class_1", "class_2")),
        ("breast_cancer", 30, ("benign", "malignant")),
    ],
)
def test_the_other_tables_keep_their_labels(name, features, classes):
    data = load(Builtin(name=name))
    assert data.shape == (features,)
    assert data.classes == classes


def test_a_dataset_is_loaded_once_per_process():
    assert load(Builtin(name="wine")) is load(Builtin(name="wine"))
    assert load(Builtin(name="wine")) is not load(Builtin(name="wine", split_seed=1))


def test_the_split_seed_does_not_change_the_fingerprint():
    first, other = load(Builtin(name="wine")), load(Builtin(name="wine", split_seed=1))
    assert first.fingerprint == other.fingerprint
    assert first.fingerprint != load(Builtin(name="iris")).fingerprint


def test_another_process_finds_the_same_fingerprint():
    program = (
        "from nettuner.models.data.load import load\n"
        "from nettuner.models.data.sources.builtin import Builtin\n"
        "print(load(Builtin(name='iris')).fingerprint)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == load(Builtin(name="iris")).fingerprint


def test_describing_data_imports_neither_pandas_nor_sklearn_nor_torch():
    program = (
        "import sys, nettuner.models.study; "
        "print([name for name in ('pandas', 'sklearn', 'torch') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_diabetes_has_the_same_fingerprint_with_every_release_of_scikit_learn():
    # Found with 1.6.1 and with 1.9.1, whose values differ in their last bits. It changes only
    # if the table or `models/data/fingerprint.py` does; then write the new one here.
    assert load(Builtin(name="diabetes")).fingerprint == "744587ef5a3988cb"


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_a_table_is_that_of_scikit_learn(name):
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    # It scales diabetes as it loads, and machines differ in the last bits.
    table = bunch.frame.round(10)
    if "target_names" in bunch:
        table = table.assign(target=bunch.target_names[bunch.target].astype(object))
    expected = table_dataset(Tables(table, "target"), Builtin(name=name))
    assert load(Builtin(name=name)).fingerprint == expected.fingerprint
    pd.testing.assert_frame_equal(load(Builtin(name=name)).example, expected.example)


def test_digits_are_those_of_scikit_learn():
    digits = datasets.load_digits()
    given = digits.images.astype(np.float32), digits.target.astype(np.int64)
    expected = image_dataset(given, Builtin(name="digits"), 16.0)
    assert load(Builtin(name="digits")).fingerprint == expected.fingerprint
