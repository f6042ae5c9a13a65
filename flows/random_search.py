"""Random search as a flow: every trial is drawn from the space on its own."""

from __future__ import annotations

from prefect import flow

from nettuner.flows.engine.search import SearchResult, search
from nettuner.tasks.named_study import StudyGiven
from nettuner.tasks.plan import using

STRATEGY = "random_search"


@flow(name="random-search", flow_run_name="{study.name}: random")
def random_search(study: StudyGiven, resume: bool = False) -> SearchResult:
    """Search a study's space: every trial is drawn from it on its own.

    Args:
        study: Study to search: a study, its YAML file (absolute, or relative to the working
            directory or to NETTUNER_HOME), or the name of one that was searched before.
        resume: Go on with the latest such search of this study that was interrupted.
    """
    return search(using(study, STRATEGY), resume)
