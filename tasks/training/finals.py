"""Finals: the best few of a search are trained again with several other seeds.

A search picks the best of many noisy scores, so its winner is partly luck, and in about a tenth of
cases even worse than the default ("overtuning", Schneider, Bischl and Feurer 2025,
arXiv:2506.19540). The mean over several seeds is a fairer comparison.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from nettuner.models.space import Space
from nettuner.models.spread import mean
from nettuner.models.study import Proposal, Study, Trial, best
from nettuner.tasks.strategies import Asks, Continues, Counts
from nettuner.tasks.strategies.population.lineage import Phase, schedule
from nettuner.tasks.training.trainings import averaged, without_deviations

Schedule = tuple[Phase, ...]


@dataclass(frozen=True)
class Finals:
    """A strategy that trains each schedule with several seeds, from scratch.

    Args:
        schedules: Schedules of the finalists, best of the search first.
        seeds: Number of seeds for each.
    """

    schedules: tuple[Schedule, ...]
    seeds: int
    continues: ClassVar[Continues] = "others"
    counts: ClassVar[Counts] = "networks"
    at_end: ClassVar[str] = "all finalists were trained"
    asks: ClassVar[Asks] = "ahead"
    rule: ClassVar[None] = None

    def fewest_rounds(self, networks: int, rounds: int) -> int:
        """All are trained in full."""
        return networks * rounds

    @classmethod
    def for_study(cls, study: Study, structural: Collection[str] = ()) -> Finals:
        """A study cannot name this strategy."""
        raise NotImplementedError

    def size(self, space: Space) -> int:
        """Number of phases of all finalists, times the seeds."""
        return len(self._asked())

    def _asked(self) -> list[Proposal]:
        asked: list[Proposal] = []
        for place, phases in enumerate(self.schedules):
            for seed in range(self.seeds):
                parent = None
                for phase in phases:
                    number = len(asked)
                    member = place * self.seeds + seed
                    asked.append(Proposal(number, phase.params, parent, member, phase.until))
                    parent = number
        return asked

    def propose(
        self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal], count: int
    ) -> list[Proposal]:
        """The phases not proposed yet whose predecessor, if any, has succeeded."""
        done = {trial.number for trial in history if trial.succeeded}
        known = {trial.number for trial in history} | {proposal.number for proposal in pending}
        return [
            proposal
            for proposal in self._asked()
            if proposal.number not in known and (proposal.parent is None or proposal.parent in done)
        ][:count]

    def needed(self, history: Sequence[Trial], pending: Sequence[Proposal]) -> set[int]:
        """All trials that no later phase continued from: any of them may be the winner."""
        continued = {trial.proposal.parent for trial in history}
        return {trial.number for trial in history} - continued

    def winner(self, space: Space, history: Sequence[Trial]) -> Trial | None:
        """The training with the best score; the finalists are `ranked`."""
        return best(history)

    def ranked(self, history: Sequence[Trial]) -> list[tuple[int, list[Trial]]]:
        """Places of the finalists, those with the best mean over their seeds first.

        With each come its trainings that succeeded. Finalists that failed with some seed rank
        after those that never did; those that failed with all are left out.
        """
        ends = [
            (place, [trial for trial in history if trial.number in numbers and trial.succeeded])
            for place, numbers in enumerate(self._ends())
        ]
        return sorted(((p, group) for p, group in ends if group), key=lambda of: self._rank(of[1]))

    def _ends(self) -> list[set[int]]:
        """Numbers of the last phases of each finalist."""
        asked = self._asked()
        continued = {proposal.parent for proposal in asked}
        return [
            {p.number for p in asked if (p.member or 0) // self.seeds == place} - continued
            for place in range(len(self.schedules))
        ]

    def _rank(self, group: list[Trial]) -> tuple[int, float]:
        return self.seeds - len(group), mean(scores_of(group))


def scores_of(trials: Sequence[Trial]) -> tuple[float, ...]:
    """The scores of trials that succeeded."""
    return tuple(trial.score for trial in trials if trial.score is not None)


@dataclass(frozen=True)
class Finalist:
    """One of the best few of a search.

    Args:
        trial: Trial of the search.
        phases: Schedule that it was trained on.
    """

    trial: Trial
    phases: Schedule

    def after(self, trained: Sequence[Trial]) -> Trial:
        """The trial with what came of it in the finals.

        Its score is the mean over the seeds, its checkpoint that of the best training.

        Args:
            trained: Its trainings in the finals that succeeded.
        """
        best = min(trained, key=lambda trial: (trial.score, trial.number))
        scores = scores_of(trained)
        # With folds each has deviations of its own; what counts is how far the seeds differ.
        means = [without_deviations(t.metrics) if t.scores else t.metrics for t in trained]
        several = {"scores": scores, "metrics": averaged(means)}
        single = {"scores": (), "metrics": best.metrics}
        return replace(
            self.trial,
            score=mean(scores),
            seconds=sum(trial.seconds for trial in trained),
            rounds=sum(trial.rounds for trial in trained),
            checkpoint=best.checkpoint,
            training=best.training,
            ended=max(trial.ended for trial in trained),
            **(several if len(trained) > 1 else single),
        )


def _to_the_end(phases: Schedule, rounds: int) -> Schedule:
    """A schedule whose last phase lasts as long as a whole training."""
    return (*phases[:-1], replace(phases[-1], until=rounds))


def finalists(study: Study, history: Sequence[Trial], count: int) -> list[Finalist]:
    """The best few trials of a search whose schedules are distinct.

    Args:
        study: Study that was searched.
        history: Trials of the search; of a population, its segments.
        count: Number of finalists wanted.
    """
    succeeded = [trial for trial in history if trial.succeeded]
    in_full = [t for t in succeeded if t.proposal.until in (None, study.rounds) and not t.stopped]
    # A search that was ended early may have trained none in full.
    whole = in_full or succeeded
    found: dict[str, Finalist] = {}
    for trial in sorted(whole, key=lambda trial: (trial.score, trial.number)):
        if trial.proposal.member is None:
            phases: Schedule = (Phase(0, study.rounds, dict(trial.proposal.params)),)
        else:
            phases = _to_the_end(tuple(schedule(history, trial)), study.rounds)
        found.setdefault(repr(phases), Finalist(trial, phases))
    return list(found.values())[:count]
