"""Finds the flow of a strategy among the files of flows/."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from prefect import flow

from nettuner.flows.engine.search import SearchResult, search
from nettuner.models.study import Study
from nettuner.tasks.plan import using
from nettuner.tasks.strategy_names import in_words

# Line in a file that names its strategy; read as text, so that no other file is imported.
DECLARED = re.compile(r'^STRATEGY = "(\w+)"$', re.MULTILINE)


def flow_of(strategy: str) -> Callable[..., SearchResult]:
    """The flow of this strategy: the function named after the file that declares it.

    For a strategy without a file, a generic flow.

    Args:
        strategy: Full name of the strategy: the name of its file.
    """
    for file in sorted(Path(__file__).parents[1].glob("*.py")):
        if DECLARED.findall(file.read_text(encoding="utf-8")) == [strategy]:
            module = importlib.import_module(f"nettuner.flows.{file.stem}")
            return cast("Callable[..., SearchResult]", getattr(module, file.stem))

    @flow(name=strategy.replace("_", "-"), flow_run_name="{study.name}: " + in_words(strategy))
    def any_search(study: Study, resume: bool = False) -> Any:
        return search(using(study, strategy), resume)

    return any_search
