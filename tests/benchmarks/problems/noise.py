"""Noisy problems: what counts is the true loss of the configuration that a search answers with.

Tables of networks whose every trial is another repetition, with another seed; and functions with
normal noise of 30 % of their range, from the optimum to the worst of many random configurations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from problem import DRAWS, Params, Problem, sample
from problems.synthetic import ackley5, hartmann6, hidden4_of_20, mixed
from tables import TABLES, grid_of, mean_table, table

NEEDS = TABLES
SHARE_OF_RANGE = 0.3


def repeated(name: str) -> Problem:
    """A table whose every trial is one of its repetitions."""
    axes, losses = table(name)
    _, place = grid_of(axes)

    def noisy(params: Params, rng: np.random.Generator) -> float:
        return float(rng.choice(losses[place(params)]))

    return replace(mean_table(name), name=f"noise_{name}", noisy=noisy)


def shaken(problem: Problem) -> Problem:
    """A problem with normal noise of 30 % of its range."""
    rng = np.random.default_rng(0)
    worst = max(problem.loss(sample(problem.space, rng)) for _ in range(DRAWS))
    std = SHARE_OF_RANGE * (worst - problem.optimum)

    def noisy(params: Params, rng: np.random.Generator) -> float:
        return problem.loss(params) + std * float(rng.normal())

    return replace(problem, name=f"noise_{problem.name}", noisy=noisy)


REPEATED = ("hpobench_australian", "hpobench_car", "hpobench_phoneme", "hpobench_kc1")
PROBLEMS: dict[str, Callable[[], Problem]] = {
    f"noise_{name}": lambda name=name: repeated(name) for name in REPEATED
} | {
    f"noise_{function.__name__}": lambda function=function: shaken(function())
    for function in (hartmann6, ackley5, hidden4_of_20, mixed)
}
