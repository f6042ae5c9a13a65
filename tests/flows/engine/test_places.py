"""A search on two GPUs that are not there: where its trials run, and what is recorded of it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from nettuner.flows.engine.search import SearchFailedError
from nettuner.tasks.report.tables import trials_table

pytestmark = pytest.mark.slow

FUNCTIONS = dedent(
    """
    import os, signal, time
    from pathlib import Path

    HERE = Path(__file__).parent


    def seen():
        return os.environ.get("CUDA_VISIBLE_DEVICES", "not set")


    def meet(h, report):
        # Ends once four are here at the same time.
        (HERE / f"met-{os.getpid()}").write_text(seen())
        deadline = time.monotonic() + 60
        while len(list(HERE.glob("met-*"))) < 4 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.5)
        return h["x"]


    def dies_once(h, report):
        with (HERE / "died").open("a") as file:
            file.write(seen() + " ")
        if (HERE / "died").read_text().count(" ") == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return h["x"]


    def tells(h, report):
        with (HERE / "told").open("a") as file:
            file.write(seen() + ";")
        return h["x"]
    """
)


@pytest.fixture
def searched(lab, tmp_path):
    """Searches a function of those above, in workers of its own."""
    (tmp_path / "own.py").write_text(FUNCTIONS)

    def searched(function, trials, resume=False, **asked):
        name = f"places-{function}"
        learner = str(tmp_path / "own.py") + f":{function}"
        changes = {"learner": learner, "stop": {"trials": trials}, "width": None, **asked}
        return lab.search(lab.function_study(name, **changes), resume)

    return searched


def test_two_trials_share_each_gpu_and_their_runs_say_so(
    two_gpus, searched, lab, tmp_path, monkeypatch
):
    monkeypatch.setattr("nettuner.tasks.workers.utilisation.SAMPLE_SECONDS", 0.1)
    result = searched("meet", 4, device="cuda", per_device=2)
    assert sorted(file.read_text() for file in tmp_path.glob("met-*")) == ["0", "0", "1", "1"]
    devices = sorted(trial.device for trial in result.trials)
    assert devices == ["cuda:0 NVIDIA Pretended"] * 2 + ["cuda:1 NVIDIA Pretended"] * 2
    busy = {trial.device[:6]: trial.utilisation for trial in result.trials}
    assert busy == {"cuda:0": 40, "cuda:1": 60}
    for run in lab.runs(result).values():
        place = run.data.tags["nettuner.device"][:6]
        assert run.data.metrics["nettuner/gpu_utilisation"] == busy[place]
    (past,) = lab.past("places-meet")
    assert sorted(past.trials, key=lambda trial: trial.number) == sorted(
        result.trials, key=lambda trial: trial.number
    )
    assert sorted(trials_table(past)["device"]) == devices


def test_the_place_of_a_killed_worker_is_used_again(two_gpus, searched, tmp_path):
    result = searched("dies_once", 3, device="cuda:1")
    assert sorted(trial.succeeded for trial in result.trials) == [False, True, True]
    assert (tmp_path / "died").read_text() == "1 1 1 "


def test_a_search_that_began_on_a_gpu_goes_on_on_the_cpu(two_gpus, searched, tmp_path):
    stop = {"trials": 3, "failures": 1}
    with pytest.raises(SearchFailedError):
        searched("dies_once", 3, device="cuda:1", stop=stop)
    result = searched("dies_once", 3, resume=True, device="cpu", stop=stop)
    devices = {trial.number: trial.device for trial in result.trials}
    assert devices == {0: "cuda:1 NVIDIA Pretended", 1: None, 2: None}
    assert (tmp_path / "died").read_text() == "1 " + " " + " "


def test_width_is_the_most_also_where_there_are_more_places(two_gpus, searched, tmp_path):
    searched("tells", 2, device="cuda", width=1)
    assert (tmp_path / "told").read_text() == "0;0;"


@pytest.mark.parametrize(
    ("device", "visible"),
    [("cpu", ";"), ("auto", "0;")],  # what a function does is not measured: it has the GPU
)
def test_a_function_sees_what_its_study_says(two_gpus, searched, lab, tmp_path, device, visible):
    result = searched("tells", 1, device=device)
    assert (tmp_path / "told").read_text() == visible
    (run,) = lab.runs(result).values()
    shown = "cpu" if device == "cpu" else "cuda:0 NVIDIA Pretended"
    assert run.data.tags["nettuner.device"] == shown
    assert ("(device auto)" in result.where) == (device == "auto")


def test_without_gpus_nothing_is_set_and_no_column_says_so(searched, lab, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = searched("tells", 1)
    assert (tmp_path / "told").read_text() == "not set;"
    past = lab.past("places-tells")[-1]
    assert past.run_id == result.run_id
    assert not {"device", "peak_memory_mib", "gpu_utilisation"} & {*trials_table(past)}
