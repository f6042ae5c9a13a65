"""Files are read whole, packed or not, and in a bounded time."""

from __future__ import annotations

import gzip
import time

import pytest

from nettuner.models.data.load import load
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.sources.idx import Idx
from nettuner.models.data.sources.parallel import Parallel

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def bomb(tmp_path_factory):
    """300 MB of zeros, in 0.3 MB."""
    path = tmp_path_factory.mktemp("bomb") / "zeros.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(300):
            file.write(bytes(MEGABYTE))
    assert path.stat().st_size < MEGABYTE
    return str(path)


@pytest.mark.parametrize(
    "source",
    [
        lambda path: Csv(path=path),
        lambda path: Idx(images=path, labels=path),
        lambda path: Parallel(source_text=path, target_text=path),
    ],
)
def test_a_file_that_unpacks_to_a_thousand_times_its_size_is_refused_soon(bomb, source):
    start = time.process_time()
    with pytest.raises(ValueError, match=r"must unpack to at most 67,108,864 bytes") as caught:
        load(source(bomb))
    assert time.process_time() - start < 2  # it takes a fifth of a second
    assert "\n" not in str(caught.value)


def test_a_file_of_equal_rows_may_be_packed_a_hundredfold(tmp_path):
    rows = "1,a\n2,b\n" * 100_000
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(f"x,y\n{rows}".encode()))
    assert path.stat().st_size < len(rows) / 100
    assert len(load(Csv(path=str(path))).train) == 120_000


def test_a_file_packed_in_several_parts_is_read_whole(tmp_path):
    path = tmp_path / "rows.csv.gz"
    parts = ["x,y\n", *(f"{i},{'ab'[i % 2]}\n" for i in range(20))]
    path.write_bytes(b"".join(gzip.compress(part.encode()) for part in parts))
    assert len(load(Csv(path=str(path))).train) == 12
