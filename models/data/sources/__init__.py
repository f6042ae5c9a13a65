"""Where data comes from: one file a source, its schema and its loader, found by its file name."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import BeforeValidator, Field

from nettuner.models.class_of import class_of
from nettuner.models.data.source import Source
from nettuner.models.did_you_mean import did_you_mean

SOURCES: tuple[type[Source], ...] = tuple(
    class_of(f"nettuner.models.data.sources.{name}")
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__))
)
"""The sources found: the files beside this one."""

SHORT = {name: source for source in SOURCES for name in source.short_names}


REFERRING = tuple(source for source in SOURCES if source.reference)
"""The sources that a study may name by a reference to code."""


def _named(given: object) -> object:
    """A data set by its name alone, or a function by its reference."""
    if isinstance(given, Mapping):
        source = given.get("source")
        return REFERRING[0].referred(given) if _is_reference(source) else given
    if not isinstance(given, str):
        return given
    if _is_reference(given):
        return REFERRING[0].referred({"source": given})
    if given.endswith(".py"):
        raise ValueError(
            f"must say which function of a file, got {given!r:.60}; add it: {given}:NAME"
        )
    if given not in SHORT:
        hint = did_you_mean(given, SHORT).strip() or "choose one of them, or file.py:FUNCTION"
        raise ValueError(f"must be one of {', '.join(SHORT)}, got {given!r:.60}; {hint}")
    return SHORT[given].named(given)


def _is_reference(given: object) -> bool:
    return isinstance(given, str) and ":" in given


def at_place(place: Path) -> dict[str, Any]:
    """What a study has to say of the file or folder at a path, beside its target.

    Raises:
        ValueError: No source is for such a file or folder.
    """
    for source in SOURCES:
        if (fields := source.at_place(place)) is not None:
            return {"source": source.model_fields["source"].default, **fields}
    what = "folder" if place.is_dir() else "file"
    raise ValueError(
        f"must be a table (csv, parquet), arrays (npz), MNIST's format (idx) or a folder with a "
        f"folder of images for each class, got the {what} {place}; write a function that reads it: "
        "file.py:FUNCTION"
    )


if TYPE_CHECKING:
    AnySource = Source
else:
    _Union: Any = Union[SOURCES]  # noqa: UP007 - of classes that are found
    _Written: Any = Union[
        (_Union, Literal[tuple(SHORT)], *(kind for s in SOURCES for kind in s.written))
    ]
    AnySource = Annotated[
        Annotated[_Union, Field(discriminator="source")],
        BeforeValidator(_named, json_schema_input_type=_Written),
    ]
