"""How busy the GPUs of this machine are while a search runs, as `nvidia-smi` tells."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from nettuner.tasks.workers.accelerators import nvidia_smi

# Interval between two samples [s].
SAMPLE_SECONDS = 2


class Utilisation:
    """Samples of the utilisation of each GPU, by its identifier."""

    def __init__(self) -> None:
        self._samples: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def add(self, line: str, at: float) -> None:
        """Add a line of `nvidia-smi`, an identifier and a percentage; others are passed over.

        Args:
            line: Line.
            at: Time of the sample [s], of the monotonic clock.
        """
        uuid, _, percent = (part.strip() for part in line.partition(","))
        if percent.isdigit():
            self._samples[uuid].append((at, float(percent)))

    def mean(self, uuid: str, since: float) -> float | None:
        """The mean utilisation of a GPU [%]; None without any sample.

        Args:
            uuid: Identifier of the GPU.
            since: Time of the first sample that counts [s], of the monotonic clock.
        """
        found = [percent for at, percent in self._samples.get(uuid, ()) if at >= since]
        return sum(found) / len(found) if found else None


@contextmanager
def watched() -> Iterator[Utilisation]:
    """Sample while the block runs, by one process that tells again and again."""
    found, program = Utilisation(), nvidia_smi()
    if program is None:
        yield found
        return
    query = ("--query-gpu=uuid,utilization.gpu", "--format=csv,noheader,nounits")
    process = subprocess.Popen(
        [program, *query, f"--loop={SAMPLE_SECONDS}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # Ctrl-C in a terminal is handled by the search
    )
    thread = threading.Thread(target=_read, args=(process, found), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        thread.join()


def _read(process: subprocess.Popen[str], found: Utilisation) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            found.add(line, time.monotonic())
