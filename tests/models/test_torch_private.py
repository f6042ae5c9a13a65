"""The private parts of torch that are used, each as it is relied on."""

import math
import multiprocessing

import pytest
import torch
from torch import nn
from torch.func import grad, vmap
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from nettuner.models import torch_private as private

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_vectorised_gradient_is_recorded_as_operations_with_their_shapes():
    weights = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    program = private.make_fx(vmap(grad(lambda w: (w**2).sum())))(weights)
    assert program(weights + 1).tolist() == [[4.0, 6.0], [8.0, 10.0]]  # 2 (w + 1)
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    facts = [node.meta["tensor_meta"] for node in calls]
    assert all(isinstance(found, private.TensorMetadata) for found in facts)
    assert facts[-1].shape == (2, 2)
    assert facts[-1].dtype.itemsize == 4


def test_an_operation_is_replaced_when_it_is_recorded():
    def doubled(x, dim, half):
        return x * 2

    table = {private.log_softmax: doubled}
    logits = torch.tensor([1.0, 2.0])
    program = private.make_fx(lambda x: x.log_softmax(-1), decomposition_table=table)(logits)
    assert program(logits).tolist() == [2.0, 4.0]
    assert str(private.log_softmax_backward) == "aten._log_softmax_backward_data.default"


def test_nested_arguments_are_mapped():
    found = private.tree_map(lambda t: t[0], ({"a": torch.tensor([1, 2])}, [torch.tensor([3, 4])]))
    assert (found[0]["a"].item(), found[1][0].item()) == (1, 3)


def test_functions_are_replaced_while_a_mode_is_entered():
    class Ones(private.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return torch.ones(*args) if func is torch.rand else func(*args, **(kwargs or {}))

    with Ones():
        assert torch.rand(2).tolist() == [1.0, 1.0]
        assert functional.relu(torch.tensor(-1.0)).item() == 0.0


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_a_fused_kernel_moves_weights_as_its_optimiser_does(kind):
    weights, gradient = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 0.25])
    parameter = nn.Parameter(weights.clone())
    parameter.grad = gradient.clone()
    more = {"weight_decay": 0.01}
    {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[kind](
        [parameter], lr=0.1, **more, **({"momentum": 0.9} if kind == "sgd" else {})
    ).step()
    moments = [torch.zeros(2), torch.zeros(2)]
    if kind == "sgd":
        private.fused_sgd(
            [weights],
            [gradient],
            moments[:1],
            lr=0.1,
            momentum=0.9,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
            **more,
        )
    else:
        kernel = private.fused_adam if kind == "adam" else private.fused_adamw
        kernel(
            [weights],
            [gradient],
            moments[:1],
            moments[1:],
            [],
            [torch.tensor(1.0)],
            lr=0.1,
            beta1=0.9,
            beta2=0.999,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
            **more,
        )
    torch.testing.assert_close(weights, parameter.detach())


def test_the_gradients_of_a_convolution_are_those_of_autograd():
    images = torch.arange(16.0).view(1, 1, 4, 4).requires_grad_()
    weight, bias = nn.Parameter(torch.ones(2, 1, 3, 3)), nn.Parameter(torch.zeros(2))
    answer = torch.conv2d(images, weight, bias, padding=1)
    answer.sum().backward()
    found = private.convolution_backward(
        torch.ones_like(answer),
        images.detach(),
        weight.detach(),
        [2],
        [1, 1],
        [1, 1],
        [1, 1],
        False,
        [0, 0],
        1,
        [True, True, True],
    )
    for mine, theirs in zip(found, (images.grad, weight.grad, bias.grad), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_change_in_place_is_counted():
    tensor = torch.zeros(2)
    before = private.version_of(tensor)
    tensor.add_(1)
    assert private.version_of(tensor) == before + 1


def test_the_processes_of_a_loader_that_is_not_read_to_its_end_are_ended():
    loader = DataLoader(TensorDataset(torch.zeros(20, 1)), num_workers=2)
    batches = iter(loader)
    next(batches)
    started = multiprocessing.active_children()
    private.end_loading(batches)
    assert len(started) == 2
    assert not any(process.is_alive() for process in started)


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_a_fused_kernel_leaves_everything_as_it_is_where_an_overflow_was_found(kind):
    weights, moments = torch.tensor([1.0, -2.0]), [torch.ones(2), torch.full((2,), 2.0)]
    more = {"lr": 0.1, "weight_decay": 0.1, "maximize": False, "found_inf": torch.tensor(1.0)}
    grads = [torch.tensor([math.inf, math.nan])]
    if kind == "sgd":
        own = {"momentum": 0.9, "dampening": 0.0, "nesterov": False, "is_first_step": False}
        private.fused_sgd([weights], grads, moments[:1], **own, **more)
    else:
        own = {"beta1": 0.9, "beta2": 0.9, "eps": 1e-8, "amsgrad": False}
        kernel = {"adam": private.fused_adam, "adamw": private.fused_adamw}[kind]
        first, second = moments
        kernel([weights], grads, [first], [second], [], [torch.tensor(3.0)], **own, **more)
    assert weights.tolist() == [1.0, -2.0]
    assert [moment.tolist() for moment in moments] == [[1.0, 1.0], [2.0, 2.0]]


@pytest.mark.parametrize(("value", "found"), [(4.0, 0.0), (math.inf, 1.0), (math.nan, 1.0)])
def test_gradients_are_unscaled_and_what_is_not_finite_is_found(value, found):
    grads, skip = [torch.tensor([2.0, 6.0]), torch.tensor(value), torch.zeros(0)], torch.tensor(0.0)
    private.unscale(grads, skip, torch.tensor(0.5))
    assert grads[0].tolist() == [1.0, 3.0]
    assert skip.item() == found
