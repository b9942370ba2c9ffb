"""Ten years of hourly observations of 400 cities in the store: loading, a city's year, an hour's map.

HAZECAST_BENCH_CITIES takes fewer cities: 400 need 8 GB of disk, and minutes to fill.

Beside the store, in the same run: the same values in Zarr, and as a floor in a plain array on
disk (numpy memmap). Goal: a city's year in under 50 ms, warm.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from sqlalchemy import text

from hazecast.grids.contract import POLLUTANTS, describe
from hazecast.services.store.observations import observed_hours
from hazecast.services.store.store import Store
from tests.support.observations import store_observations

CITIES = [f"city_{number:03d}" for number in range(int(os.environ.get("HAZECAST_BENCH_CITIES", "400")))]
FIRST = np.datetime64("2014-01-01", "h")
YEARS = (1, 10)
ROUNDS = 7


@dataclass
class Stored:
    """The observations of some years, three ways."""

    years: int
    store: Store
    array: zarr.Array
    floor: np.memmap
    bytes: dict[str, int]
    load: dict[str, float]

    @property
    def hours(self) -> int:
        return self.floor.shape[1]


def hours_of(years: int) -> int:
    return int((np.datetime64(f"{2014 + years}-01-01", "h") - FIRST) / np.timedelta64(1, "h"))


def aware(hour: int) -> datetime:
    return datetime(2014, 1, 1, tzinfo=UTC) + timedelta(hours=hour)


def fill(store: Store, hours: int) -> None:
    """Fill the table inside the database: through Python, 35 million rows would take very long."""
    pollutants = ", ".join("abs(random()) % 3000 / 10.0" for _ in POLLUTANTS)
    statement = f"""
        WITH RECURSIVE hour(h) AS (SELECT 0 UNION ALL SELECT h + 1 FROM hour WHERE h + 1 < {hours}),
            city(c) AS (SELECT 0 UNION ALL SELECT c + 1 FROM city WHERE c + 1 < {len(CITIES)}),
            stamp(t) AS MATERIALIZED (SELECT datetime('2014-01-01', '+' || h || ' hours') || '.000000' FROM hour)
        INSERT INTO observation
            (city, time, simulated, {", ".join(POLLUTANTS)}, pm25_flag, o3_flag, pm25_stations, source)
        SELECT printf('city_%03d', c), t, 0, {pollutants}, 0, 0, 5, 'synthetic' FROM city CROSS JOIN stamp"""
    with store.engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_observation_time"))
        connection.execute(text(statement))
        connection.execute(text("CREATE INDEX ix_observation_time ON observation (time)"))
        connection.execute(text("ANALYZE"))
    with store.engine.connect() as connection:
        # The log would count twice in the size.
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[Stored]:
    result = []
    for years in YEARS:
        folder: Path = tmp_path_factory.mktemp(f"years{years}")
        hours, shape = hours_of(years), (len(POLLUTANTS), hours_of(years), len(CITIES))
        load = {}
        start = time.perf_counter()
        floor = np.memmap(folder / "floor", np.float32, "w+", shape=shape)
        random = np.random.default_rng(0)
        for year in np.array_split(np.arange(hours), years):
            floor[:, year] = random.gamma(2.0, 30.0, (shape[0], year.size, shape[2])).round(1)
        floor.flush()
        load["floor"] = time.perf_counter() - start
        start = time.perf_counter()
        array = zarr.create_array(folder / "zarr", shape=shape, chunks=(1, 744, 16), dtype="float32")
        for month in range(0, hours, 744):
            array[:, month : month + 744] = floor[:, month : month + 744]
        load["zarr"] = time.perf_counter() - start
        store = Store(f"sqlite:///{folder / 'store.db'}")
        store.migrate()
        start = time.perf_counter()
        fill(store, hours)
        load["store"] = time.perf_counter() - start
        sizes = {
            "floor": (folder / "floor").stat().st_size,
            "zarr": sum(p.stat().st_size for p in (folder / "zarr").rglob("*") if p.is_file()),
            "store": sum(p.stat().st_size for p in folder.glob("store.db*")),
        }
        result.append(Stored(years, store, array, floor, sizes, load))
    return result


def best(way: Callable[[], object]) -> float:
    """Return processor seconds, which on an idle machine are the time it takes: all is warm."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        way()
        seconds.append(time.process_time() - start)
    return min(seconds)


def ways_of(data: Stored) -> dict[str, dict[str, Callable[[], object]]]:
    last_year, city, hour = data.hours - 8760, len(CITIES) // 3, data.hours // 2
    return {
        "a city's year": {
            "store": lambda: observed_hours(data.store, aware(last_year), aware(data.hours - 1), False, CITIES[city]),
            "zarr": lambda: data.array[:, last_year:, city],
            "floor": lambda: np.array(data.floor[:, last_year:, city]),
        },
        "an hour's map": {
            "store": lambda: observed_hours(data.store, aware(hour), aware(hour), False),
            "zarr": lambda: data.array[:, hour],
            "floor": lambda: np.array(data.floor[:, hour]),
        },
    }


def month_after(data: Stored) -> xr.Dataset:
    """A month's hours that come after those stored, for all cities."""
    times = (FIRST + data.hours + np.arange(744)).astype("datetime64[ns]")
    values = np.asarray(data.floor[:, :744])
    return describe(
        xr.Dataset(
            {name: (("time", "city"), values[number]) for number, name in enumerate(POLLUTANTS)},
            coords={"time": times, "city": CITIES},
            attrs={"source": "synthetic"},
        ),
        "observations",
    )


def test_ten_years(benchmark, stored) -> None:
    print(f"\nObservations, {len(CITIES)} cities, 6 pollutants; processor time; load {os.getloadavg()[0]:.1f}")
    times: dict[tuple[str, str, int], float] = {}
    for data in stored:
        for question, ways in ways_of(data).items():
            times |= {(question, way, data.years): best(read) for way, read in ways.items()}
        month = month_after(data)
        start = time.process_time()
        rows = store_observations(data.store, month, False)
        times["a month stored", "store", data.years] = time.process_time() - start
        assert rows == 744 * len(CITIES)
    for question, way in sorted({key[:2] for key in times}):
        one, ten = (1000 * times[question, way, years] for years in YEARS)
        floor = 1000 * times.get((question, "floor", 10), np.nan)
        print(f"  {question:15} {way:6} {one:9.2f} ms of 1 year {ten:9.2f} ms of 10, {ten / one:5.2f} times", end="")
        print(f", {ten / floor:8.1f} of the floor" if floor == floor else "")
        benchmark.extra_info[f"{question}, {way}"] = round(ten / one, 2)
    for way in ("store", "zarr", "floor"):
        sizes, loads = [d.bytes[way] / 1e9 for d in stored], [d.load[way] for d in stored]
        print(f"  {way:6} filled in {loads[0]:.1f} s, {loads[1]:.1f} s; {sizes[0]:.2f} GB, {sizes[1]:.2f} GB")
    year = ways_of(stored[-1])["a city's year"]["store"]
    result = benchmark(year)
    assert result.sizes == {"time": 8760, "city": 1} and len(result.data_vars) == len(POLLUTANTS)
    assert times["a city's year", "store", 10] < 2 * times["a city's year", "store", 1] + 0.01
    assert times["a city's year", "store", 10] < 0.05
