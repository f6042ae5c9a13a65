"""Converts a trial to MLflow tags and back, for resumes and comparisons."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace

from nettuner.models.study import Proposal, Trial
from nettuner.tasks.memory.tags import PARAMS, TRIAL

LONGEST_REASON = 500
LONGEST_TAG = 8000
LONGEST_PARAM = 6000


def to_tags(trial: Trial) -> dict[str, str]:
    """A trial as tags; long ones are split, and its reason is truncated."""
    record = asdict(replace(trial, reason=(trial.reason or "")[:LONGEST_REASON] or None))
    proposal = record.pop("proposal")
    params = proposal.pop("params")
    if not trial.scores:
        del record["scores"]
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
            yield Trial(Proposal(params=params, **asked), **record)


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
