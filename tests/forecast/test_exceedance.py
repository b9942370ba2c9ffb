"""How likely a day exceeds its country's standards."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import xarray as xr

from hazecast.forecast.daily import daily_outlook
from hazecast.forecast.exceedance import daily_exceedance, ozone_limit
from hazecast.grids.contract import QUANTILES
from hazecast.grids.places.cities import load_registry
from tests.support.exceedance import exceedance_probability

REGISTRY = load_registry()
SPREAD = np.array([0.5, 0.75, 1.0, 1.4, 2.0])


@pytest.fixture(scope="module")
def forecast() -> xr.Dataset:
    """Four local days from midnight: PM2.5 of 60 and ozone of 110 in every hour, with a spread."""
    dims, hours = ("lead_time", "city", "quantile"), np.arange(1, 97)
    values = np.ones((96, 2, 1)) * SPREAD
    return xr.Dataset(
        {
            "pm25": (dims, 60.0 * values),
            "o3": (dims, 110.0 * values),
            "relative_humidity": (dims[:2], np.full((96, 2), 50.0)),
        },
        coords={
            "lead_time": hours * np.timedelta64(3600 * 10**9, "ns"),
            "city": ["beijing", "tokyo"],
            "quantile": list(QUANTILES),
            "init_time": np.datetime64("2026-02-26T16:00", "ns"),
        },
    )


def test_a_mean_is_surer_than_an_hour_and_the_highest_8_hours_are_higher(forecast) -> None:
    found = daily_exceedance(forecast, None, REGISTRY).sel(city="beijing", date="2026-02-28")
    assert float(found["pm25_limit"]) == 75.0 and float(found["o3_limit"]) == 160.0
    hour = float(exceedance_probability(60.0 * SPREAD, 75.0))
    assert hour - 0.06 < float(found["pm25_exceedance"]) < hour
    # Any of seventeen 8-hour means may be the highest.
    hour = float(exceedance_probability(110.0 * SPREAD, 160.0))
    assert hour < float(found["o3_exceedance"]) < hour + 0.25


def test_limits_are_those_in_force_on_the_day_in_the_city_s_own_country(forecast) -> None:
    found = daily_exceedance(forecast, None, REGISTRY)
    assert float(found["pm25_limit"].sel(city="beijing", date="2026-03-01")) == 60.0
    assert float(found["pm25_exceedance"].sel(city="beijing", date="2026-03-01")) == pytest.approx(0.5, abs=0.04)
    tokyo = found.sel(city="tokyo", date="2026-02-28")
    assert float(tokyo["pm25_limit"]) == 35.0 and float(tokyo["o3_limit"]) == pytest.approx(117.7, abs=0.05)
    # Japan limits the highest hour of the day: likelier above than any hour by itself.
    hour = exceedance_probability(110.0 * SPREAD, float(tokyo["o3_limit"]))
    assert float(hour) + 0.1 < float(tokyo["o3_exceedance"]) < 1.0
    begins = datetime(2026, 2, 28, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert ozone_limit("JP", begins) == float(tokyo["o3_limit"])


def test_the_probability_agrees_with_the_range_of_the_day(forecast) -> None:
    likely, days = daily_exceedance(forecast, None, REGISTRY), daily_outlook(forecast, None, REGISTRY)
    above = days["pm25_mean"].sel(quantile=0.5) > likely["pm25_limit"]
    known = likely["pm25_exceedance"].notnull()
    assert bool(known.any()) and bool((known == days["pm25_mean"].sel(quantile=0.5).notnull()).all())
    assert bool(((likely["pm25_exceedance"] > 0.5 + 1e-9) == above).where(known, True).all())


def test_a_day_with_too_few_hours_is_unknown(forecast) -> None:
    short = daily_exceedance(forecast.isel(lead_time=slice(0, 30)), None, REGISTRY).sel(city="beijing")
    assert np.isfinite(short["pm25_exceedance"].values).tolist() == [True, False]
    assert np.isfinite(short["o3_exceedance"].values).tolist() == [True, False]
