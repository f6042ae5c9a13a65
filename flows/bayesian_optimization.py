"""The Bayesian search as a flow: each trial is chosen from a model of all earlier ones."""

from __future__ import annotations

from prefect import flow

from nettuner.flows.engine.search import SearchResult, search
from nettuner.tasks.named_study import StudyGiven
from nettuner.tasks.plan import using

STRATEGY = "bayesian"


@flow(name="bayesian-optimization", flow_run_name="{study.name}: bayesian")
def bayesian_optimization(study: StudyGiven, resume: bool = False) -> SearchResult:
    """Search a study's space: each trial is chosen from a model of all earlier ones.

    Args:
        study: Study to search: a study, its YAML file (absolute, or relative to the working
            directory or to NETTUNER_HOME), or the name of one that was searched before.
        resume: Go on with the latest such search of this study that was interrupted.
    """
    return search(using(study, STRATEGY), resume)
