"""What the inputs of a forecast lack, in words: why it is degraded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import numpy as np

from hazecast.grids.contract import HISTORY_HOURS, WEATHER
from hazecast.grids.observations.collections import MonitorData
from hazecast.grids.places.cities import City
from hazecast.grids.quality import MODELLED
from hazecast.grids.times import to_datetime64
from hazecast.services.work.distrust import SHARE_OF_CITIES, distrust_reasons
from hazecast.services.work.inputs import FUTURE_HOURS, NO_AIR, CycleInputs
from hazecast.services.work.weather_gaps import weather_gaps

# Cities that a reason names; the rest are counted.
_NAMED_CITIES = 100
# Faults of tables that a report names.
_NAMED_FAULTS = 5


def shortcomings(
    inputs: CycleInputs,
    cities: list[City],
    init_time: datetime,
    late_hours: int = 6,
    weather_needed: Sequence[str] = tuple(WEATHER),
    skipped: Collection[str] = (),
) -> list[str]:
    """Return what the inputs of a forecast lack, in words.

    Parameters
    ----------
    inputs : CycleInputs
    cities : list of City
        Those that are forecast.
    init_time : datetime
        Aware.
    late_hours : int
        A city's newest PM2.5 that is older than this is late.
    weather_needed : sequence of str
        The weather variables that the model uses.
    skipped : collection of str
        Ids of cities that were wanted and can't be forecast.

    Returns
    -------
    list of str
        Empty if nothing is missing.
    """
    reasons = list(inputs.weather_reasons)
    now = to_datetime64(init_time)
    pm25 = inputs.monitors.observations["pm25"].sel(time=slice(None, now)).transpose("time", "city")
    valid = np.isfinite(pm25.sel(city=[city.id for city in cities]).values)
    newest = pm25["time"].values[len(valid) - 1 - np.argmax(valid[::-1], axis=0)]
    ages = (now - newest) / np.timedelta64(1, "h")
    aged = [f"{c.id}: newest PM2.5 is {age:.0f} h old" for c, age in zip(cities, ages, strict=True) if age > late_hours]
    reasons.extend(_counted(aged, "more cities have no newer PM2.5"))
    if inputs.init_age is not None and inputs.init_age > timedelta(hours=late_hours):
        reasons.append(f"observations end {inputs.init_age.total_seconds() / 3600:.0f} h before now")
    known = {str(city) for city in pm25["city"].values} | set(inputs.monitors.silent)
    silent = sorted(known & set(skipped))
    if len(silent) >= SHARE_OF_CITIES * (len(silent) + len(cities)) > 0:
        reasons.append(f"no PM2.5 in the last 72 h in {len(silent)} of {len(silent) + len(cities)} cities")
    reasons.extend(distrust_reasons(inputs.monitors, now))
    if late := inputs.monitors.counts.get(FUTURE_HOURS):
        reasons.append(f"observations: {late} hours are stamped in the future and left out")
    modelled = _modelled(inputs.monitors, cities)
    if modelled:
        more = f" and {len(modelled) - _NAMED_CITIES} more" if len(modelled) > _NAMED_CITIES else ""
        named = ", ".join(modelled[:_NAMED_CITIES])
        reasons.append(f"PM2.5 is a model's analysis, not measured, in {len(modelled)} cities: {named}{more}")
    reasons.extend(_of_tables(inputs.monitors, now))
    if inputs.past is None and inputs.future is None and not inputs.weather_reasons:
        reasons.append(NO_AIR)
    if inputs.future is not None:
        reasons.extend(weather_gaps(inputs.future, cities, init_time, weather_needed))
    return reasons


def _of_tables(monitors: MonitorData, now: np.datetime64) -> list[str]:
    """Return what a bureau's tables don't state, and what was left out of the hours that a forecast reads."""
    first = now - np.timedelta64(HISTORY_HOURS - 1, "h")
    here = [f for f in monitors.faults if f.time is None or first <= np.datetime64(f.time, "ns") <= now]
    reasons = [f"observations: {doubt}" for doubt in monitors.doubts]
    reasons += [f"observations: left out, {fault}" for fault in here[:_NAMED_FAULTS]]
    if len(here) > _NAMED_FAULTS:
        reasons.append(f"observations: at least {len(here) - _NAMED_FAULTS} more cells or rows are left out")
    return reasons


def _modelled(monitors: MonitorData, cities: Sequence[City]) -> list[str]:
    flags = monitors.observations.get("pm25_flag")
    if flags is None:
        return []
    ids = np.array([city.id for city in cities])
    return [str(name) for name in ids[(flags.sel(city=ids) == MODELLED).any("time").values]]


def _counted(reasons: list[str], rest: str) -> list[str]:
    """Return the first reasons, and how many there are more."""
    more = len(reasons) - _NAMED_CITIES
    return reasons[:_NAMED_CITIES] + ([f"{more} {rest}"] if more > 0 else [])
