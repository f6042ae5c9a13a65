"""A function is left where its trial ends early; its own code need not know."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

from nettuner.models.early_stop import Median, Patience, Rungs
from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training.job import Job
from nettuner.models.training.trial import run

FUNCTIONS = dedent(
    """
    from pathlib import Path

    MARKS = Path(__file__).with_name("marks.txt")


    def steady(h, report):
        try:
            for step in range(1, 11):
                try:
                    report(step, loss=h["x"])
                except Exception:
                    pass  # would hide a failure, but does not keep the trial alive
        finally:
            MARKS.write_text(f"cleaned up in step {step}")
        return {"loss": h["x"], "other": 1}


    def stubborn(h, report):
        for step in range(1, 11):
            try:
                report(step, loss=h["x"])
            except BaseException:
                pass
        return 0.0


    def silent(h, report):
        report(1, other=0.5)
        return h["x"]


    def loop(h, context):
        trained = {"rounds": 0}
        context.keep(trained=trained)
        for epoch in context.rounds():
            trained["rounds"] = epoch
            context.report(loss=h["x"])
        MARKS.write_text(f"went on after the loop, {epoch} rounds")
    """
)


@pytest.fixture
def job(tmp_path):
    (tmp_path / "functions.py").write_text(FUNCTIONS)

    def job(function, x=0.5, rule=None, others=(), **changes):
        given = {
            "name": "early", "learner": f"{tmp_path}/functions.py:{function}", "metric": "loss",
            "direction": "minimize",
            "space": {"x": {"distribution": "uniform", "low": 0, "high": 1}},
        }  # fmt: skip
        study = Study.model_validate({**given, **changes})
        told = [json.dumps([n, k + 1, s, 0.1]) for n, ss in others for k, s in enumerate(ss)]
        (tmp_path / "curves").write_text("".join(f"{line}\n" for line in told))
        return Job(
            study, Goal("loss", "minimize"), Proposal(9, {"x": x}), tmp_path / "trial-9.jsonl",
            end=tmp_path / "trial-9.safetensors", rule=rule,
        )  # fmt: skip

    return job


FOUR = [(number, [0.1] * 10) for number in range(4)]


def test_a_function_ends_at_the_report_where_the_rule_says_so(job, tmp_path):
    found = run(job("steady", rule=Median(after=3), others=FOUR))
    assert (found.score, found.rounds) == (0.5, 3)
    assert found.stopped == "at 3 worse than the median of 4 others"
    assert found.metrics == {"loss": 0.5}
    assert (tmp_path / "marks.txt").read_text() == "cleaned up in step 3"


def test_a_good_one_is_trained_to_its_end(job):
    found = run(job("steady", x=0.05, rule=Median(after=3), others=FOUR))
    assert (found.stopped, found.rounds, found.metrics["other"]) == (None, 10, 1)


def test_one_that_catches_everything_gains_nothing(job):
    found = run(job("stubborn", rule=Patience(rounds=2)))
    assert (found.score, found.rounds, found.stopped) == (0.5, 3, "at 3 no better than at 1")


def test_curves_of_its_own_number_are_those_of_an_attempt_that_died(job):
    found = run(job("steady", rule=Rungs(1, 3), others=[(9, [0.0] * 10)]))
    assert found.stopped is None


def test_a_function_that_reports_its_metric_at_the_end_alone_is_told_how(job):
    with pytest.raises(ValueError, match=r"needs 'loss' while they train, got no report of it; "
                                         r"call report\(step, loss=\.\.\.\)"):  # fmt: skip
        run(job("silent", rule=Median()))
    assert run(job("silent")).score == 0.5


def test_a_loop_with_a_context_ends_by_itself_and_keeps_its_state(job, tmp_path):
    found = run(job("loop", rule=Median(after=3), others=FOUR, epochs=10))
    assert (found.score, found.rounds) == (0.5, 3)
    assert found.stopped == "at 3 worse than the median of 4 others"
    assert (tmp_path / "marks.txt").read_text() == "went on after the loop, 3 rounds"
    assert (tmp_path / "trial-9.safetensors").is_file()


def test_in_the_last_round_nothing_is_ended_early(job):
    found = run(job("loop", rule=Median(after=3), others=FOUR, epochs=3))
    assert (found.rounds, found.stopped) == (3, None)
