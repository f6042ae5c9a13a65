"""Generative adversarial network for images: a generator learns to deceive a discriminator.

Source: Goodfellow et al., Generative Adversarial Nets (2014), arXiv:1406.2661.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from nettuner.models.data.source import TaskKind
from nettuner.models.learner import DataFacts, Hyperparameter, Learner, Networks, Now
from nettuner.models.networks import frechet
from nettuner.models.study import Direction

LEAK = 0.2
SAMPLES = 1024  # generated in each evaluation
LATENT_SEED = 0
SIDE = 8  # images along each side of the picture
GAP = 2  # pixels between them
SMALLEST_SHOWN = 32  # pixels of an image in the picture
GREY = 128

# A smaller learning rate for the generator than for the discriminator, as in Heusel et al. (2017);
# beta1 from Radford et al. (2015), arXiv:1511.06434.
DEFAULTS: Mapping[str, Any] = {
    "batch_size": 32,
    "beta1": 0.5,
    "generator_beta1": 0.5,
    "generator_learning_rate": 5e-4,
    "discriminator_beta1": 0.5,
    "discriminator_learning_rate": 4e-3,
}


class Generator(nn.Module):
    """Hidden layers of equal width with layer normalisation; outputs pixels from 0 to 1."""

    def __init__(self, latent: int, hidden: int, depth: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.latent = latent
        self.shape = shape
        widths = [latent, *[hidden] * depth]
        self.hidden = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(depth))
        self.output = nn.Linear(hidden, math.prod(shape))

    def forward(self, noise: Tensor) -> Tensor:
        """Map [batch, latent] to [batch, colours, height, width]."""
        signal = noise
        for layer, norm in zip(self.hidden, self.norms, strict=True):
            signal = functional.relu(norm(layer(signal)))
        return torch.sigmoid(self.output(signal)).view(-1, *self.shape)


class Discriminator(nn.Module):
    """Hidden layers of equal width, each followed by dropout; outputs one logit."""

    def __init__(self, hidden: int, depth: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        widths = [math.prod(shape), *[hidden] * depth]
        self.hidden = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        self.output = nn.Linear(hidden, 1)

    def forward(self, images: Tensor, dropout: float | Tensor = 0.0) -> Tensor:
        """Map [batch, colours, height, width] to [batch]: larger means more likely real."""
        signal = 2 * images.flatten(1) - 1
        for layer in self.hidden:
            signal = functional.leaky_relu(layer(signal), LEAK)
            signal = functional.dropout(signal, dropout, self.training)  # type: ignore[arg-type]
        answers: Tensor = self.output(signal).squeeze(1)
        return answers


class GAN(Learner):
    """Generator and discriminator, judged by the Frechet distance of what is generated.

    Labels serve the features alone in which that distance is measured (`models/networks`).
    """

    several: ClassVar[tuple[str, ...]] = ("generator", "discriminator")
    tasks: ClassVar[tuple[TaskKind, ...]] = ("classification",)
    metrics: ClassVar[Mapping[str, Direction]] = {"frechet": "minimize"}
    takes_tokens: ClassVar[bool] = False
    live: ClassVar[Mapping[str, Hyperparameter]] = {
        "dropout": Hyperparameter(float, 0.4, low=0, high=0.99),
        "image_noise": Hyperparameter(float, 0.05, low=0),
        "label_smoothing": Hyperparameter(float, 0.0, low=0, high=1),
    }
    """Those of the discriminator: dropout rate; standard deviation of noise added to every image,
    real or generated, in units of the pixels' range; amount by which the target for real images
    is below 1 (one-sided label smoothing, Salimans et al. 2016, arXiv:1606.03498)."""

    def __init__(self, data: DataFacts) -> None:
        super().__init__(data)
        if len(data.shape) != 3 or min(data.shape[1:]) < frechet.SMALLEST_SIDE:
            raise ValueError(
                f"gan needs images of shape (colours, height, width), at least "
                f"{frechet.SMALLEST_SIDE} x {frechet.SMALLEST_SIDE} pixels, got {data.shape}; "
                "use digits, or larger images from idx files"
            )
        self.features = frechet.untrained(data.shape, data.outputs)

    @classmethod
    def hyperparameters(cls) -> dict[str, Hyperparameter]:
        """Those of every learner, with defaults that suit adversarial training."""
        known = super().hyperparameters()
        changed = {name: replace(known[name], default=value) for name, value in DEFAULTS.items()}
        return known | changed

    def build(
        self,
        *,
        latent: int = 32,
        hidden: int = 128,
        depth: int = 2,
        objective: Literal["non-saturating", "least-squares", "hinge"] = "non-saturating",
    ) -> dict[str, nn.Module]:
        """`depth` layers of `hidden` units in each network; `latent` numbers make an image.

        Raises:
            ValueError: A size is less than 1.
        """
        if min(latent, hidden, depth) < 1:
            raise ValueError(
                f"gan needs latent, hidden and depth >= 1, got {latent}, {hidden} and {depth}; "
                "raise them"
            )
        return {
            "generator": Generator(latent, hidden, depth, self.data.shape),
            "discriminator": Discriminator(hidden, depth, self.data.shape),
        }

    def prepare(self, inputs: Tensor, targets: Tensor) -> None:
        """Train the classifier whose features the Frechet distance compares."""
        self.features = frechet.trained(self.data.shape, inputs, targets, self.data.outputs)

    def loss(
        self, network: str, networks: Networks, batch: tuple[Tensor, Tensor], now: Now
    ) -> Tensor:
        """The loss of the generator or the discriminator, on one generated image per real one."""
        real = batch[0]
        noise = torch.randn(len(real), now["latent"], device=real.device)
        made = networks["generator"](noise)
        if network == "generator":
            return generator_loss(now["objective"], self.judged(networks, made, now))
        return discriminator_loss(
            now["objective"],
            self.judged(networks, real, now),
            self.judged(networks, made.detach(), now),
            now["label_smoothing"],
        )

    def judged(self, networks: Networks, images: Tensor, now: Now) -> Tensor:
        """The discriminator's answers [batch] to noisy images."""
        noisy = images + now["image_noise"] * torch.randn_like(images)
        answers: Tensor = networks["discriminator"](noisy, now["dropout"])
        return answers

    def evaluate(self, networks: Networks, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The Frechet distance of 1024 generated images from all real ones of one split.

        The latent vectors are always the same. Before `prepare` the features are those of an
        untrained classifier: a rough measure, on another scale.
        """
        generator = networks["generator"]
        made = self.features(generator(latents(SAMPLES, generator)))
        return {"frechet": frechet.distance(made, self.features(inputs))}

    def pictures(self, networks: Networks) -> Mapping[str, NDArray[np.uint8]]:
        """`samples`: 8 x 8 images, always from the same latent vectors."""
        generator = networks["generator"]
        return {"samples": grid(generator(latents(SIDE**2, generator)).numpy())}

    def requests(self, networks: Networks, rows: int) -> Tensor:
        """Latent vectors [rows, latent]: the inputs of a served generator."""
        return latents(rows, networks["generator"])

    def predictor(self, networks: Networks) -> nn.Module:
        """The generator, from latent vectors [batch, latent] to images with pixels from 0 to 1."""
        return networks["generator"]


def generator_loss(objective: str, made: Tensor) -> Tensor:
    """Loss of a generator.

    Args:
        objective: Name of the objective: non-saturating [nats], Goodfellow et al. (2014), section
            3; least squares, Mao et al. (2017), arXiv:1611.04076, equation 9; or hinge, Lim & Ye
            (2017), arXiv:1705.02894.
        made: Answers of the discriminator [batch] to generated images.
    """
    match objective:
        case "least-squares":
            return (made - 1).square().mean() / 2
        case "hinge":
            return -made.mean()
    return functional.softplus(-made).mean()


def discriminator_loss(
    objective: str, real: Tensor, made: Tensor, label_smoothing: float | Tensor
) -> Tensor:
    """Loss of a discriminator, for the objectives of `generator_loss`.

    Args:
        objective: Name of the objective.
        real, made: Answers [batch] to real and to generated images.
        label_smoothing: Amount by which the target for real images is below 1: as probability
            (non-saturating), as answer (least squares), or as margin (hinge).
    """
    wanted = 1 - label_smoothing
    match objective:
        case "least-squares":
            return ((real - wanted).square().mean() + made.square().mean()) / 2
        case "hinge":
            return functional.relu(wanted - real).mean() + functional.relu(1 + made).mean()
    # With s for label_smoothing: (1 - s) softplus(-x) + s softplus(x) = softplus(-x) + s x.
    real_loss = functional.softplus(-real) + label_smoothing * real
    return real_loss.mean() + functional.softplus(made).mean()


def latents(count: int, generator: nn.Module) -> Tensor:
    """Fixed standard normal latent vectors [count, latent]; from numpy: constants in a trace.

    The first rows do not depend on `count`.
    """
    assert isinstance(generator, Generator)
    rng = np.random.default_rng(LATENT_SEED)
    found = rng.standard_normal((count, generator.latent), dtype=np.float32)
    return torch.from_numpy(found).to(next(generator.parameters()).device)


def grid(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A square of images [count, colours, height, width], enlarged, with grey gaps around them.

    Returns:
        Shape [height, width, 3] for three colours, else [height, width] of the first.
    """
    factor = math.ceil(SMALLEST_SHOWN / max(images.shape[2:]))
    large = images.repeat(factor, axis=2).repeat(factor, axis=3)
    pixels = np.rint(large.clip(0, 1) * 255).astype(np.uint8)
    edges = ((0, 0), (0, 0), (GAP, 0), (GAP, 0))
    tiles = np.pad(pixels, edges, constant_values=GREY)
    count, colours, height, width = tiles.shape
    side = math.isqrt(count)
    whole = tiles.reshape(side, side, colours, height, width).transpose(0, 3, 1, 4, 2)
    square = whole.reshape(side * height, side * width, colours)
    square = np.pad(square, ((0, GAP), (0, GAP), (0, 0)), constant_values=GREY)
    return square if colours == 3 else square[:, :, 0]
