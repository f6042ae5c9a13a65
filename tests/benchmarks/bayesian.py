"""The Bayesian search beside other optimisers: how few trials it needs, and how little time.

Run: make bench-bayesian      (hours on one core, about one and a half on two)

Every finished run is kept in `.nettuner/benchmarks`, by the version of its optimiser (ours: a
digest of its source), so an interrupted benchmark goes on where it was, and only what changed
runs again; delete the folder to start over. Times are measured anew, one after another.

Prints its tables, writes results/bayesian.json and results/bayesian.png beside this file, and
exits with status 1 if a claim is missed.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import environments
import numpy as np
import ours
import problems
from workers import Answering, Kept, Key, run_all

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENT = problems.CACHE / "opponents"
REQUIREMENTS = HERE / "requirements-opponents.txt"
OPPONENTS = ("optuna_gp", "skopt_ei", "skopt_default", "optuna_tpe", "smac", "random")
OURS = "nettuner"
SEEDS = range(10)
AT = (25, 50)
FINISHED = (50, 100, 200)
MANY = 500
WIDE = "width_4"
# Few trials are between 4 in flight and one at a time: more seeds tell how few.
WIDTH_SEEDS = range(20)
# The claim is about the mean over these numbers of trials.
JUDGED = (25, 30, 35, 40)
FAILING = [
    (failure, problem) for failure in ("flaky", "diverging") for problem in ("mixed", "hartmann6")
]
WAYS = {
    OURS: "as it is",
    "unbelieved": "only learned which fail",
    "worst_scores": "they get the worst score",
}
# What is claimed.
AS_GOOD_AS_BEST, NOISE = 1.5, 2.0  # times the best opponent; and so many standard errors
SHARE_OF_SKOPT, SECONDS_AT_MANY = 0.2, 1.0
LOST_BY_WIDTH = 0.15


def digest(files: Sequence[Path]) -> str:
    """Of the contents of some files."""
    found = hashlib.sha256()
    for file in sorted(files):
        found.update(file.read_bytes())
    return found.hexdigest()[:12]


def own_sources() -> list[Path]:
    """The files of the project that the Bayesian search consists of."""
    import nettuner.tasks.strategies.bayesian.candidates
    import nettuner.tasks.strategies.bayesian.expectation  # noqa: F401 - imported late by the strategy

    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    folders = (ROOT / "tasks", ROOT / "models")
    return [Path(f) for f in files if f and any(Path(f).is_relative_to(x) for x in folders)]


@dataclass(frozen=True)
class Results:
    """The best losses so far of every run, as regrets; shape [seeds, trials] for each."""

    curves: dict[tuple[str, str], np.ndarray]

    def at(self, optimiser: str, names: Sequence[str], trials: int) -> np.ndarray:
        """Regrets after so many trials; shape [problems, seeds]."""
        return np.array([self.curves[optimiser, name][:, trials - 1] for name in names])

    def mean_curve(self, optimiser: str, names: Sequence[str]) -> np.ndarray:
        """Mean regret over problems and seeds after each number of trials."""
        found: np.ndarray = np.mean([self.curves[optimiser, name] for name in names], axis=(0, 1))
        return found


def collect(kept: Kept, jobs: Sequence[Key]) -> Results:
    """The curves of all jobs."""
    loaded = {name: problems.load(name) for name in {job[2] for job in jobs}}
    rows: dict[tuple[str, str], list[np.ndarray]] = {}
    for job in jobs:
        problem = loaded[job[2]]
        losses = np.array(kept.runs[job]["losses"], dtype=float)
        lowest = np.minimum.accumulate(losses)
        # Until a trial succeeds, the regret is that of the median.
        lowest[~np.isfinite(lowest)] = problem.median
        rows.setdefault((job[1], job[2]), []).append(problem.regret(lowest))
    return Results({key: np.array(value) for key, value in rows.items()})


def mean_ranks(results: Results, names: Sequence[str], trials: int) -> dict[str, float]:
    """Mean rank of each optimiser over problems and seeds; 1 is the best, ties share."""
    from scipy.stats import rankdata

    optimisers = [OURS, *OPPONENTS]
    table = np.array([results.at(optimiser, names, trials) for optimiser in optimisers])
    ranks = rankdata(table, axis=0).mean(axis=(1, 2))
    return dict(zip(optimisers, ranks.tolist(), strict=True))


def summary(results: Results, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Mean regret, its standard error and mean rank of every optimiser."""
    found: dict[str, dict[str, float]] = {}
    for trials in AT:
        ranks = mean_ranks(results, names, trials)
        for optimiser in (OURS, *OPPONENTS):
            regrets = results.at(optimiser, names, trials)
            errors = regrets.std(axis=1, ddof=1) / regrets.shape[1] ** 0.5
            found.setdefault(optimiser, {}).update(
                {
                    f"regret_{trials}": float(regrets.mean()),
                    f"error_{trials}": float(np.sqrt((errors**2).sum()) / len(names)),
                    f"rank_{trials}": ranks[optimiser],
                }
            )
    return found


def by_problem(results: Results, names: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """Mean regret after each of AT, by problem and optimiser."""
    return {
        name: {
            optimiser: [float(results.at(optimiser, [name], n).mean()) for n in AT]
            for optimiser in (OURS, *OPPONENTS)
        }
        for name in names
    }


def far_behind(results: Results, names: Sequence[str]) -> list[str]:
    """Where our mean regret is above 1.5 times the best opponent's by more than noise."""
    found = []
    for name, trials in itertools.product(names, AT):
        own = results.at(OURS, [name], trials)[0]
        best = min(
            (results.at(other, [name], trials)[0] for other in OPPONENTS), key=lambda r: r.mean()
        )
        slack = AS_GOOD_AS_BEST * best
        error = np.sqrt((own.var(ddof=1) + slack.var(ddof=1)) / len(own))
        if own.mean() > slack.mean() + NOISE * error:
            found.append(f"{name} after {trials}: {own.mean():.4f}, best {best.mean():.4f}")
    return found


def worth_lost(narrow: np.ndarray, wide: np.ndarray, trials: int) -> float:
    """The share of its trials' worth that `wide` lost after so many trials.

    That is one minus the trials after which `narrow` has the same regret, as a share.
    """
    regret = wide[trials - 1]
    last = int(np.flatnonzero(narrow <= regret)[0])  # the regrets of both only ever fall
    step = narrow[last - 1] - narrow[last] if last else 0.0
    worth = last + 1 - ((regret - narrow[last]) / step if step > 0 else 0.0)
    return float(1 - worth / trials)


def proposal_times(python: Path) -> dict[str, dict[str, float]]:
    """CPU seconds of one proposal after so many trials, one optimiser after another."""
    problem = problems.load("hartmann6")
    found = {OURS: ours.proposal_seconds(problem, [*FINISHED, MANY])}
    worker = Answering([str(python), str(HERE / "opponents.py")])
    for name in ("optuna_gp", "skopt_ei", "skopt_default", "optuna_tpe"):
        counts = ",".join(map(str, FINISHED))
        found[name] = {key: float(x) for key, x in worker.ask(f"seconds {name} {counts}").items()}
    worker.close()
    return found


def claims(
    results: Results, names: Sequence[str], times: dict[str, dict[str, float]], lost: float
) -> dict[str, bool]:
    """Every claim, and whether it holds."""
    table = summary(results, names)
    found = {}
    for figure in (f"{kind}_{n}" for n in AT for kind in ("regret", "rank")):
        others = min(table[name][figure] for name in OPPONENTS)
        text = f"{figure}: {table[OURS][figure]:.4f} is below every opponent's, {others:.4f}"
        found[text] = table[OURS][figure] < others
    behind = far_behind(results, names)
    text = f"no problem is worse than {AS_GOOD_AS_BEST} x the best opponent plus noise"
    found[f"{text}{': ' if behind else ''}{'; '.join(behind)}"] = not behind
    for count in map(str, FINISHED):
        own, gp, plain = (times[name][count] for name in (OURS, "optuna_gp", "skopt_default"))
        found[f"a proposal after {count} takes {own:.3f} s, Optuna's GPSampler {gp:.3f}"] = own < gp
        text = f"a proposal after {count} takes {own / plain:.3f} of scikit-optimize's default"
        found[f"{text}, at most {SHARE_OF_SKOPT}"] = own <= SHARE_OF_SKOPT * plain
    many = times[OURS][str(MANY)]
    found[f"a proposal after {MANY} takes {many:.3f} s, below {SECONDS_AT_MANY:g}"] = (
        many < SECONDS_AT_MANY
    )
    found[f"4 in flight lose {lost:.1%} of the trials' worth, at most {LOST_BY_WIDTH:.0%}"] = (
        lost <= LOST_BY_WIDTH
    )
    return found


def print_summary(title: str, table: dict[str, dict[str, float]]) -> None:
    """Print a table of optimisers."""
    print(f"\n{title:<44}{'regret after 25':>18}{'50':>16}{'rank after 25':>16}{'50':>7}")
    for name, row in sorted(table.items(), key=lambda item: item[1]["regret_50"]):
        cells = [f"{row[f'regret_{n}']:.4f} ± {row[f'error_{n}']:.4f}" for n in AT]
        ranks = [f"{row[f'rank_{n}']:.2f}" for n in AT]
        print(f"  {name:<42}{cells[0]:>18}{cells[1]:>16}{ranks[0]:>16}{ranks[1]:>7}")


def draw(results: Results, halves: dict[str, list[str]], file: Path) -> None:
    """Mean normalised regret against trials, one panel for each half of the problems."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(halves), figsize=(11, 4.2), sharey=True)
    titles = ("the problems that settings were chosen on", "the problems kept for the report")
    for axis, title, names in zip(axes, titles, halves.values(), strict=True):
        for optimiser in (OURS, *OPPONENTS):
            own = optimiser == OURS
            curve = results.mean_curve(optimiser, names)
            axis.plot(
                range(1, len(curve) + 1), curve, label=optimiser, lw=2.4 if own else 1.2,
                color="black" if own else None,
            )  # fmt: skip
        axis.set(title=f"{title} ({len(names)})", xlabel="trials", yscale="log")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("mean normalised regret")
    axes[-1].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> int:
    """Run what is not kept, print, write, judge."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    settings, report = problems.available(problems.SETTINGS), problems.available(problems.REPORT)
    if not problems.TABLES.is_dir():
        print(f"without the tables of real networks: {problems.TABLES} is not there")
    problems.load("network_digits")  # computes its grid if need be, before the workers want it
    python = environments.made(ENVIRONMENT, REQUIREMENTS)
    commands: dict[str, list[str]] = {}
    mine = digest([*own_sources(), HERE / "ours.py", HERE / "problems.py"])
    theirs = digest([REQUIREMENTS, HERE / "opponents.py", HERE / "problems.py"])
    commands[mine] = [sys.executable, str(HERE / "ours.py")]
    commands[theirs] = [str(python), str(HERE / "opponents.py")]
    names = [*settings, *report]
    main_jobs = [
        *((mine, OURS, p, s) for p in names for s in SEEDS),
        *((theirs, name, p, s) for name in OPPONENTS for p in names for s in SEEDS),
    ]
    width_jobs = [(mine, name, p, s) for name in (OURS, WIDE) for p in names for s in WIDTH_SEEDS]
    parts = [*ours.VARIANTS, *ours.SETTINGS]
    part_jobs = [(mine, part, p, s) for part in parts for p in settings for s in SEEDS]
    failing_jobs = [
        (mine, f"{way}+{failure}", p, s) for way in WAYS for failure, p in FAILING for s in SEEDS
    ]
    jobs: list[Key] = [*main_jobs, *part_jobs, *failing_jobs]
    kept = Kept(problems.CACHE / "bayesian-runs.jsonl")
    run_all(dict.fromkeys([*jobs, *width_jobs]), commands, kept, workers=os.cpu_count() or 1)
    results, by_width = collect(kept, jobs), collect(kept, width_jobs)
    times = proposal_times(python)

    halves = {"settings": settings, "report": report}
    tables = {"all": summary(results, names)}
    tables |= {half: summary(results, members) for half, members in halves.items()}
    for title, table in tables.items():
        print_summary(f"{title} problems", table)
    print(f"\n{'regret after 25 / 50':<34}" + "".join(f"{o:>16}" for o in (OURS, *OPPONENTS)))
    for name, row in by_problem(results, names).items():
        print(f"  {name:<32}" + "".join(f"{a:>8.3f} /{b:.3f}" for a, b in row.values()))
    print(
        f"\n{'seconds of one proposal after':<34}" + "".join(f"{n:>8}" for n in (*FINISHED, MANY))
    )
    for name, row_ in times.items():
        print(f"  {name:<32}" + "".join(f"{x:>8.3f}" for x in row_.values()))
    narrow, wide = by_width.mean_curve(OURS, names), by_width.mean_curve(WIDE, names)
    by_trials = {str(n): worth_lost(narrow, wide, n) for n in range(25, 51, 5)}
    lost = float(np.mean([by_trials[str(n)] for n in JUDGED]))
    print("\nshare of the trials' worth that 4 in flight lose against one at a time, after")
    print("  " + ", ".join(f"{n}: {share:.1%}" for n, share in by_trials.items()))
    ablation = {"nettuner": {"what": "as it is", **_two(results, OURS, settings)}}
    for part in parts:
        what = (ours.VARIANTS.get(part) or ours.SETTINGS[part])[0]
        ablation[part] = {"what": what, **_two(results, part, settings)}
    print(f"\n{'what each ingredient is worth (settings problems)':<62}{'after 25':>10}{'50':>10}")
    for entry in ablation.values():
        print(f"  {entry['what']:<60}{entry['regret_25']:>10.4f}{entry['regret_50']:>10.4f}")
    failures: dict[str, dict[str, Any]] = {}
    print(f"\n{'trials that fail':<62}{'after 25':>10}{'50':>10}")
    for failure, p in FAILING:
        for way, what in WAYS.items():
            row2 = _two(results, f"{way}+{failure}", [p])
            failures[f"{p} {failure}, {what}"] = row2
            label = f"{p}, {failure}: {what}"
            print(f"  {label:<60}{row2['regret_25']:>10.4f}{row2['regret_50']:>10.4f}")
    judged = claims(results, names, times, lost)
    print()
    for claim, holds in judged.items():
        print(f"{'holds ' if holds else 'MISSED'}  {claim}")
    record = {
        "problems": halves,
        "seeds": len(SEEDS),
        "summary": tables,
        "by_problem": by_problem(results, names),
        "proposal_seconds": times,
        "worth_lost_at_width_4": by_trials,
        "ablation": ablation,
        "failures": failures,
        "claims": judged,
        "opponents": REQUIREMENTS.read_text().splitlines()[1:],
        "versions": {n: version(n) for n in ("scikit-optimize", "scikit-learn", "numpy", "scipy")},
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    (HERE / "results").mkdir(exist_ok=True)
    text = json.dumps(record, indent=2) + "\n"
    (HERE / "results" / "bayesian.json").write_text(text, encoding="utf-8")
    draw(results, halves, HERE / "results" / "bayesian.png")
    return 0 if all(judged.values()) else 1


def _two(results: Results, optimiser: str, names: Sequence[str]) -> dict[str, Any]:
    return {f"regret_{n}": float(results.at(optimiser, names, n).mean()) for n in AT}


if __name__ == "__main__":
    sys.exit(main())
