"""Logs the winner's state, where a user's own loop was trained, so that its networks are kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from nettuner.tasks.memory.store import client
from nettuner.tasks.memory.tags import WINNER_STATE


def log_state(state: Path, run_id: str) -> None:
    """Store a state as an artifact of the search's run; for a worker process.

    Args:
        state: Path of the state.
        run_id: Id of the search's run.
    """
    with TemporaryDirectory() as folder:
        named = Path(folder, WINNER_STATE)
        shutil.copyfile(state, named)
        client().log_artifact(run_id, str(named))
