"""Population based training as a flow: members train side by side, the weak copy the strong."""

from __future__ import annotations

from prefect import flow

from nettuner.flows.engine.search import SearchResult, search
from nettuner.tasks.named_study import StudyGiven
from nettuner.tasks.plan import using

STRATEGY = "population"


@flow(name="population-training", flow_run_name="{study.name}: population")
def population_training(study: StudyGiven, resume: bool = False) -> SearchResult:
    """Search a study's space: members train side by side, the weak continue from the strong.

    Args:
        study: Study to search: a study, its YAML file (absolute, or relative to the working
            directory or to NETTUNER_HOME), or the name of one that was searched before.
        resume: Go on with the latest such search of this study that was interrupted.
    """
    return search(using(study, STRATEGY), resume)
