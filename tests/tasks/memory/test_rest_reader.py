"""Records are the same, whether MLflow's client reads them or its server is asked directly."""

from __future__ import annotations

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from mlflow import MlflowClient

from nettuner.flows.servers import databases, up
from nettuner.flows.servers.processes import running
from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.tasks.champion.versions import moves, versions
from nettuner.tasks.memory import reader, recall, search_record
from nettuner.tasks.memory.rest_reader import RecordsError, RestReader
from nettuner.tasks.memory.store import LaterClient

PASSWORD = "a long one, with % and @"
GOAL = Goal("loss", "minimize")
FACTS = search_record.Facts("random_search", {}, "digest", "", "", frozenset(), None)
POPULATION = replace(FACTS, strategy="population")


def study(name):
    space = {"x": {"distribution": "uniform", "low": 0, "high": 1}}
    return Study(name=name, learner="file.py:f", space=space, metric="loss", epochs=2)


def record(mlflow, name):
    """A search that finished, one that was interrupted, and a population in the midst of it."""
    done = search_record.start_search(mlflow, study(name), GOAL, FACTS)
    ends = [
        Trial(Proposal(0, {"x": 0.1 + 0.2, "kind": "é\n"}), 1e-300, ended=2.0, metrics={"a": 0.1}),
        Trial(Proposal(1, {"x": 1}), None, "x is not to my liking", ended=1.0),
        Trial(Proposal(2, {"x": True, "long": "l" * 9000}), -2.5, seconds=1 / 3, ended=3.0),
    ]
    for trial in ends:
        done.begin(trial.proposal, (0, trial.number), 0, None).finish(trial, last=True)
    done.finish("FINISHED", "note", {"test_loss": 2 / 3, "other": 1.0}, {"x": 1})
    killed = search_record.start_search(mlflow, study(name), GOAL, FACTS)
    killed.begin(Proposal(0, {"x": 0.5}), (0, 0), 0, None)
    killed.finish("KILLED", "note", {}, {}, reason="interrupted")
    members = search_record.start_search(mlflow, study(name), GOAL, POPULATION)
    for number in range(2):
        asked = Proposal(number, {"x": number / 8}, member=number, until=1)
        begun = members.begin(asked, (0, number), 0, None)
        begun.finish(Trial(asked, 1.0, ended=5.0 - number), last=False)
    members.recorder.drain()


def promote(mlflow, name, run_id):
    """Three versions, of which the second is the champion and the first was."""
    mlflow.create_registered_model(name)
    for number in ("1", "2", "3"):
        tags = {"nettuner.value": number, "nettuner.reason": "because"}
        mlflow.create_model_version(name, f"runs:/{run_id}/model", run_id, tags)
    for alias, number in (("staging", "3"), ("previous_champion", "1"), ("champion", "2")):
        mlflow.set_registered_model_alias(name, alias, number)
    for second in ("02", "01"):
        told = f'{{"what": "promotion", "from": null, "to": {int(second)}, "why": "é"}}'
        mlflow.set_registered_model_tag(name, f"nettuner.move.2026-01-01T00:00:{second}", told)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One for this file: its server asks for a password."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETTUNER_HOME", str(folder))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("MLFLOW_TRACKING_USERNAME", "nettuner")
        patch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
        yield folder


@pytest.fixture(scope="module")
def server(home):
    site = up.Site("127.0.0.1", up.free_port(), up.free_port(), PASSWORD)
    _, mlflow = up.servers(site, databases.embedded())
    with running([mlflow], home / "mlflow.log"):
        yield site.mlflow


@pytest.fixture(scope="module", params=["sqlite", "http"])
def client(home, server, request):
    """MLflow's own, at the database or at the server: artifacts are files, or the server's."""
    found = MlflowClient(f"sqlite:///{home / 'mlflow.db'}" if request.param == "sqlite" else server)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", found.tracking_uri)
        record(found, request.param)
    return found


def read(records, name):
    """All that is read of a study's searches, and what the latest searched."""
    found = recall.searches(records, name)
    facts = [(replace(past, read=recall.Children), past.children) for past in found]
    return facts, recall.as_searched(records, found[-1])


@pytest.mark.long
def test_searches_are_read_alike(client, server, request):
    name = request.node.callspec.params["client"]
    facts, searched = read(RestReader(server), name)
    assert (facts, searched) == read(client, name)
    (done, of_done), (_, of_killed), (_, of_members) = facts
    assert searched == study(name)
    assert done.test == {"test_loss": 2 / 3}
    assert [trial.number for trial in of_done.trials] == [1, 0, 2]
    assert of_done.trials[1].proposal.params == {"x": 0.1 + 0.2, "kind": "é\n"}
    assert of_done.trials[1].score == 1e-300
    assert len(of_killed.unfinished) == 1
    assert [trial.number for trial in of_members.trials] == [1, 0]  # not yet in their own runs
    assert sorted(of_members.members) == [0, 1]


@pytest.mark.long
def test_pages_follow_each_other(client, server, request, monkeypatch):
    name = request.node.callspec.params["client"]
    whole = read(RestReader(server), name)
    monkeypatch.setattr(recall, "PAGE", 2)
    assert read(RestReader(server), name) == whole


@pytest.mark.long
def test_champions_are_read_alike(client, server, request):
    name = request.node.callspec.params["client"]
    promote(client, name, recall.latest(client, name).run_id)
    quick = RestReader(server)
    found = versions(quick, name)
    assert (found, moves(quick, name)) == (versions(client, name), moves(client, name))
    assert [version.alias for version in found] == ["previous_champion", "champion", ""]
    assert [version.tags["nettuner.value"] for version in found] == ["1", "2", "3"]
    assert [move["to"] for move in moves(quick, name)] == [1, 2]


@pytest.mark.long
def test_what_is_not_there_is_none_and_no_fault(server):
    quick = RestReader(server)
    with pytest.raises(ValueError, match="no study named 'unheard-of' was searched so far in"):
        recall.searches(quick, "unheard-of")
    assert versions(quick, "unheard-of") == moves(quick, "unheard-of") == []


@pytest.mark.long
def test_a_wrong_password_does_not_look_like_no_records(server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "another long one")
    for ask in (lambda r: recall.searches(r, "x"), lambda r: versions(r, "x")):
        with pytest.raises(RecordsError, match="status 401"):
            ask(RestReader(server))


def test_a_server_that_is_gone_does_not_look_like_no_records():
    quick = RestReader(f"http://127.0.0.1:{up.free_port()}")
    with pytest.raises(RecordsError, match=r"no answer from the server: .*refused"):
        recall.searches(quick, "x")


def test_a_password_is_not_sent_on_to_where_a_server_points(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "nettuner")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    heard = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.headers["Authorization"])
            first = len(heard) == 1
            self.send_response(302 if first else 500)
            if first:
                self.send_header("Location", f"http://localhost:{self.server.server_port}/")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        with pytest.raises(RecordsError, match="status 500"):
            versions(RestReader(f"http://127.0.0.1:{listening.server_port}"), "x")
        listening.shutdown()
    assert heard[0].startswith("Basic ")
    assert heard[1] is None


def test_a_server_is_asked_directly_unless_more_than_an_account_is_set(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    assert isinstance(reader.reader(), RestReader)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    assert isinstance(reader.reader(), LaterClient)
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    (tmp_path / ".mlflow").mkdir()
    (tmp_path / ".mlflow" / "credentials").touch()
    assert isinstance(reader.reader(), LaterClient)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "nettuner")
    assert isinstance(reader.reader(), RestReader)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert isinstance(reader.reader(), LaterClient)


def test_a_server_of_a_file_of_records_is_asked_in_its_place(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setattr(reader, "mlflow_server", lambda: "http://127.0.0.1:1")
    assert isinstance(reader.reader(), RestReader)
