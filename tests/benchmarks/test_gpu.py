"""The benchmark on a GPU runs on a CPU too, where its figures mean nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parent / "gpu.py"


@pytest.mark.slow
def test_all_is_measured_of_a_network(tmp_path):
    options = {
        "device": "cpu",
        "members": "1,4",
        "processes": "",
        "networks": "mlp 64-64-10",
        "seconds": "0.001",
        "output": str(tmp_path / "gpu.json"),
    }
    given = [f"--{name}={value}" for name, value in options.items()]
    done = subprocess.run([sys.executable, FILE, *given], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "gpu.json").read_text())
    (found,) = told["networks"].values()
    assert [of["members"] for of in found["stacks"]] == [1, 4]
    assert all(of["seconds per step"] > 0 for of in found["stacks"] + found["vectorised"])
    # 64 rows times 64 x 64 + 64 x 10 weights, a product and a sum each, forwards and for the
    # gradients of the weights, and for those of the hidden units once more: 64 x 10 weights.
    assert found["operations"] == 2 * 64 * (2 * (64 * 64 + 64 * 10) + 64 * 10)
    assert max(found["agreement"].values()) < 1e-5
