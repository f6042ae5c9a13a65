"""Configurations per minute on one thread: halving in stacks beside whole trainings in stacks."""

from __future__ import annotations

import itertools
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from in_process import job_of

from nettuner.models.learners import find
from nettuner.models.stacks.trials import run_stack
from nettuner.models.study import Proposal, Study, Trial
from nettuner.models.training.failure import Failure
from nettuner.tasks.plan import Plan, make_plan

CONFIGURATIONS, EPOCHS, TIMES = 64, 27, 2.5
REPEATS = 3
STUDY: dict[str, Any] = {
    "name": "stacks",
    "learner": "mlp",
    "data": "digits",
    "metric": "val_loss",
    "epochs": EPOCHS,
    "stop": {"trials": CONFIGURATIONS},
    "space": {
        "learning_rate": {"distribution": "log-uniform", "low": 1e-4, "high": 0.3},
        "dropout": {"distribution": "uniform", "low": 0, "high": 0.5},
        "hidden": [32, 64],
    },
}


def alike(proposals: list[Proposal], history: list[Trial]) -> list[list[Proposal]]:
    """Those that can be one stack: of one width, from one round to another."""

    def of(proposal: Proposal) -> tuple[Any, ...]:
        parent = None if proposal.parent is None else history[proposal.parent].proposal
        return proposal.params["hidden"], (parent and parent.until) or 0, proposal.until or EPOCHS

    return [list(group) for _, group in itertools.groupby(sorted(proposals, key=of), key=of)]


def train(plan: Plan, folder: Path) -> int:
    """Train what the strategy proposes, until nothing is left; the number of epochs."""
    history: list[Trial] = []
    while proposals := plan.strategy.propose(
        plan.study.space,
        history,
        [],
        CONFIGURATIONS - len(history) if plan.study.strategy.name == "random" else CONFIGURATIONS,
    ):
        done: dict[int, Trial] = {}
        for group in alike(proposals, history):
            parents = [None if p.parent is None else history[p.parent] for p in group]
            jobs = [job_of(plan, folder, p, t) for p, t in zip(group, parents, strict=True)]
            outcomes = run_stack(jobs, keep_all=True, choices=folder / "choices").outcomes
            for job, outcome in zip(jobs, outcomes, strict=True):
                found = Trial(job.proposal, checkpoint=str(job.end))
                if not isinstance(outcome, Failure):
                    found = replace(found, score=outcome.score, rounds=outcome.rounds)
                done[job.proposal.number] = found
        history += [done[proposal.number] for proposal in proposals]
    return sum(trial.rounds for trial in history)


def stack_speed() -> int:
    """Print configurations per minute of both; 1 if halving is not so many times as fast."""
    torch.set_num_threads(1)
    assert find("mlp")
    taken: dict[str, list[float]] = {}
    for seed in range(REPEATS + 1):
        for strategy in ("random", "successive_halving"):
            plan = make_plan(Study.model_validate({**STUDY, "strategy": strategy, "seed": seed}))
            with tempfile.TemporaryDirectory() as folder:
                began = time.process_time()
                epochs = train(plan, Path(folder))
                taken.setdefault(strategy, []).append(time.process_time() - began)
            print(f"seed {seed}, {strategy}: {taken[strategy][-1]:.1f} CPU s, {epochs} epochs")
    # The first one imports and reads the data.
    minutes = {name: sum(times[1:]) / 60 / REPEATS for name, times in taken.items()}
    rates = {name: CONFIGURATIONS / each for name, each in minutes.items()}
    ratio = rates["successive_halving"] / rates["random"]
    print(f"configurations per minute: { {k: round(v) for k, v in rates.items()} }, x {ratio:.1f}")
    return int(ratio < TIMES)
