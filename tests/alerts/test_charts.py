"""The forecast chart and the haze days of a year."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

from hazecast.alerts.maps.charts import draw_fan
from hazecast.alerts.maps.sheet import Provenance
from hazecast.forecast.haze_days import haze_days
from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import read_observations
from hazecast.grids.places.cities import load_registry

REGISTRY = load_registry()
BEIJING = REGISTRY.city("beijing")
INIT = np.datetime64("2013-01-11T22:00", "ns")
PROVENANCE = Provenance("none", datetime(2013, 1, 11, 22, tzinfo=UTC), True)


def forecast(level: float = 200.0) -> xr.Dataset:
    values = level * np.broadcast_to(np.array([0.5, 0.8, 1.0, 1.2, 1.6]), (LEAD_HOURS, 1, len(QUANTILES)))
    return xr.Dataset(
        {"pm25": (("lead_time", "city", "quantile"), values)},
        coords={
            "lead_time": np.arange(1, LEAD_HOURS + 1) * np.timedelta64(3600 * 10**9, "ns"),
            "city": ["beijing"], "quantile": list(QUANTILES), "init_time": INIT,
        },
    )  # fmt: skip


def observations(first: str, hours: int, value: float) -> xr.Dataset:
    times = pd.date_range(first, periods=hours, freq="h").to_numpy()
    return xr.Dataset(
        {"pm25": (("time", "city"), np.full((hours, 1), value))},
        coords={"time": times, "city": ["beijing"]},
        attrs={"source": "test"},
    )


@pytest.mark.parametrize(("size", "shape"), [("desktop", (1200, 600)), ("phone", (720, 720))])
@pytest.mark.parametrize("lang", ["zh", "ja", "en"])
def test_fan_is_drawn_with_and_without_a_past(recwarn, lang, size, shape) -> None:
    for seen in (None, observations("2013-01-09T00:00", 71, 150.0), observations("2013-01-09T00:00", 71, np.nan)):
        image = Image.open(io.BytesIO(draw_fan(forecast(), seen, BEIJING, PROVENANCE, lang=lang, size=size)))
        assert image.size == shape
    assert not [w for w in recwarn if "lyph" in str(w.message)]


def test_fan_shows_nothing_observed_after_the_init_time() -> None:
    until = draw_fan(forecast(), observations("2013-01-09T00:00", 71, 150.0), BEIJING, PROVENANCE)
    beyond = draw_fan(forecast(), observations("2013-01-09T00:00", 140, 150.0), BEIJING, PROVENANCE)
    assert until == beyond


def test_bad_arguments_of_a_fan_are_named() -> None:
    with pytest.raises(InputError, match="pollutant: found co"):
        draw_fan(forecast(), None, BEIJING, PROVENANCE, pollutant="co")
    with pytest.raises(InputError, match="city: found shanghai"):
        draw_fan(forecast(), None, REGISTRY.city("shanghai"), PROVENANCE)


def air(mass: xr.Dataset, dew: float, rain: float = 0.0) -> xr.Dataset:
    shape, dims = mass["pm25"].shape, ("time", "city")
    values = {"t2m": np.full(shape, 275.0), "d2m": np.full(shape, dew), "tp": np.full(shape, rain)}
    return xr.Dataset({name: (dims, v) for name, v in values.items()}, coords=mass.coords)


@pytest.mark.parametrize(
    ("hours", "dew", "rain", "expected"),
    [(6, 268.0, 0.0, 1), (5, 268.0, 0.0, 0), (6, 268.0, 0.2, 0), (6, 274.5, 0.0, 0)],
    ids=["six hours", "five hours", "rain", "too humid"],
)
def test_six_dry_hours_in_a_row_make_a_haze_day(hours, dew, rain, expected) -> None:
    # One local day of Beijing: the stamps from 01:00 to 24:00, UTC+8.
    mass = observations("2013-01-09T17:00", 24, 5.0)
    mass["pm25"][8 : 8 + hours] = 400.0
    found = haze_days(mass, air(mass, dew, rain), REGISTRY, 2013)
    assert (int(found["haze_days"][0]), int(found["observed_days"][0])) == (expected, 1)


def test_hours_belong_to_the_citys_own_day_and_year() -> None:
    # Hazy from 22:00 to 04:00: three hours on either side of midnight make no day.
    mass = observations("2013-01-09T17:00", 48, 5.0)
    mass["pm25"][21:27] = 400.0
    found = haze_days(mass, air(mass, 268.0), REGISTRY, 2013)
    assert (int(found["haze_days"][0]), int(found["observed_days"][0])) == (0, 2)
    with pytest.raises(InputError, match="haze days: found 2014"):
        haze_days(mass, air(mass, 268.0), REGISTRY, 2014)
    with pytest.raises(InputError, match="t2m among them"):
        haze_days(mass, air(mass, 268.0).drop_vars("t2m"), REGISTRY, 2013)


def test_haze_days_of_2013_are_many_in_beijing_and_fewer_in_shanghai(shared_data) -> None:
    monitors = read_observations(shared_data / "five-cities", REGISTRY)
    found = haze_days(monitors.observations, monitors.weather, REGISTRY, 2013)
    days = {str(c): int(d) for c, d in zip(found["city"].values, found["haze_days"].values, strict=True)}
    assert days["beijing"] > days["shanghai"] > 60 and (found["haze_days"] <= found["observed_days"]).all()


def test_projections_and_grib_live_in_one_process() -> None:
    # Two PROJ libraries loaded in the wrong order end the process with a crash; codec loads them in the right one.
    code = "import hazecast.grids.weather.codec, cartopy.crs as c; c.LambertConformal().transform_point(100, 30, c.PlateCarree())"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
