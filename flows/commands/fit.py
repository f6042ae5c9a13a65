"""Checks a study against its learner and data, where that is fastest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from nettuner.models.fitted import Fitted
from nettuner.models.study import Study
from nettuner.tasks.home import HomeError, home
from nettuner.tasks.plan import FIT, Fit
from nettuner.tasks.training.fit import fit_in, remember
from nettuner.tasks.workers.base import resident, stand_by
from nettuner.tasks.workers.pool import open_pool


def fit(study: Study) -> Fitted:
    """Check a study against its learner and data, in a process that has imported what this needs.

    Without one it is done here.

    Raises:
        MisfitError: Something does not fit.
    """
    base = None
    with suppress(HomeError, OSError):
        base = resident(home())
    if base is None:
        return FIT(study)
    with stand_by(base), open_pool(1, study.threads, study) as pool:
        return fit_in(pool, study)


@contextmanager
def fitting(study: Study) -> Iterator[Fit]:
    """Check studies of this learner and these data in another process, which loads them meanwhile.

    The search that follows need not check again.
    """
    with open_pool(1, study.threads, study) as pool:

        def fit(asked: Study) -> Fitted:
            fitted = fit_in(pool, asked)
            remember(asked, fitted)
            return fitted

        yield fit
