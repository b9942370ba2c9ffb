"""Tests of a station's clock: its series against that of its city, and ozone against the sun."""

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
# Sums by Fourier transform are exact to about this, for changes of a logarithm.
_ROUNDING = 1e-12
# Least lag that counts as a shift, since a haze front takes an hour or two to cross a city; least
# correlation of hourly changes at the best lag, and least margin over that at lag zero. Hazecast's own
# choice; docs/monitoring.md has the detection rates on the UCI data.
SHIFT_HOURS, _SHIFT_CORRELATION, _SHIFT_MARGIN = 3, 0.4, 0.2
# Local solar hours between which the diurnal cycle of ozone peaks, and the least amplitude, as a fraction
# of its mean, at which the peak is clear. Hazecast's own choice: in Beijing 99.8 % of ten-day windows
# peak between 11 and 17.
_OZONE_PEAK, _OZONE_AMPLITUDE = (9.0, 20.0), 0.3


@dataclass(frozen=True)
class TimeOffset:
    """The lag of one series behind another.

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
    """Find the lag of one series behind another.

    The changes from hour to hour are correlated rather than the values, whose diurnal cycles agree at many
    lags.

    Parameters
    ----------
    values, reference : float (time,)
        On the same hours, ug m-3, NaN where not valid.
    max_lag : int
        Greatest lag tried in either direction, h.

    Returns
    -------
    TimeOffset or None
        None where fewer than 120 hours can be compared.
    """
    lags, correlations, pairs = _lag_correlations(values[:, None], reference[:, None], max_lag)
    if not np.isfinite(correlations).any() or pairs[0] < _MIN_HOURS:
        return None
    best = int(np.nanargmax(correlations[:, 0]))
    return TimeOffset(int(lags[best]), float(correlations[best, 0]), float(correlations[max_lag, 0]), int(pairs[0]))


def _lag_correlations(
    values: Values, reference: Values, max_lag: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Correlate changes of (time, station) values at each lag: lags (lag,), (lag, station), pairs (station,)."""
    # Imported here: the API loads this module and compares no clocks.
    from scipy import fft

    a, b = _changes(values), _changes(reference)
    lags = np.arange(-max_lag, max_lag + 1)
    valid = [np.isfinite(x).astype(float) for x in (a, b)]
    filled = [np.where(np.isfinite(x), x, 0.0) for x in (a, b)]

    def crossed(x: Values, y: Values) -> Values:
        """Return the sums over time of x[t + lag] * y[t], (lag, station)."""
        length = fft.next_fast_len(len(a) + max_lag, real=True)
        products = fft.irfft(fft.rfft(x, length, axis=0) * np.conj(fft.rfft(y, length, axis=0)), length, axis=0)
        return np.asarray(products[lags])

    number = np.round(crossed(valid[0], valid[1]))
    enough = np.where(number >= _MIN_HOURS, number, np.nan)
    sum_a, sum_b = crossed(filled[0], valid[1]), crossed(valid[0], filled[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        both = crossed(filled[0], filled[1]) - sum_a * sum_b / enough
        spread_a = crossed(filled[0] ** 2, valid[1]) - sum_a**2 / enough
        spread_b = crossed(valid[0], filled[1] ** 2) - sum_b**2 / enough
        # What is constant to within rounding has no correlation.
        varies = (spread_a > _ROUNDING * enough) & (spread_b > _ROUNDING * enough)
        result = np.where(varies, both / np.sqrt(np.where(varies, spread_a * spread_b, 1.0)), np.nan)
    return lags, result, (np.isfinite(a) & np.isfinite(b)).sum(axis=0)


def _changes(values: Values) -> Values:
    # With 10 ug m-3 added the coarse steps of clean air are not large changes.
    return np.asarray(np.diff(np.log(np.maximum(values, 0.0) + 10.0), axis=0))


def correlation(a: Values, b: Values) -> Values:
    """Return Pearson's correlation by station.

    Parameters
    ----------
    a, b : float (time, station)
        NaN where not valid.

    Returns
    -------
    float (station,)
        NaN where fewer than 120 hours can be compared.
    """
    both = np.isfinite(a) & np.isfinite(b)
    number = both.sum(axis=0)
    enough = np.where(number >= _MIN_HOURS, number, np.nan)
    a, b = (np.where(both, x, 0.0) for x in (a, b))
    a, b = (np.where(both, x - x.sum(axis=0) / enough, 0.0) for x in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((a * b).sum(axis=0) / np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0)) + 0.0 * enough)


def window_slices(hours: int) -> list[slice]:
    """Divide an axis of hours into windows of `WINDOW_HOURS`; the last one includes the remainder."""
    number = max(hours // WINDOW_HOURS, 1)
    edges = [WINDOW_HOURS * n for n in range(number)] + [hours]
    return [slice(start, end) for start, end in pairwise(edges)]


def median_of_others(values: Values) -> Values:
    """Return for each station the median of the others (time, station); NaN where fewer than two are valid."""
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
    """Find stations whose clock is wrong by hours.

    Tested in windows of ten days against the median of the other stations, of which there must be two
    or more, since two stations alone don't show which one is right. One clock stamps all pollutants of a
    station, so more than half of those that can be tested must have the same lag, within an
    hour: a single pollutant may lag for other reasons, such as a passing front.

    Parameters
    ----------
    values : mapping of str to float (time, station)
        The stations of one city by pollutant, ug m-3, NaN where not valid.

    Returns
    -------
    bool (time, station)
        True in all hours of a window in which the station is shifted.
    """
    shape = next(iter(values.values())).shape
    shifted = np.zeros(shape, bool)
    if shape[1] < 3 or shape[0] < _MIN_HOURS:
        return shifted
    references = {name: median_of_others(array) for name, array in values.items()}
    for window in window_slices(shape[0]):
        results = [_window_lag(array[window], references[name][window]) for name, array in values.items()]
        lag, tested = (np.stack(part) for part in zip(*results, strict=True))
        typical = np.zeros(shape[1])
        late = tested & (lag != 0)
        for station in np.flatnonzero(late.any(axis=0)):
            typical[station] = np.median(lag[late[:, station], station])
        agreeing = (late & (abs(lag - typical) <= 1)).sum(axis=0)
        shifted[window, 2 * agreeing > tested.sum(axis=0)] = True
    return shifted


def _window_lag(values: Values, reference: Values) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Return each station's lag in hours, 0 where not significant, and whether it could be tested."""
    lags, correlations, _ = _lag_correlations(values, reference, _MAX_LAG)
    at_zero, tested = correlations[_MAX_LAG], np.isfinite(correlations[_MAX_LAG])
    ranked = np.where(np.isfinite(correlations), correlations, -np.inf)
    lag, best = lags[ranked.argmax(axis=0)], ranked.max(axis=0)
    with np.errstate(invalid="ignore"):
        significant = (abs(lag) >= SHIFT_HOURS) & (best >= _SHIFT_CORRELATION) & (best - at_zero >= _SHIFT_MARGIN)
    return np.where(significant & tested, lag, 0), tested


def solar_hours(times: npt.NDArray[np.datetime64], longitudes: Sequence[float]) -> Values:
    """Return the local mean solar time in the middle of the hours that end at `times` (UTC), 0 to 24.

    Parameters
    ----------
    times : datetime64 (time,)
    longitudes : sequence of float
        Degrees east, one a station; NaN where unknown.

    Returns
    -------
    float (time, station)
    """
    utc = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")
    return np.asarray((utc[:, None] - 0.5 + np.asarray(longitudes)[None] / 15.0) % 24.0)


def ozone_time_shifts(values: Values, solar_hour: Values) -> npt.NDArray[np.bool_]:
    """Find stations whose ozone peaks outside daytime, as where UTC and local time were confused.

    For stations without others to compare with. Ozone peaks in the afternoon; tested in windows
    of ten days by the first harmonic of its mean diurnal cycle.

    Parameters
    ----------
    values : float (time, station)
        Ozone, ug m-3, NaN where not valid.
    solar_hour : float (time, station)
        Local mean solar time in the middle of each hour, 0 to 24.

    Returns
    -------
    bool (time, station)
        True in all hours of a window in which the station is shifted.
    """
    shifted = np.zeros(values.shape, bool)
    for window in window_slices(len(values)):
        for station in range(values.shape[1]):
            series, hour = values[window, station], solar_hour[window, station]
            valid = np.isfinite(series) & np.isfinite(hour)
            number = np.bincount(hour[valid].astype(int), minlength=24)
            if valid.sum() < _MIN_HOURS or (number == 0).any():
                continue
            cycle = np.bincount(hour[valid].astype(int), weights=series[valid], minlength=24) / number
            harmonic = (cycle * np.exp(2j * np.pi * (np.arange(24) + 0.5) / 24)).mean()
            peak = float(np.angle(harmonic) * 12 / np.pi % 24)
            clear = 2 * abs(harmonic) >= _OZONE_AMPLITUDE * cycle.mean()
            shifted[window, station] = clear and not _OZONE_PEAK[0] <= peak <= _OZONE_PEAK[1]
    return shifted
