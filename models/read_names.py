"""What a function of a user's own reads and reports, by its source: nothing is run."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ReadNames:
    """The names in a function `f(hyperparameters, context)` or `f(hyperparameters, report)`.

    Args:
        hyperparameters: Those that it reads, in their order, with the default of a `get`.
        metrics: Those that it reports.
    """

    hyperparameters: dict[str, Any] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()


def read_names(function: Callable[..., Any]) -> ReadNames:
    """The names that a function reads and reports; none where its source is not at hand.

    It sees `h["name"]`, `h.get("name", default)`, `report(step, name=...)` and
    `context.report(name=...)` of its own two arguments.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):
        return ReadNames()
    called = [*inspect.signature(function).parameters, "", ""]
    hyperparameters: dict[str, Any] = {}
    metrics: dict[str, None] = {}
    for node in _in_order(tree):
        if (read := _read(node, called[0])) is not None:
            hyperparameters.setdefault(*read)
        elif isinstance(node, ast.Call) and _reports(node.func, called[1]):
            metrics |= dict.fromkeys(word.arg for word in node.keywords if word.arg)
    return ReadNames(hyperparameters, tuple(metrics))


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes, as they stand in the source."""
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


def _read(node: ast.AST, name: str) -> tuple[str, Any] | None:
    """The hyperparameter that is read here, and its default."""
    match node:
        case ast.Subscript(value=ast.Name(id=found), slice=ast.Constant(value=str(key))):
            return (key, None) if found == name else None
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=found), attr="get"),
            args=[ast.Constant(value=str(key)), *rest],
        ) if found == name:
            default = rest[0].value if rest and isinstance(rest[0], ast.Constant) else None
            return key, default
    return None


def _reports(called: ast.expr, name: str) -> bool:
    match called:
        case ast.Name(id=found):
            return found == name
        case ast.Attribute(value=ast.Name(id=found), attr="report"):
            return found == name
    return False
