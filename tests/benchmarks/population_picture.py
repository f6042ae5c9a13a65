"""The picture of the population benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def draw(parts: dict[str, Any], file: Path) -> None:
    """Configurations per minute, and quality against seconds; what was not run is left out."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = [(part, draws) for part, draws in PANELS.items() if part in parts]
    if not panels:
        return
    figure, axes = pyplot.subplots(1, len(panels), figsize=(5.5 * len(panels), 4.2), squeeze=False)
    for axis, (part, draws) in zip(axes[0], panels, strict=True):
        draws(axis, parts[part]["figures"])
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def stacks(axis: Any, figures: dict[str, Any]) -> None:
    """Configurations per minute of each system, by workload."""
    systems = list(next(iter(figures.values()))["systems"])
    places = np.arange(len(figures))
    for k, system in enumerate(systems):
        rates = [workload["systems"][system]["per_minute"] for workload in figures.values()]
        shade = {"color": "black"} if system == "nettuner" else {}
        axis.bar(places + 0.16 * k - 0.32, rates, 0.15, label=system, **shade)
    axis.set(title="random search, two cores", ylabel="configurations per minute", yscale="log")
    axis.set_xticks(places, list(figures))
    axis.legend(frameon=False, fontsize=8)


def ray(axis: Any, figures: dict[str, Any]) -> None:
    """Loss of the best member against the time of the whole."""
    for system, row in figures["systems"].items():
        own = {"color": "black"} if system == "nettuner" else {}
        mean, error = row["val_loss"]
        axis.errorbar(row["seconds_with_start"], mean, error, fmt="o", label=system, **own)
    axis.set(title="population based training", xlabel="seconds, start included", ylabel="val_loss")
    axis.set_xlim(left=0)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=8)


def tasks(axis: Any, figures: dict[str, Any]) -> None:
    """What a population reaches, as a share of what a random search does."""
    found = {name: figure for name, figure in figures.items() if figure}
    places = np.arange(len(found))
    for shift, split in ((-0.2, "val"), (0.2, "test")):
        shares = [f["population"][split][0] / f["random search"][split][0] for f in found.values()]
        axis.bar(places + shift, shares, 0.38, label=split)
    axis.axhline(1, color="black", lw=1)
    axis.set(title="population / random search, less is better", ylabel="ratio of the metric")
    axis.set_xticks(places, [name.replace(", ", "\n") for name in found])
    axis.legend(frameon=False, fontsize=8)


PANELS = {"stacks": stacks, "ray": ray, "tasks": tasks}
