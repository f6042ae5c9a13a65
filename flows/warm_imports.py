"""Imports in advance what commands import, for the process that they are forked from.

Nothing of it may start a thread, open a connection or begin an event loop.
"""

# ruff: noqa: F401 - all of it only to be there

from __future__ import annotations

# Prefect imports these when it is first used.
import anyio._backends._asyncio
import fastapi.encoders
import pandas
import prefect.concurrency.v1.sync
import prefect.engine
import prefect.flow_engine
import prefect.task_engine
import prefect.utilities.visualization
import scipy.stats
import skopt.learning

from nettuner.flows import (
    bayesian_optimization,
    cli,
    grid_search,
    population_training,
    random_search,
    replay,
)
from nettuner.flows.commands import fit, show, show_table
from nettuner.flows.engine import find
from nettuner.flows.servers import forks, local_server, logging_setup
from nettuner.tasks.memory import reader, recall
from nettuner.tasks.report import tables
from nettuner.tasks.strategies.bayesian import (
    candidates,
    expectation,
    improvement,
    knowledge,
    warping,
)
