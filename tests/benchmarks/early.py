"""Searches that stop early, side by side: what they train until little regret is left.

Run: make bench-early      (hours: the whole is 10 seeds of 25 problems)
     python tests/benchmarks/early.py --seeds 2 --tables own --searches freeze_thaw,hyperband
     python tests/benchmarks/early.py --kept     what is there of an interrupted benchmark
     python tests/benchmarks/early.py --stacks   configurations per minute, in stacks

Curves are looked up, one worker at a time (early_tables.py); the cost is the rounds that were
trained, and their seconds where the curves have them. A finished run is kept in
`.nettuner/benchmarks/early-runs.jsonl`, by the digest of its search and of its problem, so an
interrupted benchmark goes on where it was. Jobs go seed by seed and through all problems in turn.

Prints tables, and writes results/early.json and results/early.png of what is kept. Exits with
status 1 if a claim is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import early_tables
import numpy as np
from early_contest import AMONG_ROWS, OPPONENTS, SEARCHES, THREE_EACH, Contest, Job
from early_picture import draw
from early_regrets import WANTED, Runs, mean_after, median_until, ratios, regret_after
from early_stacks import stack_speed
from early_times import MOST, proposal_times
from early_trace import HORIZON
from part import names_among
from threadpoolctl import threadpool_limits

HERE = Path(__file__).parent
FIRST = "freeze_thaw"
SEEDS = 10
COSTS = (250, 500, 1000, 2000)
# What is claimed of freeze_thaw: regret on the six text classifiers after so many rounds, the share
# of the best opponent's cost, and the most on any problem.
CLAIMED = {500: 0.15, 1000: 0.08, 2000: 0.05}
SHARE, NOWHERE_ABOVE = 0.5, 1.2
FIRST_MEASURED = (AMONG_ROWS, *(f"{THREE_EACH}:{cost}" for cost in COSTS))


@dataclass(frozen=True)
class Part:
    """What a command asks for: seeds, problems, searches, and how it is run."""

    seeds: range
    problems: tuple[str, ...]
    searches: tuple[str, ...]
    workers: int
    only_kept: bool

    def jobs(self) -> Iterator[Job]:
        """Seed by seed, through all problems in turn."""
        for seed in self.seeds:
            for problem in self.problems:
                for search in (*self.searches, *self._first_measured(problem)):
                    yield search, problem, seed

    def _first_measured(self, problem: str) -> tuple[str, ...]:
        """What the first measurement was of, if everything is asked for."""
        is_table = early_tables.family_of(problem) == "taskset"
        return FIRST_MEASURED if is_table and self.searches == SEARCHES else ()


def asked() -> argparse.Namespace:
    """The arguments of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = [name for family in early_tables.FAMILIES for name in early_tables.names(family)]
    several = (*early_tables.FAMILIES, *known)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each search")
    parser.add_argument("--tables", type=names_among(several), metavar="A,B", default=several)
    parser.add_argument(
        "--searches", type=names_among((*SEARCHES, *FIRST_MEASURED)), default=SEARCHES
    )
    parser.add_argument("--workers", type=int, default=1, help="searches side by side")
    parser.add_argument("--kept", action="store_true", help="run nothing, show what is kept")
    parser.add_argument("--stacks", action="store_true", help="time stacks, and nothing else")
    return parser.parse_args()


def part_of(given: argparse.Namespace) -> Part:
    """Families stand for their problems."""
    names: list[str] = []
    for each in given.tables:
        names += early_tables.names(each) if each in early_tables.FAMILIES else [each]
    problems = tuple(dict.fromkeys(names))
    return Part(range(given.seeds), problems, given.searches, given.workers, given.kept)


def runs_of(contest: Contest, part: Part, searches: Sequence[str]) -> Runs:
    """The runs that are kept, by problem and search."""
    return {
        problem: {each: contest.of(each, problem, part.seeds) for each in searches}
        for problem in part.problems
    }


def compared(runs: Runs, searches: Sequence[str]) -> dict[str, Any]:
    """Regret after the costs, by family; on the problems on which all of these searches ran."""
    found: dict[str, Any] = {}
    for family in early_tables.FAMILIES:
        problems = [p for p in runs if early_tables.family_of(p) == family]
        rows = {}
        costs = [cost for cost in COSTS if cost <= HORIZON[family]]
        for search in searches:
            ran = {p: runs[p][search] for p in problems if runs[p].get(search)}
            if ran:
                rows[search] = {
                    "problems": len(ran),
                    "seeds": sum(map(len, ran.values())) / len(ran),
                    "regret": {c: rounded(mean_after(ran, c)) for c in costs},
                    "rounds_until": {
                        w: {p: finite(median_until(each, w)) for p, each in ran.items()}
                        for w in WANTED
                    },
                    "seconds_until": {
                        w: {
                            p: finite(median_until(each, w, seconds=True))
                            for p, each in ran.items()
                        }
                        for w in WANTED
                        if family != "taskset"
                    },
                    "cpu": round(float(np.mean([r["cpu"] for x in ran.values() for r in x])), 1),
                }
        if rows:
            found[family] = rows
    return found


def three_each(contest: Contest, part: Part) -> dict[int, list[float]]:
    """Regret of the search that knows the cost, after each: mean and standard error."""
    found = {}
    for cost in COSTS:
        name = f"{THREE_EACH}:{cost}"
        ran = {p: contest.of(name, p, part.seeds) for p in part.problems}
        ran = {p: each for p, each in ran.items() if each}
        if ran:
            found[cost] = rounded(mean_after(ran, cost))
    return found


def rounded(figure: tuple[float, float]) -> list[float | None]:
    """A mean and its standard error, None where that is unknown."""
    return [finite(round(number, 4)) for number in figure]


def finite(value: float) -> float | None:
    """None for what was never reached."""
    return value if np.isfinite(value) else None


def shown(figure: list[float]) -> str:
    """A mean and its standard error."""
    mean, error = figure
    return f"{mean:.3f} ± {'?' if error is None else f'{error:.3f}'}"


def print_table(family: str, rows: dict[str, Any]) -> None:
    """Print the regrets of a family."""
    costs = list(next(iter(rows.values()))["regret"])
    print(f"\n{f'{family}: regret after so many rounds':<44}" + "".join(f"{c:>18}" for c in costs))
    for search, row in sorted(rows.items(), key=lambda item: item[1]["regret"][costs[-1]][0]):
        cells = "".join(f"{shown(figure):>18}" for figure in row["regret"].values())
        ran = f"{row['problems']} x {row['seeds']:.1f} seeds"
        print(f"  {search:<34}{ran:>16}{cells}   {row['cpu']:>6.1f} s")


def shares(runs: Runs) -> dict[str, Any]:
    """Our cost over that of the best opponent, by what was wanted and the unit of the cost."""
    timed = {p: found for p, found in runs.items() if early_tables.family_of(p) != "taskset"}
    found = {}
    for unit, among, own in (
        ("rounds", runs, FIRST),
        ("seconds", timed, FIRST),
        ("seconds", timed, "freeze_thaw_per_second"),
    ):
        for wanted in WANTED:
            of = ratios(among, own, OPPONENTS, wanted, seconds=unit == "seconds")
            if of:
                every = [ratio for ratio, _ in of.values()]
                found[f"{own}: {unit} until {wanted}"] = {
                    "median": round(float(np.median(every)), 3),
                    "worst": finite(round(max(every), 3)) if np.isfinite(max(every)) else None,
                    "problems": {p: [finite(ratio), who] for p, (ratio, who) in of.items()},
                }
    return found


def claims_of(results: dict[str, Any]) -> dict[str, bool]:
    """What is claimed, and whether it holds."""
    claims = {}
    among = results["regrets"].get("taskset", {}).get(AMONG_ROWS)
    for cost, most in CLAIMED.items() if among else ():
        found = among["regret"][cost]
        claims[f"taskset, after {cost}: {shown(found)}, at most {most}"] = found[0] <= most
    for what, found in results["shares"].items():
        if what.startswith(f"{FIRST}: rounds"):
            text = f"{what}: {found['median']:.2f} x the best opponent's, at most {SHARE}"
            claims[text] = found["median"] <= SHARE
            worst = found["worst"]
            text = f"... nowhere more than {NOWHERE_ABOVE} x, got {worst}"
            claims[f"{what} {text}"] = worst is not None and worst <= NOWHERE_ABOVE
    for search, seconds in results["proposal_seconds"].items():
        text = f"a proposal of {search} after 1,000 segments: {seconds:.3f} s, at most {MOST}"
        claims[text] = seconds <= MOST
    return claims


def timed() -> dict[str, float]:
    """Seconds of proposals, where there are curves to propose from."""
    with threadpool_limits(1):
        return proposal_times() if early_tables.names("taskset") else {}


def main() -> int:
    """Run what is missing, print, write and judge."""
    given = asked()
    if given.stacks:
        return stack_speed()
    part, contest = part_of(given), Contest()
    if not part.only_kept:
        contest.run(part.jobs(), part.workers)
    searches = (*SEARCHES, AMONG_ROWS)
    runs = runs_of(contest, part, searches)
    times = {} if part.only_kept else timed()
    results: dict[str, Any] = {
        "regrets": compared(runs, searches),
        THREE_EACH: three_each(contest, part),
        "shares": shares(runs),
        "proposal_seconds": times,
    }
    for family, rows in results["regrets"].items():
        print_table(family, rows)
    print(f"\n{THREE_EACH}: {results[THREE_EACH]}")
    for what, found in results["shares"].items():
        print(f"{what}: median {found['median']}, worst {found['worst']} of {found['problems']}")
    claims = claims_of(results)
    for claim, holds in claims.items():
        print(f"{'holds ' if holds else 'MISSED'}  {claim}")
    (HERE / "results" / "early.json").write_text(json.dumps(results, indent=1) + "\n")
    draw(runs, SEARCHES, regret_after, HERE / "results" / "early.png")
    return int(not all(claims.values()))


if __name__ == "__main__":
    sys.exit(main())
