"""Where data comes from: one file a source, its schema and its loader, found by its file name."""

from __future__ import annotations

import pkgutil
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


def _named(given: object) -> object:
    """A data set by its name alone."""
    if not isinstance(given, str):
        return given
    if given not in SHORT:
        hint = did_you_mean(given, SHORT).strip() or "choose one of them"
        raise ValueError(f"must be one of {', '.join(SHORT)}, got {given!r:.60}; {hint}")
    return SHORT[given].named(given)


if TYPE_CHECKING:
    AnySource = Source
else:
    _Union: Any = Union[SOURCES]  # noqa: UP007 - of classes that are found
    AnySource = Annotated[
        Annotated[_Union, Field(discriminator="source")],
        BeforeValidator(_named, json_schema_input_type=Union[_Union, Literal[tuple(SHORT)]]),  # noqa: UP007
    ]
