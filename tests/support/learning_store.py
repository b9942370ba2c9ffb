"""A store with observed hours and weather cycles, as months of service leave it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import xarray as xr

from hazecast.grids.contract import LEAD_HOURS, WEATHER, describe
from hazecast.grids.times import to_datetime64
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.store.weather_cycles import WeatherStore
from tests.support.observations import store_observations

START = datetime(2026, 1, 1, tzinfo=UTC)
CITIES = ("beijing", "tianjin")
HOUR = np.timedelta64(1, "h")


def observed_months(settings: Settings, hours: int, cities: Sequence[str] = CITIES) -> xr.Dataset:
    """Store hours with a daily cycle and noise from START on, and return them."""
    random = np.random.default_rng(5)
    clock = np.arange(hours)
    day = 60 + 30 * np.sin(2 * np.pi * clock / 24)[:, None] + 10 * np.arange(len(cities))
    values = (day + random.normal(0, 3, day.shape)).astype(np.float32)
    dims = ("time", "city")
    dataset = xr.Dataset(
        {"pm25": (dims, values), "o3": (dims, values / 2), "pm25_flag": (dims, np.zeros(values.shape, np.int8))},
        coords={"time": to_datetime64(START) + clock * HOUR, "city": np.array(cities, object)},
        attrs={"source": "test"},
    )
    dataset = describe(dataset, "observations")
    store = Store(settings.database_url)
    store.migrate()
    store_observations(store, dataset, False)
    store.close()
    return dataset


def city_cycle(init_time: datetime, number: int, cities: Sequence[str] = CITIES) -> xr.Dataset:
    """A cycle whose values name it: each variable is in the contract's range and differs by cycle, hour and city."""
    hours = np.arange(LEAD_HOURS + 19)
    share = (number + 1) / 20 + hours[:, None] / 1_000 + np.arange(len(cities)) / 100
    return describe(
        xr.Dataset(
            {
                name: (("time", "city"), (v.low + share * (v.high - v.low)).astype(np.float32))
                for name, v in WEATHER.items()
            },
            coords={"time": to_datetime64(init_time) + hours * HOUR, "city": list(cities)},
            attrs={"source": "test", "init_time": f"{init_time:%Y-%m-%dT%H:%M:%SZ}", "late": 0},
        ),
        "city_weather",
    )


def stored_cycles(settings: Settings, init_times: Sequence[datetime], source: str = "gfs") -> None:
    """Store a cycle at each init time."""
    for number, init_time in enumerate(init_times):
        WeatherStore(settings.weather_dir).save(source, city_cycle(init_time, number))
