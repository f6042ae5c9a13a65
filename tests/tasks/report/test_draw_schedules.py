"""The picture of a population's schedules, from few members to many."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from nettuner.models.study import Goal, Study, Trial, best
from nettuner.tasks.report.draw_schedules import Family, draw_schedules
from nettuner.tasks.strategies.population import Population

SPACE = {
    "rate": {"distribution": "log-uniform", "low": 1e-4, "high": 0.3},
    "units": {"distribution": "integer", "low": 16, "high": 128, "log": True},
    "layers": {"distribution": "integer", "low": 1, "high": 4},
    "kind": {"distribution": "choice", "values": ["sgd", "adam"]},
    "momentum": {"distribution": "uniform", "low": 0, "high": 1, "when": {"kind": "sgd"}},
    "flag": [True, False],
}


def population(size, space=SPACE, structural=("units",), failing=0.05):
    """A population whose scores are drawn by lot."""
    given = {"name": "lot", "learner": "mlp", "metric": "loss", "epochs": 20, "space": space}
    study = Study.model_validate({**given, "strategy": {"name": "population", "size": size}})
    strategy = Population.for_study(study, structural)
    rng = np.random.default_rng(size)
    trials = []
    while asked := strategy.propose(study.space, trials, [], 1000):
        for proposal in asked:
            good = rng.random() > failing
            score = float(rng.random()) / proposal.until if good else None
            trials.append(Trial(proposal, score, None if good else "by lot", rounds=3))
    return study, trials


@pytest.mark.parametrize("size", [2, 4, 40])
def test_a_picture_is_drawn_of_few_and_of_many_members(size, tmp_path):
    study, trials = population(size)
    path = tmp_path / "schedules.png"
    winner = best(trials)
    draw_schedules(study, Goal("loss", "minimize"), trials, winner, path, "by lot")
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    assert 1000 < width < 2000
    assert 700 < height < 3000
    assert 20_000 < len(content) < 1_000_000


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_picture_is_drawn_where_nothing_changes(direction, tmp_path):
    study, trials = population(2, {"rate": 0.1}, (), failing=0.0)
    path = tmp_path / "schedules.png"
    draw_schedules(study, Goal("x", direction), trials, best(trials), path, "nothing")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_only_what_copies_changed_has_a_panel():
    study, trials = population(40)
    assert Family(study, trials, best(trials)).changing() == [n for n in SPACE if n != "units"]


def test_where_nobody_copied_all_that_differs_has_a_panel():
    study, trials = population(4)
    firsts = [trial for trial in trials if trial.proposal.parent is None]
    family = Family(study, firsts, best(firsts))
    assert family.chain() == [best(firsts).proposal.member]
    assert "units" in family.changing()


def test_the_chain_of_members_ends_with_the_winner():
    study, trials = population(40)
    winner = best(trials)
    chain = Family(study, trials, winner).chain()
    assert chain[-1] == winner.proposal.member
    assert len(chain) > 1  # else this would show nothing
