"""Weather files are read in a subprocess: one that its library never returns from is an error that names it."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.weather.files import read_weather, span_of
from hazecast.services.core.weather_reading import read_files, span_of_file, time_limit
from tests.support.weather_samples import write_era5


def endless(path: Path) -> Path:
    """A NetCDF file of which the HDF5 library never reads the end: an object on its heap is so long that the next is itself."""
    content = bytearray(write_era5(path, new_layout=True).read_bytes())
    heap = content.find(b"GCOL")
    # HDF5 file format specification, III.E, global heap: 16 octets before the first object, its size from its octet 8 on.
    content[heap + 24 : heap + 32] = (2**64 - 16).to_bytes(8, "little")
    path.write_bytes(content)
    return path


def test_a_file_that_is_never_read_to_its_end_is_named_and_others_are_read(tmp_path) -> None:
    with pytest.raises(InputError, match=r"endless\.nc: found no end of reading after 1 s"):
        span_of_file(endless(tmp_path / "endless.nc"), seconds=1.0)
    whole = write_era5(tmp_path / "whole.nc")
    assert span_of_file(whole) == span_of(whole)
    xr.testing.assert_identical(read_files(whole, alone=False), read_weather(whole))


def test_the_time_limit_grows_with_the_files(tmp_path) -> None:
    small, large, folder = tmp_path / "small.nc", tmp_path / "large.nc", tmp_path / "run"
    small.write_bytes(b"CDF")
    folder.mkdir()
    for path in (large, folder / "a.nc", folder / "b.nc"):
        with path.open("wb") as file:
            file.truncate(100 * 2**20)
    assert time_limit(small) == pytest.approx(60, abs=1) and time_limit(tmp_path / "absent.nc") == 60
    assert time_limit(large) == 260 and time_limit(folder) == time_limit(folder / "a.nc", folder / "b.nc") == 460
