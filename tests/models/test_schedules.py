"""Schedules follow their formulas, and those of torch where it has them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nettuner.models import schedules
from nettuner.models.learner import OPTIMISER
from nettuner.models.training.optimiser import learning_rate, learning_rates

DEFAULTS = {name: h.default for name, h in OPTIMISER.items()}


def rates(steps, **given_):
    now = DEFAULTS | {"learning_rate": 0.1} | given_
    return [learning_rate("network", now, step, steps) for step in range(steps)]


def of_torch(make, steps):
    """The rates that a scheduler of torch sets, which starts at 0.1."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = make(optimiser)
    found = []
    for _ in range(steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return found


def test_a_constant_rate_stays_as_it_is():
    assert rates(3) == [0.1, 0.1, 0.1]


def test_warm_up_of_a_constant_rate_is_linear():
    assert rates(5, warmup_steps=4) == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1])


def test_a_linear_rate_falls_by_the_same_amount():
    assert rates(4, schedule="linear") == pytest.approx([0.1, 0.075, 0.05, 0.025])


def test_a_rate_falls_over_what_warm_up_leaves():
    found = rates(6, schedule="linear", warmup_steps=2)
    assert found == pytest.approx([0.05, 0.1, 0.1, 0.075, 0.05, 0.025])


def test_a_cosine_is_half_way_in_the_middle():
    # 1 + cos of 0, 45, 90 and 135 degrees, halved
    half = math.sqrt(0.5) / 2
    expected = [0.1, 0.1 * (0.5 + half), 0.05, 0.1 * (0.5 - half)]
    assert rates(4, schedule="cosine") == pytest.approx(expected)


def test_a_staircase_has_a_step_at_every_share_of_the_training():
    found = rates(10, schedule="step", step_every=0.4, step_factor=0.5)
    assert found == pytest.approx([0.1] * 4 + [0.05] * 4 + [0.025] * 2)


def test_a_staircase_is_not_late_by_rounding():
    found = rates(10, schedule="step", step_every=0.2, step_factor=0.1)  # 0.6 / 0.2 < 3
    assert found[6] == pytest.approx(0.1 * 0.1**3)


def test_cosine_and_staircase_are_those_of_torch():
    cosine = of_torch(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=17), 17)
    assert rates(17, schedule="cosine") == pytest.approx(cosine)
    stairs = of_torch(lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=5, gamma=0.3), 20)
    assert rates(20, schedule="step", step_every=0.25, step_factor=0.3) == pytest.approx(stairs)


@pytest.mark.parametrize("peak_at", [0.1, 0.3, 0.5, 0.9, 1.0])
def test_one_cycle_is_that_of_torch(peak_at):
    def make(optimiser):
        return torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=0.1, total_steps=21, pct_start=peak_at, cycle_momentum=False
        )

    expected = of_torch(make, 20)
    assert rates(21, schedule="one-cycle", peak_at=peak_at)[:20] == pytest.approx(expected)


def test_one_cycle_warms_up_by_itself():
    plain, warmed = (rates(9, schedule="one-cycle", warmup_steps=w) for w in (0, 5))
    assert plain == warmed


@given(
    schedule=st.sampled_from(schedules.SCHEDULES),
    steps=st.integers(1, 50),
    warmup=st.integers(0, 60),
    peak_at=st.floats(0, 1),
    every=st.floats(0.001, 1),
    factor=st.floats(0, 1),
)
def test_no_rate_exceeds_the_one_given_or_is_negative(
    schedule, steps, warmup, peak_at, every, factor
):
    found = rates(
        steps,
        schedule=schedule,
        warmup_steps=warmup,
        peak_at=peak_at,
        step_every=every,
        step_factor=factor,
    )
    assert all(0 <= rate <= 0.1 * (1 + 1e-12) for rate in found)
    if schedule != "one-cycle" and warmup < steps:
        assert max(found) == pytest.approx(0.1)


def test_a_network_may_have_a_schedule_of_its_own():
    now = DEFAULTS | {"learning_rate": 0.1, "judge_schedule": "linear"}
    assert learning_rate("maker", now, 1, 2) == 0.1
    assert learning_rate("judge", now, 1, 2) == pytest.approx(0.05)


def test_the_rates_of_many_members_are_those_of_each():
    nows = [
        DEFAULTS | {"learning_rate": rate, "schedule": "linear", "warmup_steps": warmup}
        for rate, warmup in ((0.1, 0), (0.3, 0), (0.1, 2))
    ]
    found = learning_rates("network", nows, [0, 1, 2, 3], 4)
    # Linear over 4 steps: 1, 3/4, 1/2, 1/4; after 2 steps of warm-up 1/2, 1 over 2 steps: 1, 1/2.
    shares = [[1, 1, 0.5], [0.75, 0.75, 1], [0.5, 0.5, 1], [0.25, 0.25, 0.5]]
    assert found == pytest.approx(np.array(shares) * [0.1, 0.3, 0.1])
    assert found.tolist() == [
        [learning_rate("network", now, k, 4) for now in nows] for k in range(4)
    ]
