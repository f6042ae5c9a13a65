"""What trials of one configuration tell of chance, and which trials are worth another one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

from nettuner.models.study import Trial
from nettuner.tasks.strategies.bayesian.coordinates import identity

# Number of best trials of which one may be repeated, and of which one may be the winner.
PLAUSIBLE = 5


def plausible(history: Sequence[Trial]) -> list[Trial]:
    """The few trials with the best scores, the best first."""
    scored = [trial for trial in history if trial.succeeded]
    return sorted(scored, key=lambda trial: (trial.score or 0.0, trial.number))[:PLAUSIBLE]


def is_noisy(history: Sequence[Trial]) -> bool:
    """Whether scores are known to vary by chance."""
    spread = any(trial.succeeded and trial.standard_error for trial in history)
    return spread or any(min(scores) < max(scores) for scores in _repeated(history))


def is_exact(history: Sequence[Trial]) -> bool:
    """Whether a configuration has had the same score twice, and none two."""
    found = _repeated(history)
    return bool(found) and all(min(scores) == max(scores) for scores in found)


def _repeated(history: Sequence[Trial]) -> list[list[float]]:
    """The scores of each configuration that succeeded more than once."""
    found: dict[Hashable, list[float]] = defaultdict(list)
    for trial in history:
        if trial.score is not None:
            found[identity(trial.proposal.params)].append(trial.score)
    return [scores for scores in found.values() if len(scores) > 1]
