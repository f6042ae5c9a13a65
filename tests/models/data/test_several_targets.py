"""Several target columns: numbers, or labels that apply or do not."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.preprocessing import Preprocessing
from nettuner.models.data.profiling import profile
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.sources.parquet import Parquet
from nettuner.models.data.sources.sentences import Sentences
from nettuner.models.study import Length
from nettuner.models.training.loop import facts, fit


@pytest.fixture
def path(tmp_path):
    """x counts; low and high are numbers of it, even and big are labels, word is neither."""
    table = pd.DataFrame({"x": np.arange(100) / 2})
    table["low"], table["high"] = table["x"] + 1, 1000 * table["x"] + 7
    table["even"], table["big"] = np.arange(100) % 2, table["x"] > 25
    table["word"] = [("a", "b", "c")[i % 3] for i in range(100)]
    table.to_csv(tmp_path / "data.csv", index=False)
    return str(tmp_path / "data.csv")


def test_several_numbers_are_standardised_one_by_one_and_answered_in_their_units(path):
    data = load(Csv(path=path, target=["low", "high"]))
    assert (data.task, data.outputs, data.target_shape) == ("regression", 2, (2,))
    assert data.train.targets.shape == (60, 2)
    np.testing.assert_allclose(data.train.targets.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(data.train.targets.std(0), 1, rtol=1e-6)
    assert data.preprocessing.columns == ("x", "even", "big", "word")
    served = Preprocessing.from_json(data.preprocessing.to_json())
    assert served == data.preprocessing
    answers = served.answer(data.test.targets)
    assert list(answers.columns) == ["low", "high"]
    np.testing.assert_allclose(answers, data.raw_test.truth, rtol=1e-5)
    np.testing.assert_allclose(1000 * (answers["low"] - 1) + 7, answers["high"], rtol=1e-4)


@pytest.mark.parametrize("task", [None, "classification"])
def test_columns_of_0_and_1_are_labels(path, task):
    data = load(Csv(path=path, target=["even", "big"], task=task))
    assert (data.task, data.outputs, data.target_shape) == ("labels", 2, (2,))
    assert set(np.unique(data.train.targets)) == {0, 1}
    # 1 / (1 + exp(-ln 3)) is 3/4; large outputs must not overflow.
    answers = data.preprocessing.answer(np.array([[np.log(3), -1000], [-np.log(3), 1000]]))
    assert answers["even"].tolist() == [True, False]
    assert answers["p_even"].tolist() == pytest.approx([0.75, 0.25])
    assert answers["p_big"].tolist() == [0, 1]


def test_labels_may_be_taken_for_numbers(path):
    assert load(Csv(path=path, target=["even", "big"], task="regression")).task == "regression"


def test_rows_that_lack_one_of_the_targets_are_left_out(path, tmp_path):
    table = pd.read_csv(path)
    table.loc[:9, "low"], table.loc[5:14, "high"] = np.nan, np.nan
    table.to_parquet(tmp_path / "data.parquet")
    data = load(Parquet(path=str(tmp_path / "data.parquet"), target=["low", "high"]))
    assert data.dropped == 15


def test_one_target_has_the_fingerprint_it_had_and_several_have_another(path):
    marks = {load(Csv(path=path, target=t)).fingerprint for t in ("low", "high", ("low", "high"))}
    assert len(marks) == 3


@pytest.mark.parametrize(
    ("target", "metric", "learner"),
    [
        (["low", "high"], ("val_r2", 0.9), "mlp"),
        (["even", "big"], ("val_accuracy", 0.6), "mlp"),
    ],
)
def test_networks_learn_several_targets(path, target, metric, learner, one_thread):
    data = load(Csv(path=path, target=target, drop=["word"]))
    known = learners.find(learner)(facts(data))
    params = {"learning_rate": 0.03, "batch_size": 16}
    *_, (_, metrics) = fit(known, data, params, Length(30), seed=(0,))
    name, least = metric
    assert metrics[name] > least


def test_a_sentence_may_have_several_labels(tmp_path):
    rows = [
        f"{('good', 'bad')[i % 2]} {('cat', 'dog')[i // 2 % 2]},{i % 2},{i // 2 % 2}"
        for i in range(40)
    ]
    file = tmp_path / "data.csv"
    file.write_text("\n".join(["text,bad,dog", *rows]))
    data = load(Sentences(path=str(file), text="text", target=["bad", "dog"]))
    assert (data.task, data.outputs) == ("labels", 2)
    learner = learners.find("text_classifier")(facts(data))
    networks = learner.networks({})
    inputs, targets = learner.data.sample(3)
    loss = learner.loss("network", networks, (inputs, targets), learner.now({}))
    assert loss.item() > 0


def test_what_was_understood_names_all_targets(path):
    numbers, labels = (Csv(path=path, target=t) for t in (["low", "high"], ["even", "big"]))
    found = profile(numbers, load(numbers))
    assert (found.target.name, found.target.holds) == ("low, high", "2 numbers")
    assert [column.name for column in found.columns] == ["x", "even", "big", "word"]
    found = profile(labels, load(labels))
    assert found.target.classes == {"even": 50, "big": 49}


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        (
            {"target": ["low", "word"]},
            "several targets must all be numbers, or all be labels of 0 and",
        ),
        (
            {"target": ["low", "even"], "task": "classification"},
            "several labels must be 0 and 1 (true",
        ),
        ({"target": ["low", "hihg"]}, "no column named 'hihg'; did you mean 'high'?"),
        ({"target": ["low", "high"], "split_by": "high"}, "split_by must name another column than"),
    ],
)
def test_targets_that_do_not_go_together_are_refused(path, refused, keys, rule):
    assert refused(Csv(path=path, **keys)).startswith(rule)


def test_a_target_that_never_varies_is_named(path, refused):
    table = pd.read_csv(path).assign(same=3)
    table.to_csv(path, index=False)
    line = refused(Csv(path=path, target=["low", "same"]))
    assert line == "every target must vary, got 3 of 'same' in all 60 training rows; leave it out"


@pytest.mark.parametrize("target", [[], ["low"], ["low", "low"]])
def test_a_list_of_targets_has_two_and_more_that_differ(target):
    with pytest.raises(ValidationError):
        Csv(path="x", target=target)


def test_models_of_several_targets_are_not_compared_in_production(path):
    with pytest.raises(
        ValueError, match=r"by one target, got \['low', 'high'\]; give the study one"
    ):
        Csv(path=path, target=["low", "high"]).target_column()
