"""One worker a place: it sees the GPU of its place alone, and its place is free once it is gone."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from nettuner.tasks.workers import accelerators
from nettuner.tasks.workers.places import HERE, Place, Places, on_accelerators
from nettuner.tasks.workers.pool import TrialFailedError, open_pool
from nettuner.tasks.workers.utilisation import Utilisation, watched


@pytest.fixture
def gpus(two_gpus):
    return accelerators.accelerators()


def shown(places):
    return [place.shown.split()[0] for place in places]


def test_places_are_spread_evenly_over_gpus(gpus):
    assert shown(on_accelerators(gpus, 4)) == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert shown(on_accelerators(gpus, 3)) == ["cuda:0", "cuda:1", "cuda:0"]


def test_a_place_is_one_trials_at_a_time(gpus):
    places = Places(on_accelerators(gpus, 2))
    with places.one() as first, places.one() as second:
        assert shown([first.place, second.place]) == ["cuda:0", "cuda:1"]
        waiting = threading.Thread(target=lambda: places.one().__enter__())
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
    waiting.join(5)
    assert not waiting.is_alive()


def test_utilisation_is_the_mean_of_the_samples_since_then():
    found = Utilisation()
    told = [("a", "10"), ("a", "20"), ("b", "90"), ("a", "[N/A]"), ("a", "30")]
    for at, (uuid, percent) in enumerate(told):
        found.add(uuid, percent, float(at))
    assert found.mean("a", 1.0) == 25
    assert found.mean("b", 0.0) == 90
    assert found.mean("b", 3.0) is None
    assert found.mean("c", 0.0) is None


def test_samples_are_taken_in_a_thread_that_ends_with_the_search(gpus):
    before = threading.active_count()
    with watched() as found:
        deadline = time.monotonic() + 10
        while found.mean("GPU-bbbb-1", 0.0) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert found.mean("GPU-aaaa-0", 0.0) == 40
        assert found.mean("GPU-bbbb-1", 0.0) == 60
    assert threading.active_count() == before


def test_the_same_bits_need_a_word_in_the_environment_of_a_worker(gpus):
    word = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    (plain,), (place,) = on_accelerators(gpus, 1), on_accelerators(gpus, 1, deterministic=True)
    assert place.environment == plain.environment | word
    assert Place(deterministic=True).environment == word
    assert Place(hides=True, deterministic=True).environment == {"CUDA_VISIBLE_DEVICES": ""} | word


SEEN = "__import__('os').environ.get('CUDA_VISIBLE_DEVICES')"


@pytest.mark.slow
def test_a_worker_sees_the_gpu_of_its_place_alone(gpus):
    first, second = on_accelerators(gpus, 2)
    with open_pool(2, threads=1) as pool:
        assert pool.run(eval, SEEN, place=first) == "0"
        assert pool.run(eval, SEEN, place=second) == "1"
        order = "__import__('os').environ['CUDA_DEVICE_ORDER']"
        assert pool.run(eval, order, place=second) == "PCI_BUS_ID"
        assert pool.run(eval, SEEN, place=Place(hides=True)) == ""
        assert pool.run(eval, SEEN, place=HERE) is None


@pytest.mark.slow
def test_a_worker_that_is_idle_is_used_again_at_its_place_alone(gpus):
    first, second = on_accelerators(gpus, 2)
    with open_pool(1, threads=1) as pool:
        at_first = pool.run(os.getpid, place=first)
        assert pool.run(os.getpid, place=second) != at_first
        assert pool.run(os.getpid) != at_first
        assert pool.run(os.getpid, place=first) == at_first


@pytest.mark.slow
def test_a_killed_worker_is_gone_when_its_place_is_free(gpus):
    places = Places(on_accelerators(gpus, 1))
    with open_pool(1, threads=1) as pool:
        with places.one() as stay:
            pid = pool.run(os.getpid, place=stay.place)
            with pytest.raises(TrialFailedError, match="may take"):
                pool.run(time.sleep, 60, seconds=0.5, place=stay.place)
        assert not os.path.exists(f"/proc/{pid}")
        with places.one() as stay:
            code = f"__import__('os').kill(__import__('os').getpid(), {int(signal.SIGKILL)})"
            with pytest.raises(TrialFailedError, match="SIGKILL"):
                pool.run(eval, code, place=stay.place)
            assert pool.run(eval, SEEN, place=stay.place) == "0"


@pytest.mark.slow
def test_a_worker_has_not_touched_cuda_before_it_knows_its_place(gpus):
    (place,) = on_accelerators(gpus, 1)
    with open_pool(1, threads=1) as pool:
        assert pool.run(eval, "__import__('torch').cuda.is_initialized()", place=place) is False
