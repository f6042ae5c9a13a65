"""With `auto` a learner of ours is trained where it is faster, as was measured."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nettuner.models.check import fit_together
from nettuner.models.study import Study
from nettuner.models.training.remembered_pace import path_of
from nettuner.tasks.plan import make_plan
from nettuner.tasks.training.placement import pays, placed
from nettuner.tasks.workers.pool import open_pool

STUDY = {
    "name": "s",
    "learner": "mlp",
    "data": "iris",
    "space": {"hidden": [4, 8, 16]},
    "metric": "val_loss",
    "epochs": 1,
    "stop": {"trials": 2},
    "width": 3,
}


@pytest.mark.parametrize(
    ("here", "workers", "there", "accelerators", "expected"),
    [
        (0.001, 8, 0.0005, 1, False),  # 8,000 steps a second of eight cores, 2,000 of one GPU
        (0.001, 8, 0.0005, 4, False),  # 8,000 of four: no faster, and the cores are there anyway
        (0.001, 8, 0.0005, 5, True),
        (0.1, 8, 0.002, 1, True),  # 80 and 500
        (0.1, 8, float("inf"), 8, False),  # it failed there
        (float("inf"), 8, 0.1, 1, True),
    ],
)
def test_all_accelerators_must_train_more_steps_than_all_cores(
    here, workers, there, accelerators, expected
):
    assert pays(here, workers, there, accelerators) is expected


def planned(**changes):
    """A plan as it would be with a torch that was built for CUDA."""
    study = Study.model_validate({**STUDY, **changes})
    built = lambda asked: replace(fit_together(asked), backends=frozenset({"cuda"}))  # noqa: E731
    return make_plan(study, fit=built)


def known(home, plan, device, name, seconds):
    """Let a pace have been measured before."""
    path = path_of(home / "paces", plan.study, {"hidden": 8}, device, name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"seconds": seconds}))


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path / "home"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("on_gpu", "places"),
    [(1e-9, ["cuda:0 NVIDIA Pretended", "cuda:1 NVIDIA Pretended"]), (10.0, ["cpu"] * 3)],
)
def test_a_learner_is_placed_by_what_was_measured(two_gpus, own_home, one_thread, on_gpu, places):
    plan = planned()
    assert plan.is_measured
    known(own_home, plan, "cpu", "", 0.001)
    known(own_home, plan, "cuda", "NVIDIA Pretended", on_gpu)
    with open_pool(1, threads=1) as pool, placed(plan, pool) as found:
        assert found.count == len(places)
        stays = [found.one() for _ in places]
        assert [stay.__enter__().place.shown for stay in stays] == places
        assert "as was measured: " in found.why


@pytest.mark.slow
def test_a_gpu_that_cannot_be_used_leaves_the_cpu_and_the_reason(two_gpus, own_home):
    plan = planned()
    with open_pool(1, threads=1) as pool, placed(plan, pool) as found:
        with found.one() as stay:
            assert stay.place.environment == {"CUDA_VISIBLE_DEVICES": ""}
        assert "where it failed: " in found.why  # this torch, or a GPU that is not there
    assert len(list((own_home / "paces").iterdir())) == 1  # that of the CPU


def test_only_a_learner_with_auto_is_measured(two_gpus):
    assert not planned(device="cuda").is_measured
    assert not planned(device="cpu").is_measured
    assert planned(device="cuda", per_device=2, width=None).width == 4
    assert planned(device="cuda", per_device=2).width == 3
