"""Registers the deployments and automations of a prefect.yaml, and runs them."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import suppress
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import TerminationSignal
from prefect.runner import Runner
from prefect.schedules import Cron, Interval, Schedule
from prefect.types.entrypoint import EntrypointType
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from nettuner.flows.prefect_runs.mark_crashed import mark_deployed_crashed

# Name of the runner in Prefect's pages.
NAME = "nettuner"


class ScheduleGiven(BaseModel):
    """Schedule of a deployment: `cron` with a time zone, or every `interval` seconds."""

    model_config = ConfigDict(extra="forbid")

    cron: str | None = None
    interval: Annotated[float, Field(gt=0)] | None = None
    timezone: str = "UTC"
    active: bool = True
    parameters: dict[str, Any] = {}
    slug: str | None = None

    def schedule(self) -> Schedule:
        """The Prefect schedule.

        Raises:
            ValueError: Neither cron nor interval is given, or both are.
        """
        if (self.cron is None) == (self.interval is None):
            raise ValueError(
                f"a schedule needs cron or interval, got cron={self.cron!r} and "
                f"interval={self.interval!r}; give one of them"
            )
        shared: dict[str, Any] = {
            "timezone": self.timezone,
            "active": self.active,
            "parameters": self.parameters,
            "slug": self.slug,
        }
        if self.cron is not None:
            return Cron(self.cron, **shared)
        return Interval(timedelta(seconds=self.interval or 0), **shared)


class Limit(BaseModel):
    """Concurrency limit of a deployment, and what happens to further runs."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1)]
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"] = "ENQUEUE"

    def config(self) -> ConcurrencyLimitConfig:
        """The Prefect concurrency limit."""
        strategy = ConcurrencyLimitStrategy(self.collision_strategy)
        return ConcurrencyLimitConfig(limit=self.limit, collision_strategy=strategy)


class DeploymentGiven(BaseModel):
    """One deployment of a prefect.yaml; other keys are ignored."""

    model_config = ConfigDict(extra="ignore")

    name: str
    entrypoint: str
    description: str | None = None
    tags: list[str] = []
    parameters: dict[str, Any] = {}
    schedules: list[ScheduleGiven] = []
    concurrency_limit: Limit | None = None

    def deployment(self) -> RunnerDeployment:
        """The Prefect deployment."""
        limit = self.concurrency_limit
        return RunnerDeployment.from_flow(
            self.flow(),
            name=self.name,
            description=self.description,
            tags=self.tags,
            parameters=self.parameters,
            schedules=[given.schedule() for given in self.schedules],
            concurrency_limit=limit.config() if limit else None,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )

    def flow(self) -> Flow[..., Any]:
        """The flow, imported by module name: imported by path it would be another object.

        Raises:
            ValueError: There is no such flow.
        """
        path, _, name = self.entrypoint.rpartition(":")
        try:
            found = getattr(importlib.import_module(_module(path)), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(
                f"an entrypoint must name a flow, got {self.entrypoint!r} ({error}); write "
                "path/to/file.py:flow"
            ) from None
        if not isinstance(found, Flow):
            raise ValueError(f"an entrypoint must name a flow, got {self.entrypoint!r}")
        return found


def _module(path: str) -> str:
    """The module name of a file; `flows/...` means nettuner's own module, if it exists."""
    module = path.removesuffix(".py").replace("/", ".")
    ours = f"nettuner.{module}"
    return ours if module.startswith("flows.") and find_spec(ours) else module


def read(file: Path) -> list[DeploymentGiven]:
    """The deployments of a prefect.yaml.

    Raises:
        ValueError: The file is missing or invalid.
    """
    given = _yaml(file)
    try:
        found = [DeploymentGiven.model_validate(one) for one in given.get("deployments") or []]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{file}: {where}: {first['msg']}; correct it") from None
    if not found:
        raise ValueError(f"{file} must have deployments, got none; see deploy/prefect.yaml")
    return found


def automations(folder: Path) -> list[dict[str, Any]]:
    """The automations in the files of a folder; none if the folder does not exist."""
    return [_yaml(file) for file in sorted(folder.glob("*.yaml"))]


def _yaml(file: Path) -> dict[str, Any]:
    try:
        found = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except (OSError, YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{file} must be a YAML file, got: {reason}; correct it") from None
    if not isinstance(found, dict):
        raise ValueError(f"{file} must be a mapping, got {type(found).__name__}; correct it")
    return found


def serve(file: Path, at_once: int | None = None, alone: bool = False) -> None:
    """Register everything and execute scheduled runs, until this process is terminated.

    Schedules stay active when not served; of the runs missed, one is executed later.

    Args:
        file: Path of the prefect.yaml; the folder `automations` beside it has the automations.
        at_once: Maximum number of concurrent runs; None for no limit.
        alone: Whether no other process serves them: then runs in state running are marked crashed.

    Raises:
        ValueError: A file is invalid.
    """
    deployments = [given.deployment() for given in read(file)]
    wanted = automations(file.parent / "automations")
    if alone:
        mark_deployed_crashed()
    runner = Runner(name=NAME, pause_on_shutdown=False, limit=at_once)

    async def work() -> None:
        for deployment in deployments:
            await runner.aadd_deployment(deployment)
        for automation in wanted:
            await _register(automation)
        await runner.start()

    with suppress(KeyboardInterrupt, TerminationSignal):
        asyncio.run(work())


async def _register(given: dict[str, Any]) -> None:
    """Create an automation, or update the one of its name.

    In a file an action names its deployment (`flow/name`), which is replaced by its id here.
    """
    async with get_client() as client:
        actions = []
        for action in given["actions"]:
            told = dict(action)
            if name := told.pop("deployment", None):
                told["deployment_id"] = str((await client.read_deployment_by_name(name)).id)
                told["source"] = "selected"
            actions.append(told)
        wanted = AutomationCore.model_validate({**given, "actions": actions})
        known = await client.read_automations_by_name(wanted.name)
        if known:
            await client.update_automation(known[0].id, wanted)
        else:
            await client.create_automation(wanted)
