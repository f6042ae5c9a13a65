"""Settings of the Bayesian search chosen by leaving out one family of problems at a time.

Run: python tests/benchmarks/choose.py [--seeds N] [--families a,b]    (hours for all of it)

For each family: the setting that the other families would choose, and what it scores on the one
left out. `make bench-bayesian` reports a family by that setting, so that no figure is of problems
that its settings were chosen on. Runs are kept, as there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import families
from contest import OURS, Contest, Job, in_turn
from part import Part, complete
from problem import JUDGED_AFTER
from regrets import Regrets, over_families
from variants import CHOICES

FILE = Path(__file__).parent / "results" / "bayesian-choice.json"
SETTINGS = (OURS, *CHOICES)

Scores = Mapping[str, Mapping[str, float]]


def chosen_without(scores: Scores, family: str) -> str:
    """The setting with the least weighted mean over the other families.

    Args:
        scores: Score of each setting on each family; lower is better.
        family: Family that has no say.
    """
    return min(
        scores,
        key=lambda setting: families.mean_of(
            {name: score for name, score in scores[setting].items() if name != family}
        ),
    )


def kept() -> dict[str, str]:
    """The setting that the others chose for each family; empty if none was chosen yet."""
    if not FILE.exists():
        return {}
    found: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))["chosen"]
    return found


def jobs_of(names: Sequence[str], seeds: range) -> list[Job]:
    """Every setting on every problem, seed by seed."""
    return [
        (setting, problem, seed)
        for seed in seeds
        for problem in in_turn(names)
        for setting in SETTINGS
    ]


def show(regrets: Regrets, names: Sequence[str]) -> dict[str, str]:
    """Print the scores of all settings and what each family left out gets; answers the choices."""
    scores = {
        setting: {name: regrets.score(setting, name) for name in names} for setting in SETTINGS
    }
    width = max(map(len, names)) + 2
    print(
        f"\n{'mean of the regrets after 25 and 50':<42}" + "".join(f"{n:>{width}}" for n in names)
    )
    for setting, row in scores.items():
        what = CHOICES[setting][0] if setting in CHOICES else "as it is"
        print(f"  {what:<40}" + "".join(f"{score:>{width}.4f}" for score in row.values()))
    if len(names) < 2:
        return {}
    chosen = {name: chosen_without(scores, name) for name in names}
    print(f"\n{'left out':<16}{'the others choose':<24}{'after 25':>18}{'after 50':>18}")
    for name, setting in chosen.items():
        figures = [str(regrets.of_family(setting, name, n)) for n in JUDGED_AFTER]
        print(f"  {name:<14}{setting:<24}" + "".join(f"{figure:>18}" for figure in figures))
    for what, settings in (
        ("each without itself", chosen),
        ("as it is", dict.fromkeys(names, OURS)),
    ):
        means = [
            str(over_families({f: regrets.of_family(settings[f], f, n) for f in names}))
            for n in JUDGED_AFTER
        ]
        print(f"  {'mean':<14}{what:<24}" + "".join(f"{mean:>18}" for mean in means))
    if len(set(chosen.values())) == 1:
        print(f"all choose the same: {chosen[names[0]]}")
    return chosen


def main() -> None:
    """Run what is not kept, print, and write if it is the whole."""
    part = Part.asked(__doc__)
    names = [name for name in part.families if name in families.WEIGHTS]
    print(part)
    contest = Contest()
    jobs = jobs_of(names, part.seeds)
    if not part.only_kept:
        contest.run(jobs, part.workers)
    regrets = contest.regrets(complete(jobs, contest.has))
    chosen = show(regrets, [name for name in names if regrets.problems(name)])
    if part.is_whole:
        FILE.write_text(json.dumps({"chosen": chosen}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
