"""Is a station's clock right? Its series against its city's, and ozone against the sun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from hazecast.grids.quality.series import Values

WINDOW_HOURS = 240
_MIN_HOURS = 120
_MAX_LAG = 12
# A station is held to be shifted from this lag on: weather itself delays a haze front by an hour or
# two between the ends of a city. Correlation of hourly changes at the best lag, and how far it must
# exceed that at lag zero. Hazecast's own choice; docs/monitoring.md has the rates on the UCI data.
SHIFT_HOURS, _SHIFT_CORRELATION, _SHIFT_MARGIN = 3, 0.4, 0.2
# Local solar hours between which the daily course of ozone peaks, and the least amplitude, as a share
# of its mean, at which the course says so. Hazecast's own choice: in Beijing 99.8 % of ten-day windows
# peak between 11 and 17.
_OZONE_PEAK, _OZONE_AMPLITUDE = (9.0, 20.0), 0.3


@dataclass(frozen=True)
class TimeOffset:
    """How far one series lags behind another.

    Attributes
    ----------
    hours : int
        Lag with the highest correlation; positive where the series is late.
    correlation, correlation_at_zero : float
        Of the hourly changes of log concentration, at that lag and at none.
    pairs : int
        Hours compared at lag zero.
    """

    hours: int
    correlation: float
    correlation_at_zero: float
    pairs: int


def time_offset(values: Values, reference: Values, max_lag: int = _MAX_LAG) -> TimeOffset | None:
    """Find the lag of `values` behind `reference`, both (time,) on the same hours, ug m-3.

    The changes from hour to hour are compared, not the values, whose daily course agrees at many
    lags. None where fewer than 120 hours can be compared.
    """
    lags, correlations, pairs = _lag_correlations(values[:, None], reference[:, None], max_lag)
    if not np.isfinite(correlations).any() or pairs[0] < _MIN_HOURS:
        return None
    best = int(np.nanargmax(correlations[:, 0]))
    return TimeOffset(int(lags[best]), float(correlations[best, 0]), float(correlations[max_lag, 0]), int(pairs[0]))


def _lag_correlations(
    values: Values, reference: Values, max_lag: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Correlate (time, station) changes at each lag: lags, (lag, station) and pairs (station,)."""
    a, b = _changes(values), _changes(reference)
    lags = np.arange(-max_lag, max_lag + 1)
    result = np.full((len(lags), a.shape[1]), np.nan)
    for row, lag in enumerate(lags):
        if abs(lag) < len(a):
            late, early = (a[lag:], b[: len(b) - lag]) if lag >= 0 else (a[:lag], b[-lag:])
            result[row] = correlation(late, early)
    return lags, result, (np.isfinite(a) & np.isfinite(b)).sum(axis=0)


def _changes(values: Values) -> Values:
    # 10 ug m-3 keeps the coarse steps of clean air from counting as large changes.
    return np.asarray(np.diff(np.log(np.maximum(values, 0.0) + 10.0), axis=0))


def correlation(a: Values, b: Values) -> Values:
    """Correlate (time, station) values by station; NaN where fewer than 120 hours can be compared."""
    both = np.isfinite(a) & np.isfinite(b)
    number = both.sum(axis=0)
    enough = np.where(number >= _MIN_HOURS, number, np.nan)
    a, b = (np.where(both, x, 0.0) for x in (a, b))
    a, b = (np.where(both, x - x.sum(axis=0) / enough, 0.0) for x in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((a * b).sum(axis=0) / np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0)) + 0.0 * enough)


def windows(hours: int) -> list[slice]:
    """Cut the axis into windows of `WINDOW_HOURS`; what is left over belongs to the last."""
    number = max(hours // WINDOW_HOURS, 1)
    edges = [WINDOW_HOURS * n for n in range(number)] + [hours]
    return [slice(start, end) for start, end in pairwise(edges)]


def others_median(values: Values) -> Values:
    """Return for each station the median of the others, (time, station); NaN where fewer than two are valid."""
    ordered = np.sort(values, axis=1)  # NaN last
    place = np.argsort(np.argsort(values, axis=1), axis=1)
    valid = np.isfinite(values)
    others = valid.sum(axis=1, keepdims=True) - valid
    place = np.where(valid, place, values.shape[1])
    middle = []
    for k in ((others - 1) // 2, others // 2):
        k = np.maximum(k, 0)
        middle.append(np.take_along_axis(ordered, np.minimum(k + (k >= place), values.shape[1] - 1), axis=1))
    return np.asarray(np.where(others >= 2, (middle[0] + middle[1]) / 2, np.nan))


def time_shifts(values: Mapping[str, Values]) -> npt.NDArray[np.bool_]:
    """Find stations whose clock is hours away from that of their city.

    Judged by windows of ten days against the median of the other stations; needs three stations
    or more, else it can't be told which one is right. One clock stamps all pollutants of a
    station, so more than half of those that can be judged must show the same lag, within an
    hour: a single one may be late for reasons of its own, such as a front on its way.

    Parameters
    ----------
    values : mapping of str to float (time, station)
        The stations of one city by pollutant, ug m-3, NaN where not valid.

    Returns
    -------
    bool (time, station)
        True in all hours of a window in which the station is off.
    """
    shape = next(iter(values.values())).shape
    shifted = np.zeros(shape, bool)
    if shape[1] < 3 or shape[0] < _MIN_HOURS:
        return shifted
    references = {name: others_median(array) for name, array in values.items()}
    for window in windows(shape[0]):
        verdicts = [_window_lag(array[window], references[name][window]) for name, array in values.items()]
        lag, judged = (np.stack(part) for part in zip(*verdicts, strict=True))
        typical = np.zeros(shape[1])
        late = judged & (lag != 0)
        for station in np.flatnonzero(late.any(axis=0)):
            typical[station] = np.median(lag[late[:, station], station])
        agreeing = (late & (abs(lag - typical) <= 1)).sum(axis=0)
        shifted[window, 2 * agreeing > judged.sum(axis=0)] = True
    return shifted


def _window_lag(values: Values, reference: Values) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Return each station's lag in hours, 0 where none is proven, and whether it could be judged."""
    lags, correlations, _ = _lag_correlations(values, reference, _MAX_LAG)
    at_zero, judged = correlations[_MAX_LAG], np.isfinite(correlations[_MAX_LAG])
    ranked = np.where(np.isfinite(correlations), correlations, -np.inf)
    lag, best = lags[ranked.argmax(axis=0)], ranked.max(axis=0)
    with np.errstate(invalid="ignore"):
        proven = (abs(lag) >= SHIFT_HOURS) & (best >= _SHIFT_CORRELATION) & (best - at_zero >= _SHIFT_MARGIN)
    return np.where(proven & judged, lag, 0), judged


def solar_hours(times: npt.NDArray[np.datetime64], longitudes: Sequence[float]) -> Values:
    """Return the local mean solar time in the middle of the hours that end at `times` (UTC), 0 to 24.

    Parameters
    ----------
    times : datetime64 (time,)
    longitudes : sequence of float
        Degrees east, one a station; NaN where it isn't known.

    Returns
    -------
    float (time, station)
    """
    utc = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")
    return np.asarray((utc[:, None] - 0.5 + np.asarray(longitudes)[None] / 15.0) % 24.0)


def ozone_time_shifts(values: Values, solar_hour: Values) -> npt.NDArray[np.bool_]:
    """Find stations whose ozone peaks when the sun can't have made it, as after a slip of UTC and local time.

    For stations without others to compare with. Ozone peaks in the afternoon; judged by windows
    of ten days by the first harmonic of its mean daily course.

    Parameters
    ----------
    values : float (time, station)
        Ozone, ug m-3, NaN where not valid.
    solar_hour : float (time, station)
        Local mean solar time in the middle of each hour, 0 to 24.

    Returns
    -------
    bool (time, station)
        True in all hours of a window in which the station is off.
    """
    shifted = np.zeros(values.shape, bool)
    for window in windows(len(values)):
        for station in range(values.shape[1]):
            series, hour = values[window, station], solar_hour[window, station]
            valid = np.isfinite(series) & np.isfinite(hour)
            number = np.bincount(hour[valid].astype(int), minlength=24)
            if valid.sum() < _MIN_HOURS or (number == 0).any():
                continue
            course = np.bincount(hour[valid].astype(int), weights=series[valid], minlength=24) / number
            harmonic = (course * np.exp(2j * np.pi * (np.arange(24) + 0.5) / 24)).mean()
            peak = float(np.angle(harmonic) * 12 / np.pi % 24)
            clear = 2 * abs(harmonic) >= _OZONE_AMPLITUDE * course.mean()
            shifted[window, station] = clear and not _OZONE_PEAK[0] <= peak <= _OZONE_PEAK[1]
    return shifted
