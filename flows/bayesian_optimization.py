"""The Bayesian search as a flow: each trial is chosen from a model of all earlier ones."""

from __future__ import annotations

from prefect import flow

from flows.search import SearchResult, search
from models.study import Study
from tasks.plan import using


@flow(name="bayesian-optimization", flow_run_name="{study.name}-bayesian-optimization")
def bayesian_optimization(study: Study, resume: bool = False) -> SearchResult:
    """Search a study's space: each trial is chosen from a model of all earlier ones.

    Args:
        study: What to train, on what data, over which space, towards which metric.
        resume: Go on with the latest such search of this study that was interrupted.
    """
    return search(using(study, "bayesian"), resume)
