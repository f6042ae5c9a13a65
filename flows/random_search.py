"""Random search as a flow: every trial is drawn from the space on its own."""

from __future__ import annotations

from prefect import flow

from flows.search import SearchResult, search
from models.study import Study
from tasks.plan import using


@flow(name="random-search", flow_run_name="{study.name}-random-search")
def random_search(study: Study, resume: bool = False) -> SearchResult:
    """Search a study's space: every trial is drawn from it on its own.

    Args:
        study: What to train, on what data, over which space, towards which metric.
        resume: Go on with the latest such search of this study that was interrupted.
    """
    return search(using(study, "random_search"), resume)
