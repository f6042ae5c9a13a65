"""The studies of the population benchmark."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from population_bench import CACHE, HERE, ROOT, WORKERS, Study

SHARED = ROOT.parent / "shared" / "data"
SPACE: dict[str, Any] = {
    "learning_rate": {"distribution": "log-uniform", "low": 1e-4, "high": 3e-2},
    "dropout": {"distribution": "uniform", "low": 0.0, "high": 0.6},
    "weight_decay": {"distribution": "log-uniform", "low": 1e-5, "high": 1e-1},
}
BATCH_SIZE = 64


def toy() -> Study:
    """Figure 2 of Jaderberg et al. (2017), as a study; two members, one for each half."""
    unit = {"distribution": "uniform", "low": 0.0, "high": 1.0}
    return {
        "name": "toy",
        "learner": f"{HERE / 'toy_learner.py'}:Climber",
        "data": "iris",
        "metric": "val_quality",
        "steps": 200,
        "evaluate_every": 4,
        "width": WORKERS,
        "space": {
            "h0": unit, "h1": unit, "optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.0,
        },
        "strategy": {
            "name": "population", "size": 2, "interval": 1,
            "try_first": [{"h0": 1.0, "h1": 0.0}, {"h0": 0.0, "h1": 1.0}],
        },
    }  # fmt: skip


def network(learner: str, data: Any, epochs: int, strategy: dict[str, Any], **more: Any) -> Study:
    """A stamped network of one structure, and the hyperparameters that may differ in a stack."""
    return {
        "name": "network",
        "learner": f"{HERE / 'stamped.py'}:{learner}",
        "data": data,
        "metric": "val_loss",
        "epochs": epochs,
        "width": WORKERS,
        "space": {
            **SPACE, "optimizer": "adamw", "batch_size": BATCH_SIZE, **structure(learner),
        },
        "strategy": strategy,
        **more,
    }  # fmt: skip


def structure(learner: str) -> dict[str, int]:
    """What all configurations have in common."""
    return {"hidden": 64} if learner == "MLP" else {"channels": 16, "hidden": 64}


def images() -> dict[str, Any]:
    """Images of 28 x 28: the test set of MNIST, or, where that is not at hand, random ones."""
    folder = SHARED / "mnist_t10k"
    files = [folder / f"t10k-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")]
    if not all(file.exists() for file in files):
        files = [CACHE / "random-images.idx", CACHE / "random-labels.idx"]
        rng = np.random.default_rng(0)
        write_idx(files[0], rng.integers(0, 256, (10_000, 28, 28), dtype=np.uint8))
        write_idx(files[1], rng.integers(0, 10, 10_000, dtype=np.uint8))
    return {"source": "idx", "images": str(files[0]), "labels": str(files[1])}


def write_idx(file: Path, values: np.ndarray) -> None:
    """Write bytes in the format of MNIST."""
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    if not file.exists():
        file.write_bytes(header + values.tobytes())


def shipped(name: str) -> Study:
    """A study of deploy/studies."""
    from nettuner.models.study_file import load

    study = load(ROOT / "deploy" / "studies" / f"{name}.yaml")
    return {**study.model_dump(mode="json", exclude_none=True), "width": WORKERS}


def sentences() -> dict[str, Any] | None:
    """English and German sentences; None where they are not at hand."""
    folder = SHARED / "multi30k_ende"
    if not folder.is_dir():
        return None
    names = {"": "train", "validation_": "val", "test_": "test_2016_flickr"}
    texts = {
        f"{split}{side}_text": str(folder / f"{name}.{language}.gz")
        for split, name in names.items()
        for side, language in (("source", "en"), ("target", "de"))
    }
    return {
        "source": "parallel", **texts, "lowercase": True, "limit": 6000,
        "vocabulary_size": 1500, "longest": 20,
    }  # fmt: skip


def rows_of(study: Study, name: str) -> tuple[Path, int]:
    """A file with the rows of a study as nettuner divides and scales them; and the classes."""
    from nettuner.models.data.load import load
    from nettuner.models.study import Study as Checked

    source = Checked.model_validate(study).data
    assert source is not None
    dataset = load(source)
    file = CACHE / f"population-{name}.npz"
    arrays = {
        f"{split}_{kind}": getattr(getattr(dataset, split), kind)
        for split in ("train", "validation", "test")
        for kind in ("inputs", "targets")
    }
    np.savez(file, **arrays)  # type: ignore[arg-type, unused-ignore]
    return file, dataset.outputs


def for_tuners(study: Study, name: str, **more: Any) -> dict[str, Any]:
    """The same for other tuners."""
    file, classes = rows_of(study, name)
    learner = study["learner"].rpartition(":")[2]
    return {
        "network": learner.lower(),
        "data": str(file),
        "classes": classes,
        "epochs": study["epochs"],
        "batch_size": BATCH_SIZE,
        "space": SPACE,
        "workers": WORKERS,
        **structure(learner),
        **more,
    }
