"""Pollution episodes: a catalogue derived from an hourly series."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazecast.forecast.indices import china_standards
from hazecast.grids.errors import InputError

# Chosen, not from a standard: half a day below the threshold separates two episodes, and shorter ones are omitted.
GAP_HOURS = 12
LEAST_HOURS = 12


def heavy_pollution() -> float:
    """Return the PM2.5 concentration of AQI 200, above which China's index rates heavy pollution, ug m-3."""
    standard = china_standards()[0]
    return standard.tables["hourly"]["pm25"][standard.index.index(200.0)]


def find_episodes(
    hourly: pd.Series,
    *,
    threshold: float | None = None,
    gap_hours: int = GAP_HOURS,
    least_hours: int = LEAST_HOURS,
) -> pd.DataFrame:
    """Find the episodes of an hourly series.

    An episode starts with an hour above the threshold and continues as long as no more than `gap_hours` hours (not
    above, or missing) lie between one hour above and the next. It counts if at least `least_hours` of its hours are
    above.

    Parameters
    ----------
    hourly : pandas.Series (time)
        ug m-3; naive UTC timestamps that mark the end of their hour, increasing; NaN or absent where missing.
    threshold : float, optional
        ug m-3; by default `heavy_pollution`.
    gap_hours : int
        Longest interruption, hours.
    least_hours : int
        Fewest hours above the threshold.

    Returns
    -------
    pandas.DataFrame (episode)
        Numbered from 1: ``start`` and ``end`` (UTC, start of the first hour and end of the last),
        ``duration_hours``, ``hours_above``, ``hours_missing``, ``peak`` (ug m-3) with ``peak_time`` (the end of its
        hour), ``mean`` (ug m-3, of all valid hours from start to end) and ``cut``: whether it lies within
        `gap_hours` of an end of the series, and so may have been longer.

    Raises
    ------
    InputError
        If the threshold is negative or not finite, a number of hours is out of range, or times do not increase.

    Examples
    --------
    Fourteen hours at 200 ug m-3 within two cleaner days:

    >>> import pandas as pd
    >>> hourly = pd.Series(40.0, index=pd.date_range("2014-01-01", periods=48, freq="h"))
    >>> hourly.iloc[20:34] = 200.0
    >>> episode = find_episodes(hourly).loc[1]
    >>> str(episode["start"]), int(episode["hours_above"]), float(episode["peak"])
    ('2014-01-01 19:00:00', 14, 200.0)
    """
    limit = heavy_pollution() if threshold is None else threshold
    _check_parameters(hourly, limit, gap_hours, least_hours)
    known = hourly.dropna()
    if known.empty:
        return _catalogue([])
    # Hours absent from the series count as missing.
    regular = known.reindex(pd.date_range(known.index[0], known.index[-1], freq="h"))
    above = np.flatnonzero(regular.to_numpy(dtype=np.float64) > limit)
    runs = np.split(above, np.flatnonzero(np.diff(above) > gap_hours + 1) + 1)
    return _catalogue([_episode(regular, run, gap_hours) for run in runs if len(run) >= least_hours])


def _check_parameters(hourly: pd.Series, limit: float, gap_hours: int, least_hours: int) -> None:
    if not (np.isfinite(limit) and limit >= 0):
        raise InputError("episodes: threshold", limit, "0 or more, ug m-3")
    if gap_hours < 0:
        raise InputError("episodes: hours of a gap", gap_hours, "0 or more")
    if least_hours < 1:
        raise InputError("episodes: least hours above", least_hours, "1 or more")
    times = pd.DatetimeIndex(hourly.index)
    if not (times.is_monotonic_increasing and times.is_unique):
        raise InputError("episodes: time", "stamps that don't rise", "each hour once, in order")


def _episode(regular: pd.Series, run: NDArray[np.intp], gap_hours: int) -> dict[str, object]:
    """Return the row of one episode; `run` holds the positions of its hours above the threshold."""
    values = regular.to_numpy(dtype=np.float64)
    first, last = int(run[0]), int(run[-1])
    span = values[first : last + 1]
    peak = int(np.nanargmax(span))
    return {
        "start": regular.index[first] - pd.Timedelta(hours=1),
        "end": regular.index[last],
        "duration_hours": last + 1 - first,
        "hours_above": len(run),
        "hours_missing": int(np.isnan(span).sum()),
        "peak": float(span[peak]),
        "peak_time": regular.index[first + peak],
        "mean": float(np.nanmean(span)),
        "cut": first <= gap_hours or last >= len(values) - 1 - gap_hours,
    }


def _catalogue(rows: list[dict[str, object]]) -> pd.DataFrame:
    columns = ["start", "end", "duration_hours", "hours_above", "hours_missing", "peak", "peak_time", "mean", "cut"]
    return pd.DataFrame(rows, columns=columns, index=pd.RangeIndex(1, len(rows) + 1, name="episode"))


def episodes_beginning_in(catalogue: pd.DataFrame, year: int, time_zone: str) -> pd.DataFrame:
    """Select the episodes that begin in a calendar year of the place's local time.

    Parameters
    ----------
    catalogue : pandas.DataFrame (episode)
        From `find_episodes`.
    year : int
        Calendar year.
    time_zone : str
        IANA name of the place's time zone.

    Returns
    -------
    pandas.DataFrame (episode)
        Those rows.
    """
    begin = pd.DatetimeIndex(pd.to_datetime(catalogue["start"])).tz_localize("UTC").tz_convert(time_zone)
    return catalogue[begin.year == year]
