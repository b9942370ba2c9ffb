"""Indices of a city as they are reported: the US AQI of a day and of the current hour, and China's daily report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from hazecast.forecast.day_index import DayIndex
from hazecast.forecast.indices import china_daily_report, nowcast_pm, ozone_ppm, us_aqi
from hazecast.forecast.indices.breakpoints import combine
from hazecast.grids.places.cities import City, Registry

# The hours that the US EPA's NowCast weighs; see `hazecast.forecast.indices.nowcast_pm`.
_NOWCAST_HOURS = 12
_HOUR = np.timedelta64(1, "h")


def us_day_index(pm25: float, o3_8h: float, o3_1h: float) -> DayIndex | None:
    """Return the United States' AQI of a day, from PM2.5 and ozone.

    Parameters
    ----------
    pm25, o3_8h, o3_1h : float
        Daily mean, daily maximum 8-hour and 1-hour mean, ug m-3 (ozone at 298.15 K and 1013.25 hPa); NaN where
        unknown.

    Returns
    -------
    DayIndex or None
        None where nothing is known.

    Examples
    --------
    >>> us_day_index(40.0, 100.0, 120.0).value
    112
    """
    parts = {"pm25": pm25, "o3_8h": float(ozone_ppm(o3_8h)), "o3_1h": float(ozone_ppm(o3_1h))}
    return DayIndex.of(us_aqi(parts))


@dataclass(frozen=True)
class CurrentIndex:
    """The United States' AQI of the current hour.

    Attributes
    ----------
    time : datetime64
        End of the hour, UTC.
    pm25, pm10 : float
        NowCast, ug m-3; NaN where too few hours were observed.
    index : DayIndex
        From these two: the NowCast of ozone is a regression that is not computed.
    """

    time: np.datetime64
    pm25: float
    pm10: float
    index: DayIndex


def us_current_index(observations: xr.Dataset, city: str, time: np.datetime64) -> CurrentIndex | None:
    """Return the United States' AQI of one hour by the PM NowCast.

    Parameters
    ----------
    observations : xarray.Dataset
        Contract "observations".
    city : str
        Its id.
    time : datetime64
        End of the hour, UTC.

    Returns
    -------
    CurrentIndex or None
        None where too few of the last 12 hours were observed.
    """
    if city not in observations["city"].values:
        return None
    hours = time.astype("datetime64[ns]") - np.arange(_NOWCAST_HOURS)[::-1] * _HOUR
    recent = observations.sel(city=city).reindex(time=hours)

    def nowcast(name: str) -> float:
        return float(nowcast_pm(recent[name].values)) if name in recent else float("nan")

    pm25, pm10 = nowcast("pm25"), nowcast("pm10")
    index = DayIndex.of(us_aqi({"pm25": pm25, "pm10": pm10}))
    return None if index is None else CurrentIndex(hours[-1], pm25, pm10, index)


@dataclass(frozen=True)
class DailyReport:
    """China's report of a day.

    Attributes
    ----------
    date : datetime64
        The city's own calendar day.
    index : DayIndex
        The AQI with its primary pollutants.
    parts : dict of str to int
        The sub-index (IAQI) of each item known: pm25, pm10, o3_8h, so2, no2, co.
    """

    date: np.datetime64
    index: DayIndex
    parts: dict[str, int]


def china_report_before(
    observations: xr.Dataset, city: City, time: np.datetime64, registry: Registry
) -> DailyReport | None:
    """Return China's daily report (HJ 633) of the last day that ended by a time, from all pollutants observed.

    Parameters
    ----------
    observations : xarray.Dataset
        Contract "observations", with the 48 hours up to `time`.
    city : City
        Its time zone gives the day.
    time : datetime64
        UTC.
    registry : Registry

    Returns
    -------
    DailyReport or None
        None where no pollutant has the hours that a day needs.
    """
    if city.id not in observations["city"].values:
        return None
    local = pd.Timestamp(time, tz="UTC").tz_convert(city.time_zone).tz_localize(None)
    date = (local.normalize() - pd.Timedelta(days=1)).to_datetime64().astype("datetime64[ns]")
    report = china_daily_report(observations.sel(city=[city.id]), registry)
    if date not in report["date"].values:
        return None
    here = report.sel(date=date, city=city.id)
    sub_indices = {
        str(item): float(value) for item, value in zip(here["item"].values, here["iaqi"].values, strict=True)
    }
    found = combine("china", str(here["standard"].item()), sub_indices)
    index = DayIndex.of(found)
    return None if index is None else DailyReport(date, index, dict(found.parts))
