"""Encoder-decoder Transformer that translates sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from nettuner.models.data.preprocessing import PAD, Sentences
from nettuner.models.data.source import TaskKind
from nettuner.models.learner import DataFacts, Hyperparameter, Learner, Networks, Now
from nettuner.models.networks.decoding import Greedy, greedy
from nettuner.models.networks.transformer import Transformer
from nettuner.models.study import Direction

# Sentences translated at once: few enough for their logits to stay in the CPU cache.
TRANSLATED_AT_ONCE = 256
DROPOUT = Hyperparameter(float, 0.0, low=0, high=0.99)
DROPOUTS = ("attention_dropout", "residual_dropout", "embedding_dropout")


class Translator(Learner):
    """Transformer (`models/networks`), trained by cross entropy, evaluated also by BLEU."""

    live: ClassVar[Mapping[str, Hyperparameter]] = {
        **dict.fromkeys(DROPOUTS, DROPOUT),
        "label_smoothing": Hyperparameter(float, 0.0, low=0, high=1),
    }
    metrics: ClassVar[Mapping[str, Direction]] = {
        "loss": "minimize",
        "bleu": "maximize",
        "exact": "maximize",
    }
    tasks: ClassVar[tuple[TaskKind, ...]] = ("translation",)

    def __init__(self, data: DataFacts) -> None:
        super().__init__(data)
        assert data.sentences is not None
        self.sentences: Sentences = data.sentences

    def build(
        self,
        *,
        width: int = 64,
        heads: int = 2,
        encoder_layers: int = 2,
        decoder_layers: int = 2,
        feed_forward: int = 128,
    ) -> nn.Module:
        """Embeddings of `width`; layers with `heads` and `feed_forward` hidden units.

        Raises:
            ValueError: A size is too small.
        """
        sizes = (width, heads, encoder_layers, decoder_layers, feed_forward)
        if min(sizes) < 1 or width < 2:
            raise ValueError(
                "translator needs width >= 2 and heads, encoder_layers, decoder_layers and "
                f"feed_forward >= 1, got {', '.join(map(str, sizes))}; raise them"
            )
        known = self.sentences
        return Transformer(
            (len(known.source.tokens), len(known.target.tokens)),
            (known.source_length, known.target_length),
            width,
            heads,
            (encoder_layers, decoder_layers),
            feed_forward,
        )

    def loss(
        self, network: str, networks: Networks, batch: tuple[Tensor, Tensor], now: Now
    ) -> Tensor:
        """Cross entropy [nats] per target token, with label smoothing."""
        inputs, targets = batch
        rates = {name: now[name] for name in DROPOUTS}
        logits = networks[network](inputs, targets[:, :-1], **rates)
        nats, spread, counted = _entropies(logits, targets[:, 1:])
        smoothing = now["label_smoothing"]
        smooth = (1 - smoothing) * nats + smoothing * spread
        loss: Tensor = (smooth * counted).sum() / counted.sum().clamp(min=1)
        return loss

    def evaluate(self, networks: Networks, inputs: Tensor, targets: Tensor) -> dict[str, float]:
        """The metrics on all rows of one split.

        `loss` is the cross entropy [nats] per token, given the true words before it. `bleu` is
        the corpus BLEU (0 to 100, sacrebleu's default) of greedy translations; words outside the
        vocabulary never match. `exact` is the share of sentences translated without error.
        """
        from sacrebleu.metrics.bleu import BLEU  # slow to import, and other learners do not need it

        network = networks["network"]
        assert isinstance(network, Transformer)
        nats, words = 0.0, 0
        found: list[str] = []
        for some, wanted in _portions(inputs, targets):
            logits = network(some, wanted[:, :-1])
            each, _, counted = _entropies(logits, wanted[:, 1:])
            nats += (each * counted).double().sum().item()
            words += int(counted.sum())
            found += self._spelled(
                greedy(network, some, self.sentences.target_length - 1, stop_early=True)
            )
        true = [text for _, wanted in _portions(inputs, targets) for text in self._spelled(wanted)]
        right = sum(map(str.__eq__, found, true))
        return {
            "loss": nats / max(words, 1),
            "bleu": BLEU().corpus_score(found, [true]).score,
            "exact": right / len(true),
        }

    def _spelled(self, tokens: Tensor) -> list[str]:
        return [self.sentences.target.decode(ids) for ids in tokens.tolist()]

    def predictor(self, networks: Networks) -> nn.Module:
        """Greedy decoder: source tokens [batch, source length] to [batch, target length - 1]."""
        network = networks["network"]
        assert isinstance(network, Transformer)
        return Greedy(network, self.sentences.target_length - 1)


def _entropies(logits: Tensor, words: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per token [batch, length]: cross entropy, mean over the vocabulary, whether it counts.

    The second is the cross entropy against the uniform distribution; padding does not count.
    """
    costs = -logits.log_softmax(-1)
    return costs.gather(-1, words[..., None]).squeeze(-1), costs.mean(-1), words != PAD


def _portions(inputs: Tensor, targets: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of rows to translate at once, without the padding that all rows share."""
    for some, wanted in zip(
        torch.split(inputs, TRANSLATED_AT_ONCE),
        torch.split(targets, TRANSLATED_AT_ONCE),
        strict=True,
    ):
        yield _trimmed(some, 1), _trimmed(wanted, 2)


def _trimmed(tokens: Tensor, least: int) -> Tensor:
    longest = int((tokens != PAD).sum(1).max())
    return tokens[:, : max(longest, least)]
