"""Workers: reused, stopped when over time, replaced when they die, and the search lives on."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest

from nettuner.tasks.training.pool import InterruptedSearchError, TrialFailedError, open_pool

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
