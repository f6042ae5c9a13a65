"""Optuna's samplers and pruners on curves that are looked up, through their public interfaces.

Runs in an environment of its own (requirements-early.txt), without nettuner: reads jobs
`search problem seed` from standard input, writes one JSON line for each. Ordered choices are
integers to them, which is kinder than unordered ones, and a whole training counts by its lowest
score. A configuration that is in no table is replaced by the nearest row that is left, and they are
told of that one.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import early_tables
import numpy as np
import optuna
from early_tables import Curve, LookUp, Problem, family_of
from early_trace import HORIZON, Trace
from opponents import levels, suggested

SAMPLERS = {
    "TPE": optuna.samplers.TPESampler,
    "GPSampler": optuna.samplers.GPSampler,
    "RandomSampler": optuna.samplers.RandomSampler,
}
PRUNERS = ("HyperbandPruner", "SuccessiveHalvingPruner", "MedianPruner")


def pruner(name: str, problem: Problem) -> Any:
    """A pruner as it comes, from the first round on."""
    if name == "HyperbandPruner":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=problem.rounds)
    if name == "SuccessiveHalvingPruner":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=1)
    return optuna.pruners.MedianPruner()


def asked(study: Any, problem: Problem, look_up: LookUp) -> tuple[Any, Curve | None]:
    """A trial with the curve of its configuration."""
    trial = study.ask()
    params = {name: suggested(trial, name, d) for name, d in problem.space.items()}
    curve = look_up(params)
    if curve is None or curve.params == params:
        return trial, curve
    study.tell(trial, state=optuna.trial.TrialState.FAIL)
    study.enqueue_trial(
        {
            name: ordered.index(curve.params[name])
            if (ordered := levels(dimension))
            else curve.params[name]
            for name, dimension in problem.space.items()
        }
    )
    trial = study.ask()
    for name, dimension in problem.space.items():
        suggested(trial, name, dimension)
    return trial, curve


def train(study: Any, trial: Any, curve: Curve, problem: Problem, trace: Trace) -> None:
    """Train until the pruner ends it, or it diverges."""
    for round_ in range(1, problem.rounds + 1):
        score = float(curve.score[round_ - 1])
        trace.train(curve, round_ - 1, round_)
        trial.report(score, round_)
        if not np.isfinite(score) or (round_ < problem.rounds and trial.should_prune()):
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return
    study.tell(trial, float(curve.score.min()))


def answer(name: str, problem: Problem, seed: int) -> dict[str, Any]:
    """The trace of one search."""
    sampler, _, pruning = name.partition("+")
    np.random.seed(seed)  # noqa: NPY002 - HyperbandPruner has no seed of its own
    study = optuna.create_study(
        study_name=f"{name} {problem.name} {seed}",  # what HyperbandPruner draws brackets by
        sampler=SAMPLERS[sampler](seed=seed),
        pruner=pruner(pruning, problem),
    )
    trace, look_up = Trace(problem, HORIZON[family_of(problem.name)]), problem.look_up()
    while not trace.is_over:
        trial, curve = asked(study, problem, look_up)
        if curve is None:
            break
        train(study, trial, curve, problem, trace)
    return {**trace.answer(), "trials": len(study.trials)}


def main() -> None:
    """Answer each job on a line of standard input."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is not an answer
    with threadpool_limits(1):
        for line in sys.stdin:
            search, problem, seed = line.split()
            job = {"optimiser": search, "problem": problem, "seed": int(seed)}
            found = answer(search, early_tables.load(problem), int(seed))
            print(json.dumps(job | found), file=answers, flush=True)


if __name__ == "__main__":
    main()
