"""Processes that outlive the command that starts them, and are nobody's child."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from nettuner.tasks.home import home
from nettuner.tasks.private import OTHERS

LARGEST_LOG = 5 * 2**20
# The process that is started here leaves another one behind.
LEAVE_BEHIND = "import os, sys; os.fork() and os._exit(0); os.execv(sys.argv[1], sys.argv[1:])"


def leave_behind(module: str, *words: str, log: Path) -> None:
    """Start a module as a process of its own, with this home; does not wait for it.

    Args:
        module: Name of the module.
        words: Its arguments.
        log: File to which all that it prints is appended; one that is long begins anew.

    Raises:
        OSError: There can be no process, or the log cannot be written.
        CalledProcessError: The same.
    """
    with log.open("ab") as file:
        if file.tell() > LARGEST_LOG:
            file.truncate(0)
        subprocess.run(
            [sys.executable, "-ISc", LEAVE_BEHIND, sys.executable, "-P", "-m", module, *words],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd=home(),
            env={**os.environ, "NETTUNER_HOME": str(home())},
            start_new_session=True,
            umask=OTHERS,
            check=True,
        )
