"""Part tasks: population based training against random search where schedules should matter."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from population_bench import Bench, Part, Study, mean_and_error
from population_studies import sentences, shipped

POPULATION, RANDOM = "population", "random search"


def gan() -> Study:
    """Digits; the study that is shipped, with as many members as a population needs."""
    return {**shipped("gan"), "strategy": {"name": "population", "size": 16, "interval": 5}}


def numbers() -> Study:
    """Numbers in words; the study that is shipped, likewise."""
    return {**shipped("translation"), "strategy": {"name": "population", "size": 16}}


def multi30k() -> Study | None:
    """Sentences that people wrote."""
    data = sentences()
    if data is None:
        return None
    study = {**shipped("translation"), "name": "multi30k", "data": data}
    return {**study, "strategy": {"name": "population", "size": 12}}


TASKS: dict[str, Callable[[], Study | None]] = {
    "gan, digits": gan,
    "translation, numbers": numbers,
    "translation, multi30k": multi30k,
}


def run(bench: Bench) -> Part:
    """As many training steps for both, on the same seeds."""
    figures: dict[str, Any] = {}
    goals = {}
    print(f"\n{'tasks: mean ± standard error':<46}{'val':>22}{'test':>22}{'seconds':>9}")
    for name, described in TASKS.items():
        study = described()
        if study is None:
            print(f"  {name}: its data are not there")
            figures[name] = None
            continue
        figures[name] = compared(bench, name, shortened(study, bench.sizes.share_of_training))
        metric = study["metric"].removeprefix("val_")
        for split in ("val", "test"):
            means = {way: figures[name][way][split][0] for way in (POPULATION, RANDOM)}
            text = " against ".join(f"{mean:.4f} ({way})" for way, mean in means.items())
            goals[f"tasks: {name}: {split}_{metric} {text}, less"] = (
                means[POPULATION] < means[RANDOM]
            )
    return Part(figures, goals)


def shortened(study: Study, share: float) -> Study:
    """The study with a share of its training; all of it by default."""
    unit = "steps" if "steps" in study else "epochs"
    return {**study, unit: math.ceil(share * study[unit])}


def compared(bench: Bench, name: str, study: Study) -> dict[str, Any]:
    """Every seed both ways."""
    size = study["strategy"]["size"]
    ways = {
        POPULATION: study,
        RANDOM: {**study, "strategy": {"name": "random"}, "stop": {"trials": size}},
    }
    metric = study["metric"].removeprefix("val_")
    found: dict[str, Any] = {"members": size, "metric": metric}
    for way, changed in ways.items():
        runs = [
            bench.search(f"{name}, {way}", {**changed, "seed": seed}, seed=seed)
            for seed in range(bench.sizes.task_seeds)
        ]
        found[way] = {
            "val": mean_and_error([run["val"][f"val_{metric}"] for run in runs]),
            "test": mean_and_error([run["test"][f"test_{metric}"] for run in runs]),
            "all_val": {key: mean_and_error([run["val"][key] for run in runs])[0]
                        for key in runs[0]["val"] if key.startswith("val_")},
            "all_test": {key: mean_and_error([run["test"][key] for run in runs])[0]
                         for key in runs[0]["test"]},
            "rounds": runs[0]["rounds"],
            "seconds": sum(run["seconds"] for run in runs) / len(runs),
            "seeds": len(runs),
        }  # fmt: skip
        cells = [f"{found[way][s][0]:.4f} ± {found[way][s][1]:.4f}" for s in ("val", "test")]
        label = f"{name}, {metric}: {way}"
        print(f"  {label:<44}{cells[0]:>22}{cells[1]:>22}{found[way]['seconds']:>9.0f}")
    return found
