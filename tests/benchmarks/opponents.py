"""Other optimisers on the same problems, through their public interfaces.

Runs in environments of their own (`requirements-opponents.txt`, `requirements-hebo.txt`), without
nettuner: reads jobs `optimiser problem seed` from standard input, writes one JSON line for each to
standard output. Ordered choices are given to others as integers, which is kinder to them than
unordered ones.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import families
import numpy as np
from problem import BUDGET, JUDGED_AFTER, Dimensions, Params, Problem, as_list, sample

# The loss of each trial as it was seen, and what the optimiser would answer with then.
Run = Iterator[tuple[float, Callable[[], Params]]]


def levels(dimension: dict[str, Any]) -> list[Any] | None:
    """The values of an ordered choice, which others see as integers from 0."""
    return dimension["values"] if dimension.get("ordered") else None


def active(space: Dimensions, params: Params) -> dict[str, Any]:
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
    seen = problem.trials(seed)
    tried: list[Params] = []
    losses: list[float] = []
    while True:
        tried.append(sample(problem.space, rng))
        losses.append(seen(tried[-1]))
        yield losses[-1], lambda: tried[int(np.argmin(losses))]


def optuna(sampler: Any, problem: Problem, seed: int) -> Run:
    """Optuna's define-by-run interface, conditions as branches."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=sampler)
    seen = problem.trials(seed)
    tried: list[Params] = []
    while True:
        trial = study.ask()
        params: dict[str, Any] = {}
        for name, dimension in problem.space.items():
            when = dimension.get("when", {})
            if all(params.get(parent) in as_list(wanted) for parent, wanted in when.items()):
                params[name] = suggested(trial, name, dimension)
        loss = seen(params)
        study.tell(trial, loss)
        tried.append(params)
        yield loss, lambda: tried[study.best_trial.number]


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

    return optuna(TPESampler(seed=seed), problem, seed)


def optuna_gp(problem: Problem, seed: int) -> Run:
    """Optuna's Gaussian process."""
    from optuna.samplers import GPSampler

    return optuna(GPSampler(seed=seed), problem, seed)


def of_levels(space: Dimensions, given: Params) -> dict[str, Any]:
    """A configuration whose ordered choices are indices, with their values."""
    found = {name: (levels(space[name]) or {value: value})[value] for name, value in given.items()}
    return {name: found[name] for name in space if name in found}


def skopt_default(problem: Problem, seed: int) -> Run:
    """scikit-optimize's ask and tell with its defaults: gp_hedge.

    Inactive dimensions are asked for and ignored.
    """
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

    space = problem.space
    optimizer = Optimizer([dimension_of(*item) for item in space.items()], random_state=seed)
    seen = problem.trials(seed)
    tried: list[Params] = []
    while True:
        point = optimizer.ask()
        tried.append(active(space, of_levels(space, dict(zip(space, point, strict=True)))))
        loss = seen(tried[-1])
        optimizer.tell(point, loss)
        yield loss, lambda: tried[int(np.argmin(optimizer.yi))]


def smac(problem: Problem, seed: int) -> Run:
    """SMAC3's facade for hyperparameters: a random forest.

    Where trials are noisy, it is told so and repeats the best.
    """
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
            space,
            deterministic=problem.noisy is None,
            n_trials=BUDGET,
            seed=seed,
            output_directory=folder,
        )
        facade = HyperparameterOptimizationFacade(
            scenario, lambda config, seed=0: 0.0, overwrite=True, logging_level=False
        )
        seen = problem.trials(seed)

        def params_of(config: Any) -> dict[str, Any]:
            return of_levels(problem.space, dict(config))

        while True:
            info = facade.ask()
            loss = seen(params_of(info.config))
            facade.tell(info, TrialValue(cost=loss))
            yield loss, lambda: params_of(facade.intensifier.get_incumbent())


def hebo(problem: Problem, seed: int) -> Run:
    """HEBO: a warped Gaussian process and several acquisition functions.

    Inactive dimensions are asked for and ignored. It draws from the global generators.
    """
    import torch
    from hebo.design_space.design_space import DesignSpace
    from hebo.optimizers.hebo import HEBO

    np.random.seed(seed)  # noqa: NPY002 - what it draws from
    torch.manual_seed(seed)

    def dimension_of(name: str, dimension: dict[str, Any]) -> dict[str, Any]:
        ordered = levels(dimension)
        if ordered:
            return {"name": name, "type": "int", "lb": 0, "ub": len(ordered) - 1}
        if "values" in dimension:
            return {"name": name, "type": "cat", "categories": dimension["values"]}
        whole = dimension["distribution"] == "integer"
        log = dimension.get("log") or dimension["distribution"] == "log-uniform"
        kind = {(False, False): "num", (False, True): "pow", (True, False): "int"}
        kind |= {(True, True): "pow_int"}
        bounds = {"lb": dimension["low"], "ub": dimension["high"]}
        return {"name": name, "type": kind[whole, bool(log)], **bounds}

    space = problem.space
    described = [dimension_of(name, dimension) for name, dimension in space.items()]
    optimizer = HEBO(DesignSpace().parse(described), scramble_seed=seed)
    seen = problem.trials(seed)

    def params_of(frame: Any) -> dict[str, Any]:
        row = {name: frame[name].iloc[0] for name in space}  # iloc[0] makes floats of integers
        return active(space, of_levels(space, row))

    while True:
        asked = optimizer.suggest()
        loss = seen(params_of(asked))
        optimizer.observe(asked, np.array([[loss]]))
        yield loss, lambda: params_of(optimizer.best_x)


OPTIMISERS: dict[str, Callable[[Problem, int], Run]] = {
    "random": random,
    "optuna_tpe": optuna_tpe,
    "optuna_gp": optuna_gp,
    "skopt_default": skopt_default,
    "smac": smac,
    "hebo": hebo,
}


def proposal_seconds(optimiser: str, finished: list[int]) -> dict[str, float]:
    """CPU seconds from one result to the next after so many trials; the median of five."""
    search = OPTIMISERS[optimiser](families.load("hartmann6"), 0)
    times = []
    for _ in range(max(finished) + 3):
        began = time.process_time()
        next(search)
        times.append(time.process_time() - began)
    return {str(count): float(np.median(times[count - 2 : count + 3])) for count in finished}


def answer(optimiser: str, problem: Problem, seed: int) -> dict[str, Any]:
    """One search: its losses and, where trials are noisy, the true losses of what it chose."""
    began = time.process_time()
    search = OPTIMISERS[optimiser](problem, seed)
    losses, chosen = [], {}
    for count in range(1, BUDGET + 1):
        loss, best = next(search)
        losses.append(loss)
        if problem.noisy and count in JUDGED_AFTER:
            chosen[str(count)] = problem.loss(best())
    seconds = time.process_time() - began
    return {"losses": losses, "chosen": chosen, "seconds": seconds}


def main() -> None:
    """Answer each job on a line of standard input; `seconds OPTIMISER N,N` for proposal times."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    threadpool_limits(1)
    loaded: dict[str, Problem] = {}
    # What a library prints is not an answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        optimiser, name, seed = line.split()
        if optimiser == "seconds":
            found = proposal_seconds(name, [int(count) for count in seed.split(",")])
            print(json.dumps(found), file=answers, flush=True)
            continue
        if name not in loaded:
            loaded[name] = families.load(name)
        job = {"optimiser": optimiser, "problem": name, "seed": int(seed)}
        print(
            json.dumps(job | answer(optimiser, loaded[name], int(seed))), file=answers, flush=True
        )


if __name__ == "__main__":
    main()
