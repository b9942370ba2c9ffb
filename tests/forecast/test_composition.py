"""A chemistry model's forecast on the lead times of one's own."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from hazecast.forecast.composition import composition_ahead, with_composition
from hazecast.grids.contract import LEAD_HOURS, check, describe
from hazecast.grids.errors import InputError
from tests.support.forecasts import forecast_of

RUN = np.datetime64("2026-11-24T00", "ns")
HOUR = np.timedelta64(1, "h")


def composition(cities: list[str], hours: int = 121) -> xr.Dataset:
    """PM2.5 equals the hour after the run plus 1000 times the city's number; ozone is missing."""
    values = np.arange(hours, dtype=np.float32)[:, None] + 1000 * np.arange(len(cities), dtype=np.float32)
    dataset = xr.Dataset(
        {"pm25": (("time", "city"), values)},
        coords={"time": RUN + np.arange(hours) * HOUR, "city": cities},
        attrs={"source": "a run", "init_time": "2026-11-24T00:00:00Z"},
    )
    return check(describe(dataset, "composition"), "composition")


def test_hours_cities_and_pollutants_are_put_in_their_places():
    ahead = composition_ahead(composition(["tokyo", "beijing"]), ["beijing", "seoul", "tokyo"], RUN + 21 * HOUR)
    assert ahead.shape == (3, LEAD_HOURS, 2) and ahead.dtype == np.float32
    np.testing.assert_array_equal(ahead[0, :99, 0], 1000 + np.arange(22, 121))
    np.testing.assert_array_equal(ahead[2, :99, 0], np.arange(22, 121))
    # A run that is 21 h old ends 21 h before the last lead time.
    assert np.isnan(ahead[:, 99:]).all() and np.isnan(ahead[1]).all() and np.isnan(ahead[..., 1]).all()


def test_without_a_run_everything_is_missing():
    assert np.isnan(composition_ahead(None, ["beijing"], RUN)).all()


def test_a_dataset_that_is_no_composition_is_refused():
    with pytest.raises(InputError, match="init_time"):
        composition_ahead(composition(["beijing"]).drop_attrs(deep=False), ["beijing"], RUN)


def test_it_is_stored_beside_the_forecast():
    run = composition(["beijing"]).assign_attrs(source="CAMS")
    forecast = with_composition(forecast_of(80.0, init=RUN + 3 * HOUR), run, "CAMS, forecast of 2026-11-24T00:00:00Z")
    check(forecast, "forecast")
    assert forecast["pm25_cams"].dims == ("lead_time", "city") and forecast["pm25_cams"].attrs["units"] == "ug m-3"
    assert float(forecast["pm25_cams"][0, 0]) == 4.0 and forecast["o3_cams"].isnull().all()
    assert "pm25_cams" not in with_composition(forecast_of(80.0), None, "none")
