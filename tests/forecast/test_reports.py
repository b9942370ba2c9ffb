"""The US AQI of a day and of the current hour, and China's daily report."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from hazecast.forecast.indices import nowcast_pm, us_sub_index
from hazecast.forecast.reports import china_report_before, us_current_index, us_day_index
from hazecast.grids.places.cities import load_registry

REGISTRY = load_registry()
BEIJING = REGISTRY.city("beijing")


def observed(start: str, **values: np.ndarray) -> xr.Dataset:
    hours = len(next(iter(values.values())))
    times = np.datetime64(start, "ns") + np.arange(1, hours + 1) * np.timedelta64(1, "h")
    return xr.Dataset(
        {name: (("time", "city"), np.asarray(array, float)[:, None]) for name, array in values.items()},
        coords={"time": times, "city": ["beijing"]},
    )


def test_us_index_of_a_day_takes_the_highest_of_pm25_and_ozone() -> None:
    found = us_day_index(40.0, 100.0, 120.0)
    assert found is not None and (found.value, found.id, found.primary) == (112, "usg", ("pm25",))
    # 0.204 ppm in an hour, above the table of eight hours: the hour decides.
    ozone = us_day_index(5.0, 420.0, 400.0)
    assert ozone is not None and ozone.primary == ("o3",) and ozone.standard == "US-EPA-2024"
    assert us_day_index(np.nan, np.nan, np.nan) is None


def test_us_index_of_an_hour_is_that_of_its_nowcast() -> None:
    hourly = np.array([13, 16, 10, 21, 74, 64, 53, 82, 90, 75, 80, 50.0])
    data = observed("2013-01-12T00:00", pm25=hourly, pm10=np.full(12, 60.0))
    found = us_current_index(data, "beijing", data["time"].values[-1])
    assert found is not None and found.pm25 == pytest.approx(float(nowcast_pm(hourly))) and found.pm10 == 60.0
    assert found.index.value == int(us_sub_index("pm25", found.pm25)) and found.index.primary == ("pm25",)
    assert us_current_index(data, "beijing", data["time"].values[-1] + np.timedelta64(3, "h")) is None
    assert us_current_index(data, "tokyo", data["time"].values[-1]) is None


def test_china_s_report_is_of_the_last_whole_day_of_the_city() -> None:
    pm10 = np.r_[np.full(24, 200.0), np.full(16, 20.0)]
    data = observed("2013-01-11T16:00", pm25=np.full(40, 60.0), pm10=pm10, co=np.full(40, 1000.0))
    report = china_report_before(data, BEIJING, data["time"].values[-1], REGISTRY)
    assert report is not None and str(report.date)[:10] == "2013-01-12"
    # (150, 100) to (250, 150): 200 is 125. PM2.5 (35, 50) to (75, 100): 60 is 82. CO 1 mg m-3 is 25.
    assert report.parts == {"pm25": 82, "pm10": 125, "co": 25}
    assert (report.index.value, report.index.primary, report.index.id) == (125, ("pm10",), "light")
    # At midnight, the day that has just ended.
    midnight = china_report_before(data.isel(time=slice(0, 24)), BEIJING, data["time"].values[23], REGISTRY)
    assert midnight == report
    assert china_report_before(data.isel(time=slice(30, 40)), BEIJING, data["time"].values[-1], REGISTRY) is None
    assert china_report_before(data, REGISTRY.city("tokyo"), data["time"].values[-1], REGISTRY) is None
