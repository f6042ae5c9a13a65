"""The report of a search is written beside its records, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_a_home_that_was_removed_meanwhile_is_not_made_again(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import os, shutil, sys\n"
        "from nettuner.tasks.report.html.keep import keep\n"
        f"os.chdir({str(home)!r})\n"
        f"shutil.rmtree({str(home)!r})\n"
        "keep('0' * 32)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NETTUNER_HOME": str(home), "MLFLOW_TRACKING_URI": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "FileNotFoundError" in done.stderr
    assert not home.exists()
