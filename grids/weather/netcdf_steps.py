"""Steps that NetCDF files state: over which hours a sum or a mean is, by the bounds of its times.

CF conventions, section 7.1 (cell boundaries) and 7.3 (cell methods). CMIP stamps a mean in the middle of its hours, others at
their end; in the contract a rate has the stamp of its end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.grids.times import rounded
from hazecast.grids.weather.variables import OVER_TIME, contract_name, statistic_of

_HOUR, _MINUTE = np.timedelta64(1, "h"), np.timedelta64(1, "m")


class Steps(NamedTuple):
    """The hours that each time of a file stands for: the ends, datetime64 (time,), and the lengths, h, float (time,)."""

    ends: npt.NDArray[np.datetime64]
    lengths: npt.NDArray[np.floating]


def stated_steps(raw: xr.Dataset) -> Steps | None:
    """Return the steps that the bounds of a file's times state; None without bounds, or where they reach over each other.

    Bounds that all begin at the start of a forecast say nothing that the values don't.
    """
    bounds = raw.get(str(raw["time"].attrs.get("bounds") or raw["time"].encoding.get("bounds")))
    if bounds is None or bounds.ndim != 2 or bounds.shape != (raw.sizes["time"], 2):
        return None
    if not np.issubdtype(bounds.dtype, np.datetime64):
        return None
    edges = np.sort(rounded(bounds.values, _MINUTE), axis=1)
    order = np.argsort(edges[:, 0], kind="stable")
    apart = (edges[order][1:, 0] >= edges[order][:-1, 1]) | (edges[order][1:] == edges[order][:-1]).all(axis=1)
    lengths = (edges[:, 1] - edges[:, 0]) / _HOUR
    return Steps(edges[:, 1], lengths) if apart.all() and (lengths > 0).all() else None


def times_of(raw: xr.Dataset) -> npt.NDArray[np.datetime64]:
    """Return the times that a file's variables have once sums and means are stamped at the ends of their steps."""
    steps = stated_steps(raw)
    used = [raw[name] for name in map(str, raw.data_vars) if contract_name(name, raw[name].attrs) is not None]
    over = [is_over_time(array) for array in used]
    if steps is None or not any(over):
        return np.asarray(raw["time"].values)
    return steps.ends if all(over) else np.union1d(raw["time"].values, steps.ends)


def is_over_time(array: xr.DataArray) -> bool:
    """Return whether a variable states that it is a sum or a mean over time."""
    return statistic_of(array.attrs) in OVER_TIME
