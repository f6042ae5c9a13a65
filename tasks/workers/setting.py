"""How this process runs, so that workers, which are forked from another one, run the same way."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress

from nettuner.models.study import Study
from nettuner.tasks.workers.messages import Setting


def setting(threads: int, study: Study | None, *, bare: bool = False) -> Setting:
    """The setting of this process, for the workers of a search.

    Args:
        threads: Number of threads of numeric libraries in a worker.
        study: Study whose learner and data are loaded in advance; None for none.
        bare: Whether nothing of the study's own may be imported in advance.
    """
    return Setting(
        environment=dict(os.environ),
        folder=os.getcwd(),
        path=tuple(sys.path),
        umask=_umask(),
        niceness=os.nice(0),
        cores=_cores(),
        limits={number: resource.getrlimit(number) for number in _resources()},
        threads=threads,
        study=study,
        bare=bare,
    )


def take_over(given: Setting) -> None:
    """Make this process run as another one does, as far as its account allows."""
    os.environ.clear()
    os.environ.update(given.environment)
    sys.path[:] = given.path
    with suppress(OSError):
        os.chdir(given.folder)
    os.umask(given.umask)
    with suppress(OSError):
        os.nice(given.niceness - os.nice(0))
    if given.cores is not None and sys.platform == "linux":
        with suppress(OSError):
            os.sched_setaffinity(0, given.cores)
    for number, limits in given.limits.items():
        with suppress(OSError, ValueError):
            resource.setrlimit(number, limits)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cores() -> frozenset[int] | None:
    return frozenset(os.sched_getaffinity(0)) if sys.platform == "linux" else None


def _resources() -> set[int]:
    return {number for name, number in vars(resource).items() if name.startswith("RLIMIT_")}
