"""Files of tensors: safetensors, written atomically, never pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors as they are now; a write that is cut off leaves the file before.

    Args:
        path: Path of the file; its folder is made where there is none.
        tensors: Tensors by name.
        metadata: Texts by name. Of several, safetensors writes them in any order.
    """
    # Cloned, because safetensors refuses tensors that share memory, as tied weights do.
    copies = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        save_file(copies, partial, metadata=dict(metadata))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and the tensors of a file.

    Raises:
        FileNotFoundError: There is no such file.
        SafetensorError: The file is damaged, or another.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint {path}; it was deleted or belongs elsewhere")
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return file.metadata() or {}, tensors
