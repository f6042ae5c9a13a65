"""nettuner's strategies on curves that are looked up, through `propose` alone.

Answers jobs `search problem seed` like opponents.py.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import early_tables
import numpy as np
from early_tables import Curve, Problem, Table, family_of
from early_trace import HORIZON, Trace
from threadpoolctl import threadpool_limits

from nettuner.models.curve import Point
from nettuner.models.space import Space
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.strategies import Strategy
from nettuner.tasks.strategies.bayesian import Bayesian
from nettuner.tasks.strategies.freeze_thaw import FreezeThaw, next_segment
from nettuner.tasks.strategies.random_search import RandomSearch
from nettuner.tasks.strategies.successive_halving import SuccessiveHalving

THREE_EACH = "three_rounds_then_best_3"
AMONG_ROWS = "freeze_thaw_among_rows"


def of_length(problem: Problem, seed: int) -> dict[str, Any]:
    """Settings of every strategy that continues; of a table, at most all rows can begin."""
    return {"seed": seed, "rounds": problem.rounds, "budget": problem.configurations}


def freeze_thaw(problem: Problem, seed: int) -> FreezeThaw:
    """As it is."""
    return FreezeThaw.model_validate(of_length(problem, seed))


def freeze_thaw_by_second(problem: Problem, seed: int) -> FreezeThaw:
    """By improvement per second."""
    return FreezeThaw.model_validate({**of_length(problem, seed), "per": "second"})


def successive_halving(problem: Problem, seed: int) -> SuccessiveHalving:
    """As it is."""
    return SuccessiveHalving.model_validate(of_length(problem, seed))


def halving_from_one(problem: Problem, seed: int) -> SuccessiveHalving:
    """From the first round on."""
    return SuccessiveHalving.model_validate({**of_length(problem, seed), "shortest": 1})


def hyperband(problem: Problem, seed: int) -> SuccessiveHalving:
    """All brackets, from the first round on."""
    brackets = len(halving_from_one(problem, seed).rungs)
    settings = {**of_length(problem, seed), "shortest": 1, "brackets": brackets}
    return SuccessiveHalving.model_validate(settings)


def bayesian(problem: Problem, seed: int) -> Bayesian:
    """Whole trainings; it knows how many there can be."""
    trials = HORIZON[family_of(problem.name)] // problem.rounds
    return Bayesian.model_validate({"seed": seed, "budget": trials})


def random(problem: Problem, seed: int) -> RandomSearch:
    """Whole trainings."""
    return RandomSearch.model_validate({"seed": seed})


STRATEGIES: dict[str, Callable[[Problem, int], Strategy]] = {
    "freeze_thaw": freeze_thaw,
    AMONG_ROWS: freeze_thaw,
    "freeze_thaw_per_second": freeze_thaw_by_second,
    "successive_halving": successive_halving,
    "successive_halving_from_1": halving_from_one,
    "hyperband": hyperband,
    "bayesian_in_full": bayesian,
    "random_in_full": random,
}


def trial(proposal: Proposal, curve: Curve, start: int, end: int) -> Trial:
    """A segment that ended: its score is that of its last round, as a study has it by default."""
    points = tuple(
        Point(k + 1, float(curve.score[k]), float(np.nan_to_num(curve.seconds[k], nan=1.0)))
        for k in range(start, end)
        if np.isfinite(curve.score[k])
    )
    failed = not np.isfinite(curve.score[end - 1])
    return Trial(
        replace(proposal, params=curve.params),
        None if failed else float(curve.score[end - 1]),
        "diverged" if failed else None,
        seconds=sum(point.seconds for point in points),
        rounds=end - start,
        curve=points,
    )


def searched(strategy: Strategy, problem: Problem, trace: Trace) -> list[Trial]:
    """Ask for one segment after another until the trace is over; one worker."""
    space, look_up = Space.model_validate(problem.space), problem.look_up()
    history: list[Trial] = []
    curves: dict[int, Curve] = {}
    while not trace.is_over:
        asked = strategy.propose(space, history, [], 1)
        if not asked:
            break
        (proposal,) = asked
        parent = None if proposal.parent is None else history[proposal.parent]
        curve = look_up(proposal.params) if parent is None else curves[parent.number]
        if curve is None:
            break
        start = (parent.proposal.until or 0) if parent else 0
        end = curve.end(proposal.until or problem.rounds)
        trace.train(curve, start, end)
        curves[proposal.number] = curve
        history.append(trial(proposal, curve, start, end))
    return history


def three_each(problem: Problem, seed: int, cost: int, trace: Trace) -> None:
    """Three rounds each, then the best three in full: it knows the cost beforehand."""
    space, look_up = Space.model_validate(problem.space), problem.look_up()
    rng = np.random.default_rng(seed)
    count = max(3, (cost - 3 * (problem.rounds - 3)) // 3)
    curves = [curve for _ in range(count) if (curve := look_up(space.sample(rng)))]
    for curve in curves:
        trace.train(curve, 0, curve.end(3))
    for curve in sorted(curves, key=lambda c: np.nan_to_num(c.score[2], nan=np.inf))[:3]:
        trace.train(curve, 3, max(curve.end(problem.rounds), 3))


def answer(name: str, problem: Problem, seed: int) -> dict[str, Any]:
    """The trace of one search; `three_rounds_then_best_3` has the cost behind its name."""
    what, _, cost = name.partition(":")
    if what == THREE_EACH:
        trace = Trace(problem, int(cost))
        three_each(problem, seed, int(cost), trace)
        return trace.answer()
    trace = Trace(problem, HORIZON[family_of(problem.name)])
    with contextlib.ExitStack() as stack:
        if what == AMONG_ROWS:
            assert isinstance(problem, Table)
            next_segment.few.cache_clear()
            rows = patch.object(next_segment, "lattice_of", lambda space, most: problem.rows)
            stack.enter_context(rows)
            stack.callback(next_segment.few.cache_clear)
        found = searched(STRATEGIES[what](problem, seed), problem, trace)
    return {**trace.answer(), "segments": len(found)}


def main() -> None:
    """Answer each job on a line of standard input."""
    with threadpool_limits(1):
        for line in sys.stdin:
            search, problem, seed = line.split()
            job = {"optimiser": search, "problem": problem, "seed": int(seed)}
            found = answer(search, early_tables.load(problem), int(seed))
            print(json.dumps(job | found), flush=True)


if __name__ == "__main__":
    main()
