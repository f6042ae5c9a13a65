"""The grid search as a flow: every point of a grid over the space."""

from __future__ import annotations

from prefect import flow

from flows.search import SearchResult, search
from models.study import Study
from tasks.plan import using


@flow(name="grid-search", flow_run_name="{study.name}-grid-search")
def grid_search(study: Study, resume: bool = False) -> SearchResult:
    """Search a study's space: every point of a grid over the space.

    Args:
        study: What to train, on what data, over which space, towards which metric.
        resume: Go on with the latest such search of this study that was interrupted.
    """
    return search(using(study, "grid_search"), resume)
