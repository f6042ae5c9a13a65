"""Facts and folder of a search, and its record when it ends early."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prefect.context import FlowRunContext
from prefect.exceptions import TerminationSignal

from nettuner.models.training.failure import failure
from nettuner.tasks.home import home, prefect_ui
from nettuner.tasks.memory import search_record
from nettuner.tasks.memory.trial_tags import LONGEST_REASON
from nettuner.tasks.plan import Plan
from nettuner.tasks.workers.pool import InterruptedSearchError


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
        profile=plan.profile,
        structural=plan.structural,
        continues=plan.strategy.continues,
        prefect_run=f"{prefect_ui()}/runs/flow-run/{flow_run.id}" if flow_run else None,
    )


@contextmanager
def folder_of(record: search_record.SearchRecord, resumable: bool) -> Iterator[Path]:
    """A folder for checkpoints; on an exception the record is closed with the reason.

    Args:
        record: Record of the search.
        resumable: Whether to keep the folder when the search ends early.
    """
    folder = home() / "checkpoints" / record.run_id
    folder.mkdir(parents=True, exist_ok=True)
    needed = resumable
    try:
        yield folder
        needed = False
    except (KeyboardInterrupt, TerminationSignal, InterruptedSearchError):
        _close(record, "KILLED", "interrupted")
        raise
    except Exception as error:
        _close(record, "FAILED", failure(error).reason)
        raise
    finally:
        if not needed:
            shutil.rmtree(folder, ignore_errors=True)


def _close(record: search_record.SearchRecord, status: str, reason: str) -> None:
    """Record why a search has ended early.

    Where the store is what failed, it stays open there, and can be resumed all the same.
    """
    reason = reason[:LONGEST_REASON]
    note = f"{record.facts.what}, ended early: {reason}"
    with suppress(Exception):
        record.finish(status, note, {}, {}, reason=reason)
