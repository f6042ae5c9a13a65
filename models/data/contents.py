"""The bytes of a file, unpacked."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

GZIP = b"\x1f\x8b"


def read(path: str) -> bytes:
    """What a file holds; gzip is recognised by its first bytes, whatever the file's name.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is empty, or its gzip stream is damaged.
    """
    place = Path(path)
    if not place.is_file():
        raise FileNotFoundError(f"no file {path}; correct the path")
    content = place.read_bytes()
    if content.startswith(GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} must be whole, got: {error}; download it again") from None
    if not content:
        raise ValueError(f"{path} must hold data, got an empty file; download it again")
    return content
