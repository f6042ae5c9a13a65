"""The translator: its attention, its loss, what it decodes, and that it learns to translate."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from nettuner.models import learners
from nettuner.models.check import fit_together
from nettuner.models.data.load import load
from nettuner.models.data.preprocessing import (
    BEGIN,
    END,
    PAD,
    SPECIAL,
    UNKNOWN,
    Sentences,
    Vocabulary,
)
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.data.sources.numbers import Numbers
from nettuner.models.data.sources.parallel import Parallel
from nettuner.models.fitted import MisfitError
from nettuner.models.learner import DataFacts
from nettuner.models.networks.decoding import greedy
from nettuner.models.networks.transformer import Attention, waves
from nettuner.models.stacks.stack import Stack
from nettuner.models.study import Length, Study
from nettuner.models.training.batches import tensors
from nettuner.models.training.loop import facts, fit, prepared
from nettuner.models.training.seeding import seeded

pytestmark = pytest.mark.usefixtures("one_thread")

REAL = Path(__file__).parents[4] / "shared" / "data" / "multi30k_ende"
ENGLISH = Vocabulary((*SPECIAL, "a", "b", "c"))
GERMAN = Vocabulary((*SPECIAL, "x", "y"))
TINY = DataFacts("translation", (4,), 6, sentences=Sentences(ENGLISH, GERMAN, 4, 5))
SOURCES = torch.tensor([[4, 5, 6, END], [6, END, PAD, PAD], [4, 4, END, PAD]])
TARGETS = torch.tensor(
    [[BEGIN, 4, 5, 4, END], [BEGIN, 5, END, PAD, PAD], [BEGIN, END, PAD, PAD, PAD]]
)


def made(seed=0, **params):
    """A tiny translator and its network."""
    learner = learners.find("translator")(TINY)
    with seeded(seed):
        networks = learner.networks({"width": 8, "feed_forward": 8, **params})
    return learner, networks["network"].eval()


def louder(network, factor=2.0):
    """The network with larger weights, so that what it says differs from place to place."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(factor if parameter.ndim > 1 else 1.0)
    return network


# The network


def test_attention_is_that_of_torch():
    ours, theirs = Attention(8, 2).eval(), nn.MultiheadAttention(8, 2, batch_first=True).eval()
    with torch.no_grad():
        theirs.in_proj_bias.zero_()
        for i, part in enumerate((ours.query, ours.key, ours.value)):
            part.weight.copy_(theirs.in_proj_weight[8 * i : 8 * i + 8])
            if part.bias is not None:
                part.bias.zero_()
        ours.output.load_state_dict(theirs.out_proj.state_dict())
        here, there = torch.randn(3, 4, 8), torch.randn(3, 5, 8)
        ignored = torch.tensor([[False] * 5, [False] * 3 + [True] * 2, [False] + [True] * 4])
        wanted, _ = theirs(here, there, there, key_padding_mask=ignored)
        found = ours(here, ours.memory(there), ignored[:, None, None, :] * -1e9, 0.0)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("heads", [1, 2, 3, 5])
def test_any_number_of_heads_goes_with_any_width(heads):
    _, network = made(width=7, heads=heads)
    assert network(SOURCES, TARGETS[:, :-1]).shape == (3, 4, 6)


def test_places_are_told_apart_by_sines_and_cosines():
    found = waves(3, 5)
    # Speeds 1, 10000^(-2/5) and 10000^(-4/5); width 5 has no place for the last cosine.
    assert found.shape == (3, 5)
    slow = 10_000 ** (-2 / 5)
    wanted = [math.sin(2), math.cos(2), math.sin(2 * slow), math.cos(2 * slow)]
    assert found[2, :4].tolist() == pytest.approx(wanted, abs=1e-6)


def test_a_word_does_not_see_those_after_it():
    _, network = made()
    changed = TARGETS.clone()
    changed[:, 2:] = 4
    with torch.no_grad():
        one, other = network(SOURCES, TARGETS), network(SOURCES, changed)
    torch.testing.assert_close(one[:, :2], other[:, :2])
    assert not torch.allclose(one[:, 2:], other[:, 2:])


def test_padding_changes_nothing():
    _, network = made()
    with torch.no_grad():
        alone = network(SOURCES[1:2, :2], TARGETS[1:2, :3])
        padded = network(SOURCES[1:2], TARGETS[1:2])[:, :3]
    torch.testing.assert_close(alone, padded)


def test_word_by_word_the_network_says_what_it_says_at_once():
    _, network = made()
    with torch.no_grad():
        at_once = network(SOURCES, TARGETS)
        source, past = network.encode(SOURCES), None
        for place in range(TARGETS.shape[1]):
            logits, past = network.step(TARGETS[:, place], place, past, source)
            torch.testing.assert_close(logits, at_once[:, place])


@pytest.mark.parametrize("rate", ["attention_dropout", "residual_dropout", "embedding_dropout"])
def test_each_dropout_is_random_in_training_and_absent_in_evaluation(rate):
    _, network = made()
    with torch.no_grad():
        assert torch.equal(network(SOURCES, TARGETS, **{rate: 0.5}), network(SOURCES, TARGETS))
        network.train()
        one, other = (network(SOURCES, TARGETS, **{rate: 0.5}) for _ in range(2))
        assert torch.equal(network(SOURCES, TARGETS), network(SOURCES, TARGETS))
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    "params", [{"width": 1}, {"heads": 0}, {"encoder_layers": 0}, {"feed_forward": 0}]
)
def test_networks_of_nothing_are_refused(params):
    with pytest.raises(
        ValueError, match=r"^translator needs width >= 2 and heads, .*; raise them$"
    ):
        made(**params)


# The loss


class Fixed(nn.Module):
    """Says the same of every word: probabilities 1/2 for the fifth, 1/10 for the others."""

    def forward(self, inputs, targets, **rates):
        chances = torch.full((6,), 0.1)
        chances[4] = 0.5
        return chances.log().expand(*targets.shape, 6)


def test_the_loss_is_nats_per_word_that_is_no_padding():
    learner, _ = made()
    networks = {"network": Fixed()}
    # Words after begin: 4 5 4 end, 5 end, end. Two are the fifth (1/2), five are others (1/10).
    plain = (2 * math.log(2) + 5 * math.log(10)) / 7
    even = (5 * math.log(10) + math.log(2)) / 6
    loss = learner.loss("network", networks, (SOURCES, TARGETS), learner.now({}))
    assert loss.item() == pytest.approx(plain)
    now = learner.now({"label_smoothing": torch.tensor(0.3)})
    smooth = learner.loss("network", networks, (SOURCES, TARGETS), now)
    assert smooth.item() == pytest.approx(0.7 * plain + 0.3 * even)


def test_the_smoothed_loss_is_that_of_torch():
    learner, network = made()
    logits = network(SOURCES, TARGETS[:, :-1])
    wanted = nn.functional.cross_entropy(
        logits.flatten(0, 1), TARGETS[:, 1:].flatten(), ignore_index=PAD, label_smoothing=0.2
    )
    now = learner.now({"label_smoothing": 0.2})
    found = learner.loss("network", {"network": network}, (SOURCES, TARGETS), now)
    torch.testing.assert_close(found, wanted)


@pytest.mark.filterwarnings("error")
def test_the_gradients_of_several_at_once_are_those_of_each():
    learner = made()[0]
    members = [made(seed)[1].train() for seed in range(3)]
    weights, buffers = stack_module_state(members)
    smoothing = torch.tensor([0.0, 0.1, 0.3])

    def loss(network, smoothing):
        now = learner.now({"label_smoothing": smoothing})
        return learner.loss("network", {"network": network}, (SOURCES, TARGETS), now)

    def of_one(weights, buffers, smoothing):
        class Called(nn.Module):
            def forward(self, *given, **rates):
                return functional_call(members[0], (weights, buffers), given, rates)

        return loss(Called(), smoothing)

    grads, losses = vmap(grad_and_value(of_one), randomness="different")(
        weights, buffers, smoothing
    )
    for i, member in enumerate(members):
        alone = loss(member, smoothing[i].item())
        alone.backward()
        torch.testing.assert_close(losses[i], alone.detach())
        for name, parameter in member.named_parameters():
            torch.testing.assert_close(grads[name][i], parameter.grad, atol=1e-6, rtol=1e-4)


def test_a_stack_trains_each_member_as_it_trains_alone():
    dataset = load(Numbers(rows=100, longest=6))
    learner = prepared(learners.find("translator"), dataset)
    rates = {"attention_dropout": 0.1, "residual_dropout": 0.2, "embedding_dropout": 0.1}
    params = [
        {"width": 8, "batch_size": 16, "learning_rate": rate, "warmup_steps": 2, **rates}
        for rate in (1e-3, 1e-2)
    ]
    seeds = [(0, 0), (0, 1)]
    stack = Stack(learner, params, seeds, {})
    losses = stack.train(*tensors(dataset.train), np.arange(3), 3)[:, 0]
    for member, (given, seed) in enumerate(zip(params, seeds, strict=True)):
        (_, metrics), *_ = fit(learner, dataset, given, Length(1, 3), seed=seed)
        assert losses[:, member].mean().item() == pytest.approx(metrics["train_loss"], rel=1e-4)


# Decoding


def test_greedy_takes_the_likeliest_word_and_stops_at_the_end():
    _, network = made()
    louder(network)
    with torch.no_grad():
        found = greedy(network, SOURCES, 5)
        for row in range(3):
            words = [BEGIN]
            while len(words) < 6 and words[-1] != END:
                logits = network(SOURCES[row : row + 1], torch.tensor([words]))[0, -1]
                logits[[PAD, UNKNOWN, BEGIN]] = -torch.inf
                words.append(int(logits.argmax()))
            assert found[row].tolist() == words[1:] + [PAD] * (6 - len(words))
    assert torch.equal(
        greedy(network, SOURCES, 5, stop_early=True), found[:, : (found != PAD).sum(1).max()]
    )


@pytest.mark.parametrize("seed", range(5))
def test_greedy_takes_the_likeliest_word_after_those_before_it(seed):
    network = louder(made(seed)[1])
    with torch.no_grad():
        found = greedy(network, SOURCES, 5, stop_early=True)
        for row, words in enumerate(found.tolist()):
            said = words[: words.index(END) + 1] if END in words else words
            begun = torch.tensor([[BEGIN, *said[:-1]]])
            logits = network(SOURCES[row : row + 1], begun)[0]
            logits[:, [PAD, UNKNOWN, BEGIN]] = -torch.inf
            assert logits.argmax(-1).tolist() == said
            assert set(words[len(said) :]) <= {PAD}


# What is measured


def test_a_perfect_translation_has_a_bleu_of_100_and_one_word_off_less(monkeypatch):
    learner, network = made()
    said = {"right": TARGETS[:, 1:], "wrong": TARGETS[:, 1:].clone()}
    said["wrong"][1, 0] = 4
    for name, words in said.items():
        monkeypatch.setattr(
            "nettuner.models.learners.translator.greedy", lambda *_, w=words, **__: w
        )
        with torch.no_grad():
            found = learner.evaluate({"network": network}, SOURCES, TARGETS)
        assert found["exact"] == pytest.approx(1.0 if name == "right" else 2 / 3)
        # "x y x", "y" and "" have no four words in a row, which BLEU asks for.
        assert found["bleu"] >= 0


def test_the_unknown_word_matches_nothing():
    learner, network = made()
    unknown = torch.tensor([[BEGIN, UNKNOWN, END, PAD, PAD]])
    with torch.no_grad():
        found = learner.evaluate({"network": network}, SOURCES[:1], unknown)
    assert found["exact"] == 0
    assert found["bleu"] == 0


# Data that do not suit


def study(**given):
    return Study.model_validate(
        {"name": "s", "space": {"batch_size": [8]}, "metric": "val_loss", "epochs": 1, **given}
    )


@pytest.mark.parametrize(
    ("learner", "data", "message"),
    [
        (
            "translator",
            "digits",
            "translator cannot be made for these data: the learner is for translation, got data "
            "for classification; name another learner or other data",
        ),
        (
            "mlp",
            {"source": "numbers", "rows": 100},
            "mlp cannot be made for these data: the learner is for classification or regression "
            "or labels, got data for translation; name another learner or other data",
        ),
    ],
)
def test_learners_and_data_that_do_not_suit_each_other_are_refused(learner, data, message):
    with pytest.raises(MisfitError) as caught:
        fit_together(study(learner=learner, data=data))
    assert caught.value.faults == [("learner", message)]


def test_the_translator_and_the_generated_text_fit_together():
    found = fit_together(study(learner="translator", data={"source": "numbers", "rows": 100}))
    assert found.goal.direction == "minimize"
    assert found.data_name == "numbers"
    digits = fit_together(study(learner="mlp", data="digits"))
    assert digits.data_name == Builtin(name="digits").name


# Learning


def learned(source, params, steps, every):
    dataset = load(source)
    learner = learners.find("translator")(facts(dataset))
    length = Length(steps // every, every, steps)
    return [metrics for _, metrics in fit(learner, dataset, params, length, seed=(0, 0))]


@pytest.mark.slow
def test_it_learns_to_translate_the_generated_text():
    began = time.process_time()
    params = {"learning_rate": 2e-3, "warmup_steps": 100}
    first, *_, last = learned(Numbers(rows=2500), params, steps=300, every=100)
    assert first["val_bleu"] < 60
    assert last["val_bleu"] > 85
    assert last["val_exact"] > 0.6
    assert last["val_loss"] < 0.3 < first["val_loss"]
    assert time.process_time() - began < 60  # of this process


@pytest.mark.long
@pytest.mark.skipif(not REAL.is_dir(), reason=f"needs the real text in {REAL}")
def test_it_begins_to_learn_real_text():
    source = Parallel(
        source_text=str(REAL / "train.en.gz"),
        target_text=str(REAL / "train.de.gz"),
        validation_source_text=str(REAL / "val.en.gz"),
        validation_target_text=str(REAL / "val.de.gz"),
        vocabulary_size=2000,
        lowercase=True,
        longest=20,
        limit=5000,
    )
    params = {"learning_rate": 2e-3, "warmup_steps": 50, "batch_size": 32}
    first, last = learned(source, params, steps=80, every=40)
    assert last["val_loss"] < first["val_loss"] < math.log(2000)
