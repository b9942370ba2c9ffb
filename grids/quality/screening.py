"""All tests of quality control in their order, on the stations of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hazecast.grids.quality.clock import ozone_time_shifts, time_shifts
from hazecast.grids.quality.flags import GOOD, MODELLED, NEGATIVE, TIME_SHIFT
from hazecast.grids.quality.neighbours import flag_duplicates, flag_unit_slips
from hazecast.grids.quality.network import distrust_hours
from hazecast.grids.quality.series import Flags, Reporting, Values, flag_series, flag_spikes


def screen(
    raw: Mapping[str, Values],
    groups: Sequence[str],
    reporting: Reporting | None = None,
    *,
    solar_hour: Values | None = None,
) -> dict[str, tuple[Values, Flags]]:
    """Flag the values of stations, and blank out those that must not be used.

    Parameters
    ----------
    raw : mapping of str to float (time, station)
        By pollutant of the contract, ug m-3 as published, hourly without gaps in the axis, NaN
        where missing.
    groups : sequence of str
        The city of each station: stations of one city are compared with each other.
    reporting : Reporting, optional
        How the network reports missing values and zero.
    solar_hour : float (time, station), optional
        Local mean solar time in the middle of each hour, 0 to 24. With it the clock of stations
        that have fewer than two others in their city is checked by their ozone.

    Returns
    -------
    dict of str to (float32 (time, station), int8 (time, station))
        Values, NaN where not to be used, and flags. A slightly negative value of a network that
        reports zero is used as zero. Where several tests fail, the flag is that of the last.
    """
    reporting = reporting or Reporting()
    if not raw:
        return {}
    flags = {
        name: np.stack([flag_series(array[:, n], name, reporting) for n in range(len(groups))], axis=1)
        for name, array in raw.items()
    }
    if not reporting.modelled:
        owner = np.asarray(groups)
        for group in sorted(set(groups)):
            own = np.flatnonzero(owner == group)
            _flag_by_city(raw, flags, own, solar_hour)
        distrust_hours(raw, flags, groups)
    return {name: _usable(raw[name], flags[name], reporting) for name in raw}


def _flag_by_city(
    raw: Mapping[str, Values], flags: dict[str, Flags], own: np.ndarray, solar_hour: Values | None
) -> None:
    """Flag the stations `own` of one city by comparison, in place; earlier flags are retained."""
    clean = {
        name: np.where(flags[name][:, own] == GOOD, array[:, own], np.nan).astype(float) for name, array in raw.items()
    }
    shifted = time_shifts(clean)
    if solar_hour is not None and "o3" in clean and len(own) < 3:
        shifted |= ozone_time_shifts(clean["o3"], solar_hour[:, own])
    for name, values in clean.items():
        before = flags[name][:, own]
        found = before.copy()
        flag_spikes(values, found, name)
        flag_duplicates(values, found)
        flag_unit_slips(values, found, name)
        found[shifted] = TIME_SHIFT
        flags[name][:, own] = np.where(before == GOOD, found, before)


def _usable(raw: Values, flags: Flags, reporting: Reporting) -> tuple[Values, Flags]:
    values = np.where(flags == GOOD, raw, np.nan).astype(np.float32)
    if reporting.zero_is_valid:
        values[flags == NEGATIVE] = 0.0
    if reporting.modelled:
        flags = np.where(flags == GOOD, MODELLED, flags).astype(np.int8)
    return values, flags
