"""Part stacks: configurations per minute of a random search, here and elsewhere."""

from __future__ import annotations

import statistics
from typing import Any

from population_bench import WORKERS, Bench, Part, Run
from population_studies import for_tuners, images, network

# What is asked for: times the configurations per minute of both others; None asks for nothing.
TIMES = {"mlp, digits": 10.0, "cnn, digits": 4.0, "cnn, 28 x 28": None}
NOWHERE_BELOW = 0.9
OTHERS = {
    "Ray Tune": {"tuner": "ray"},
    "Optuna, journal": {"tuner": "optuna", "storage": "journal"},
    "Optuna, SQLite": {"tuner": "optuna", "storage": "sqlite"},
}
OURS, UNSTACKED = "nettuner", "nettuner, stack: 1"


def run(bench: Bench) -> Part:
    """Every workload, by everybody, one after another."""
    figures: dict[str, Any] = {}
    goals: dict[str, bool] = {}
    for name in TIMES:
        figures[name] = workload(bench, name)
        goals |= judged(name, figures[name])
    return Part(figures, goals)


def workload(bench: Bench, name: str) -> dict[str, Any]:
    """Configurations per minute, memory, and the seconds in process."""
    learner = name.partition(",")[0].upper()
    count, epochs = bench.sizes.configurations, bench.sizes.epochs[name]
    data = images() if name.endswith("28") else "digits"
    study = network(learner, data, epochs, {"name": "random"}, stop={"trials": count})
    file = f"{learner.lower()}-{'images' if name.endswith('28') else 'digits'}"
    common = for_tuners(study, file, configurations=count)
    compared = {"what": "compared", "study": study, "configurations": bench.sizes.compared[name]}
    runs: dict[str, list[Run]] = {}
    inside = []
    for repeat in range(bench.sizes.repeats[name]):
        for kind, changed in ((OURS, {}), (UNSTACKED, {"stack": 1})):
            own = {**study, **changed, "seed": repeat}
            runs.setdefault(kind, []).append(bench.search(f"timed {name}, {kind}", own))
        for kind, job in OTHERS.items():
            asked = {**common, **job, "seed": repeat}
            found = bench.run("tuners", f"timed {name}, {kind}", asked)
            runs.setdefault(kind, []).append(found)
        own = {**compared, "study": {**study, "seed": repeat}}
        inside.append(bench.run("in_process", f"timed {name}", own))
    figures = {
        "epochs": epochs,
        "configurations": count,
        "systems": {kind: summary(found, count) for kind, found in runs.items()},
        "in_process": {
            "configurations": bench.sizes.compared[name],
            "alone_seconds": statistics.median(run["alone"] for run in inside),
            "stacked_seconds": statistics.median(run["stacked"] for run in inside),
            "ratio": statistics.median(run["alone"] / run["stacked"] for run in inside),
            "failed": sum(len(run["failed"]) for run in inside),
        },
    }
    show(name, figures)
    return figures


def summary(runs: list[Run], count: int) -> dict[str, Any]:
    """Medians of the repetitions."""
    return {
        "per_minute": statistics.median(60 * count / run["working_seconds"] for run in runs),
        "per_minute_with_start": statistics.median(60 * count / run["seconds"] for run in runs),
        "peak_mib": max(run["peak_mib"] for run in runs),
        "trials": [run["trials"] for run in runs],
        "repetitions": len(runs),
    }


def judged(name: str, figures: dict[str, Any]) -> dict[str, bool]:
    """The goals of a workload."""
    ratio = figures["in_process"]["ratio"]
    goals = {
        f"stacks: {name}: in process {ratio:.2f} x one by one, at least {NOWHERE_BELOW}": (
            ratio >= NOWHERE_BELOW
        )
    }
    systems, wanted = figures["systems"], TIMES[name]
    if wanted is None:
        return goals
    for kind in ("Ray Tune", "Optuna"):
        best = max(s["per_minute"] for other, s in systems.items() if other.startswith(kind))
        times = systems[OURS]["per_minute"] / best
        text = f"stacks: {name}: {times:.1f} x the configurations per minute of {kind}"
        goals[f"{text}, at least {wanted:g}"] = times >= wanted
    return goals


def show(name: str, figures: dict[str, Any]) -> None:
    """Print a workload."""
    title = f"{name}: {figures['configurations']} configurations x {figures['epochs']} epochs"
    print(f"\n{title:<50}{'per minute':>12}{'with start':>12}{'MiB':>8}   {WORKERS} workers")
    for kind, row in figures["systems"].items():
        rates = f"{row['per_minute']:>12.0f}{row['per_minute_with_start']:>12.0f}"
        print(f"  {kind:<48}{rates}{row['peak_mib']:>8.0f}")
    inside = figures["in_process"]
    print(
        f"  in process, one thread: {inside['stacked_seconds']:.2f} s in stacks, "
        f"{inside['alone_seconds']:.2f} s one by one: x {inside['ratio']:.2f}"
    )
