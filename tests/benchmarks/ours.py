"""nettuner's Bayesian search on the benchmark's problems, whole and with parts taken out.

Answers jobs `optimiser problem seed` like opponents.py. An optimiser is `nettuner`, `width_4`, or
one of variants.py; `+flaky` or `+diverging` behind its name makes trials fail.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import families
import numpy as np
import variants
from problem import BUDGET, JUDGED_AFTER, Problem

from nettuner.models.space import Params, Space
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.strategies.bayesian import Bayesian


def failing(name: str, problem: Problem, seed: int) -> Callable[[Params], float | None]:
    """The loss of a problem whose trials fail: `flaky` one in five, `diverging` in one corner."""
    rng, loss = np.random.default_rng([seed, 1]), problem.trials(seed)
    if name == "flaky":
        return lambda params: None if rng.random() < 0.2 else loss(params)
    if name == "diverging":
        edge = {"mixed": ("learning_rate", 0.03), "hartmann6": ("x0", 0.5)}[problem.name]
        return lambda params: None if float(params[edge[0]]) > edge[1] else loss(params)
    return loss


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
) -> Iterator[list[Trial]]:
    """The trials so far, which end in the order of their start, `width` in flight."""
    history: list[Trial] = []
    flying: list[Proposal] = []
    while True:
        flying += strategy.propose(space, told(history), flying, width - len(flying))
        proposal = flying.pop(0)
        history.append(Trial(proposal, loss(proposal.params)))
        yield history


def chosen(strategy: Any, space: Space, history: list[Trial], problem: Problem) -> float:
    """The true loss of the trial that a search would answer with."""
    trial = strategy.winner(space, history)
    assert trial is not None
    return problem.loss(trial.proposal.params)


def answer(optimiser: str, problem: Problem, seed: int) -> dict[str, Any]:
    """One search: its losses and, where trials are noisy, the true losses of what it chose."""
    began = time.process_time()
    space = Space.model_validate(problem.space)
    name, _, failure = optimiser.partition("+")
    settings = variants.SETTINGS[name][1] if name in variants.SETTINGS else {}
    strategy = Bayesian.model_validate({"seed": seed, "budget": BUDGET, **settings})
    width = int(name.removeprefix("width_")) if name.startswith("width_") else 1
    found: dict[str, float] = {}
    history: list[Trial] = []
    with contextlib.ExitStack() as stack:
        for change in variants.patches(name):
            stack.enter_context(change)
        told = worst_instead if name == "worst_scores" else list
        search = searched(strategy, space, failing(failure, problem, seed), width, told)
        while len(history) < BUDGET:
            history = next(search)
            if problem.noisy and len(history) in JUDGED_AFTER:
                found[str(len(history))] = chosen(strategy, space, history, problem)
    losses = [math.inf if trial.score is None else trial.score for trial in history]
    return {"losses": losses, "chosen": found, "seconds": time.process_time() - began}


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
            loaded[name] = families.load(name)
        job = {"optimiser": optimiser, "problem": name, "seed": int(seed)}
        print(json.dumps(job | answer(optimiser, loaded[name], int(seed))), flush=True)


if __name__ == "__main__":
    main()
