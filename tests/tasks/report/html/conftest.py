"""Searches as they would be recorded, made of numbers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from nettuner.models.curve import Point
from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.tasks.memory.recall import Children, PastSearch
from nettuner.tasks.report.html.searched import Searched

UNIFORM = {"distribution": "uniform", "low": 0, "high": 1}


def study(space, metric="val_loss", **more):
    given = {"name": "synthetic", "learner": "net.py:Net", "space": space, "metric": metric}
    return Study.model_validate({"epochs": 3, "direction": "minimize", **given, **more})


def past(trials, metric="val_loss", direction="minimize", **changes):
    given = {
        "run_id": "r1",
        "experiment_id": "1",
        "name": "random_search at noon",
        "status": "FINISHED",
        "strategy": "random_search",
        "digest": "d",
        "goal": Goal(metric, direction),
        "rounds": 3,
        "unit": "epochs",
        "began": 0.0,
        "test": {},
        "read": lambda: Children(trials),
    }
    return PastSearch(**{**given, **changes})


def searched(space, trials, **changes):
    found = past(trials, **changes)
    described = study(space, found.goal.metric, direction=found.goal.direction)
    return Searched(found, described)


def sampled(space, score, count, seed=0):
    """Trials at random places of a space, with the score of each."""
    rng = np.random.default_rng(seed)
    names = study(space).space
    drawn = [names.sample(rng) for _ in range(count)]
    return [trial(k, params, score(params)) for k, params in enumerate(drawn)]


def trial(number, params, score, **more):
    curve = () if score is None else tuple(Point(k, score + 3 - k, 0.5) for k in (1, 2, 3))
    reason = "it broke" if score is None else None
    given = {"seconds": 2.0, "rounds": 3, "ended": 2.0 * number + 2, "curve": curve}
    return Trial(Proposal(number, params), score, reason, **{**given, **more})


@pytest.fixture(scope="session")
def made():
    """What makes studies, trials and searches."""
    return SimpleNamespace(
        study=study, past=past, searched=searched, sampled=sampled, trial=trial, uniform=UNIFORM
    )
