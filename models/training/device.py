"""Where networks are trained: what has to lie there, how it computes, and what memory it takes."""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from nettuner.models.inputs import Inputs, each
from nettuner.models.learner import Learner, Networks

CPU = torch.device("cpu")
MIB = 2**20


def where(networks: Networks) -> torch.device:
    """The device of networks that are trained together."""
    for network in networks.values():
        for tensor in (*network.parameters(), *network.buffers()):
            return tensor.device
    return CPU


def placed(learner: Learner, device: torch.device) -> Learner:
    """A learner whose tensors and networks lie on a device; the learner itself on a CPU."""
    if device.type == "cpu":
        return learner
    there = copy.copy(learner)
    for name, value in vars(learner).items():
        if isinstance(value, nn.Module):
            setattr(there, name, copy.deepcopy(value).to(device))
        elif isinstance(value, Tensor):
            setattr(there, name, value.to(device))
    return there


def on_cpu(networks: Networks) -> dict[str, nn.Module]:
    """Copies of networks that lie elsewhere, else the networks themselves."""
    if where(networks).type == "cpu":
        return dict(networks)
    return {name: copy.deepcopy(network).cpu() for name, network in networks.items()}


def moved(batch: Inputs, device: torch.device) -> Inputs:
    """Inputs or targets on a device; what comes from memory is copied beside the computing."""
    if device.type == "cpu":
        return batch
    pinned = device.type == "cuda"

    def move(tensor: Tensor) -> Tensor:
        here = tensor.pin_memory() if pinned and tensor.device.type == "cpu" else tensor
        return here.to(device, non_blocking=pinned)

    return each(move, batch)


def made_there(device: torch.device) -> AbstractContextManager[Any]:
    """Tensors that code makes without saying where are made on the device inside the block.

    So learners need not know of devices.
    """
    return nullcontext() if device.type == "cpu" else device


def named(device: torch.device) -> str:
    """The model of a device, as its maker calls it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def finish(device: torch.device) -> None:
    """Wait until a device has done all that it was told, as a clock needs it."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


@contextmanager
def in_use(device: torch.device) -> Iterator[None]:
    """Compute on a device inside the block; its memory is given back at the end, for others."""
    if device.type == "cpu":
        yield
        return
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    try:
        yield
    finally:
        give_back(device)


def give_back(device: torch.device) -> None:
    """Give back the memory of a device that nothing uses."""
    gc.collect()
    if device.type != "cpu":
        torch.accelerator.empty_cache()


def peak_mib(device: torch.device) -> float | None:
    """Most memory taken at once since the device is in use [MiB]; None where nobody counts."""
    if device.type != "cuda":
        return None
    return torch.cuda.max_memory_allocated(device) / MIB


def capacity(device: torch.device) -> float:
    """Free memory of an accelerator [bytes]; what torch keeps for later counts as free."""
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    free, _ = torch.cuda.mem_get_info(device)
    return float(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


def out_of_memory(device: torch.device) -> str:
    """Why a training did not fit into the memory of its device, in one line."""
    peak = peak_mib(device)
    taken = "" if peak is None else f", {peak:,.0f} MiB were taken at once"
    return (
        f"out of memory on {device.type}{taken}; give a smaller batch_size or network, or fewer "
        "trials per device"
    )
