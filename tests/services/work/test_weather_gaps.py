"""Weather is judged by its values: what they lack makes a run degraded, in words."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.places.cities import load_registry
from hazecast.services.work.weather_gaps import weather_gaps

INIT = datetime(2014, 2, 20, tzinfo=UTC)
CITIES = [load_registry().city(name) for name in ("beijing", "tokyo")]
NEEDED = ("t2m", "u10", "tp")


def weather(**holes: tuple[slice, int]) -> xr.Dataset:
    times = np.datetime64("2014-02-20", "ns") + np.arange(0, 140).astype("timedelta64[h]")
    values = {name: np.ones((140, 2)) for name in NEEDED}
    for name, (hours, city) in holes.items():
        values[name][hours, city] = np.nan
    coords = {"time": times, "city": [city.id for city in CITIES]}
    return xr.Dataset({name: (("time", "city"), field) for name, field in values.items()}, coords=coords)


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        (weather(), []),
        (weather(tp=(slice(0, 1), 0)), []),
        (
            weather(tp=(slice(3, 5), 1)),
            ["weather: tp without a value in 2 of 240 city hours, first 2014-02-20T03:00Z at tokyo"],
        ),
        (
            weather(t2m=(slice(9, 10), 0), u10=(slice(9, 10), 0)),
            ["weather: t2m, u10 without a value in 1 of 240 city hours, first 2014-02-20T09:00Z at beijing"],
        ),
        (weather().drop_vars("u10"), ["weather lacks u10"]),
        (weather(tp=(slice(None), slice(None))), ["weather lacks tp"]),
        (
            weather(**{name: (slice(100, None), slice(None)) for name in NEEDED}),
            ["weather ends at 2014-02-24T03:00Z, before the last lead time"],
        ),
        (
            weather(**{name: (slice(None), slice(None)) for name in NEEDED}),
            ["weather: no value in any of 120 h after 2014-02-20T00:00Z"],
        ),
        (
            weather(**{name: (slice(None), 1) for name in NEEDED}).assign_attrs(places_outside="tokyo"),
            ["weather: 1 places lie outside its grid: tokyo"],
        ),
        (
            weather().assign_attrs(left_out="a.grib2: message 2: tcc out of range; b.nc: sp in inHg"),
            ["weather: left out: a.grib2: message 2: tcc out of range", "weather: left out: b.nc: sp in inHg"],
        ),
    ],
)
def test_what_the_weather_lacks_is_counted_and_named(given, reasons) -> None:
    assert weather_gaps(given, CITIES, INIT, NEEDED) == reasons
