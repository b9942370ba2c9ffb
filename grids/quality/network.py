"""Tests of a whole network or city: where many of its stations fail together, none of them is believed.

A wrong unit, column or file gives some values that no instrument reports, and many that it might. The thresholds are
Hazecast's own choice, made on the collections of `docs/monitoring.md`, in which they flag no hour; the greatest that
occurred there is beside each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.quality.flags import DISTRUSTED, DUPLICATE, GOOD, SENTINEL
from hazecast.grids.quality.neighbours import LOWEST_MEDIAN
from hazecast.grids.quality.series import SPIKE_RATIO, SPIKE_RISE, Flags, Values

Bool = npt.NDArray[np.bool_]

# Share of an hour's values above the range of the contract from which no value of that hour counts. In a sandstorm
# PM10 may really be above it at a few stations.
DISTRUST_SHARE = {"pm10": 0.5}
_OTHERS_SHARE = 0.2
# A station or two may fail by themselves.
_FEWEST = 3
# Share of an hour's positive values below what a pollutant can be, from which all of it is in another unit.
_LOW_SHARE = 0.9
# Particles of a whole network don't rise so many times within an hour. Three cities of China: 3.25 times by
# fireworks on 2014-01-30, 2.9 otherwise.
JUMP_RATIO = 4.0
# A rise by a spike's is enough with so many cities; fewer may be neighbours, which one front reaches in one hour.
_MANY_CITIES, _FEW_CITIES, _FEW_STATIONS = 10, 3, 6
# Times a spike's rise, for all stations of one city at once. Of 78,000 city hours of several stations one rose so, by
# fireworks on 2016-02-07, and stayed; of 182,000 of the US posts twelve, of which two, faults, were above 3 times what
# followed.
CITY_RISE = 3.0
# What is back at less than so many times the level before a jump is believed again, what fell as it rose too, and at the
# latest after a week: as long as flags of stored hours are computed anew.
_BACK_RATIO, _FAILING_HOURS = 2.0, 168
# Hours further apart are not compared: much may change in a gap.
_NEAR_HOURS = 3
# Hours in a row in which at least this share of a network's values, six at least, are those of the day before. In the
# collections single hours of ozone at the detection limit are.
REPEAT_HOURS, _REPEAT_SHARE, _REPEAT_STATIONS = 3, 0.8, 6


def distrust_hours(raw: Mapping[str, Values], flags: dict[str, Flags], groups: Sequence[str]) -> None:
    """Flag all values of the hours in which a network or a city fails as a whole, in place; earlier flags are retained.

    A network fails where a large share of an hour's values is above the range of the contract or nearly all are below
    any background, where particles rise fourfold at once in most of its cities, until they are back, and where its stations repeat the day before.
    A city fails where the particles of all its stations rise at once and fall back, or no later hour
    shows yet whether they stay: the next one decides.

    Parameters
    ----------
    raw : mapping of str to float (time, station)
        By pollutant, ug m-3, hourly, NaN where missing; the stations of one network.
    flags : dict of str to int8 (time, station)
        Of all other tests; changed in place.
    groups : sequence of str
        The city of each station.
    """
    cities, owner = np.unique(np.asarray(groups), return_inverse=True)
    for name, values in raw.items():
        reported = np.isfinite(values) & (flags[name] != SENTINEL)
        given = np.where(reported, values, np.nan)
        failed = _out_of_range(values, reported, name)
        wrong = np.repeat((failed | _too_low(values, reported, name))[:, None], len(cities), axis=1)
        if name in ("pm25", "pm10"):
            levels = _Levels.of(given, owner, name)
            wrong |= _network_failing(levels, failed)[:, None]
            wrong |= _city_jumps(levels)
        good = flags[name] == GOOD
        flags[name][_repeated(given)[:, None] & good] = DUPLICATE
        flags[name][wrong[:, owner] & good] = DISTRUSTED


def _out_of_range(values: Values, reported: Bool, name: str) -> Bool:
    with np.errstate(invalid="ignore"):
        wrong = (reported & (values > POLLUTANTS[name].high)).sum(axis=1)
    share = DISTRUST_SHARE.get(name, _OTHERS_SHARE)
    return np.asarray((wrong >= share * reported.sum(axis=1)) & (wrong >= _FEWEST))


def _too_low(values: Values, reported: Bool, name: str) -> Bool:
    """Return the hours in which a network is below any background, as in mg m-3 or ppm for ug m-3, (time,)."""
    positive = reported & (values > 0)
    low, number = (positive & (values < LOWEST_MEDIAN[name])).sum(axis=1), positive.sum(axis=1)
    return np.asarray((low >= _LOW_SHARE * number) & (number >= _FEW_STATIONS))


@dataclass(frozen=True)
class _Levels:
    """Particles by city: the median of its stations, and that of the nearest hour before with a value, (time, city).

    `stations` is how many report in an hour, (time,); `spike` the rise of a spike, ug m-3.
    """

    name: str
    here: Values
    before: Values
    stations: npt.NDArray[np.int64]
    spike: float

    @classmethod
    def of(cls, values: Values, owner: npt.NDArray[np.int64], name: str) -> _Levels:
        here = pd.DataFrame(values.T).groupby(owner).median().to_numpy(np.float64).T
        before = pd.DataFrame(here).ffill(limit=_NEAR_HOURS - 1).shift(1).to_numpy(np.float64)
        return cls(name, here, before, np.isfinite(values).sum(axis=1), SPIKE_RISE[name])


def _network_failing(levels: _Levels, failed: Bool) -> Bool:
    """Return the hours from a jump of a whole network, or from where PM2.5 is out of range, until it is back, (time,)."""
    result = np.zeros(len(levels.here), bool)
    starts = _network_jumps(levels)
    if levels.name == "pm25" and levels.here.shape[1] >= _FEW_CITIES:
        starts |= failed
    end = 0
    for start in np.flatnonzero(starts):
        if start >= end:
            end = _back(levels, int(start))
            result[start:end] = True
    return result


def _network_jumps(levels: _Levels) -> Bool:
    both = np.isfinite(levels.here) & np.isfinite(levels.before) & (levels.before > 0)
    cities = both.sum(axis=1)
    with np.errstate(invalid="ignore"):
        # Where the median is above the ratio, half of the cities are: few hours are left to compute it for.
        half = 2 * (both & (levels.here >= JUMP_RATIO * levels.before)).sum(axis=1) >= cities
    rise = np.where(cities >= _MANY_CITIES, levels.spike, CITY_RISE * levels.spike)
    # A front may bring dust to neighbouring cities within the hour.
    enough = (cities >= (_MANY_CITIES if levels.name == "pm10" else _FEW_CITIES)) & (levels.stations >= _FEW_STATIONS)
    jumped = np.zeros(len(cities), bool)
    for hour in np.flatnonzero(enough & half):
        here, before = levels.here[hour, both[hour]], levels.before[hour, both[hour]]
        jumped[hour] = np.median(here / before) >= JUMP_RATIO and np.median(here - before) >= rise[hour]
    return jumped


def _back(levels: _Levels, start: int) -> int:
    """Return the first hour after `start` that is believed again."""
    known = levels.before[start]
    last = min(start + _FAILING_HOURS, len(levels.here))
    for hour in range(start + 1, last):
        here, before = levels.here[hour], levels.before[hour]
        fell = _median_ratio(here, before) <= 1.0 / JUMP_RATIO
        if fell or _median_ratio(here, known) < _BACK_RATIO:
            return hour
    return last


def _median_ratio(here: Values, before: Values) -> float:
    both = np.isfinite(here) & np.isfinite(before) & (before > 0)
    return float(np.median(here[both] / before[both])) if both.any() else np.nan


def _city_jumps(levels: _Levels) -> Bool:
    """Return the hours in which all of a city rises at once without staying there, (time, city)."""
    here, before = levels.here, levels.before
    after = pd.DataFrame(here).bfill(limit=_NEAR_HOURS - 1).shift(-1).to_numpy(np.float64)
    with np.errstate(invalid="ignore"):
        rose = (here - before >= CITY_RISE * levels.spike) & (here >= SPIKE_RATIO * before)
        stays = here < SPIKE_RATIO * after
    return np.asarray(rose & ~stays)


def _repeated(values: Values) -> Bool:
    """Return the hours in which a network says what it said a day before, (time,)."""
    result = np.zeros(len(values), bool)
    if len(values) <= 24:
        return result
    same = (values[24:] == values[:-24]).sum(axis=1)
    number = np.isfinite(values[24:]).sum(axis=1)
    # Values that stay the same for hours say nothing of the day before.
    moving = np.zeros(len(same), bool)
    moving[1:] = (values[25:] != values[24:-1]).sum(axis=1) >= number[1:] / 2
    result[24:] = (same >= _REPEAT_SHARE * number) & (number >= _REPEAT_STATIONS) & moving
    run = np.cumsum(np.concatenate([[True], result[1:] != result[:-1]])) - 1
    return np.asarray(result & (np.bincount(run)[run] >= REPEAT_HOURS))
