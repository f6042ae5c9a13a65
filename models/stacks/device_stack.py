"""A stack on an accelerator: whatever a step needs lies there, and whole steps are replayed.

A small network's step on a GPU is over before the next can be told in Python. So the host tells
a round in advance (learning rates, random keys, the order of the rows) and then only replays.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nettuner.models.inputs import Inputs, parts, taken
from nettuner.models.stacks.captured import Captured
from nettuner.models.stacks.program import Tensors
from nettuner.models.stacks.stack import Stack
from nettuner.models.stacks.wide_optimiser import WIDE, WideOptimiser
from nettuner.models.training import averages, optimiser
from nettuner.models.training.batches import steps_per_epoch
from nettuner.models.training.precision import multiplying
from nettuner.models.training.randomness import orders, step_keys


class DeviceStack(Stack):
    """See `Stack`. It works on any device, and is the faster one on accelerators."""

    optimisers: Mapping[str, WideOptimiser]  # type: ignore[assignment]

    def _lay_out(self, members: Any) -> None:
        super()._lay_out(members)
        self._order_of: tuple[int, int] | None = None
        self._at = torch.zeros(1, dtype=torch.int64, device=self.device)
        self._first = torch.zeros(1, dtype=torch.int64, device=self.device)
        self._round = 0
        """Steps of a round that the tables have room for."""
        self._captured: dict[Any, Captured] = {}

    def _optimiser(self, network: str, kind: str, rows: Tensor) -> WideOptimiser:  # type: ignore[override]
        return WIDE[kind](rows, network, self.nows)

    def _table(self, steps: int, kind: torch.dtype = torch.float32) -> Tensor:
        """Room for a number of each member at each step, shape [steps, members]."""
        return torch.zeros(steps, len(self), dtype=kind, device=self.device)

    def train(
        self, inputs: Inputs, targets: Any, steps: NDArray[np.int64], steps_in_all: int
    ) -> Tensor:
        """See `Stack.train`."""
        self.together.train()
        count, size = len(parts(targets)[0]), self.nows[0]["batch_size"]
        per_epoch = steps_per_epoch(count, size)
        self._tell_round(steps, steps_in_all)
        with multiplying(self.nows[0]["precision"], self.device):
            for place, at in enumerate(steps.tolist()):
                epoch, index = divmod(at, per_epoch)
                if place == 0 or index == 0:
                    self._tell_order(epoch, count)
                    self._first.fill_(index * size)
                self._replay(inputs, targets, min(size, count - index * size))
        return self._losses[: len(steps)].cpu()

    def _tell_round(self, steps: NDArray[np.int64], steps_in_all: int) -> None:
        """Write the learning rates, random keys and shares of averages of all steps."""
        if len(steps) > self._round:
            self._make_room(len(steps))
        self._at.zero_()
        for index, network in enumerate(self.networks):
            rates = optimiser.learning_rates(network, self.nows, steps.tolist(), steps_in_all)
            self.optimisers[network].rates = rates[-1].tolist()
            _write(self._rates[network], torch.from_numpy(rates))
            _write(self._keys[network], step_keys(self._draws, steps, index))
            if network in self.averages:
                decays = np.array([optimiser.own(network, "ema", now) for now in self.nows])
                shares = averages.share(decays, steps[:, None])
                _write(self._shares[network], torch.from_numpy(shares))

    def _make_room(self, steps: int) -> None:
        self._round = steps
        self._captured.clear()  # they know the tables that were
        self._rates = {network: self._table(steps) for network in self.networks}
        self._shares = {network: self._table(steps) for network in self.averages}
        self._keys = {network: self._table(steps, torch.int32) for network in self.networks}
        self._losses = torch.zeros(steps, len(self.networks), len(self), device=self.device)

    def _tell_order(self, epoch: int, count: int) -> None:
        """Write the order of the rows in an epoch."""
        if self._order_of == (epoch, count):
            return
        found = orders(count, self._order_seeds, epoch, self.device)
        if self._order_of is None or self._order_of[1] != count:
            self._rows = found
            self._captured.clear()
        else:
            self._rows.copy_(found)
        self._order_of = (epoch, count)

    def _replay(self, inputs: Inputs, targets: Any, size: int) -> None:
        places = [part.data_ptr() for part in (*parts(inputs), *parts(targets))]
        key = (size, *places)
        if key not in self._captured:
            step = functools.partial(self._step_there, inputs, targets, size)
            self._captured[key] = Captured(step, self.device)
        self._captured[key]()

    def _step_there(self, inputs: Inputs, targets: Any, size: int) -> None:
        """One step of every member, in place, told by tensors alone."""
        columns = self._first + torch.arange(size, device=self.device)
        rows = self._rows.index_select(1, columns)
        given, wanted = taken(inputs, rows), taken(targets, rows)
        for index, network in enumerate(self.networks):
            arguments = self._arguments(network, given, wanted, self._now(self._keys[network]))
            program = self._program(network, arguments)
            grads, (loss, buffers) = program(*arguments)
            self._use(network, program.used)
            self._keep(buffers)
            own = self._gathered(network, grads)
            skip = self._unscaled(network, own)
            self.optimisers[network].step(own, self._now(self._rates[network]), skip)
            if network in self.averages:
                shares = self._now(self._shares[network])[:, None]
                self.averages[network].lerp_(self.rows[network], shares)
            self._losses[:, index].index_copy_(0, self._at, loss[None])
        self._at += 1
        self._first += size

    def _now(self, table: Tensor) -> Tensor:
        """The row of a table for the step that is next."""
        return table.index_select(0, self._at)[0]

    def _keep(self, buffers: Tensors) -> None:
        """Take in the buffers after a step."""
        for name, buffer in buffers.items():
            self.buffers[name].copy_(buffer)


def _write(table: Tensor, values: Tensor) -> None:
    """Fill the first rows of a table."""
    table[: len(values)].copy_(values)
