"""Names of flow runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.runtime import flow_run


def after_the_study() -> str:
    """Name of a run with a parameter `study`, a file or a name: for example `digits-monitor`."""
    study = Path(str(flow_run.parameters["study"]))
    known = study.stem if study.suffix in (".yaml", ".yml") else study.name
    return f"{known}-{flow_run.flow_name}"


def name_run(name: str) -> None:
    """Name the flow run that runs now; a server that does not answer leaves it as it is."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    with suppress(HTTPError), get_client(sync_client=True) as client:
        client.update_flow_run(context.flow_run.id, name=name)
