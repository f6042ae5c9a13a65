"""Facts and folder of a search, and its record when it ends early."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.context import FlowRunContext
from prefect.exceptions import TerminationSignal

from nettuner.tasks.home import home, prefect_ui
from nettuner.tasks.memory import search_record
from nettuner.tasks.plan import Plan
from nettuner.tasks.training.pool import InterruptedSearchError


def facts_of(plan: Plan) -> search_record.Facts:
    """What is recorded about a search besides its study, the flow run included."""
    context = FlowRunContext.get()
    flow_run = context.flow_run if context else None
    return search_record.Facts(
        strategy=plan.strategy_name,
        settings=plan.study.strategy.settings,
        digest=plan.digest,
        fingerprint=plan.fingerprint,
        data_name=plan.data_name,
        structural=plan.structural,
        prefect_run=f"{prefect_ui()}/runs/flow-run/{flow_run.id}" if flow_run else None,
    )


@contextmanager
def folder_of(record: search_record.SearchRecord, resumable: bool) -> Iterator[Path]:
    """A folder for checkpoints; on an exception the record is closed with the reason.

    Args:
        record: Record of the search.
        resumable: Whether to keep the folder after an interruption.
    """
    folder = home() / "checkpoints" / record.run_id
    folder.mkdir(parents=True, exist_ok=True)
    needed = resumable
    try:
        yield folder
        needed = False
    except (KeyboardInterrupt, TerminationSignal, InterruptedSearchError):
        record.finish("KILLED", _note(record, "interrupted"), {}, {}, reason="interrupted")
        raise
    except Exception as error:
        needed = False  # a failed search cannot be resumed
        reason = f"{type(error).__name__}: {error}"
        record.finish("FAILED", _note(record, reason), {}, {}, reason=reason)
        raise
    finally:
        if not needed:
            shutil.rmtree(folder, ignore_errors=True)


def _note(record: search_record.SearchRecord, reason: str) -> str:
    return f"{record.facts.what}, ended early: {reason}"
