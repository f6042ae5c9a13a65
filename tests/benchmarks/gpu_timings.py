"""How long steps of networks take on a device: alone, in stacks, and beside other processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gpu_networks import NETWORKS, Bench, hyperparameters
from torch.func import functional_call, grad_and_value, vmap
from torch.multiprocessing import get_context
from torch.utils.flop_counter import FlopCounterMode

from nettuner.models.data.dataset import held
from nettuner.models.learner import Networks
from nettuner.models.stacks.device_stack import DeviceStack
from nettuner.models.stacks.program import Convolution, Gradients, Recorded
from nettuner.models.training.batches import batches_of, tensors
from nettuner.models.training.device import finish, give_back, in_use, made_there, peak_mib, placed
from nettuner.models.training.precision import multiplying
from nettuner.models.training.step import TrainingStep

WARM_UP = 6
BLOCKS = 5
STEPS_OF_A_ROUND = 20


def per_step(step: Callable[[int], object], device: torch.device, seconds: float) -> float:
    """Seconds of a step: the median of some blocks of steps, after a warm-up.

    Args:
        step: Function of the number of a step.
        device: Device that the steps run on.
        seconds: About how long to measure [s].
    """
    for at in range(WARM_UP):
        step(at)
    once = _timed(step, 1, device)
    count = max(1, min(2000, math.ceil(seconds / BLOCKS / max(once, 1e-6))))
    return float(np.median([_timed(step, count, device) for _ in range(BLOCKS)]))


def _timed(step: Callable[[int], object], count: int, device: torch.device) -> float:
    finish(device)
    began = time.perf_counter()
    for at in range(count):
        step(WARM_UP + at)
    finish(device)
    return (time.perf_counter() - began) / count


class Alone:
    """A network in the ordinary loop: eager torch with the fused kernels of its optimisers.

    Args:
        bench: Network to train.
        device: Device to train on.
        precision: Precision of its products.
    """

    def __init__(self, bench: Bench, device: torch.device, precision: str) -> None:
        learner, dataset = bench.made()
        (params,) = hyperparameters(bench, 1)
        now = learner.now({**params, "precision": precision})
        networks = learner.networks(params)
        for network in networks.values():
            network.to(device).train()
        self._training = TrainingStep(placed(learner, device), networks, now, 10**6)
        batches = batches_of(dataset.train, now["batch_size"], (0,), device)
        # One batch again and again: drawing it is no part of what is compared.
        (self._batch,) = batches.of(np.array([0]))
        keys = torch.zeros(STEPS_OF_A_ROUND, dtype=torch.int32, device=device)
        self._keys = [keys] * len(networks)
        self._steps = 0

    def step(self, at: int) -> None:
        """Train a step."""
        if self._steps % STEPS_OF_A_ROUND == 0:
            self._training.begin_round(self._keys)
        self._steps += 1
        for _ in self._training.step(self._batch, at):
            pass

    def operations(self) -> int:
        """Floating point operations of a step's products."""
        with FlopCounterMode(display=False) as counter:
            self.step(0)
        return int(counter.get_total_flops())


class Vectorised(DeviceStack):
    """What one writes by hand with `torch.func.vmap`: neither recorded nor captured."""

    def _program(self, network: str, arguments: tuple[Any, ...]) -> Gradients:
        def loss(
            own: Any, others: Any, buffers: Any, inputs: Any, targets: Any, live: Any, key: Any
        ):  # type: ignore[no-untyped-def]
            randomness = Recorded(convolution="groups")
            randomness.begin(key)

            def of(networks: Networks) -> Any:
                with randomness, made_there(self.device):
                    now = {**self._fixed, **live}
                    return self.placed.loss(network, networks, (inputs, targets), now)

            value = functional_call(self.together, {**own, **others, **buffers}, (of,))
            return value, buffers

        program = vmap(grad_and_value(loss, has_aux=True))
        return Gradients(program, frozenset(self.weights[network]))

    def _replay(self, inputs: Any, targets: Any, size: int) -> None:
        self._step_there(inputs, targets, size)


class Together:
    """Some members of a network in a stack.

    Args:
        bench: Network to train.
        members: Number of members.
        device: Device to train on.
        precision: Precision of their products.
        convolution: How convolutions are computed.
        kind: Class of the stack.
    """

    def __init__(
        self,
        bench: Bench,
        members: int,
        device: torch.device,
        precision: str = "float32",
        convolution: Convolution = "groups",
        kind: type[DeviceStack] = DeviceStack,
    ) -> None:
        learner, dataset = bench.made()
        params = [{**of, "precision": precision} for of in hyperparameters(bench, members)]
        seeds = [(0, member) for member in range(members)]
        self.stack = kind(learner, params, seeds, {}, convolution=convolution, device=device)
        self._data = tensors(held(dataset.train), device)
        self._size = int(bench.params["batch_size"])  # type: ignore[call-overload]
        self._precision, self._device = precision, device
        with torch.no_grad():
            self.stack.train(*self._data, np.arange(2), 10**6)

    @torch.no_grad()
    def step(self, at: int) -> None:
        """Train a step, told as in the middle of a round."""
        stack = self.stack
        stack._at.zero_()
        stack._first.zero_()
        with multiplying(self._precision, self._device):
            stack._replay(*self._data, self._size)

    @property
    def captured(self) -> bool:
        """Whether its steps are replayed."""
        return all(of._graph is not None for of in self.stack._captured.values())


def stacked(
    bench: Bench,
    members: int,
    device: torch.device,
    seconds: float,
    precision: str = "float32",
    convolution: Convolution = "groups",
    kind: type[DeviceStack] = DeviceStack,
) -> dict[str, Any]:
    """Time of a step of a stack, its memory, or why there is none."""
    told: dict[str, Any] = {"members": members, "convolution": convolution, "precision": precision}
    try:
        with in_use(device):
            began = time.perf_counter()
            stack = Together(bench, members, device, precision, convolution, kind)
            told["seconds per step"] = per_step(stack.step, device, seconds)
            told["captured"] = stack.captured
            told["peak MiB"] = peak_mib(device)
            told["seconds in all"] = time.perf_counter() - began
            del stack
    except Exception as error:  # the next one is measured all the same
        told["failed"] = f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"
        give_back(device)
    return told


def shared(name: str, processes: int, device: str, seconds: float) -> float:
    """Steps per second of several processes together that share a device, one network each."""
    context = get_context("spawn")
    barrier, counts = context.Barrier(processes), context.Queue()
    arguments = (name, device, seconds, barrier, counts)
    started = [context.Process(target=_share, args=arguments) for _ in range(processes)]
    for process in started:
        process.start()
    total = sum(counts.get(timeout=120) for _ in started)
    for process in started:
        process.join()
    return float(total)


def _share(name: str, device: str, seconds: float, barrier: Any, counts: Any) -> None:
    torch.set_num_threads(1)
    where = torch.device(device)
    torch.backends.cudnn.allow_tf32 = False  # as in the process that it is compared with
    alone = Alone(NETWORKS[name], where, "float32")
    for at in range(WARM_UP):
        alone.step(at)
    finish(where)
    barrier.wait()
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for at in range(20):
            alone.step(at)
        finish(where)
        steps += 20
    counts.put(steps / (time.perf_counter() - began))


def peak(device: torch.device, precision: str) -> float:
    """Floating point operations per second of a large product of matrices: what can be reached."""
    size = 8192 if device.type == "cuda" else 512
    left, right = (torch.randn(size, size, device=device) for _ in range(2))
    with multiplying(precision, device):
        seconds = per_step(lambda _: left @ right, device, 0.3)
    return 2 * size**3 / seconds
