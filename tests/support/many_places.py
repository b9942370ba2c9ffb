"""Many made-up places with observations and weather, for benchmarks: how many, HAZECAST_BENCH_PLACES says."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import numpy as np
import xarray as xr

from hazecast.grids.contract import POLLUTANTS, WEATHER, describe
from hazecast.grids.places.cities import City, Region, Registry

PLACES = tuple(int(n) for n in os.environ.get("HAZECAST_BENCH_PLACES", "400,10000").split(","))
INIT = datetime(2026, 1, 15, 22, tzinfo=UTC)
NOW = np.datetime64(INIT.replace(tzinfo=None), "ns")
# A month of observations lies behind a forecast: from it each place's level is computed.
LONGER = 30 * 24
HOUR = np.timedelta64(1, "h")


def made_registry(count: int) -> Registry:
    """Cities on a lattice over East Asia."""
    side = int(np.ceil(np.sqrt(count)))
    cities = {
        f"c{n:05d}": City(
            id=f"c{n:05d}", name_zh=f"C{n}", name_ja=f"C{n}", name_en=f"C{n}", country="CN", region="all",
            latitude=20.0 + 25.0 * (n // side) / side, longitude=100.0 + 30.0 * (n % side) / side,
            time_zone="Asia/Shanghai",
        )
        for n in range(count)
    }  # fmt: skip
    region = Region(
        id="all", name_zh="A", name_ja="A", name_en="A", country="CN", kind="province", cities=tuple(cities)
    )
    return Registry(cities=cities, regions={"all": region})


def made_observations(ids: list[str], hours: int) -> xr.Dataset:
    random = np.random.default_rng(0)
    dims, shape = ("time", "city"), (hours, len(ids))
    data = {name: (dims, random.gamma(3.0, 25.0, shape).astype(np.float32)) for name in POLLUTANTS}
    times = NOW - np.arange(hours - 1, -1, -1) * HOUR
    return describe(xr.Dataset(data, {"time": times, "city": ids}, {"source": "benchmark"}), "observations")


def made_weather(ids: list[str], first: int, last: int) -> xr.Dataset:
    random = np.random.default_rng(1)
    times = NOW + np.arange(first, last + 1) * HOUR
    centre = dict(zip(WEATHER, (280, 272, 1, -1, 101_000, 500, 0.1, 0.5, 150.0), strict=True))
    data = {
        name: (("time", "city"), np.abs(value + random.normal(0, 0.1, (len(times), len(ids)))).astype(np.float32))
        for name, value in centre.items()
    }
    return describe(xr.Dataset(data, {"time": times, "city": ids}, {"source": "benchmark"}), "city_weather")
