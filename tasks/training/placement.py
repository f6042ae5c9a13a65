"""Decides where the trials of a search run: on accelerators, or on the CPU where that is faster."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from nettuner.models.by_name import ByName
from nettuner.models.space.complete import completed
from nettuner.tasks.home import home
from nettuner.tasks.plan import Plan, width_of
from nettuner.tasks.workers.places import Place, Places, on_accelerators
from nettuner.tasks.workers.pool import Pool, TrialFailedError
from nettuner.tasks.workers.utilisation import watched

PACE = ByName("nettuner.models.training.remembered_pace", "remembered_pace")
# A network whose steps are not measured by then is too slow for the device [s].
PATIENCE_SECONDS = 60.0


@contextmanager
def placed(plan: Plan, pool: Pool) -> Iterator[Places]:
    """The places of a search while the block runs; what is faster is measured before, if need be.

    Args:
        plan: Plan of the search.
        pool: Workers, in which it is measured.
    """
    study, accelerators, why = plan.study, plan.accelerators, ""
    if plan.is_measured:
        chosen, why = _measured(plan, pool)
        accelerators = accelerators if chosen else ()
    elif study.device == "auto" and accelerators:
        shown = ", ".join(accelerator.shown for accelerator in accelerators)
        why = f"Trained on {shown} (device auto); a function that needs none says device: cpu."
    width = width_of(study, accelerators)
    if not accelerators:
        # Code of people's own would else take a GPU by accident.
        hides = study.device == "cpu" or plan.is_measured
        yield Places([Place(hides=hides, deterministic=study.deterministic)] * width, why)
        return
    places = on_accelerators(accelerators, width, study.deterministic)
    if accelerators[0].kind != "cuda":
        yield Places(places, why)
        return
    with watched() as watch:
        yield Places(places, why, watch)


def _measured(plan: Plan, pool: Pool) -> tuple[bool, str]:
    """Whether the accelerators of a plan pay, as is measured now or was before; why, in words."""
    first, study = plan.accelerators[0], plan.study
    workers = min(plan.width, max(1, (os.cpu_count() or 1) // study.threads))
    used = min(len(plan.accelerators), width_of(study, plan.accelerators))
    same_bits = study.deterministic
    here, _ = _pace(plan, pool, Place(hides=True, deterministic=same_bits))
    there, failed = _pace(plan, pool, Place(first, deterministic=same_bits))
    chosen = pays(here, workers, there, used)
    why = (
        f"Trained on {first.shown if chosen else 'the CPU'} (device auto), as was measured: "
        f"{workers / here:.3g} steps a second by {workers} CPU workers, {used / there:.3g} by "
        f"{used} x {first.name}"
    )
    return chosen, f"{why}, where it failed: {failed}" if failed else f"{why}."


def pays(here: float, workers: int, there: float, accelerators: int) -> bool:
    """Whether all accelerators together train more steps a second than all workers on the CPU.

    Trials that share an accelerator share its speed, so it counts once. Stacks, which make either
    faster, are left out.

    Args:
        here: Seconds per step of a worker on the CPU.
        workers: Number of these workers.
        there: Seconds per step on an accelerator.
        accelerators: Number of accelerators.
    """
    return accelerators / there > workers / here


def _pace(plan: Plan, pool: Pool, place: Place) -> tuple[float, str]:
    """Seconds per step at a place, of a network in the middle of the space; infinite if it fails.

    Why it failed stands beside that; what has nothing to do with the place fails in trials too.
    """
    params = completed(plan.study.space, {}, "device")
    name = place.accelerator.name if place.accelerator else ""
    asked = (home() / "paces", plan.study, params, place.device, name)
    try:
        return float(pool.run(PACE, *asked, seconds=PATIENCE_SECONDS, place=place)), ""
    except TrialFailedError as error:
        return math.inf, str(error)
