"""Splits of which no group is in two: all rows of a customer, a patient, a speaker go together."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from nettuner.models.arrays import Ints
from nettuner.models.data.split import Rows

ORDERS = 20


def split_by_group(
    groups: Ints, validation: float, test: float, seed: int, classes: Ints | None = None
) -> Rows:
    """Divide rows at random, groups undivided.

    Groups are met in random order and go to the test as long as each brings its number of rows
    nearer to its share, then to validation in the same way; the others are trained on. Of 20 orders
    that one is taken which leaves out the fewest classes anywhere, and whose splits are nearest to
    the shares of each class (Pearson's chi-squared).

    Args:
        groups: Shape [rows]: the group of each row, from 0, every number in use.
        validation, test: Shares of all rows; a share of 0 takes none.
        seed: The same seed divides the same groups the same way.
        classes: Shape [rows]: class of each row, from 0; None where there are none.

    Raises:
        ValueError: There are fewer groups than splits.
    """
    shares = {"test": test, "validation": validation}
    wanted = 1 + sum(share > 0 for share in shares.values())
    found = int(groups.max()) + 1 if len(groups) else 0
    if found < wanted:
        raise ValueError(
            f"every split needs a group of its own, got {found} for {wanted} splits; "
            "give more groups, or split by rows"
        )
    labels = np.zeros_like(groups) if classes is None else classes
    counts = np.zeros((found, int(labels.max()) + 1), dtype=np.int64)
    np.add.at(counts, (groups, labels), 1)
    rng = np.random.default_rng(seed)
    divided = [_divided(counts.sum(1), validation, test, rng) for _ in range(ORDERS)]
    place = min(divided, key=lambda place: _distance(counts, place, validation, test))
    train, judged, held_out = (np.flatnonzero(place[groups] == part) for part in range(3))
    return Rows(train, judged, held_out)


def _divided(sizes: Ints, validation: float, test: float, rng: Generator) -> Ints:
    """The split of each group (0 training, 1 validation, 2 test), met in random order."""
    place = np.zeros(len(sizes), dtype=np.int64)
    order = rng.permutation(len(sizes)).tolist()
    for part, share, left in ((2, test, 1 + (validation > 0)), (1, validation, 1)):
        if share > 0:  # and the splits that come after this one need a group each
            taken = _taken(sizes, order, share * int(sizes.sum()), len(order) - left)
            place[taken] = part
            chosen = set(taken)
            order = [group for group in order if group not in chosen]
    return place


def _taken(sizes: Ints, order: list[int], rows: float, most: int) -> list[int]:
    """The groups that together come near to a number of rows: one at least, and `most` at most."""
    taken: list[int] = []
    missing = rows
    for group in order:
        if missing <= 0 or len(taken) == most:
            break
        if sizes[group] < 2 * missing:  # it brings the sum nearer
            taken.append(group)
            missing -= int(sizes[group])
    return taken or [min(order, key=lambda group: int(sizes[group]))]


def _distance(counts: Ints, place: Ints, validation: float, test: float) -> tuple[int, float]:
    """Classes that a split lacks, and how far the splits are from their shares of each class."""
    lacking, distance = 0, 0.0
    totals = counts.sum(0)
    for part, share in enumerate((1 - validation - test, validation, test)):
        if share > 0:
            held = counts[place == part].sum(0)
            lacking += int((held == 0).sum())
            distance += float(((held - share * totals) ** 2 / (share * totals)).sum())
    return lacking, distance
