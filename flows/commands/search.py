"""A search from Python: `nettuner.search(study)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nettuner.flows.commands.result import Result
from nettuner.flows.servers import resident
from nettuner.flows.servers.forks import forks
from nettuner.flows.servers.logging_setup import kept_quiet
from nettuner.tasks.private import OTHERS, umask

if TYPE_CHECKING:
    from nettuner.models.study import Study


def search(
    study: Study | Mapping[str, Any] | str,
    strategy: str | None = None,
    resume: bool = False,
    *,
    learner: Any = None,
    data: Any = None,
) -> Result:
    """Search a study's space and keep every trial, as the command `nettuner search` does.

    Meanwhile, as with the command, files are written for this account alone.

    Args:
        study: A study, the mapping that its YAML file would be, this file, or the name of one that
            was searched before.
        strategy: Another one than the study's, by its file in tasks/strategies; `random` for short.
        resume: Go on with the latest such search of this study that was interrupted or failed.
        learner: Class or function to train, also one that is defined in a notebook, for a mapping
            that names none.
        data: Data to train on, or a function that answers with them: a DataFrame, arrays, Datasets
            or DataLoaders (docs/own_data.md), for a mapping; its own `data` then says what else
            there is to say, such as the target.

    Raises:
        StudyError: The study makes no sense; nothing was trained.
        ValueError: There is no such study, nothing to resume, or an object that cannot be kept.
        SearchFailedError: No trial succeeded, or too many in a row failed.
    """
    # Before Prefect and MLflow are imported.
    with umask(OTHERS), resident.used(), forks(), kept_quiet():
        from nettuner.flows.engine.find import flow_of
        from nettuner.tasks import strategies

        found = _understood(study, learner, data)
        resident.wait()
        flow = flow_of(strategies.full_name(strategy or found.strategy.name))
        return Result(found, flow(found, resume=resume))


def _understood(study: Study | Mapping[str, Any] | str, learner: Any, data: Any) -> Study:
    if isinstance(study, Mapping):
        from nettuner.models.study_file import from_mapping

        return from_mapping(_completed(study, learner, data))
    if learner is not None or data is not None:
        raise ValueError(
            f"learner and data go with a study that is a mapping, got a {type(study).__name__}; "
            "give the study as a dict"
        )
    if isinstance(study, str):
        from nettuner.tasks.named_study import named

        return named(study)
    return study


def _completed(study: Mapping[str, Any], learner: Any, data: Any) -> dict[str, Any]:
    """A study with references to what was given beside it."""
    from nettuner.tasks import given

    found = dict(study)
    if learner is not None:
        found["learner"] = learner if isinstance(learner, str) else given.code(learner)
    if data is not None:
        found["data"] = {**found.get("data", {}), "source": given.data(data)}
    return found
