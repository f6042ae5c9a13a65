"""What a search found, how sure that is and what to try next, in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from nettuner.models.study import best
from nettuner.tasks.report.html import held_out
from nettuner.tasks.report.html.edges import Edge, edges
from nettuner.tasks.report.html.failures import Region, reasons, regions
from nettuner.tasks.report.html.importance import SHOWN, Importance, importance
from nettuner.tasks.report.html.luck import Noise, RandomOrder, as_good, noise, random_order
from nettuner.tasks.report.html.searched import STOPPED, Searched
from nettuner.tasks.report.html.surrogate import Surrogate, fit
from nettuner.tasks.report.html.words import clock, counted, listed, share, short
from nettuner.tasks.report.html.worth import Next, next_trial

# Less of the variance than this, even at the upper end of its interval, is no influence.
NO_INFLUENCE = 0.05
# The model is not asked for advice where it explains less of trials that it has not seen.
EXPLAINED = 0.3
# A gain of less than this share of what the search has gained is not worth a trial.
LITTLE = 0.01
# A gap to other rows beyond so many standard deviations is more than chance.
CLEAR = 2.0
MOST_NAMED = 8


@dataclass(frozen=True)
class Findings:
    """Everything that is computed of a search, each part once.

    Args:
        search: Search that is reported.
    """

    search: Searched

    @cached_property
    def model(self) -> Surrogate | None:
        """The model of the scores; None of a population, whose hyperparameters change."""
        if self.search.is_population:
            return None
        return fit(self.search.space, self.search.scored)

    @cached_property
    def importance(self) -> Importance | None:
        """The importance of the hyperparameters."""
        return importance(self.model) if self.model else None

    @cached_property
    def noise(self) -> Noise | None:
        """How much scores vary by chance."""
        return noise(self.search, self.model)

    @cached_property
    def next(self) -> Next | None:
        """What is expected of the next trial."""
        model = self.trusted
        return next_trial(model, self.search.scored) if model else None

    @cached_property
    def edges(self) -> list[Edge]:
        """Ends of ranges that the best trials crowd at."""
        return edges(self.search.space, self.search.scored)

    @cached_property
    def regions(self) -> list[Region]:
        """Where nearly all trials failed."""
        return regions(self.search.space, self.search.trials)

    @cached_property
    def luck(self) -> RandomOrder | None:
        """The best of k trials in random order; None of a population, and without scores."""
        if not self.search.scored or self.search.is_population:
            return None
        return random_order(
            [math.inf if not t.succeeded else t.score or 0.0 for t in self.search.trials]
        )

    @property
    def trusted(self) -> Surrogate | None:
        """The model where it predicts trials that it has not seen."""
        model = self.model
        return model if model is not None and model.explained >= EXPLAINED else None

    @property
    def shown(self) -> list[str]:
        """The hyperparameters that charts show, the most important first; few of many."""
        if self.importance is not None:
            return list(self.importance.total)[:SHOWN]
        varied = [n for n in self.search.space.names() if self._varies(n)]
        return varied[:SHOWN]

    def _varies(self, name: str) -> bool:
        values = {repr(trial.proposal.params.get(name)) for trial in self.search.trials}
        return len(values) > 1

    def found(self) -> list[str]:
        """What was found."""
        search, winner = self.search, self.search.winner
        failed = len(search.failed)
        what = "segment" if search.is_population else "trial"
        many = counted(len(search.trials), what)
        if winner is None:
            return [f"Nothing was found: none of {many} has a score."]
        goal = search.goal
        told = [
            f"{what.capitalize()} {winner.number} won, with a {goal.metric} of "
            f"{goal.shown(winner)}, after {many}, {failed or 'none'} of which failed."
        ]
        if search.past.test:
            metrics = [f"{name} {value:.6g}" for name, value in search.past.test.items()]
            told.append(f"On the test rows, which chose nothing, it has {listed(metrics)}.")
        return [*told, *self._lucky()]

    def _lucky(self) -> Iterator[str]:
        """Why another trial than that with the best score is the winner."""
        search, winner, top = self.search, self.search.winner, best(self.search.scored)
        if winner is None or top is None or top.number == winner.number or search.past.finals:
            return
        yield (
            f"Trial {top.number} had {search.goal.shown(top)}, but trials vary by chance, and "
            f"more is expected of trial {winner.number}."
        )

    def sure(self) -> list[str]:
        """How sure that is."""
        if self.search.winner is None:
            return []
        return [*self._chance(), *self._order(), *self._posterior(), *self._other_rows()]

    def _chance(self) -> Iterator[str]:
        search, found = self.search, self.noise
        top = best(search.scored)
        if found is None or top is None or top.score is None:
            yield "How much chance there is in a score is not known: nothing was trained twice."
            return
        yield (
            f"By chance alone the {search.goal.metric} of a configuration varies by about "
            f"{found.deviation:.2g} (standard deviation; known from {found.source})."
        )
        if search.is_population or (search.past.finals and found.source == "the finals"):
            return
        equal = as_good(search.scored, top.score, found.deviation) - 1
        if equal:
            yield (
                f"{counted(equal, 'more trial is', 'more trials are')} no further than that from "
                "the best: which of them is best is partly luck. `finals: 3` in the study trains "
                "the best three again and lets the mean decide."
            )
        else:
            yield "No other trial is that close to the best."

    def _order(self) -> Iterator[str]:
        found, goal = self.luck, self.search.goal
        if found is None or len(self.search.trials) < 8:
            return
        half = int(abs(found.counts - len(self.search.trials) / 2).argmin())
        if found.middle[half] == found.middle[-1]:
            return
        at = f"{goal.value(float(found.middle[half])):.4g}"
        yield (
            f"The best of any {found.counts[half]} of these trials has a {goal.metric} of {at} in "
            "the middle case: the rest is owed to the number of trials."
        )

    def _posterior(self) -> Iterator[str]:
        model, winner, goal = self.model, self.search.winner, self.search.goal
        if model is None or winner is None:
            return
        if self.next is None:
            yield (
                f"The model of the scores predicts only {share(max(model.explained, 0))} of how "
                "trials differ that it has not seen: take what is said of influence below as a "
                "guess. More trials would tell more."
            )
            return
        likely = f"{goal.value(self.next.expected):.4g}"
        if self.next.best == winner.number:
            yield f"The model of all trials, too, expects most of this one: {likely}."
        else:
            yield (
                f"The model of all trials expects most of trial {self.next.best}: {likely}; the "
                f"winner may owe part of its {goal.metric} to luck."
            )

    def _other_rows(self) -> Iterator[str]:
        goal = self.search.goal
        deviation = self.noise.deviation if self.noise else None
        finals = held_out.in_finals(self.search)
        if finals is not None:
            worse = finals.worse(goal.direction)
            how = f"worse by {worse:.2g}" if worse > 0 else "no worse"
            yield (
                f"In the finals its mean {goal.metric} was {finals.other:.4g}, {how} than the "
                f"{finals.chosen_by:.4g} that brought it there: what was luck is not repeated."
            )
        test = held_out.on_test(self.search)
        if test is None:
            return
        worse = test.worse(goal.direction)
        beside = f"{test.name} {test.other:.4g} beside {goal.metric} {test.chosen_by:.4g}"
        if worse <= 0:
            yield f"The test rows do not show overfitting of the validation rows: {beside}."
        elif deviation is None:
            yield f"On the test rows it is worse by {worse:.2g} ({beside})."
        elif worse > CLEAR * deviation:
            yield (
                f"On the test rows it is worse by {worse:.2g} ({beside}), more than chance in "
                "training explains: the search has overfitted the validation rows, or these are "
                "too few. More of them, or `folds`, would help."
            )
        else:
            yield f"On the test rows it is worse by {worse:.2g} ({beside}): that may be chance."

    def advice(self) -> list[str]:
        """What to try next."""
        told = [
            *self._mend(),
            *map(self._beyond, self.edges),
            *(f"{told} Leave these values out." for told in self.where_failed()),
            *self._without_influence(),
            *self._more_trials(),
            *self._stopped(),
        ]
        return told or ["Nothing stands out: neither ends of ranges nor failures."]

    def _mend(self) -> Iterator[str]:
        """Why nothing was found."""
        if self.search.failed and not self.search.scored:
            (reason, numbers), *_ = reasons(self.search.failed)
            yield (
                f"{counted(len(numbers), 'trial')} of {len(self.search.failed)} failed for this "
                f"reason, which comes first: {reason}"
            )

    def _beyond(self, edge: Edge) -> str:
        end, way = ("upper", "raise") if edge.upper else ("lower", "lower")
        return (
            f"{edge.there} of the best {edge.among} trials lie at the {end} end of {edge.name}: "
            f"{way} its {'high' if edge.upper else 'low'} of {short(edge.limit)} if it may be."
        )

    def where_failed(self) -> list[str]:
        """Where in the space nearly all trials failed."""
        words = {"above": "of at least ", "below": "of at most ", "at": "of "}
        return [
            f"{'All' if one.failed == one.tried else f'{one.failed} of'} "
            f"{counted(one.tried, 'trial')} with {one.name} {words[one.relation]}"
            f"{short(one.value)} failed."
            for one in self.regions
        ]

    def _without_influence(self) -> Iterator[str]:
        if self.importance is None or self.trusted is None:
            return
        total = self.importance.total
        idle = [name for name, part in total.items() if part.high < NO_INFLUENCE]
        if not idle or len(idle) == len(total):
            return
        more = f" and {len(idle) - MOST_NAMED} more" if len(idle) > MOST_NAMED else ""
        names = listed(idle) if not more else ", ".join(idle[:MOST_NAMED]) + more
        yield (
            f"{names} changed little (below {share(NO_INFLUENCE)} of how scores differ"
            f"{' each' if len(idle) > 1 else ''}): fix {'them' if len(idle) > 1 else 'it'} and "
            "search the others more closely."
        )

    def _more_trials(self) -> Iterator[str]:
        expected, trials = self.next, self.search.scored
        if expected is None:
            return
        seconds = sorted(trial.seconds for trial in trials)[len(trials) // 2]
        cost = f" for about {clock(seconds)} of training" if seconds > 0 else ""
        told = (
            f"Of one more trial the model expects an improvement of {expected.gain:.2g}{cost} "
            f"(a better one than now with a probability of {share(expected.chance)})"
        )
        if expected.share < LITTLE:
            yield f"{told}: more trials in this space bring little."
        else:
            yield f"{told}: more trials are worth it."

    def _stopped(self) -> Iterator[str]:
        stopped = sum(self.search.fate(trial) == STOPPED for trial in self.search.trials)
        if stopped:
            yield (
                f"{counted(stopped, 'trial was', 'trials were')} stopped early and judged by "
                "less training than the others had; what is said of influence takes their scores "
                "as they are."
            )
