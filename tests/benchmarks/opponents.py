"""Other optimisers on the same problems, through their public interfaces.

Runs in an environment of its own (`requirements-opponents.txt`), without nettuner: reads jobs
`optimiser problem seed` from standard input, writes one JSON line for each to standard output.
Ordered choices are given to others as integers, which is kinder to them than unordered ones.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import problems
from problems import Params, Problem, as_list

Loss = Callable[[Params], float]
Run = Iterator[float]


def levels(dimension: dict[str, Any]) -> list[Any] | None:
    """The values of an ordered choice, which others see as integers from 0."""
    return dimension["values"] if dimension.get("ordered") else None


def active(space: problems.Dimensions, params: Params) -> dict[str, Any]:
    """A flat configuration without the dimensions that conditions switch off."""
    found: dict[str, Any] = {}
    for name, dimension in space.items():
        when = dimension.get("when", {})
        if all(found.get(parent) in as_list(wanted) for parent, wanted in when.items()):
            found[name] = params[name]
    return found


def random(problem: Problem, seed: int) -> Run:
    """Independent draws."""
    rng = np.random.default_rng(seed)
    while True:
        yield problem.loss(problems.sample(problem.space, rng))


def optuna(sampler: Any, problem: Problem) -> Run:
    """Optuna's define-by-run interface, conditions as branches."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=sampler)
    while True:
        trial = study.ask()
        params: dict[str, Any] = {}
        for name, dimension in problem.space.items():
            when = dimension.get("when", {})
            if all(params.get(parent) in as_list(wanted) for parent, wanted in when.items()):
                params[name] = suggested(trial, name, dimension)
        loss = problem.loss(params)
        study.tell(trial, loss)
        yield loss


def suggested(trial: Any, name: str, dimension: dict[str, Any]) -> Any:
    """The value that Optuna suggests for one dimension."""
    ordered = levels(dimension)
    if ordered:
        return ordered[trial.suggest_int(name, 0, len(ordered) - 1)]
    if "values" in dimension:
        return trial.suggest_categorical(name, dimension["values"])
    low, high, log = dimension["low"], dimension["high"], dimension.get("log", False)
    if dimension["distribution"] == "integer":
        return trial.suggest_int(name, low, high, log=log)
    return trial.suggest_float(name, low, high, log=dimension["distribution"] == "log-uniform")


def optuna_tpe(problem: Problem, seed: int) -> Run:
    """Optuna's default."""
    from optuna.samplers import TPESampler

    return optuna(TPESampler(seed=seed), problem)


def optuna_gp(problem: Problem, seed: int) -> Run:
    """Optuna's Gaussian process."""
    from optuna.samplers import GPSampler

    return optuna(GPSampler(seed=seed), problem)


def skopt(problem: Problem, seed: int, **settings: Any) -> Run:
    """scikit-optimize's ask and tell; inactive dimensions are asked for and ignored."""
    from skopt import Optimizer
    from skopt.space import Categorical, Integer, Real

    def dimension_of(name: str, dimension: dict[str, Any]) -> Any:
        ordered = levels(dimension)
        if ordered:
            return Integer(0, len(ordered) - 1, name=name)
        if "values" in dimension:
            return Categorical(dimension["values"], name=name)
        low, high = dimension["low"], dimension["high"]
        if dimension["distribution"] == "integer":
            prior = "log-uniform" if dimension.get("log") else "uniform"
            return Integer(low, high, prior=prior, name=name)
        return Real(low, high, prior=dimension["distribution"], name=name)

    optimizer = Optimizer(
        [dimension_of(name, dimension) for name, dimension in problem.space.items()],
        random_state=seed,
        **settings,
    )
    while True:
        point = optimizer.ask()
        params = {
            name: (levels(problem.space[name]) or {value: value})[value]
            for name, value in zip(problem.space, point, strict=True)
        }
        loss = problem.loss(active(problem.space, params))
        optimizer.tell(point, loss)
        yield loss


def skopt_default(problem: Problem, seed: int) -> Run:
    """Its defaults: gp_hedge."""
    return skopt(problem, seed)


def skopt_ei(problem: Problem, seed: int) -> Run:
    """Expected improvement."""
    return skopt(problem, seed, acq_func="EI")


def smac(problem: Problem, seed: int) -> Run:
    """SMAC3's facade for hyperparameters: a random forest."""
    import logging
    import tempfile

    from ConfigSpace import (
        Categorical,
        ConfigurationSpace,
        EqualsCondition,
        Float,
        InCondition,
        Integer,
    )
    from smac import HyperparameterOptimizationFacade, Scenario
    from smac.runhistory.dataclasses import TrialValue

    logging.disable(logging.CRITICAL)

    def dimension_of(name: str, dimension: dict[str, Any]) -> Any:
        ordered = levels(dimension)
        if ordered:
            return Integer(name, (0, len(ordered) - 1))
        if "values" in dimension:
            return Categorical(name, dimension["values"])
        bounds = (dimension["low"], dimension["high"])
        if dimension["distribution"] == "integer":
            return Integer(name, bounds, log=bool(dimension.get("log")))
        return Float(name, bounds, log=dimension["distribution"] == "log-uniform")

    space = ConfigurationSpace(seed=seed)
    space.add([dimension_of(name, dimension) for name, dimension in problem.space.items()])
    for name, dimension in problem.space.items():
        for parent, wanted in dimension.get("when", {}).items():
            condition = InCondition if isinstance(wanted, list) else EqualsCondition
            space.add(condition(space[name], space[parent], wanted))
    with tempfile.TemporaryDirectory() as folder:
        scenario = Scenario(
            space, deterministic=True, n_trials=BUDGET, seed=seed, output_directory=folder
        )
        facade = HyperparameterOptimizationFacade(
            scenario, lambda config, seed=0: 0.0, overwrite=True, logging_level=False
        )
        while True:
            info = facade.ask()
            params = {
                name: (levels(problem.space[name]) or {value: value})[value]
                for name, value in dict(info.config).items()
            }
            loss = problem.loss(params)
            facade.tell(info, TrialValue(cost=loss))
            yield loss


OPTIMISERS: dict[str, Callable[[Problem, int], Run]] = {
    "random": random,
    "optuna_tpe": optuna_tpe,
    "optuna_gp": optuna_gp,
    "skopt_default": skopt_default,
    "skopt_ei": skopt_ei,
    "smac": smac,
}
BUDGET = 50


def proposal_seconds(optimiser: str, finished: list[int]) -> dict[str, float]:
    """CPU seconds from one result to the next after so many trials; the median of five."""
    search = OPTIMISERS[optimiser](problems.load("hartmann6"), 0)
    times = []
    for _ in range(max(finished) + 3):
        began = time.process_time()
        next(search)
        times.append(time.process_time() - began)
    return {str(count): float(np.median(times[count - 2 : count + 3])) for count in finished}


def main() -> None:
    """Answer each job on a line of standard input; `seconds OPTIMISER N,N` for proposal times."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    threadpool_limits(1)
    loaded: dict[str, Problem] = {}
    for line in sys.stdin:
        optimiser, name, seed = line.split()
        if optimiser == "seconds":
            found = proposal_seconds(name, [int(count) for count in seed.split(",")])
            print(json.dumps(found), flush=True)
            continue
        if name not in loaded:
            loaded[name] = problems.load(name)
        began = time.process_time()
        search = OPTIMISERS[optimiser](loaded[name], int(seed))
        losses = [next(search) for _ in range(BUDGET)]
        seconds = time.process_time() - began
        answer = {"optimiser": optimiser, "problem": name, "seed": int(seed), "losses": losses}
        print(json.dumps({**answer, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
