"""Cross-validation: training and validation rows divided anew, test rows untouched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from nettuner.models.arrays import Ints
from nettuner.models.data.split import Rows


@dataclass(frozen=True)
class Fold:
    """One way to divide: a fold is validated on, the others are trained on.

    Args:
        number: Number from 0: the fold, and after all folds of one division those of the next.
        count: Folds of a division.
    """

    number: int
    count: int

    def of(
        self, rows: Rows, seed: int, classes: Ints | None = None, groups: Ints | None = None
    ) -> Rows:
        """The rows of each split, of which the test rows stay as they are.

        Folds differ by a row at most, as do the shares of a class in them. Where groups go
        together, folds are as even as these allow.

        Args:
            rows: Rows of each split as they are without folds.
            seed: Seed that draws the folds.
            classes: Shape [all rows]: class of each row; None where there are none.
            groups: Shape [all rows]: group of each row; None where there are none.

        Raises:
            ValueError: There are fewer rows, or groups, than folds.
        """
        pool = np.union1d(rows.train, rows.validation)
        division, fold = divmod(self.number, self.count)
        # Other numbers than those that drew the test rows.
        rng = np.random.default_rng([seed, 1 + division])
        if groups is None:
            place = self._dealt(None if classes is None else classes[pool], len(pool), rng)
        else:
            place = self._dealt_groups(groups[pool], rng)
        return Rows(pool[place != fold], pool[place == fold], rows.test)

    def _dealt(self, classes: Ints | None, count: int, rng: Generator) -> Ints:
        """The fold of each row: dealt out in turn, class after class."""
        self._check(count, "training and validation rows")
        order = rng.permutation(count)
        if classes is not None:
            order = order[np.argsort(classes[order], kind="stable")]
        place = np.empty(count, dtype=np.int64)
        place[order] = np.arange(count) % self.count
        return place

    def _dealt_groups(self, groups: Ints, rng: Generator) -> Ints:
        """The fold of each row: the largest groups first, each to the fold with fewest rows."""
        found, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        self._check(len(found), "groups of training and validation rows")
        order = rng.permutation(len(found))
        place = np.empty(len(found), dtype=np.int64)
        held = np.zeros(self.count, dtype=np.int64)
        for group in order[np.argsort(-sizes[order], kind="stable")].tolist():
            place[group] = fold = int(np.argmin(held))
            held[fold] += sizes[group]
        of_rows: Ints = place[group_of]
        return of_rows

    def _check(self, found: int, what: str) -> None:
        if found < self.count:
            raise ValueError(
                f"every fold needs a share of the {what}, got {found} for {self.count} folds; "
                "give fewer folds"
            )
