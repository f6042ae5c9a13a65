"""Pydantic's errors as readable lines: `FILE:LINE: KEY: RULE, got VALUE; WAY OUT`.

The rules are derived from the model's JSON schema, so a new field needs no text of its own.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Any

from pydantic import BaseModel, ValidationError

from nettuner.models.did_you_mean import did_you_mean
from nettuner.models.study import NAME, Study

Key = tuple[str | int, ...]
Node = Mapping[str, Any]

PATTERNS = {NAME: "letters, digits, '.', '_' and '-', a letter or digit first"}
MOST_FAULTS = 50
# What may replace a mapping in a file, by the title of the mapping or its discriminator.
SHORT = {
    "distribution": "a list of values or a single value",
    "source": "the name of a built-in data set",
    "StrategyChoice": "the name of a strategy",
    "rule": "the name of a rule",
}


def explain(
    error: ValidationError,
    file: str,
    document: object,
    *,
    prefix: Key = (),
    model: type[BaseModel] | None = None,
    hidden: Collection[str] = (),
    line_of: Callable[[Key], int | None] = lambda key: None,
) -> list[str]:
    """One line for each fault, in the order of the errors.

    Args:
        error: Error that pydantic raised.
        file: Name of the document, as the lines show it.
        document: Whole document before validation; `prefix` leads to the part validated.
        prefix: Key of the part that was validated.
        model: Model it was validated against; None: a study if there is no prefix.
        hidden: Fields of the model that a file cannot set.
        line_of: Function from a key to its line number, from 1; None if unknown.
    """
    if model is None and not prefix:
        model = Study
    words = Words(model.model_json_schema(mode="serialization") if model else {}, hidden)
    faults: dict[Key, str] = {}
    for details in error.errors(include_url=False):
        key, message = _fault(details, document, prefix, words)
        faults.setdefault(key, message)
        if len(faults) > MOST_FAULTS:
            faults[()] = f"must be free of faults, got more than {MOST_FAULTS}; correct these first"
            break
    parents = {key[:length] for key in faults for length in range(1, len(key))}
    return [
        sentence(file, key, message, line_of(key))
        for key, message in faults.items()
        # Branches of a union fail at several depths; the deepest got furthest.
        if key not in parents
    ]


def sentence(file: str, key: Key, message: str, line: int | None = None) -> str:
    """The line for one fault."""
    place = file if line is None else f"{file}:{line}"
    return f"{place}: {_joined(key)}: {message}"


def _joined(key: Key) -> str:
    """`data.path`, `space.width[0]`; "the study" for the whole."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if part and part.isprintable() else repr(part))
    return text or "the study"


def shown(value: object) -> str:
    """A value as written in the file, shortened, on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool | date):
        return str(value).lower()
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = brief.maxlong = 60
    brief.maxlevel = 3
    return " ".join(brief.repr(value).split())


def _fault(details: Any, document: object, prefix: Key, words: Words) -> tuple[Key, str]:
    """The key as written and what is wrong with it."""
    loc: Key = details["loc"]
    key, value = _written(prefix + loc, document)
    match details["type"]:
        case "value_error":
            return _stated(details, key, value)
        case "missing":
            node = words.at(loc)
            return (*key, loc[-1]), f"must be given, got nothing; {words.to_add(node)}"
        case "extra_forbidden" | "unexpected_keyword_argument":
            known = words.keys(words.at(loc[:-1]))
            way_out = did_you_mean(str(loc[-1]), known)
            if known:
                way_out += f"known keys: {', '.join(known)}"
            return key, f"unknown key, got {loc[-1]}: {shown(value)}; {way_out or 'drop it'}"
        case "union_tag_not_found":
            tag = details["ctx"]["discriminator"].strip("'")
            tags = words.tags(words.at(loc))
            return (*key, tag), f"must be given, got {shown(value)}; add one of {', '.join(tags)}"
        case "union_tag_invalid":
            tag = details["ctx"]["discriminator"].strip("'")
            tags = words.tags(words.at(loc))
            near = did_you_mean(details["ctx"]["tag"], tags) or "choose one of them"
            given = shown(details["ctx"]["tag"])
            return (*key, tag), f"must be one of {', '.join(tags)}, got {given}; {near.strip()}"
        case "invalid_key":
            return key, f"keys must be text, got {shown(loc[-1])}; put it in quotes"
    if loc[-1:] == ("[key]",):
        return key, f'names must be text, got {shown(key[-1])}; put it in quotes: "{key[-1]}"'
    node = words.at(loc)
    if not node:
        rule = details["msg"].removeprefix("Input should ")
        return key, f"must {rule}, got {shown(value)}; correct it"
    return key, f"must be {words.rule(node)}, got {shown(value)}; {words.way_out(node, value)}"


def _stated(details: Any, key: Key, value: object) -> tuple[Key, str]:
    """A validator's own message; if it begins with `child: `, the key becomes that child's."""
    message = " ".join(str(details["ctx"]["error"]).split())
    head, colon, rest = message.partition(": ")
    if colon and isinstance(value, Mapping) and head in value:
        return (*key, head), rest
    return key, message


def _written(loc: Key, document: object) -> tuple[Key, object]:
    """The part of pydantic's location that is in the document: without tags of unions."""
    key: list[str | int] = []
    value: Any = document
    for part in loc:
        if isinstance(value, Mapping):
            inside = part in value
        else:
            inside = isinstance(value, list) and isinstance(part, int)
        if inside:
            key.append(part)
            value = value[part]
    return tuple(key), value


class Words:
    """Descriptions of the nodes of a JSON schema, for error messages.

    Args:
        schema: JSON schema in pydantic's serialization mode, where unions name their tags.
        hidden: Properties of its root that a file cannot set.
    """

    def __init__(self, schema: Node, hidden: Collection[str] = ()) -> None:
        self.schema = schema
        self.hidden = hidden

    def at(self, loc: Key) -> Node:
        """The node at a location that pydantic reports; empty if the schema has none."""
        node = self._plain(self.schema)
        for part in loc:
            node = self._plain(self._step(node, part))
        return node

    def _step(self, node: Node, part: str | int) -> Node:
        tags = node.get("discriminator", {}).get("mapping", {})
        if part in tags:
            return {"$ref": tags[part]}
        if part in node.get("properties", {}):
            return node["properties"][part]  # type: ignore[no-any-return]
        if isinstance(part, int) and "items" in node:
            return node["items"]  # type: ignore[no-any-return]
        if isinstance(node.get("additionalProperties"), Mapping):
            return node["additionalProperties"]  # type: ignore[no-any-return]
        if isinstance(part, str) and part.startswith("list["):
            return next(branch for branch in node["anyOf"] if branch.get("type") == "array")
        return node  # a branch of a union is described as the whole union

    def _plain(self, node: Node) -> Node:
        """Resolve references, and drop `null` from unions."""
        while "$ref" in node:
            rest = {key: value for key, value in node.items() if key != "$ref"}
            node = {**self.schema["$defs"][node["$ref"].rpartition("/")[2]], **rest}
        branches = [branch for branch in node.get("anyOf", []) if branch.get("type") != "null"]
        if len(branches) == 1:
            rest = {key: value for key, value in node.items() if key != "anyOf"}
            return self._plain({**branches[0], **rest})
        return {**node, "anyOf": branches} if branches else node

    def keys(self, node: Node) -> list[str]:
        """The keys of a mapping."""
        return [key for key in node.get("properties", {}) if key not in self.hidden]

    def tags(self, node: Node) -> list[str]:
        """The values of the discriminator of a union of mappings."""
        mapping = node.get("discriminator", {}).get("mapping", {})
        order = [branch["$ref"] for branch in node.get("oneOf", [])]
        return sorted(mapping, key=lambda tag: order.index(mapping[tag]))

    def rule(self, node: Node) -> str:
        """What a value must be: the words after `must be`."""
        if "enum" in node:
            return f"one of {', '.join(map(str, node['enum']))}"
        if "const" in node:
            return repr(node["const"])
        if "discriminator" in node:
            tag = node["discriminator"]["propertyName"]
            return _either([f"a mapping with the key {tag!r}", SHORT.get(tag)])
        if "anyOf" in node:
            kinds = list(dict.fromkeys(self.rule(self._plain(kind)) for kind in node["anyOf"]))
            if "a number" in kinds and "a whole number" in kinds:
                kinds.remove("a whole number")
            return _either(kinds) + _bounds(node)
        match node.get("type"):
            case "integer":
                return "a whole number" + _bounds(node)
            case "number":
                return "a number" + _bounds(node)
            case "boolean":
                return "true or false"
            case "array":
                least = node.get("minItems")
                values = "value" if least == 1 else "values"
                return f"a list of at least {least} {values}" if least else "a list"
            case "object":
                return _either(["a mapping of keys to values", SHORT.get(node.get("title", ""))])
        if node.get("pattern") in PATTERNS:
            return f"{PATTERNS[node['pattern']]}, at most {node.get('maxLength')} of them"
        return "text"

    def way_out(self, node: Node, value: object) -> str:
        """What to write instead."""
        kinds = {self._plain(kind).get("type") for kind in node.get("anyOf", [node])}
        if "enum" in node:
            return did_you_mean(str(value), node["enum"]).strip() or "choose one of them"
        if "pattern" in node and isinstance(value, str):
            better = re.sub(r"[^A-Za-z0-9._-]+", "-", value).strip("-._")[: node["maxLength"]]
            return f"rename it, for example {better}" if better else "rename it"
        if "string" in kinds and isinstance(value, bool | int | float | date):
            return f'put it in quotes: "{shown(value)}"'
        if kinds & {"integer", "number"}:
            if isinstance(value, str) and "string" not in kinds and _is_number(value):
                return f"drop the quotes: {value}"
            return f"give one such as {_example(node, kinds)}"
        if "boolean" in kinds:
            return "write true or false"
        if kinds == {"array"}:
            example = f"[{value}]" if isinstance(value, str) else "[1, 2]"
            return f"write a list such as {example}"
        if "discriminator" in node:
            tag, (first, *others) = node["discriminator"]["propertyName"], self.tags(node)
            return f"write {tag}: {first}, or one of {', '.join(others)}"
        if kinds == {"object"}:
            keys = ", ".join(self.keys(node))
            return "indent its keys below it" + (f": {keys}" if keys else "")
        return "write a word"

    def to_add(self, node: Node) -> str:
        """What to add where a required key is missing."""
        if "description" in node and "properties" not in node:
            description = node["description"].removesuffix(".")
            return f"add it: {description[:1].lower()}{description[1:]}"
        return f"add {self.rule(node) if node else 'it'}"


def _limits(node: Node) -> dict[str, float]:
    """The bounds of a number, by their wording; for unions pydantic writes `gt` and the like."""
    names = {
        "of at least": ("minimum", "ge"),
        "above": ("exclusiveMinimum", "gt"),
        "of at most": ("maximum", "le"),
        "below": ("exclusiveMaximum", "lt"),
    }
    return {
        words: node[name]
        for words, spelled in names.items()
        for name in spelled
        if node.get(name) is not None
    }


def _bounds(node: Node) -> str:
    limits = " and ".join(f"{words} {limit}" for words, limit in _limits(node).items())
    return f" {limits}" if limits else ""


def _either(kinds: Sequence[str | None]) -> str:
    *others, last = [kind for kind in kinds if kind]
    return f"{', '.join(others)} or {last}" if others else last


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _example(node: Node, kinds: Collection[object]) -> object:
    """A number that the node allows: its default if it has one."""
    if node.get("default") is not None:
        return node["default"]
    limits = _limits(node)
    low = limits.get("of at least", limits.get("above", 0))
    high = limits.get("of at most", limits.get("below", math.inf))
    if "number" not in kinds:
        return int(min(max(10, low), high))
    return (low + high) / 2 if math.isfinite(high) else low + 1
