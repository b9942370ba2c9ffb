"""What the weather of a warning's hours shows of why it is hazy: said only where that weather is known and shows it.

Nothing here rests on where pollution comes from, which a forecast of concentrations does not know. A statement holds
on the mean of the hours and in more than half of them; an hour of unknown weather counts against it. The
thresholds are this service's choices, not a standard's: light wind below 2 m s-1, a mixing layer below
500 m. Humid is RH 80 % or more, from which the CMA's haze signal asks for PM2.5 beside visibility. Below
0.5 m s-1 wind has no meaningful direction, as in `hazecast.forecast.studies.wind.roses`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hazecast.alerts.engine.day_evidence import of_days
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.rules.criteria import HOURLY
from hazecast.forecast.products import valid_times
from hazecast.grids.derived import relative_humidity
from hazecast.grids.times import to_datetime64

HUMID = 80.0
CALM = 2.0
SHALLOW = 500.0
NO_DIRECTION = 0.5
# What causes are read from, of the weather that a forecast is based on.
CAUSE_WEATHER: tuple[str, ...] = ("u10", "v10", "blh", "t2m", "d2m")
DIRECTIONS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")

Float = npt.NDArray[np.float64]
_HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True)
class Seen:
    """What was last observed in a city: `time` is the end of the hour, `pm25` and `o3` ug m-3, None where unknown."""

    time: datetime
    pm25: float | None = None
    o3: float | None = None


@dataclass(frozen=True)
class Causes:
    """What the weather of a warning's hours shows; None where it does not hold or is not known.

    `calm` is the mean speed of light wind, m s-1; `shallow` the mean height of a low mixing layer, m; `humid` the mean
    relative humidity of moist air, %; `wind` the one of `DIRECTIONS` that wind which isn't light mostly
    comes from, and its mean speed, m s-1. `seen` is what was last observed before a lift.
    """

    calm: float | None = None
    shallow: float | None = None
    humid: float | None = None
    wind: tuple[str, float] | None = None
    seen: Seen | None = None


def causes(warning: HazeWarning, forecast: xr.Dataset) -> Causes:
    """Return what the weather of a warning's hours shows.

    Parameters
    ----------
    warning : HazeWarning
        Its evidence gives the hours, see `relevant_hours`.
    forecast : xarray.Dataset
        Contract "forecast". The weather it is based on, ``u10``, ``v10`` (m s-1), ``blh`` (m), ``t2m`` and ``d2m``
        (K), (lead_time, city), is used where present; humidity by persistence is not.

    Returns
    -------
    Causes
    """
    hours = relevant_hours(warning)
    here = forecast.get_index("city").get_indexer(pd.Index([warning.city]))[0]
    if not len(hours) or here < 0:
        return Causes()
    times = valid_times(forecast)
    at = np.minimum(np.searchsorted(times, hours), len(times) - 1)
    known = times[at] == hours

    def at_hours(name: str) -> Float:
        if name not in forecast:
            return np.full(len(hours), np.nan)
        # Plain arrays: to select a city by xarray takes longer than all else here.
        return np.where(known, forecast.variables[name].transpose("lead_time", "city").values[at, here], np.nan)

    east, north = at_hours("u10"), at_hours("v10")
    speed = np.hypot(east, north)
    humidity = relative_humidity(at_hours("t2m"), at_hours("d2m"))
    calm = _typical(speed, lambda value: value < CALM)
    return Causes(
        calm=calm,
        shallow=_typical(at_hours("blh"), lambda value: value < SHALLOW),
        humid=_typical(humidity, lambda value: value >= HUMID),
        wind=_prevailing(east, north, speed) if calm is None else None,
    )


def relevant_hours(warning: HazeWarning) -> npt.NDArray[np.datetime64]:
    """Return the hours that a warning rests on, each by its end, datetime64[ns] (hour,), UTC.

    Those of its evidence where that is hourly values; where it is means over several hours or days, all hours from
    the onset to the last stamp; where it is the days of an episode, all hours of the warning.
    """
    if of_days(warning.evidence):
        return np.arange(to_datetime64(warning.onset) + _HOUR, to_datetime64(warning.expires) + _HOUR, _HOUR)
    stamps = sorted(to_datetime64(e.time) for e in warning.evidence)
    tested = {name for e in warning.evidence for name in e.values}
    if not stamps or tested <= {*HOURLY, "ox"}:
        return np.array(stamps, "M8[ns]")
    first = min(to_datetime64(warning.onset + timedelta(hours=1)), stamps[0])
    return np.arange(first, stamps[-1] + _HOUR, _HOUR).astype("M8[ns]")


def _typical(values: npt.NDArray[np.floating], shown: Callable[[Any], Any]) -> float | None:
    """Return the mean of `values` where it is `shown` by the mean and by more than half of the hours."""
    if 2 * int(np.sum(shown(values))) <= len(values):
        return None
    mean = float(np.nanmean(values))
    return mean if shown(mean) else None


def _prevailing(east: Float, north: Float, speed: Float) -> tuple[str, float] | None:
    """Return the direction, within 22.5 degrees, that the wind of more than half of the hours comes from."""
    blowing = speed >= NO_DIRECTION
    origin = np.degrees(np.arctan2(-east[blowing], -north[blowing])) % 360.0
    sectors = np.round(origin / 45.0).astype(np.int64) % len(DIRECTIONS)
    counts = np.bincount(sectors, minlength=len(DIRECTIONS))
    most = int(counts.argmax())
    return (DIRECTIONS[most], float(np.nanmean(speed))) if 2 * int(counts[most]) > len(speed) else None
