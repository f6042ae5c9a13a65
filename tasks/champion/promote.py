"""Promotion: a challenger that proved better becomes the champion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nettuner.tasks.champion import registry
from nettuner.tasks.champion.compare import Comparison, named
from nettuner.tasks.memory import store
from nettuner.tasks.memory import tags as names

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from nettuner.tasks.champion.versions import Version


def promote(
    mlflow: MlflowClient,
    comparison: Comparison,
    why: str,
    *,
    forced: bool = False,
    tolerance: float = 0.0,
) -> Version:
    """Register the challenger and make it the champion.

    Args:
        mlflow: MLflow client.
        comparison: Comparison of the challenger with the champion.
        why: Reason for the promotion.
        forced: Whether to promote it whatever the verdict.
        tolerance: Distance of the monitoring threshold from the worse end of the challenger's
            interval, in units of the metric.

    Raises:
        ValueError: It did not prove better, and `forced` is false.
        UnfitError: The registered model answers differently from the challenger, or the champion
            has changed since the comparison.
    """
    verdict = comparison.verdict
    if not (verdict.passed or forced):
        raise ValueError(f"not promoted: {comparison.reason}")
    now = registry.champion(mlflow, comparison.challenger.study)
    if (now and now.number) != (comparison.champion and comparison.champion.number):
        raise registry.UnfitError(
            f"a challenger must be proved better than the champion, got one that was compared with "
            f"{named(comparison.champion)} while {named(now)} is the champion now; compare anew"
        )
    version = registry.register(
        mlflow,
        comparison.challenger.study,
        comparison.model,
        comparison.challenger.run_id,
        tags_of(comparison, why, forced and not verdict.passed, tolerance),
    )
    registry.set_champion(mlflow, version, comparison.held_out.rows, comparison.answered)
    return version


def tags_of(comparison: Comparison, why: str, forced: bool, tolerance: float) -> Mapping[str, str]:
    """Tags of a version: reason, figures, and runs of its promotion."""
    verdict = comparison.verdict
    worse = tolerance if verdict.direction == "minimize" else -tolerance
    return {
        names.REASON: f"{why}; {comparison.reason}" if why else comparison.reason,
        names.METRIC: verdict.metric,
        names.DIRECTION: verdict.direction,
        names.VALUE: repr(verdict.challenger),
        names.THRESHOLD: repr(verdict.worst + worse),
        names.GATE: comparison.run_id,
        names.GAIN: f"{verdict.gain:.6g} ({verdict.low:.6g} to {verdict.high:.6g})",
        names.TRAINED_ON: comparison.challenger.fingerprint,
        names.SEARCH_PAGE: store.run_url(comparison.experiment_id, comparison.challenger.run_id),
        names.GATE_PAGE: comparison.url,
        **({names.FORCED: "yes: it was not proved better"} if forced else {}),
    }
