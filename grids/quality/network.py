"""Tests that need more than one hour's neighbours: shifted clocks, repeated series, slipped units."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from grids.quality.flags import DUPLICATE, TIME_SHIFT, UNIT_SLIP
from grids.quality.series import Flags, Values
from grids.units import PPB_25C

WINDOW_HOURS = 240
_MIN_HOURS = 120
_MAX_LAG = 12
# A station is held to be shifted from this lag on: weather itself delays a haze front by an hour or
# two between the ends of a city. Correlation of hourly changes at the best lag, and how far it must
# exceed that at lag zero. Hazecast's own choice; docs/monitoring.md has the rates on the UCI data.
SHIFT_HOURS, _SHIFT_CORRELATION, _SHIFT_MARGIN = 3, 0.4, 0.2
# A copied stretch: this long, and with this many changes of value, so that two stations at the
# detection limit don't count as copies.
COPY_HOURS, _COPY_CHANGES = 12, 8
# Medians, ug m-3, below which a pollutant can only be in another unit (CO in mg m-3 or ppm, the
# others in ppm or mg m-3): a tenth or less of the lowest the background atmosphere shows. From
# memory of background stations, not verified; no station of the UCI collections comes near.
_LOWEST_MEDIAN: dict[str, float] = {"co": 20.0, "o3": 0.5, "no2": 0.05, "so2": 0.05, "pm25": 0.3, "pm10": 0.5}
_PPB_CORRELATION, _PPB_TOLERANCE = 0.97, 0.04


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
            result[row] = _correlation(late, early)
    return lags, result, (np.isfinite(a) & np.isfinite(b)).sum(axis=0)


def _changes(values: Values) -> Values:
    # 10 ug m-3 keeps the coarse steps of clean air from counting as large changes.
    return np.asarray(np.diff(np.log(np.maximum(values, 0.0) + 10.0), axis=0))


def _correlation(a: Values, b: Values) -> Values:
    both = np.isfinite(a) & np.isfinite(b)
    number = both.sum(axis=0)
    enough = np.where(number >= _MIN_HOURS, number, np.nan)
    a, b = (np.where(both, x, 0.0) for x in (a, b))
    a, b = (np.where(both, x - x.sum(axis=0) / enough, 0.0) for x in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((a * b).sum(axis=0) / np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0)) + 0.0 * enough)


def _windows(hours: int) -> list[slice]:
    """Cut the axis into windows of `WINDOW_HOURS`; what is left over belongs to the last."""
    number = max(hours // WINDOW_HOURS, 1)
    edges = [WINDOW_HOURS * n for n in range(number)] + [hours]
    return [slice(start, end) for start, end in zip(edges[:-1], edges[1:], strict=True)]


def others_median(values: Values) -> Values:
    """Return for each station the median of the others, (time, station); NaN where fewer than two are valid."""
    result = np.full(values.shape, np.nan)
    for station in range(values.shape[1]):
        others = np.delete(values, station, axis=1)
        enough = np.isfinite(others).sum(axis=1) >= 2
        result[enough, station] = np.nanmedian(others[enough], axis=1)
    return result


def flag_time_shifts(values: Values, flags: Flags) -> None:
    """Flag stations whose clock is hours away from that of their city, in place.

    Judged by windows of ten days against the median of the other stations; needs three stations
    or more, else it can't be told which one is right. A station that is off in time in a window
    has all hours of the window flagged.

    Parameters
    ----------
    values : float (time, station)
        The stations of one city, ug m-3, NaN where not valid.
    flags : int8 (time, station)
        Changed in place.
    """
    if values.shape[1] < 3 or len(values) < _MIN_HOURS:
        return
    reference = others_median(values)
    for window in _windows(len(values)):
        lags, correlations, _ = _lag_correlations(values[window], reference[window], _MAX_LAG)
        at_zero = correlations[_MAX_LAG]
        ranked = np.where(np.isfinite(correlations), correlations, -np.inf)
        lag, best = lags[ranked.argmax(axis=0)], ranked.max(axis=0)
        with np.errstate(invalid="ignore"):
            shifted = (
                (abs(lag) >= SHIFT_HOURS) & (best >= _SHIFT_CORRELATION) & ~(best - at_zero < _SHIFT_MARGIN)
            ) & np.isfinite(at_zero)
        flags[window, shifted] = TIME_SHIFT


def flag_duplicates(values: Values, flags: Flags) -> None:
    """Flag stretches that repeat the day before or another station, in place.

    A stretch counts from `COPY_HOURS` hours on with at least eight changes of value. Of two equal
    stations the first one's values stay; that one of the two is the copy can't be told.

    Parameters
    ----------
    values : float (time, station)
        The stations of one city, ug m-3, NaN where not valid.
    flags : int8 (time, station)
        Changed in place.
    """
    changed = np.zeros(values.shape, bool)
    changed[1:] = values[1:] != values[:-1]
    for station in range(values.shape[1]):
        same = np.zeros(len(values), bool)
        same[24:] = values[24:, station] == values[:-24, station]
        flags[_long_runs(same, changed[:, station]), station] = DUPLICATE
        for earlier in range(station):
            same = values[:, station] == values[:, earlier]
            flags[_long_runs(same, changed[:, station]), station] = DUPLICATE


def _long_runs(same: npt.NDArray[np.bool_], changed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    if same.sum() < COPY_HOURS:
        return np.zeros(len(same), bool)
    run = np.cumsum(np.concatenate([[True], same[1:] != same[:-1]])) - 1
    length, changes = np.bincount(run), np.bincount(run, weights=changed)
    return np.asarray(same & ((length >= COPY_HOURS) & (changes >= _COPY_CHANGES))[run])


def flag_unit_slips(values: Values, flags: Flags, name: str) -> None:
    """Flag stations that can only be reporting in another unit, in place.

    Judged by windows of ten days: the median is below anything that the air holds (CO in mg m-3,
    gases in ppm), or a gas runs with the other stations (correlation of 0.97 or more) at the ratio
    that ppb has to ug m-3, within 4 %.

    Parameters
    ----------
    values : float (time, station)
        The stations of one city, ug m-3, NaN where not valid.
    flags : int8 (time, station)
        Changed in place.
    name : str
    """
    reference = others_median(values) if values.shape[1] >= 3 and name in PPB_25C else None
    for window in _windows(len(values)):
        part = values[window]
        valid = np.isfinite(part).sum(axis=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            slipped = (np.nanmedian(part, axis=0) < _LOWEST_MEDIAN[name]) & (valid >= 12)
        if reference is not None:
            slipped |= _in_ppb(part, reference[window], PPB_25C[name])
        flags[window, slipped] = UNIT_SLIP


def _in_ppb(values: Values, reference: Values, factor: float) -> npt.NDArray[np.bool_]:
    both = np.isfinite(values) & np.isfinite(reference)
    a, b = np.where(both, values, 0.0), np.where(both, reference, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = (a * b).sum(axis=0) / (b * b).sum(axis=0)
        alike = _correlation(values, reference) >= _PPB_CORRELATION
        return np.asarray(alike & (abs(slope * factor - 1.0) <= _PPB_TOLERANCE))
