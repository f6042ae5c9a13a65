"""Population based training and stacks: what they reach, and how fast, beside others.

Run: make bench-population      (about an hour on two cores; alone, as it measures time)
     python tests/benchmarks/population.py --only toy,cost      (some parts)
     python tests/benchmarks/population.py --quick      (tiny sizes: whether it runs at all)

Every finished run is kept in `.nettuner/benchmarks`, by a digest of the sources and of what was
asked for, so an interrupted benchmark goes on where it was; `--fresh` starts over. Ray Tune and
Optuna run in an environment of their own, made the first time.

Prints its tables, writes results/population.json and results/population.png beside this file, and
exits with status 1 if a goal is missed. With `--only`, what other parts found earlier stays.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import environments
import population_cost
import population_picture
import population_ray
import population_stacks
import population_tasks
import population_toy
from population_bench import CACHE, ENVIRONMENT, HERE, QUICK, REQUIREMENTS, Bench, Sizes
from workers import Kept

PARTS = {
    "toy": population_toy.run,
    "stacks": population_stacks.run,
    "ray": population_ray.run,
    "cost": population_cost.run,
    "tasks": population_tasks.run,
}
WITH_OPPONENTS = {"stacks", "ray"}
PACKAGES = ("torch", "prefect", "mlflow", "numpy")


def options() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of: {','.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; results are kept apart")
    parser.add_argument("--fresh", action="store_true", help="forget the runs that are kept")
    found = parser.parse_args()
    found.only = found.only.split(",")
    if unknown := set(found.only) - set(PARTS):
        parser.error(f"no part named {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    return found


def main() -> int:
    """Run what is not kept, print, write, judge."""
    asked = options()
    name = "population-quick" if asked.quick else "population"
    runs = CACHE / f"{name}-runs.jsonl"
    if asked.fresh:
        runs.unlink(missing_ok=True)
    opponents = None
    if WITH_OPPONENTS & set(asked.only):
        opponents = environments.made(ENVIRONMENT, REQUIREMENTS)
    bench = Bench(QUICK if asked.quick else Sizes(), Kept(runs), opponents)
    folder = CACHE if asked.quick else HERE / "results"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    parts: dict[str, Any] = json.loads(file.read_text())["parts"] if file.exists() else {}
    missed = False
    for part in [part for part in PARTS if part in asked.only]:
        found = PARTS[part](bench)
        print()
        for goal, passed in found.goals.items():
            print(f"{'passed' if passed else 'MISSED'}  {goal}", flush=True)
        missed |= not all(found.goals.values())
        about = {"date": datetime.now(UTC).date().isoformat(), "machine": machine()}
        parts[part] = {"figures": found.figures, "goals": found.goals, **about}
        write(file, {part: parts[part] for part in PARTS if part in parts})
    population_picture.draw(parts, file.with_suffix(".png"))
    return int(missed)


def machine() -> dict[str, Any]:
    """What the figures were taken with."""
    return {
        "opponents": REQUIREMENTS.read_text().splitlines()[1:],
        "versions": {package: version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }


def write(file: Path, parts: dict[str, Any]) -> None:
    """The record so far."""
    file.write_text(json.dumps({"parts": parts}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
