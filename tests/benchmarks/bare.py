"""What a training takes as a trial beside the same loop run bare.

Run: python tests/benchmarks/bare.py      (about two minutes, on a machine that does nothing else)

Both run in turn in this process, now the one first and now the other, so that what else the machine
does meets both alike: a loop of one's own with a context (its rounds are seeded, its metrics
written to the log, its state saved), and a network that is trained from a `DataLoader`, beside the
loop that people write for it.

Prints the median of the ratios of the pairs with its bootstrap error, and exits with status 1 if a
trial takes over 3 % longer than the bare loop.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from bare_projects import EPOCHS, RATE, bare_loader, bare_loop

from nettuner.models.arrays import Floats
from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training.job import Job
from nettuner.models.training.trial import run

HERE = Path(__file__).parent
SECONDS = 50.0  # of each project
FEWEST = 16  # pairs
RESAMPLES = 2000
MOST = 1.03


def study(name: str, **more: object) -> Study:
    """A study of one of the projects."""
    given = {
        "name": name,
        "metric": "val_loss",
        "direction": "minimize",
        "epochs": EPOCHS,
        "space": {"learning_rate": RATE},
        "stop": {"trials": 1},
        **more,
    }
    return Study.model_validate(given)


def trial(asked: Study, folder: Path) -> None:
    """One trial, as a worker runs it."""
    job = Job(
        asked,
        Goal("val_loss", "minimize"),
        Proposal(0, {"learning_rate": RATE}),
        folder / "trial-0.jsonl",
        end=folder / "trial-0.safetensors",
    )
    run(job)


def seconds(action: Callable[[], object]) -> float:
    """Wall time of a call [s]."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def pairs(bare: Callable[[], object], ours: Callable[[], object]) -> Floats:
    """Wall times [pairs, 2] of both [s]; every other pair is timed the other way round."""
    found: list[tuple[float, float]] = []
    began = time.perf_counter()
    while len(found) < FEWEST or time.perf_counter() - began < SECONDS:
        if len(found) % 2:
            after, before = seconds(ours), seconds(bare)
        else:
            before, after = seconds(bare), seconds(ours)
        found.append((before, after))
    return np.array(found)


def error_of_median(values: Floats) -> float:
    """Standard deviation of the medians of bootstrap samples (Efron 1979)."""
    rng = np.random.default_rng(0)
    samples = rng.choice(values, (RESAMPLES, len(values)))
    return float(np.median(samples, axis=1).std())


def main() -> int:
    """Time all, print, judge."""
    torch.set_num_threads(1)
    place = HERE / "bare_projects.py"
    loop = study("bare-loop", learner=f"{place}:train")
    loader = study("bare-loader", learner=f"{place}:Net", data=f"{place}:data")
    slow = False
    print(f"{'':<30}{'pairs':>6}{'bare [s]':>10}{'trial [s]':>11}{'ratio':>8}{'error':>8}")
    with tempfile.TemporaryDirectory() as found:
        folder = Path(found)
        rows: dict[str, tuple[Callable[[], object], Study]] = {
            "a loop of one's own": (bare_loop, loop),
            "a network, from a DataLoader": (bare_loader, loader),
        }
        for what, (bare, asked) in rows.items():
            bare()
            trial(asked, folder)
            times = pairs(bare, partial(trial, asked, folder))
            theirs, ours = np.median(times, axis=0)
            ratios = times[:, 1] / times[:, 0]
            ratio, error = float(np.median(ratios)), error_of_median(ratios)
            slow |= ratio > MOST
            print(
                f"{what:<30}{len(times):>6}{theirs:>10.3f}{ours:>11.3f}{ratio:>8.3f}{error:>8.3f}"
            )
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
