"""The grid search as a flow: every point of a grid over the space."""

from __future__ import annotations

from prefect import flow

from nettuner.flows.engine.search import SearchResult, search
from nettuner.tasks.named_study import StudyGiven
from nettuner.tasks.plan import using

STRATEGY = "grid_search"


@flow(name="grid-search", flow_run_name="{study.name}: grid")
def grid_search(study: StudyGiven, resume: bool = False) -> SearchResult:
    """Search a study's space: every point of a grid over the space.

    Args:
        study: Study to search: a study, its YAML file (absolute, or relative to the working
            directory or to NETTUNER_HOME), or the name of one that was searched before.
        resume: Go on with the latest such search of this study that was interrupted.
    """
    return search(using(study, STRATEGY), resume)
