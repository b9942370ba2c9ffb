"""Totals of precipitation and radiation in files that don't say since when: turned into rates, or refused.

Publishers accumulate since the start of a forecast (ECMWF, CAMS), since 00 UTC (ERA5-Land) or over each step alone (ERA5),
under the same name and unit. The values tell which: a total never falls but where it begins anew.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hazecast.grids.errors import InputError

Array = npt.NDArray[np.floating]
_HOUR = np.timedelta64(1, "h")
# Packing moves a total down by up to so large a share of the largest.
_PACKING = 2e-4
# Over fewer hours the amounts by step may rise throughout, as radiation does in the morning.
_SURE_AFTER_HOURS = 24


def rates_of_totals(
    totals: Array, times: npt.NDArray[np.datetime64], start: np.datetime64 | None, where: str
) -> tuple[Array, Array]:
    """Return the mean rates of totals, and the lengths of their steps.

    Parameters
    ----------
    totals : float (time, ...)
        In any unit.
    times : datetime64 (time,)
        Ascending.
    start : datetime64 or None
        Init time of the forecast, where it is known.
    where : str
        File and variable, for errors.

    Returns
    -------
    rates : float (time, ...)
        Unit of the totals by hour; NaN where the step's start isn't there.
    lengths : float (time,)
        Hours; NaN where not known.

    Raises
    ------
    InputError
        If the values don't tell since when they are totals.

    Examples
    --------
    >>> times = np.datetime64("2014-02-20T22", "ns") + np.arange(5).astype("timedelta64[h]")
    >>> rates, lengths = rates_of_totals(np.array([22.0, 23.0, 24.0, 1.0, 2.0]), times, None, "land.nc: tp")
    >>> rates.tolist(), lengths.tolist()
    ([nan, 1.0, 1.0, 1.0, 1.0], [nan, 1.0, 1.0, 1.0, 1.0])
    """
    if len(times) < 2:
        if start is None or times[0] <= start:
            raise InputError(where, "one time", "totals since a stated start, or at two times or more")
        length = (times[0] - start) / _HOUR
        return totals / length, np.array([length])
    gaps = np.diff(times) / _HOUR
    rises = np.diff(totals, axis=0)
    tolerance = _PACKING * float(np.nan_to_num(np.abs(totals)).max(initial=0.0))
    falls = (rises < -tolerance).reshape(len(gaps), -1).any(axis=1)
    grows = (rises > tolerance).reshape(len(gaps), -1).any(axis=1)
    # A day of accumulation ends at 00 UTC: the value after it is of the next.
    days = (times - np.timedelta64(1, "ns")).astype("datetime64[D]")
    new_day = days[1:] != days[:-1]
    if not grows.any() and not falls.any():
        if tolerance == 0.0:
            return np.zeros_like(totals), np.concatenate([[np.nan], gaps])
        return _by_step(totals, gaps, where)
    if falls.any() and not (falls & ~new_day).any():
        # Falls at the turn of the day alone. Of a day's first value its step began at 00 UTC.
        midnight = days[1:].astype(times.dtype)
        return _by_differences(totals, times, np.where(new_day, midnight, times[:-1]), new_day)
    if falls.any():
        anew = _regular(np.asarray(falls), times)
        if anew is not None:
            return _by_differences(totals, times, times[:-1], anew)
        if falls.sum() == 1 and grows.sum() >= _SURE_AFTER_HOURS // 2:
            raise InputError(where, "values that fall once", "totals over each step, since 00 UTC or since one start")
        return _by_step(totals, gaps, where)
    if start is None and (times[-1] - times[0]) / _HOUR < _SURE_AFTER_HOURS:
        found = f"values that rise throughout {len(times)} times"
        raise InputError(
            where, found, "totals over each step, since 00 UTC or since a stated start, over a day or more"
        )
    rates, lengths = _by_differences(totals, times, times[:-1], np.zeros(len(gaps), bool))
    if start is not None and times[0] > start:
        lengths[0] = (times[0] - start) / _HOUR
        rates[0] = totals[0] / lengths[0]
    return rates, lengths


def _by_step(totals: Array, gaps: Array, where: str) -> tuple[Array, Array]:
    """Each value is the total of one hour, also after a hole: of longer steps the length isn't stated."""
    if np.median(gaps) != 1.0:
        steps = ", ".join(f"{gap:g}" for gap in np.unique(gaps)[:4])
        raise InputError(where, f"totals at steps of {steps} h, of a length that isn't stated", "hourly totals")
    return totals.copy(), np.ones(len(totals))


def _regular(falls: npt.NDArray[np.bool_], times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.bool_] | None:
    """Return where buckets of a few steps begin anew, if the values fall there alone and at regular times.

    Buckets begin at 00 UTC and every so many hours after: two falls a few hours apart may be weather.
    """
    at = np.flatnonzero(falls)
    lengths = np.diff(at)
    if len(at) < 2 or lengths.min() < 3 or not (lengths == lengths[0]).all():
        return None
    starts = (times[at] - times[at].astype("datetime64[D]")) / _HOUR
    bucket = (times[at[1]] - times[at[0]]) / _HOUR
    return falls if not (starts % bucket).any() else None


def _by_differences(
    totals: Array, times: npt.NDArray[np.datetime64], starts: npt.NDArray[np.datetime64], anew: npt.NDArray[np.bool_]
) -> tuple[Array, Array]:
    rates = np.full(totals.shape, np.nan)
    lengths = np.concatenate([[np.nan], (times[1:] - starts) / _HOUR])
    across = (slice(None), *[None] * (totals.ndim - 1))
    change = np.where(anew[across], totals[1:], np.diff(totals, axis=0))
    rates[1:] = np.maximum(change / lengths[1:][across], 0.0)
    return rates, lengths
