"""Plans and results of searches as plain values, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nettuner.flows.commands.show import grid_size

if TYPE_CHECKING:
    from nettuner.flows.engine.search import SearchResult
    from nettuner.models.study import Goal, Trial
    from nettuner.tasks.plan import Plan


def of_plan(plan: Plan) -> dict[str, Any]:
    """A study that makes sense, and what follows from it."""
    study = plan.study
    return {
        "study": study.name,
        "learner": study.learner,
        "data": plan.data_name or None,
        "fingerprint": plan.fingerprint or None,
        "rows": dict(plan.profile.rows) if plan.profile is not None else None,
        "metric": plan.goal.metric,
        "direction": plan.goal.direction,
        "strategy": plan.strategy_name,
        "width": plan.width,
        "runner": study.runner.name,
        "devices": [accelerator.device for accelerator in plan.accelerators],
        "trials": plan.trials,
        "rounds": study.rounds or None,
        "unit": study.unit if study.rounds else None,
        "grid": _grid(plan),
        "hyperparameters": [
            {
                "name": name,
                "distribution": getattr(dimension, "distribution", None),
                "values": dimension.support(),
                "when": dimension.when,
                "structural": name in plan.structural,
            }
            for name, dimension in study.space.items()
        ],
        "warnings": list(plan.profile.warnings) if plan.profile is not None else [],
    }


def of_result(result: SearchResult, plan: Plan) -> dict[str, Any]:
    """What came of a search."""
    assert result.best is not None
    return {
        "study": plan.study.name,
        "search": result.name,
        "strategy": plan.strategy_name,
        "metric": plan.goal.metric,
        "direction": plan.goal.direction,
        "best": _of_trial(result.best, plan.goal),
        "test": dict(result.test),
        "finals": [_of_trial(trial, plan.goal) for trial in result.finals],
        "trials": len(result.trials),
        "failed": sum(not trial.succeeded for trial in result.trials),
        "ended": result.ended,
        "run_id": result.run_id,
        "url": result.url,
    }


def _of_trial(trial: Trial, goal: Goal) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "value": None if trial.score is None else goal.value(trial.score),
        "hyperparameters": dict(trial.proposal.params),
        "seconds": trial.seconds,
    }


def _grid(plan: Plan) -> int | None:
    try:
        return grid_size(plan)
    except ValueError:  # too large, or of dimensions that have none
        return None
