"""A user's own loop: continued, it equals one never interrupted; used wrongly, it says how."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nettuner.models.check import fit_together
from nettuner.models.fitted import MisfitError
from nettuner.models.space import Space
from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training import state
from nettuner.models.training.context import Context, takes_context
from nettuner.models.training.job import Job
from nettuner.models.training.losses import DivergedError
from nettuner.models.training.trial import run

LOOP = """
import random
import numpy as np
import torch
from torch import nn

def train(h, context):
    net = nn.Sequential(nn.Linear(4, int(h.get("hidden", 3))), nn.Dropout(0.3))
    optimiser = torch.optim.AdamW(net.parameters(), h["lr"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, h["lr"], total_steps=9)
    own, numpys = torch.Generator().manual_seed(context.seed), np.random.default_rng(context.seed)
    seen = {"rounds": [], "best": None}
    context.keep(net=net, optimiser=optimiser, schedule=schedule, own=own, numpys=numpys, seen=seen)
    for epoch in context.rounds():
        for _ in range(2):
            noise = torch.rand(5, 4, generator=own) * random.random() * np.random.rand()
            optimiser.zero_grad()
            loss = net(noise + torch.rand(5, 4) + numpys.random()).square().mean()
            loss.backward()
            optimiser.step()
            schedule.step()
        seen["rounds"].append(epoch)
        seen["best"] = min(loss.item(), seen["best"] or 1e9)
        context.report(cost=loss, best=seen["best"], rate=optimiser.param_groups[0]["lr"],
                       seen=len(seen["rounds"]))
"""
# An own loop of this body is called with `h` and `context`.
BODY = "import numpy as np\nimport torch\nfrom torch import nn\n\n\ndef train(h, context):\n"


@pytest.fixture(autouse=True)
def own_generators(monkeypatch):
    """A trial owns its process; here it shares one."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    ordinary, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        yield
    random.setstate(ordinary)
    np.random.set_state(numpys)  # noqa: NPY002


@pytest.fixture
def call(tmp_path):
    """Trains a function with a context as one segment of a training of four rounds."""

    def call(source, name="a", until=None, start=None, params=None, member=0, **changes):
        file = tmp_path / f"loop_{abs(hash(source))}.py"
        if "def train" not in source:
            source = BODY + "".join(f"    {line}\n" for line in source.splitlines())
        file.write_text(source)
        given = {
            "name": "own",
            "learner": f"{file}:train",
            "space": Space.model_validate({"x": [1, 2, 3]}),
            "metric": "cost",
            "direction": "minimize",
            "epochs": 4,
        }
        study = Study(**given | changes)
        proposal = Proposal(0, params or {"lr": 0.1}, None, member, until)
        start = tmp_path / f"{start}.safetensors" if start else None
        end, log = tmp_path / f"{name}.safetensors", tmp_path / f"{name}.jsonl"
        call.file = end
        return run(Job(study, Goal("cost", study.direction), proposal, log, start, end))

    call.folder = tmp_path
    return call


def rows(call, name):
    log = call.folder / f"{name}.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_training_continued_twice_equals_one_never_interrupted_to_the_bit(call):
    whole = call(LOOP, "whole")
    for name, until, start in [("a", 1, None), ("b", 3, "a"), ("c", 4, "b")]:
        found = call(LOOP, name, until, start)
    assert [row["step"] for name in "abc" for row in rows(call, name)] == [1, 2, 3, 4]
    assert found.metrics == whole.metrics
    assert (found.rounds, whole.rounds) == (1, 4)
    files = [call.folder / f"{name}.safetensors" for name in ("whole", "c")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert found.metrics["seen"] == 4.0  # a dict was restored in place


def test_other_members_and_other_rounds_draw_other_numbers(call):
    costs = {call(LOOP, member=member).metrics["cost"] for member in range(3)}
    assert len({row["metrics"]["cost"] for row in rows(call, "a")} | costs) == 4 + 2


def test_a_changed_learning_rate_is_in_force_in_the_next_segment(call):
    call(LOOP, "whole", params={"lr": 0.3})
    call(LOOP, "a", 2, params={"lr": 0.1})
    call(LOOP, "b", 4, "a", params={"lr": 0.3})
    rates = [row["metrics"]["rate"] for row in rows(call, "whole")[2:]]
    assert [row["metrics"]["rate"] for row in rows(call, "b")] == pytest.approx(rates, rel=1e-9)


def test_a_state_whose_shapes_do_not_fit_is_one_line(call):
    call(LOOP, "a", 2, params={"lr": 0.1, "hidden": 3})
    with pytest.raises(ValueError, match="fit what is built now") as caught:
        call(LOOP, "b", 4, "a", params={"lr": 0.1, "hidden": 5})
    assert str(caught.value) == (
        "the state of 'net' after round 2 must fit what is built now, got size mismatch for "
        "0.weight: copying a param with shape torch.Size([3, 4]) from checkpoint, the shape in "
        "current model is torch.Size([5, 4]).; name the hyperparameters that fix shapes in the "
        "study's `structural`"
    )


ROUNDS = "for _ in context.rounds():\n    context.report(cost=1.0)"
KEEP = "context.keep(net=nn.Linear(1, 1))\n"
LEFT = "for r in context.rounds():\n    context.report(cost=1.0)\n    if r == 2: break"


@pytest.mark.parametrize(
    ("body", "until", "message"),
    [
        ("pass", None, "must train in its rounds, got one that never asked for them; write"),
        ("context.rounds()", None, "must report 'cost', got no report; call"),
        ("for _ in context.rounds(): pass", None, "every round must be reported, got none of "
         "round 1; call context.report(cost=...) at its end"),
        ("for _ in context.rounds():\n    context.report(cost=1)\n    context.report(cost=1)",
         None, "a round must be reported once, got round 1 again; report all"),
        ("for _ in context.rounds():\n    context.report(loss=1, size=2)", None,
         "a report must have the study's metric 'cost', got loss, size; add it or change"),
        ("context.report(cost=1)", None, "got a report before the first one; report in `for"),
        (f"{ROUNDS}\n{ROUNDS}", None, "rounds() must be called once, got a second call; use one"),
        (ROUNDS, 2, "to be continued after round 2 of 4 must say what it goes on from, got no "
         "keep; call context.keep(net=net, optimiser=optimiser) before rounds()"),
        (KEEP + "for r in context.rounds():\n    context.report(cost=1.0)\n    break", 2,
         "the rounds must be trained up to 2, where the training is to be continued, got a loop "
         "that was left in round 1; let it end by itself"),
        (ROUNDS.replace("    c", f"    {KEEP}    c"), None,
         "keep must be called before rounds(), got it in round 1; move it up"),
        (KEEP + KEEP, None, "keep must name each part once, got 'net' twice; rename one"),
        ("context.keep(net=[1])", None, "net must have state_dict and load_state_dict, be a "
         "generator or a dict of plain values, got list; keep what it is made of"),
        ("context.keep(net={'x': print})\n" + ROUNDS, 2, "net/x of a state must be a number"),
        ("context.steps", None, "steps are those of a study that gives steps, got epochs=4"),
        ("rounds = context.rounds()\ncontext.report(cost=1)", None, "got a report before the first "
         "one; report in `for"),
        ("for _ in context.rounds(): context.show('a', torch.zeros(3))", None,
         "a picture must have the shape [height, width] or [height, width, 3], got [3]"),
        ("for _ in context.rounds(): context.report(cost='1')", None, "cost must be a number"),
    ],
)  # fmt: skip
def test_a_wrong_use_says_the_rule_what_was_done_and_the_way_out(call, body, until, message):
    with pytest.raises((ValueError, TypeError)) as caught:
        call(body, until=until)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (ROUNDS, "a training goes on from all that was saved (net), got no keep; call"),
        ("context.keep(net=nn.Linear(1, 1), more={})", "keep must name what was saved (net), got "
         "'more'; name the same parts in every call"),
        ("context.keep(net={'bias': 1})\nfor _ in context.rounds(): 1 / 0", "division by zero"),
    ],
)  # fmt: skip
def test_a_continuation_must_keep_what_was_saved(call, body, message):
    call(KEEP + ROUNDS, "a", 2)
    with pytest.raises((ValueError, ZeroDivisionError)) as caught:
        call(body, "b", 4, "a")
    assert message in str(caught.value)


def test_a_loop_may_stop_early_by_a_rule_of_its_own_where_nothing_follows(call):
    found = call(KEEP + LEFT)
    assert (found.rounds, found.score) == (2, 1.0)
    assert state.load(call.file).rounds == 2


def test_without_keep_there_is_no_state_and_no_need_of_one(call):
    assert call(ROUNDS).rounds == 4
    assert not call.file.exists()


@pytest.mark.parametrize(("loop", "rounds"), [(ROUNDS, 4), (LEFT, 2)])
@pytest.mark.parametrize("last", ["context.report(cost=0.5, test_cost=3)", "return {'cost': .5}"])
def test_what_comes_after_the_loop_is_of_the_whole_training(call, loop, rounds, last):
    found = call(f"{loop}\n{last}")
    assert (found.score, found.rounds) == (0.5, rounds)
    assert [row["round"] for row in rows(call, "a")] == [True] * rounds + [False]


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_metric_that_is_not_finite_ends_the_trial(call, value):
    body = f"for r in context.rounds(): context.report(cost=float('{value}') if r == 2 else 1)"
    with pytest.raises(DivergedError, match=f"^cost is {value} after round 2$"):
        call(body)
    assert [row["step"] for row in rows(call, "a")] == [1, 2]


def test_rounds_of_steps_name_their_steps(call):
    body = (
        "seen = []\nfor _ in context.rounds():\n    seen.append(len(context.steps))\n"
        "    context.report({'cost': context.steps[-1]}, count=sum(seen), of=context.length.steps)"
    )
    call(body, epochs=None, steps=7, evaluate_every=3)
    found = [(row["step"], row["metrics"]) for row in rows(call, "a")]
    assert found == [
        (3, {"cost": 2, "count": 3, "of": 7}),
        (6, {"cost": 5, "count": 6, "of": 7}),
        (7, {"cost": 6, "count": 7, "of": 7}),
    ]


def test_steps_are_those_of_a_round(call):
    with pytest.raises(ValueError, match="got a question before the first one; ask in `for"):
        call("context.steps", epochs=None, steps=7)


def test_a_folder_of_its_own_is_empty_and_is_gone_with_the_trial(call):
    left = call.folder / "a.folder"
    left.mkdir()
    (left / "of-a-killed-search").touch()
    body = "(context.folder / 'own').touch()\ncount = len(list(context.folder.iterdir()))\n"
    assert call(f"{body}for _ in context.rounds(): context.report(cost=count)").score == 1
    assert not left.exists()
    with pytest.raises(ZeroDivisionError):
        call(f"{body}1 / 0")
    assert not left.exists()


def test_data_device_and_seed_are_told(call):
    body = (
        "data = context.data.train if context.data else ()\n"
        "for _ in context.rounds():\n"
        "    context.report(cost=len(data), cpu=context.device.type == 'cpu', seed=context.seed)"
    )
    with_data, without = call(body, data="iris"), call(body)
    assert (with_data.score, without.score) == (90.0, 0.0)  # 150 flowers, 60 of them held out
    assert with_data.metrics["seed"] == without.metrics["seed"] < 2**32
    assert call(body, member=1).metrics["seed"] != without.metrics["seed"]
    assert without.metrics["cpu"] == float(not torch.accelerator.is_available())


def test_the_seed_is_that_of_no_round(call):
    body = (
        "for _ in context.rounds():\n"
        "    context.report(cost=torch.initial_seed() % 2**32 == context.seed)"
    )
    call(body)
    assert [row["metrics"]["cost"] for row in rows(call, "a")] == [0.0] * 4


def test_pictures_of_numbers_from_0_to_1_and_of_bytes_are_drawn(call):
    body = (
        "for r in context.rounds():\n"
        "    context.show('grey', torch.tensor([[0.0, 0.5], [1.0, 7.0]]))\n"
        "    context.show('whole', torch.full((2, 1, 3), 9, dtype=torch.uint8))\n"
        "    context.show('val/far', np.array([[-1, 300]]))\n"
        "    context.report(cost=1)\n    break"
    )
    call(body)
    assert np.load(call.folder / "a.val%2Ffar.1.npy").tolist() == [[0, 255]]
    assert np.load(call.folder / "a.grey.1.npy").tolist() == [[0, 128], [255, 255]]
    assert np.load(call.folder / "a.whole.1.npy").tolist() == [[[9, 9, 9]], [[9, 9, 9]]]


def named(h, context): ...
def annotated(h, to: Context): ...
def quoted(h, to: nettuner.Context): ...  # noqa: F821
def plain(h, report): ...
def single(h): ...


@pytest.mark.parametrize(
    ("function", "taken"),
    [(named, True), (annotated, True), (quoted, True), (plain, False), (single, False),
     (dict, False), (len, False)],
)  # fmt: skip
def test_a_context_is_asked_for_by_name_or_annotation(function, taken):
    assert takes_context(function) is taken


# The study of such a function


def study(tmp_path, **changes):
    (tmp_path / "own.py").write_text("def train(h, context): ...\ndef plain(h, report): ...\n")
    given = {
        "name": "own",
        "learner": f"{tmp_path / 'own.py'}:train",
        "space": {
            "rate": {"distribution": "log-uniform", "low": 0.01, "high": 1},
            "units": {"distribution": "integer", "low": 1, "high": 9},
            "kind": ["a", "b"],
            "share": 0.5,
        },
        "metric": "cost",
        "direction": "minimize",
        "epochs": 3,
    }
    return Study.model_validate(given | changes)


def test_all_but_real_numbers_stay_with_the_weights(tmp_path):
    found = fit_together(study(tmp_path))
    assert (found.structural, found.kind) == ({"units", "kind", "share"}, "loop")


def test_a_study_may_say_what_stays_with_the_weights(tmp_path):
    assert fit_together(study(tmp_path, structural=["rate"])).structural == {"rate"}
    assert fit_together(study(tmp_path, structural=[])).structural == frozenset()


def test_the_data_of_a_function_with_a_context_are_recorded(tmp_path):
    found = fit_together(study(tmp_path, data="iris"))
    assert (found.data_name, len(found.fingerprint)) == ("iris", 16)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"epochs": None}, "epochs: .*needs a length, got none; give epochs or steps"),
        ({"direction": None}, "direction: a function's metric needs one, got none for 'cost'"),
        ({"structural": ["width"]}, r"structural: must be names of the space \(rate, units, "
         r"kind, share\), got 'width'; correct it"),
        ({"data": {"source": "csv", "path": "no.csv", "target": "y"}}, "data: no file no.csv"),
    ],
)  # fmt: skip
def test_a_study_that_does_not_fit_says_so_before_anything_is_trained(tmp_path, changes, fault):
    with pytest.raises(MisfitError, match=fault):
        fit_together(study(tmp_path, **changes))


@pytest.mark.parametrize("learner", ["mlp", "plain"])
def test_other_learners_take_no_structural(tmp_path, learner):
    place = "mlp" if learner == "mlp" else f"{Path(tmp_path, 'own.py')}:plain"
    with pytest.raises(MisfitError, match="structural: is for functions with a context, got it"):
        fit_together(study(tmp_path, learner=place, structural=["rate"], data="iris"))
