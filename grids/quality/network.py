"""Tests of a whole network: where many of its stations fail together, none of them is believed.

A wrong unit, column or file gives some values that no instrument reports, and many that it might. The thresholds are
Hazecast's own choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.quality.flags import DISTRUSTED, GOOD, SENTINEL
from hazecast.grids.quality.series import SPIKE_RISE, Flags, Values

# Share of an hour's values above the range of the contract from which no value of that hour counts.
DISTRUST_SHARE = 0.2
# A station or two may fail by themselves.
_FEWEST = 3
# Particles of a whole network don't rise so many times within an hour: what does is an error, for a day at most.
JUMP_RATIO = 4.0
_JUMP_HOURS = 24
_JUMPING = ("pm25", "pm10")
_JUMP_STATIONS, _JUMP_CITIES = 10, 3

Bool = npt.NDArray[np.bool_]


def distrust_hours(raw: Mapping[str, Values], flags: dict[str, Flags], groups: Sequence[str]) -> None:
    """Flag all values of the hours in which a network fails as a whole, in place; earlier flags are retained.

    An hour fails if a large share of its values is out of range, or if particles rise at once on all stations. A
    network that repeats the day before fails station by station (`hazecast.grids.quality.neighbours`).

    Parameters
    ----------
    raw : mapping of str to float (time, station)
        By pollutant, ug m-3, hourly, NaN where missing; the stations of one network.
    flags : dict of str to int8 (time, station)
        Of all other tests; changed in place.
    groups : sequence of str
        The city of each station.
    """
    for name, values in raw.items():
        reported = np.isfinite(values) & (flags[name] != SENTINEL)
        failed = _out_of_range(values, reported, name)
        if name in _JUMPING:
            failed |= _jumped(np.where(reported, values, np.nan), np.asarray(groups), name, failed)
        flags[name][failed[:, None] & (flags[name] == GOOD)] = DISTRUSTED


def _out_of_range(values: Values, reported: Bool, name: str) -> Bool:
    with np.errstate(invalid="ignore"):
        wrong = (reported & (values > POLLUTANTS[name].high)).sum(axis=1)
    return np.asarray((wrong >= DISTRUST_SHARE * reported.sum(axis=1)) & (wrong >= _FEWEST))


def _jumped(values: Values, groups: npt.NDArray[np.str_], name: str, failed: Bool) -> Bool:
    """Return the hours that lie far above the last one that was believed, if that is at most a day ago."""
    result = np.zeros(len(values), bool)
    if len(groups) < _JUMP_STATIONS or len(set(groups)) < _JUMP_CITIES:
        return result
    with np.errstate(invalid="ignore"):
        high = (values >= SPIKE_RISE[name]).sum(axis=1) >= _JUMP_STATIONS // 2
    last = -1
    for hour in np.flatnonzero(np.isfinite(values).any(axis=1) & ~failed):
        recent = last >= 0 and hour - last <= _JUMP_HOURS
        if recent and high[hour] and _far_above(values[hour], values[last], groups, name):
            result[hour] = True
        else:
            last = int(hour)
    return result


def _far_above(here: Values, before: Values, groups: npt.NDArray[np.str_], name: str) -> bool:
    both = np.isfinite(here) & np.isfinite(before) & (before > 0)
    if both.sum() < _JUMP_STATIONS or len(set(groups[both])) < _JUMP_CITIES:
        return False
    ratio = np.median(here[both] / before[both])
    return bool(ratio >= JUMP_RATIO and np.median(here[both] - before[both]) >= SPIKE_RISE[name])
