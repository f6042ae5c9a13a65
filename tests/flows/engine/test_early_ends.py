"""Searches that train the best on and leave the others, as people see them."""

from __future__ import annotations

import pytest

from nettuner.flows.engine.search import Engine
from nettuner.tasks.report.tables import trials_table

pytestmark = pytest.mark.slow

RATE = {"learning_rate": {"distribution": "log-uniform", "low": 1e-4, "high": 0.3}}


def halving(lab, name, **changes):
    """Six configurations at rungs after one and three epochs."""
    given = {"space": RATE, "metric": "val_loss", "epochs": 3, "strategy": "successive_halving"}
    return lab.network_study(name, **{**given, "stop": {"trials": 6}, "seed": 4, **changes})


@pytest.fixture(scope="module")
def halved(lab):
    study = halving(lab, "halved")
    return lab.quick_search(study)


def outcomes(trials):
    return {t.number: (t.proposal, t.score, t.rounds) for t in trials}


def test_the_best_third_after_one_epoch_is_trained_for_three(halved):
    first = sorted((t for t in halved.trials if t.proposal.until == 1), key=lambda t: t.score)
    on = {t.proposal.member for t in halved.trials if t.proposal.until == 3}
    assert len(first) == 6
    assert on == {t.proposal.member for t in first[:2]}
    assert sum(trial.rounds for trial in halved.trials) == 6 * 1 + 2 * 2
    assert halved.ended == "6 trials are done (stop.trials)"
    for trial in halved.trials:
        expected = [1] if trial.proposal.until == 1 else [2, 3]
        assert [point.round for point in trial.curve] == expected


def test_a_rung_is_a_stack_of_those_that_are_left(halved, lab):
    nodes = {run.name for run in lab.task_runs(halved.run_id, 6)}
    assert "6-configurations-0-to-5-until-1" in nodes
    members = sorted(t.proposal.member for t in halved.trials if t.proposal.until == 3)
    assert f"2-configurations-{members[0]}-to-{members[1]}-until-3" in {
        name.replace(f"{members[1]}-to-{members[0]}", f"{members[0]}-to-{members[1]}")
        for name in nodes
    }


def test_in_mlflow_those_that_were_left_are_told_from_those_that_failed(halved, lab):
    runs = lab.runs(halved)
    in_full = {t.proposal.member for t in halved.trials if t.proposal.until == 3}
    assert sorted(runs) == [f"configuration {k}" for k in range(6)]
    for member in range(6):
        run = runs[f"configuration {member}"]
        assert "learning_rate" in run.data.params
        assert run.info.status == ("FINISHED" if member in in_full else "KILLED")
        reason = run.data.tags.get("nettuner.reason")
        expected = None if member in in_full else "stopped early after 1: others were better"
        assert reason == expected


def test_the_table_has_a_row_for_each_configuration(halved, lab):
    (past,) = lab.past("halved")
    table = trials_table(past)
    assert sorted(table["member"]) == list(range(6))
    assert sorted(table["rounds"]) == [1, 1, 1, 1, 3, 3]
    assert table["stopped"].notna().sum() == 4
    assert table["val_loss"][0] == halved.best.score


def test_a_search_that_was_interrupted_ends_as_if_it_had_not_been(halved, lab, monkeypatch):
    study = halving(lab, "halved-twice")
    settle = Engine.settle

    def interrupted(engine, number):
        settle(engine, number)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "settle", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lab.search(study)
    (past,) = lab.past("halved-twice")
    assert {t.proposal.until for t in past.trials} == {1}
    result = lab.search(study, resume=True)
    assert outcomes(result.trials) == outcomes(halved.trials)
    (past,) = lab.past("halved-twice")
    assert past.trials == result.trials  # with their curves
    statuses = sorted(run.info.status for run in lab.runs(past).values())
    assert statuses == ["FINISHED"] * 2 + ["KILLED"] * 4


def test_a_function_is_left_at_its_report_and_has_not_failed(lab):
    study = lab.function_study("left", strategy="successive_halving", stop={"trials": 6}, seed=3)
    result = lab.quick_search(study)
    # One at a time: the first goes on, and after it those that were the best at step 1 so far,
    # until there are six, of which two may go on.
    scores, expected = [], []
    for trial in sorted(result.trials, key=lambda trial: trial.number):
        score = (trial.proposal.params["x"] - 0.3) ** 2 + 1
        better = sum(other < score for other in scores)
        expected.append(3 if better < max(1, (len(scores) + 1) // 3) else 1)
        scores.append(score)
    assert 1 in expected
    found = {trial.number: trial.rounds for trial in result.trials}
    assert [found[number] for number in range(6)] == expected
    for name, run in lab.runs(result).items():
        trial = next(t for t in result.trials if t.number == int(name.removeprefix("trial ")))
        # Step 3 is a rung as well, at which one may be left although it was its last step.
        assert (trial.stopped is not None) >= (trial.rounds == 1)
        assert run.info.status == ("FINISHED" if trial.stopped is None else "KILLED")
        reason = run.data.tags.get("nettuner.reason")
        assert reason == (trial.stopped and f"stopped early: {trial.stopped}")
        assert trial.succeeded


def test_networks_that_are_worse_than_the_median_are_left_and_the_best_is_not(lab):
    rule = {"rule": "median", "trials": 1}
    # One after the other, so that each knows of all before it, however fast a stack would be.
    one_by_one = {"width": 1, "stack": 1}
    study = halving(lab, "median", strategy={"name": "random", "early_stop": rule}, **one_by_one)
    result = lab.quick_search(study)
    left = [trial for trial in result.trials if trial.stopped is not None]
    assert 1 <= len(left) < 6
    for trial in left:
        assert trial.rounds == trial.curve[-1].round < 3
        assert trial.stopped.startswith(f"at {trial.rounds} worse than the median of ")
        best = min(point.score for point in trial.curve)
        others = [t.curve for t in result.trials if t is not trial]
        assert best > min(p.score for curve in others for p in curve if p.round <= trial.rounds)
    assert {trial.rounds for trial in result.trials if trial.stopped is None} == {3}
    assert result.best.stopped is None
