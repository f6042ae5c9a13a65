"""Ends a process of a Dask cluster that a search has started, once the search's process is gone.

Dask loads it into the scheduler and into the parents of its workers; however a search ends, killed
included, nothing of it stays.
"""

from __future__ import annotations

import os
import threading
import time

WATCH_SECONDS = 1.0


def dask_setup(_: object) -> None:
    """Watch from now on; Dask calls it."""
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)
