"""What a study asks of devices is there, or one line says what is, before anything is trained."""

from __future__ import annotations

import pytest
import torch

from nettuner.models.fitted import Fitted, MisfitError
from nettuner.models.study import Goal, Study
from nettuner.tasks.workers.selection import selected

BUILT_FOR_CUDA = frozenset({"cuda"})


def on(kind="learner", backends=BUILT_FOR_CUDA, **asked):
    given = {"name": "s", "learner": "mlp", "space": {"x": [1, 2]}, "metric": "loss"}
    study = Study.model_validate({**given, **asked})
    fitted = Fitted(Goal("loss", "minimize"), frozenset(), "", "", kind=kind, backends=backends)
    return [accelerator.device for accelerator in selected(study, fitted)]


def fault(**asked):
    with pytest.raises(MisfitError) as caught:
        on(**asked)
    return str(caught.value)


@pytest.mark.parametrize(
    ("asked", "devices"),
    [
        ({}, ["cuda:0", "cuda:1"]),
        ({"device": "cuda"}, ["cuda:0", "cuda:1"]),
        ({"device": "cuda:1"}, ["cuda:1"]),
        ({"devices": [1]}, ["cuda:1"]),
        ({"device": "cuda", "devices": [1, 0]}, ["cuda:1", "cuda:0"]),
        ({"device": "cpu", "devices": [7], "per_device": 99}, []),
        ({"per_device": 8}, ["cuda:0", "cuda:1"]),  # 8 x 512 MiB are all that they have
    ],
)
def test_a_study_has_the_devices_that_it_asks_for(two_gpus, asked, devices):
    assert on(**asked) == devices


def test_with_auto_a_machine_may_lack_anything(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert on(devices=[0, 1], per_device=99) == []


def test_with_auto_a_torch_without_cuda_trains_on_the_cpu_but_functions_may_not_need_torch(
    two_gpus,
):
    assert on(backends=frozenset()) == []
    assert on(kind="loop", backends=frozenset()) == []
    assert on(kind="function", backends=frozenset()) == ["cuda:0", "cuda:1"]


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (
            {"device": "cuda:2"},
            "device: must be one of this machine's (cpu, cuda:0, cuda:1), got cuda:2; give one of "
            "them",
        ),
        (
            {"devices": [0, 5]},
            "devices: must be numbers of this machine's GPUs (0, 1), got 5; correct it",
        ),
        (
            {"per_device": 9},
            "per_device: each trial takes at least 512 MiB of its GPU, got 9 on cuda:0 NVIDIA "
            "Pretended with 4096 MiB; give at most 8",
        ),
    ],
)
def test_what_is_not_there_or_does_not_fit_is_said_in_one_line(two_gpus, asked, line):
    assert fault(**asked) == line


def test_hidden_gpus_are_said_to_be_hidden(two_gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert fault(device="cuda:1") == (
        "device: must be one of this machine's (cpu, cuda:0 as CUDA_VISIBLE_DEVICES is '1'), got "
        "cuda:1; give one of them"
    )


def test_a_machine_without_gpus_has_its_cpu(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert fault(device="cuda") == (
        "device: must be one of this machine's (cpu), got cuda; give one of them"
    )


def test_a_torch_that_was_not_built_for_a_device_is_said_to_be_so(two_gpus):
    expected = (
        f"device: cuda needs a torch that was built for it, got torch {torch.__version__}; install "
        "one, or give cpu or auto"
    )
    assert fault(device="cuda", backends=frozenset()) == expected
    assert on(kind="function", device="cuda", backends=frozenset()) == ["cuda:0", "cuda:1"]
