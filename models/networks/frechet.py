"""Frechet distance between the features of generated and of real images.

The features come from a small classifier trained on the real training images, because a
pretrained network takes images of one size only. So distances are comparable within one dataset
only; each feature is standardised to a standard deviation of 1 over the training images.

Source: Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
Equilibrium (2017), arXiv:1706.08500.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from nettuner.models.optimisers import Adam, Settings

FEATURES = 32
CHANNELS = 16
SMALLEST_SIDE = 4  # two halvings leave one pixel
STEPS = 400
BATCH = 64
LEARNING_RATE = 2e-3
SEED = 0
AT_ONCE = 64
SMALLEST_SPREAD = 1e-6


class Features(nn.Module):
    """An image classifier whose last hidden layer gives the features."""

    mean: Tensor
    std: Tensor

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        colours, height, width = shape
        self.first = nn.Conv2d(colours, CHANNELS, 3, padding=1)
        self.second = nn.Conv2d(CHANNELS, 2 * CHANNELS, 3, padding=1)
        self.hidden = nn.Linear(2 * CHANNELS * (height // 4) * (width // 4), FEATURES)
        self.output = nn.Linear(FEATURES, classes)
        self.register_buffer("mean", torch.zeros(FEATURES, dtype=torch.float64))
        self.register_buffer("std", torch.ones(FEATURES, dtype=torch.float64))

    def last_hidden(self, images: Tensor) -> Tensor:
        """Map [batch, colours, height, width] to [batch, FEATURES]."""
        # Channels innermost in memory: on a CPU this takes half the time.
        signal = images.to(memory_format=torch.channels_last)
        signal = functional.relu(functional.max_pool2d(self.first(signal), 2))
        signal = functional.relu(functional.max_pool2d(self.second(signal), 2))
        return functional.silu(self.hidden(signal.flatten(1)))

    def logits(self, images: Tensor) -> Tensor:
        """Map [batch, colours, height, width] to [batch, classes]."""
        outputs: Tensor = self.output(self.last_hidden(images))
        return outputs

    def forward(self, images: Tensor) -> Tensor:
        """Features [batch, FEATURES] in float64, standardised over the training images."""
        parts = [self.last_hidden(part) for part in torch.split(images, AT_ONCE)]
        return (torch.cat(parts).double() - self.mean) / self.std


def untrained(shape: tuple[int, ...], classes: int) -> Features:
    """The classifier at fixed initial weights; torch's global generator is not used."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return Features(shape, classes).eval().requires_grad_(False)


def trained(shape: tuple[int, ...], images: Tensor, labels: Tensor, classes: int) -> Features:
    """The classifier after `STEPS` steps of Adam on `BATCH` images each, drawn with replacement.

    Initial weights and mini-batches come from the fixed `SEED`: the same images give the same
    features, and torch's global generator is not used.

    Args:
        shape: Shape of one image, (colours, height, width).
        images: Training images, shape [rows, *shape].
        labels: Class indices, shape [rows].
        classes: Number of classes.
    """
    features = untrained(shape, classes).requires_grad_(True)
    optimiser = Adam(features.parameters())
    generator = torch.Generator().manual_seed(SEED)
    with torch.enable_grad():
        for _ in range(STEPS):
            rows = torch.randint(len(images), (BATCH,), generator=generator)
            loss = functional.cross_entropy(features.logits(images[rows]), labels[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step(Settings(LEARNING_RATE))
    features.requires_grad_(False)
    found = features(images)
    features.mean = found.mean(0)
    features.std = found.std(0, correction=0).clamp(min=SMALLEST_SPREAD)
    return features


def distance(left: Tensor, right: Tensor) -> Tensor:
    """The squared Frechet distance between the Gaussians fitted to two sets of features.

    It branches on no value, so it can be vectorised over many generators.

    Args:
        left, right: Features, shape [rows, features], at least one row each.

    Returns:
        Scalar float64; NaN if a feature is not finite.
    """
    finite = left.isfinite().all() & right.isfinite().all()
    found = between(*moments(_finite(left)), *moments(_finite(right)))
    return torch.where(finite, found, math.nan)


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [features] and covariance [features, features] of [rows, features], in float64.

    The covariance is the unbiased estimate; 0 for a single row.
    """
    features = features.double()
    mean = features.mean(0)
    centred = features - mean
    return mean, centred.T @ centred / max(len(features) - 1, 1)


def between(mean: Tensor, covariance: Tensor, mean2: Tensor, covariance2: Tensor) -> Tensor:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of two Gaussians; 0 if they are equal.

    (C1 C2)^(1/2) has the trace of (R C2 R)^(1/2) with R = C1^(1/2). That matrix is symmetric, so
    its eigenvalues are real, and those that rounding made negative are clipped to 0.
    """
    root = _root(covariance)
    overlap = torch.linalg.eigvalsh(root @ covariance2 @ root).clamp(min=0).sqrt().sum()
    spread = covariance.trace() + covariance2.trace() - 2 * overlap
    found: Tensor = (mean - mean2).square().sum() + spread
    return found.clamp(min=0)


def _root(covariance: Tensor) -> Tensor:
    """The symmetric square root of a positive semidefinite matrix."""
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


def _finite(features: Tensor) -> Tensor:
    """Zeros in place of non-finite values: one would fail the decomposition of the whole batch."""
    return torch.where(features.isfinite(), features, 0.0)
