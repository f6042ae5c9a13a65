"""Loads the learner and the data of a study in a worker process."""

from __future__ import annotations

from nettuner.models.by_name import ByName
from nettuner.models.fitted import Fitted, MisfitError
from nettuner.models.study import Study
from nettuner.tasks.workers.pool import Pool, TrialFailedError

FIT = ByName("nettuner.models.check", "fit_or_faults")


_fitted: dict[str, Fitted] = {}


def remember(study: Study, fitted: Fitted) -> None:
    """Spare the next search of this study in this process what was found out a moment ago."""
    _fitted[_key(study)] = fitted


def _key(study: Study) -> str:
    return study.model_dump_json(exclude={"width"})


def fit_in(pool: Pool, study: Study) -> Fitted:
    """Check the study against its learner and data; trains nothing, imports nothing here.

    What was remembered of it serves once.

    Raises:
        MisfitError: Something does not fit, or the process has died.
    """
    known = _fitted.pop(_key(study), None)
    if known is not None:
        return known
    try:
        found: Fitted | list[tuple[str, str]] = pool.run(FIT, study, own_process=True)
    except TrialFailedError as error:
        raise MisfitError([("learner", f"{study.learner} cannot be used: {error}")]) from None
    if isinstance(found, Fitted):
        return found
    raise MisfitError(found)
