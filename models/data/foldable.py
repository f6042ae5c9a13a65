"""Whether data can be divided into folds, found before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

from nettuner.models.arrays import Ints
from nettuner.models.data.fold import Fold
from nettuner.models.data.source import Source
from nettuner.models.data.split import Rows

WAY_OUT = "drop folds, or give repeats instead"


@dataclass(frozen=True)
class WatchedFold(Fold):
    """A fold that notes whether rows were divided by it."""

    divided: list[Rows] = field(default_factory=list, compare=False)

    def of(
        self, rows: Rows, seed: int, classes: Ints | None = None, groups: Ints | None = None
    ) -> Rows:
        """See `Fold.of`."""
        found = super().of(rows, seed, classes, groups)
        self.divided.append(found)
        return found


def check_foldable(source: Source, count: int) -> None:
    """Divide the data into folds, and read the first one.

    Args:
        source: Source; it can be loaded.
        count: Folds wanted.

    Raises:
        ValueError: There are fewer rows than folds, or the rows cannot be divided otherwise.
    """
    if source.why_no_folds is not None:
        raise ValueError(
            f"rows must be free to be trained on or validated on, got {count} folds, but "
            f"{source.why_no_folds}; {WAY_OUT}"
        )
    fold = WatchedFold(0, count)
    source.at_fold(fold).load()
    if not fold.divided:
        raise ValueError(
            f"folds need rows that are divided here, got {source.source} data that come divided; "
            f"{WAY_OUT}"
        )
