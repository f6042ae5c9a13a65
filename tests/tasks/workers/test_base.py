"""The process that all others are forked from: found by later commands, and checked each time."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time

import psutil
import pytest

from nettuner.tasks import preloaded
from nettuner.tasks.workers import base
from nettuner.tasks.workers.base import make_resident, running, stand_by
from nettuner.tasks.workers.pool import open_pool

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module", autouse=True)
def ended(home):
    yield
    found = running(home)
    if found is not None:
        found.end()


def started(home, **changes):
    found = make_resident(home, **{"idle": 600.0, **changes})
    assert found is not None
    return found


def gone(process, seconds):
    """Whether a process ends in time; a child of this one has to be waited for."""
    try:
        process.wait(seconds)
    except psutil.TimeoutExpired:
        return False
    return True


def test_the_second_command_finds_what_the_first_has_started(home):
    first = started(home)
    assert started(home).process == first.process
    assert base.resident(home).process == first.process
    for _ in range(2):
        with stand_by(first), open_pool(1, threads=1) as pool:
            assert pool.run(eval, "'torch' in __import__('sys').modules")


def test_workers_run_as_their_command_does_not_as_the_first_one_did(home, tmp_path, monkeypatch):
    resident = started(home)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OF_THE_SECOND", "1")
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files[0] - 1, files[1]))
    mask = os.umask(0o027)
    try:
        with stand_by(resident), open_pool(1, threads=1) as pool:
            assert pool.run(os.getcwd) == str(tmp_path)
            assert pool.run(os.getenv, "OF_THE_SECOND") == "1"
            assert pool.run(eval, "__import__('sys').path") == sys.path
            assert pool.run(resource.getrlimit, resource.RLIMIT_NOFILE)[0] == files[0] - 1
            assert pool.run(os.umask, 0o027) == 0o027
            assert pool.run(os.sched_getaffinity, 0) == os.sched_getaffinity(0)
    finally:
        os.umask(mask)
        resource.setrlimit(resource.RLIMIT_NOFILE, files)


def test_one_whose_libraries_were_set_up_otherwise_is_left_to_others(home, monkeypatch):
    first = started(home)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert make_resident(home, 600.0) is None
    assert base.resident(home) is None
    assert first.process.is_running()


def test_one_of_older_code_is_replaced(home, monkeypatch):
    first = started(home)
    facts = preloaded.facts(base.KIND, os.environ)
    monkeypatch.setattr(preloaded, "facts", lambda *_: {**facts, "installed": ["newer"]})
    second = started(home)
    assert gone(first.process, 5)
    assert second.process.is_running()


def test_after_it_was_killed_a_search_starts_its_own_and_the_next_command_a_new_one(home):
    first = started(home)
    with stand_by(first):
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(5)
        with open_pool(1, threads=1) as pool:
            assert pool.run(int, "7") == 7
    assert running(home) is None
    assert started(home).process != first.process


def test_a_search_goes_on_when_it_ends(home):
    resident = started(home)
    with stand_by(resident), open_pool(1, threads=1) as pool:
        worker = pool.run(os.getpid)
        resident.end()
        assert pool.run(os.getpid, own_process=True) == worker  # which does not stay then
        assert pool.run(os.getpid) != worker


def test_it_ends_after_the_time_that_is_said_and_imports_more_when_nobody_waits(tmp_path):
    resident = started(tmp_path, idle=9.0, later=["colorsys"])
    with stand_by(resident):
        with open_pool(1, threads=1) as pool:
            assert not pool.run(eval, "'colorsys' in __import__('sys').modules")
        time.sleep(5)
        with open_pool(1, threads=1) as pool:
            assert pool.run(eval, "'colorsys' in __import__('sys').modules")
    assert resident.process.is_running()
    assert gone(resident.process, 30)


def test_two_commands_at_the_same_moment_start_one(tmp_path):
    children = []
    for _ in range(2):
        child = os.fork()
        if not child:
            found = make_resident(tmp_path, 600.0)
            (tmp_path / f"found-{os.getpid()}").write_text(str(found.process.pid))
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    told = {(tmp_path / f"found-{child}").read_text() for child in children}
    assert told == {str(running(tmp_path).process.pid)}
    running(tmp_path).end()
