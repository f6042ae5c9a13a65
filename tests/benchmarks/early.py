"""Searches that stop early, side by side: regret after so many rounds of training.

Run: make bench-early      (tables of curves; some hours on one core)

Each search looks its curves up in tables of real learning curves, one worker at a time; the cost is
the rounds it trained. What is finished is kept in `.nettuner/benchmarks/early.jsonl`; delete that
to start over. Needs the tables beside the project.

Prints a table, writes results/early.json, and exits with status 1 if a claim is missed.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
from early_searches import SEARCHES
from early_tables import Table, lcbench, taskset
from problem import DATA
from threadpoolctl import threadpool_limits

HERE = Path(__file__).parent
KEPT = HERE.parents[1] / ".nettuner" / "benchmarks" / "early.jsonl"
COSTS = (250, 500, 1000, 2000)
KNOWS_THE_BUDGET = "3 rounds each, best 3 in full"
SEEDS = {"freeze_thaw": 5, "bayesian in full": 3}
USUAL_SEEDS = 30
# What is claimed of freeze_thaw on the six text classifiers, after so many rounds.
CLAIMED = {500: 0.15, 1000: 0.08, 2000: 0.05}

Key = tuple[str, str, int]


def regrets(search: str, table: Table, seed: int) -> list[float]:
    """Regret after each of the costs."""
    if search == KNOWS_THE_BUDGET:
        return [table.regret(SEARCHES[search](table, seed, cost), [cost])[0] for cost in COSTS]
    segments, spent = [], 0
    for segment in SEARCHES[search](table, seed, max(COSTS)):
        segments.append(segment)
        spent += segment[2] - segment[1]
        if spent >= max(COSTS):
            break
    return table.regret(segments, COSTS)


def kept() -> dict[Key, list[float]]:
    """What was measured before."""
    if not KEPT.exists():
        return {}
    lines = [json.loads(line) for line in KEPT.read_text(encoding="utf-8").splitlines()]
    return {(search, table, seed): found for search, table, seed, found in lines}


def measure(tables: list[Table], searches: list[str], seeds: int | None) -> dict[Key, list[float]]:
    """All regrets, one after another; what is missing is measured, the first seeds first."""
    known = kept()
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    for seed, search, table in itertools.product(range(USUAL_SEEDS), searches, tables):
        wanted = SEEDS.get(search, USUAL_SEEDS) if seeds is None else seeds
        if seed < wanted and (search, table.name, seed) not in known:
            found = regrets(search, table, seed)
            known[search, table.name, seed] = found
            with KEPT.open("a", encoding="utf-8") as file:
                file.write(json.dumps([search, table.name, seed, found]) + "\n")
    return known


def summary(known: dict[Key, list[float]], tables: list[Table], search: str) -> dict[str, object]:
    """Mean regret over tables and seeds at each cost, and its standard error over the seeds."""
    by_table = [
        np.array([found for (s, t, _), found in known.items() if (s, t) == (search, table.name)])
        for table in tables
    ]
    counts = [len(found) for found in by_table]
    if not min(counts):
        return {"seeds": 0}
    means = np.array([found.mean(axis=0) for found in by_table])
    several = [found.var(axis=0, ddof=1) / len(found) for found in by_table if len(found) > 1]
    return {
        "seeds": min(counts),
        "regret": means.mean(axis=0).round(4).tolist(),
        "standard_error": (np.sqrt(sum(several)) / len(tables)).round(4).tolist()
        if len(several) == len(tables)
        else None,
        "by_table": {t.name: m.round(4).tolist() for t, m in zip(tables, means, strict=True)},
    }


def main(arguments: list[str]) -> int:
    """Measure what is missing, print and write what is known; arguments: searches, seeds=n."""
    if not (DATA / "taskset_curves").is_dir():
        print(f"tables of curves are expected in {DATA / 'taskset_curves'}; there are none")
        return 2
    seeds = next((int(a.partition("=")[2]) for a in arguments if a.startswith("seeds=")), None)
    searches = [a for a in arguments if a in SEARCHES] or list(SEARCHES)
    families = {"taskset": taskset()}
    if "taskset" not in arguments:
        families["lcbench"] = lcbench()
    results: dict[str, dict[str, object]] = {}
    with threadpool_limits(1):
        for family, tables in families.items():
            known = measure(tables, searches, seeds)
            results[family] = {name: summary(known, tables, name) for name in SEARCHES}
    for family, rows in results.items():
        print(f"\n{family}: regret after {', '.join(map(str, COSTS))} rounds")
        for name, row in rows.items():
            print(f"  {name:32} {row}")
    (HERE / "results" / "early.json").write_text(json.dumps(results, indent=1) + "\n")
    ours = results["taskset"]["freeze_thaw"]
    if not isinstance(ours, dict) or not ours["seeds"]:
        return 1
    missed = [c for c, most in CLAIMED.items() if ours["regret"][COSTS.index(c)] > most]
    print(f"missed: {missed}" if missed else "all claims hold")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
