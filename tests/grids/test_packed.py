"""A gzip file that holds more than it may is refused before it fills the memory."""

from __future__ import annotations

import gzip
import tracemalloc
from collections import Counter

import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.observations import isd, layouts, packed

BOMB = gzip.compress(bytes(64 * 2**20), 9)


def test_what_is_packed_comes_out_also_in_several_members() -> None:
    assert packed.unpacked(b"a,b\n", "x") == b"a,b\n"
    assert packed.unpacked(gzip.compress(b"a") + gzip.compress(b"b") + bytes(8), "x") == b"ab"


@pytest.mark.parametrize("damage", [slice(0, -9), slice(0, 12)])
def test_a_damaged_file_is_named(damage) -> None:
    with pytest.raises(InputError, match=r"^x\.csv\.gz"):
        packed.unpacked(gzip.compress(b"station,time\n" * 100)[damage], "x.csv.gz")


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="more than 1000000 bytes unpacked"):
            packed.unpacked(BOMB, "bomb.gz", 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_every_reader_of_packed_files_has_the_limit(tmp_path, monkeypatch) -> None:
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(BOMB)
    monkeypatch.setattr(packed.unpacked, "__defaults__", (1_000_000,))
    with pytest.raises(InputError, match="at most 1000000"):
        layouts.read_layout(path, Counter())
    with pytest.raises(InputError, match="at most 1000000"):
        list(isd._records(path, Counter()))
