"""Tables of learning curves of our own networks, for `make bench-early`.

Run: python tests/benchmarks/early_maker.py mlp        (or cnn, transformer; some minutes each)

Trains every configuration of a grid (early_spaces.py) for 50 epochs on one thread, those of one
structure in stacks, and writes curves/NAME.npz: `score`, the validation loss after each epoch
[configurations, epochs], NaN from where it diverged, and `seconds` of an epoch [configurations], as
measured for each structure with one network alone: what a configuration costs depends on no other.
"""

from __future__ import annotations

import csv
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from early_spaces import SPACES, STRUCTURAL, grid

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.number_words import english
from nettuner.models.stacks.trials import run_stack
from nettuner.models.study import Proposal, Study
from nettuner.models.training.job import Job
from nettuner.models.training.loop import fit, prepared
from nettuner.tasks.plan import Plan, make_plan

CURVES = Path(__file__).parent / "curves"
EPOCHS = 50
LEARNERS = {"mlp": "mlp", "cnn": "cnn", "transformer": "text_classifier"}
# What is not searched.
FIXED = {"cnn": {"batch_size": 256}, "transformer": {"batch_size": 128}}
SENTENCES = 1000
# Epochs of a training that is timed, of which the first is left out.
TIMED = 8


def comparisons(folder: Path) -> dict[str, str]:
    """Sentences such as "forty two is more than nineteen", and whether they are true."""
    rng = np.random.default_rng(0)
    rows = [("sentence", "label")]
    for one, other in rng.integers(0, 100, (SENTENCES, 2)).tolist():
        more = bool(rng.integers(2))
        sentence = f"{english(one)} is {'more' if more else 'less'} than {english(other)}"
        rows.append((sentence.replace("-", " "), "true" if (one > other) == more else "false"))
    file = folder / "comparisons.csv"
    with file.open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows(rows)
    return {"source": "sentences", "path": str(file), "text": "sentence", "target": "label"}


def plan_of(name: str, folder: Path) -> Plan:
    """The digits for images, comparisons of numbers in words for a Transformer."""
    return make_plan(
        Study.model_validate(
            {
                "name": name,
                "learner": LEARNERS[name],
                "data": comparisons(folder) if name == "transformer" else "digits",
                "metric": "val_loss",
                "epochs": EPOCHS,
                "space": {**SPACES[name], **FIXED.get(name, {})},
                "strategy": "grid",
            }
        )
    )


def together(plan: Plan, proposals: list[Proposal], folder: Path) -> None:
    """Train configurations of one structure; their metrics are left in the folder."""
    jobs = [
        Job(plan.study, plan.goal, p, folder / f"{p.number}.jsonl", end=folder / f"{p.number}.st")
        for p in proposals
    ]
    run_stack(jobs, keep_all=False, choices=folder / "choices")


def curve(log: Path) -> np.ndarray:
    """Validation loss after each epoch, NaN from where it diverged."""
    found = np.full(EPOCHS, np.nan)
    for line in log.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        if "val_loss" in told["metrics"]:
            found[told["step"] - 1] = told["metrics"]["val_loss"]
    return found


def seconds(plan: Plan, params: Mapping[str, Any]) -> float:
    """CPU seconds of an epoch of one network alone on one thread, the median of some."""
    assert plan.study.data is not None
    data = load(plan.study.data)
    learner = prepared(learners.find(plan.study.learner), data)  # type: ignore[arg-type]
    ends = [
        time.process_time()
        for _ in fit(learner, data, params, plan.study.length, seed=(0, 0), until=TIMED)
    ]
    return float(np.median(np.diff(ends)))


def table(name: str, folder: Path) -> dict[str, np.ndarray]:
    """Scores and seconds of all configurations."""
    plan, rows = plan_of(name, folder), grid(SPACES[name])
    structural = [dimension for dimension in SPACES[name] if dimension in STRUCTURAL]
    taken = np.zeros(len(rows))
    for values in itertools.product(*(SPACES[name][each]["values"] for each in structural)):
        alike = [k for k, row in enumerate(rows) if [row[s] for s in structural] == [*values]]
        taken[alike] = seconds(plan, {**rows[alike[len(alike) // 2]], **FIXED.get(name, {})})
        together(plan, [Proposal(k, {**rows[k], **FIXED.get(name, {})}) for k in alike], folder)
        print(f"{name}: {dict(zip(structural, values, strict=True))}, {taken[alike[0]]:.4f} s")
    score = np.stack([curve(folder / f"{k}.jsonl") for k in range(len(rows))])
    return {"score": score.astype(np.float32), "seconds": taken.astype(np.float32)}


def main() -> None:
    """Make the table that is named."""
    torch.set_num_threads(1)
    name = sys.argv[1]
    CURVES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        np.savez_compressed(CURVES / f"{name}.npz", **table(name, Path(folder)))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
