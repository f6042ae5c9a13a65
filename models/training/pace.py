"""How fast a network is trained on a device: the time of one optimiser step, measured."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.study import Study
from nettuner.models.training.batches import batches_of, total_steps
from nettuner.models.training.deterministic import deterministic
from nettuner.models.training.device import finish, in_use, placed
from nettuner.models.training.loop import prepared
from nettuner.models.training.precision import in_full
from nettuner.models.training.seeding import seeded
from nettuner.models.training.step import TrainingStep, draw_seed, keys_of

# Steps that are not counted, and most that are.
WARM_UP, STEPS = 3, 20
# No further step begins after this time [s].
ENOUGH_SECONDS = 2.0
SEED = (0, 0)


def pace(study: Study, params: Mapping[str, Any], device: str) -> float:
    """Seconds per optimiser step of one network alone, batches included: the mean of a few.

    Args:
        study: Study with a learner of ours.
        params: Hyperparameters of the network.
        device: Device as torch names it: cpu, cuda or mps.
    """
    there = torch.device(device)
    with in_use(there), in_full(there), deterministic(study.deterministic), seeded(*SEED):
        return _measured(study, params, there)


def _measured(study: Study, params: Mapping[str, Any], device: torch.device) -> float:
    assert study.data is not None
    found = learners.find(study.learner)
    assert isinstance(found, type)
    dataset = load(study.data)
    learner = prepared(found, dataset)
    now = learner.now(params)
    batches = batches_of(dataset.train, now["batch_size"], SEED, device)
    networks = {name: network.to(device) for name, network in learner.networks(params).items()}
    total = total_steps(study.length, batches.per_epoch)
    training = TrainingStep(placed(learner, device), networks, now, total)
    steps = np.arange(min(WARM_UP + STEPS, batches.per_epoch))
    draws = np.array([draw_seed(SEED)])
    training.begin_round(keys_of(draws, steps, len(networks), device))
    uncounted = min(WARM_UP, len(steps) - 1)
    counted, began = 0, time.perf_counter()
    for step, batch in zip(steps.tolist(), batches.of(steps), strict=False):
        if step == uncounted:  # what came before is done; from now on nothing is waited for
            finish(device)
            began = time.perf_counter()
        for _ in training.step(batch, step):
            pass
        counted += step >= uncounted
        if counted and time.perf_counter() - began > ENOUGH_SECONDS:
            break
    finish(device)
    return (time.perf_counter() - began) / counted
