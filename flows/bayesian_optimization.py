"""The Bayesian search as a flow: each trial is chosen from a model of all earlier ones."""

from __future__ import annotations

from prefect import flow

from flows.search import SearchResult, search
from tasks.named_study import StudyGiven
from tasks.plan import using


@flow(name="bayesian-optimization", flow_run_name="{study.name}-bayesian-optimization")
def bayesian_optimization(study: StudyGiven, resume: bool = False) -> SearchResult:
    """Search a study's space: each trial is chosen from a model of all earlier ones.

    Args:
        study: What to search: a study, its YAML file (absolute, or relative to the working
            directory or to NETTUNER_HOME), or the name of one that was searched before.
        resume: Go on with the latest such search of this study that was interrupted.
    """
    return search(using(study, "bayesian"), resume)
