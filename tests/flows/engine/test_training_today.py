"""Schedules, averages, patience and further metrics in whole searches, also of populations."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def searched(lab):
    """Four trials of one structure; the third does not move, the fourth is restless."""
    space = {
        "learning_rate": {"distribution": "choice", "values": [0.01, 0.03, 0.0, 0.2]},
        "optimizer": "sgd",
        "schedule": "cosine",
        "ema": 0.5,
        "clip_norm": 1.0,
    }
    study = lab.network_study(
        "today",
        space=space,
        strategy="grid",
        epochs=6,
        metric="val_balanced_accuracy",
        metrics=["macro_f1"],
        score="best",
        patience_rounds=2,
    )
    return study, lab.quick_search(study)


def test_a_trial_that_does_not_move_ends_early_and_its_first_round_counts(searched):
    _, result = searched
    (still,) = [t for t in result.trials if t.proposal.params["learning_rate"] == 0]
    assert still.rounds == 3
    assert still.metrics["best_round"] == 1


def test_mlflow_has_the_curve_and_as_latest_value_what_counts(searched, lab):
    _, result = searched
    runs = lab.runs(result)
    for trial in result.trials:
        run = runs[f"trial {trial.number}"]
        history = lab.mlflow.get_metric_history(run.info.run_id, "val_balanced_accuracy")
        curve, latest = history[:-1], history[-1]
        assert [point.step for point in curve] == list(range(1, trial.rounds + 1))
        assert latest.value == max(point.value for point in curve) == -trial.score
        assert run.data.metrics["val_balanced_accuracy"] == latest.value
        assert run.data.metrics["best_round"] == trial.metrics["best_round"]


def test_the_winner_is_measured_by_the_same_metrics_on_the_test_rows(searched):
    _, result = searched
    assert set(result.test) == {
        "test_loss",
        "test_accuracy",
        "test_balanced_accuracy",
        "test_macro_f1",
    }


def test_a_population_follows_the_schedule_of_the_whole_training(lab):
    study = lab.network_study(
        "today-population",
        space={
            "learning_rate": {"distribution": "log-uniform", "low": 0.001, "high": 0.1},
            "ema": {"distribution": "uniform", "low": 0.2, "high": 0.9},
            "clip_norm": {"distribution": "log-uniform", "low": 0.1, "high": 10},
            "schedule": ["linear", "step"],
            "step_every": 0.4,
            "batch_size": 30,
        },
        strategy={"name": "population", "size": 4, "interval": 1},
        epochs=3,
    )
    result = lab.search(study)
    of = {trial.number: trial for trial in result.trials}
    assert len(of) == 12
    for trial in of.values():
        rate, end = trial.proposal.params["learning_rate"], trial.proposal.until
        if trial.proposal.params["schedule"] == "linear":
            # All epochs have as many steps; at the last step of one it is short of its end by one.
            assert (3 - end) / 3 < trial.metrics["train_learning_rate"] / rate < (3.5 - end) / 3
        else:  # just before 1/3, 2/3 and the end; a tenth from 0.4 and again from 0.8 on
            share = {1: 1, 2: 0.1, 3: 0.01}[end]
            assert trial.metrics["train_learning_rate"] == pytest.approx(rate * share)
        if trial.proposal.parent is not None:
            before = of[trial.proposal.parent].proposal.params["schedule"]
            assert trial.proposal.params["schedule"] == before
