"""What is added is sent in order, in the background, and outlives a store that is away."""

from __future__ import annotations

import json
import threading
import time

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from nettuner.tasks.memory import journal, recorder, writer
from nettuner.tasks.memory.events import logged
from nettuner.tasks.memory.left_over import send_left_over
from nettuner.tasks.memory.recorder import Recorder


class Store:
    """A writer that can be away, and slow."""

    def __init__(self):
        self.given = []
        self.batches = 0
        self.error = None
        self.free = threading.Event()
        self.free.set()

    def write(self, events):
        self.free.wait()
        if self.error:
            raise self.error
        self.batches += 1
        self.given += [event["tags"]["number"] for event in events]


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path / "home"))
    return MlflowClient("http://localhost:1")  # nobody asks it


@pytest.fixture
def store(monkeypatch):
    made = Store()
    monkeypatch.setattr(recorder, "writer_to", lambda mlflow: made)
    monkeypatch.setattr(writer, "writer_to", lambda mlflow: made)
    monkeypatch.setattr(recorder, "GATHER_SECONDS", 0.05)
    monkeypatch.setattr(recorder, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(recorder, "PATIENCE_SECONDS", 0.2)
    return made


@pytest.fixture
def sending(store, mlflow):
    return Recorder(mlflow, "a1")


def event(number):
    return logged("run", tags={"number": number})


def journals():
    return [path.name for path in journal.folder().iterdir()]


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_events_are_sent_in_order_and_together(sending, store):
    for number in range(500):
        sending.add(event(number))
    sending.close()
    assert store.given == list(range(500))
    assert store.batches < 25
    assert journals() == []


def test_they_are_sent_without_being_asked_for(sending, store):
    sending.add(event(1), event(2))
    wait_until(lambda: store.given == [1, 2])
    sending.close()


def test_nobody_waits_for_a_store_that_is_slow(sending, store):
    store.free.clear()
    began = time.monotonic()
    for number in range(300):
        sending.add(event(number))
    assert time.monotonic() - began < 5
    assert store.given == []
    store.free.set()
    sending.drain()
    assert store.given == list(range(300))
    sending.close()


def test_very_many_unsent_events_slow_the_search_down(sending, store, monkeypatch):
    line = len(json.dumps(event(10), separators=(",", ":"))) + 1
    monkeypatch.setattr(recorder, "MOST_UNSENT", 10 * line)
    store.free.clear()
    added = []

    def add():
        for number in range(10, 30):  # all of one length
            sending.add(event(number))
            added.append(number)

    search = threading.Thread(target=add)
    search.start()
    time.sleep(0.3)
    assert len(added) == 10  # the eleventh waits
    store.free.set()
    search.join()
    sending.close()
    assert store.given == list(range(10, 30))


def test_a_store_that_is_away_for_a_moment_gets_everything(sending, store):
    store.error = ConnectionError("away")
    sending.add(event(1))
    time.sleep(0.1)
    store.error = None
    sending.add(event(2))
    sending.close()
    assert store.given == [1, 2]


def test_a_store_that_is_away_for_good_ends_the_search_and_nothing_is_lost(sending, store, mlflow):
    store.error = ConnectionError("away")
    sending.add(event(1))
    with pytest.raises(ConnectionError, match="away"):
        sending.drain()
    with pytest.raises(ConnectionError, match="away"):
        sending.add(event(2))
    with pytest.raises(ConnectionError, match="away"):
        sending.close()
    with pytest.raises(ConnectionError, match="away"):
        send_left_over(mlflow.tracking_uri)
    assert len(journals()) == 1
    store.error = None
    send_left_over(mlflow.tracking_uri)
    assert (store.given, journals()) == ([1, 2], [])


def test_what_was_sent_is_not_sent_again_after_a_crash(sending, store, mlflow):
    sending.add(event(1))
    wait_until(lambda: store.given == [1])
    store.error = ConnectionError("away")
    sending.add(event(2), event(3))
    with pytest.raises(ConnectionError, match="away"):
        sending.close()
    store.error = None
    send_left_over(mlflow.tracking_uri)
    assert store.given == [1, 2, 3]


def test_what_a_store_refuses_is_not_tried_for_long_and_set_aside(sending, store, mlflow, caplog):
    store.error = MlflowException("no such run", error_code=INVALID_PARAMETER_VALUE)
    began = time.monotonic()
    sending.add(event(1))
    with pytest.raises(MlflowException, match="no such run"):
        sending.close()
    assert time.monotonic() - began < 0.2 + 5
    send_left_over(mlflow.tracking_uri)
    (name,) = journals()
    assert name.endswith(".refused")
    assert "no such run" in caplog.text
    store.error = None
    send_left_over(mlflow.tracking_uri)
    assert store.given == []


def test_a_journal_for_another_store_that_is_away_waits(sending, store, mlflow, caplog):
    store.error = ConnectionError("away")
    sending.add(event(1))
    with pytest.raises(ConnectionError, match="away"):
        sending.close()
    send_left_over("http://localhost:2")
    assert len(journals()) == 1
    assert "http://localhost:1 does not take what is in" in caplog.text
    store.error = None
    send_left_over("http://localhost:2")
    assert store.given == [1]


def test_what_comes_after_the_end_is_sent_at_once(sending, store):
    sending.add(event(1))
    sending.close()
    sending.add(event(2))
    assert (store.given, journals()) == ([1, 2], [])
