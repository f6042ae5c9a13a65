"""The charts of one search in the order in which they are read, with what they show in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nettuner.models.answers import Classes
from nettuner.tasks.report.html.best_so_far import best_so_far
from nettuner.tasks.report.html.charts import Chart
from nettuner.tasks.report.html.contours import contours
from nettuner.tasks.report.html.family_tree import family_tree
from nettuner.tasks.report.html.findings import Findings
from nettuner.tasks.report.html.held_out_chart import held_out_chart, wrong
from nettuner.tasks.report.html.importance import SHOWN
from nettuner.tasks.report.html.importance_chart import importance_chart, pairs_chart
from nettuner.tasks.report.html.learning_curves import learning_curves
from nettuner.tasks.report.html.luck import INSIDE
from nettuner.tasks.report.html.parallel import parallel
from nettuner.tasks.report.html.searched import FAILED, STOPPED
from nettuner.tasks.report.html.slices import slices
from nettuner.tasks.report.html.timeline import spent, timeline
from nettuner.tasks.report.html.trial_columns import Dots
from nettuner.tasks.report.html.words import clock, share

# Beginnings of symbols that only trials with such an end have.
FATES = {"failed": FAILED, "stopped": STOPPED}


@dataclass(frozen=True)
class Section:
    """Charts that belong together.

    Args:
        title: Heading.
        text: What they show.
        charts: Charts by their captions.
        keys: Names of the symbols that they use; see the page's template.
        wide: Whether they need room for all their columns.
    """

    title: str
    text: str
    charts: Mapping[str, Chart]
    keys: tuple[str, ...] = ()
    wide: bool = False


def sections(findings: Findings) -> Iterator[Section]:
    """The sections of a search; those that it has nothing for are left out."""
    if not findings.search.trials:
        return
    for section in _all(findings):
        yield replace(section, keys=tuple(_needed(findings, section.keys)))


def _needed(findings: Findings, keys: Sequence[str]) -> Iterator[str]:
    """The symbols that stand for something in this search."""
    fates = {findings.search.fate(trial) for trial in findings.search.trials}
    for key in keys:
        fate = next((fate for word, fate in FATES.items() if key.startswith(word)), None)
        if fate is None or fate in fates:
            yield key


def _all(findings: Findings) -> Iterator[Section]:
    dots = Dots(findings.search, findings.shown)
    yield _best(findings)
    yield from _curves(findings)
    yield from _held_out(findings)
    yield from _slices(findings, dots)
    yield from _importance(findings)
    yield from _pairs(findings, dots)
    yield from _parallel(findings)
    yield from _timeline(findings)
    yield from _family(findings)


def _best(findings: Findings) -> Section:
    text = "The best metric so far."
    keys = ["step", "top", "trial"]
    if findings.noise is not None:
        text += " The pale band is one standard deviation of chance in a single score."
        keys.append("noise")
    if findings.luck is not None:
        text += (
            " The hatched band is luck: the best of as many of these trials in random order, in "
            f"{share(INSIDE)} of the orders. A search that learns leaves it early on the good side."
        )
        keys.append("luck")
    return Section("Best so far", text, best_so_far(findings), tuple(keys))


def _curves(findings: Findings) -> Iterator[Section]:
    found = learning_curves(findings.search)
    if found is not None:
        text = "The metric of every trial while it was trained."
        keys = ("bold", "curve", "stopped", "failed-curve")
        yield Section("Learning curves", text, {"": found}, keys)


def _held_out(findings: Findings) -> Iterator[Section]:
    given = findings.search.answered
    if given is None:
        return
    if isinstance(given, Classes):
        rows = sum(map(sum, given.counts))
        right = sum(line[k] for k, line in enumerate(given.counts))
        text = (
            f"The winner on the {rows} test rows, which nothing else has seen: {right} right. Each "
            "line is a class, and the brighter a cell, the more of it were answered so."
        )
        mistake = wrong(given)
        if mistake is not None:
            true, answer, count = mistake
            text += f" The commonest mistake: {true} taken for {answer}, {count} times."
    else:
        text = (
            f"The winner on test rows, which nothing else has seen ({len(given.true)} of them are "
            "drawn): on the dashed line answers are right."
        )
    yield Section("Answers to the test rows", text, {"": held_out_chart(given)})


def _slices(findings: Findings, dots: Dots) -> Iterator[Section]:
    found = slices(findings, dots)
    if not found:
        return
    text = (
        "Each hyperparameter by itself; the scale is that of its distribution. The bars are the "
        "best of each part of the range, over all values of the others: where they are level, the "
        "value does not matter once the others are right."
    )
    keys = ["trial", "winner", "failed", "best"]
    if findings.importance is not None:
        text += (
            " The dashed line is what the model expects on average over the others, with a band "
            "that holds nine of ten possibilities."
        )
        keys.append("model")
    if len(findings.search.space) > SHOWN and len(found) == SHOWN:
        text += f" The {SHOWN} most important of {len(findings.search.space)} are shown."
    yield Section("One hyperparameter at a time", text, found, tuple(keys))


def _importance(findings: Findings) -> Iterator[Section]:
    found = findings.importance
    if found is None or findings.model is None:
        return
    text = (
        "How much of the differences between scores each hyperparameter explains (functional "
        "ANOVA of the model): the pale bar with all that it takes part in, the dark one alone, and "
        "the line an interval that holds nine of ten possibilities. The model predicts "
        f"{share(max(findings.model.explained, 0))} of the differences between trials that it has "
        "not seen."
    )
    charts = {"Hyperparameters": importance_chart(found)}
    pairs = pairs_chart(found)
    if pairs is not None:
        charts["Pairs, beyond what each has alone"] = pairs
    yield Section("Importance", text, charts)


def _pairs(findings: Findings, dots: Dots) -> Iterator[Section]:
    found = contours(findings, dots)
    if found:
        text = (
            f"The {findings.search.goal.metric} that the model expects of the strongest pairs, "
            "averaged over all others; bright is better, white lines join equal values."
        )
        yield Section("Two at a time", text, found, ("dot", "winner", "failed"))


def _parallel(findings: Findings) -> Iterator[Section]:
    found = parallel(findings)
    if found is not None:
        text = (
            "Every line is a trial, from hyperparameter to hyperparameter to the metric; the three "
            "best are bold. A line below an axis belongs to a trial without that hyperparameter."
        )
        yield Section("Parallel coordinates", text, {"": found}, wide=True)


def _timeline(findings: Findings) -> Iterator[Section]:
    found, times = timeline(findings.search), spent(findings.search.past.trials)
    if found is None or times is None:
        return
    text = f"When each trial ran; the search took {clock(times.seconds)}."
    idle = 1 - times.running / times.seconds
    if idle > 0:
        text += f" For {share(idle)} of that none ran: it was starting, or thinking what to try."
    if times.rounds > 0:
        text += (
            f" {share(times.rounds / times.trials)} of the time of trials went to rounds of "
            "training, the rest to starting, loading and storing."
        )
    yield Section("Time", text, {"": found}, ("ended", "stopped-bar", "failed-bar"))


def _family(findings: Findings) -> Iterator[Section]:
    found = family_tree(findings.search)
    if found is not None:
        text = "A vertical line is a copy: a member goes on with the weights of another one."
        yield Section("Family tree", text, {"": found}, ("ancestry", "member"))
