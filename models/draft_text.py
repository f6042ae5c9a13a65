"""A draft of a study as a commented YAML file."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from nettuner.models.draft import Draft

PLAIN = re.compile(r"(?:\.{0,2}/)*[A-Za-z][\w.-]*(?:/[\w.-]+)*(?::\w+)?")
NOT_TEXT = {"true", "false", "yes", "no", "on", "off", "null", "none", "nan", "inf", "y", "n"}
TRIALS = 30


def draft_text(draft: Draft) -> str:
    """The study file: it can be searched as it is, and says what may be changed."""
    return "\n".join([*_head(draft), "", *_space(draft), "", *_end()]) + "\n"


def _head(draft: Draft) -> Iterator[str]:
    yield f"# nettuner check {draft.name}.yaml, then nettuner search {draft.name}.yaml"
    yield _line(draft, "name", draft.name)
    yield _line(draft, "learner", draft.learner)
    if draft.data is not None:
        yield _line(draft, "data", draft.data)
    yield _line(draft, "metric", draft.metric)
    if draft.direction is not None:
        yield _line(draft, "direction", draft.direction)
    if draft.epochs is not None:
        note = "how long each network trains" if "epochs" not in draft.notes else ""
        yield _line(draft, "epochs", draft.epochs, note)


def _line(draft: Draft, key: str, value: Any, note: str = "") -> str:
    remark = draft.notes.get(key, note)
    return f"{key}: {written(value)}" + (f" # {remark}" if remark else "")


def _space(draft: Draft) -> Iterator[str]:
    yield "space: # what is searched; a single value, such as `hidden: 64`, is fixed"
    for name, dimension in draft.space.items():
        remark = draft.notes.get(name)
        yield f"  {written(name)}: {written(dimension)}" + (f" # {remark}" if remark else "")
    if draft.also:
        yield "  # with a default, and may be searched, too:"
        yield from (f"  #   {line}" for line in _wrapped(draft.also))


def _wrapped(names: tuple[str, ...], width: int = 88) -> Iterator[str]:
    """The names with commas between them, in lines."""
    return iter(textwrap.wrap(", ".join(names), width))


def _end() -> Iterator[str]:
    yield "strategy: bayesian # or grid, random, population, successive_halving, freeze_thaw"
    yield f"stop: {{trials: {TRIALS}}} # or seconds, target, patience; the first that is met"


def written(value: Any) -> str:
    """A value in YAML, on one line."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{written(k)}: {written(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, str):
        is_plain = PLAIN.fullmatch(value) and value.lower() not in NOT_TEXT
        return value if is_plain else json.dumps(value, ensure_ascii=False)
    return str(value)
