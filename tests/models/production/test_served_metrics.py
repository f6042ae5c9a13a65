"""Metrics of answers, by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sacrebleu.metrics.bleu import BLEU

from nettuner.models.production.served_metrics import MEASURES, constant, measure


def value(task, metric, truth, answers):
    scale = measure(task, metric)
    return scale.value(scale.per_row(truth, pd.DataFrame(answers)))


CLASSES = {"prediction": ["a", "a", "b"], "p_a": [0.5, 0.8, 0.25], "p_b": [0.5, 0.2, 0.75]}


def test_the_loss_is_the_mean_surprise_at_the_true_labels():
    surprise = -(math.log(0.5) + math.log(0.2) + math.log(0.75)) / 3
    assert value("classification", "val_loss", ["a", "b", "b"], CLASSES) == pytest.approx(surprise)


def test_the_accuracy_is_the_share_of_right_labels():
    assert value("classification", "val_accuracy", ["a", "b", "b"], CLASSES) == pytest.approx(2 / 3)


def test_a_label_that_the_model_does_not_know_costs_as_much_as_a_probability_of_1e_minus_7():
    found = value("classification", "loss", ["c"], {"prediction": ["a"], "p_a": [1.0]})
    assert found == pytest.approx(7 * math.log(10))


@pytest.mark.parametrize("label", [3, 3.0, "3", np.int64(3)])
def test_labels_are_the_same_however_a_file_spells_them(label):
    answers = {"prediction": [3], "p_3": [0.5]}
    assert value("classification", "accuracy", [label], answers) == 1
    assert value("classification", "loss", [label], answers) == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("metric", "expected"),
    # Errors 1 and -3; the truth is 0 and 4, whose variance is 4.
    [("loss", 5.0), ("rmse", math.sqrt(5)), ("mae", 2.0), ("r2", 1 - 5 / 4)],
)
def test_errors_of_numbers_are_in_their_own_units(metric, expected):
    found = value("regression", metric, [0.0, 4.0], {"prediction": [1.0, 1.0]})
    assert found == pytest.approx(expected)


def test_r2_of_numbers_that_do_not_vary_has_no_value():
    assert math.isnan(value("regression", "r2", [4.0, 4.0], {"prediction": [1.0, 1.0]}))


def test_bleu_from_sums_over_sentences_is_sacrebleus_corpus_bleu():
    truth = ["the cat sat on the mat today", "a dog barked at the moon", "it rains in Spain"]
    found = ["the cat sat on a mat today", "a dog barked at the moon", "rains in Spain now"]
    expected = BLEU().corpus_score(found, [truth]).score
    assert 10 < expected < 90
    assert value("translation", "bleu", truth, {"prediction": found}) == pytest.approx(expected)
    assert value("translation", "exact", truth, {"prediction": found}) == pytest.approx(1 / 3)


def test_a_metric_that_answers_do_not_tell_is_refused_with_those_that_they_do():
    with pytest.raises(ValueError, match=r"got the metric 'val_frechet'; .*: loss, accuracy"):
        measure("classification", "val_frechet")


def test_the_best_constant_answers_the_shares_of_the_classes():
    answers = constant("classification", ["x", "y", "x", "x"], "loss")
    assert answers["prediction"].tolist() == ["x"] * 4
    assert answers["p_x"].tolist() == [0.75] * 4
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert value("classification", "loss", ["x", "y", "x", "x"], answers) == pytest.approx(entropy)


def test_the_best_constant_number_is_the_mean_and_for_absolute_errors_the_median():
    assert constant("regression", [0.0, 1.0, 8.0], "rmse")["prediction"].tolist() == [3.0] * 3
    assert constant("regression", [0.0, 1.0, 8.0], "mae")["prediction"].tolist() == [1.0] * 3


@pytest.mark.parametrize(("task", "name"), [(t, n) for t, known in MEASURES.items() for n in known])
def test_a_gain_is_positive_where_the_metric_gets_better(task, name):
    scale = measure(task, name)
    worse, better = (2.0, 1.0) if scale.direction == "minimize" else (1.0, 2.0)
    assert scale.gain(worse, better) == 1.0
    assert scale.gain(better, worse) == -1.0
