"""Environments of their own for what the benchmarks compare against."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def made(folder: Path, requirements: Path) -> Path:
    """The interpreter of an environment with these requirements, made if it is not there."""
    python = folder / "bin" / "python"
    stamp = folder / requirements.name
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        print(f"making {folder} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(requirements)], check=True)
        stamp.write_text(requirements.read_text())
    return python
