"""What is recorded of a study's model: its versions, and how its champion changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nettuner.tasks.memory import tags as names

if TYPE_CHECKING:
    from nettuner.tasks.memory.reader import Reader

CHAMPION = "champion"
PREVIOUS = "previous_champion"


@dataclass(frozen=True)
class Version:
    """A version of a study's registered model.

    Args:
        study: Name of the study, and of the model.
        number: Number of the version, from 1.
        run_id: Run id of the search that trained it.
        tags: Tags that were recorded at its promotion.
        alias: `champion`, `previous_champion`, or empty.
    """

    study: str
    number: int
    run_id: str
    tags: Mapping[str, str]
    alias: str = ""

    @property
    def uri(self) -> str:
        """MLflow URI of the version."""
        return f"models:/{self.study}/{self.number}"


def versions(mlflow: Reader, study: str) -> list[Version]:
    """All versions of a study's model, oldest first; empty if there is no such model."""
    named = {
        int(model.aliases[alias]): alias
        for model in mlflow.search_registered_models(f"name = '{study}'")
        for alias in (PREVIOUS, CHAMPION)
        if alias in model.aliases
    }
    found = [
        (int(version.version), version)
        for version in mlflow.search_model_versions(f"name = '{study}'")
    ]
    return [
        Version(study, number, str(version.run_id), dict(version.tags), named.get(number, ""))
        for number, version in sorted(found, key=lambda numbered: numbered[0])
    ]


def moves(mlflow: Reader, study: str) -> list[dict[str, Any]]:
    """Each promotion and rollback of a study: `at`, `what`, `from`, `to`, `why`; oldest first."""
    return [
        {"at": name.removeprefix(names.MOVE), **json.loads(value)}
        for model in mlflow.search_registered_models(f"name = '{study}'")
        for name, value in sorted(model.tags.items())
        if name.startswith(names.MOVE)
    ]
