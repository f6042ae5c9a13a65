"""Several members of one structure, trained together as one program.

Stacking weights is from `torch.func.stack_module_state`; here every member also has its own
hyperparameters, mini-batches and random numbers, and the same result as when trained alone.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nettuner.models.inputs import Inputs, parts, shapes, taken
from nettuner.models.learner import Learner, Now
from nettuner.models.stacks.optimiser import KINDS, StackedOptimiser
from nettuner.models.stacks.program import (
    Convolution,
    Gradients,
    Tensors,
    Together,
    gradients,
)
from nettuner.models.stacks.structure import check_alike, divided
from nettuner.models.training import averages, checkpoint, optimiser
from nettuner.models.training.batches import order_seed, steps_per_epoch
from nettuner.models.training.device import CPU, capacity, made_there, placed
from nettuner.models.training.loss_scale import LossScale
from nettuner.models.training.randomness import orders, step_keys
from nettuner.models.training.seeding import seeded
from nettuner.models.training.step import draw_seed

Seed = tuple[int, ...]
Program = Callable[..., Any]

# Most memory for all tensors of one recorded program: on a CPU [bytes], whose caches more would
# exceed, and as a share of the free memory of an accelerator.
MOST_BYTES = 2**29
MOST_SHARE = 0.5
# Recorded programs cached for one structure: several sizes, networks and batch sizes.
MOST_PROGRAMS = 64


def most_bytes(device: torch.device) -> float:
    """Most memory for all tensors of one recorded program [bytes]."""
    return MOST_BYTES if device.type == "cpu" else MOST_SHARE * capacity(device)


class Programs(OrderedDict[Any, Program]):
    """Cache of recorded programs; the least recently used are dropped."""

    def __getitem__(self, key: Any) -> Program:
        self.move_to_end(key)
        return super().__getitem__(key)

    def __setitem__(self, key: Any, program: Program) -> None:
        super().__setitem__(key, program)
        while len(self) > MOST_PROGRAMS:
            del self[next(iter(self))]


class Stack:
    """The weights of several members in one tensor for each network, one row a member.

    Args:
        learner: Learner to be trained.
        params: Hyperparameters of each member; the structural ones agree.
        seeds: Seed of each member.
        programs: Cache of recorded programs, which later stacks need not record again.
        convolution: How the convolutions of all members are computed.
        device: Device that they are trained on.

    Raises:
        UnstackableError: These members cannot be trained together.
    """

    def __init__(
        self,
        learner: Learner,
        params: Sequence[Now],
        seeds: Sequence[Seed],
        programs: dict[Any, Program],
        *,
        convolution: Convolution = "groups",
        device: torch.device = CPU,
    ) -> None:
        self.device = device
        self.learner = copy.copy(learner)  # so that attributes it sets are not shared
        self.placed = placed(self.learner, device)
        """The learner with what it has on the device."""
        self.nows = [learner.now(given) for given in params]
        self.params = list(params)
        self.seeds = list(seeds)
        self._draws = np.array([draw_seed(seed) for seed in seeds], dtype=np.uint32)
        self._order_seeds = np.array([order_seed(seed) for seed in seeds], dtype=np.uint32)
        self.programs = programs
        self.convolution = convolution
        self._fixed, live = divided(learner, params, self.nows)
        self._live = {name: values.to(device) for name, values in live.items()}
        # Key of recorded programs: all that they depend on except the shapes of the data.
        self.key = (
            tuple(sorted((k, repr(v)) for k, v in self._fixed.items())),
            tuple(self._live),
            len(params),
            convolution,
            device,
        )
        members = [self._fresh(given, seed) for given, seed in zip(params, seeds, strict=True)]
        self.networks = members[0]
        self.together = Together(self.networks)
        together = [Together(networks) for networks in members]
        check_alike(self.networks, together)
        self._lay_out(together)
        self.together.to(device)

    def __len__(self) -> int:
        return len(self.seeds)

    def _fresh(self, params: Now, seed: Seed) -> dict[str, nn.Module]:
        with seeded(*seed):
            return self.learner.networks(params)

    def _lay_out(self, members: Sequence[Together]) -> None:
        """Put each network's trainable weights into rows, and stack the other tensors."""
        learned = {n: p for n, p in self.together.named_parameters() if p.requires_grad}
        states = [_weights(member) for member in members]
        self.rows: dict[str, Tensor] = {}
        self.weights: dict[str, Tensors] = {}
        self.averages: dict[str, Tensor] = {}
        """Averaged weights, as rows, of the networks that any member averages."""
        self.optimisers: dict[str, StackedOptimiser] = {}
        for network in self.networks:
            prefix = self.together.prefix(network)
            own = [name for name in learned if name.startswith(prefix)]
            rows = torch.stack([torch.cat([s[n].flatten() for n in own]) for s in states])
            rows = rows.to(self.device)
            self.rows[network] = rows
            self.weights[network] = _views(rows, {n: learned[n].shape for n in own})
            kind = optimiser.own(network, "optimizer", self.nows[0])
            self.optimisers[network] = self._optimiser(network, kind, rows)
            if any(optimiser.own(network, "ema", now) for now in self.nows):
                self.averages[network] = rows.clone()
        scaled = self.networks if self.nows[0]["precision"] == "fp16" else ()
        self.scales = {network: LossScale(self.device, len(members)) for network in scaled}
        """The scales of each network's loss, in fp16."""
        self._grads = {network: torch.empty_like(rows) for network, rows in self.rows.items()}
        self._used: dict[str, frozenset[str]] = {}
        self._order: tuple[int, Tensor] | None = None
        rest = [name for name in states[0] if name not in learned]
        self.buffers = {
            name: torch.stack([state[name] for state in states]).to(self.device) for name in rest
        }

    def _optimiser(self, network: str, kind: str, rows: Tensor) -> StackedOptimiser:
        return KINDS[kind](rows)

    def train(
        self, inputs: Inputs, targets: Any, steps: NDArray[np.int64], steps_in_all: int
    ) -> Tensor:
        """Train every member for these steps, each on its own mini-batches.

        Args:
            inputs, targets: Inputs and targets of all training rows.
            steps: Optimiser steps, counted from 0 over the whole training.
            steps_in_all: Optimiser steps of the whole training.

        Returns:
            Losses, shape [steps, networks, members].
        """
        self.together.train()
        keys = [step_keys(self._draws, steps, index) for index in range(len(self.networks))]
        losses = [
            self._step(inputs, targets, at, steps_in_all, [of[place] for of in keys])
            for place, at in enumerate(steps.tolist())
        ]
        return torch.stack(losses)

    def _step(
        self, inputs: Inputs, targets: Any, at: int, steps: int, keys: Sequence[Tensor]
    ) -> Tensor:
        """One step of every member; returns the losses, shape [networks, members]."""
        rows = self._batches(len(parts(targets)[0]), at)
        given, wanted = taken(inputs, rows), taken(targets, rows)
        losses = []
        for index, network in enumerate(self.networks):
            arguments = self._arguments(network, given, wanted, keys[index])
            program = self._program(network, arguments)
            grads, (loss, self.buffers) = program(*arguments)
            self._use(network, program.used)
            own = self._gathered(network, grads)
            skip = self._unscaled(network, own)
            self.optimisers[network].step(own, network, self.nows, at, steps, skip)
            self._average(network, at)
            losses.append(loss)
        return torch.stack(losses)

    def _gathered(self, network: str, grads: Tensors) -> Tensor:
        """The gradients of a network, shape [members, parameters]."""
        own = self._grads[network]
        rows = [grads[name].reshape(len(own), -1) for name in self.weights[network]]
        return torch.cat(rows, 1, out=own)

    def _unscaled(self, network: str, grads: Tensor) -> Tensor | None:
        """Divide gradients by the scales of their losses; says which members' step to skip."""
        scale = self.scales.get(network)
        return None if scale is None else scale.unscale_rows(grads)

    def _average(self, network: str, at: int) -> None:
        """Take in the weights after a step; those of a member without averages are its weights."""
        rows = self.averages.get(network)
        if rows is None:
            return
        decays = [optimiser.own(network, "ema", now) for now in self.nows]
        shares = torch.tensor([[averages.share(decay, at)] for decay in decays])
        rows.lerp_(self.rows[network], shares)

    def _batches(self, count: int, at: int) -> Tensor:
        """Row numbers of every member's mini-batch at a step, shape [members, batch]."""
        size = self.nows[0]["batch_size"]
        epoch, index = divmod(at, steps_per_epoch(count, size))
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, orders(count, self._order_seeds, epoch))
        return self._order[1][:, index * size : (index + 1) * size]

    def _arguments(
        self, network: str, inputs: Inputs, targets: Any, keys: Tensor
    ) -> tuple[Any, ...]:
        others: Tensors = {}
        for name, weights in self.weights.items():
            others |= weights if name != network else {}
        scales = [self.scales[network].scale] if network in self.scales else []
        rest = inputs, targets, self._live, keys, *scales
        return self.weights[network], others, self.buffers, *rest

    def _use(self, network: str, used: frozenset[str]) -> None:
        """Exclude the parameters that the loss does not depend on from updates."""
        if self._used.get(network) == used:
            return
        self._used[network] = used
        self.optimisers[network].parts = _parts(
            {name: rows[0].numel() for name, rows in self.weights[network].items()}, used
        )

    def _program(self, network: str, arguments: tuple[Any, ...]) -> Gradients:
        key = (*self.key, network, *shapes(arguments[3]))
        if key not in self.programs:
            with made_there(self.device):
                self.programs[key] = gradients(
                    self.placed,
                    self.together,
                    network,
                    self._fixed,
                    arguments,
                    convolution=self.convolution,
                )
        program = self.programs[key]
        assert isinstance(program, Gradients)
        return program

    def everything(self, *, averaged: bool = True) -> Tensors:
        """Weights and buffers of all members by name; members are the first axis.

        Args:
            averaged: True for averages instead of the weights of networks that have them.
        """
        found = dict(self.buffers)
        for network, weights in self.weights.items():
            found |= weights
            if averaged and network in self.averages:
                found |= self._named(network, self.averages[network])
        return found

    def _named(self, network: str, rows: Tensor) -> Tensors:
        """Rows of a network as tensors by the name of the parameter, with the names' prefix."""
        return _views(rows, {n: w.shape[1:] for n, w in self.weights[network].items()})

    def member(self, index: int, *, averaged: bool = True) -> dict[str, nn.Module]:
        """The networks of one member in eval mode, as views of its memory until the next call.

        Args:
            index: Place of the member.
            averaged: True for averages instead of the weights of networks that have them.
        """
        self.together.eval()
        everything = self.everything(averaged=averaged)
        for name, tensor in (
            *self.together.named_parameters(),
            *self.together.named_buffers(),
        ):
            tensor.data = everything[name][index]
        return self.networks

    def moments(self, index: int) -> dict[str, dict[int, dict[str, Tensor]]]:
        """A member's optimiser state by network and parameter index, as in torch."""
        found: dict[str, dict[int, dict[str, Tensor]]] = {}
        for network, of_network in self.optimisers.items():
            used = self._used.get(network, self.weights[network])
            places = {name: p for name, p in self._places(network).items() if name in used}
            found[network] = {place: {} for place in places.values()}
            for moment, rows in of_network.state.items():
                views = self._named(network, rows)
                for name, place in places.items():
                    found[network][place][moment] = views[name][index]
                    if of_network.counts:
                        found[network][place]["step"] = of_network.steps[index]
        return found

    def _places(self, network: str) -> dict[str, int]:
        """The index of each trainable parameter among all parameters of its network."""
        prefix = self.together.prefix(network)
        return {
            f"{prefix}{name}": place
            for place, (name, p) in enumerate(self.networks[network].named_parameters())
            if p.requires_grad
        }

    def save(self, index: int, path: Path, rounds: int) -> None:
        """Write a member's checkpoint, the same as when trained alone."""
        networks = self.member(index, averaged=False)
        scales = {name: scale.state[:, index] for name, scale in self.scales.items()}
        beside = self.moments(index), self._averages(index), scales
        checkpoint.write(path, networks, checkpoint.Saved(rounds, *beside))

    def _averages(self, index: int) -> dict[str, Tensors]:
        """A member's averaged weights by network and parameter; of networks that average any."""
        return {
            network: {
                name.removeprefix(self.together.prefix(network)): tensor[index]
                for name, tensor in self._named(network, rows).items()
            }
            for network, rows in self.averages.items()
            if optimiser.own(network, "ema", self.nows[index])
        }

    def load(self, index: int, path: Path) -> int:
        """Load a checkpoint into a member; returns the rounds it was trained."""
        networks = self._fresh(self.params[index], self.seeds[index])
        saved = checkpoint.read(path, networks)
        state = _weights(Together(networks))
        for weights in (*self.weights.values(), self.buffers):
            for name, rows in weights.items():
                rows[index] = state[name]
        for network, rows in self.averages.items():
            rows[index] = self.rows[network][index]
            for name, tensor in self._averages(index).get(network, {}).items():
                tensor.copy_(saved.averages[network].get(name, tensor))
        for network in self.scales.keys() & saved.scales.keys():
            self.scales[network].load(saved.scales[network], index)
        for network, places in self.moments(index).items():
            for place, moments in places.items():
                kept = saved.moments[network].get(place, {})
                for moment in moments.keys() - {"step"}:
                    moments[moment].copy_(kept.get(moment, torch.zeros(())))
            # Parameters that no loss depends on have no step count; all others have the same.
            kept_by_all = saved.moments[network].values()
            steps = [float(kept["step"]) for kept in kept_by_all if "step" in kept]
            self.optimisers[network].steps[index].fill_(max(steps, default=0.0))
        return saved.rounds


def _parts(sizes: Mapping[str, int], used: Collection[str]) -> tuple[tuple[int, int], ...]:
    """Ranges of the used parameters in a row; adjacent ones are merged."""
    parts: list[tuple[int, int]] = []
    end = 0
    for name, count in sizes.items():
        start, end = end, end + count
        if name not in used:
            continue
        if parts and parts[-1][1] == start:
            start = parts.pop()[0]
        parts.append((start, end))
    return tuple(parts)


def _weights(together: Together) -> Tensors:
    found = {name: p.detach() for name, p in together.named_parameters()}
    return found | {name: b.detach() for name, b in together.named_buffers()}


def _views(rows: Tensor, shapes: Mapping[str, torch.Size]) -> Tensors:
    """Each parameter of all members, as a view of their rows."""
    found, start = {}, 0
    for name, shape in shapes.items():
        end = start + shape.numel()
        found[name] = rows[:, start:end].view(len(rows), *shape)
        start = end
    return found
