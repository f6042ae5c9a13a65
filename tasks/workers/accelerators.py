"""The accelerators of this machine, found without CUDA: who touches it cannot be forked from.

Costs nothing on a machine without `nvidia-smi`.
"""

from __future__ import annotations

import csv
import functools
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# How long `nvidia-smi` may take to answer [s].
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Accelerator:
    """An accelerator.

    Args:
        device: Name as people write it: cuda:1 is the second GPU that is visible here, or mps.
        name: Name of the product.
        mib: Memory [MiB]; None if unknown.
        handle: What CUDA_VISIBLE_DEVICES has to be for a process that sees it alone.
        uuid: Identifier by which `nvidia-smi` tells of it; empty where it does not.
    """

    device: str
    name: str
    mib: int | None = None
    handle: str = ""
    uuid: str = ""

    @property
    def kind(self) -> str:
        """Its name in a process that sees it alone: cuda or mps."""
        return self.device.partition(":")[0]

    @property
    def shown(self) -> str:
        """Device and name, for people."""
        return f"{self.device} {self.name}"


@dataclass(frozen=True)
class Gpu:
    """A line of `nvidia-smi`: number, identifier, name, and memory [MiB]."""

    index: str
    uuid: str
    name: str
    mib: int | None


def accelerators() -> list[Accelerator]:
    """Those that processes started here can use, as CUDA counts them."""
    if sys.platform == "darwin":
        return [Accelerator("mps", "Apple GPU")] if platform.machine() == "arm64" else []
    program = nvidia_smi()
    if program is None:
        return []
    visible = _visible(_listed(program), os.environ.get("CUDA_VISIBLE_DEVICES"))
    return [
        Accelerator(f"cuda:{number}", gpu.name, gpu.mib, handle, gpu.uuid)
        for number, (handle, gpu) in enumerate(visible)
    ]


def nvidia_smi() -> str | None:
    """Path of the program that tells of GPUs; None if there is none."""
    return shutil.which("nvidia-smi")


def ask(program: str, *fields: str) -> list[list[str]]:
    """What `nvidia-smi` tells of each GPU.

    Args:
        program: Path of the program.
        fields: Names of what is asked for, as its own `--help-query-gpu` lists them.

    Raises:
        OSError, subprocess.SubprocessError: It fails, as it does without a driver, or it hangs.
    """
    told = subprocess.run(
        [program, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    rows = csv.reader(told.stdout.splitlines(), skipinitialspace=True)
    return [row for row in rows if len(row) == len(fields)]


@functools.cache
def _listed(program: str) -> tuple[Gpu, ...]:
    """All GPUs of this machine; none where the program fails."""
    try:
        rows = ask(program, "index", "uuid", "name", "memory.total")
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(_gpu(*row) for row in rows)


def _gpu(index: str, uuid: str, name: str, mib: str) -> Gpu:
    return Gpu(index, uuid, name, int(mib) if mib.isdigit() else None)


def _visible(listed: Sequence[Gpu], given: str | None) -> Iterator[tuple[str, Gpu]]:
    """What CUDA_VISIBLE_DEVICES shows, and how each is named in there.

    CUDA counts in the order of that list, and sees nothing from the first unknown name on.

    Args:
        listed: All GPUs.
        given: Numbers, identifiers or their beginnings, or names of MIG instances; None shows all.
    """
    if given is None:
        yield from ((gpu.index, gpu) for gpu in listed)
        return
    for name in map(str.strip, given.split(",")):
        if name.startswith("MIG-"):
            yield name, Gpu("", "", "MIG instance", None)
            continue
        is_uuid = name.startswith("GPU-")
        found = [g for g in listed if name == g.index or (is_uuid and g.uuid.startswith(name))]
        if len(found) != 1:
            return
        yield name, found[0]
