"""Which rows are trained on, which the search is judged on, and which only the winner sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nettuner.models.arrays import Ints


@dataclass(frozen=True, eq=False)
class Rows:
    """Row numbers of each split: disjoint, ascending, together all rows."""

    train: Ints
    validation: Ints
    test: Ints


def split(
    count: int, validation: float, test: float, seed: int, classes: Ints | None = None
) -> Rows:
    """Divide `count` rows at random.

    Args:
        count: Rows there are.
        validation, test: Shares of all rows; a share of 0 takes none.
        seed: The same seed divides the same number of rows (of the same classes) the same way.
        classes: Shape [count]; every split gets its share of each class, and at least one row
            of it where it has enough.

    Raises:
        ValueError: A split would be empty.
    """
    groups = np.zeros(count, dtype=np.int64) if classes is None else classes
    sizes = np.unique(groups, return_counts=True)[1]
    reserved = 2 if test and validation else 1  # every class keeps a row for each other split
    tested = _portions(sizes, test, sizes - reserved)
    validated = _portions(sizes, validation, sizes - tested - 1)
    _check_none_empty(count, validation, test, int(validated.sum()), int(tested.sum()))
    order = np.random.default_rng(seed).permutation(count)
    order = order[np.argsort(groups[order], kind="stable")]
    parts: tuple[list[Ints], list[Ints], list[Ints]] = ([], [], [])
    ends = np.cumsum(sizes)
    for start, end, a, b in zip(ends - sizes, ends, tested, tested + validated, strict=True):
        for part, rows in zip(parts, np.split(order[start:end], [a, b]), strict=True):
            part.append(rows)
    held_out, judged, rest = (np.sort(np.concatenate(part)) for part in parts)
    return Rows(rest, judged, held_out)


def _portions(sizes: Ints, share: float, most: Ints) -> Ints:
    """How many rows of each class, summing to the share of all rows as far as `most` allows.

    Every class gives at least one row; of equal fractions, the first class is rounded up.
    """
    if share == 0 or not len(sizes):
        return np.zeros_like(sizes)
    exact = sizes * share
    most = np.maximum(most, 0)
    counts: Ints = np.minimum(np.maximum(np.floor(exact).astype(np.int64), 1), most)
    short = round(float(sizes.sum()) * share) - int(counts.sum())
    while short > 0 and (counts < most).any():
        neediest = [i for i in np.argsort(counts - exact, kind="stable") if counts[i] < most[i]]
        counts[neediest[:short]] += 1
        short -= len(neediest[:short])
    return counts


def _check_none_empty(
    count: int, validation: float, test: float, validated: int, tested: int
) -> None:
    trained = count - validated - tested
    if trained > 0 and (validated > 0 or validation == 0) and (tested > 0 or test == 0):
        return
    raise ValueError(
        f"every split needs a row, got {trained} to train, {validated} to validate and {tested} "
        f"to test from {count} rows with validation={validation:g} and test={test:g}; "
        "give more rows or other shares"
    )
