"""What the weather of a forecast's hours lacks, judged by its values, not by its time axis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import xarray as xr

from hazecast.grids.contract import LEAD_HOURS, WEATHER
from hazecast.grids.places.cities import City
from hazecast.grids.times import to_datetime, to_datetime64


def weather_gaps(
    weather: xr.Dataset, cities: Sequence[City], init_time: datetime, needed: Sequence[str] = tuple(WEATHER)
) -> list[str]:
    """Return what the weather lacks at the lead times, in words.

    Parameters
    ----------
    weather : xarray.Dataset (time, city)
        Contract "city_weather"; attributes ``left_out`` and ``places_outside`` name what its reader left out.
    cities : sequence of City
        Those that are forecast.
    init_time : datetime
        Aware.
    needed : sequence of str
        The variables that the model uses.

    Returns
    -------
    list of str
        Empty if every needed variable has a value at every lead time and city. Else what was left out of the files,
        cities outside the grid, variables that are absent throughout, the hour after which nothing has a value, and
        for the hours before it each variable's city hours without a value, with the first of them.
    """
    reasons = [f"weather: left out: {text}" for text in str(weather.attrs.get("left_out", "")).split("; ") if text]
    hours = to_datetime64(init_time) + np.arange(1, LEAD_HOURS + 1) * np.timedelta64(1, "h")
    names = [city.id for city in cities]
    outside = [name for name in names if name in str(weather.attrs.get("places_outside", "")).split(", ")]
    if outside:
        reasons.append(f"weather: {len(outside)} places lie outside its grid: {', '.join(outside)}")
    inside = [name for name in names if name not in outside]
    present = [name for name in needed if name in weather]
    there = weather[present].reindex(time=hours, city=inside)
    known = {name: np.isfinite(there[name].transpose("time", "city").values) for name in present}
    with_any = np.flatnonzero(sum((k.any(axis=1) for k in known.values()), np.zeros(len(hours), bool)))
    if not with_any.size:
        return [*reasons, f"weather: no value in any of {LEAD_HOURS} h after {init_time:%Y-%m-%dT%H:%MZ}"]
    absent = [name for name in needed if name not in known or not known[name].any()]
    if absent:
        reasons.append(f"weather lacks {', '.join(absent)}")
    end = int(with_any[-1]) + 1
    gaps: dict[tuple[int, int, int], list[str]] = defaultdict(list)
    for name in [name for name in present if name not in absent]:
        hour_rows, city_columns = np.nonzero(~known[name][:end])
        if hour_rows.size:
            gaps[hour_rows.size, int(hour_rows[0]), int(city_columns[0])].append(name)
    for (count, first, place), same in gaps.items():
        reasons.append(
            f"weather: {', '.join(same)} without a value in {count} of {end * len(inside)} city hours, "
            f"first {to_datetime(hours[first]):%Y-%m-%dT%H:%MZ} at {inside[place]}"
        )
    if end < LEAD_HOURS:
        reasons.append(f"weather ends at {to_datetime(hours[end - 1]):%Y-%m-%dT%H:%MZ}, before the last lead time")
    return reasons
