"""Haze days of a period, counted from what was observed."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hazecast.forecast.visibility import BEIJING, VisibilityModel, visibility
from hazecast.grids.derived import relative_humidity
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry

# In words, for wherever a count is shown.
DEFINITION = (
    "six hours in a row of visibility of 5 km or less (computed from PM2.5 and humidity), humidity below 90 % and no "
    "precipitation; after Shi et al. (2017)"
)
# Shi et al. (2017), Plateau Meteorol. 36(6):1693, for stations with visibility sensors: m, %.
_LOW = 5_000.0
_HUMID = 90.0
# Koschmieder's constant at the 5 % threshold of the WMO's meteorological optical range.
_SENSOR = 2.996


def haze_days(
    observations: xr.Dataset,
    weather: xr.Dataset,
    registry: Registry,
    year: int,
    *,
    consecutive: int = 6,
    minimum_hours: int = 18,
    visibility_model: VisibilityModel = BEIJING,
) -> xr.Dataset:
    """Count the haze days of a year in each city.

    After Shi et al. (2017), Plateau Meteorol. 36(6):1693, for automatic stations: an hour of haze has a sensor's
    visibility of 5 km or less, a humidity below 90 % and no precipitation; six such hours in a row within a
    local day make a haze day. Visibility is computed here from PM2.5 and humidity, as a sensor reports it
    (contrast threshold 5 %). Counts are of observed days alone: nothing is added for days without data, so
    read them beside ``observed_days``.

    Parameters
    ----------
    observations : xarray.Dataset
        Contract "observations" with ``pm25``.
    weather : xarray.Dataset
        Contract "city_weather" with ``t2m`` and ``d2m``; ``tp`` is used where present.
    registry : Registry
        Gives the time zones.
    year : int
        Calendar year of each city's own time.
    consecutive : int
        Hours in a row that make a haze day.
    minimum_hours : int
        Valid hours that a day needs to count as observed.
    visibility_model : VisibilityModel

    Returns
    -------
    xarray.Dataset
        ``haze_days`` and ``observed_days`` (city), days.

    Raises
    ------
    InputError
        If PM2.5, temperature or dew point is absent, or no city has an observed day in the year.
    """
    for name, data in (("pm25", observations), ("t2m", weather), ("d2m", weather)):
        if name not in data:
            raise InputError("haze days: variables", sorted(map(str, data.data_vars)), f"{name} among them")
    cities = [c for c in map(str, observations["city"].values) if c in weather["city"].values]
    mass = observations["pm25"].sel(city=cities)
    air = weather.sel(city=cities).reindex(time=mass["time"])
    moist = relative_humidity(air["t2m"], air["d2m"])
    seen = visibility(mass.values, moist, replace(visibility_model, contrast_constant=_SENSOR))
    dry = ~(air["tp"].values > 0.0) if "tp" in air else np.ones(seen.shape, dtype=bool)
    hazy, valid = (seen <= _LOW) & (moist < _HUMID) & dry, np.isfinite(seen)
    counts = np.zeros((2, len(cities)), dtype=np.int16)
    for number, city in enumerate(cities):
        zone = ZoneInfo(registry.city(city).time_zone)
        # A stamp ends its hour: the hour belongs to the day in which it began.
        local = pd.DatetimeIndex(mass["time"].values).tz_localize("UTC").tz_convert(zone) - pd.Timedelta(hours=1)
        frame = pd.DataFrame({"hazy": hazy[:, number], "valid": valid[:, number]}, index=local)
        for _, hours in frame[local.year == year].groupby(lambda stamp: stamp.date()):
            if int(hours["valid"].sum()) < minimum_hours:
                continue
            counts[1, number] += 1
            counts[0, number] += _longest_run(hours["hazy"].to_numpy()) >= consecutive
    if not counts[1].any():
        raise InputError("haze days", year, "a year with observed days")
    attrs = {"units": "days", "year": year}
    return xr.Dataset(
        {"haze_days": ("city", counts[0], attrs), "observed_days": ("city", counts[1], attrs)},
        coords={"city": cities},
        attrs={"source": observations.attrs["source"]},
    )


def _longest_run(flags: npt.NDArray[np.bool_]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest
