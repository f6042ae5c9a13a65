"""Remembers how fast a learner's networks are trained on a device, so that it is measured once.

A search that is resumed, or started again, then runs where it ran before.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import torch

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.source_text import source_text
from nettuner.models.study import Study
from nettuner.models.training.loop import prepared
from nettuner.models.training.pace import pace


def remembered_pace(
    folder: Path, study: Study, params: Mapping[str, Any], device: str, accelerator: str
) -> float:
    """Seconds per optimiser step, as measured before on this machine, or else now.

    Args:
        folder: Folder of paces, a file each.
        study: Study with a learner of ours.
        params: Hyperparameters of the network that is measured.
        device: Device as torch names it.
        accelerator: Name of the product; empty on a CPU.
    """
    with learners.beside(study.learner):
        path = path_of(folder, study, params, device, accelerator)
        if not path.exists():
            _write(path, pace(study, params, device))
    return float(json.loads(path.read_text(encoding="utf-8"))["seconds"])


def path_of(
    folder: Path, study: Study, params: Mapping[str, Any], device: str, accelerator: str
) -> Path:
    """Path of the file of a pace; arguments as above."""
    assert study.data is not None
    dataset, kind = load(study.data), learners.find(study.learner)
    assert isinstance(kind, type)
    now = prepared(kind, dataset).now(params)
    facts = (
        (kind.__module__, kind.__qualname__, source_text(kind)),
        (sorted(params.items()), now["batch_size"], dataset.fingerprint),
        (device, accelerator, study.deterministic, torch.__version__, torch.get_num_threads()),
        (platform.node(), platform.processor(), os.cpu_count()),
    )
    return folder / f"{hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}.json"


def _write(path: Path, seconds: float) -> None:
    """Write a file whole, in place of one that was written meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        "w", dir=path.parent, suffix=".partial", encoding="utf-8", delete=False
    ) as file:
        json.dump({"seconds": seconds}, file)
    os.replace(file.name, path)
