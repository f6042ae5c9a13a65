"""The gradients of a loss for all members of a stack, as one program.

`loss` is traced once, vectorised over the members and differentiated; every step then replays a
flat list of tensor operations, without autograd and without the user's Python.
"""

from __future__ import annotations

import functools
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn import functional

from nettuner.models.inputs import Inputs
from nettuner.models.learner import Learner, Networks
from nettuner.models.stacks import convolution as one_by_one
from nettuner.models.stacks import unfolded
from nettuner.models.stacks.half import converted, in_float32, is_half, is_norm_in_half
from nettuner.models.torch_private import (
    TensorMetadata,
    log_softmax,
    log_softmax_backward,
    make_fx,
    tree_map,
    version_of,
)
from nettuner.models.training.precision import converting
from nettuner.models.training.randomness import Randomness

Value = TypeVar("Value")
Tensors = dict[str, Tensor]
Arguments = tuple[Any, ...]

# Up to so many entries torch's own log softmax is slower on a CPU than its elementary operations.
FEW = 64

# Other threads may draw from the generators of Python and numpy, too: only an action after which
# they have changed in every try is taken to draw from them.
TRIES = 3


Convolution = Literal["groups", "one by one", "products"]
"""How convolutions of all members are computed: as one of many groups, in a loop over members, or
as products of matrices. Which is fastest depends on the sizes and on the device."""

CONVOLUTIONS: dict[str, Callable[..., Tensor]] = {
    "one by one": one_by_one.convolution,
    "products": unfolded.convolution,
}


class UnstackableError(Exception):
    """A learner that cannot be trained as part of a stack; the message says why."""


class Recorded(Randomness):
    """`Randomness` that also replaces functions which cannot be vectorised as they are."""

    written_out = True

    def __init__(self, *, convolution: Convolution = "groups") -> None:
        super().__init__()
        self._convolution = convolution

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        if func in (Tensor.to, Tensor.contiguous):  # a memory format would apply to one member
            given.pop("memory_format", None)
            if func is Tensor.to and not given and len(args) == 1:
                return args[0]
        elif func is functional.cross_entropy and isinstance(given.get("label_smoothing"), Tensor):
            return smoothed_cross_entropy(*args, **given)
        elif func is torch.conv2d and self._convolution in CONVOLUTIONS:
            return CONVOLUTIONS[self._convolution](*converted(args), **converted(given))
        elif is_norm_in_half(func, args):
            return func(args[0].float(), *args[1:], **given).to(args[0].dtype)
        return super().__torch_function__(func, types, args, given)


def smoothed_cross_entropy(
    outputs: Tensor, targets: Tensor, *args: Any, label_smoothing: Tensor, **kwargs: Any
) -> Tensor:
    """Cross entropy [nats] against targets mixed with a share of the uniform distribution.

    It is linear in this share, for which torch itself accepts only a plain number.

    Source: Szegedy et al. (2016), arXiv:1512.00567, section 7.
    """
    loss: Callable[..., Tensor] = functools.partial(
        functional.cross_entropy, outputs, targets, *args, **kwargs
    )
    hard, even = loss(label_smoothing=0.0), loss(label_smoothing=1.0)
    return (1 - label_smoothing) * hard + label_smoothing * even


def _is_small(x: Tensor, dim: int) -> bool:
    """Whether elementary operations are faster, and as exact; in half precision they are not."""
    return x.shape[dim] <= FEW and x.device.type == "cpu" and not is_half(x)


def _log_softmax(x: Tensor, dim: int, half_to_float: bool) -> Any:
    if not _is_small(x, dim):
        return NotImplemented
    shifted = x - x.amax(dim, keepdim=True)
    return shifted - shifted.exp().sum(dim, keepdim=True).log()


def _log_softmax_backward(grad: Tensor, output: Tensor, dim: int, dtype: torch.dtype) -> Any:
    if not _is_small(output, dim):
        return NotImplemented
    return grad - output.exp() * grad.sum(dim, keepdim=True)


FASTER: dict[Any, Callable[..., Any]] = {
    log_softmax: _log_softmax,
    log_softmax_backward: _log_softmax_backward,
}


def record(function: Callable[..., Any], arguments: Arguments) -> Callable[..., Any]:
    """Trace a function on arguments of these shapes into a list of tensor operations.

    An optimisation: the function itself, vectorised by `torch.func`, gives the same results. Traced
    steps of a small network are faster (`tests/benchmarks/recording.py` measures it), since neither
    autograd nor Python code of the learner runs again.

    Raises:
        UnstackableError: It branches on values, or does something that cannot be vectorised.
    """
    try:
        with torch.no_grad():
            program: Callable[..., Any] = make_fx(function, decomposition_table=FASTER)(*arguments)
    except Exception as error:
        reason = str(error).strip().splitlines() or [""]
        raise UnstackableError(f"{type(error).__name__}: {reason[0]}") from error
    return program


@dataclass(frozen=True)
class Gradients:
    """A recorded loss, differentiated.

    Args:
        program: Function from the arguments of `gradients` to gradients, losses and buffers.
        used: Parameters that the loss depends on. The others have no gradient, so not even weight
            decay changes them, as when trained alone.
    """

    program: Callable[..., tuple[Tensors, tuple[Tensor, Tensors]]]
    used: frozenset[str]

    def __call__(self, *arguments: Any) -> tuple[Tensors, tuple[Tensor, Tensors]]:
        """The program's result."""
        return self.program(*arguments)

    @property
    def graph(self) -> Any:
        """The operations of the program."""
        return self.program.graph  # type: ignore[attr-defined]


def size(program: Callable[..., Any]) -> int:
    """Bytes of all tensors that a recorded program creates: an upper bound of its memory."""
    total = 0
    for node in getattr(program, "graph", fx.Graph()).nodes:
        facts = node.meta.get("tensor_meta")
        if node.op == "call_function" and isinstance(facts, TensorMetadata):
            total += facts.shape.numel() * facts.dtype.itemsize
    return total


class Together(nn.Module):
    """All networks of a learner as one module, for `functional_call`."""

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.names = list(networks)
        self.parts = nn.ModuleList(networks.values())

    def forward(self, function: Callable[[Networks], Any]) -> Any:
        """The result of a function of the networks."""
        return function(dict(zip(self.names, self.parts, strict=True)))

    def prefix(self, network: str) -> str:
        """Prefix of the names of a network's weights."""
        return f"parts.{self.names.index(network)}."


def gradients(
    learner: Learner,
    together: Together,
    network: str,
    fixed: Mapping[str, Any],
    arguments: Arguments,
    *,
    convolution: Convolution,
) -> Gradients:
    """Record the gradients of `network` for all members, from one mini-batch each.

    Args:
        learner: Learner that has the loss.
        together: Networks that give the structure; their weights are not used.
        network: Name of the network to differentiate by.
        fixed: Hyperparameters that all members share.
        arguments: Example arguments that fix all shapes, members along the first axis: the
            network's parameters by name, those of other networks, all buffers, inputs, targets,
            live hyperparameters by name, random keys, and in fp16 scales of the loss.
        convolution: How the convolutions of all members are computed.

    Returns:
        Program from such arguments to the gradients by parameter, the losses [members], and the
        updated buffers.

    Raises:
        UnstackableError: The loss keeps state, branches on values, or cannot be vectorised.
    """

    def loss(
        own: Tensors,
        others: Tensors,
        buffers: Tensors,
        inputs: Inputs,
        targets: Any,
        live: Tensors,
        key: Tensor,
        *scale: Tensor,
    ) -> tuple[Tensor, tuple[Tensor, Tensors]]:
        buffers = {name: buffer.clone() for name, buffer in buffers.items()}
        randomness = Recorded(convolution=convolution)
        randomness.begin(key)

        def of(networks: Networks) -> tuple[Tensor, Tensors]:
            with randomness, converting(fixed["precision"], key.device):
                value = learner.loss(network, networks, (inputs, targets), {**fixed, **live})
            # Looked up here, because a network may replace a buffer instead of changing it.
            return in_float32(value), dict(together.named_buffers(remove_duplicate=False))

        value, after = functional_call(together, {**own, **others, **buffers}, (of,))
        found = {n: _successor(old, after.get(n, old)) for n, old in buffers.items()}
        return value * scale[0] if scale else value, (value, found)

    def differentiated(*given: Any) -> tuple[Tensors, tuple[Tensor, Tensors]]:
        grads, (_, found) = grad_and_value(loss, has_aux=True)(*given)
        return grads, found

    together.train()

    def recorded() -> Gradients:
        program = record(vmap(differentiated), arguments)
        return Gradients(program, _used(loss, arguments))

    return stateless(learner, together, "the loss", recorded)


def _successor(old: Tensor, new: Tensor) -> Tensor:
    """The value of a buffer after a step."""
    if (old.shape, old.dtype) != (new.shape, new.dtype):
        raise TypeError("a buffer is replaced by one of another shape or type")
    return new.detach()


def _used(loss: Callable[..., tuple[Tensor, Any]], arguments: Arguments) -> frozenset[str]:
    """The parameters that the loss of the first member depends on."""
    own, *others = tree_map(lambda tensor: tensor[0], arguments)
    own = {name: tensor.detach().requires_grad_() for name, tensor in own.items()}
    try:
        with torch.enable_grad():
            value, _ = loss(own, *others)
        found = torch.autograd.grad(value, list(own.values()), allow_unused=True)
    except Exception as error:
        raise UnstackableError(f"{type(error).__name__}: {error}") from error
    return frozenset(name for name, grad in zip(own, found, strict=True) if grad is not None)


def evaluation(
    learner: Learner, together: Together, arguments: Arguments, *, convolution: Convolution
) -> Callable[..., Tensors]:
    """Record the metrics of all members on one split.

    Args:
        learner: Learner that has the metrics.
        together: Networks that give the structure; their weights are not used.
        arguments: Example arguments that fix all shapes: parameters and buffers by name with
            members along the first axis; inputs and targets, which all members share.
        convolution: How the convolutions of all members are computed.

    Returns:
        Program from such arguments to the metrics by name, each [members].

    Raises:
        UnstackableError: `evaluate` answers with plain numbers, branches on values, or is random.
    """

    def measure(weights: Tensors, inputs: Inputs, targets: Any) -> Tensors:
        def of(networks: Networks) -> Tensors:
            with Recorded(convolution=convolution):
                found = learner.evaluate(networks, inputs, targets)
            if not all(isinstance(value, Tensor) for value in found.values()):
                raise TypeError("evaluate must answer with tensors to be recorded")
            return {name: torch.as_tensor(value).reshape(()) for name, value in found.items()}

        found: Tensors = functional_call(together, weights, (of,))
        return found

    together.eval()
    return record(vmap(measure, in_dims=(0, None, None)), arguments)


def stateless(
    learner: Learner, together: Together, what: str, action: Callable[[], Value]
) -> Value:
    """The result of an action, checked to keep no state.

    Raises:
        UnstackableError: It changed attributes, or drew from a generator that is not torch's.
    """
    for _ in range(TRIES):
        generators, before = _generators(), _attributes(learner, together)
        answer = action()
        after = _attributes(learner, together)
        if len(before) != len(after) or not all(map(_is, before, after)):
            raise UnstackableError(f"{what} changes attributes of the learner or of a network")
        if _generators() == generators:
            return answer
    raise UnstackableError(f"{what} draws from a generator that is not torch's")


def _generators() -> tuple[int, int]:
    """Hashes of the states of the generators of Python and numpy."""
    state = np.random.get_state(legacy=False)  # noqa: NPY002 - what a user's code may draw from
    return hash(random.getstate()), hash(repr(state))


def _attributes(learner: Learner, together: Together) -> list[Any]:
    """The attributes of the learner and all modules; references to them, as an `id` is reused."""
    found: list[Any] = []
    for part in (learner, *together.modules()):
        for name, value in vars(part).items():
            if name not in ("_parameters", "_buffers", "training"):
                found += [name, value, *_contents(value)]
    return found


def _contents(value: object) -> list[Any]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | set | deque):
        return list(value)
    return [version_of(value)] if isinstance(value, Tensor) else []


def _is(left: object, right: object) -> bool:
    return left is right or (type(left) is type(right) is int and left == right)
