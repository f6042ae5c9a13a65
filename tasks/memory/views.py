"""Saved views of a study's experiment: what its page in MLflow opens with a click on *Views*.

MLflow keeps a view as a tag of the experiment, `mlflow.sharedViewState.<key>`, whose state is
compressed JSON; it opens by `?viewStateShareKey=<key>`.
"""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from nettuner.models.space import Fixed
from nettuner.models.study import Goal, Study
from nettuner.tasks.memory import tags as names

PREFIX = "mlflow.sharedViewState."
# Columns beside the ones of the study.
DURATION, CREATED = "attributes.`Duration`", "attributes.`Created`"
# Runs whose lines are drawn in one chart.
MOST_LINES = 200
# Sections that MLflow makes of all metrics by their names; they stay closed.
MLFLOWS_OWN = (
    ("autogen-nettuner", "nettuner", False),
    ("autogen-hyperparameter", "hyperparameter", False),
    ("default", "Model metrics", False),
)


def saved_views(goal: Goal, hyperparameters: Sequence[str]) -> dict[str, str]:
    """The tags of an experiment with its views: searches, trials, and charts of the trials.

    Args:
        goal: Metric and direction.
        hyperparameters: Names of those that are searched.
    """
    best, metric = f"metrics.`{names.BEST_SO_FAR}{goal.metric}`", f"metrics.`{goal.metric}`"
    tested = f"metrics.`{goal.metric.replace('val_', 'test_', 1)}`"
    ascending = goal.direction == "minimize"
    chosen = [f"tags.`{names.BEST}{name}`" for name in hyperparameters]
    values = [f"params.`{name}`" for name in hyperparameters]
    seconds = f"metrics.`{names.SECONDS}`"
    of_searches = f"tags.`{names.KIND}` = 'search'"
    of_trials = f"tags.`{names.SEARCH}` LIKE '%'"
    columns = [metric, *values, seconds]
    return {
        f"{PREFIX}searches": _view(
            "Searches", of_searches, best, ascending, [best, tested, *chosen, DURATION, CREATED]
        ),
        f"{PREFIX}trials": _view("Trials", of_trials, metric, ascending, columns),
        f"{PREFIX}charts": _view(
            "Charts", of_trials, metric, ascending, columns, _charts(goal.metric, hyperparameters)
        ),
    }


def _view(
    name: str,
    search: str,
    order: str,
    ascending: bool,
    columns: Sequence[str],
    more: Mapping[str, Any] | None = None,
) -> str:
    state = {
        "searchFilter": search,
        "orderByKey": order,
        "orderByAsc": ascending,
        "selectedColumns": [*columns],
        "columnOrder": [*columns],
        "runsExpanded": {},
        "groupBy": None,
        **(more or {}),
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    made = int(1000 * time.time())
    return json.dumps({"name": name, "createdAt": made, "state": f"deflate;{packed}"})


def _charts(metric: str, hyperparameters: Sequence[str]) -> dict[str, Any]:
    """How trials went, and which hyperparameters went with which metric."""
    section = "trials"
    chart = {"deleted": False, "isGenerated": False, "metricSectionId": section}
    lines = {
        **chart,
        "type": "LINE",
        "uuid": "curves",
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "runsCountToCompare": MOST_LINES,
    }
    parallel = {
        **chart,
        "type": "PARALLEL",
        "uuid": "parallel",
        "runsCountToCompare": MOST_LINES,
        "selectedParams": [*hyperparameters],
        "selectedMetrics": [metric],
        "showAllRuns": True,
    }
    scatters = [
        {
            **chart,
            "type": "SCATTER",
            "uuid": f"scatter-{name}",
            "runsCountToCompare": MOST_LINES,
            "xaxis": {"key": name, "type": "PARAM"},
            "yaxis": {"key": metric, "type": "METRIC"},
        }
        for name in hyperparameters
    ]
    sections = [
        {"uuid": uuid, "name": name, "display": display, "isReordered": True, "deleted": False,
         "isGenerated": not display}
        for uuid, name, display in ((section, "Trials", True), *MLFLOWS_OWN)
    ]  # fmt: skip
    return {
        "compareRunCharts": [parallel, lines, *scatters],
        "compareRunSections": sections,
        "runsHiddenMode": "SHOW_ALL",
    }


def searched(study: Study) -> list[str]:
    """Names of the hyperparameters that are not fixed."""
    return [name for name, dimension in study.space.items() if not isinstance(dimension, Fixed)]
