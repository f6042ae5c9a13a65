"""A hyperparameter schedule as proposals for a replay, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.tasks.strategies.population.lineage import Phase, ancestry

FILE = "schedule.json"


def proposals(phases: Sequence[Phase], member: int) -> list[Proposal]:
    """One member's training from scratch, a segment for each phase."""
    return [
        Proposal(number, phase.params, number - 1 if number else None, member, phase.until)
        for number, phase in enumerate(phases)
    ]


def written(
    study: Study, goal: Goal, trials: Sequence[Trial], winner: Trial, phases: Sequence[Phase]
) -> dict[str, Any]:
    """A winner's schedule as JSON, in rounds and in training steps.

    Args:
        study: Study that was searched.
        goal: Goal of the study.
        trials: All segments of the population.
        winner: Last segment that was trained on the schedule.
        phases: Phases of the schedule.
    """
    return {
        "study": study.name,
        "seed": study.seed,
        "member": winner.proposal.member,
        "trial": winner.number,
        "ancestry": [trial.number for trial in ancestry(trials, winner)],
        "metric": goal.metric,
        "value": None if winner.score is None else goal.value(winner.score),
        "rounds_are": study.unit,
        "steps_are": "optimiser steps" if study.steps else "epochs",
        "phases": [
            {
                "from_round": phase.first,
                "until_round": phase.until,
                "from_step": study.step_after(phase.first),
                "until_step": study.step_after(phase.until),
                "hyperparameters": dict(phase.params),
            }
            for phase in phases
        ],
    }
