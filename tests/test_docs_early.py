"""What docs/early.md shows fits together, and ends when the page says."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from nettuner.flows.commands.show import show_plan
from nettuner.models.early_stop import Median, Patience
from nettuner.models.study import Proposal
from nettuner.models.study_file import load
from nettuner.models.training.job import Job
from nettuner.models.training.trial import run
from nettuner.tasks.plan import make_plan
from nettuner.tasks.strategies.successive_halving import SuccessiveHalving

PAGE = (Path(__file__).parent.parent / "docs" / "early.md").read_text(encoding="utf-8")
BEST = {"rate": 1.0, "floor": 0.01}


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A folder with the files of the page."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for _, text in re.findall(r"```(yaml|python)\n(.*?)```", PAGE, flags=re.DOTALL):
        (tmp_path / text.partition("\n")[0].removeprefix("# ")).write_text(text)
    return tmp_path


def test_the_check_says_how_many_rounds_there_are(page, capsys):
    show_plan(make_plan(load(page / "halving.yaml")))
    told = capsys.readouterr().out
    (shown,) = re.findall(r"```\n(trials:.*?)```", PAGE, flags=re.DOTALL)
    assert shown in told


def test_the_function_is_left_at_its_first_rung_and_the_best_is_not(page):
    plan = make_plan(load(page / "steps.yaml"))
    others = [json.dumps([1, step, 0.5, 0.1]) for step in range(1, 28)]
    (page / "curves").write_text("\n".join(others) + "\n")

    def trial(params):
        job = Job(plan.study, plan.goal, Proposal(0, params), page / "log", rule=plan.strategy.rule)
        return run(job)

    bad = trial({"rate": 0.02, "floor": 0.5})
    assert (bad.rounds, bad.stopped) == (1, "at 1 1 of 1 others were better")
    good = trial(BEST)
    assert (good.rounds, good.stopped) == (27, None)


def test_the_rules_and_settings_are_those_that_the_page_names(page):
    plan = make_plan(load(page / "median.yaml"))
    assert plan.strategy.rule == Median(after=3)
    assert (Median().after, Median().trials, Patience().rounds) == (1, 4, 5)
    for number in ("`after` is the first round at which that may happen (1)", "got as far (4)",
                   "`rounds` rounds (5)"):  # fmt: skip
        assert number in PAGE
    given = {"budget", "rounds", "seed"}
    for name in SuccessiveHalving.model_fields.keys() - given:
        assert f"| `{name}` |" in PAGE
