"""Promotion and rollback by hand: the same gate as the retuning's, told to whoever listens."""

from __future__ import annotations

import os

import numpy as np

from nettuner.flows.prefect_runs import events
from nettuner.models.data.load import load
from nettuner.models.production.drift import reference
from nettuner.tasks.champion import compare as comparing
from nettuner.tasks.champion import promote as promoting
from nettuner.tasks.champion import registry
from nettuner.tasks.champion.compare import Challenger, Comparison
from nettuner.tasks.champion.incoming import incoming_rows
from nettuner.tasks.champion.versions import Version
from nettuner.tasks.memory import recall, store
from nettuner.tasks.memory import tags as names
from nettuner.tasks.named_study import data_of


def compare(
    study: str,
    search: str | None,
    data: str | None,
    database: str | None,
    newest: int,
    *,
    metric: str | None,
    margin: float,
    confidence: float,
    why: str,
) -> Comparison:
    """Compare the winner of a search with the champion.

    Args:
        study: Name of the study.
        search: Name of the search; None for the latest that is finished.
        data, database, newest: Rows to compare on; the study's own test rows without.
        metric: Compare by this instead of the study's.
        margin: Gain that is demanded.
        confidence: Confidence level of the interval.
        why: Reason for the comparison.

    Raises:
        ValueError: There is no such search, or nothing to compare by or on.
    """
    client = store.client()
    past = recall.finished(client, study, search)
    source = data_of(recall.as_searched(client, past))
    dataset = load(source)
    held_out = dataset.raw_test
    if held_out is None or dataset.raw_train is None:
        raise ValueError(
            "models are compared on rows as they come from production, got the study "
            f"{study!r}, whose data come from a function as networks take them; register its model "
            "in MLflow by hand, or give the study csv or parquet data"
        )
    if dataset.preprocessing is not None and dataset.preprocessing.several is not None:
        raise ValueError(
            "models are compared by one target, got "
            f"{', '.join(dataset.preprocessing.several.names)} of {study!r}; register its model in "
            "MLflow by hand, or give the study one of them"
        )
    if data is not None:
        held_out = incoming_rows(data, source, database, newest).examples()
    rows = dataset.raw_train.rows
    challenger = Challenger(
        study,
        dataset.task,
        past.goal.metric,
        past.run_id,
        {} if isinstance(rows, np.ndarray) else reference(rows),
        dataset.fingerprint,
    )
    return comparing.compare(
        client,
        challenger,
        held_out,
        margin=margin,
        confidence=confidence,
        why=why,
        metric=metric,
    )


def promote(comparison: Comparison, why: str, *, forced: bool, tolerance: float) -> Version:
    """Make the challenger the champion, and tell it.

    Raises:
        ValueError: It was not proved better, and nobody insists.
        UnfitError: The registered model does not answer as the challenger did.
    """
    version = promoting.promote(store.client(), comparison, why, forced=forced, tolerance=tolerance)
    told = {"study": version.study, "version": version.number}
    _tell(events.PROMOTED, version.study, {**told, "reason": version.tags[names.REASON]})
    return version


def roll_back(study: str, why: str) -> tuple[Version, Version]:
    """Roll back, and tell it; gives the champion that was and the one that is.

    Raises:
        ValueError: There is nothing to roll back to.
    """
    before, now = registry.roll_back(store.client(), study, why)
    _tell(events.ROLLED_BACK, study, {"study": study, "from": before.number, "to": now.number})
    return before, now


def _tell(event: str, study: str, payload: dict[str, object]) -> None:
    """Only to a server that runs anyway: starting one would take longer than the work."""
    if os.environ.get("PREFECT_API_URL"):
        events.tell(event, study, payload)
