"""Haze areas on a coarse grid: hazy near the hazy city, silent where nothing is known."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
import shapely
import xarray as xr

from alerts.areas import haze_areas, polygons
from alerts.engine import signal_window
from alerts.ruleset import load_ruleset
from grids.cities import load_registry
from grids.contract import QUANTILES
from grids.errors import InputError

INIT = datetime(2013, 1, 12, 22, tzinfo=UTC)
RULES = load_ruleset()


def make_forecast() -> xr.Dataset:
    cities = ["beijing", "shanghai", "kitakyushu"]
    pm25 = np.tile(np.array([600.0, 15.0, 600.0])[None, :, None], (72, 1, 5))
    return xr.Dataset(
        {
            "pm25": (("lead_time", "city", "quantile"), pm25),
            "relative_humidity": (("lead_time", "city"), np.full((72, 3), 60.0)),
        },
        coords={
            "lead_time": np.arange(1, 73) * np.timedelta64(3600 * 10**9, "ns"),
            "city": cities,
            "quantile": list(QUANTILES),
            "init_time": np.datetime64(INIT.replace(tzinfo=None), "ns"),
        },
        attrs={"simulated": 1, "weather_source": "test"},
    )


@pytest.fixture(scope="module")
def field() -> xr.Dataset:
    return haze_areas(make_forecast(), load_registry(), RULES, signal_window(INIT), step=1.0)


def test_levels_near_and_far(field: xr.Dataset) -> None:
    level = field["level"]
    assert level.dtype == np.int8 and level.dims == ("latitude", "longitude") and level.shape == (41, 56)

    def at(lat: float, lon: float) -> int:
        return int(level.sel(latitude=lat, longitude=lon, method="nearest"))

    registry = load_registry()
    beijing, shanghai = registry.city("beijing"), registry.city("shanghai")
    assert at(beijing.latitude, beijing.longitude) >= 2
    assert at(shanghai.latitude, shanghai.longitude) == 0
    assert at(34.0, 131.0) == -1  # the rule set is not Japan's
    assert at(20.0, 96.0) == -1  # no city near
    assert field.attrs["hours"] == 24 and field.attrs["simulated"] == 1 and field.attrs["cities_left_out"] == 0


def test_polygons_hold_the_city(field: xr.Dataset) -> None:
    features = polygons(field, RULES)
    json.dumps(features)
    beijing = load_registry().city("beijing")
    shapes = [shapely.geometry.shape(f["geometry"]) for f in features]
    assert shapes and all(s.is_valid for s in shapes)
    assert min(s.distance(shapely.Point(beijing.longitude, beijing.latitude)) for s in shapes) < 0.5
    assert features[-1]["properties"]["kind"] == "haze_area" and features[-1]["properties"]["simulated"] is True


def test_cities_without_values_are_counted_or_refused() -> None:
    forecast = make_forecast()
    forecast["pm25"][5, 1] = np.nan
    partial = haze_areas(forecast, load_registry(), RULES, signal_window(INIT), step=2.0)
    assert partial.attrs["cities"] == 2 and partial.attrs["cities_left_out"] == 1
    forecast["pm25"][5] = np.nan
    with pytest.raises(InputError):
        haze_areas(forecast, load_registry(), RULES, signal_window(INIT), step=2.0)
