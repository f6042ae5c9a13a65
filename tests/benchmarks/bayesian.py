"""The Bayesian search beside other optimisers: how few trials it needs, and how little time.

Run: make bench-bayesian      (many hours: HEBO alone takes minutes for one search)
     python tests/benchmarks/bayesian.py --seeds 2 --families synthetic,networks --opponents smac
     python tests/benchmarks/bayesian.py --kept      what is there of an interrupted benchmark

Every finished run is kept in `.nettuner/benchmarks`, by the version of its optimiser (a digest of
its sources and of those of the problem), so an interrupted benchmark goes on where it was, and only
what changed runs again; delete the folder to start over. Runs go seed by seed and through all
families in turn, so that what is there of an interrupted one can be compared. Times are measured
anew, one after another.

A family is reported by the settings that the other families chose (choose.py). The whole writes
results/bayesian.json and results/bayesian.png beside this file, and exits with status 1 if a claim
is missed.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import choose
import families
import numpy as np
import ours
import variants
from contest import OPPONENTS, OURS, Contest, Job, in_turn, python, requirements
from families import NOISE, SYNTHETIC
from part import Part, complete
from problem import JUDGED_AFTER
from regrets import Figure, Regrets, worth_lost
from workers import Answering

HERE = Path(__file__).parent
FINISHED = (50, 100, 200, 500)
TIMED = {"optuna_gp": FINISHED, "optuna_tpe": FINISHED, "skopt_default": FINISHED[:3]}
WIDE = "width_4"
# The claim is about the mean over these numbers of trials.
WIDTH_JUDGED_AFTER = (25, 30, 35, 40)
# Problems of each family, and seeds, that ingredients are left out on.
ABLATED, ABLATION_SEEDS = 4, range(5)
FAILING = [
    (failure, problem) for failure in ("flaky", "diverging") for problem in ("mixed", "hartmann6")
]
WAYS = {
    OURS: "as it is",
    "unbelieved": "only learned which fail",
    "worst_scores": "they get the worst score",
}
# What is claimed.
SHARE_OF_BEST, LOST_BY_WIDTH, TIMES_CHEAPER = 0.8, 0.15, 3.0


def setting(family: str) -> str:
    """The setting of ours that a family is reported by: the one that the others chose."""
    return choose.kept().get(family, OURS)


def contest_jobs(part: Part) -> list[Job]:
    """Everybody on every problem, seed by seed."""
    return [
        (optimiser, problem, seed)
        for seed in part.seeds
        for problem in in_turn(part.families)
        for optimiser in (setting(families.family_of(problem)), *part.opponents)
    ]


def as_ours(regrets: Regrets) -> Regrets:
    """With the settings that families chose under our name."""
    return Regrets(
        {
            (name if name in OPPONENTS else OURS, problem): found
            for (name, problem), found in regrets.curves.items()
        }
    )


def ablation_jobs(names: Sequence[str]) -> list[Job]:
    """Every variant on some problems of each family."""
    some = [problem for name in names for problem in families.problems_of(name)[:ABLATED]]
    parts = (OURS, *variants.VARIANTS, *variants.SETTINGS)
    return [(each, problem, seed) for seed in ABLATION_SEEDS for problem in some for each in parts]


def failing_jobs(seeds: range) -> list[Job]:
    """Trials that fail, in each way of dealing with them."""
    return [
        (f"{way}+{failure}", problem, seed)
        for seed in seeds
        for way in WAYS
        for failure, problem in FAILING
    ]


def width_jobs(part: Part, names: Sequence[str]) -> list[Job]:
    """One at a time and four in flight."""
    return [
        (name, problem, seed)
        for seed in part.seeds
        for problem in in_turn(names)
        for name in (OURS, WIDE)
    ]


def proposal_times() -> dict[str, dict[str, float]]:
    """CPU seconds of one proposal after so many trials, one optimiser after another."""
    found = {OURS: ours.proposal_seconds(families.load("hartmann6"), [*FINISHED])}
    worker = Answering([str(python("optuna_gp")), str(HERE / "opponents.py")])
    for name, finished in TIMED.items():
        counts = ",".join(map(str, finished))
        found[name] = {key: float(x) for key, x in worker.ask(f"seconds {name} {counts}").items()}
    worker.close()
    return found


def few_trials(regrets: Regrets, names: Sequence[str], opponents: Sequence[str]) -> dict[str, bool]:
    """The claims about regret, and whether they hold."""
    found = {}
    for trials in JUDGED_AFTER:
        own = regrets.mean(OURS, names, trials).mean
        best = min(opponents, key=lambda name: regrets.mean(name, names, trials).mean)
        other = regrets.mean(best, names, trials).mean
        text = f"regret after {trials}: {own:.4f}, at most {SHARE_OF_BEST} x {other:.4f} ({best})"
        found[text] = own <= SHARE_OF_BEST * other
    if "optuna_gp" not in opponents:
        return found
    behind = far_behind(regrets, names)
    text = "on no family behind GPSampler by more than the standard error of the difference"
    found[f"{text}{': ' if behind else ''}{'; '.join(behind)}"] = not behind
    return found


def far_behind(regrets: Regrets, names: Sequence[str]) -> list[str]:
    """The families on which our mean regret is above GPSampler's by more than a standard error.

    With one seed, which has no standard error, by anything.
    """
    found = []
    for name in names:
        for trials in JUDGED_AFTER:
            own, other = (regrets.of_family(each, name, trials) for each in (OURS, "optuna_gp"))
            error = float(np.nan_to_num(np.hypot(own.error, other.error)))
            if own.mean > other.mean + error:
                found.append(f"{name} after {trials}: {own.mean:.4f}, {other.mean:.4f}")
    return found


def true_winners(regrets: Regrets, opponents: Sequence[str]) -> dict[str, bool]:
    """The claim about noise, and whether it holds."""
    last = JUDGED_AFTER[-1]
    own = regrets.of_family(OURS, NOISE, last).mean
    best = min(opponents, key=lambda name: regrets.of_family(name, NOISE, last).mean)
    other = regrets.of_family(best, NOISE, last).mean
    text = f"noise: the winner after {last} has a true regret of {own:.4f}, {best}'s {other:.4f}"
    return {text: own <= other}


def cheap(times: dict[str, dict[str, float]]) -> dict[str, bool]:
    """The claims about proposals, and whether they hold."""
    found = {}
    for count in map(str, FINISHED):
        own, other = times[OURS][count], times["optuna_gp"][count]
        text = f"a proposal after {count} takes {own:.3f} s, Optuna's GPSampler {other:.3f}"
        found[f"{text}: at least {TIMES_CHEAPER:g} times as long"] = other >= TIMES_CHEAPER * own
    return found


def print_families(regrets: Regrets, names: Sequence[str], optimisers: Sequence[str]) -> None:
    """Print the mean over families, and each family."""
    for trials in JUDGED_AFTER:
        counts = [f"{name} ({len(regrets.problems(name))})" for name in names]
        print(f"\n{f'regret after {trials}':<16}" + "".join(f"{c:>18}" for c in ("mean", *counts)))
        for each in sorted(optimisers, key=lambda each: regrets.mean(each, names, trials).mean):
            row = [regrets.mean(each, names, trials)]
            row += regrets.by_family(each, names, trials).values()
            print(f"  {each:<14}" + "".join(f"{figure!s:>18}" for figure in row))


def print_problems(regrets: Regrets, names: Sequence[str], optimisers: Sequence[str]) -> None:
    """Print each problem."""
    print(f"\n{'regret after 25 / 50':<36}" + "".join(f"{each:>16}" for each in optimisers))
    for problem in (problem for name in names for problem in regrets.problems(name)):
        cells = [
            " / ".join(f"{regrets.of_problem(each, problem, n).mean:.3f}" for n in JUDGED_AFTER)
            for each in optimisers
        ]
        print(f"  {problem:<34}" + "".join(f"{cell:>16}" for cell in cells))


def print_noise(regrets: Regrets, optimisers: Sequence[str]) -> None:
    """Print the true regret of what each answers with."""
    count = len(regrets.problems(NOISE))
    print(f"\n{f'noise ({count}): true regret of the winner after':<48}{'25':>18}{'50':>18}")
    for each in sorted(optimisers, key=lambda each: regrets.of_family(each, NOISE, 50).mean):
        row = [regrets.of_family(each, NOISE, n) for n in JUDGED_AFTER]
        print(f"  {each:<46}" + "".join(f"{figure!s:>18}" for figure in row))


def print_claims(claims: dict[str, bool]) -> None:
    """Print what holds and what does not."""
    print()
    for claim, holds in claims.items():
        print(f"{'holds ' if holds else 'MISSED'}  {claim}")


def ablated(regrets: Regrets, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What each ingredient is worth, on real networks and on synthetic problems apart."""
    halves = {"real": [n for n in names if n != SYNTHETIC], "synthetic": [SYNTHETIC]}
    described = {OURS: "as it is"}
    described |= {k: v[0] for k, v in (variants.VARIANTS | variants.SETTINGS).items()}
    found: dict[str, dict[str, Any]] = {}
    title = "what each ingredient is worth"
    print(f"\n{title:<62}{'real: 25':>10}{'50':>10}{'synth.: 25':>12}{'50':>10}")
    for part, what in described.items():
        row = {
            f"{half}_{n}": regrets.mean(part, members, n).mean
            for half, members in halves.items()
            for n in JUDGED_AFTER
        }
        found[part] = {"what": what, **row}
        print(f"  {what:<60}" + "".join(f"{regret:>10.4f}" for regret in row.values()))
    return found


def failures(regrets: Regrets) -> dict[str, dict[str, float]]:
    """Regrets where trials fail."""
    found: dict[str, dict[str, float]] = {}
    print(f"\n{'trials that fail':<62}{'after 25':>10}{'50':>10}")
    for failure, problem in FAILING:
        for way, what in WAYS.items():
            label = f"{problem}, {failure}: {what}"
            figures = [regrets.of_problem(f"{way}+{failure}", problem, n) for n in JUDGED_AFTER]
            found[label] = {
                f"regret_{n}": figure.mean for n, figure in zip(JUDGED_AFTER, figures, strict=True)
            }
            print(f"  {label:<60}" + "".join(f"{figure.mean:>10.4f}" for figure in figures))
    return found


def width(regrets: Regrets, names: Sequence[str]) -> dict[str, float]:
    """The share of the trials' worth that four in flight lose, by number of trials."""
    narrow, wide = (regrets.mean_curve(each, names) for each in (OURS, WIDE))
    found = {str(n): worth_lost(narrow, wide, n) for n in range(25, 51, 5)}
    print("\nshare of the trials' worth that 4 in flight lose against one at a time, after")
    print("  " + ", ".join(f"{n}: {share:.1%}" for n, share in found.items()))
    return found


def draw(regrets: Regrets, names: Sequence[str], file: Path) -> None:
    """Mean normalised regret against trials, real networks and synthetic problems apart."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = {"real networks": [n for n in names if n != SYNTHETIC], "synthetic": [SYNTHETIC]}
    figure, axes = pyplot.subplots(1, len(panels), figsize=(11, 4.2), sharey=True)
    for axis, (title, members) in zip(axes, panels.items(), strict=True):
        for optimiser in (OURS, *OPPONENTS):
            own = optimiser == OURS
            found = regrets.mean_curve(optimiser, members)
            axis.plot(
                range(1, len(found) + 1), found, label=optimiser, lw=2.4 if own else 1.2,
                color="black" if own else None,
            )  # fmt: skip
        count = sum(len(regrets.problems(name)) for name in members)
        axis.set(title=f"{title} ({count})", xlabel="trials", yscale="log")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("mean normalised regret")
    axes[-1].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def compared(contest: Contest, part: Part) -> tuple[Regrets, list[str], dict[str, bool]]:
    """Run the contest and print it: the regrets, the families in the mean, and the claims."""
    jobs = contest_jobs(part)
    if not part.only_kept:
        contest.run(jobs, part.workers)
    optimisers = (OURS, *part.opponents)
    regrets = as_ours(contest.regrets(complete(jobs, contest.has)))
    names = [name for name in part.families if name != NOISE and regrets.problems(name)]
    claims: dict[str, bool] = {}
    if names:
        print_families(regrets, names, optimisers)
        print_problems(regrets, names, optimisers)
        claims |= few_trials(regrets, names, part.opponents)
    if regrets.problems(NOISE):
        print_noise(regrets, optimisers)
        print_problems(regrets, [NOISE], optimisers)
        claims |= true_winners(regrets, part.opponents)
    return regrets, names, claims


def as_json(figure: Figure) -> list[float]:
    """A mean and its standard error."""
    return [figure.mean, figure.error]


def main() -> int:
    """Run what is not kept and print; if it is the whole, write and judge."""
    part = Part.asked(__doc__)
    print(part)
    chosen = {name: setting(name) for name in part.families if name != NOISE}
    print(f"families are reported by the settings that the others chose: {chosen}")
    contest = Contest()
    regrets, names, claims = compared(contest, part)
    if not part.is_whole:
        print_claims(claims)
        return 0
    jobs = [*width_jobs(part, names), *ablation_jobs(names), *failing_jobs(part.seeds)]
    contest.run(jobs, part.workers)
    by_width = width(contest.regrets(width_jobs(part, names)), names)
    lost = float(np.mean([by_width[str(n)] for n in WIDTH_JUDGED_AFTER]))
    claims[f"4 in flight lose {lost:.1%} of the trials' worth, at most {LOST_BY_WIDTH:.0%}"] = (
        lost <= LOST_BY_WIDTH
    )
    ingredients = ablated(contest.regrets(ablation_jobs(names)), names)
    failed = failures(contest.regrets(failing_jobs(part.seeds)))
    times = proposal_times()
    print(f"\n{'seconds of one proposal after':<34}" + "".join(f"{n:>8}" for n in FINISHED))
    for each, row in times.items():
        print(f"  {each:<32}" + "".join(f"{seconds:>8.3f}" for seconds in row.values()))
    claims |= cheap(times)
    print_claims(claims)
    everybody = (OURS, *part.opponents)
    record = {
        "seeds": len(part.seeds),
        "problems": {name: regrets.problems(name) for name in part.families},
        "weights": {name: families.WEIGHTS[name] for name in names},
        "settings": chosen,
        "mean": {
            e: {n: as_json(regrets.mean(e, names, n)) for n in JUDGED_AFTER} for e in everybody
        },
        "by_family": {
            e: {
                family: {n: as_json(regrets.of_family(e, family, n)) for n in JUDGED_AFTER}
                for family in part.families
            }
            for e in everybody
        },
        "by_problem": {
            problem: {
                e: [regrets.of_problem(e, problem, n).mean for n in JUDGED_AFTER] for e in everybody
            }
            for family in part.families
            for problem in regrets.problems(family)
        },
        "proposal_seconds": times,
        "worth_lost_at_width_4": by_width,
        "ablation": ingredients,
        "failures": failed,
        "claims": claims,
        "opponents": sorted(
            {line for e in OPPONENTS for line in requirements(e).read_text().splitlines()[1:]}
        ),
        "versions": {n: version(n) for n in ("scikit-optimize", "scikit-learn", "numpy", "scipy")},
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    (HERE / "results").mkdir(exist_ok=True)
    text = json.dumps(record, indent=2) + "\n"
    (HERE / "results" / "bayesian.json").write_text(text, encoding="utf-8")
    draw(regrets, names, HERE / "results" / "bayesian.png")
    return 0 if all(claims.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
