"""Schedules: the share of a learning rate that is in force at each step of a training.

Each is a pure function of the step, so a training that was interrupted goes on where it was.
"""

from __future__ import annotations

import math

SCHEDULES = ("constant", "linear", "cosine", "one-cycle", "step")

# Of the highest rate, at the beginning and at the end of one cycle, as in torch's OneCycleLR.
CYCLE_START = 1 / 25
CYCLE_END = CYCLE_START / 1e4


def linear(step: int, steps: int) -> float:
    """Falls by the same amount at every step, from 1 towards 0 after the last one.

    Args:
        step: Step, counted from 0.
        steps: Steps in all.
    """
    return 1 - step / steps


def cosine(step: int, steps: int) -> float:
    """Half a cosine, from 1 towards 0 after the last step; arguments as of `linear`.

    Source: Loshchilov and Hutter (2017), arXiv:1608.03983, equation 5 without restarts.
    """
    return _between(1.0, 0.0, step / steps)


def one_cycle(step: int, steps: int, peak_at: float) -> float:
    """Rises to 1 and falls again, by half a cosine each; momentum stays as it is.

    Source: Smith and Topin (2018), arXiv:1708.07120; the form is that of torch's OneCycleLR.

    Args:
        step: Step, counted from 0.
        steps: Steps in all.
        peak_at: Share of the steps before the highest rate.
    """
    peak, last = max(peak_at * steps - 1, 0.0), steps - 1
    if step < peak:
        return _between(CYCLE_START, 1.0, step / peak)
    return _between(1.0, CYCLE_END, (step - peak) / (last - peak)) if last > peak else 1.0


def staircase(step: int, steps: int, every: float, factor: float) -> float:
    """Multiplied by a factor again and again.

    Source: He et al. (2016), arXiv:1512.03385, section 3.4.

    Args:
        step: Step, counted from 0.
        steps: Steps in all.
        every: Share of the steps between two multiplications.
        factor: Factor.
    """
    done = math.floor(step / steps / every + 1e-9)  # 0.6 / 0.2 is less than 3 in floating point
    return float(factor**done)


def _between(start: float, end: float, share: float) -> float:
    """Half a cosine from start to end."""
    return float(end + (start - end) * (1 + math.cos(math.pi * share)) / 2)
