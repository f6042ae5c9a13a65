"""Several trainings are one trial: means, spreads, what failed, what is shown of it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training.failure import Failure
from nettuner.models.training.job import Job, Outcome
from nettuner.tasks.training.trainings import MeanReader, as_markdown, averaged, combined

STUDY = Study(
    name="own",
    learner="own.py:f",
    space={"x": [1, 2]},
    metric="cost",
    direction="minimize",
    repeats=3,
    seed=5,
)


def jobs(folder: Path, count: int = 3) -> list[Job]:
    return [
        Job(STUDY, Goal("cost", "minimize"), Proposal(7, {"x": 1}), folder / f"{k}.jsonl", None,
            folder / f"{k}.safetensors", 0, k)
        for k in range(count)
    ]  # fmt: skip


def write(job: Job, *rows: tuple[int, float, dict[str, float]], is_round: bool = True) -> None:
    with job.log.open("a") as file:
        for step, at, metrics in rows:
            row = {"step": step, "time": at, "seconds": 0.5, "metrics": metrics, "round": is_round}
            file.write(json.dumps(row) + "\n")


def test_every_training_of_a_trial_has_a_seed_of_its_own(tmp_path):
    assert [job.seed for job in jobs(tmp_path)] == [(5, 7, 0), (5, 7, 1), (5, 7, 2)]
    alone = Job(STUDY, Goal("cost", "minimize"), Proposal(7, {"x": 1}), tmp_path / "log")
    assert alone.seed == (5, 7)


def test_metrics_are_averaged_and_their_spread_is_that_of_a_sample():
    found = averaged([{"a": 1.0, "b": 5.0}, {"a": 2.0, "b": 5.0}, {"a": 3.0, "c": 1.0}])
    assert found == {"a": 2.0, "a_std": 1.0}  # the others are not known of all


def test_a_metric_that_is_called_like_a_spread_keeps_its_values():
    assert averaged([{"a": 1.0, "a_std": 7.0}, {"a": 3.0, "a_std": 9.0}])["a_std"] == 8.0


def test_the_score_of_a_trial_is_the_mean_over_its_trainings():
    found = combined([Outcome(k, {"cost": float(k)}, 4) for k in (1, 2, 6)], 3)
    assert isinstance(found, Outcome)
    assert (found.score, found.rounds) == (3.0, 12)
    assert found.metrics == {"cost": 3.0, "cost_std": pytest.approx(math.sqrt(7))}


def test_the_memory_of_a_trial_is_the_most_of_its_trainings():
    peaks = [512.0, 2048.0, None]
    outcomes = [Outcome(1, {"cost": 1.0}, 4, peak_mib=peak) for peak in peaks]
    assert combined(outcomes, 3).peak_mib == 2048
    assert combined(outcomes[2:] * 2, 2).peak_mib is None


def test_a_training_that_failed_fails_the_trial_and_is_named():
    found = combined([Outcome(1, {"cost": 1.0}, 4), Failure("ValueError: no", "where")], 3)
    assert found == Failure("training 2 of 3: ValueError: no", "where")


def test_a_single_training_is_the_trial():
    outcome = Outcome(1, {"cost": 1.0}, 4)
    assert combined([outcome], 1) is outcome


def test_a_step_is_told_once_all_trainings_have_reached_it(tmp_path):
    first, second = jobs(tmp_path, 2)
    reader = MeanReader([first, second])
    write(first, (1, 10.0, {"cost": 4.0}), (2, 20.0, {"cost": 3.0}))
    assert reader.fresh() == []
    write(second, (1, 30.0, {"cost": 6.0}))
    (row,) = reader.fresh()
    assert (row["step"], row["time"], row["round"]) == (1, 30.0, True)
    assert row["seconds"] == 1.0  # one after the other
    assert row["metrics"] == {"cost": 5.0, "cost_std": pytest.approx(math.sqrt(2))}
    write(second, (2, 40.0, {"cost": 3.0}), (3, 50.0, {"cost": 1.0}))
    assert [row["metrics"]["cost"] for row in reader.rest()] == [3.0]
    assert reader.rounds == 5
    assert not first.log.exists()
    assert not second.log.exists()


def test_trainings_that_end_after_different_rounds_come_to_the_mean_of_what_each_counts(tmp_path):
    first, second = jobs(tmp_path, 2)
    reader = MeanReader([first, second])
    write(first, (1, 10.0, {"cost": 4.0}), (2, 20.0, {"cost": 2.0}))
    write(second, (1, 10.0, {"cost": 6.0}))
    assert [row["step"] for row in reader.rest()] == [1]
    # What they count is 2 and 6, whose mean is 4; after step 1 it was 5.
    (row,) = reader.conclusion({"cost": 4.0, "cost_std": math.sqrt(8)})
    assert (row["step"], row["metrics"], row["round"]) == (
        1,
        {"cost": 4.0, "cost_std": math.sqrt(8)},
        False,
    )
    assert row["time"] > 10.0


def test_what_was_told_last_is_not_told_again(tmp_path):
    both = jobs(tmp_path, 2)
    reader = MeanReader(both)
    for job in both:
        write(job, (1, 10.0, {"cost": 4.0}))
    reader.rest()
    assert reader.conclusion({"cost": 4.0, "cost_std": 0.0}) == []


def test_what_a_function_returns_at_the_end_is_averaged_as_well(tmp_path):
    both = jobs(tmp_path, 2)
    for job, cost in zip(both, (1.0, 3.0), strict=True):
        write(job, (1, 10.0, {"loss": cost}))
        write(job, (1, 10.1, {"cost": cost}), is_round=False)
    rows = MeanReader(both).rest()
    assert [(row["step"], row["round"]) for row in rows] == [(1, True), (1, False)]
    assert rows[1]["metrics"] == {"cost": 2.0, "cost_std": pytest.approx(math.sqrt(2))}


def test_pictures_are_those_of_the_first_training(tmp_path):
    both = jobs(tmp_path, 2)
    for job in both:
        np.save(job.picture("val/samples", 3), np.zeros((2, 2), np.uint8))
    found = list(MeanReader(both).pictures())
    assert found == [("val/samples", 3, both[0].picture("val/samples", 3))]
    assert not both[1].picture("val/samples", 3).exists()


def test_the_last_metrics_of_every_training_are_a_table(tmp_path):
    text = as_markdown(
        jobs(tmp_path, 2), [Outcome(1, {"cost": 1.0}, 4), Outcome(2, {"cost": 2.0}, 4)]
    )
    assert text.splitlines() == [
        "| metric | mean | std (n - 1) | training 1 | training 2 |",
        "| --- | --- | --- | --- | --- |",
        "| seed | | | 5, 7, 0 | 5, 7, 1 |",
        "| cost | 1.5 | 0.707107 | 1 | 2 |",
    ]


def test_a_training_that_failed_is_told_above_the_table(tmp_path):
    text = as_markdown(jobs(tmp_path), [Outcome(1, {"cost": 1.0}, 4), Failure("ValueError: no")])
    assert text.splitlines()[0] == "Training 2 (seed 5, 7, 1) failed: ValueError: no"
    assert text.splitlines()[2] == "| metric | mean | std (n - 1) | training 1 |"
