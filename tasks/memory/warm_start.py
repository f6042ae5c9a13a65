"""Warm start: the trials of a study's earlier searches, for a strategy that learns from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np
from pydantic import BaseModel

from nettuner.models.study import Proposal, Trial
from nettuner.tasks.memory import recall
from nettuner.tasks.memory.search_record import SearchRecord
from nettuner.tasks.strategies import Strategy

if TYPE_CHECKING:
    from mlflow import MlflowClient

FILE = "earlier_trials.json"
# Most trials of all earlier searches together; more would cost time and help little.
MOST = 200


@runtime_checkable
class LearnsFromEarlier(Protocol):
    """A strategy that can learn from the trials of earlier searches."""

    warm_start: bool
    earlier: list[list[Trial]]


def warmed(strategy: Strategy, mlflow: MlflowClient, study: str, record: SearchRecord) -> Strategy:
    """The strategy with the trials of the study's earlier searches, if `warm_start` is set.

    They are stored with the search when it starts, so a resume uses the same ones.

    Args:
        strategy: Strategy as configured by the study.
        mlflow: MLflow client.
        study: Name of the study.
        record: Record of the search that starts or is resumed.
    """
    if not (isinstance(strategy, LearnsFromEarlier) and strategy.warm_start):
        return strategy
    kept = record.kept(FILE)
    if kept is None:
        kept = {
            search.run_id: [_told(trial) for trial in some(search.trials, share)]
            for searches in [comparable(mlflow, study, record)]
            for share in [MOST // max(len(searches), 1)]
            for search in searches
        }
        record.keep(FILE, kept)
    earlier = [[_trial(told) for told in trials] for trials in kept.values()]
    return cast("Strategy", cast("BaseModel", strategy).model_copy(update={"earlier": earlier}))


def comparable(mlflow: MlflowClient, study: str, record: SearchRecord) -> list[recall.PastSearch]:
    """The study's other searches for the same metric, oldest first, without populations.

    The hyperparameters of a population member change, so its score says little about the last
    ones.
    """
    return [
        search
        for search in recall.searches(mlflow, study)
        if search.run_id != record.run_id
        and search.goal == record.goal
        and search.trials
        and not search.members
    ]


def some(trials: list[Trial], most: int) -> list[Trial]:
    """All trials of a search if there are at most `most`, else a `thinned` selection."""
    if len(trials) <= most:
        return trials
    from nettuner.tasks.strategies.bayesian.long_history import thinned  # with all that models need

    ok = [trial for trial in trials if trial.succeeded]
    scores = np.array([trial.score for trial in ok], dtype=float)
    return [ok[i] for i in thinned(scores, most).tolist()]


def _told(trial: Trial) -> dict[str, Any]:
    told = {"number": trial.number, "params": dict(trial.proposal.params), "score": trial.score}
    return {**told, "scores": list(trial.scores)} if trial.scores else told


def _trial(told: Mapping[str, Any]) -> Trial:
    scores = tuple(told.get("scores", ()))
    return Trial(Proposal(told["number"], told["params"]), told["score"], scores=scores)
