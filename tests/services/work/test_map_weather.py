"""The weather grid that a forecast rests on decides the humidity of its map between the cities."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from hazecast.alerts.engine.window import signal_window
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.contract import LEAD_HOURS, describe
from hazecast.grids.places.cities import load_registry
from hazecast.services.store.weather_cycles import WeatherStore
from hazecast.services.work import haze_maps
from hazecast.services.work.map_weather import grid_behind
from tests.support.forecasts import forecast_of

INIT = datetime(2013, 1, 31, 22, tzinfo=UTC)
ISSUED = "2013-01-31T18:00:00Z"
RULES = RuleBook.shipped().haze_signal
WINDOW = signal_window(INIT, RULES)


def grid(source: str, dew: float) -> xr.Dataset:
    """Weather of every third hour from 18 UTC on, air of 275 K."""
    times = np.datetime64("2013-01-31T18:00", "ns") + np.arange(0, 48, 3) * np.timedelta64(1, "h")
    places = {"latitude": [41.0, 40.0, 39.0], "longitude": [115.0, 116.0, 117.0]}
    values = {"t2m": 275.0, "d2m": dew, "blh": 500.0}
    dims = ("time", *places)
    fields = {n: (dims, np.full((times.size, 3, 3), v, np.float32)) for n, v in values.items()}
    attrs = {"source": source, "init_time": ISSUED}
    return describe(xr.Dataset(fields, coords={"time": times, **places}, attrs=attrs), "weather_grid")


@pytest.fixture
def folder(tmp_path):
    store = WeatherStore(tmp_path / "weather")
    store.save("gfs", grid("NOAA GFS", 274.0))
    store.save("ifs", grid("ECMWF IFS", 260.0))
    return tmp_path / "weather"


def forecast(source: str) -> xr.Dataset:
    made = forecast_of(150.0, init=np.datetime64(INIT.replace(tzinfo=None), "ns"), cities=("beijing", "tianjin"))
    made = made.assign(relative_humidity=(("lead_time", "city"), np.full((LEAD_HOURS, 2), 50.0)))
    return made.assign_attrs(weather_source=source)


@pytest.mark.parametrize(("source", "dew"), [("NOAA GFS", 274.0), ("ECMWF IFS", 260.0)])
def test_the_grid_is_the_forecast_s_own_at_every_hour_of_its_window(folder, source: str, dew: float) -> None:
    found = grid_behind(folder, forecast(f"{source}, forecast of {ISSUED}"), WINDOW)
    assert found is not None and set(found.data_vars) == {"t2m", "d2m"}
    hours = np.datetime64("2013-02-01T00:00", "ns") + np.arange(1, 25) * np.timedelta64(1, "h")
    assert np.isin(hours, found["time"].values).all() and np.allclose(found["d2m"], dew)


@pytest.mark.parametrize("source", [
    "none: no weather forecast was given", "NOAA GFS, forecast of 2013-01-31T12:00:00Z", "another, forecast of " + ISSUED,
    "observed weather in place of a forecast (perfect prog)", "x, forecast of yesterday", "x, forecast of 2013-01-31",
])  # fmt: skip
def test_other_forecasts_have_no_grid(folder, source: str) -> None:
    assert grid_behind(folder, forecast(source), WINDOW) is None


def test_cycles_condensed_to_cities_and_damaged_ones_are_no_grid(folder, caplog) -> None:
    store, cities = WeatherStore(folder), [load_registry().city("beijing")]
    store.condense(INIT + timedelta(days=30), cities)
    own = forecast(f"NOAA GFS, forecast of {ISSUED}")
    assert grid_behind(folder, own, WINDOW) is None and not caplog.records
    for path in folder.rglob("*.nc"):
        path.write_bytes(b"damaged")
    assert grid_behind(folder, own, WINDOW) is None and "spreads the cities' humidity" in caplog.text


def test_the_service_s_areas_are_made_with_it(folder, monkeypatch) -> None:
    given = []
    monkeypatch.setattr(haze_maps, "haze_areas", lambda *_, weather: given.append(weather))
    monkeypatch.setattr(haze_maps, "forecast_areas", lambda field: field)
    for source in (f"NOAA GFS, forecast of {ISSUED}", "none"):
        haze_maps.areas_shown(forecast(source), load_registry(), RULES, (), weather_dir=folder)
    assert given[0] is not None and given[1] is None
