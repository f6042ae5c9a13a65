"""What was understood of a study's data, as plain values: for people, and for MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from nettuner.models.brief import cut

Kind = Literal["number", "category", "date", "text", "left out"]

# What every database keeps of a text; MLflow's own bounds are wider.
MOST_CHARACTERS = 65_535
# What is kept of a long text, and how many warnings, where all of it is more.
MOST_OF_A_TEXT = 300
MOST_WARNINGS = 5
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
        target = {"type": kind, "name": cut(self.target.name, MOST_OF_A_TEXT), "required": True}
        while len(text := json.dumps({"mlflow_colspec": [*used, target]})) > MOST_CHARACTERS:
            used = used[: len(used) // 2]
        return text

    def facts(self) -> str:
        """All of it as JSON, with the number of rows as MLflow shows it.

        Of very many columns and classes the first ones, of long texts the beginning and the end.
        """
        kept = self
        while len(text := json.dumps(kept._described())) > MOST_CHARACTERS:
            kept = kept._shortened()
        return text

    def _shortened(self) -> Profile:
        classes = list(self.target.classes.items())
        return replace(
            self,
            columns=self.columns[: len(self.columns) // 2],
            target=TargetFacts(
                cut(self.target.name, MOST_OF_A_TEXT),
                dict(classes[: len(classes) // 2]),
                cut(self.target.holds, MOST_OF_A_TEXT),
            ),
            warnings=tuple(cut(line, MOST_OF_A_TEXT) for line in self.warnings[:MOST_WARNINGS]),
            origin={name: cut(told, MOST_OF_A_TEXT) for name, told in self.origin.items()},
        )

    def _described(self) -> dict[str, Any]:
        return {"num_rows": sum(filter(None, self.rows.values())), **asdict(self)}
