"""The weather archive: an hour's map and a city's series, beside plain NetCDF and a floor.

One variable over East Asia at 0.25 degree (161 x 221). HAZECAST_BENCH_DAYS sets how many days; a
year by default.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.contract import describe
from hazecast.grids.places.cities import load_registry
from hazecast.services.store.weather_archive import WeatherArchive

DAYS = int(os.environ.get("HAZECAST_BENCH_DAYS", "365"))
START = datetime(2014, 1, 1, tzinfo=UTC)
LATITUDE, LONGITUDE = np.arange(15.0, 55.1, 0.25), np.arange(95.0, 150.1, 0.25)
BEIJING = load_registry().city("beijing")
ROW, COLUMN = (int(np.searchsorted(a, p)) for a, p in ((LATITUDE, BEIJING.latitude), (LONGITUDE, BEIJING.longitude)))


def day(number: int) -> xr.Dataset:
    hours = np.datetime64("2014-01-01", "ns") + (24 * number + np.arange(24)).astype("timedelta64[h]")
    smooth = 280 + 10 * np.sin(LATITUDE[:, None] / 9 + LONGITUDE / 7 + number / 3)
    noise = np.random.default_rng(number).normal(0, 0.3, (24, LATITUDE.size, LONGITUDE.size))
    field = (smooth + 5 * np.sin(np.arange(24) / 24 * 2 * np.pi)[:, None, None] + noise).round(1).astype(np.float32)
    return describe(
        xr.Dataset(
            {"t2m": (("time", "latitude", "longitude"), field)},
            coords={"time": hours, "latitude": LATITUDE, "longitude": LONGITUDE},
            attrs={"source": "synthetic"},
        ),
        "weather_grid",
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[WeatherArchive, Path, np.memmap]:
    folder = tmp_path_factory.mktemp("archive")
    archive = WeatherArchive(folder / "zarr")
    floor = np.memmap(folder / "floor", np.float32, "w+", shape=(24 * DAYS, LATITUDE.size, LONGITUDE.size))
    seconds = 0.0
    for number in range(DAYS):
        grid = day(number)
        start = time.process_time()
        archive.append(grid)
        seconds += time.process_time() - start
        floor[24 * number : 24 * (number + 1)] = grid["t2m"]
    # A map an chunk, as files of hours come.
    part = xr.Dataset({"t2m": (("time", "latitude", "longitude"), floor)})
    chunks = {"t2m": {"chunksizes": (1, LATITUDE.size, LONGITUDE.size), "zlib": True, "complevel": 1}}
    part.to_netcdf(folder / "hours.nc", encoding=chunks, engine="netcdf4")
    sizes = [
        sum(p.stat().st_size for p in root.rglob("*") if p.is_file()) / 1e9
        if root.is_dir()
        else root.stat().st_size / 1e9
        for root in (folder / "zarr", folder / "hours.nc", folder / "floor")
    ]
    print(f"\nWeather archive, {DAYS} days of one variable; processor time; load {os.getloadavg()[0]:.1f}")
    print(f"  written in {seconds:.1f} s, {1000 * seconds / DAYS:.0f} ms a day")
    print(f"  {sizes[0]:.2f} GB; NetCDF by hours {sizes[1]:.2f} GB; plain {sizes[2]:.2f} GB")
    return archive, folder / "hours.nc", floor


def best(way: Callable[[], object]) -> float:
    seconds = []
    for _ in range(3):
        start = time.process_time()
        way()
        seconds.append(time.process_time() - start)
    return min(seconds)


def test_a_map_and_a_series(benchmark, stored) -> None:
    archive, netcdf, floor = stored
    hour, end = 24 * (DAYS // 2) + 7, START + timedelta(days=DAYS, hours=-1)
    corners = (slice(None), slice(ROW - 1, ROW + 1), slice(COLUMN - 1, COLUMN + 1))

    def from_netcdf(place: object) -> np.ndarray:
        with xr.open_dataset(netcdf, engine="netcdf4") as file:
            return file["t2m"].variable[place].values

    at = START + timedelta(hours=hour)
    ways = {
        "an hour's map": (lambda: archive.analyses(at, at), lambda: from_netcdf(hour), lambda: np.array(floor[hour])),
        "a city's series": (
            lambda: archive.at_cities([BEIJING], START, end),
            lambda: from_netcdf(corners),
            lambda: np.array(floor[corners]),
        ),
    }
    for question, (ours, plain, bare) in ways.items():
        own, other, least = (1000 * best(way) for way in (ours, plain, bare))
        benchmark.extra_info[question] = {"of NetCDF": own / other, "of the floor": own / least}
        print(
            f"  {question:15} {own:8.1f} ms; NetCDF by hours {other:8.1f} ms, {own / other:.2f} of it; floor {least:.2f} ms"
        )
    series = benchmark.pedantic(ways["a city's series"][0], rounds=2)
    assert series.sizes == {"time": 24 * DAYS, "city": 1}
    np.testing.assert_array_equal(archive.analyses(at, at)["t2m"][0], floor[hour])
