"""Two GPUs that are not there: a program named `nvidia-smi` tells of them, as the real one does."""

from __future__ import annotations

import os
from textwrap import dedent

import pytest

PRETENDS = dedent(
    """
    #!/bin/sh
    case "$1" in
    *memory.total*)
        echo "0, GPU-aaaa-0, NVIDIA Pretended, 4096"
        echo "1, GPU-bbbb-1, NVIDIA Pretended, 4096"
        ;;
    *)
        while true; do
            echo "GPU-aaaa-0, 40"
            echo "GPU-bbbb-1, 60"
            sleep 0.1
        done
        ;;
    esac
    """
).lstrip()


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    """A machine with two GPUs of 4096 MiB, one 40 % and one 60 % busy."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(PRETENDS)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return program
