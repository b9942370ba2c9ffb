"""Tests against the other stations of a city (and against the day before): duplicated stretches and wrong units."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hazecast.grids.quality.clock import correlation, median_of_others, window_slices
from hazecast.grids.quality.flags import DUPLICATE, UNIT_SLIP
from hazecast.grids.quality.series import Flags, Values
from hazecast.grids.units import PPB_25C

# A duplicated stretch has at least this many hours and changes of value, so that two stations at the
# detection limit are not duplicates.
COPY_HOURS, _COPY_CHANGES = 24, 12
# Medians, ug m-3, below which a pollutant can only be in another unit (CO in mg m-3 or ppm, the
# others in ppm or mg m-3): a tenth or less of the lowest background concentrations. From
# memory of background stations, not verified; no station of the UCI collections comes near.
LOWEST_MEDIAN: dict[str, float] = {"co": 20.0, "o3": 0.5, "no2": 0.05, "so2": 0.05, "pm25": 0.3, "pm10": 0.5}
# Carbon monoxide is left out: its factor of 1.14 is within the difference between two streets.
_PPB_GASES = ("o3", "no2", "so2")
_PPB_CORRELATION, _PPB_TOLERANCE = 0.95, 0.1


def flag_duplicates(values: Values, flags: Flags) -> None:
    """Flag stretches that repeat the day before or another station, in place.

    A stretch has at least `COPY_HOURS` hours and twelve changes of value. Of two equal
    stations the later one is flagged; the data don't show which of the two is the copy.

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
    """Flag stations whose values can only be in another unit, in place.

    Tested in windows of ten days: the median is below any possible concentration (CO in mg m-3,
    gases in ppm), or a gas correlates with the other stations (0.95 or more) at the ratio
    of ppb to ug m-3, within 10 %.

    Parameters
    ----------
    values : float (time, station)
        The stations of one city, ug m-3, NaN where not valid.
    flags : int8 (time, station)
        Changed in place.
    name : str
        A pollutant of the contract.
    """
    reference = median_of_others(values) if values.shape[1] >= 3 and name in _PPB_GASES else None
    for window in window_slices(len(values)):
        part = values[window]
        valid = np.isfinite(part).sum(axis=0)
        # More than half of the values below: the same as the median, at a tenth of the time.
        wrong_unit = (2 * (part < LOWEST_MEDIAN[name]).sum(axis=0) > valid) & (valid >= 12)
        if reference is not None:
            wrong_unit |= _in_ppb(part, reference[window], PPB_25C[name])
        flags[window, wrong_unit] = UNIT_SLIP


def _in_ppb(values: Values, reference: Values, factor: float) -> npt.NDArray[np.bool_]:
    both = np.isfinite(values) & np.isfinite(reference)
    a, b = np.where(both, values, 0.0), np.where(both, reference, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = (a * b).sum(axis=0) / (b * b).sum(axis=0)
        alike = correlation(values, reference) >= _PPB_CORRELATION
        return np.asarray(alike & (abs(slope * factor - 1.0) <= _PPB_TOLERANCE))
