"""Converts a trial to MLflow tags and back, for resumes and comparisons."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from nettuner.models.curve import Point
from nettuner.models.spread import mean
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.memory.tags import PARAMS, RANKED, TRIAL

LONGEST_REASON = 500
LONGEST_TAG = 8000
LONGEST_PARAM = 6000
# What came later: a trial that does not use it is recorded as before.
UNUSED: Mapping[str, object] = {
    "scores": (),
    "training": None,
    "curve": (),
    "stopped": None,
    "device": None,
    "peak_mib": None,
    "utilisation": None,
}


def to_tags(trial: Trial) -> dict[str, str]:
    """A trial as tags; long ones are split, and its reason is truncated."""
    record = asdict(replace(trial, reason=(trial.reason or "")[:LONGEST_REASON] or None))
    proposal = record.pop("proposal")
    params = proposal.pop("params")
    del proposal["curve"]  # of a trial that has ended it is the trial's own
    for option, unused in UNUSED.items():
        if getattr(trial, option) == unused:
            del record[option]
    return {
        **_split(f"{TRIAL}{trial.number}", json.dumps({**proposal, **record})),
        **_split(f"{PARAMS}{trial.number}", json.dumps(params)),
    }


def from_tags(tags: Mapping[str, str]) -> Iterator[Trial]:
    """The trials in the tags of a run."""
    for name in tags:
        number = name.removeprefix(TRIAL)
        if name.startswith(TRIAL) and number.isdigit():
            record = json.loads(_joined(name, tags))
            params = json.loads(_joined(f"{PARAMS}{number}", tags))
            asked = {key: record.pop(key) for key in ("number", "parent", "member", "until")}
            record["scores"] = tuple(record.get("scores", ()))
            record["curve"] = tuple(Point(*point) for point in record.get("curve", ()))
            yield Trial(Proposal(params=params, **asked), **record)


@dataclass(frozen=True)
class Final:
    """What came of a trial of a search in its finals.

    Args:
        number: Number of the trial.
        scores: Score with each seed.
        metrics: Means of the latest metrics.
    """

    number: int
    scores: tuple[float, ...]
    metrics: Mapping[str, float]

    def applied_to(self, trial: Trial) -> Trial:
        """The trial with its score and metrics in the finals."""
        several = self.scores if len(self.scores) > 1 else ()
        return replace(trial, score=mean(self.scores), scores=several, metrics=self.metrics)


def finals_to_tags(ranked: Sequence[Trial]) -> dict[str, str]:
    """What came of finalists, which have their scores in the finals, as tags."""
    told = [
        {"number": t.number, "scores": t.scores or [t.score], "metrics": dict(t.metrics)}
        for t in ranked
    ]
    return _split(RANKED, json.dumps(told))


def finals_from_tags(tags: Mapping[str, str]) -> list[Final]:
    """What came of the finalists, in the same order; empty where there were no finals."""
    if RANKED not in tags:
        return []
    told = json.loads(_joined(RANKED, tags))
    return [Final(of["number"], tuple(of["scores"]), of["metrics"]) for of in told]


def _split(name: str, text: str) -> dict[str, str]:
    """A text split over tags `name`, `name.1`, `name.2` ..."""
    parts = [text[first : first + LONGEST_TAG] for first in range(0, len(text), LONGEST_TAG)]
    return {f"{name}.{i}" if i else name: part for i, part in enumerate(parts)}


def _joined(name: str, tags: Mapping[str, str]) -> str:
    """The text that was split over the tags `name`, `name.1`, `name.2` ..."""
    parts = [tags[name]]
    while (more := f"{name}.{len(parts)}") in tags:
        parts.append(tags[more])
    return "".join(parts)
