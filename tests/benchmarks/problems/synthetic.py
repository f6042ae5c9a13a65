"""Functions that are known: smooth, bent, rugged, of many dimensions, mixed and conditional."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from problem import Dimensions, Params, Problem, made


def reals(names: str, low: float, high: float) -> Dimensions:
    """Dimensions of equal range."""
    return {name: {"distribution": "uniform", "low": low, "high": high} for name in names.split()}


def branin() -> Problem:
    """Three equal minima in two dimensions. Source: Dixon & Szego (1978)."""

    def loss(params: Params) -> float:
        x, y = params["x"], params["y"]
        valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
        return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10

    return made("branin", reals("x", -5, 10) | reals("y", 0, 15), loss, 0.39788735772973816)


HARTMANN_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8],
     [17, 8, 0.05, 10, 0.1, 14]]
)  # fmt: skip
HARTMANN_P = 1e-4 * np.array(
    [[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
     [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]]
)  # fmt: skip
HARTMANN_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])


def hartmann6() -> Problem:
    """Six dimensions, four wells. Source: Dixon & Szego (1978)."""
    names = [f"x{i}" for i in range(6)]

    def loss(params: Params) -> float:
        x = np.array([params[name] for name in names])
        inner = np.sum(HARTMANN_A * (x - HARTMANN_P) ** 2, axis=1)
        return -float(HARTMANN_ALPHA @ np.exp(-inner))

    return made("hartmann6", reals(" ".join(names), 0, 1), loss, -3.322368011391339)


def rosenbrock4() -> Problem:
    """A bent valley in four dimensions. Source: Rosenbrock (1960)."""

    def loss(params: Params) -> float:
        x = [params[f"x{i}"] for i in range(4)]
        return sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(3))

    return made("rosenbrock4", reals("x0 x1 x2 x3", -2, 2), loss, 0.0)


def ackley5() -> Problem:
    """Many shallow minima round a deep one, off the centre. Source: Ackley (1987)."""

    def loss(params: Params) -> float:
        x = np.array([params[f"x{i}"] - (1.5 + i) for i in range(5)])
        bowl = 20 * math.exp(-0.2 * math.sqrt(float(np.mean(x**2))))
        ripple = math.exp(float(np.mean(np.cos(2 * math.pi * x))))
        return 20 + math.e - bowl - ripple

    return made("ackley5", reals("x0 x1 x2 x3 x4", -10, 15), loss, 0.0)


def hidden4_of_20() -> Problem:
    """Twenty dimensions of which four matter: two wells and a slope in x2, x7, x11, x16."""

    def loss(params: Params) -> float:
        a, b, c, d = (params[name] for name in ("x2", "x7", "x11", "x16"))
        well = math.exp(-(((a - 0.2) / 0.25) ** 2) - ((b - 0.7) / 0.35) ** 2)
        other = 0.7 * math.exp(-(((a - 0.8) / 0.25) ** 2) - ((b - 0.3) / 0.35) ** 2)
        return 1 - max(well, other) + 0.5 * (c - 0.9) ** 2 + 0.3 * abs(d - 0.35)

    return made("hidden4_of_20", reals(" ".join(f"x{i}" for i in range(20)), 0, 1), loss, 0.0)


def mixed() -> Problem:
    """Two numbers, two integers, an ordered and two unordered choices that interact."""
    space: Dimensions = {
        "learning_rate": {"distribution": "log-uniform", "low": 1e-5, "high": 1.0},
        "dropout": {"distribution": "uniform", "low": 0.0, "high": 0.8},
        "layers": {"distribution": "integer", "low": 1, "high": 8},
        "units": {"distribution": "integer", "low": 8, "high": 1024, "log": True},
        "batch": {"distribution": "choice", "values": [8, 16, 32, 64, 128], "ordered": True},
        "activation": {"distribution": "choice", "values": ["relu", "tanh", "gelu", "selu"]},
        "optimizer": {"distribution": "choice", "values": ["sgd", "adam", "rmsprop"]},
    }
    ideal_rate = {"sgd": -1.2, "adam": -3.0, "rmsprop": -3.4}
    handicap = {"sgd": 0.15, "adam": 0.0, "rmsprop": 0.1}
    shape = {"relu": 0.05, "tanh": 0.4, "gelu": 0.0, "selu": 0.25}

    def loss(params: Params) -> float:
        rate = math.log10(params["learning_rate"])
        rate -= ideal_rate[params["optimizer"]] + 0.2 * math.log2(params["batch"] / 32)
        size = math.log2(params["units"] / 300) / 2
        deep = shape[params["activation"]] * params["layers"] / 4
        depth = 0.08 * abs(params["layers"] - 3)
        drop = (params["dropout"] - 0.1 - 0.08 * max(size, 0)) ** 2
        noise = 0.03 * abs(math.log2(params["batch"] / 32))
        rough = 1 - math.exp(-0.8 * rate**2)
        return handicap[params["optimizer"]] + rough + 0.2 * size**2 + deep + depth + drop + noise

    # The best: adam at 1e-3, gelu, 3 layers, 300 units, batches of 32, dropout 0.1.
    return made("mixed", space, loss, 0.0)


def conditional() -> Problem:
    """Which dimensions exist depends on the optimiser and on whether layers are dropped out."""
    space: Dimensions = {
        "optimizer": {"distribution": "choice", "values": ["sgd", "adam", "lbfgs"]},
        "sgd_rate": {
            "distribution": "log-uniform", "low": 1e-4, "high": 1.0, "when": {"optimizer": "sgd"}
        },
        "momentum": {
            "distribution": "uniform", "low": 0.0, "high": 0.99, "when": {"optimizer": "sgd"}
        },
        "adam_rate": {
            "distribution": "log-uniform", "low": 1e-5, "high": 0.1, "when": {"optimizer": "adam"}
        },
        "beta": {
            "distribution": "uniform", "low": 0.5, "high": 0.999, "when": {"optimizer": "adam"}
        },
        "memory": {
            "distribution": "integer", "low": 3, "high": 30, "when": {"optimizer": "lbfgs"}
        },
        "regular": {"distribution": "choice", "values": ["none", "dropout", "decay"]},
        "dropout": {
            "distribution": "uniform", "low": 0.0, "high": 0.8, "when": {"regular": "dropout"}
        },
        "decay": {
            "distribution": "log-uniform", "low": 1e-6, "high": 1.0, "when": {"regular": "decay"}
        },
        "units": {"distribution": "integer", "low": 4, "high": 512, "log": True},
    }  # fmt: skip

    def loss(params: Params) -> float:
        size = math.log2(params["units"] / 90)
        total = 0.04 * size**2
        if params["optimizer"] == "sgd":  # more momentum wants a lower rate
            rate = math.log10(params["sgd_rate"]) + 0.8 + 1.2 * (params["momentum"] - 0.5)
            total += 0.3 * rate**2 + 0.5 * (params["momentum"] - 0.85) ** 2
        elif params["optimizer"] == "adam":
            rate = math.log10(params["adam_rate"]) + 2.7
            total += 0.12 + 0.25 * rate**2 + 0.4 * (params["beta"] - 0.88) ** 2
        else:
            total += 0.35 + 0.005 * abs(params["memory"] - 17)
        if params["regular"] == "none":
            return total + 0.15
        if params["regular"] == "dropout":
            return total + 0.7 * (params["dropout"] - 0.3) ** 2
        return total + 0.05 + 0.06 * (math.log10(params["decay"]) + 3) ** 2

    # The best: sgd with momentum 0.85 at its rate, dropout of 0.3, 90 units.
    return made("conditional", space, loss, 0.0)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    function.__name__: function
    for function in (branin, rosenbrock4, hidden4_of_20, mixed, hartmann6, ackley5, conditional)
}
