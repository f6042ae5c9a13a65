"""Writes the report of a search among its artifacts, in a process that the search leaves behind.

What draws charts takes seconds to import, and nobody waits for it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from nettuner.tasks.home import home
from nettuner.tasks.left_behind import leave_behind
from nettuner.tasks.stand_back import stand_back
from nettuner.tasks.uncollected import uncollected

NAME = "report.html"
"""Name of the report among the artifacts of a search."""
LOG = "report.log"
# It is not worth more, whatever keeps it waiting.
MOST_SECONDS = 600


def keep_later(run_id: str) -> None:
    """Have the report of a search written; does not wait for it.

    Args:
        run_id: Id of the search's run, which has ended.
    """
    leave_behind("nettuner.tasks.report.html.keep", run_id, log=home() / LOG)


def keep(run_id: str) -> None:
    """Write the report of a search among its artifacts, in place of an older one."""
    with uncollected():
        from nettuner.tasks.memory import recall, store
        from nettuner.tasks.report.html.page import page
        from nettuner.tasks.report.html.searched import searched

    os.getcwd()  # it is the home: without it there is no store, and none is to be made
    mlflow = store.client()
    text = page([searched(mlflow, recall.of_run(mlflow, run_id))])
    with TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        path.write_text(text, encoding="utf-8")
        mlflow.log_artifact(run_id, str(path))


if __name__ == "__main__":
    stand_back()
    signal.alarm(MOST_SECONDS)
    keep(sys.argv[1])
