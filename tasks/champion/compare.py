"""Compares champion and challenger on rows that neither was trained on, and records it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from nettuner.models.data.labelled import Labelled
from nettuner.models.data.source import TaskKind
from nettuner.models.production.drift import Reference
from nettuner.models.production.served_metrics import constant, measure
from nettuner.models.production.verdict import Verdict, judge
from nettuner.tasks.champion import registry
from nettuner.tasks.champion.ask_model import answers
from nettuner.tasks.memory import store
from nettuner.tasks.memory import tags as names

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from nettuner.tasks.champion.versions import Version

REFERENCE = "reference.json"
NOBODY = "the best answer that ignores its input"


@dataclass(frozen=True)
class Challenger:
    """A model that may become the champion.

    Args:
        study: Name of the study.
        task: Task: classification, regression or translation.
        metric: Metric of the study, by which models are compared.
        run_id: Run id of the search that logged it.
        reference: Histograms of the training inputs for drift; empty where they are no table.
        fingerprint: Fingerprint of the data it was trained on.
    """

    study: str
    task: TaskKind
    metric: str
    run_id: str
    reference: Reference
    fingerprint: str


@dataclass(frozen=True)
class Comparison:
    """A comparison of the champion with a challenger.

    Args:
        challenger: Challenger that was compared.
        model: MLflow URI of the challenger's model.
        champion: Champion at that time; None if there was none.
        verdict: Result of the comparison.
        held_out: Rows that both were measured on.
        answered: Answers of the challenger to these rows.
        experiment_id, run_id: MLflow ids of the comparison's experiment and run.
    """

    challenger: Challenger
    model: str
    champion: Version | None
    verdict: Verdict
    held_out: Labelled
    answered: pd.DataFrame
    experiment_id: str
    run_id: str

    @property
    def reason(self) -> str:
        """The decision, as a sentence."""
        return f"challenger against {named(self.champion)}: {self.verdict.reason}"

    @property
    def url(self) -> str:
        """URL of the comparison's MLflow run."""
        return store.run_url(self.experiment_id, self.run_id)


def compare(
    mlflow: MlflowClient,
    challenger: Challenger,
    held_out: Labelled,
    *,
    margin: float,
    confidence: float,
    why: str,
    metric: str | None = None,
) -> Comparison:
    """Compare, and record it as a run of its own in the study's experiment.

    Without a champion the challenger has to beat the best constant predictor.

    Args:
        mlflow: MLflow client.
        challenger: Challenger to be compared.
        held_out: Rows that neither was trained on.
        margin: Gain required, in units of the metric.
        confidence: Confidence level of the interval.
        why: Reason for the comparison.
        metric: Metric to compare by; None for the study's.

    Raises:
        ValueError: The metric cannot be compared, there are too few rows, or a model rejects them.
    """
    scale = measure(challenger.task, metric or challenger.metric)
    model = registry.model_of(mlflow, challenger.run_id)
    champion = registry.champion(mlflow, challenger.study)
    if champion is None:
        (new,) = answers([model], held_out.rows)
        old = constant(challenger.task, held_out.truth, scale.name)
    else:
        old, new = answers([champion.uri, model], held_out.rows)
    verdict = judge(scale, held_out.truth, old, new, margin, confidence)
    run = _recorded(mlflow, challenger, champion, verdict, why)
    return Comparison(
        challenger,
        model,
        champion,
        verdict,
        held_out,
        new,
        run.info.experiment_id,
        run.info.run_id,
    )


def named(version: Version | None) -> str:
    """Name of the champion in messages; of the constant predictor without one."""
    return NOBODY if version is None else f"version {version.number}"


def _recorded(
    mlflow: MlflowClient,
    challenger: Challenger,
    champion: Version | None,
    verdict: Verdict,
    why: str,
) -> Run:
    """Record a verdict, and the reference that later drift checks compare with."""
    experiment = store.find_experiment(mlflow, challenger.study)
    assert experiment is not None  # the challenger was trained in it
    against = named(champion)
    told = "proved better" if verdict.passed else "not proved better"
    run = mlflow.create_run(
        experiment.experiment_id,
        run_name=f"gate {time.strftime('%Y-%m-%d %H:%M:%S')}",
        tags={
            names.KIND: "gate",
            names.DATA: challenger.fingerprint,
            names.NOTE: f"**{told}** than {against}: {verdict.reason}.  \nWhy: {why}",
            names.CHALLENGER: challenger.run_id,
            names.AGAINST: against,
            **names.SOURCE,
        },
    )
    run_id = run.info.run_id
    figures = {
        f"champion_{verdict.metric}": verdict.champion,
        f"challenger_{verdict.metric}": verdict.challenger,
        "gain": verdict.gain,
        "gain_low": verdict.low,
        "gain_high": verdict.high,
    }
    for name, value in figures.items():
        mlflow.log_metric(run_id, name, value)
    mlflow.log_param(run_id, "against", against)
    for name in ("metric", "margin", "confidence", "rows"):
        mlflow.log_param(run_id, name, getattr(verdict, name))
    mlflow.log_dict(run_id, {**asdict(verdict), "passed": verdict.passed}, "verdict.json")
    mlflow.log_dict(run_id, challenger.reference, REFERENCE)
    mlflow.set_terminated(run_id)
    return run
