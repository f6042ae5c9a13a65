"""How busy the GPUs of this machine are while a search runs, as `nvidia-smi` tells."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from nettuner.tasks.workers.accelerators import ask, nvidia_smi

# Interval between two samples [s]; each starts a program.
SAMPLE_SECONDS = 5.0


class Utilisation:
    """Samples of the utilisation of each GPU, by its identifier."""

    def __init__(self) -> None:
        self._samples: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def add(self, uuid: str, percent: str, at: float) -> None:
        """Add a sample; one that is not told is passed over.

        Args:
            uuid: Identifier of the GPU.
            percent: Utilisation [%], as `nvidia-smi` writes it.
            at: Time of the sample [s], of the monotonic clock.
        """
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
    """Sample while the block runs, in a thread."""
    found, ended = Utilisation(), threading.Event()
    thread = threading.Thread(target=_sample, args=(found, ended), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _sample(found: Utilisation, ended: threading.Event) -> None:
    """Sample until the end, or until `nvidia-smi` fails."""
    program = nvidia_smi()
    while program is not None:
        try:
            rows = ask(program, "uuid", "utilization.gpu")
        except (OSError, subprocess.SubprocessError):
            return
        at = time.monotonic()
        for uuid, percent in rows:
            found.add(uuid, percent, at)
        if ended.wait(SAMPLE_SECONDS):
            return
