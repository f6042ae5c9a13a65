"""The settings of a study file as a page in Markdown, from the schema that editors use."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from nettuner.tasks.schema import study_schema

Node = Mapping[str, Any]

HEAD = """\
# Every setting of a study

`nettuner schema --output docs/study.md` writes this page. Editors show the same while you type, by
[study.schema.json](../deploy/studies/study.schema.json). What there is to search of each learner is
in [built_in.md](built_in.md); words are explained in [glossary.md](glossary.md).
"""
# What is shown of the values of settings that have a part of the page of their own.
PARTS = {
    "runner": "a name, or its settings",
    "space": "hyperparameters",
    "strategy": "a name, or its settings",
    "stop": "rules",
}


def study_page() -> str:
    """The page: the study itself, stop rules, runner, strategies, distributions, data."""
    schema = study_schema()
    known = schema["$defs"]
    strategies = [
        known[choice["$ref"].rsplit("/", 1)[1]]
        for choice in schema["properties"]["strategy"]["anyOf"]
        if "$ref" in choice
    ]
    return "\n".join(
        [
            HEAD,
            _titled("## The study", schema),
            _titled("## `stop`: when a search ends", known["Stop"]),
            _titled("## `runner`: which machines trials run on", known["RunnerChoice"]),
            "## `strategy`: how the space is searched\n",
            *_group(strategies, "name"),
            "## `early_stop`: rules that end a trial while it trains\n",
            *_group(_told_apart(known, "rule"), "rule"),
            "## `space`: distributions\n",
            *_group(_told_apart(known, "distribution"), "distribution"),
            "## `data`: sources\n",
            *_group(_told_apart(known, "source"), "source"),
        ]
    )


def _told_apart(known: Mapping[str, Node], tag: str) -> list[Node]:
    """The definitions that a key with one fixed value tells apart."""
    return [each for each in known.values() if "const" in each.get("properties", {}).get(tag, {})]


def _group(definitions: Sequence[Node], tag: str) -> Iterator[str]:
    """Definitions in the order of their names; what all have stands before them, once."""
    shared = set.intersection(*(set(each["properties"]) for each in definitions)) - {tag}
    if shared:
        first = definitions[0]
        properties = {
            name: first["properties"][name] for name in first["properties"] if name in shared
        }
        yield _titled("### Each has", {"properties": properties})
    for definition in sorted(definitions, key=lambda each: _names(each, tag)):
        names = " or ".join(f"`{name}`" for name in _names(definition, tag))
        yield _titled(f"### {names}", definition, {tag, *shared})


def _names(definition: Node, tag: str) -> list[str]:
    """What the key that tells it apart may be."""
    node = definition["properties"][tag]
    return [node["const"]] if "const" in node else list(node["enum"])


def _titled(heading: str, definition: Node, without: Collection[str] = ()) -> str:
    """A heading, what it is, and a table of its settings."""
    text = " ".join(definition.get("description", "").split("\n\n")[0].split())
    rows = list(_rows(definition, without))
    table = ["| setting | value | default | |", "| --- | --- | --- | --- |", *rows] if rows else []
    return "\n".join([f"{heading}\n", *([text, ""] if text else []), *table, ""])


def _rows(definition: Node, without: Collection[str]) -> Iterator[str]:
    required = definition.get("required", [])
    for name, node in definition["properties"].items():
        if name in without:
            continue
        default = "" if name in required else _written(node.get("default"))
        cells = (f"`{name}`", _value(name, node), default, node.get("description", ""))
        yield f"| {' | '.join(_cell(str(cell)) for cell in cells)} |"


def _cell(text: str) -> str:
    """Text in a table: neither lines nor bars of its own."""
    return " ".join(text.split()).replace("|", "\\|")


def _value(name: str, node: Node) -> str:
    """What may stand there, in words."""
    if name in PARTS:
        return PARTS[name]
    choices = node.get("anyOf") or node.get("oneOf") or [node]
    words = [_kind(choice) for choice in choices if choice.get("type") != "null"]
    known = [word for word in words if word and not (word == "integer" and "number" in words)]
    return " or ".join(dict.fromkeys(known))


def _kind(node: Node) -> str:
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if "const" in node:
        return f"`{_written(node['const'])}`"
    if "$ref" in node:
        return "a mapping"
    if node.get("type") == "array":
        inner = _value("", node.get("items", {}))
        return f"a list of {inner}" if inner else "a list"
    kind = str(node.get("type", ""))
    named = {"object": "a mapping", "string": "text", "boolean": "`true`, `false`"}
    return named.get(kind, f"{kind or 'number'}{_bounds(node)}")


def _bounds(node: Node) -> str:
    """The bounds of a number."""
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    found = [f"{sign} {node[key]}" for key, sign in signs.items() if key in node]
    return f" {' and '.join(found)}" if found else ""


def _written(value: Any) -> str:
    """A default as it stands in YAML; nothing where there is none."""
    if isinstance(value, Mapping):
        parts = [f"{name}: {_written(each)}" for name, each in value.items() if each is not None]
        return f"`{{{', '.join(parts)}}}`" if parts else ""
    if value is None or value == []:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
