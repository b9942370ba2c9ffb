"""All tests in their order, on the stations of a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grids.quality.flags import GOOD, MODELLED, NEGATIVE
from grids.quality.network import flag_duplicates, flag_time_shifts, flag_unit_slips
from grids.quality.series import Flags, Reporting, Values, flag_series, flag_spikes


def screen(
    raw: Values, name: str, groups: Sequence[str], reporting: Reporting | None = None
) -> tuple[Values, Flags]:
    """Flag the values of stations and return what may be used of them.

    Parameters
    ----------
    raw : float (time, station)
        ug m-3 as published, hourly without gaps in the axis, NaN where missing.
    name : str
        A pollutant of the contract.
    groups : sequence of str
        The city of each station: stations of one city are judged by each other.
    reporting : Reporting, optional

    Returns
    -------
    values : float32 (time, station)
        NaN where not to be used. A slightly negative value of a network that reports zero is
        used as zero.
    flags : int8 (time, station)
        Where several tests object, the flag is that of the last one.
    """
    reporting = reporting or Reporting()
    shape = np.shape(raw)
    flags = np.zeros(shape, np.int8)
    for station in range(shape[1]):
        flags[:, station] = flag_series(raw[:, station], name, reporting)
    if not reporting.modelled:
        owner = np.asarray(groups)
        for group in sorted(set(groups)):
            own = np.flatnonzero(owner == group)
            flags[:, own] = _with_neighbours(raw[:, own], flags[:, own], name)
    values = np.where(flags == GOOD, raw, np.nan).astype(np.float32)
    if reporting.zero_is_valid:
        values[flags == NEGATIVE] = 0.0
    if reporting.modelled:
        flags[flags == GOOD] = MODELLED
    return values, flags


def _with_neighbours(raw: Values, flags: Flags, name: str) -> Flags:
    clean = np.where(flags == GOOD, raw, np.nan).astype(float)
    found = flags.copy()
    flag_spikes(clean, found, name)
    flag_duplicates(clean, found)
    flag_unit_slips(clean, found, name)
    flag_time_shifts(clean, found)
    # A gap or an impossible value stays what it is, also within a window that is off in time.
    return np.where(flags == GOOD, found, flags)
