"""Several members of one structure, trained side by side as one program.

Source of the idea of stacking: `torch.func.stack_module_state`; what is new here is that every
member has its own hyperparameters, batches and randomness, and ends as it would have alone.
"""

from __future__ import annotations

import copy
import functools
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models import checkpoint, optimiser
from models.learner import EVALUATION_BATCH, Learner
from models.program import (
    Gradients,
    Tensors,
    Together,
    UnstackableError,
    evaluation,
    gradients,
    size,
    stateless,
)
from models.randomness import step_keys
from models.stacked_optimiser import KINDS, StackedOptimiser
from models.training import (
    Measured,
    draw_seed,
    measure,
    seeded,
    shuffled,
    steps_per_epoch,
)

Params = Mapping[str, Any]
Seed = tuple[int, ...]
Split = tuple[Tensor, Tensor]
Program = Callable[..., Any]

# What the tensors of one recorded program may take, all of them together.
MOST_BYTES = 2**29
# Recorded programs that are kept of one structure: several sizes, networks and batch sizes.
MOST_PROGRAMS = 64


class Programs(OrderedDict[Any, Program]):
    """Recorded programs; those least recently used make room for new ones."""

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
        learner: What is trained.
        params: The hyperparameters of each member; those that fix the structure agree.
        seeds: Of each member.
        programs: Where recorded programs are kept, so that later stacks need not record them.
        convolve_one_by_one: How convolutions are done.

    Raises:
        UnstackableError: these members cannot be trained together.
    """

    def __init__(
        self,
        learner: Learner,
        params: Sequence[Params],
        seeds: Sequence[Seed],
        programs: dict[Any, Program],
        *,
        convolve_one_by_one: bool,
    ) -> None:
        self.learner = copy.copy(learner)  # what it keeps for itself is nobody else's
        self.nows = [learner.now(given) for given in params]
        self.params = list(params)
        self.seeds = list(seeds)
        self._draws = np.array([draw_seed(seed) for seed in seeds], dtype=np.uint32)
        self._programs = programs
        self._convolve_one_by_one = convolve_one_by_one
        self._fixed, self._live = _divided(learner, params, self.nows)
        self._key = (
            tuple(sorted((k, repr(v)) for k, v in self._fixed.items())),
            tuple(self._live),
            len(params),
            convolve_one_by_one,
        )
        members = [self._fresh(given, seed) for given, seed in zip(params, seeds, strict=True)]
        self.networks = members[0]
        self.together = Together(self.networks)
        together = [Together(networks) for networks in members]
        _check(self.networks, together)
        self._lay_out(together)

    def __len__(self) -> int:
        return len(self.seeds)

    def _fresh(self, params: Params, seed: Seed) -> dict[str, nn.Module]:
        with seeded(*seed):
            return self.learner.networks(params)

    def _lay_out(self, members: Sequence[Together]) -> None:
        """Put each network's learned weights into rows, and whatever else it has beside them."""
        learned = {n: p for n, p in self.together.named_parameters() if p.requires_grad}
        states = [_weights(member) for member in members]
        self.rows: dict[str, Tensor] = {}
        self.weights: dict[str, Tensors] = {}
        self.optimisers: dict[str, StackedOptimiser] = {}
        for network in self.networks:
            prefix = self.together.prefix(network)
            own = [name for name in learned if name.startswith(prefix)]
            rows = torch.stack([torch.cat([s[n].flatten() for n in own]) for s in states])
            self.rows[network] = rows
            self.weights[network] = _views(rows, {n: learned[n].shape for n in own})
            kind = optimiser.own(network, "optimizer", self.nows[0])
            self.optimisers[network] = KINDS[kind](rows)
        self._grads = {network: torch.empty_like(rows) for network, rows in self.rows.items()}
        self._used: dict[str, frozenset[str]] = {}
        self._order: tuple[int, Tensor] | None = None
        rest = [name for name in states[0] if name not in learned]
        self.buffers = {name: torch.stack([state[name] for state in states]) for name in rest}

    def train(self, inputs: Tensor, targets: Tensor, steps: NDArray[np.int64]) -> Tensor:
        """Every member takes these steps, each on its own batches.

        Args:
            inputs, targets: All training rows.
            steps: Counted from 0 over the whole training.

        Returns:
            The losses, shape [steps, networks, members].
        """
        self.together.train()
        keys = [step_keys(self._draws, steps, index) for index in range(len(self.networks))]
        losses = [
            self._step(inputs, targets, at, [of[place] for of in keys])
            for place, at in enumerate(steps.tolist())
        ]
        return torch.stack(losses)

    def _step(self, inputs: Tensor, targets: Tensor, at: int, keys: Sequence[Tensor]) -> Tensor:
        """One step of every member: the losses, shape [networks, members]."""
        rows = self._batches(len(targets), at)
        images, labels = inputs[rows], targets[rows]
        losses = []
        for index, network in enumerate(self.networks):
            arguments = self._arguments(network, images, labels, keys[index])
            program = self._program(network, arguments)
            grads, (loss, self.buffers) = program(*arguments)
            self._use(network, program.used)
            own = self._grads[network]
            torch.cat(
                [grads[name].reshape(len(own), -1) for name in self.weights[network]], 1, out=own
            )
            self.optimisers[network].step(own, network, self.nows, at)
            losses.append(loss)
        return torch.stack(losses)

    def _batches(self, count: int, at: int) -> Tensor:
        """Row numbers of every member's batch at a step, shape [members, batch]."""
        size = self.nows[0]["batch_size"]
        epoch, index = divmod(at, steps_per_epoch(count, size))
        if self._order is None or self._order[0] != epoch:
            orders = [shuffled(count, (*seed, epoch)) for seed in self.seeds]
            self._order = (epoch, torch.stack(orders))
        return self._order[1][:, index * size : (index + 1) * size]

    def _arguments(
        self, network: str, inputs: Tensor, targets: Tensor, keys: Tensor
    ) -> tuple[Any, ...]:
        others: Tensors = {}
        for name, weights in self.weights.items():
            others |= weights if name != network else {}
        return self.weights[network], others, self.buffers, inputs, targets, self._live, keys

    def _use(self, network: str, used: frozenset[str]) -> None:
        """Let the optimiser leave alone what the loss does not depend on."""
        if self._used.get(network) == used:
            return
        self._used[network] = used
        self.optimisers[network].parts = _parts(
            {name: rows[0].numel() for name, rows in self.weights[network].items()}, used
        )

    def _program(self, network: str, arguments: tuple[Any, ...]) -> Gradients:
        key = (*self._key, network, arguments[3].shape)
        if key not in self._programs:
            self._programs[key] = gradients(
                self.learner,
                self.together,
                network,
                self._fixed,
                arguments,
                convolve_one_by_one=self._convolve_one_by_one,
            )
        program = self._programs[key]
        assert isinstance(program, Gradients)
        return program

    def measure(
        self, split: Split, prefix: str, round_: int, members: Collection[int]
    ) -> dict[int, Measured]:
        """The metrics of these members, as `training.measure` gives them for one.

        Raises:
            UnstackableError: evaluating keeps state, which members would share.
        """
        if not members:
            return {}
        arguments = (self._everything(), *split)
        key = (*self._key, "evaluation", split[0].shape)
        if key not in self._programs:
            self._programs[key] = self._faster_evaluation(arguments, split, min(members), round_)
        program = self._programs[key]
        if program is _one_by_one:
            return {m: self._measure_alone(m, split, prefix, round_) for m in members}
        try:
            found = {name: v.tolist() for name, v in program(*arguments).items()}
        except RuntimeError:  # a member that diverged may keep the others from being measured
            return {m: self._measure_alone(m, split, prefix, round_) for m in members}
        return {m: {f"{prefix}_{name}": v[m] for name, v in found.items()} for m in members}

    def _measure_alone(self, member: int, split: Split, prefix: str, round_: int) -> Measured:
        seed = (*self.seeds[member], round_)
        return measure(self.learner, self.member(member), split, prefix, seed)

    def _faster_evaluation(
        self, arguments: tuple[Any, ...], split: Split, member: int, round_: int
    ) -> Program:
        """All members at once, where that can be recorded, fits in memory and is faster."""
        alone = functools.partial(self._measure_alone, member, split, "", round_)
        stateless(self.learner, self.together, "evaluate", alone)
        rows = min(len(split[0]), EVALUATION_BATCH) / self.nows[0]["batch_size"]
        training = [size(p) for p in self._programs.values()]
        if rows * max(training, default=0) > MOST_BYTES:
            return _one_by_one
        try:
            program = evaluation(
                self.learner,
                self.together,
                arguments,
                convolve_one_by_one=self._convolve_one_by_one,
            )
        except UnstackableError:
            return _one_by_one
        by_itself = seconds(alone)
        at_once = seconds(lambda: program(*arguments))
        return program if at_once < by_itself * len(self) else _one_by_one

    def _everything(self) -> Tensors:
        found = dict(self.buffers)
        for weights in self.weights.values():
            found |= weights
        return found

    def member(self, index: int) -> dict[str, nn.Module]:
        """The networks of one member in eval mode: they share its memory until the next call."""
        self.together.eval()
        everything = self._everything()
        for name, tensor in (
            *self.together.named_parameters(),
            *self.together.named_buffers(),
        ):
            tensor.data = everything[name][index]
        return self.networks

    def moments(self, index: int) -> dict[str, dict[int, dict[str, Tensor]]]:
        """A member's optimisers as torch has them: by network and number of the parameter."""
        found: dict[str, dict[int, dict[str, Tensor]]] = {}
        for network, of_network in self.optimisers.items():
            used = self._used.get(network, self.weights[network])
            places = {name: p for name, p in self._places(network).items() if name in used}
            found[network] = {place: {} for place in places.values()}
            for moment, rows in of_network.state.items():
                views = _views(rows, {n: w.shape[1:] for n, w in self.weights[network].items()})
                for name, place in places.items():
                    found[network][place][moment] = views[name][index]
                    if of_network.counts:
                        found[network][place]["step"] = of_network.steps[index]
        return found

    def _places(self, network: str) -> dict[str, int]:
        """The number of each learned parameter among all of its network, in their order."""
        prefix = self.together.prefix(network)
        return {
            f"{prefix}{name}": place
            for place, (name, p) in enumerate(self.networks[network].named_parameters())
            if p.requires_grad
        }

    def save(self, index: int, path: Path, rounds: int) -> None:
        """Write a member's state, as a training alone would write it."""
        checkpoint.write(path, self.member(index), self.moments(index), rounds)

    def load(self, index: int, path: Path) -> int:
        """Put a saved state in a member's place, all of it at once; the rounds it was trained."""
        networks = self._fresh(self.params[index], self.seeds[index])
        rounds, saved = checkpoint.read(path, networks)
        state = _weights(Together(networks))
        for weights in (*self.weights.values(), self.buffers):
            for name, rows in weights.items():
                rows[index] = state[name]
        for network, places in self.moments(index).items():
            for place, moments in places.items():
                kept = saved[network].get(place, {})
                for moment in moments.keys() - {"step"}:
                    moments[moment].copy_(kept.get(moment, torch.zeros(())))
            # What no loss depends on has no steps; all else has as many.
            steps = [float(kept["step"]) for kept in saved[network].values() if "step" in kept]
            self.optimisers[network].steps[index].fill_(max(steps, default=0.0))
        return rounds


def seconds(action: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _one_by_one(*_: Any) -> Tensors:
    """Stands where an evaluation was not recorded."""
    raise NotImplementedError("members are to be measured one by one")


def _check(networks: Mapping[str, nn.Module], members: Sequence[Together]) -> None:
    """Whether rows of weights can hold all that differs between members.

    Raises:
        UnstackableError: they cannot.
    """
    learned = [
        {p for p in network.parameters() if p.requires_grad} for network in networks.values()
    ]
    if not all(learned):
        raise UnstackableError("a network has nothing to learn")
    if len(set().union(*learned)) < sum(map(len, learned)):
        raise UnstackableError("two networks learn the same weights")
    if any(p.dtype != torch.float32 for p in chain(*learned)):
        raise UnstackableError("a stack needs weights of float32")
    held = [[_held(part) for part in member.modules()] for member in members]
    if not all(_equal(other, held[0]) for other in held[1:]):
        raise UnstackableError("the networks of members differ in more than weights and buffers")


def _held(part: nn.Module) -> dict[str, Any]:
    """What a module has beside weights, buffers and other modules."""
    return {n: v for n, v in vars(part).items() if n not in ("_parameters", "_buffers", "_modules")}


def _equal(left: Any, right: Any) -> bool:
    """Whether values that a network may depend on are equal; others are not compared."""
    if isinstance(left, nn.Parameter):
        return True  # those of recurrent layers, which are known by name as well
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return _equal(list(left.values()), list(right.values()))
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return torch.equal(left, right)
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return np.array_equal(left, right)
    if isinstance(left, int | float | str):
        return bool(left == right)
    return type(left) is type(right)


def _parts(sizes: Mapping[str, int], used: Collection[str]) -> tuple[tuple[int, int], ...]:
    """Where in a row the used parameters lie; neighbours as one piece."""
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
    """Each parameter of all members, as a view of the rows that hold them."""
    found, start = {}, 0
    for name, shape in shapes.items():
        end = start + shape.numel()
        found[name] = rows[:, start:end].view(len(rows), *shape)
        start = end
    return found


def structure(learner: type[Learner], params: Params) -> tuple[tuple[str, Any], ...]:
    """What must agree between the members of a stack: all that is structural or no number."""
    structural = learner.structural()
    return tuple(
        (name, value)
        for name, value in sorted(params.items())
        if name in structural or not is_number(value)
    )


def is_number(value: object) -> bool:
    """Whether members of a stack may differ in it."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _divided(
    learner: Learner, params: Sequence[Params], nows: Sequence[Params]
) -> tuple[dict[str, Any], Tensors]:
    """What all members share, and as tensors [members] what each has of its own.

    Raises:
        UnstackableError: what is no number differs between the members.
    """
    structural = learner.structural()
    defaults = learner.now({})
    # Also those that follow from what was given: of each network, where one is for all.
    varied = {
        name
        for given, now in zip(params, nows, strict=True)
        for name, value in now.items()
        if name in given or value != defaults.get(name)
    }
    live = {n for n in varied - structural if all(is_number(now.get(n)) for now in nows)}
    names = dict.fromkeys(chain(*nows))
    fixed = {name: nows[0].get(name) for name in names if name not in live}
    for name, value in fixed.items():
        if any(repr(now.get(name)) != repr(value) for now in nows):
            raise UnstackableError(f"the members of a stack differ in {name}")
    numbers = {
        name: torch.tensor([float(now[name]) for now in nows], dtype=torch.float32)
        for name in sorted(live)
    }
    return fixed, numbers
