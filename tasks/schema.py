"""The JSON schema of a study file, with which editors complete and check it as it is typed."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel

from nettuner.models.study import Study
from nettuner.tasks import strategies

# What the study gives a strategy; no settings of its own.
GIVEN = ("seed", "budget", "rounds", "structural", "earlier")
# Pydantic's words for bounds beside a union, and those of JSON schema.
BOUNDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
}


def study_schema() -> dict[str, Any]:
    """The schema (draft 2020-12), with the settings of every strategy found."""
    schema = Study.model_json_schema()
    definitions = schema["$defs"]
    del definitions["StrategyChoice"]
    choices = []
    for name in strategies.names():
        own, shared = _strategy(name)
        definitions |= {**shared, own["title"]: own}
        choices.append({"$ref": f"#/$defs/{own['title']}"})
    known = [spelling for name in strategies.names() for spelling in _spellings(name)]
    strategy = schema["properties"]["strategy"]
    strategy["anyOf"] = [{"enum": known, "type": "string"}, *choices]
    for definition in definitions.values():
        _require_tags(definition)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **cast(dict[str, Any], _standard(schema)),
    }


def _spellings(name: str) -> list[str]:
    """`random_search` may be called random."""
    return [name, name.removesuffix("_search")] if name.endswith("_search") else [name]


def _strategy(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of a strategy as an object with its name, and the definitions it uses."""
    model = cast(type[BaseModel], strategies.find(name))
    schema = model.model_json_schema()
    shared = schema.pop("$defs", {})
    settings = {
        key: value for key, value in schema.get("properties", {}).items() if key not in GIVEN
    }
    named = {"enum": _spellings(name), "type": "string", "description": "The strategy."}
    required = [key for key in schema.get("required", []) if key not in GIVEN]
    return {
        **schema,
        "properties": {"name": named, **settings},
        "required": ["name", *required],
        "additionalProperties": False,
    }, shared


def _require_tags(definition: dict[str, Any]) -> None:
    """A key that tells the mappings of a union apart has a default in Python but none in a file."""
    tags = [key for key, value in definition.get("properties", {}).items() if "const" in value]
    if tags:
        definition["required"] = [*tags, *definition.get("required", [])]


def _standard(node: Any) -> Any:
    """The node with JSON schema's own words for bounds."""
    if isinstance(node, list):
        return [_standard(item) for item in node]
    if not isinstance(node, dict):
        return node
    is_number = "anyOf" in node or node.get("type") in ("integer", "number")
    return {
        BOUNDS.get(key, key) if is_number else key: _standard(value) for key, value in node.items()
    }
