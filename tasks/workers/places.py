"""Places: where on this machine the trials of a search run, one worker at each."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice

from nettuner.tasks.workers.accelerators import Accelerator
from nettuner.tasks.workers.utilisation import Utilisation

# With it cuBLAS gives the same bits again, whatever else runs.
SAME_BITS = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


@dataclass(frozen=True)
class Place:
    """Where a worker runs: on a CPU, or on one accelerator. Several places may be alike.

    Args:
        accelerator: The one accelerator that its worker sees; None for a CPU.
        hides: Whether a worker on a CPU may see no GPU; else it sees what the command does.
        deterministic: Whether its trainings are to give the same bits whenever they are repeated.
        imports: Names of modules that its worker imports: the first before its first call, others
            when it has nothing to do.
        elsewhere: Whether it is on another machine, whichever is free.
    """

    accelerator: Accelerator | None = None
    hides: bool = False
    deterministic: bool = False
    imports: tuple[str, ...] = ()
    elsewhere: bool = False

    @property
    def device(self) -> str:
        """The device as torch names it there: cpu, cuda or mps."""
        return "cpu" if self.accelerator is None else self.accelerator.kind

    @property
    def shown(self) -> str:
        """The device for people, with the name of the accelerator."""
        return "cpu" if self.accelerator is None else self.accelerator.shown

    @property
    def environment(self) -> dict[str, str]:
        """What a worker's environment has to say before it touches CUDA."""
        return {**self._visible, **(SAME_BITS if self.deterministic else {})}

    @property
    def _visible(self) -> dict[str, str]:
        if self.accelerator is None:
            return {"CUDA_VISIBLE_DEVICES": ""} if self.hides else {}
        if self.accelerator.kind != "cuda":
            return {}
        # Numbers are then those of `nvidia-smi`, not by speed.
        order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        return {**order, "CUDA_VISIBLE_DEVICES": self.accelerator.handle}


# Where a call runs that trains nothing: as the command itself does.
HERE = Place()
# The same for what talks to MLflow or logs a model, so that only one worker waits for its imports.
STORE = Place(imports=("nettuner.tasks.memory.ahead", "nettuner.models.training.exporting"))


def on_accelerators(
    accelerators: Sequence[Accelerator], count: int, deterministic: bool = False
) -> list[Place]:
    """Places on accelerators, so many on all of them together, evenly spread."""
    spread = islice(cycle(accelerators), count)
    return [Place(one, deterministic=deterministic) for one in spread]


@dataclass(frozen=True)
class Stay:
    """A trial's time at a place.

    Args:
        place: The place.
        began: Time since when [s], of the monotonic clock.
        watch: Records of how busy GPUs are; None where nobody watches.
    """

    place: Place
    began: float
    watch: Utilisation | None = None

    @property
    def utilisation(self) -> float | None:
        """How busy its GPU was since then on average [%]; None if unknown."""
        if self.watch is None or self.place.accelerator is None:
            return None
        return self.watch.mean(self.place.accelerator.uuid, self.began)


class Places:
    """The places of a search; each is one trial's, or one stack's, at a time.

    Args:
        places: Places, in the order in which they are given away.
        why: Why it is these, in a sentence; empty where the study says so itself.
        watch: Records of how busy GPUs are; None where nobody watches.
    """

    def __init__(
        self, places: Sequence[Place], why: str = "", watch: Utilisation | None = None
    ) -> None:
        self.why = why
        self._count = len(places)
        self._watch = watch
        self._free: queue.SimpleQueue[Place] = queue.SimpleQueue()
        for place in places:
            self._free.put(place)

    @property
    def count(self) -> int:
        """How many trials, or stacks, can run at once; elsewhere it changes."""
        return self._count

    def when_changed(self, tell: Callable[[], None]) -> None:
        """What to call, from any thread, when the count has changed; here it never does."""

    @contextmanager
    def one(self) -> Iterator[Stay]:
        """A free place while the block runs; waits for one."""
        place = self._free.get()
        try:
            yield Stay(place, time.monotonic(), self._watch)
        finally:
            self._free.put(place)
