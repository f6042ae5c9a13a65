"""A search from Python: `nettuner.search(study)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nettuner.flows.servers import resident
from nettuner.flows.servers.forks import forks
from nettuner.flows.servers.logging_setup import kept_quiet
from nettuner.tasks.private import OTHERS, umask

if TYPE_CHECKING:
    from nettuner.flows.engine.search import SearchResult
    from nettuner.models.study import Study


def search(study: Study | str, strategy: str | None = None, resume: bool = False) -> SearchResult:
    """Search a study's space and keep every trial, as the command `nettuner search` does.

    Meanwhile, as with the command, files are written for this account alone.

    Args:
        study: A study, its YAML file, or the name of one that was searched before.
        strategy: Another one than the study's, by its file in tasks/strategies; `random` for short.
        resume: Go on with the latest such search of this study that was interrupted or failed.

    Raises:
        StudyError: The study makes no sense; nothing was trained.
        ValueError: There is no such study, or nothing to resume.
        SearchFailedError: No trial succeeded, or too many in a row failed.
    """
    # Before Prefect and MLflow are imported.
    with umask(OTHERS), resident.used(), forks(), kept_quiet():
        from nettuner.flows.engine.find import flow_of
        from nettuner.tasks import strategies
        from nettuner.tasks.named_study import named

        found = named(study) if isinstance(study, str) else study
        resident.wait()
        return flow_of(strategies.full_name(strategy or found.strategy.name))(found, resume=resume)
