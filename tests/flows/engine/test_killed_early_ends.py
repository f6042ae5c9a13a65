"""A search that leaves configurations early is killed, and goes on as if nothing had happened."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from textwrap import dedent

import pytest

from nettuner.models.study_file import load

pytestmark = pytest.mark.long

# A curve that falls to a level of its own; each round is written down as it is trained.
LOOP = dedent(
    """
    import os, time
    import torch
    from torch import nn


    def train(h, context):
        net = nn.Linear(1, 1)
        optimiser = torch.optim.SGD(net.parameters(), 0.1)
        context.keep(net=net, optimiser=optimiser)
        for epoch in context.rounds():
            with open(h["log"], "a") as log:
                print(h["level"], epoch, file=log)
            time.sleep(float(os.environ.get("PATIENCE", 0)))
            context.report(cost=h["level"] + 1 / epoch)
    """
)
STUDY = """
name: {name}
learner: falling.py:train
metric: cost
direction: minimize
epochs: 9
seed: 2
width: 1
space:
  level: {{distribution: uniform, low: 0, high: 1}}
  log: {{distribution: choice, values: [{log}]}}
strategy: {{name: {strategy}, shortest: 1}}
stop: {{trials: 6}}
"""


def log_file(lab, name):
    """Where the rounds of a search are written down."""
    return lab.home / f"{name}.txt"


def study_file(lab, name, strategy):
    (lab.home / "falling.py").write_text(LOOP)
    path = lab.home / f"{name}.yaml"
    path.write_text(STUDY.format(name=name, log=log_file(lab, name), strategy=strategy))
    return path


def decisions(trials):
    """What was asked for, of which configuration, from where to where, and the score."""
    return [
        (t.number, t.proposal.params["level"], t.proposal.parent, t.proposal.until, t.score)
        for t in sorted(trials, key=lambda trial: trial.number)
    ]


def trained(lab, name):
    """How often each round of each configuration was trained."""
    return Counter(log_file(lab, name).read_text().splitlines())


def ended(lab, name):
    """How many segments have ended; none before the search began."""
    try:
        return len(lab.past(name)[-1].trials)
    except (ValueError, IndexError):
        return 0


@pytest.mark.parametrize("strategy", ["successive_halving", "freeze_thaw"])
def test_a_killed_search_trains_no_segment_twice_and_decides_the_same(lab, strategy):
    name = f"killed-{strategy}"
    path = study_file(lab, name, strategy)
    first = lab.command("search", path, env={**os.environ, "PATIENCE": "1"})
    deadline = time.monotonic() + 200
    while first.poll() is None and time.monotonic() < deadline and ended(lab, name) < 5:
        time.sleep(0.4)
    assert first.poll() is None, first.stderr.read()
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    assert first.returncode == -signal.SIGKILL
    before = lab.past(name)[-1].trials
    second = lab.command("search", path, "--resume")
    _, said = second.communicate(timeout=200)
    assert second.returncode == 0, said
    (past,) = lab.past(name)

    whole = lab.search(load(study_file(lab, f"whole-{strategy}", strategy)))
    assert decisions(past.trials) == decisions(whole.trials)
    assert 5 <= len(before) < len(past.trials)
    assert decisions(past.trials)[: len(before)] == decisions(before)
    assert max(trained(lab, f"whole-{strategy}").values()) == 1
    # Only the segment in flight, of one configuration, was trained again after it was killed.
    again = {line.split()[0] for line, times in trained(lab, name).items() if times > 1}
    assert len(again) <= 1
    done = {f"{t.proposal.params['level']} {p.round}" for t in before for p in t.curve}
    assert all(trained(lab, name)[line] == 1 for line in done)
