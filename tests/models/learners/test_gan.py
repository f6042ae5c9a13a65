"""The GAN: its losses and its distance by hand, and that it learns to draw digits."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from nettuner.models import learners
from nettuner.models.data.dataset import Split
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.data.sources.idx import Idx
from nettuner.models.learner import DataFacts
from nettuner.models.learners.gan import discriminator_loss, generator_loss, grid, latents
from nettuner.models.networks import frechet
from nettuner.models.space import Space
from nettuner.models.stacks.stack import Stack
from nettuner.models.stacks.training import fit_stack
from nettuner.models.study import Length, Study
from nettuner.models.training import checkpoint
from nettuner.models.training.batches import tensors
from nettuner.models.training.examine import examine
from nettuner.models.training.loop import facts, fit, measure, prepared
from nettuner.models.training.seeding import seeded

pytestmark = pytest.mark.usefixtures("one_thread")

REAL = Path(__file__).parents[4] / "shared" / "data" / "mnist_t10k"
DIGITS = Builtin(name="digits")
SMALL = DataFacts("classification", (1, 8, 8), 10)
OBJECTIVES = ["non-saturating", "least-squares", "hinge"]


def gan(data=SMALL):
    return learners.find("gan")(data)


@functools.cache
def digits():
    """The learner, prepared on the digits, and these."""
    dataset = load(DIGITS)
    return prepared(learners.find("gan"), dataset), dataset


def made(params=None, seed=0):
    with seeded(seed):
        return gan().networks(params or {})


# The distance


def gaussian(mean, *sds):
    return torch.tensor(mean).double(), torch.diag(torch.tensor(sds).double() ** 2)


def test_two_gaussians_on_a_line_differ_by_their_means_and_their_spreads():
    found = frechet.between(*gaussian([0.0], 1.0), *gaussian([3.0], 2.0))
    assert found.item() == pytest.approx(3**2 + (1 - 2) ** 2)


def test_in_a_plane_the_distances_along_independent_axes_add_up():
    found = frechet.between(*gaussian([0.0, 1.0], 1.0, 5.0), *gaussian([3.0, 1.0], 2.0, 1.0))
    assert found.item() == pytest.approx(3**2 + (1 - 2) ** 2 + 0 + (5 - 1) ** 2)


def test_covariances_that_do_not_commute_meet_their_known_square_root():
    # (C1 C2)^(1/2) has the trace sqrt(tr(C1 C2) + 2 sqrt(det(C1 C2))) in two dimensions.
    left = torch.tensor([[2.0, 1.0], [1.0, 2.0]]).double()
    right = torch.tensor([[1.0, 0.0], [0.0, 4.0]]).double()
    zero = torch.zeros(2).double()
    wanted = 4 + 5 - 2 * math.sqrt(10 + 2 * math.sqrt(3 * 4))
    assert frechet.between(zero, left, zero, right).item() == pytest.approx(wanted)
    assert frechet.between(zero, right, zero, left).item() == pytest.approx(wanted)


def test_gaussians_without_spread_are_as_far_apart_as_their_means():
    found = frechet.between(*gaussian([0.0, 0.0], 0.0, 0.0), *gaussian([3.0, 4.0], 0.0, 1.0))
    assert found.item() == pytest.approx(25 + 1)


def rows(count, features=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


def test_a_set_is_at_no_distance_from_itself_though_it_spans_few_dimensions():
    few = rows(3)
    assert frechet.distance(few, few).item() == pytest.approx(0, abs=1e-6)


def test_moving_both_sets_changes_nothing_and_stretching_both_counts_squared():
    left, right = rows(50), 2 * rows(70, seed=1) + 1
    found = frechet.distance(left, right).item()
    assert frechet.distance(left + 7, right + 7).item() == pytest.approx(found)
    assert frechet.distance(3 * left, 3 * right).item() == pytest.approx(9 * found)
    assert frechet.distance(right, left).item() == pytest.approx(found)


def test_moments_are_those_of_numpy():
    mean, covariance = frechet.moments(rows(20).float())
    given = rows(20).float().numpy()
    np.testing.assert_allclose(mean, given.mean(0), atol=1e-6)
    np.testing.assert_allclose(covariance, np.cov(given, rowvar=False), atol=1e-6)


def test_one_row_has_no_spread():
    assert frechet.moments(rows(1))[1].abs().sum() == 0


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_not_finite_has_no_distance_and_disturbs_nobody_measured_beside_it(wrong):
    sets = torch.stack([rows(9), rows(9)])
    sets[0, 2, 3] = wrong
    found = vmap(frechet.distance, in_dims=(0, None))(sets, rows(9, seed=1))
    assert math.isnan(found[0])
    assert found[1].item() == pytest.approx(frechet.distance(rows(9), rows(9, seed=1)).item())


# The losses, of the answers 0 and log 3, which say 1/2 and 3/4 to be real, and of 2 and -2

ANSWERS = torch.tensor([0.0, math.log(3)])
STRONG = torch.tensor([2.0, -2.0])


@pytest.mark.parametrize(
    ("objective", "answers", "wanted"),
    [
        ("non-saturating", ANSWERS, (math.log(2) + math.log(4 / 3)) / 2),
        ("least-squares", STRONG, (1 + 9) / 4),
        ("hinge", torch.tensor([2.0, -1.0]), -0.5),
    ],
)
def test_a_generator_wants_its_images_to_be_called_real(objective, answers, wanted):
    assert generator_loss(objective, answers).item() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("objective", "real", "images", "wanted"),
    [
        (
            "non-saturating",
            ANSWERS,
            ANSWERS,
            (math.log(2) + math.log(4 / 3)) / 2 + (math.log(2) + math.log(4)) / 2,
        ),
        ("least-squares", STRONG, STRONG, ((1 + 9) / 2 + (4 + 4) / 2) / 2),
        ("hinge", STRONG, STRONG, (0 + 3) / 2 + (3 + 0) / 2),
    ],
)
def test_a_discriminator_wants_to_tell_them_apart(objective, real, images, wanted):
    assert discriminator_loss(objective, real, images, 0.0).item() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("objective", "wanted"),
    [
        # 0.9 of the cross entropy of real and 0.1 of that of generated, for p = 3/4
        ("non-saturating", 0.9 * math.log(4 / 3) + 0.1 * math.log(4)),
        ("least-squares", (math.log(3) - 0.9) ** 2 / 2),
        ("hinge", 0.0),
    ],
)
def test_label_smoothing_asks_less_of_real_images_only(objective, wanted):
    real, images = torch.tensor([math.log(3)]), torch.tensor([-1.0])
    of_images = discriminator_loss(objective, torch.tensor([100.0]), images, 0.0)
    if objective == "least-squares":
        of_images = images.square().mean() / 2
    found = discriminator_loss(objective, real, images, 0.1) - of_images
    assert found.item() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_the_gradients_of_many_members_are_found_at_once(network, objective):
    learner = gan()  # alone torch cannot vectorise rates of dropout: the same for all
    members = [made({"objective": objective}, seed)[network] for seed in range(3)]
    shared = made({"objective": objective})
    weights, _ = stack_module_state(members)
    live = {
        "image_noise": torch.tensor([0.0, 0.1, 0.2]),
        "label_smoothing": torch.tensor([0.0, 0.1, 0.2]),
    }
    now = learner.now({"objective": objective})
    images, labels = torch.rand(3, 8, 1, 8, 8), torch.zeros(3, 8, dtype=torch.int64)

    def loss(weights, images, labels, live):
        def called(*arguments):
            return functional_call(shared[network], weights, arguments)

        return learner.loss(network, {**shared, network: called}, (images, labels), {**now, **live})

    gradients, losses = vmap(grad_and_value(loss), randomness="different")(
        weights, images, labels, live
    )
    assert losses.shape == (3,)
    assert len(set(losses.tolist())) == 3
    assert all(g.isfinite().all() for g in gradients.values())
    assert sum(g.flatten(1).abs().sum(1) for g in gradients.values()).min() > 0


def test_the_discriminators_loss_teaches_the_generator_nothing():
    networks = made()
    learner = gan()
    batch = torch.rand(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64)
    learner.loss("discriminator", networks, batch, learner.now({})).backward()
    assert all(p.grad is None for p in networks["generator"].parameters())


# Defaults and limits


def test_each_network_has_its_own_learning_rate_unless_one_is_given_for_both():
    learner = gan()
    alone, both = learner.now({}), learner.now({"learning_rate": 0.01, "beta1": 0.8})
    names = ["generator_learning_rate", "discriminator_learning_rate", "generator_beta1"]
    assert [alone[name] for name in names] == [5e-4, 4e-3, 0.5]
    assert [both[name] for name in names] == [0.01, 0.01, 0.8]


@pytest.mark.parametrize("shape", [(4,), (1, 3, 8), (8, 8)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(ValueError, match="gan needs images") as caught:
        gan(DataFacts("classification", shape, 2))
    assert str(caught.value) == (
        "gan needs images of shape (colours, height, width), at least 4 x 4 pixels, "
        f"got {shape}; use digits, or larger images from idx files"
    )


def test_images_without_classes_are_refused():
    with pytest.raises(ValueError, match=r"^the learner is for classification, got .*$"):
        gan(DataFacts("regression", (1, 8, 8), 1))


@pytest.mark.parametrize("params", [{"latent": 0}, {"hidden": 0}, {"depth": 0}])
def test_networks_of_nothing_are_refused(params):
    with pytest.raises(ValueError, match=r"^gan needs latent, .*; raise them$"):
        gan().networks(params)


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 9, 6), (1, 28, 28)])
def test_images_of_any_size_are_generated_with_pixels_from_0_to_1(shape):
    learner = gan(DataFacts("classification", shape, 2))
    networks = learner.networks({"latent": 3, "hidden": 7})
    images = networks["generator"](torch.randn(5, 3))
    assert images.shape == (5, *shape)
    assert images.min() >= 0
    assert images.max() <= 1
    assert networks["discriminator"](images).shape == (5,)


# Pictures


def test_a_picture_has_8_by_8_enlarged_images_with_gaps_around_them():
    with torch.no_grad():
        (name, picture), *others = gan().pictures(made()).items()
    assert (name, others) == ("samples", [])
    assert picture.dtype == np.uint8
    assert picture.shape == (8 * (4 * 8 + 2) + 2,) * 2
    assert (picture[:2] == 128).all()
    assert (picture[:, -2:] == 128).all()


def test_a_picture_shows_every_image_once_row_by_row():
    images = (np.arange(4, dtype=np.float32) / 5).reshape(4, 1, 1, 1) * np.ones((1, 1, 32, 32))
    picture = grid(images.astype(np.float32))
    assert picture[[3, 3, 40, 40], [3, 40, 3, 40]].tolist() == [0, 51, 102, 153]
    assert grid(np.zeros((4, 3, 32, 32), np.float32)).shape == (70, 70, 3)


def test_the_same_latent_numbers_are_drawn_whatever_the_count():
    generator = made()["generator"]
    assert torch.equal(latents(64, generator), latents(1024, generator)[:64])


# Measuring


def test_the_distance_is_repeatable_and_leaves_torchs_generator_alone():
    learner, dataset = digits()
    again = gan(facts(dataset))
    found = []
    for number in (1, 2):
        torch.manual_seed(number)
        state = torch.get_rng_state()
        again.prepare(*tensors(dataset.train))
        with torch.no_grad():
            found.append(again.evaluate(made(), *tensors(dataset.validation))["frechet"].item())
        assert torch.equal(torch.get_rng_state(), state)
    with torch.no_grad():
        found.append(learner.evaluate(made(), *tensors(dataset.validation))["frechet"].item())
    assert found[0] == found[1] == found[2]


def test_the_features_tell_digits_apart_and_are_standardised():
    learner, dataset = digits()
    images, labels = tensors(dataset.validation)
    # Of 359 validation digits 350 were named rightly when this was written.
    assert (learner.features.logits(images).argmax(1) == labels).double().mean() > 0.93
    found = learner.features(tensors(dataset.train)[0])
    torch.testing.assert_close(found.mean(0), torch.zeros(32).double())
    assert found.std(0, correction=0).max() == pytest.approx(1)


def test_real_digits_are_near_each_other_and_those_of_one_kind_far_from_all():
    learner, dataset = digits()
    parts = [tensors(part) for part in (dataset.train, dataset.validation, dataset.test)]
    train, validation, test = (learner.features(images) for images, _ in parts)
    assert frechet.distance(train, validation) < 0.5
    assert frechet.distance(test, validation) < 0.5
    zeros = train[parts[0][1] == 0]
    assert frechet.distance(zeros, validation) > 10


def trained(dataset, epochs, **params):
    """All validation distances of a training."""
    learner = prepared(learners.find("gan"), dataset)
    rounds = fit(learner, dataset, params, Length(epochs), seed=(0,))
    return [metrics["val_frechet"] for _, metrics in rounds]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_training_brings_generated_digits_five_times_nearer(objective):
    learner, dataset = digits()
    before = measure(learner, made(), tensors(dataset.validation), "val")["val_frechet"]
    assert trained(dataset, 40, objective=objective)[-1] < before / 5


@pytest.mark.long
def test_generated_images_of_mnist_come_nearer_too():
    if not REAL.is_dir():
        pytest.skip(f"real MNIST files are absent from {REAL}")
    source = Idx(
        images=str(REAL / "t10k-images-idx3-ubyte.gz"),
        labels=str(REAL / "t10k-labels-idx1-ubyte.gz"),
        validation=0.1,
        test=0.6,
    )
    found = trained(load(source), 12)  # of 3000 images
    assert found[-1] < 0.8 * found[0]


# Side by side


def test_members_of_a_stack_learn_what_each_would_alone():
    learner, dataset = digits()
    dataset = replace(dataset, train=Split(*(part[:40] for part in tensors_of(dataset.train))))
    params = [{"dropout": 0.1, "image_noise": 0.0}, {"dropout": 0.5, "image_noise": 0.1}]
    seeds = [(1, 0), (1, 1)]
    stack = Stack(learner, params, seeds, {})
    together = [found for _, found in fit_stack(stack, dataset, Length(2))]
    for member, (given, seed) in enumerate(zip(params, seeds, strict=True)):
        alone = [found for _, found in fit(learner, dataset, given, Length(2), seed=seed)]
        assert [found[member] for found in together] == [
            pytest.approx(found, rel=1e-3) for found in alone
        ]


def tensors_of(split):
    return split.inputs, split.targets


# Serving


def test_a_winners_generator_is_exported_with_latent_numbers_as_its_example(tmp_path):
    study = Study(
        name="winner",
        learner="gan",
        data=DIGITS,
        space=Space.model_validate({"latent": 5}),
        metric="val_frechet",
        epochs=1,
    )
    networks = made({"latent": 5})
    checkpoint.save(tmp_path / "state", networks, {}, 1)
    found = examine(study, {"latent": 5}, tmp_path / "state", tmp_path)
    assert found.why_not is None
    assert found.preprocessing is None
    assert found.example.shape == (5, 5)
    assert found.answers.shape == (5, 1, 8, 8)
    assert list(found.metrics) == ["test_frechet"]
    program = torch.export.load(found.network).module()
    with torch.no_grad():
        answers = program(torch.from_numpy(found.example[:1]))
    np.testing.assert_allclose(answers, found.answers[:1], rtol=1e-5)
