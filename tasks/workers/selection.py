"""Which accelerators of this machine a study is trained on; every fault of its settings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version

from nettuner.models.fitted import Fitted, MisfitError
from nettuner.models.study import Study
from nettuner.tasks.workers.accelerators import Accelerator, accelerators

# Least memory of a GPU for each trial [MiB]: CUDA itself takes hundreds of them in each process.
LEAST_MIB = 512


def selected(study: Study, fitted: Fitted) -> tuple[Accelerator, ...]:
    """The accelerators that a study asks for, or with `auto` those it may use; none for the CPU.

    Args:
        study: Study.
        fitted: What it turned out to be.

    Raises:
        MisfitError: What it asks for is not there, or too many trials would share a GPU.
    """
    if study.device == "cpu":
        return ()
    # A function without a context may use whatever it likes, with or without torch.
    usable = {"cuda", "mps"} if fitted.kind == "function" else fitted.backends
    if study.device == "auto":
        found = [one for one in accelerators() if one.kind in usable]
    else:
        found = _asked_for(study.device, usable)
    if study.devices is not None and found and found[0].kind == "cuda":
        found = _numbered(study.devices, found)
    _check_room(study.per_device, found)
    return tuple(found)


def _asked_for(device: str, usable: set[str] | frozenset[str]) -> list[Accelerator]:
    kind = device.partition(":")[0]
    if kind not in usable:
        message = (
            f"{device} needs a torch that was built for it, got torch {version('torch')}; install "
            "one, or give cpu or auto"
        )
        raise MisfitError([("device", message)])
    there = accelerators()
    found = [one for one in there if device in (one.device, one.kind)]
    if not found:
        known = ", ".join(["cpu", *(one.device for one in there)])
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hidden = "" if visible is None else f" as CUDA_VISIBLE_DEVICES is {visible!r}"
        message = f"must be one of this machine's ({known}{hidden}), got {device}; give one of them"
        raise MisfitError([("device", message)])
    return found


def _numbered(numbers: Sequence[int], gpus: Sequence[Accelerator]) -> list[Accelerator]:
    known = {one.device: one for one in gpus}
    for number in numbers:
        if f"cuda:{number}" not in known:
            there = ", ".join(name.removeprefix("cuda:") for name in known)
            message = f"must be numbers of this machine's GPUs ({there}), got {number}; correct it"
            raise MisfitError([("devices", message)])
    return [known[f"cuda:{number}"] for number in numbers]


def _check_room(per_device: int, found: Sequence[Accelerator]) -> None:
    for one in found:
        if one.mib is not None and per_device * LEAST_MIB > max(one.mib, LEAST_MIB):
            message = (
                f"each trial takes at least {LEAST_MIB} MiB of its GPU, got {per_device} on "
                f"{one.shown} with {one.mib} MiB; give at most {max(1, one.mib // LEAST_MIB)}"
            )
            raise MisfitError([("per_device", message)])
