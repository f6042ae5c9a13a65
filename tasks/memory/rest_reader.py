"""Reads records from an MLflow server by its REST API: MLflow's own client takes seconds to import.

The methods are those of `MlflowClient` that reading needs, with the same names and results.

Source: https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

API = "/api/2.0/mlflow/"
ABSENT = "RESOURCE_DOES_NOT_EXIST"
PATIENCE_SECONDS = 120  # as MLflow's client has
MOST_VERSIONS = 10_000
Item = TypeVar("Item")


@dataclass(frozen=True)
class Experiment:
    """An experiment; its stage is active or deleted."""

    experiment_id: str
    name: str
    lifecycle_stage: str


@dataclass(frozen=True)
class RunInfo:
    """The facts of a run; its start in milliseconds since 1970."""

    run_id: str
    run_name: str
    experiment_id: str
    status: str
    start_time: int


@dataclass(frozen=True)
class RunData:
    """The latest value of each metric of a run, and its tags."""

    metrics: Mapping[str, float]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """A run."""

    info: RunInfo
    data: RunData


@dataclass(frozen=True)
class RegisteredModel:
    """A registered model: its tags, and the version that each alias names."""

    name: str
    tags: Mapping[str, str]
    aliases: Mapping[str, str]


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model."""

    name: str
    version: str
    run_id: str
    tags: Mapping[str, str]


class Page(list[Item], Generic[Item]):
    """Results, and the token that asks for the next ones; None or empty after the last."""

    def __init__(self, items: Sequence[Item], token: str | None) -> None:
        super().__init__(items)
        self.token = token


class RecordsError(RuntimeError):
    """The server does not answer, or refuses.

    Args:
        message: Message.
        code: MLflow's code of the refusal; empty where it has none.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class RestReader:
    """Reads from a server, with the account in MLFLOW_TRACKING_USERNAME and its password.

    Every method raises RecordsError if the server does not answer, or refuses.

    Args:
        address: Address of the server.
    """

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """The experiment of this name; None if there is none."""
        try:
            found = self._json(f"{API}experiments/get-by-name", experiment_name=name)
        except RecordsError as error:
            if error.code == ABSENT:
                return None
            raise
        experiment = found["experiment"]
        return Experiment(
            experiment["experiment_id"], experiment["name"], experiment["lifecycle_stage"]
        )

    def search_experiments(
        self, *, max_results: int, page_token: str | None = None
    ) -> Page[Experiment]:
        """A page of all active experiments."""
        more = {"page_token": page_token} if page_token else {}
        found = self._json(f"{API}experiments/search", max_results=str(max_results), **more)
        experiments = [
            Experiment(each["experiment_id"], each["name"], each["lifecycle_stage"])
            for each in found.get("experiments", ())
        ]
        return Page(experiments, found.get("next_page_token"))

    def search_runs(
        self,
        experiment_ids: list[str],
        filter_string: str,
        *,
        max_results: int,
        page_token: str | None = None,
    ) -> Page[Run]:
        """A page of the runs for which a condition holds."""
        wanted = {
            "experiment_ids": experiment_ids,
            "filter": filter_string,
            "max_results": max_results,
            **({"page_token": page_token} if page_token else {}),
        }
        found = json.loads(self._answer(f"{API}runs/search", wanted))
        return Page([_run(run) for run in found.get("runs", ())], found.get("next_page_token"))

    def download_artifacts(self, run_id: str, path: str, dst_path: str) -> str:
        """Copy an artifact of a run into a folder.

        Returns:
            Path of the copy.
        """
        copy = Path(dst_path) / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(
            self._answer("/get-artifact?" + urlencode({"run_id": run_id, "path": path}))
        )
        return str(copy)

    def search_registered_models(self, filter_string: str) -> list[RegisteredModel]:
        """The registered models for which a condition holds."""
        found = self._json(f"{API}registered-models/search", filter=filter_string)
        return [
            RegisteredModel(
                model["name"],
                _mapping(model.get("tags", ())),
                {given["alias"]: given["version"] for given in model.get("aliases", ())},
            )
            for model in found.get("registered_models", ())
        ]

    def search_model_versions(self, filter_string: str) -> list[ModelVersion]:
        """The versions of registered models for which a condition holds."""
        found = self._json(
            f"{API}model-versions/search", filter=filter_string, max_results=str(MOST_VERSIONS)
        )
        return [
            ModelVersion(
                version["name"],
                version["version"],
                version.get("run_id", ""),
                _mapping(version.get("tags", ())),
            )
            for version in found.get("model_versions", ())
        ]

    def _json(self, method: str, **query: str) -> Any:
        return json.loads(self._answer(f"{method}?{urlencode(query)}"))

    def _answer(self, path: str, body: object = None) -> bytes:
        request = urllib.request.Request(f"{self._address}{path}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if (account := _account()) is not None:
            request.add_unredirected_header("Authorization", account)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise RecordsError(f"no answer from the server: {reason}") from None


def _account() -> str | None:
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if not (user and password):
        return None
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _refusal(error: urllib.error.HTTPError) -> RecordsError:
    text = error.read().decode(errors="replace")
    try:
        told = json.loads(text)
        return RecordsError(told["message"], told["error_code"])
    except (ValueError, KeyError, TypeError):  # not from MLflow's API: a proxy, a wrong password
        return RecordsError(f"status {error.code} ({error.reason})")


def _run(found: Mapping[str, Any]) -> Run:
    info, data = found["info"], found["data"]
    return Run(
        RunInfo(
            info["run_id"],
            info["run_name"],
            info["experiment_id"],
            info["status"],
            int(info["start_time"]),
        ),
        RunData(
            {metric["key"]: float(metric["value"]) for metric in data.get("metrics", ())},
            _mapping(data.get("tags", ())),
        ),
    )


def _mapping(pairs: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Tags as a mapping; an empty value is left out of an answer."""
    return {pair["key"]: pair.get("value", "") for pair in pairs}
