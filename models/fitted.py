"""What a study turns out to be once its learner and data are loaded, or why they do not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nettuner.models.data.profile import Profile
from nettuner.models.study import Goal

Kind = Literal["learner", "loop", "function"]
"""What a study trains: a learner, a function with a context, whose training can be continued, or
one without."""


@dataclass(frozen=True)
class Fitted:
    """What a study turns out to be once its learner and data are loaded.

    Args:
        goal: Metric and direction.
        structural: Hyperparameters that fix tensor shapes or code paths.
        fingerprint: Fingerprint of the data; empty where a function brings its own.
        data_name: Name of the data, as shown to people.
        profile: What was understood of the data; None where a function brings its own.
        kind: What is trained.
        held: Whether all that is trained and validated on is in memory, as stacks need it.
        backends: Kinds of accelerators that the installed torch was built for: cuda, mps.
    """

    goal: Goal
    structural: frozenset[str]
    fingerprint: str
    data_name: str
    profile: Profile | None = None
    kind: Kind = "learner"
    held: bool = True
    backends: frozenset[str] = frozenset()


class MisfitError(ValueError):
    """Parts of a study do not fit together: one (key, message) for each fault."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{key}: {message}" for key, message in faults))
        self.faults = faults
