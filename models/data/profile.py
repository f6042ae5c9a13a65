"""What was understood of a study's data, as plain values: for people, and for MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Kind = Literal["number", "category", "date", "text", "left out"]

# What every database keeps of a text; MLflow's own bounds are wider.
MOST_CHARACTERS = 65_535
TYPES: Mapping[str, str] = {
    "number": "double",
    "category": "string",
    "date": "datetime",
    "text": "string",
}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: Name of the column.
        kind: What it is taken as.
        holds: Its range, its most frequent categories, or why it is left out.
        missing: Share of rows without a value.
        features: Numbers that it becomes.
    """

    name: str
    kind: Kind
    holds: str = ""
    missing: float = 0.0
    features: int = 0


@dataclass(frozen=True)
class TargetFacts:
    """What is predicted.

    Args:
        name: Name of its column, or what it is.
        classes: Rows of each class of all splits, by its label as text; empty without classes.
        holds: Its range, or what it is otherwise.
    """

    name: str
    classes: Mapping[str, int] = field(default_factory=dict)
    holds: str = ""


@dataclass(frozen=True)
class Profile:
    """What was understood of a study's data.

    Args:
        rows: Rows of each split that there is, by its name; None where only a loader knows.
        inputs: What a network receives, in words.
        shape: Shape of one input.
        target: What is predicted.
        dropped: Rows that are left out.
        recognised: What a file told of itself, by the key that would have said it.
        columns: Columns of a table; empty for other data.
        warnings: What looks wrong, a line each.
        origin: Where data of one's own come from: the function, the hash of its file, its
            arguments, and how much there is of each split.
    """

    rows: Mapping[str, int | None]
    inputs: str
    shape: tuple[int, ...]
    target: TargetFacts
    dropped: int = 0
    recognised: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()
    warnings: tuple[str, ...] = ()
    origin: Mapping[str, str] = field(default_factory=dict)

    def schema(self) -> str:
        """Names and types of what a network learns from and of the target, as MLflow writes them.

        Of very many columns the first ones.
        """
        if not self.columns:
            tensor = {"dtype": "float32", "shape": [-1, *self.shape]}
            features = json.dumps([{"type": "tensor", "tensor-spec": tensor}])
            return json.dumps({"mlflow_tensorspec": {"features": features, "targets": None}})
        used = [
            {"type": TYPES[column.kind], "name": column.name, "required": True}
            for column in self.columns
            if column.kind != "left out"
        ]
        kind = "string" if self.target.classes else "double"
        target = {"type": kind, "name": self.target.name, "required": True}
        while len(text := json.dumps({"mlflow_colspec": [*used, target]})) > MOST_CHARACTERS:
            used = used[: len(used) // 2]
        return text

    def facts(self) -> str:
        """All of it as JSON, with the number of rows as MLflow shows it; of very many columns the
        first ones."""
        kept = self
        while len(text := json.dumps(kept._described())) > MOST_CHARACTERS:
            few = len(kept.columns) // 2
            shortened = dict(list(kept.target.classes.items())[: len(kept.target.classes) // 2])
            kept = replace(
                kept,
                columns=kept.columns[:few],
                target=replace(kept.target, classes=shortened),
                warnings=kept.warnings[:5],
            )
        return text

    def _described(self) -> dict[str, Any]:
        return {"num_rows": sum(filter(None, self.rows.values())), **asdict(self)}
