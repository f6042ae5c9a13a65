"""Workers: reused, stopped when over time, replaced when they die, and the search lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from nettuner.models import learners
from nettuner.models.preload import preload
from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training.job import Job
from nettuner.models.training.trial import run
from nettuner.tasks.workers import base
from nettuner.tasks.workers.pool import InterruptedSearchError, TrialFailedError, open_pool

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pool():
    with open_pool(1, threads=1) as one_worker:
        yield one_worker


@pytest.fixture(scope="module")
def pair():
    with open_pool(2, threads=1) as two_workers:
        yield two_workers


def reason(pool, *call, **keywords):
    with pytest.raises(TrialFailedError) as failure:
        pool.run(*call, **keywords)
    return str(failure.value)


def test_time_is_counted_from_the_start_of_the_call_not_of_the_worker(pool):
    assert pool.run(int, "7", seconds=0.3) == 7  # the first call: importing torch takes longer


def test_it_is_told_when_a_call_begins_not_when_its_worker_starts():
    begun = []
    with open_pool(1, threads=1) as pool:
        assert pool.run(time.time, begin=lambda: begun.append(time.time())) < begun[0] + 0.1
        pool.run(time.sleep, 0.5, begin=lambda: begun.append(time.time()))
        assert time.time() - begun[1] > 0.4
    assert len(begun) == 2


def test_a_worker_runs_one_call_after_another(pool):
    first = pool.run(os.getpid)
    assert first != os.getpid()
    assert pool.run(os.getpid) == first


def test_a_worker_keeps_to_the_threads_it_was_given(pool):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        assert pool.run(os.getenv, name) == "1"
    assert pool.run(eval, "__import__('torch').get_num_threads()") == 1


def test_an_exception_is_a_failure_with_its_reason_and_costs_no_worker(pool):
    before = pool.run(os.getpid)
    assert reason(pool, int, "ten") == ("ValueError: invalid literal for int() with base 10: 'ten'")
    assert pool.run(os.getpid) == before


def test_a_failure_says_where_it_happened(pool):
    with pytest.raises(TrialFailedError) as failure:
        pool.run(exec, "def f():\n    1 / 0\nf()")
    assert "line 2, in f" in failure.value.details


def test_an_exception_that_cannot_be_pickled_is_a_failure_with_its_reason(pool):
    code = "class Odd(Exception):\n    def __init__(self, a, b): super().__init__('odd')\n"
    assert reason(pool, exec, code + "raise Odd(1, 2)") == "Odd: odd"
    assert pool.run(int, "1") == 1


def test_an_answer_or_argument_that_cannot_be_pickled_is_a_failure(pool):
    assert "pickle" in reason(pool, eval, "lambda: 0")
    assert "pickle" in reason(pool, int, lambda: 0)
    assert pool.run(int, "1") == 1


def test_leaving_python_politely_is_a_failure_with_its_reason(pool):
    assert reason(pool, sys.exit, 4) == "SystemExit: 4"


def test_a_functions_own_timeout_error_is_not_taken_for_ours(pool):
    code = "raise TimeoutError('no answer from the data base')"
    expected = "TimeoutError: no answer from the data base"
    assert reason(pool, exec, code) == expected
    assert reason(pool, exec, f"import time; time.sleep(0.5); {code}", seconds=30) == expected


def test_a_call_that_takes_too_long_is_stopped_and_its_worker_replaced(pool):
    before = pool.run(os.getpid)
    expected = "stopped: a trial may take 0.5 s (trial_seconds)"
    assert reason(pool, time.sleep, 60, seconds=0.5) == expected
    assert pool.run(os.getpid) != before


def test_a_call_is_looked_after_while_it_runs(pool):
    glances = []
    pool.run(time.sleep, 1, glance=lambda: glances.append(1))
    assert 3 <= len(glances) <= 7  # five times a second


def test_a_process_that_leaves_with_status_0_is_a_failure_too(pool):
    assert reason(pool, os._exit, 0, seconds=60) == "its process exited with status 0"


def test_what_stops_itself_or_is_deaf_or_busy_ends_at_its_limit(pool):
    expected = "stopped: a trial may take 0.5 s (trial_seconds)"
    stopped = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    busy = "sum(range(10**11))"  # one call in C, which holds the lock of the interpreter
    for code in (stopped, deaf, busy):
        began = time.monotonic()
        assert reason(pool, exec, code, seconds=0.5) == expected
        assert time.monotonic() - began < 10


def sleepers(mark):
    """Processes that carry a mark in their environment."""
    found = []
    for folder in os.listdir("/proc"):
        if folder.isdigit():
            with suppress(OSError):
                if mark.encode() in Path(f"/proc/{folder}/environ").read_bytes():
                    found.append(int(folder))
    return found


@pytest.mark.parametrize(
    ("end", "limit"), [("", None), ("import os; os._exit(0)", None), ("time.sleep(60)", 1.0)]
)
def test_all_that_a_call_started_ends_with_it(pool, end, limit):
    mark = f"MARK={os.urandom(8).hex()}"
    code = f"""
import os, subprocess, time
os.environ["MARK"] = {mark.removeprefix("MARK=")!r}
subprocess.Popen(["sleep", "777"])
subprocess.Popen(["sleep", "777"], start_new_session=True)
subprocess.Popen(["sh", "-c", "sleep 777 & sleep 777"], stdout=subprocess.DEVNULL)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execlp("sleep", "sleep", "777")
    os._exit(0)
time.sleep(0.2)
{end}
"""
    with suppress(TrialFailedError):
        pool.run(exec, code, seconds=limit, own_process=True)
    deadline = time.monotonic() + 10
    while (left := sleepers(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


CHANGES = [
    "import os; os.chdir('/')",
    "import os; os.environ['SOME_SETTING'] = '1'",
    "import os; os.umask(0o007)",
    "import torch; torch.set_grad_enabled(False)",
    "import torch; torch.set_default_dtype(torch.float64)",
    "import torch; torch.set_num_threads(3)",
    "import torch; torch.use_deterministic_algorithms(True)",
    "import numpy; numpy.seterr(all='raise')",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "import signal; signal.setitimer(signal.ITIMER_REAL, 60)",
    "import sys; sys.setrecursionlimit(5000)",
    "import sys; sys.path.insert(0, '/somewhere')",
    "import sys; sys.stdout = None",
    "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "import logging; logging.disable(logging.ERROR)",
    "import decimal; decimal.getcontext().prec = 5",
    "import gc; gc.disable()",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_call_that_changes_its_process_leaves_a_new_one_to_the_next(pool, change):
    before = pool.run(os.getpid)
    pool.run(exec, change)
    assert pool.run(os.getpid) != before


def test_filters_of_warnings_end_with_the_call_that_set_them(pool):
    before = pool.run(os.getpid), pool.run(eval, "len(__import__('warnings').filters)")
    pool.run(exec, "import warnings; warnings.simplefilter('error')")
    assert before == (pool.run(os.getpid), pool.run(eval, "len(__import__('warnings').filters)"))


def test_a_call_with_a_process_of_its_own_meets_nothing_of_another(pool):
    code = "import math; math.seen = getattr(math, 'seen', 0) + 1"
    for _ in range(2):
        pool.run(exec, code, own_process=True)
    assert pool.run(eval, "getattr(__import__('math'), 'seen', 0)") == 0


def test_what_a_call_prints_goes_to_its_file_also_from_other_programs(pool, tmp_path):
    file = tmp_path / "output.txt"
    code = "import os, sys; print('one'); os.system('echo two'); print('three', file=sys.stderr)"
    pool.run(exec, code, output=file)
    assert sorted(file.read_text().split()) == ["one", "three", "two"]
    pool.run(exec, "print('four')")
    assert "four" not in file.read_text()


def test_a_process_that_dies_tells_what_it_printed_last(pool, tmp_path):
    code = "import os, sys; print('so far so good'); sys.stdout.flush(); os._exit(7)"
    with pytest.raises(TrialFailedError) as failure:
        pool.run(exec, code, output=tmp_path / "output.txt")
    assert str(failure.value) == "its process exited with status 7"
    assert failure.value.details.strip() == "so far so good"


def test_a_crash_in_c_tells_where_it_happened(pool, tmp_path):
    with pytest.raises(TrialFailedError) as failure:
        pool.run(exec, "import ctypes; ctypes.string_at(0)", output=tmp_path / "output.txt")
    assert str(failure.value) == "its process was killed by SIGSEGV"
    assert "Segmentation fault" in failure.value.details
    assert "string_at" in failure.value.details


def test_a_worker_that_dies_is_replaced_while_the_other_goes_on(pair):
    outcome = []
    other = threading.Thread(
        target=lambda: outcome.append(pair.run(eval, "(__import__('time').sleep(3), 5)[1]"))
    )
    other.start()
    time.sleep(0.5)
    assert reason(pair, os._exit, 3) == "its process exited with status 3"
    kill = f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"
    expected = "its process was killed by SIGKILL; most often the machine ran out of memory"
    assert reason(pair, exec, kill) == expected
    other.join()
    assert outcome == [5]
    assert pair.run(int, "1") == 1


def test_a_worker_that_dies_while_idle_is_replaced(pool):
    os.kill(pool.run(os.getpid), signal.SIGKILL)
    assert pool.run(int, "1") == 1


def test_stopping_interrupts_what_runs_and_leaves_no_process(pair):
    pids = {pair.run(os.getpid) for _ in range(4)}
    ended = []

    def long():
        try:
            pair.run(time.sleep, 60)
        except InterruptedSearchError as error:
            ended.append(str(error))

    threads = [threading.Thread(target=long) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    began = time.monotonic()
    pair.stop()
    for thread in threads:
        thread.join(timeout=10)
    assert ended == ["the search was interrupted"] * 2
    assert time.monotonic() - began < 10
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
    with pytest.raises(InterruptedSearchError):  # what comes too late is interrupted too
        pair.run(int, "1")


def test_the_process_that_workers_are_forked_from_is_replaced_when_it_is_killed():
    with open_pool(1, threads=1) as pool:
        pid = pool.run(os.getpid, own_process=True)
        os.kill(pool.run(eval, "__import__('os').getppid()"), signal.SIGKILL)
        assert pool.run(os.getpid, own_process=True) != pid


def test_a_call_that_is_lost_with_all_others_runs_again(pool, tmp_path):
    log = tmp_path / "log"
    code = (
        "import os, pathlib, time\n"
        f"log = pathlib.Path({str(log)!r})\n"
        "first = not log.exists()\n"
        "log.open('a').write('begun ')\n"
        "if first:\n"
        "    os.kill(os.getppid(), 9)\n"
        "    time.sleep(60)\n"
    )
    pool.run(exec, code)
    assert log.read_text() == "begun begun "


def test_a_call_that_always_kills_its_parent_fails_in_the_end(pool):
    kill = "import os, time; os.kill(os.getppid(), 9); time.sleep(60)"
    assert reason(pool, exec, kill).startswith("its process died 3 times with the one it was")


def test_workers_that_cannot_start_say_why(monkeypatch, capsys):
    monkeypatch.setattr(base, "_standing", [])
    nothing = replace(base.KIND, module="nettuner.tasks.workers.nothing_of_this_name")
    monkeypatch.setattr(base, "KIND", nothing)
    with open_pool(1, threads=1) as pool:
        for _ in range(2):
            with pytest.raises(TrialFailedError) as failure:
                pool.run(int, "1")
    assert str(failure.value).startswith("its process died 3 times before it could begin: ")
    assert "No module named" in str(failure.value)
    assert "nothing_of_this_name" in failure.value.details
    said = capsys.readouterr().err
    assert said.startswith("no worker can start:\n")
    assert "nothing_of_this_name" in said
    assert said.count("no worker can start") == 1


def study(learner, **changes):
    given = {"name": "s", "learner": str(learner), "space": {"x": [1, 2]}, "metric": "loss"}
    return Study.model_validate({**given, **changes})


@pytest.mark.parametrize(
    "statement",
    [
        "pass",
        "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start()",
        "import os; os.getenv('NETTUNER_TEST_ONCE') or os._exit(3)",
        "raise RuntimeError('not here')",
    ],
)
def test_a_module_that_cannot_be_imported_before_a_fork_costs_no_worker(tmp_path, statement):
    learner = tmp_path / "own.py"
    learner.write_text(f"{statement}\ndef f(h, report):\n    return 1.0\n")
    with open_pool(1, threads=1, study=study(f"{learner}:f")) as pool:
        assert pool.run(int, "7", own_process=True) == 7


def test_a_studys_module_is_imported_once_for_all_workers(tmp_path):
    learner = tmp_path / "own.py"
    learner.write_text(
        "import os\n"
        f"open({str(tmp_path / 'log')!r}, 'a').write('x')\n"
        "def f(h, report):\n    return 1.0\n"
    )
    given = study(f"{learner}:f")
    with open_pool(2, threads=1, study=given) as pool:
        for _ in range(3):
            pool.run(preload, given, own_process=True)
    assert (tmp_path / "log").read_text() == "x"


def test_a_studys_module_that_asks_for_cuda_on_import_does_not_touch_it(tmp_path, monkeypatch):
    variable = "PYTORCH_NVML_BASED_CUDA_CHECK"  # with it torch asks the driver's library
    monkeypatch.delenv(variable, raising=False)  # Lightning sets it when it is imported
    learner, log = tmp_path / "own.py", tmp_path / "log"
    learner.write_text(
        "import os\n"
        f"open({str(log)!r}, 'w').write(str(os.environ.get({variable!r})))\n"
        "def f(h, report):\n    return 1.0\n"
    )
    with open_pool(1, threads=1, study=study(f"{learner}:f")) as pool:
        assert pool.run(os.getenv, variable) is None
    assert log.read_text() == "1"


@pytest.mark.parametrize("learner", learners.names())
def test_training_a_learner_leaves_its_worker_to_the_next_call(learner, tmp_path):
    table = tmp_path / "reviews.csv"
    table.write_text("text,label\n" + "good film,1\nbad film,0\n" * 10)
    others = {
        "translator": {"source": "numbers", "rows": 60, "longest": 4},
        "text_classifier": {"source": "sentences", "path": str(table), "text": "text"},
    }
    given = study(learner, data=others.get(learner, "digits"), epochs=1)
    job = Job(
        given,
        Goal("val_frechet" if learner == "gan" else "val_loss", "minimize"),
        Proposal(0, {}, until=1),
        tmp_path / "log",
        end=tmp_path / "end",
    )
    with open_pool(1, threads=1, study=given) as pool:
        first = pool.run(os.getpid)
        pool.run(run, job)
        assert pool.run(os.getpid) == first


def test_nothing_is_left_of_workers_when_their_search_is_killed(tmp_path):
    script = tmp_path / "search.py"
    script.write_text(
        "import os, time\n"
        "from nettuner.tasks.workers.pool import open_pool\n"
        "with open_pool(1, 1) as pool:\n"
        "    print(pool.run(os.getpid), flush=True)\n"
        "    pool.run(time.sleep, 60)\n"
    )
    mark = f"MARK={os.urandom(8).hex()}"
    search = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        env={**os.environ, "MARK": mark.removeprefix("MARK=")},
    )
    assert search.stdout is not None
    assert int(search.stdout.readline())
    assert len(sleepers(mark)) == 4  # the search, the two that fork, and the worker
    search.kill()
    search.wait()
    deadline = time.monotonic() + 10
    while (left := sleepers(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def test_a_worker_that_cannot_be_set_up_says_why():
    with open_pool(1, threads=-1) as pool, pytest.raises(TrialFailedError) as failure:
        pool.run(int, "1")
    assert str(failure.value).startswith("its process died 3 times before it could begin: ")
    assert "set_num_threads" in failure.value.details
