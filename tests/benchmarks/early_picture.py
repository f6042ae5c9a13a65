"""A picture of the regret against the rounds trained, one line a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from early_regrets import Runs
from workers import Run

# Okabe and Ito (2008), which the colour-blind can tell apart, with a dash each.
LINES = {
    "freeze_thaw": ("#000000", "-", "freeze_thaw"),
    "successive_halving_from_1": ("#0072B2", "-", "successive_halving"),
    "bayesian_in_full": ("#56B4E9", "--", "bayesian, in full"),
    "random_in_full": ("#999999", ":", "random, in full"),
    "TPE+HyperbandPruner": ("#D55E00", "-.", "Optuna TPE, Hyperband"),
    "TPE+MedianPruner": ("#E69F00", "--", "Optuna TPE, median"),
    "GPSampler+SuccessiveHalvingPruner": ("#CC79A7", "-.", "Optuna GP, halving"),
    "RandomSampler+SuccessiveHalvingPruner": ("#009E73", "--", "Optuna random, halving"),
}
LAST = 1000
LOWEST = 0.01


def bands(
    runs: Runs, search: str, after: Callable[[Run, int], float], rounds: np.ndarray
) -> np.ndarray | None:
    """Median over problems of the mean over seeds, with quartiles; shape [3, rounds]."""
    ran = [found[search] for found in runs.values() if found.get(search)]
    if len(ran) < len(runs):
        return None
    means = [[np.mean([after(run, int(n)) for run in each]) for n in rounds] for each in ran]
    quartiles: np.ndarray = np.quantile(np.array(means), (0.25, 0.5, 0.75), axis=0)
    return quartiles


def draw(
    runs: Runs, searches: Sequence[str], after: Callable[[Run, int], float], file: Path
) -> None:
    """Draw the searches that ran on all problems that anybody ran on."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ran = {p: found for p, found in runs.items() if any(found.get(each) for each in searches)}
    rounds = np.unique(np.geomspace(10, LAST, 80).astype(int))
    figure, axis = pyplot.subplots(figsize=(8, 4.6))
    ends: list[tuple[float, str, str]] = []
    for search in searches:
        found = bands(ran, search, after, rounds) if search in LINES else None
        if found is None:
            continue
        colour, dashes, label = LINES[search]
        low, middle, high = np.maximum(found, LOWEST)
        axis.plot(rounds, middle, dashes, color=colour, lw=2.4 if search == "freeze_thaw" else 1.6)
        axis.fill_between(rounds, low, high, color=colour, alpha=0.1, lw=0)
        ends.append((float(middle[-1]), label, colour))
    height = 0.0
    for end, label, colour in sorted(ends):  # labels that would overlap are moved up
        height = max(end, height * 1.16)
        at = (LAST * 1.05, height)
        axis.annotate(label, at, color=colour, va="center", fontsize=9, annotation_clip=False)
    axis.set(xscale="log", yscale="log", xlim=(10, LAST), xlabel="epochs trained, all together")
    axis.set_ylabel("regret: median of the problems, quartiles")
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    figure.subplots_adjust(left=0.1, right=0.76, top=0.96, bottom=0.12)
    figure.savefig(file, dpi=110)
