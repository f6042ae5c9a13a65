"""Part toy: what a population reaches that nobody reaches alone, and what deceives it."""

from __future__ import annotations

from typing import Any

import numpy as np
import toy
from population_bench import Bench, Part
from population_studies import toy as study

REACHED, OF_ALL, GRID = 1.19, 0.9, 0.39


def run(bench: Bench) -> Part:
    """The paper's toy in process and by whole searches; the toys of toy.py, without training."""
    seeds = list(range(bench.sizes.toy_seeds))
    job = {"what": "populations", "study": study(), "seeds": seeds}
    inside = bench.run("in_process", "toy", job)
    few = [{**study(), "seed": seed} for seed in seeds[: bench.sizes.toy_searches]]
    found = bench.run("searches", "toy", {"studies": few})
    whole = [search["val"]["val_quality"] for search in found["searches"]]
    figures = {
        "alone": inside["alone"],
        "population": inside["population"],
        "whole_searches": whole,
        "others": others(len(seeds)),
    }
    show(figures)
    enough = sum(value >= REACHED for value in inside["population"])
    same = np.allclose(whole, inside["population"][: len(whole)], atol=1e-6)
    return Part(
        figures,
        {
            f"toy: alone nobody gets above {GRID}, {max(inside['alone']):.3f}": bool(
                np.allclose(inside["alone"], GRID, atol=0.005)
            ),
            f"toy: {enough} of {len(seeds)} seeds reach {REACHED}, at least {OF_ALL:.0%}": (
                enough >= OF_ALL * len(seeds)
            ),
            f"toy: {len(whole)} whole searches reach {REACHED}, {min(whole):.4f}": (
                min(whole) >= REACHED
            ),
            "toy: whole searches reach the same as in process": bool(same),
        },
    )


def others(seeds: int) -> dict[str, dict[str, list[float]]]:
    """What each variant reaches on the other toys, two of which deceive."""
    found: dict[str, dict[str, list[float]]] = {}
    for name, of, size in (
        ("paper, 8 members", toy.PAPER, 8),
        ("hills, 16 members", toy.HILLS, 16),
        ("noise, 16 members", toy.NOISE, 16),
    ):
        rows = {"each alone": [toy.alone(of, seed, size) for seed in range(seeds)]}
        for variant, settings in toy.VARIANTS.items():
            rows[variant] = [
                toy.reached(toy.ours(of, seed, size, **settings)) for seed in range(seeds)
            ]
        found[name] = rows
    return found


def show(figures: dict[str, Any]) -> None:
    """Print worst, median and best of the seeds."""
    print(f"\n{'toy: quality reached by seeds':<52}{'worst':>10}{'median':>10}{'best':>10}")
    rows = {
        "paper, 2 members: each alone": figures["alone"],
        "paper, 2 members: population": figures["population"],
        "paper, 2 members: population, whole searches": figures["whole_searches"],
    }
    for name, variants in figures["others"].items():
        rows |= {f"{name}: {variant}": values for variant, values in variants.items()}
    for label, values in rows.items():
        print(f"  {label:<50}" + "".join(f"{x:>10.4f}" for x in np.quantile(values, [0, 0.5, 1])))
