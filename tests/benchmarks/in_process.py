"""Training without Prefect, MLflow and workers, on one thread; a program of `measured`."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from measured import answering

from nettuner.models.stacks.trials import run_stack
from nettuner.models.study import Proposal, Study, Trial
from nettuner.models.training.failure import Failure
from nettuner.models.training.job import Job
from nettuner.models.training.trial import run
from nettuner.tasks.plan import Plan, make_plan


def work(job: dict[str, Any]) -> dict[str, Any]:
    """What a job asks for."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        return {"compared": compared, "trained": trained, "populations": populations}[job["what"]](
            job, Path(folder)
        )


def compared(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Seconds of the same configurations in stacks, and one by one; settling how included."""
    plan = make_plan(Study.model_validate(job["study"]))
    proposals = plan.strategy.propose(plan.study.space, [], [], job["configurations"])
    jobs = [job_of(plan, folder, proposal) for proposal in proposals]
    run(jobs[0])  # imports, and reads the data
    began = time.perf_counter()
    for one in jobs:
        run(one)
    between = time.perf_counter()
    outcomes = run_stack(jobs, keep_all=False, choices=folder / "choices").outcomes
    ended = time.perf_counter()
    failed = [outcome.reason for outcome in outcomes if isinstance(outcome, Failure)]
    return {"alone": between - began, "stacked": ended - between, "failed": failed}


def trained(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Seconds that each worker's members of a population take if nobody ever stops."""
    plan = make_plan(Study.model_validate(job["study"]))
    members = plan.strategy.propose(plan.study.space, [], [], job["members"])
    jobs = [replace(job_of(plan, folder, replace(p, until=None)), end=None) for p in members]
    run(jobs[0])
    share = len(jobs) // job["workers"]
    found = []
    for first in range(0, len(jobs), share):
        began = time.perf_counter()
        run_stack(jobs[first : first + share], keep_all=True, choices=folder / "choices")
        found.append(time.perf_counter() - began)
    return {"training": found}


def populations(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The best metric of a population for each seed, and of its first members if left alone."""
    found, alone = [], []
    for seed in job["seeds"]:
        plan = make_plan(Study.model_validate({**job["study"], "seed": seed}))
        history = population(plan, folder)
        found.append(plan.goal.value(min(t.score for t in history if t.score is not None)))
        first = [replace(t.proposal, until=None) for t in history if t.proposal.parent is None]
        scores = [run(job_of(plan, folder, proposal)).score for proposal in first]
        alone.append(plan.goal.value(min(scores)))
    return {"population": found, "alone": alone}


def population(plan: Plan, folder: Path) -> list[Trial]:
    """A whole population, a generation at a time; its states are left in the folder."""
    history: list[Trial] = []
    while proposals := plan.strategy.propose(plan.study.space, history, [], plan.trials or 0):
        jobs = [
            job_of(plan, folder, p, None if p.parent is None else history[p.parent])
            for p in proposals
        ]
        outcomes = run_stack(jobs, keep_all=True, choices=folder / "choices").outcomes
        for job, outcome in zip(jobs, outcomes, strict=True):
            score = None if isinstance(outcome, Failure) else outcome.score
            history.append(Trial(job.proposal, score, checkpoint=str(job.end)))
    return history


def job_of(plan: Plan, folder: Path, proposal: Proposal, parent: Trial | None = None) -> Job:
    """What a worker would be given."""
    return Job(
        plan.study,
        plan.goal,
        proposal,
        folder / f"{proposal.number}.jsonl",
        Path(parent.checkpoint) if parent and parent.checkpoint else None,
        folder / f"{proposal.number}.safetensors",
        (parent.proposal.until or 0) if parent else 0,
    )


if __name__ == "__main__":
    answering(work)
