"""Evaluates the members of a stack: all at once where that is faster, else one by one."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch

from nettuner.models.inputs import Inputs, parts, shapes
from nettuner.models.learner import EVALUATION_BATCH
from nettuner.models.stacks.program import Tensors, UnstackableError, evaluation, size, stateless
from nettuner.models.stacks.stack import Program, Stack, most_bytes
from nettuner.models.training.device import CPU, finish, made_there
from nettuner.models.training.loop import Measured, measure, measure_further
from nettuner.models.training.metrics import Metric

Split = tuple[Inputs, Any]


def measure_stack(
    stack: Stack,
    split: Split,
    prefix: str,
    round_: int,
    members: Collection[int],
    further: Sequence[Metric] = (),
) -> dict[int, Measured]:
    """The metrics of these members, each the same as by `loop.measure`.

    Further ones, which are not made of tensor operations alone, are computed one by one.

    Raises:
        UnstackableError: Evaluation keeps state, which members would share.
    """
    found = _learners_own(stack, split, prefix, round_, members)
    for member in members if further else ():
        networks, seed = stack.member(member), (*stack.seeds[member], round_)
        more = measure_further(stack.placed, networks, split, prefix, seed, further)
        found[member] |= more
    return found


def _learners_own(
    stack: Stack, split: Split, prefix: str, round_: int, members: Collection[int]
) -> dict[int, Measured]:
    if not members:
        return {}
    arguments = (stack.everything(), *split)
    key = (*stack.key, "evaluation", *shapes(split[0]))
    if key not in stack.programs:
        stack.programs[key] = _faster(stack, arguments, split, min(members), round_)
    program = stack.programs[key]
    if program is _one_by_one:
        return {m: _alone(stack, m, split, prefix, round_) for m in members}
    try:
        found = {name: v.tolist() for name, v in program(*arguments).items()}
    except RuntimeError:  # one diverged member may fail the evaluation of all
        return {m: _alone(stack, m, split, prefix, round_) for m in members}
    return {m: {f"{prefix}_{name}": v[m] for name, v in found.items()} for m in members}


def _alone(stack: Stack, member: int, split: Split, prefix: str, round_: int) -> Measured:
    seed = (*stack.seeds[member], round_)
    return measure(stack.placed, stack.member(member), split, prefix, seed)


def _faster(
    stack: Stack, arguments: tuple[Any, ...], split: Split, member: int, round_: int
) -> Program:
    """A program for all members at once, if it can be recorded, fits in memory and is faster."""
    alone = functools.partial(_alone, stack, member, split, "", round_)
    stateless(stack.placed, stack.together, "evaluate", alone)
    rows = min(len(parts(split[0])[0]), EVALUATION_BATCH) / stack.nows[0]["batch_size"]
    training = [size(p) for p in stack.programs.values()]
    if rows * max(training, default=0) > most_bytes(stack.device):
        return _one_by_one
    try:
        with made_there(stack.device):
            program = evaluation(
                stack.placed, stack.together, arguments, convolution=stack.convolution
            )
    except UnstackableError:
        return _one_by_one
    by_itself = seconds(alone, stack.device)
    at_once = seconds(lambda: program(*arguments), stack.device)
    return program if at_once < by_itself * len(stack) else _one_by_one


def _one_by_one(*_: Any) -> Tensors:
    """Marks an evaluation that was not recorded."""
    raise NotImplementedError("members are to be measured one by one")


def seconds(action: Callable[[], object], device: torch.device = CPU) -> float:
    """Duration of an action [s], until the device has done it.

    On one core it is the time of this thread, so that what else the machine does counts little.
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if alone else time.perf_counter
    finish(device)
    began = clock()
    action()
    finish(device)
    return clock() - began
