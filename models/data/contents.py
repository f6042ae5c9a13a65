"""The bytes of a file, unpacked."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

GZIP = b"\x1f\x8b"
CHUNK = 2**22
# Deflate packs up to a thousandfold. Tables, images and texts are packed 3 to 20 times as small;
# what unpacks beyond both of these is no data.
MOST_TIMES_PACKED = 200
ALWAYS_ALLOWED = 2**26


def read(path: str) -> bytes:
    """What a file holds; gzip is recognised by its first bytes, whatever the file's name.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is empty, its gzip stream is damaged, or it unpacks to far more than data do.
    """
    place = Path(path)
    if not place.is_file():
        raise FileNotFoundError(f"no file {path}; correct the path")
    content = place.read_bytes()
    if content.startswith(GZIP):
        try:
            content = _unpacked(content, path)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} must be whole, got: {error}; download it again") from None
    if not content:
        raise ValueError(f"{path} must hold data, got an empty file; download it again")
    return content


def _unpacked(packed: bytes, path: str) -> bytes:
    most = max(ALWAYS_ALLOWED, MOST_TIMES_PACKED * len(packed))
    pieces: list[bytes] = []
    total = 0
    with gzip.open(io.BytesIO(packed)) as stream:
        while piece := stream.read(CHUNK):
            pieces.append(piece)
            total += len(piece)
            if total > most:
                raise ValueError(
                    f"{path} must unpack to at most {most:,} bytes ({MOST_TIMES_PACKED} times its "
                    f"size, or {ALWAYS_ALLOWED:,}), got more; unpack it first if it is sound"
                )
    return b"".join(pieces)
