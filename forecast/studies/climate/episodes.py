"""Episodes of a pollutant: a catalogue out of an hourly series."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hazecast.forecast.indices import china_standards
from hazecast.grids.errors import InputError

# Chosen, not taken from a standard: half a day below the threshold parts two episodes, and shorter ones are left out.
GAP_HOURS = 12
LEAST_HOURS = 12


def heavy_pollution() -> float:
    """Return the PM2.5 above which China's AQI calls an hour or a day heavily polluted (AQI 200), ug m-3."""
    standard = china_standards()[0]
    return standard.tables["hourly"]["pm25"][standard.index.index(200.0)]


def find_episodes(
    hourly: pd.Series,
    *,
    threshold: float | None = None,
    gap_hours: int = GAP_HOURS,
    least_hours: int = LEAST_HOURS,
) -> pd.DataFrame:
    """Return the episodes of a series.

    An episode goes from an hour above the threshold to the last one that is no more than `gap_hours` hours (not
    above, or missing) behind the one before it. It counts if `least_hours` of its hours are above.

    Parameters
    ----------
    hourly : pandas.Series (time)
        ug m-3; UTC stamps without a zone that mark the end of their hour, rising; NaN or absent where missing.
    threshold : float, optional
        ug m-3; by default `heavy_pollution`.
    gap_hours, least_hours : int

    Returns
    -------
    pandas.DataFrame (episode)
        From 1: ``start`` and ``end`` (UTC, of the first hour's beginning and the last one's end),
        ``duration_hours``, ``hours_above``, ``hours_missing``, ``peak`` (ug m-3) with ``peak_time`` (the end of its
        hour), ``mean`` (ug m-3, of all valid hours from start to end) and ``cut``: whether it comes within the
        gap of an end of the series, and so may have been longer.

    Raises
    ------
    InputError
        If the threshold is negative or not finite, a number of hours is out of range, or times don't rise.
    """
    limit = heavy_pollution() if threshold is None else threshold
    if not (np.isfinite(limit) and limit >= 0):
        raise InputError("episodes: threshold", limit, "0 or more, ug m-3")
    if gap_hours < 0:
        raise InputError("episodes: hours of a gap", gap_hours, "0 or more")
    if least_hours < 1:
        raise InputError("episodes: least hours above", least_hours, "1 or more")
    times = pd.DatetimeIndex(hourly.index)
    if not (times.is_monotonic_increasing and times.is_unique):
        raise InputError("episodes: time", "stamps that don't rise", "each hour once, in order")
    known = hourly.dropna()
    if known.empty:
        return _catalogue([])
    # Hours that are absent from the series count as missing, not as no time.
    whole = known.reindex(pd.date_range(known.index[0], known.index[-1], freq="h"))
    values = whole.to_numpy(dtype=np.float64)
    above = np.flatnonzero(values > limit)
    runs = np.split(above, np.flatnonzero(np.diff(above) > gap_hours + 1) + 1)
    rows = []
    for run in runs:
        if len(run) < least_hours:
            continue
        first, last = int(run[0]), int(run[-1])
        span = values[first : last + 1]
        peak = int(np.nanargmax(span))
        rows.append(
            {
                "start": whole.index[first] - pd.Timedelta(hours=1),
                "end": whole.index[last],
                "duration_hours": last + 1 - first,
                "hours_above": len(run),
                "hours_missing": int(np.isnan(span).sum()),
                "peak": float(span[peak]),
                "peak_time": whole.index[first + peak],
                "mean": float(np.nanmean(span)),
                "cut": first <= gap_hours or last >= len(values) - 1 - gap_hours,
            }
        )
    return _catalogue(rows)


def _catalogue(rows: list[dict[str, object]]) -> pd.DataFrame:
    columns = ["start", "end", "duration_hours", "hours_above", "hours_missing", "peak", "peak_time", "mean", "cut"]
    return pd.DataFrame(rows, columns=columns, index=pd.RangeIndex(1, len(rows) + 1, name="episode"))


def episodes_beginning_in(catalogue: pd.DataFrame, year: int, time_zone: str) -> pd.DataFrame:
    """Return the episodes of a catalogue that begin in a calendar year of the place's own time."""
    begin = pd.DatetimeIndex(pd.to_datetime(catalogue["start"])).tz_localize("UTC").tz_convert(time_zone)
    return catalogue[begin.year == year]
