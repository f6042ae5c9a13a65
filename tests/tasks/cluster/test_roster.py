"""Agents come, stay and go with the machines of a cluster; here all in this process."""

from __future__ import annotations

import tempfile
import time

import pytest

from nettuner.models.study import Study
from nettuner.tasks.cluster import agent as agents
from nettuner.tasks.cluster import roster as module
from nettuner.tasks.cluster.agent import Agent
from nettuner.tasks.cluster.roster import Roster
from nettuner.tasks.cluster.runner import LostAgentError, RunnerError, Setting
from nettuner.tasks.cluster.shipped import Shipped

STUDY = Study.model_validate(
    {
        "name": "s",
        "learner": "mlp",
        "data": "iris",
        "space": {"hidden": [2, 4]},
        "metric": "val_loss",
        "runner": {"name": "dask", "cpus": 4},
    }
)


class Near:
    """A cluster whose machines are names."""

    where = "near at hand"

    def __init__(self, **room):
        self.room = room
        self.agents = []

    def machines(self):
        return dict(self.room)

    def start(self, machine, setting):
        self.agents.append(Agent(setting))
        return Called(self, machine, self.agents[-1])

    def close(self):
        for agent in self.agents:
            agent.stop()


class Called:
    def __init__(self, cluster, machine, agent):
        self._cluster, self._machine, self._agent = cluster, machine, agent

    def call(self, method, *args):
        if self._machine not in self._cluster.room:
            raise LostAgentError("gone")
        try:
            return getattr(self._agent, method)(*args)
        except Exception as error:
            raise LostAgentError(str(error)) from None


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Keeps an agent in every slot of a cluster."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.05)
    open_ = []

    def kept(cluster, most=None):
        setting = Setting(1, 0, 0.0, False, ())
        open_.append((Roster(cluster, STUDY, Shipped((), ()), setting, most), cluster))
        return open_[-1][0]

    yield kept
    for roster, cluster in open_:
        roster.close()
        cluster.close()


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def slots(roster):
    return sorted(agent.slot for agent in roster.agents)


def test_there_is_an_agent_in_every_slot_and_machines_are_filled_evenly(kept):
    everywhere, some = kept(Near(a=2, b=1)), kept(Near(a=2, b=1), most=2)
    until(lambda: slots(everywhere) == [("a", 0), ("a", 1), ("b", 0)])
    until(lambda: slots(some) == [("a", 0), ("b", 0)])


def test_an_agent_that_waits_for_work_longer_than_its_lease_stays(kept, monkeypatch, tmp_path):
    monkeypatch.setattr(agents, "LEASE_SECONDS", 0.6)
    monkeypatch.setattr(module, "STAY_SECONDS", 0.1)
    cluster = Near(a=1)
    roster = kept(cluster)
    first = roster.first()
    time.sleep(2)
    with roster.lent() as agent:
        assert agent is first
        assert agent.call("hello").fault is None
    assert len(list(tmp_path.iterdir())) == 1  # it would have deleted its folder
    assert len(cluster.agents) == 1


def test_an_agent_that_has_ended_is_lost_and_fails_no_trial(kept):
    cluster = Near(a=1)
    agent = kept(cluster).first()
    cluster.agents[0].stop()
    with pytest.raises(LostAgentError, match="has ended"):
        agent.call("begin", b"", None, False)


def test_a_machine_that_goes_takes_its_agent_along_and_one_that_joins_brings_one(kept):
    cluster, told = Near(a=1), []
    roster = kept(cluster)
    roster.changed = lambda: told.append(slots(roster))
    roster.first()
    cluster.room = {"b": 1}
    until(lambda: slots(roster) == [("b", 0)])
    assert told[-1] == [("b", 0)]
    with roster.lent() as agent:
        assert agent.slot == ("b", 0)


def test_machines_without_room_are_refused_at_once(kept):
    with pytest.raises(RunnerError, match=r"2 workers, none with room for a trial .* cpus=4; ask"):
        kept(Near(a=0, b=0))
