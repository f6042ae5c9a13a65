"""The networks of the benchmark on a GPU, each with data of its own: real ones, or random pixels
of the size of real ones, as the time of a step does not depend on what the pixels show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nettuner.models import learners
from nettuner.models.data.dataset import Dataset, Split
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.data.sources.numbers import Numbers
from nettuner.models.learner import Learner
from nettuner.models.training.loop import prepared

ROWS = 4096


@dataclass(frozen=True)
class Bench:
    """A network to train.

    Args:
        learner: Name of the learner.
        data: Function that gives the data.
        params: Structural hyperparameters.
    """

    learner: str
    data: Callable[[], Dataset]
    params: dict[str, object]

    def made(self) -> tuple[Learner, Dataset]:
        """The learner, prepared, and its data."""
        dataset = self.data()
        found = learners.find(self.learner)
        assert isinstance(found, type)
        return prepared(found, dataset), dataset


def digits() -> Dataset:
    """1,797 images of 8 x 8 pixels."""
    return load(Builtin(name="digits"))


def pixels() -> Dataset:
    """Random images of the size of MNIST's, 28 x 28 pixels."""
    rng = np.random.default_rng(0)

    def split(rows: int) -> Split:
        images = rng.random((rows, 1, 28, 28), dtype=np.float32)
        return Split(images, rng.integers(0, 10, rows))

    return replace(digits(), train=split(ROWS), validation=split(1024), shape=(1, 28, 28))


def sentences() -> Dataset:
    """Numbers in words, to be translated from English into German."""
    return load(Numbers())


NETWORKS = {
    "mlp 64-64-10": Bench("mlp", digits, {"hidden": 64, "batch_size": 64}),
    "mlp 784-128-10": Bench("mlp", pixels, {"hidden": 128, "batch_size": 64}),
    "cnn 8 x 8": Bench("cnn", digits, {"channels": 16, "hidden": 64, "batch_size": 64}),
    "cnn 28 x 28": Bench("cnn", pixels, {"channels": 16, "hidden": 64, "batch_size": 64}),
    "Transformer": Bench("translator", sentences, {"width": 32, "batch_size": 64}),
}


def hyperparameters(bench: Bench, members: int) -> list[dict[str, object]]:
    """Numbers that differ between members, as in a search."""
    rates = np.geomspace(1e-4, 1e-2, members) if members > 1 else [1e-3]
    dropout = "residual_dropout" if bench.learner == "translator" else "dropout"
    return [{**bench.params, "learning_rate": float(rate), dropout: 0.1} for rate in rates]
