"""What recording a stack's step is worth: seconds without it over seconds with it.

Run: .venv/bin/python tests/benchmarks/recording.py            (about a minute; prints a table)

Both are timed in turn in one process on one thread, so that a busy machine slows both alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.stacks import program
from nettuner.models.stacks.stack import Programs, Stack
from nettuner.models.training.batches import tensors
from nettuner.models.training.loop import facts

WORKLOADS = [("mlp", "iris"), ("mlp", "digits"), ("cnn", "digits"), ("gan", "digits")]
SIZES = (8, 32)
REPEATS = 9
STEPS = 20


@contextmanager
def unrecorded() -> Iterator[None]:
    """Replace recording by the function itself."""
    original = program.record
    program.record = lambda function, arguments: function
    try:
        yield
    finally:
        program.record = original


def stepper(learner_name: str, data: str, size: int) -> Callable[[], None]:
    """A function that trains a new stack for some steps; its program is made here."""
    dataset = load(Builtin(name=data))
    learner = learners.find(learner_name)(facts(dataset))
    params = [{"learning_rate": 0.001 * (k + 1)} for k in range(size)]
    seeds = [(0, k) for k in range(size)]
    stack = Stack(learner, params, seeds, Programs())
    arrays = tensors(dataset.train)

    def steps() -> None:
        with torch.no_grad():
            stack.train(*arrays, np.arange(STEPS))

    steps()
    return steps


def seconds(steps: Callable[[], None]) -> float:
    """Seconds of one step."""
    began = time.perf_counter()
    steps()
    return (time.perf_counter() - began) / STEPS


def main() -> None:
    """Time every workload and print the ratios."""
    torch.set_num_threads(1)
    print(f"{'learner, data':<16}{'members':>8}{'ms recorded':>13}{'ratio':>8}   smallest, largest")
    for learner, data in WORKLOADS:
        for size in SIZES:
            with unrecorded():
                plain = stepper(learner, data, size)
            recorded = stepper(learner, data, size)
            times = [(seconds(plain), seconds(recorded)) for _ in range(REPEATS)]
            ratios = sorted(without / with_ for without, with_ in times)
            taken = 1000 * statistics.median(with_ for _, with_ in times)
            middle = statistics.median(ratios)
            spread = f"{ratios[0]:.2f}, {ratios[-1]:.2f}"
            name = f"{learner}, {data}"
            print(f"{name:<16}{size:>8}{taken:>13.2f}{middle:>8.2f}   {spread}")


if __name__ == "__main__":
    main()
