"""Names of flow runs."""

from __future__ import annotations

from pathlib import Path

from prefect.runtime import flow_run


def after_the_study() -> str:
    """Name of a run with a parameter `study`, a file or a name: for example `digits-monitor`."""
    study = Path(str(flow_run.parameters["study"]))
    known = study.stem if study.suffix in (".yaml", ".yml") else study.name
    return f"{known}-{flow_run.flow_name}"
