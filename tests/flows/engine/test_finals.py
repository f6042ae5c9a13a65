"""A search ends with finals where asked: interrupted in their midst, they go on, and decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from nettuner.flows.commands.show import show_plan, show_result
from nettuner.flows.engine.search import Engine
from nettuner.tasks.memory import recall
from nettuner.tasks.plan import make_plan
from nettuner.tasks.report.tables import comparison, trials_table

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Finished:
    """A search whose finals were interrupted once, and what was recorded by then."""

    study: Any
    result: Any
    past: Any
    finals: Any
    before: dict[int, float]
    """When each training of the finals that had ended before the interruption had ended."""


@pytest.fixture(scope="module")
def finished(lab):
    study = lab.network_study(
        "finals", metric="val_loss", stop={"trials": 4}, seed=4, stack=1, finals=2, finals_seeds=3
    )
    settle = Engine.settle

    def interrupted(engine, number):
        settle(engine, number)
        if engine.plan.strategy_name == "finals" and len(engine.history) == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "settle", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lab.search(study)
    (past,) = lab.past("finals")
    before = {t.number: t.ended for t in recall.finals_of(lab.mlflow, past).trials}
    result = lab.search(study, resume=True)
    (past,) = lab.past("finals")
    return Finished(study, result, past, recall.finals_of(lab.mlflow, past), before)


def test_the_best_are_trained_again_with_each_seed_and_none_that_had_ended_is(finished, lab):
    trials = finished.finals.trials
    assert sorted(trial.number for trial in trials) == list(range(6))
    assert len(finished.before) == 2
    assert {n: t.ended for t in trials if (n := t.number) in finished.before} == finished.before
    assert (finished.past.status, finished.finals.status) == ("FINISHED", "FINISHED")
    runs = lab.runs(finished.finals).values()
    # The seeds are none of the search, whose own is 4.
    ended = [run for run in runs if run.info.status == "FINISHED"]
    assert len({run.data.tags["nettuner.seed"] for run in ended}) == 6
    assert all(run.data.tags["nettuner.seed"].startswith("1000007, ") for run in ended)


def test_no_trial_was_added_to_the_search_itself(finished):
    assert len(finished.past.trials) == len(finished.result.trials) == 4
    assert finished.result.ended == "4 trials are done (stop.trials)"


def test_the_best_mean_of_the_finals_wins_the_search(finished, lab):
    first, second = finished.result.finals
    best_two = sorted(finished.past.trials, key=lambda trial: trial.score)[:2]
    assert {first.number, second.number} == {trial.number for trial in best_two}
    assert finished.result.best is first
    assert first.score < second.score
    of_first = {t.score for t in finished.finals.trials if t.score in first.scores}
    assert len(of_first) == 3
    assert first.score == pytest.approx(sum(of_first) / 3)
    assert set(finished.result.test) == {"test_loss", "test_accuracy"}
    run = lab.mlflow.get_run(finished.result.run_id)
    assert run.data.metrics["final_val_loss"] == pytest.approx(first.score)
    assert run.data.metrics["final_val_loss_std"] == pytest.approx(first.spread)
    assert finished.finals.run_id in run.data.tags["nettuner.finals"]
    assert run.data.tags["best.hidden"] == str(first.proposal.params["hidden"])


def test_whoever_looks_is_told_that_the_finals_decided(finished, lab, capsys):
    first, _ = finished.result.finals
    shown = f"{first.score:.6g} ± {first.spread:.2g} of 3"
    note = lab.mlflow.get_run(finished.result.run_id).data.tags["mlflow.note.content"]
    assert f"**Best val_loss: {shown}** (trial {first.number} of 4" in note
    assert "the best 2 were trained again with 3 other seeds each" in note
    show_result(finished.result, make_plan(finished.study))
    told = capsys.readouterr().out
    assert f"finals (3 other seeds each): trial {first.number}: {shown}" in told


def test_tables_have_what_came_of_the_finals(finished):
    first, second = finished.result.finals
    table = trials_table(finished.past)
    assert table["trial"].tolist()[:2] == [first.number, second.number]
    assert table["final"].tolist()[:2] == pytest.approx([first.score, second.score])
    assert table["final_std"].tolist()[:2] == pytest.approx([first.spread, second.spread])
    assert table["final"].isna().tolist() == [False, False, True, True]
    compared = comparison([finished.past])
    assert compared["best val_loss"].tolist() == pytest.approx([first.score])
    assert compared["val_loss_std"].tolist() == pytest.approx([first.spread])
    assert compared["finals"].tolist() == ["2 trained again"]


def test_the_check_counts_all_networks(finished, capsys):
    plan = make_plan(finished.study.model_copy(update={"repeats": 5}))
    show_plan(plan)
    assert "networks: 26 (4 trials x 5 repeats + 2 finalists x 3 seeds)" in capsys.readouterr().out
