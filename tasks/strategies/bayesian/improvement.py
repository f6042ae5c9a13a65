"""Expected improvement, the acquisition function."""

from __future__ import annotations

import numpy as np

from nettuner.models.arrays import Floats


def log_expected_improvement(mean: Floats, std: Floats, best: float) -> Floats:
    """Logarithm of the expected improvement of a normal variable below `best`.

    Candidates stay comparable where the expected improvement itself underflows.

    Source: Ament et al., Unexpected Improvements to Expected Improvement (2023),
    arXiv:2310.20708, equation 9.
    """
    from scipy.special import erfcx, log_ndtr

    z = (best - mean) / std
    density = -(z**2) / 2 - np.log(2 * np.pi) / 2
    below = np.minimum(z, -1.0)
    # phi(z) + z Phi(z) = phi(z) (1 - |z| sqrt(pi/2) erfcx(|z|/sqrt 2)); about phi(z)/z^2 far out.
    share = 1 + below * np.sqrt(np.pi / 2) * erfcx(-below / np.sqrt(2))
    tail = np.where(below < -1e4, -2 * np.log(-below), np.log(np.maximum(share, 1e-300)))
    above = np.maximum(z, -1.0)
    body = np.exp(-(above**2) / 2) / np.sqrt(2 * np.pi) + above * np.exp(log_ndtr(above))
    result: Floats = np.log(std) + np.where(z < -1, density + tail, np.log(body))
    return result
