"""Toys for population based training: what it is good at, and what misleads it. Needs numpy.

Run: python tests/benchmarks/toy.py       (seconds)

`PAPER` is figure 2 of Jaderberg et al. (2017), arXiv:1711.09846: each member climbs a surrogate of
which it sees one half, and only weights that are handed on climb both.

Two toys deceive whoever compares members early. `HILLS`: theta moves at a constant speed, to the
left up to a hill of 0.6 whose slope begins at once, or to the right through a valley up to one of
1.2; on the way to the higher one everything is worse than at the start for the first half, and
worse than the near top for three quarters. `NOISE`: gradient descent on a noisy quadratic; lowering
the learning rate improves the score at once, and slows down the flat direction for good
(short-horizon bias: Wu et al. 2018, arXiv:1803.02021). Its moments are computed exactly, so it has
no randomness of its own.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nettuner.models.space import Params, Space
from nettuner.models.study import Proposal, Trial, best
from nettuner.tasks.strategies.population import Population

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Toy:
    """Something that trains in no time.

    Args:
        space: Of its hyperparameters.
        start: The weights at first.
        step: One step of training: weights and hyperparameters to weights.
        quality: Of weights, higher is better; its negative is the score.
        steps: Of a whole training.
        interval: Steps between two comparisons.
        configurations: What members start with if they are not drawn.
    """

    space: Space
    start: Floats
    step: Callable[[Floats, Params], Floats]
    quality: Callable[[Floats], float]
    steps: int = 200
    interval: int = 4
    configurations: tuple[Params, ...] = ()

    def trained(self, weights: Floats, params: Params, steps: int) -> Floats:
        """The weights some steps later."""
        for _ in range(steps):
            weights = self.step(weights, params)
        return weights

    def alone(self, params: Params) -> float:
        """The quality that one member reaches by itself."""
        return self.quality(self.trained(self.start, params, self.steps))


def _uniform(low: float, high: float) -> dict[str, Any]:
    return {"distribution": "uniform", "low": low, "high": high}


def _both(theta: Floats) -> float:
    return 1.2 - float(np.square(theta).sum())


def _climbed(theta: Floats, params: Params) -> Floats:
    h = np.array([params["h0"], params["h1"]], dtype=float)
    return theta - 0.01 * 2 * h * theta  # the gradient of 1.2 - sum(h * theta^2)


PAPER = Toy(
    Space.model_validate({"h0": _uniform(0, 1), "h1": _uniform(0, 1)}),
    np.array([0.9, 0.9]),
    _climbed,
    _both,
    configurations=({"h0": 1.0, "h1": 0.0}, {"h0": 0.0, "h1": 1.0}),
)

HILLS = Toy(
    Space.model_validate({"pull": _uniform(-1, 1)}),
    np.array([0.0]),
    lambda theta, params: np.clip(theta + 0.01 * float(params["pull"]), -0.6, 1.2),
    lambda theta: float(max(0.6 - abs(theta[0] + 0.6), 1.2 - 2 * abs(theta[0] - 1.2))),
)

CURVATURES = np.array([1.0, 0.01])


def _second_moments(moments: Floats, params: Params) -> Floats:
    """E[theta_i^2] after theta -= rate * c * (theta + noise), the noise of variance 1."""
    shrunk = float(params["rate"]) * CURVATURES
    return np.square(1 - shrunk) * moments + np.square(shrunk)


NOISE = Toy(
    Space.model_validate({"rate": {"distribution": "log-uniform", "low": 1e-3, "high": 1.0}}),
    np.array([100.0, 100.0]),
    _second_moments,
    lambda moments: -float((CURVATURES * moments).sum() / 2),
)


def ours(
    toy: Toy,
    seed: int,
    size: int = 2,
    uneven: bool = False,
    fails: Callable[[Proposal], bool] = lambda _: False,
    **settings: Any,
) -> list[Trial]:
    """The trials of a population on a toy, in the order in which they end.

    Args:
        toy: What is trained.
        seed: Of the population, and of the members' speed.
        size: Members.
        uneven: Every segment takes a random time, evenly between 0.5 and 1.5, and a member is
            asked for whenever one has ended; else everybody ends together.
        fails: Which segments fail.
        settings: Other settings of the population.
    """
    first = [dict(params) for params in toy.configurations[:size]]
    population = Population.model_validate(
        {
            "size": size, "interval": toy.interval, "rounds": toy.steps, "seed": seed,
            "try_first": first, **settings,
        }
    )  # fmt: skip
    rng = np.random.default_rng([seed, 1])
    weights: dict[int, Floats] = {}
    history: list[Trial] = []
    flying: list[tuple[float, int, Proposal]] = []
    now = 0.0
    while True:
        pending = [proposal for *_, proposal in flying]
        for proposal in population.propose(toy.space, history, pending, size):
            takes = rng.uniform(0.5, 1.5) if uneven else 1.0
            heapq.heappush(flying, (now + takes, proposal.number, proposal))
        if not flying:
            return history
        now, _, ended = heapq.heappop(flying)
        history.append(_trained(toy, ended, history, weights, fails(ended)))


def _trained(
    toy: Toy, proposal: Proposal, history: list[Trial], weights: dict[int, Floats], failed: bool
) -> Trial:
    before, begun = toy.start, 0
    if proposal.parent is not None:
        parent = next(t for t in history if t.number == proposal.parent)
        before, begun = weights[parent.number], parent.proposal.until or 0
    weights[proposal.number] = toy.trained(before, proposal.params, (proposal.until or 0) - begun)
    score = None if failed else -toy.quality(weights[proposal.number])
    return Trial(proposal, score, rounds=(proposal.until or 0) - begun)


def reached(trials: list[Trial]) -> float:
    """The quality of the best trial, as an early winner may stay the best."""
    winner = best(trials)
    return float("-inf") if winner is None or winner.score is None else -winner.score


VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "truncation": {},
    "tournament": {"selection": "tournament"},
    "asynchronous": {"asynchronous": True, "uneven": True},
    "asynchronous tournament": {
        "asynchronous": True, "uneven": True, "selection": "tournament",
    },
}  # fmt: skip


def alone(toy: Toy, seed: int, size: int) -> float:
    """The best of as many members without exploit and explore: a grid, or a random search."""
    configurations = list(toy.configurations[:size]) or [
        toy.space.sample(np.random.default_rng([seed, member])) for member in range(size)
    ]
    return max(toy.alone(params) for params in configurations)


def main() -> None:
    """Print what each variant reaches on each toy: worst, median and best of 20 seeds."""
    for name, toy, size in (
        ("paper", PAPER, 2),
        ("paper", PAPER, 8),
        ("hills", HILLS, 16),
        ("noise", NOISE, 16),
    ):
        rows = {"each alone": [alone(toy, seed, size) for seed in range(20)]}
        for variant, settings in VARIANTS.items():
            rows[variant] = [reached(ours(toy, seed, size, **settings)) for seed in range(20)]
        for variant, values in rows.items():
            low, middle, high = np.quantile(values, [0, 0.5, 1])
            print(f"{name:6} {size:2} {variant:24} {low:9.4f} {middle:9.4f} {high:9.4f}")


if __name__ == "__main__":
    main()
