"""How fast a network is trained on a device: the time of one optimiser step, measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.inputs import each
from nettuner.models.study import Study
from nettuner.models.training.batches import batches_of, total_steps
from nettuner.models.training.loop import TrainingStep, draw_seed, prepared
from nettuner.models.training.randomness import step_keys
from nettuner.models.training.seeding import seeded

# Steps that are not counted, and most that are.
WARM_UP, STEPS = 2, 10
# No further step begins after this time [s].
ENOUGH_SECONDS = 2.0
SEED = (0, 0)


def pace(study: Study, params: Mapping[str, Any], device: str) -> float:
    """Seconds per optimiser step of one network alone, batches included: the median of a few.

    Args:
        study: Study with a learner of ours.
        params: Hyperparameters of the network.
        device: Device as torch names it: cpu, cuda or mps.
    """
    assert study.data is not None
    found = learners.find(study.learner)
    assert isinstance(found, type)
    dataset = load(study.data)
    learner = prepared(found, dataset)
    now = learner.now(params)
    batches = batches_of(dataset.train, now["batch_size"], SEED)
    with seeded(*SEED):
        networks = {name: of.to(device) for name, of in learner.networks(params).items()}
    total = total_steps(study.length, batches.per_epoch)
    training = TrainingStep(learner, networks, now, total)
    steps = np.arange(min(WARM_UP + STEPS, batches.per_epoch))
    keys = [step_keys(np.array([draw_seed(SEED)]), steps, k)[:, 0] for k in range(len(networks))]
    seconds: list[float] = []
    began = last = time.perf_counter()
    for step, batch, *own in zip(steps.tolist(), batches.of(steps), *keys, strict=False):
        there = each(lambda part: part.to(device), batch)
        for _ in training.step(there, step, own):
            pass
        if device != "cpu":
            torch.accelerator.synchronize()
        now_at = time.perf_counter()
        seconds.append(now_at - last)
        last = now_at
        if len(seconds) > WARM_UP and last - began > ENOUGH_SECONDS:
            break
    return statistics.median(seconds[WARM_UP:] or seconds)
