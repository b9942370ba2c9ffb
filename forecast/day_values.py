"""What a day of a forecast may come to: its daily value by scenario, at the levels of the scenarios.

A day's mean is surer than its hours, as far as their errors differ; its highest 8 hours are so the more. The scenarios
(`hazecast.forecast.dependence`) say how far for ozone. For the mean of PM2.5 they say too much: whole days come out higher or lower than
was forecast more often than the correlation of neighbouring hours tells. So its quantiles are in part those of
hours that go together perfectly, by a share (`TOGETHER`) that was chosen on a tuning year; docs/warnings.md has the figures.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hazecast.forecast.dependence import COUNT, Variable, ranks
from hazecast.forecast.products import valid_times
from hazecast.forecast.scenarios import at_levels, trailing_mean
from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.places.cities import Registry

Float = npt.NDArray[np.float64]

# Share of the quantiles of perfectly dependent hours in those of a day; PM2.5's gives the 80 % range of its mean a coverage of
# 0.79 in the tuning year (Beijing, 2014-03 to 2015-02).
TOGETHER: dict[Variable, float] = {"pm25": 0.6, "o3": 0.0}
# As in `hazecast.forecast.products`: valid hours of a day, of an 8-hour mean, and valid 8-hour means of a day.
_DAY_HOURS, _MEAN_HOURS, _DAY_MEANS = 20, 6, 14
_HOUR = np.timedelta64(1, "h")
# Cities whose scenarios are held at a time: 25 MB.
_CHUNK = 256


def day_levels(
    forecast: xr.Dataset,
    observations: xr.Dataset | None,
    registry: Registry,
    name: Variable,
    days: npt.NDArray[np.datetime64],
    *,
    highest: bool = False,
) -> Float:
    """Return the daily value of each day at `hazecast.forecast.dependence.LEVELS`.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast" with `name`.
    observations : xarray.Dataset or None
        Contract "observations", for the hours of the first day up to the init time.
    registry : Registry
        Gives the time zones.
    name : {"pm25", "o3"}
        The mean of PM2.5, the highest 8-hour mean of ozone.
    days : datetime64[ns] (date,)
        Local days, at 00:00.
    highest : bool
        The highest hour in place of the 8-hour mean, where that is known.

    Returns
    -------
    float64 (level, date, city)
        ug m-3, rising with the level; NaN where a day has too few hours.
    """
    init = forecast["init_time"].values.astype("datetime64[ns]")
    past = init + (np.arange(24) - 23) * _HOUR
    times = np.concatenate([past, valid_times(forecast)])
    ahead = np.asarray(forecast[name].transpose("city", "lead_time", "quantile").values, dtype=np.float64)
    before = np.full((len(ahead), past.size), np.nan)
    if observations is not None and name in observations:
        known = observations[name].transpose("city", "time").reindex(time=past, city=forecast["city"].values)
        before = np.asarray(known.values, dtype=np.float64)
    zones = np.array([registry.city(str(c)).time_zone for c in forecast["city"].values])
    result = np.full((COUNT, len(days), len(ahead)), np.nan)
    for zone in np.unique(zones):
        dates, hours = _local(times, str(zone))
        own = np.flatnonzero(zones == zone)
        for cities in np.array_split(own, -(-len(own) // _CHUNK)):
            rising = _rising(before[cities], ahead[cities], name)
            order = np.tile(np.arange(COUNT)[:, None], (1, times.size))
            order[:, past.size :] = ranks(name, ahead.shape[1])
            mixed = np.take_along_axis(rising, order[:, None, :], axis=0)
            own_days = np.sort(_daily(mixed, dates, hours, days, name, highest), axis=0)
            share = TOGETHER[name]
            if share:
                own_days = share * _daily(rising, dates, hours, days, name, highest) + (1.0 - share) * own_days
            result[:, :, cities] = own_days
    return result


def at_quantile(values: Float, quantile: float) -> Float:
    """Return a quantile of what `day_levels` gave.

    Parameters
    ----------
    values : float64 (level, ...)
        Rising with the level.
    quantile : float
        0 to 1.

    Returns
    -------
    float64 (...)
    """
    place = min(max(quantile * COUNT - 0.5, 0.0), COUNT - 1.0)
    low = min(int(place), COUNT - 2)
    return np.asarray(values[low] + (place - low) * (values[low + 1] - values[low]), dtype=np.float64)


def _local(times: npt.NDArray[np.datetime64], zone: str) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64]]:
    """Return the day that each hour belongs to in a zone, and the hour of the day that it is, 1 to 24."""
    begun = pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(ZoneInfo(zone)).tz_localize(None) - pd.Timedelta(
        hours=1
    )
    return begun.normalize().to_numpy().astype("datetime64[ns]"), begun.hour.to_numpy().astype(np.int64) + 1


def _rising(before: Float, ahead: Float, name: Variable) -> Float:
    """Return hours at each level, (level, city, time): what was observed is the same in all."""
    cities, leads, quantiles = ahead.shape
    coming = at_levels(ahead.reshape(-1, quantiles), highest=POLLUTANTS[name].high).reshape(COUNT, cities, leads)
    return np.concatenate([np.broadcast_to(before, (COUNT, *before.shape)), coming], axis=2)


def _daily(
    values: Float,
    dates: npt.NDArray[np.datetime64],
    hours: npt.NDArray[np.int64],
    days: npt.NDArray[np.datetime64],
    name: Variable,
    highest: bool,
) -> Float:
    """Return the daily value by scenario, (scenario, date, city), of hours (scenario, city, time)."""
    result = np.full((len(values), len(days), values.shape[1]), np.nan)
    eight = None if name == "pm25" else trailing_mean(values, 8, _MEAN_HOURS)
    for number, day in enumerate(days):
        here = values[:, :, dates == day]
        # A missing hour is missing in all scenarios.
        valid = np.isfinite(here[0]).sum(axis=1)
        if eight is None:
            enough = valid >= _DAY_HOURS
            found = np.nansum(here, axis=2) / np.maximum(valid, 1)
        else:
            means = eight[:, :, (dates == day) & (hours >= 8)]
            enough = np.isfinite(means[0]).sum(axis=1) >= _DAY_MEANS
            found = np.fmax.reduce(here if highest else means, axis=2, initial=0.0)
        result[:, number] = np.where(enough, found, np.nan)
    return result
