"""A worker process: runs one call after another, and says if a call has changed the process."""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from nettuner.models.training.failure import failure
from nettuner.models.training.process_state import process_state
from nettuner.tasks.uncollected import uncollected
from nettuner.tasks.workers.messages import BEGUN, Answer, Call

STANDARD_OUTPUT, STANDARD_ERROR = 1, 2
# Time without a call after which it imports what only later ones need [s].
QUIET_SECONDS = 0.2


def work(calls: Connection, threads: int) -> None:
    """Run calls until no more can come.

    Args:
        calls: Connection to the search, which first tells the variables of the worker's place, and
            names of modules to import.
        threads: Number of threads of numeric libraries.
    """
    with suppress(EOFError, ConnectionError):  # the search is gone
        environment, imports = calls.recv()
        _set_up(threads, environment)
        _import(imports[:1])
        later = list(imports[1:])
        while True:
            while later and not calls.poll(QUIET_SECONDS):
                _import([later.pop(0)])
            sent = calls.recv_bytes()
            calls.send_bytes(BEGUN)
            calls.send_bytes(_answer(sent))


def _set_up(threads: int, environment: Mapping[str, str]) -> None:
    os.environ.update(environment)  # before anything of CUDA, which looks once
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    if threads > 1:  # the process it was forked from has one
        threadpool_limits(threads)
    torch.set_num_threads(threads)


def _import(names: Sequence[str]) -> None:
    for name in names:
        with suppress(ImportError), uncollected():  # a call that needs it says so
            import_module(name)


def _answer(sent: bytes) -> bytes:
    """The answer to a call, pickled."""
    before = process_state()
    answer = _run(sent)
    answer = replace(answer, changed=process_state() != before)
    try:
        return pickle.dumps(answer)
    except Exception as error:  # the result cannot be pickled
        return pickle.dumps(Answer(None, failure(error), answer.changed))


def _run(sent: bytes) -> Answer:
    try:
        call: Call = pickle.loads(sent)
        with _printing_to(call.output), warnings.catch_warnings():
            return Answer(call.function(*call.args), None)
    except BaseException as error:  # also sys.exit in a user's function
        return Answer(None, failure(error))


@contextmanager
def _printing_to(path: Path | None) -> Iterator[None]:
    """Send all output to a file, that of C code and of other programs included."""
    if path is None:
        yield
        return
    before = [os.dup(STANDARD_OUTPUT), os.dup(STANDARD_ERROR)]
    with path.open("ab") as file:
        os.dup2(file.fileno(), STANDARD_OUTPUT)
        os.dup2(file.fileno(), STANDARD_ERROR)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        for there, here in zip(before, (STANDARD_OUTPUT, STANDARD_ERROR), strict=True):
            os.dup2(there, here)
            os.close(there)
