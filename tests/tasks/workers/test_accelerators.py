"""GPUs are found without CUDA, in the order in which CUDA would count them."""

from __future__ import annotations

import sys

import pytest

from nettuner.tasks.workers.accelerators import accelerators

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="a Mac has no nvidia-smi")


def found():
    return [(one.device, one.handle, one.uuid) for one in accelerators()]


FIRST, SECOND = ("0", "GPU-aaaa-0"), ("1", "GPU-bbbb-1")


def test_without_nvidia_smi_there_are_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert accelerators() == []


def test_all_are_found_with_name_and_memory(two_gpus):
    assert found() == [("cuda:0", *FIRST), ("cuda:1", *SECOND)]
    first, _ = accelerators()
    assert (first.kind, first.shown, first.mib) == ("cuda", "cuda:0 NVIDIA Pretended", 4096)


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("1", [("cuda:0", *SECOND)]),
        ("1,0", [("cuda:0", *SECOND), ("cuda:1", *FIRST)]),  # cuda:1 is the second of the list
        ("GPU-bbbb", [("cuda:0", "GPU-bbbb", "GPU-bbbb-1")]),
        ("MIG-cccc", [("cuda:0", "MIG-cccc", "")]),
        ("", []),
        ("-1", []),
        ("0,7,1", [("cuda:0", *FIRST)]),  # CUDA stops at the first that it does not know
    ],
)
def test_what_the_environment_shows_is_counted_anew(two_gpus, monkeypatch, given, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert found() == seen


def test_a_program_that_fails_tells_of_none(two_gpus):
    two_gpus.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert accelerators() == []


def test_memory_that_is_not_told_is_unknown(two_gpus):
    two_gpus.write_text("#!/bin/sh\necho '0, GPU-aaaa-0, NVIDIA GB10, [N/A]'\n")
    assert [(one.name, one.mib) for one in accelerators()] == [("NVIDIA GB10", None)]
