"""Part cost: what a population costs beside its training."""

from __future__ import annotations

import statistics
from typing import Any

from population_bench import WORKERS, Bench, Part, Study
from population_studies import network

MOST_MILLISECONDS = 0.5
# Steps of a segment; about 17 make an epoch of the digits. The whole training is equally long, and
# so long that members are stacked.
SEGMENTS = (20, 100)


def run(bench: Bench) -> Part:
    """Tiny networks, so that training takes as little as it can."""
    figures: dict[str, Any] = {}
    goals = {}
    print(f"\n{'cost beside training':<40}{'ms a segment':>14}{'ms a step':>12}{'search, s':>12}"
          f"{'training, s':>13}")  # fmt: skip
    for steps in SEGMENTS:
        found = cost(bench, steps)
        figures[f"segments of {steps} steps"] = found
        label = f"{bench.sizes.cost_members} members, segments of {steps} steps"
        step = found["ms_per_member_and_step"]
        print(f"  {label:<38}{found['ms_per_member_and_segment']:>14.2f}{step:>12.3f}"
              f"{found['search_seconds']:>12.2f}{found['training_seconds']:>13.2f}")  # fmt: skip
        text = f"cost: {step:.3f} ms per member and step, segments of {steps}"
        goals[f"{text}, at most {MOST_MILLISECONDS}"] = step <= MOST_MILLISECONDS
    return Part(figures, goals)


def cost(bench: Bench, steps: int) -> dict[str, float]:
    """The search, from the first worker that is ready, against the same stacks left alone."""
    members, segments = bench.sizes.cost_members, bench.sizes.cost_steps // steps
    study = tiny(members, steps, bench.sizes.cost_steps)
    beside, whole, training = [], [], []
    for repeat in range(bench.sizes.cost_repeats):
        own = {**study, "seed": repeat}
        job = {"what": "trained", "study": own, "members": members, "workers": WORKERS}
        whole.append(bench.search(f"timed cost, {steps}", own)["working_seconds"])
        training.append(max(bench.run("in_process", f"timed cost, {steps}", job)["training"]))
        beside.append(whole[-1] - training[-1])
    segment = 1000 * statistics.median(beside) / (members * segments)
    return {
        "members": members,
        "segments": segments,
        "ms_per_member_and_segment": segment,
        "ms_per_member_and_step": segment / steps,
        "search_seconds": statistics.median(whole),
        "training_seconds": statistics.median(training),
    }


def tiny(members: int, interval: int, steps: int) -> Study:
    """A population of small networks, compared after every evaluation."""
    strategy = {"name": "population", "size": members, "interval": 1}
    study = network("MLP", "iris", 1, strategy, steps=steps, evaluate_every=interval)
    del study["epochs"]
    return {**study, "space": {**study["space"], "hidden": 8, "batch_size": 16}}
