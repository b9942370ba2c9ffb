"""The days of a forecast: daily values with their range, haze, and the forecast of a past day against what was observed.

A day is the city's own. The hours of today that have passed are taken from the observations, so that a
24-hour mean of today is one of the whole day.

Ranges. The values of a day are quantiles of its own, over the scenarios of its hours (`hazecast.forecast.day_values`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.forecast.day_index import pm25_limit
from hazecast.forecast.day_values import at_quantile, day_levels
from hazecast.forecast.days import by_day, day_begins, forecast_days, joined_hours
from hazecast.forecast.dependence import Variable
from hazecast.forecast.products import daily_mean, haze_grade, local_hours, mda8, valid_times
from hazecast.forecast.visibility import visibility
from hazecast.grids.contract import QUANTILES
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import to_datetime64

BOUNDS = (0.1, 0.5, 0.9)
# Shi et al. (2017), Plateau Meteorol. 36(6):1693, require six hours in a row of a haze day; here of a day's grade.
HAZE_HOURS = 6
Outcome = Literal["hit", "miss", "false_alarm", "quiet", "unknown"]
_HOUR = np.timedelta64(1, "h")
# Of each pollutant: the name of its daily value, and the function that computes it.
_REDUCTIONS: dict[Variable, tuple[str, Callable[[xr.Dataset, Registry, str], xr.Dataset]]] = {
    "pm25": ("pm25_mean", daily_mean),
    "o3": ("o3_mda8", mda8),
}


def daily_outlook(forecast: xr.Dataset, observations: xr.Dataset | None, registry: Registry) -> xr.Dataset:
    """Return the days of a forecast, each of the city's own time.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast", with ``relative_humidity`` (lead_time, city), %.
    observations : xarray.Dataset or None
        Contract "observations"; hours after the init time are not read.
    registry : Registry

    Returns
    -------
    xarray.Dataset
        ``pm25_mean`` and ``o3_mda8`` (date, city, quantile), ug m-3, at `BOUNDS`; ``pm25_max`` and
        ``o3_max`` (date, city), ug m-3, the highest hour of the median; ``visibility_min`` (date, city), m, and
        ``haze_grade`` (date, city), the highest of `hazecast.forecast.haze_grades.HAZE_GRADES` that lasts for `HAZE_HOURS`
        hours in a row (-1 where fewer hours are known), both of the forecast hours of the day alone;
        ``observed_hours`` (date, city), how many hours of PM2.5 were observed. NaN where a day has too few
        hours. The days are those that any city has forecast hours of.
    """
    median = joined_hours(forecast, observations, 0.5)
    days = forecast_days(forecast, registry)
    dates, _ = local_hours(median, registry)
    result = xr.Dataset(coords={"date": days, "city": forecast["city"].values, "quantile": list(BOUNDS)})
    for name, (target, _) in _REDUCTIONS.items():
        if name not in median:
            continue
        levels = day_levels(forecast, observations, registry, name, days)
        values = np.stack([at_quantile(levels, bound) for bound in BOUNDS], axis=-1)
        result[target] = (("date", "city", "quantile"), values, {"units": "ug m-3"})
        highest = by_day(np.asarray(median[name].values), dates, days, np.max)
        # The rule of how many hours a day needs is that of its mean.
        known = np.isfinite(values[..., 0])
        result[f"{name}_max"] = (("date", "city"), np.where(known, highest, np.nan), {"units": "ug m-3"})
    if "pm25" in median:
        past = (median["time"] <= median["init_time"]).values[:, None]
        counts = by_day((median["pm25"].notnull().values & past).astype(float), dates, days, np.sum)
        result["observed_hours"] = (("date", "city"), np.nan_to_num(counts).astype(np.int16), {"units": "1"})
    return result.merge(_sight(forecast, registry, days))


def _sight(forecast: xr.Dataset, registry: Registry, days: npt.NDArray[np.datetime64]) -> xr.Dataset:
    """Return visibility and haze grade by day, from the forecast hours."""
    shape = (forecast.sizes["lead_time"], forecast.sizes["city"])
    mass = np.full(shape, np.nan)
    if "pm25" in forecast.data_vars:
        at = QUANTILES.index(0.5)
        mass = forecast["pm25"].transpose("lead_time", "city", "quantile").values[..., at].astype(float)
    humidity = forecast["relative_humidity"].transpose("lead_time", "city").values.astype(float)
    seen = visibility(mass, humidity)
    hourly = haze_grade(seen, humidity, mass)
    times = xr.Dataset(coords={"time": valid_times(forecast), "city": forecast["city"].values})
    dates, _ = local_hours(times, registry)
    grades = np.full((days.size, shape[1]), -1, dtype=np.int8)
    for d, day in enumerate(days):
        for c in range(shape[1]):
            grades[d, c] = lasting_grade(hourly[dates[:, c] == day, c])
    return xr.Dataset(
        {
            "visibility_min": (("date", "city"), by_day(seen, dates, days, np.min), {"units": "m"}),
            "haze_grade": (("date", "city"), grades, {"units": "1"}),
        },
        coords={"date": days, "city": forecast["city"].values},
    )


def lasting_grade(grades: npt.NDArray[np.int8], hours: int = HAZE_HOURS) -> int:
    """Return the highest haze grade that is reached or exceeded for `hours` in a row.

    Parameters
    ----------
    grades : int8 (time,)
        As from `hazecast.forecast.products.haze_grade`, by hour.
    hours : int

    Returns
    -------
    int
        0 to 4; -1 where fewer than `hours` are known.
    """
    if int((grades >= 0).sum()) < hours:
        return -1
    for grade in range(int(grades.max()), 0, -1):
        runs = np.convolve(grades >= grade, np.ones(hours, dtype=int), mode="valid")
        if (runs == hours).any():
            return grade
    return 0


@dataclass(frozen=True)
class DayCheck:
    """What was forecast for a city's day, at `BOUNDS`, beside what was observed: ug m-3, NaN where unknown.

    `limit` is the country's standard for the mean of PM2.5.
    """

    city: str
    date: np.datetime64
    init_time: np.datetime64
    pm25: tuple[float, float, float]
    pm25_observed: float
    o3: tuple[float, float, float]
    o3_observed: float
    limit: float

    @property
    def outcome(self) -> Outcome:
        """Whether an exceedance of the standard was forecast and observed; "unknown" where a value is missing."""
        if not np.isfinite([self.pm25[1], self.pm25_observed]).all():
            return "unknown"
        if self.pm25[1] > self.limit:
            return "hit" if self.pm25_observed > self.limit else "false_alarm"
        return "miss" if self.pm25_observed > self.limit else "quiet"


def day_check(
    forecast: xr.Dataset, observations: xr.Dataset, city: City, date: np.datetime64, registry: Registry
) -> DayCheck:
    """Compare what was forecast for a city's day with what was observed.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast", issued before the day began: nothing of the day was known to it.
    observations : xarray.Dataset
        Contract "observations".
    city : City
    date : datetime64
        The city's own calendar day.
    registry : Registry

    Returns
    -------
    DayCheck

    Raises
    ------
    InputError
        If the forecast is not from before the day.
    """
    begins = day_begins(city, date)
    init = forecast["init_time"].values.astype("datetime64[ns]")
    if init > to_datetime64(begins):
        raise InputError("day check: init_time", str(init), f"a forecast from before {begins.isoformat()}")

    def value(dataset: xr.Dataset, name: Variable) -> float:
        if name not in dataset.data_vars or city.id not in dataset["city"].values:
            return float("nan")
        found = _REDUCTIONS[name][1](dataset.sel(city=[city.id]), registry, name)[name]
        return float(found.reindex(date=[date]).values[0, 0])

    def expected(name: Variable) -> tuple[float, float, float]:
        if name not in forecast.data_vars or city.id not in forecast["city"].values:
            return float("nan"), float("nan"), float("nan")
        day = np.array([date], dtype="datetime64[ns]")
        levels = day_levels(forecast.sel(city=[city.id]), None, registry, name, day)
        low, middle, high = (float(at_quantile(levels, bound)[0, 0]) for bound in BOUNDS)
        return low, middle, high

    return DayCheck(
        city.id,
        date,
        np.datetime64(init.item(), "ns"),
        expected("pm25"),
        value(observations, "pm25"),
        expected("o3"),
        value(observations, "o3"),
        pm25_limit(city.country, begins),
    )
