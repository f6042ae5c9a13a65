"""Training on a device: what lies there, how it computes, what memory it takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.learner import Supervised
from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training import device, precision
from nettuner.models.training.job import Job
from nettuner.models.training.loop import facts, fit
from nettuner.models.training.losses import DivergedError, Losses
from nettuner.models.training.randomness import Randomness, mixed, orders
from nettuner.models.training.trial import OutOfMemoryError, run

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
# A device without arithmetic: what lies there has a shape and no numbers.
META = torch.device("meta")
CUDA = torch.device("cuda")


def test_networks_lie_where_their_weights_are():
    assert device.where({"network": nn.Linear(2, 1)}) == CPU
    assert device.where({"network": nn.Linear(2, 1, device=META)}) == META
    assert device.where({"network": nn.ReLU()}) == CPU


def test_a_learner_is_placed_with_the_tensors_and_networks_that_it_holds():
    data = load(Builtin(name="digits"))
    learner = learners.find("gan")(facts(data))
    learner.scale = torch.ones(3)
    there = device.placed(learner, META)
    assert device.where({"features": there.features}) == META == there.scale.device
    assert device.where({"features": learner.features}) == CPU == learner.scale.device
    assert device.placed(learner, CPU) is learner


def test_what_is_on_a_cpu_stays_the_same_there():
    batch = (torch.ones(2), {"more": torch.zeros(3)})
    assert device.moved(batch, CPU) is batch
    networks = {"network": nn.Linear(2, 1)}
    assert device.on_cpu(networks)["network"] is networks["network"]


def test_inputs_of_every_form_are_moved():
    found = device.moved((torch.ones(2), {"more": torch.zeros(3)}), META)
    assert found[0].device == found[1]["more"].device == META
    assert [*found[1]["more"].shape] == [3]


def test_tensors_made_without_a_place_are_made_on_the_device():
    with device.made_there(META):
        assert torch.zeros(2).device == META
    with device.made_there(CPU):
        assert torch.zeros(2).device == CPU


def test_random_numbers_drawn_without_a_place_are_drawn_on_the_device():
    randomness = Randomness()
    for where in (CPU, META, CPU):
        randomness.begin(torch.zeros((), dtype=torch.int32, device=where))
        with device.made_there(where), randomness:
            assert torch.rand(7).device == torch.randn(7).device == where


def test_tf32_is_in_force_inside_the_block_alone_and_on_gpus_alone():
    flags = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [of.allow_tf32 for of in flags]
    with precision.multiplying("tf32", CUDA):
        assert [of.allow_tf32 for of in flags] == [True, True]
    assert [of.allow_tf32 for of in flags] == before
    with precision.multiplying("tf32", CPU):
        assert [of.allow_tf32 for of in flags] == before


def test_float32_is_whole_inside_the_block_and_as_before_after_it():
    flags = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [of.allow_tf32 for of in flags]
    with precision.in_full(CUDA):
        assert [of.allow_tf32 for of in flags] == [False, False]
        with precision.multiplying("tf32", CUDA):
            assert [of.allow_tf32 for of in flags] == [True, True]
        assert [of.allow_tf32 for of in flags] == [False, False]
    assert [of.allow_tf32 for of in flags] == before


def test_tf32_is_float32_on_a_cpu():
    data = load(Builtin(name="iris"))
    learner = learners.find("mlp")(facts(data))
    found = [
        list(fit(learner, data, {"precision": of}, Study.model_validate(STUDY).length, seed=(0,)))
        for of in ("float32", "tf32")
    ]
    assert found[0] == found[1]


STUDY = {
    "name": "iris",
    "learner": "mlp",
    "data": {"source": "builtin", "name": "iris"},
    "space": {"hidden": [4]},
    "metric": "val_loss",
    "epochs": 2,
}


def test_losses_on_an_accelerator_are_looked_at_every_64_steps_and_at_the_end():
    losses = Losses(["network"], 3, CUDA)
    for step in range(63):
        losses.add("network", step, torch.tensor(1.0 if step != 40 else torch.nan))
    with pytest.raises(DivergedError, match="network is nan at step 41, round 3"):
        losses.add("network", 63, torch.tensor(1.0))
    rest = Losses(["network"], 3, CUDA)
    rest.add("network", 0, torch.tensor(0.5))
    rest.add("network", 1, torch.tensor(0.25))
    assert rest.all() == {"network": [0.5, 0.25]}


def test_losses_on_a_cpu_are_looked_at_at_once():
    with pytest.raises(DivergedError, match="at step 1, round 1"):
        Losses(["network"], 1, CPU).add("network", 0, torch.tensor(torch.inf))


class Greedy(Supervised):
    """Takes more memory than there is."""

    def build(self):
        return nn.Linear(4, 3)

    def loss(self, network, networks, batch, now):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nDetails")


def test_a_trial_that_takes_too_much_memory_says_so_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(learners, "find", lambda _: Greedy)
    study = Study.model_validate(STUDY)
    job = Job(study, Goal("val_loss", "minimize"), Proposal(0, {}), tmp_path / "log.jsonl")
    with pytest.raises(OutOfMemoryError) as caught:
        run(job)
    assert str(caught.value) == (
        "out of memory on cpu; give a smaller batch_size or network, or fewer trials per device"
    )


def test_on_a_cpu_nobody_counts_the_memory(tmp_path):
    study = Study.model_validate(STUDY)
    job = Job(study, Goal("val_loss", "minimize"), Proposal(0, {"hidden": 4}), tmp_path / "log")
    assert run(job).peak_mib is None


# Orders of rows


def test_the_order_of_an_epoch_is_that_of_the_hashes_of_its_rows():
    # Row k is hashed from k times 2^32 over the golden ratio and the key of the epoch.
    seeds = np.array([5, 6], dtype=np.uint32)
    found = orders(4, seeds, 2)
    assert found.shape == (2, 4)
    assert [sorted(order) for order in found.tolist()] == [[0, 1, 2, 3]] * 2
    alone = torch.cat([orders(4, seeds[member : member + 1], 2) for member in (0, 1)])
    assert torch.equal(found, alone)


def test_no_two_rows_have_the_same_hash():
    # The hash is one to one, so a million rows have a million hashes; of random ones 116 would
    # be met twice on average.
    places = torch.arange(10**6, dtype=torch.int32) * -1640531527
    assert len(mixed(places + 12345).unique()) == 10**6


def test_all_rows_are_equally_likely_everywhere():
    # 4,000 orders of 20 rows: chi-square with 361 degrees of freedom, mean 361, sd 27.
    # Six standard deviations above by chance less than once in 10^7 runs.
    seeds = np.random.default_rng(0).integers(0, 2**32, 4000, dtype=np.uint32)
    found = orders(20, seeds, 1).numpy()
    counts = np.stack([np.bincount(found[:, place], minlength=20) for place in range(20)])
    assert ((counts - 200) ** 2 / 200).sum() < 361 + 6 * 27
