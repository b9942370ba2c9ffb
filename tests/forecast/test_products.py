"""Haze grades at every bound, and days counted in a city's own time."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from hazecast.forecast.haze_grades import HAZE_GRADES
from hazecast.forecast.products import daily_mean, haze_grade, mda8, median_series, next_24h
from hazecast.grids.contract import QUANTILES
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry


def make_forecast(pm25: np.ndarray, o3: np.ndarray, init: str, cities: list[str]) -> xr.Dataset:
    spread = np.array([0.6, 0.8, 1.0, 1.2, 1.4])
    dims = ("lead_time", "city", "quantile")
    return xr.Dataset(
        {"pm25": (dims, pm25[:, :, None] * spread), "o3": (dims, o3[:, :, None] * spread)},
        coords={
            "lead_time": np.arange(1, pm25.shape[0] + 1) * np.timedelta64(3600 * 10**9, "ns"),
            "city": cities,
            "quantile": list(QUANTILES),
            "init_time": np.datetime64(init, "ns"),
        },
    )


@pytest.mark.parametrize(
    ("visibility", "humidity", "pm25", "grade"),
    [
        (10_000.0, 50.0, 50.0, 0),
        (9_999.0, 50.0, 50.0, 1),
        (5_000.0, 50.0, 50.0, 1),
        (4_999.0, 50.0, 50.0, 2),
        (3_000.0, 50.0, 50.0, 2),
        (2_999.0, 50.0, 50.0, 3),
        (2_000.0, 50.0, 50.0, 3),
        (1_999.0, 50.0, 50.0, 4),
        (1_999.0, 79.9, 10.0, 4),
        (1_000.0, 50.0, 50.0, 4),
        (999.0, 50.0, 50.0, 5),
        (1_999.0, 80.0, 75.0, 0),
        (1_999.0, 80.0, 75.1, 4),
        (1_999.0, 95.0, 200.0, 4),
        (1_999.0, 95.1, 200.0, 0),
        (np.nan, 50.0, 50.0, -1),
        (500.0, np.nan, 50.0, -1),
        (500.0, 50.0, np.nan, -1),
    ],
)
def test_haze_grade(visibility: float, humidity: float, pm25: float, grade: int) -> None:
    result = haze_grade(visibility, humidity, pm25)
    assert result.dtype == np.int8 and int(result) == grade
    assert set(HAZE_GRADES[grade]) == {"zh", "ja", "en"}


def test_daily_mean_is_over_the_citys_own_day() -> None:
    # 16:00 UTC is 00:00 in Beijing and 01:00 in Kitakyushu: lead 1 to 24 is one Beijing day exactly.
    hours = np.arange(1.0, 73.0)
    both = np.stack([hours, hours], axis=1)
    result = daily_mean(make_forecast(both, both, "2013-01-12T16:00", ["beijing", "kitakyushu"]), load_registry())
    assert result["date"].values[0] == np.datetime64("2013-01-13")
    assert result["pm25"].sel(city="beijing").values[:3] == pytest.approx([12.5, 36.5, 60.5])
    assert result["hours"].sel(city="kitakyushu").values.tolist() == [23, 24, 24, 1]
    assert result["pm25"].sel(city="kitakyushu").values[0] == pytest.approx(np.arange(1, 24).mean())
    assert np.isnan(result["pm25"].sel(city="kitakyushu").values[3])


def test_daily_mean_of_observations_counts_missing_hours() -> None:
    values = np.full((24, 1), 80.0)
    values[:5] = np.nan
    times = np.datetime64("2013-01-12T17:00", "ns") + np.arange(24) * np.timedelta64(1, "h")
    observed = xr.Dataset({"pm25": (("time", "city"), values)}, coords={"time": times, "city": ["beijing"]})
    result = daily_mean(observed, load_registry())
    assert np.isnan(result["pm25"].item()) and result["hours"].item() == 19
    assert daily_mean(observed, load_registry(), minimum_hours=19)["pm25"].item() == 80.0


def test_mda8_takes_windows_inside_the_day() -> None:
    o3 = np.full((72, 1), 40.0)
    o3[0:4] = 400.0  # 00 to 04 local on the first day: all windows from 08:00 see at most four of them
    o3[36:44] = 160.0  # 12 to 20 local on the second day
    o3[60:72] = np.nan  # third day: twelve hours missing
    result = mda8(make_forecast(o3, o3, "2013-01-12T16:00", ["beijing"]), load_registry())
    assert result["o3"].values[:2, 0] == pytest.approx([(4 * 400 + 4 * 40) / 8, 160.0])
    assert np.isnan(result["o3"].values[2, 0])
    # windows ending 08 to 12 are whole, 13 and 14 still have 7 and 6 hours
    assert result["windows"].values[:, 0].tolist() == [17, 17, 7]


def test_mda8_counts_absent_hours_as_missing() -> None:
    times = np.datetime64("2013-01-12T17:00", "ns") + np.arange(24) * np.timedelta64(1, "h")
    kept = np.delete(np.arange(24), [2, 3, 4])
    observed = xr.Dataset(
        {"o3": (("time", "city"), np.full((21, 1), 50.0))}, coords={"time": times[kept], "city": ["beijing"]}
    )
    # 03, 04 and 05 are absent: the windows ending 08, 09 and 10 have five hours only
    assert mda8(observed, load_registry())["windows"].item() == 14


def test_next_24h_and_median() -> None:
    pm25 = np.arange(1.0, 73.0)[:, None]
    forecast = make_forecast(pm25, pm25 * 2, "2013-01-12T22:00", ["beijing"])
    result = next_24h(forecast)
    assert result["pm25_mean"].item() == 12.5 and result["pm25_max"].item() == 24.0
    assert result["o3_max"].item() == 48.0 and result["hours"].item() == 24
    with pytest.raises(InputError):
        next_24h(forecast.isel(lead_time=slice(0, 12)))
    with pytest.raises(InputError):
        median_series(forecast.isel(quantile=[0, 1]), "pm25")
    with pytest.raises(InputError):
        median_series(forecast, "pm10")
