"""nettuner's Bayesian search on the benchmark's problems, whole and with parts taken out.

Answers jobs `optimiser problem seed` like opponents.py. An optimiser is `nettuner`, or one of
`VARIANTS`: what each of its ingredients is worth shows when it is left out.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import problems
from problems import Problem
from scipy.stats import norm, rankdata, yeojohnson

from nettuner.models.space import Params, Space
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.strategies import bayesian
from nettuner.tasks.strategies.bayesian import (
    Bayesian,
    candidates,
    expectation,
    gaussian_process,
    marginal_likelihood,
    targets,
    trend,
)
from nettuner.tasks.strategies.bayesian.coordinates import Coordinates

BUDGET = 50
Patches = list[contextlib.AbstractContextManager[object]]


Found = tuple[np.ndarray, float] | None


def ranked(scores: np.ndarray) -> Found:
    """Normal scores by rank."""
    return targets.in_units(norm.ppf(rankdata(scores) / (len(scores) + 1)))


def powers(scores: np.ndarray) -> Found:
    """Scores after the power that makes them most like a Gaussian (Yeo & Johnson 2000)."""
    found = targets.standardised(scores)
    return None if found is None else targets.in_units(yeojohnson(found)[0])


def half_ranked(scores: np.ndarray) -> Found:
    """The worse half by rank, the better half as it is, as Google's Vizier does."""
    found = targets.standardised(scores)
    if found is None:
        return None
    median = np.median(found)
    better = found < median
    spread = math.sqrt(float(np.mean((found[better] - median) ** 2))) if better.any() else 1.0
    places = rankdata(found) / (len(found) + 1)
    tail = median + spread * norm.ppf(np.maximum(places, 0.5))
    return targets.in_units(np.where(better, found, tail))


def instead(transformed: Callable[[np.ndarray], Found] = targets.in_units) -> Patches:
    """Another transformation of the scores, and none by likelihood."""

    def as_they_are(columns: Any, groups: Any, scores: Any, known: Any, trend: Any) -> Any:
        return scores, known

    return set_to(expectation, in_units=transformed, warped=as_they_are)


def set_to(module: object, **values: object) -> Patches:
    """Constants or functions of a module replaced."""
    return [patch.object(module, name, value) for name, value in values.items()]


def column_groups(coordinates: Coordinates) -> np.ndarray:
    """A length scale for each column, as one-hot encoding usually has it."""
    return np.arange(coordinates.columns(coordinates.points([])).shape[1])


VARIANTS: dict[str, tuple[str, Callable[[], Patches]]] = {
    "one_start": (
        "the fit is started once instead of three times",
        lambda: set_to(gaussian_process, RESTARTS=0),
    ),
    "more_starts": ("... or seven times", lambda: set_to(gaussian_process, RESTARTS=6)),
    "flat_lengths": (
        "all length scales are equally likely beforehand",
        lambda: set_to(marginal_likelihood, LENGTH_STD=100.0),
    ),
    "long_lengths": (
        "length scales as Hvarfner et al. (2024) have them",
        lambda: set_to(marginal_likelihood, LENGTH_MEAN=math.sqrt(2)),
    ),
    "level_zero": (
        "the level of the scores is their mean",
        lambda: set_to(trend, LEVEL=0.0),
    ),
    "scale_a_column": (
        "each value of a choice has a length scale of its own",
        lambda: [patch.object(Coordinates, "groups", property(column_groups))],
    ),
    "no_slopes": ("no slopes in the trend", lambda: set_to(trend, SLOPES=0.0)),
    "no_bowl": ("no bowl in the trend", lambda: set_to(trend, BOWL=0.0, BELIEF=0.0)),
    "no_trend": (
        "a level alone",
        lambda: set_to(trend, SLOPES=0.0, BOWL=0.0, BELIEF=0.0),
    ),
    "own_scale": ("scores on their own scale", instead),
    "start_everywhere": (
        "start points come from the whole range",
        lambda: set_to(bayesian, MIDST=1.0),
    ),
    "outliers_kept": ("no score is pulled in", lambda: set_to(targets, FAR=1e9)),
    "powers": (
        "scores are transformed by Yeo and Johnson's power",
        lambda: instead(powers),
    ),
    "ranks": ("scores are replaced by ranks", lambda: instead(ranked)),
    "half_ranks": (
        "the worse half of the scores is replaced by ranks",
        lambda: instead(half_ranked),
    ),
    "no_local_search": (
        "candidates come from everywhere and near the best trials only",
        lambda: set_to(candidates, RADII=()),
    ),
    "no_flips": (
        "no neighbours in one listed value",
        lambda: [patch.object(Coordinates, "flips", lambda self, points, rng: points[:0])],
    ),
    "more_candidates": (
        "four times the candidates",
        lambda: set_to(candidates, EVERYWHERE=2000, PROMISING=20),
    ),
}
# Other settings of the strategy, as a study may give them.
SETTINGS: dict[str, tuple[str, dict[str, object]]] = {
    "repeats": ("configurations may be repeated (repeat: true)", {"repeat": True}),
    "explore_half": ("explore: 0.5", {"explore": 0.5}),
    "explore_twice": ("explore: 2", {"explore": 2}),
    "start_of_25": ("half of the budget fills the space (initial: 25)", {"initial": 25}),
}


def failures_unbelieved() -> Patches:
    """Whether trials work is learned, but not that nothing is to be gained beside a failed one."""
    learned = expectation._learned

    def without(*given: Any) -> Any:
        found = learned(*given)
        return found and (replace(found[0], failed=found[0].failed[:0]), found[1])

    return set_to(expectation, _learned=without)


def failing(name: str, problem: Problem, seed: int) -> Callable[[Params], float | None]:
    """The loss of a problem whose trials fail: `flaky` one in five, `diverging` in one corner."""
    rng = np.random.default_rng([seed, 1])
    if name == "flaky":
        return lambda params: None if rng.random() < 0.2 else problem.loss(params)
    if name == "diverging":
        edge = {"mixed": ("learning_rate", 0.03), "hartmann6": ("x0", 0.5)}[problem.name]
        return lambda params: None if float(params[edge[0]]) > edge[1] else problem.loss(params)
    return problem.loss


def worst_instead(history: list[Trial]) -> list[Trial]:
    """A history whose failed trials have the worst score of the others, as is often done."""
    worst = max((trial.score for trial in history if trial.score is not None), default=None)
    return [trial if trial.succeeded else Trial(trial.proposal, worst) for trial in history]


def searched(
    strategy: Bayesian,
    space: Space,
    loss: Callable[[Params], float | None],
    width: int = 1,
    told: Callable[[list[Trial]], list[Trial]] = list,
) -> Iterator[float]:
    """The losses in order, of trials that end in the order of their start, `width` in flight."""
    history: list[Trial] = []
    flying: list[Proposal] = []
    while True:
        flying += strategy.propose(space, told(history), flying, width - len(flying))
        proposal = flying.pop(0)
        score = loss(proposal.params)
        history.append(Trial(proposal, score))
        yield math.inf if score is None else score


def run(optimiser: str, problem: Problem, seed: int) -> list[float]:
    """The losses of one search."""
    space = Space.model_validate(problem.space)
    name, _, failure = optimiser.partition("+")
    settings = SETTINGS[name][1] if name in SETTINGS else {}
    strategy = Bayesian.model_validate({"seed": seed, "budget": BUDGET, **settings})
    width = int(name.removeprefix("width_")) if name.startswith("width_") else 1
    with contextlib.ExitStack() as stack:
        for change in VARIANTS[name][1]() if name in VARIANTS else []:
            stack.enter_context(change)
        for change in failures_unbelieved() if name == "unbelieved" else []:
            stack.enter_context(change)
        told = worst_instead if name == "worst_scores" else list
        search = searched(strategy, space, failing(failure, problem, seed), width, told)
        return [next(search) for _ in range(BUDGET)]


def proposal_seconds(problem: Problem, finished: list[int]) -> dict[str, float]:
    """CPU seconds of a proposal after so many finished trials; the median of five."""
    space = Space.model_validate(problem.space)
    found = {}
    for count in finished:
        rng = np.random.default_rng(count)
        drawn = [space.sample(rng) for _ in range(count)]
        history = [Trial(Proposal(k, p), problem.loss(p)) for k, p in enumerate(drawn)]
        times = []
        for seed in range(6):
            began = time.process_time()
            Bayesian(seed=seed, budget=BUDGET).propose(space, history, [], 1)
            times.append(time.process_time() - began)
        found[str(count)] = float(np.median(times[1:]))  # the first one imports
    return found


def main() -> None:
    """Answer each job on a line of standard input."""
    loaded: dict[str, Problem] = {}
    for line in sys.stdin:
        optimiser, name, seed = line.split()
        if name not in loaded:
            loaded[name] = problems.load(name)
        began = time.process_time()
        losses = run(optimiser, loaded[name], int(seed))
        seconds = time.process_time() - began
        answer = {"optimiser": optimiser, "problem": name, "seed": int(seed), "losses": losses}
        print(json.dumps({**answer, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
