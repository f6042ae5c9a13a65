"""The winner's configuration to copy, and what is needed to search again."""

from __future__ import annotations

import io
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pprint import pformat
from typing import Any

from nettuner.models.space import Params
from nettuner.tasks.report.html.searched import Searched

PACKAGES = ("nettuner", "torch", "numpy", "scikit-learn", "mlflow", "prefect")


def as_yaml(params: Params) -> str:
    """A configuration as an entry of `try_first`, under the strategy of a study."""
    return _yaml({"strategy": {"name": "bayesian", "try_first": [dict(params)]}})


def as_python(params: Params) -> str:
    """A configuration as a dictionary."""
    return f"hyperparameters = {pformat(dict(params), sort_dicts=False)}"


def study_as_yaml(search: Searched) -> str:
    """The study as it was searched."""
    return _yaml(search.study.model_dump(mode="json", exclude_unset=True))


def facts(search: Searched) -> dict[str, str]:
    """What is needed to search again, by what it is."""
    study, past = search.study, search.past
    return {
        "command": f"nettuner search study.yaml --strategy {past.strategy}",
        "seed": str(study.seed),
        "data": past.fingerprint or "brought by the learner's own code",
        "search": f"{past.name} (run {past.run_id})",
        "versions where this was written": ", ".join(_versions()),
    }


def _versions() -> list[str]:
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def _yaml(content: Mapping[str, Any]) -> str:
    from ruamel.yaml import YAML

    text = io.StringIO()
    writer = YAML(typ="safe")
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = 100
    writer.dump(content, text)
    return text.getvalue()
