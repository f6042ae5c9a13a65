"""Part ray: population based training here and by Ray Tune, on the same task and budget."""

from __future__ import annotations

import statistics
from typing import Any

from population_bench import WORKERS, Bench, Part, Run, mean_and_error
from population_studies import BATCH_SIZE, for_tuners, network

SHARE_OF_TIME = 0.1
OURS, ASYNCHRONOUS, SYNCHRONOUS = "nettuner", "Ray Tune", "Ray Tune, synch=True"
TRAINING_ROWS = 1079


def run(bench: Bench) -> Part:
    """The same seeds for everybody."""
    sizes = bench.sizes
    strategy = {"name": "population", "size": sizes.ray_members, "interval": sizes.ray_interval}
    study = network("MLP", "digits", sizes.ray_epochs, strategy)
    job = for_tuners(
        study,
        "mlp-digits",
        tuner="ray_population",
        members=sizes.ray_members,
        interval=sizes.ray_interval,
        at_once=False,
    )
    runs: dict[str, list[Run]] = {OURS: [], ASYNCHRONOUS: [], SYNCHRONOUS: []}
    for seed in range(sizes.ray_seeds):
        found = bench.search("timed population", {**study, "seed": seed}, seed=seed)
        metrics = {**found["val"], **found["test"]}
        runs[OURS].append({**found, **metrics, "segments": found["trials"]})
        for kind, synchronous in ((ASYNCHRONOUS, False), (SYNCHRONOUS, True)):
            asked = {**job, "seed": seed, "synchronous": synchronous}
            runs[kind].append(bench.run("tuners", f"timed {kind}", asked, seed=seed))
    figures: dict[str, Any] = {
        "members": sizes.ray_members,
        "epochs": sizes.ray_epochs,
        "interval": sizes.ray_interval,
        "systems": {kind: summary(found) for kind, found in runs.items()},
    }
    steps = -(-TRAINING_ROWS // BATCH_SIZE) * sizes.ray_interval
    for kind in (ASYNCHRONOUS, SYNCHRONOUS):
        figures["systems"][kind]["cost"] = beside_training(runs[kind], steps)
    show(figures)
    return Part(figures, judged(figures["systems"]))


def summary(runs: list[Run]) -> dict[str, Any]:
    """Means with standard errors, and medians of times."""
    return {
        "val_loss": mean_and_error([run["val_loss"] for run in runs]),
        "test_loss": mean_and_error([run["test_loss"] for run in runs]),
        "test_accuracy": mean_and_error([run["test_accuracy"] for run in runs]),
        "seconds": statistics.median(run["working_seconds"] for run in runs),
        "seconds_with_start": statistics.median(run["seconds"] for run in runs),
        "peak_mib": max(run["peak_mib"] for run in runs),
        "segments": statistics.mean(run["segments"] for run in runs),
    }


def beside_training(runs: list[Run], steps: int) -> dict[str, float]:
    """Milliseconds of each segment, and of each of its steps, in which nobody trains."""
    idle = [
        1000 * (run["working_seconds"] - run["training_cpu_seconds"] / WORKERS) / run["segments"]
        for run in runs
    ]
    segment = statistics.median(idle)
    return {"ms_per_member_and_segment": segment, "ms_per_member_and_step": segment / steps}


def judged(systems: dict[str, Any]) -> dict[str, bool]:
    """Quality against the better of both ways, time against the faster."""
    goals = {}
    own = systems[OURS]
    rays = [systems[kind] for kind in (ASYNCHRONOUS, SYNCHRONOUS)]
    for metric in ("val_loss", "test_loss"):
        best = min((ray[metric] for ray in rays), key=lambda found: found[0])
        text = f"{own[metric][0]:.4f} ± {own[metric][1]:.4f}, Ray {best[0]:.4f} ± {best[1]:.4f}"
        goals[f"ray: mean {metric} {text}, at least equal"] = own[metric][0] <= best[0]
    for name, what in (("seconds", "without start"), ("seconds_with_start", "with start")):
        best_time = min(ray[name] for ray in rays)
        text = f"ray: {own[name]:.1f} s {what}, Ray {best_time:.1f}, at most a tenth"
        goals[text] = own[name] <= SHARE_OF_TIME * best_time
    return goals


def show(figures: dict[str, Any]) -> None:
    """Print the table."""
    title = f"{figures['members']} members x {figures['epochs']} epochs, interval "
    print(
        f"\n{title + str(figures['interval']):<34}{'val_loss':>18}{'test_loss':>18}"
        f"{'seconds':>9}{'with start':>12}{'segments':>10}{'MiB':>7}"
    )
    for kind, row in figures["systems"].items():
        losses = [f"{row[m][0]:.4f} ± {row[m][1]:.4f}" for m in ("val_loss", "test_loss")]
        print(
            f"  {kind:<32}{losses[0]:>18}{losses[1]:>18}{row['seconds']:>9.1f}"
            f"{row['seconds_with_start']:>12.1f}{row['segments']:>10.0f}{row['peak_mib']:>7.0f}"
        )
