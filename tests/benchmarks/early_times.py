"""How long a proposal takes after 1,000 segments: CPU seconds of one core."""

from __future__ import annotations

import time

import early_tables
import numpy as np
from early_ours import STRATEGIES, trial
from threadpoolctl import threadpool_limits

from nettuner.models.space import Space
from nettuner.models.study import Proposal, Trial

SEGMENTS, REPEATS, MOST = 1000, 7, 0.2
TIMED = ("freeze_thaw", "successive_halving")


def halved(problem: early_tables.Problem, rungs: list[int], count: int) -> list[Trial]:
    """So many segments: all configurations to the first rung, the better half to the next ..."""
    space, look_up = Space.model_validate(problem.space), problem.look_up()
    rng = np.random.default_rng(0)
    history: list[Trial] = []
    curves, going = {}, []
    for member in range(count // 2):
        curve = look_up(space.sample(rng))
        assert curve is not None
        curves[member] = curve
        going.append(Proposal(member, curve.params, None, member, rungs[0]))
    done = 0
    for rung, further in zip(rungs, [*rungs[1:], 0], strict=True):
        ended = [trial(p, curves[p.member or 0], done, rung) for p in going]
        history += ended
        ranked = sorted((t for t in ended if t.succeeded), key=lambda t: t.score or 0.0)
        going = [
            Proposal(len(history) + k, t.proposal.params, t.number, t.proposal.member, further)
            for k, t in enumerate(ranked[: len(going) // 2])
        ]
        done = rung
    return history[:count]


def seconds(name: str) -> float:
    """The median of the proposals of some seeds, each with a further segment."""
    problem = early_tables.load(early_tables.names("taskset")[0])
    space, times = Space.model_validate(problem.space), []
    history: list[Trial] = []
    for seed in range(REPEATS + 1):
        strategy = STRATEGIES[name](problem, seed)
        rungs = list(strategy.rungs)  # type: ignore[attr-defined]
        history = history or halved(problem, rungs, SEGMENTS)
        with threadpool_limits(1):
            began = time.process_time()
            strategy.propose(space, history, [], 1)
            times.append(time.process_time() - began)
    return float(np.median(times[1:]))  # the first one imports


def proposal_times() -> dict[str, float]:
    """Seconds by strategy."""
    return {name: round(seconds(name), 4) for name in TIMED}
