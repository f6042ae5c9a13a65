"""What a training takes as a trial beside the same loop run bare.

Run: python tests/benchmarks/bare.py      (a minute on two cores)

Both run in turn in this process, so that what else the machine does meets both alike: a loop of
one's own with a context (its rounds are seeded, its metrics written to the log, its state saved),
and a network that is trained from a `DataLoader`, beside the loop that people write for it.

Prints a table, and exits with status 1 if a trial takes over 3 % longer than the bare loop.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from bare_projects import EPOCHS, RATE, bare_loader, bare_loop

from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training.job import Job
from nettuner.models.training.trial import run

HERE = Path(__file__).parent
REPETITIONS = 15
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


def main() -> int:
    """Time all, print, judge."""
    torch.set_num_threads(1)
    place = HERE / "bare_projects.py"
    loop = study("bare-loop", learner=f"{place}:train")
    loader = study("bare-loader", learner=f"{place}:Net", data=f"{place}:data")
    slow = False
    print(f"{'':<34}{'bare [s]':>10}{'trial [s]':>10}{'ratio':>8}{'error':>8}")
    with tempfile.TemporaryDirectory() as found:
        folder = Path(found)
        rows: dict[str, tuple[Callable[[], object], Study]] = {
            "a loop of one's own": (bare_loop, loop),
            "a network, from a DataLoader": (bare_loader, loader),
        }
        for what, (bare, asked) in rows.items():
            bare()
            trial(asked, folder)
            pairs = [
                (seconds(bare), seconds(lambda asked=asked: trial(asked, folder)))
                for _ in range(REPETITIONS)
            ]
            ratios = [ours / theirs for theirs, ours in pairs]
            ratio = statistics.median(ratios)
            error = statistics.stdev(ratios) / REPETITIONS**0.5
            slow |= ratio > MOST
            theirs, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(f"{what:<34}{theirs:>10.3f}{ours:>10.3f}{ratio:>8.3f}{error:>8.3f}")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
