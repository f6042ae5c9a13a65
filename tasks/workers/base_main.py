"""The process that all others are forked from: it has imported what every trial needs, no more.

It stands by for one command, or, as a resident, for all commands of a home. For each search it
forks a process of its own, so that nothing of one search meets another. It has a single thread and
never touches CUDA, so that it can be forked.
"""

from __future__ import annotations

import socket
import sys

from nettuner.tasks.listener import Listener
from nettuner.tasks.uncollected import uncollected


def main() -> None:
    """Import, then fork a process for every search that knocks.

    Arguments: file descriptor of the door, a listening socket; the time [s] after which a resident
    without any search ends, or 0 to end with its standard input; and names of modules that a
    resident imports when nobody waits for it.
    """
    door, idle, later = socket.socket(fileno=int(sys.argv[1])), float(sys.argv[2]), sys.argv[3:]
    with uncollected():
        from nettuner.models import preload  # noqa: F401 - children have it from here
        from nettuner.tasks.workers.forker import serve_search

    Listener(door, idle, serve_search, later).run()


if __name__ == "__main__":
    main()
