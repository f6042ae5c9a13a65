"""Modules that a place's worker imports by itself, so that no call waits or is told to have changed
its process."""

from __future__ import annotations

import os
import time

import pytest

from nettuner.tasks.workers.places import STORE, Place
from nettuner.tasks.workers.pool import open_pool

pytestmark = pytest.mark.slow
IS_THERE = "{!r} in __import__('sys').modules"


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A function that makes a module that changes its process's environment when imported."""

    def make(name):
        (tmp_path / f"{name}.py").write_text(f"import os\nos.environ[{name!r}] = 'imported'\n")
        return name

    monkeypatch.syspath_prepend(tmp_path)
    return make


def test_a_call_that_imports_such_a_module_costs_its_worker_unless_the_place_imports_it(modules):
    name = modules("changes_its_process")
    with open_pool(1, threads=1) as pool:
        first = pool.run(exec, f"import {name}") or pool.run(os.getpid)
        assert pool.run(eval, IS_THERE.format(name)) is False, "that worker was replaced"
        assert first == pool.run(os.getpid)
        there = Place(imports=(name,))
        own = pool.run(os.getpid, place=there)
        assert pool.run(exec, f"import {name}", place=there) is None
        assert pool.run(os.getpid, place=there) == own != first


def test_the_first_is_there_at_the_first_call_and_the_others_when_it_has_waited(modules):
    one, two = modules("imported_at_once"), modules("imported_later")
    place = Place(imports=(one, two))
    with open_pool(1, threads=1) as pool:
        assert pool.run(eval, IS_THERE.format(one), place=place)
        deadline = time.monotonic() + 30
        while not pool.run(eval, IS_THERE.format(two), place=place):
            assert time.monotonic() < deadline
            time.sleep(0.4)
        assert pool.run(os.getpid, place=place) == pool.run(os.getpid, place=place)


def test_a_module_that_is_missing_is_left_to_the_calls_that_need_it():
    with open_pool(1, threads=1) as pool:
        assert pool.run(int, "7", place=Place(imports=("no_such_module",))) == 7


def test_what_writes_to_the_store_imports_mlflow_once():
    with open_pool(2, threads=1) as pool:
        assert pool.run(eval, IS_THERE.format("mlflow"), place=STORE)
        assert not pool.run(eval, IS_THERE.format("mlflow"))
        writer = pool.run(os.getpid, place=STORE)
        pool.run(exec, "import mlflow.store.tracking.sqlalchemy_store", place=STORE)
        assert pool.run(os.getpid, place=STORE) == writer
