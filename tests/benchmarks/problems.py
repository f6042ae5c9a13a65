"""Problems for searches to be compared on; needs numpy, and torch for the network's grid.

Every problem has a space in the notation of a study's YAML, a loss to minimise, the loss of its
optimum, and the median loss of random configurations. Regret is normalised by the two: 0 is the
optimum, 1 is what half of all random configurations beat.

The first half of the problems (`SETTINGS`) is for choosing the strategy's settings. What the other
half (`REPORT`) showed with the first settings led to one more round of choices, on the first half.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
TABLES = ROOT.parent / "shared" / "data" / "hpo_tables"
CACHE = ROOT / ".nettuner" / "benchmarks"
DRAWS = 20_001

Params = Mapping[str, Any]
Dimensions = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Problem:
    """A space and a loss over it.

    Args:
        name: Of the problem.
        space: As a study's YAML has it: distributions and conditions.
        loss: Of a configuration, lower is better.
        optimum: The lowest loss there is.
        median: The median loss of random configurations.
    """

    name: str
    space: Dimensions
    loss: Callable[[Params], float]
    optimum: float
    median: float

    def regret(self, loss: float) -> float:
        """0 at the optimum, 1 at the median of random configurations."""
        return (loss - self.optimum) / (self.median - self.optimum)


def sample(space: Dimensions, rng: np.random.Generator) -> dict[str, Any]:
    """One random configuration; dimensions that a condition switches off are absent."""
    found: dict[str, Any] = {}
    for name, dimension in space.items():
        when = dimension.get("when", {})
        if all(found.get(parent) in as_list(wanted) for parent, wanted in when.items()):
            found[name] = drawn(dimension, rng)
    return found


def as_list(wanted: Any) -> list[Any]:
    """A condition's value or values."""
    return wanted if isinstance(wanted, list) else [wanted]


def drawn(dimension: Mapping[str, Any], rng: np.random.Generator) -> Any:
    """A random value of one dimension."""
    if "values" in dimension:
        return dimension["values"][int(rng.integers(len(dimension["values"])))]
    low, high = dimension["low"], dimension["high"]
    if dimension["distribution"] == "integer":
        if not dimension.get("log"):
            return int(rng.integers(low, high + 1))
        start, end = math.log(low - 0.5), math.log(high + 0.5)
        return min(max(round(math.exp(rng.uniform(start, end))), low), high)
    if dimension["distribution"] == "log-uniform":
        return math.exp(rng.uniform(math.log(low), math.log(high)))
    return float(rng.uniform(low, high))


def made(name: str, space: Dimensions, loss: Callable[[Params], float], optimum: float) -> Problem:
    """A problem whose median is measured."""
    rng = np.random.default_rng(0)
    median = float(np.median([loss(sample(space, rng)) for _ in range(DRAWS)]))
    return Problem(name, space, loss, optimum, median)


def reals(names: str, low: float, high: float) -> Dimensions:
    """Dimensions of equal range."""
    return {name: {"distribution": "uniform", "low": low, "high": high} for name in names.split()}


# Synthetic functions


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


# Mixed and conditional spaces


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


# Tables of real networks


def table(name: str) -> Problem:
    """A table of precomputed results; the mean over its repetitions, losses on a log scale."""
    described = json.loads((TABLES / "meta.json").read_text(encoding="utf-8"))[name]
    with np.load(TABLES / f"{name}.npz") as file:
        values = np.nanmean(file["y"].astype(float), axis=-1)
    losses = -values if described["direction"] == "maximize" else np.log(values)
    return of_grid(name, described["params"], losses)


def of_grid(name: str, axes: Mapping[str, list[Any]], losses: np.ndarray) -> Problem:
    """A problem from the losses at every point of a grid; words are unordered choices."""
    space: Dimensions = {
        axis: {
            "distribution": "choice",
            "values": values,
            "ordered": not any(isinstance(value, str) for value in values),
        }
        for axis, values in axes.items()
    }
    places = {axis: {value: i for i, value in enumerate(axes[axis])} for axis in axes}

    def loss(params: Params) -> float:
        return float(losses[tuple(places[axis][params[axis]] for axis in axes)])

    return Problem(name, space, loss, float(losses.min()), float(np.median(losses)))


NETWORK_AXES: dict[str, list[Any]] = {
    "hidden": [4, 8, 16, 32, 64],
    "activation": ["relu", "tanh", "sigmoid"],
    "batch_size": [16, 64, 256],
    "learning_rate": [round(10 ** (-3 + 0.375 * i), 6) for i in range(9)],
    "momentum": [0.0, 0.5, 0.9, 0.98],
    "weight_decay": [1e-6, 1e-4, 1e-2, 1e-1],
}


def network() -> Problem:
    """A perceptron on the digits of scikit-learn, trained at every point of a grid (6,480).

    The grid is computed the first time, in about two minutes, and kept in `.nettuner`.
    """
    file = CACHE / "network_digits.npz"
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, losses=trained_grid())
    with np.load(file) as kept:
        return of_grid("network_digits", NETWORK_AXES, np.log(kept["losses"]))


def trained_grid() -> np.ndarray:
    """Validation loss of every network of the grid after 8 epochs of SGD.

    Networks that share shapes, activation and batch size are trained side by side; all start
    from the same weights and see the same batches. A loss that is not finite counts as 50.
    """
    import torch
    from sklearn.datasets import load_digits

    inputs, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(inputs))
    x = torch.tensor(inputs[order] / 16, dtype=torch.float32)
    y = torch.tensor(classes[order])
    train, valid = slice(0, 1200), slice(1200, None)
    shape = [len(NETWORK_AXES[name]) for name in ("learning_rate", "momentum", "weight_decay")]
    rate, momentum, decay = (
        part.reshape(-1, 1, 1)
        for part in torch.meshgrid(
            *(torch.tensor(NETWORK_AXES[n]) for n in ("learning_rate", "momentum", "weight_decay")),
            indexing="ij",
        )
    )
    members = math.prod(shape)
    rows = []
    for hidden in NETWORK_AXES["hidden"]:
        for activation in NETWORK_AXES["activation"]:
            for batch in NETWORK_AXES["batch_size"]:
                draw = torch.Generator().manual_seed(0)
                sizes = ((64, hidden), (1, hidden), (hidden, 10), (1, 10))
                weights = [
                    (torch.randn(size, generator=draw) / math.sqrt(size[0])).repeat(members, 1, 1)
                    * (size[0] > 1)
                    for size in sizes
                ]
                speed = [torch.zeros_like(weight) for weight in weights]

                def forward(some: torch.Tensor, act: str, w: list[torch.Tensor]) -> torch.Tensor:
                    return getattr(torch, act)(some @ w[0] + w[1]) @ w[2] + w[3]

                for _ in range(8):
                    shuffled = torch.randperm(1200, generator=draw)
                    for first in range(0, 1200 - batch + 1, batch):
                        some = shuffled[first : first + batch]
                        live = [weight.requires_grad_() for weight in weights]
                        logits = forward(x[train][some], activation, live)
                        loss = torch.nn.functional.cross_entropy(
                            logits.flatten(0, 1), y[train][some].repeat(members), reduction="sum"
                        )
                        slopes = torch.autograd.grad(loss / batch, live)
                        with torch.no_grad():
                            speed = [
                                momentum * v + g + decay * w
                                for v, g, w in zip(speed, slopes, weights, strict=True)
                            ]
                            weights = [
                                w.detach() - rate * v for w, v in zip(weights, speed, strict=True)
                            ]
                with torch.no_grad():
                    logits = forward(x[valid], activation, weights)
                    wanted = y[valid].expand(members, -1).unsqueeze(-1)
                    found = -torch.log_softmax(logits, -1).gather(-1, wanted).mean((1, 2))
                rows.append(torch.nan_to_num(found, 50.0, 50.0).clamp(max=50.0).numpy())
    lengths = [len(NETWORK_AXES[name]) for name in ("hidden", "activation", "batch_size")]
    return np.array(rows, dtype=float).reshape(*lengths, *shape)


SETTINGS: dict[str, Callable[[], Problem]] = {
    "branin": branin,
    "rosenbrock4": rosenbrock4,
    "hidden4_of_20": hidden4_of_20,
    "mixed": mixed,
    "network_digits": network,
    "hpobench_australian": lambda: table("hpobench_australian"),
    "hpobench_vehicle": lambda: table("hpobench_vehicle"),
    "hpolib_parkinsons_telemonitoring": lambda: table("hpolib_parkinsons_telemonitoring"),
}
REPORT: dict[str, Callable[[], Problem]] = {
    "hartmann6": hartmann6,
    "ackley5": ackley5,
    "conditional": conditional,
    "hpobench_car": lambda: table("hpobench_car"),
    "hpobench_phoneme": lambda: table("hpobench_phoneme"),
    "hpolib_slice_localization": lambda: table("hpolib_slice_localization"),
    "nasbench201_cifar10": lambda: table("nasbench201_cifar10"),
}


def available(problems: Mapping[str, Callable[[], Problem]]) -> list[str]:
    """The names of those whose data is there; tables lie outside of the project."""
    return [
        name
        for name in problems
        if not name.startswith(("hpobench", "hpolib", "nasbench")) or TABLES.is_dir()
    ]


def load(name: str) -> Problem:
    """The problem of this name."""
    return (SETTINGS | REPORT)[name]()
