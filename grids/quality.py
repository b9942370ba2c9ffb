"""Quality flags of a series: missing, impossible and stuck values.

The codes follow CF ``flag_values`` and ``flag_meanings``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from grids.contract import POLLUTANTS

GOOD, MISSING, IMPOSSIBLE, STUCK = 0, 1, 2, 3
FLAG_ATTRS: dict[str, Any] = {
    "flag_values": np.array([GOOD, MISSING, IMPOSSIBLE, STUCK], np.int8),
    "flag_meanings": "good missing impossible stuck",
}
# Hours that a value may repeat before it counts as stuck. Instruments report whole ug m-3, so
# short runs are common; ozone rests at its detection limit for whole winter nights, and SO2
# and CO are published coarsely. Hazecast's own choice, checked on the UCI collections.
STUCK_HOURS: dict[str, int] = {"pm25": 8, "pm10": 8, "no2": 12, "so2": 48, "co": 24, "o3": 24}


def flag_series(values: npt.NDArray[np.floating[Any]], name: str) -> npt.NDArray[np.int8]:
    """Flag one hourly series.

    Parameters
    ----------
    values : float (time,)
        ug m-3, hourly without gaps in the axis, NaN where missing.
    name : str
        A pollutant of the contract.

    Returns
    -------
    int8 (time,)
        0 good, 1 missing, 2 impossible (outside the contract's range, or not above zero),
        3 stuck (one value for `STUCK_HOURS` or more; all of the run is flagged).
    """
    variable = POLLUTANTS[name]
    flags = np.zeros(len(values), np.int8)
    flags[_stuck(values, STUCK_HOURS[name])] = STUCK
    with np.errstate(invalid="ignore"):
        flags[(values <= variable.low) | (values > variable.high)] = IMPOSSIBLE
    flags[~np.isfinite(values)] = MISSING
    return flags


def _stuck(values: npt.NDArray[np.floating[Any]], hours: int) -> npt.NDArray[np.bool_]:
    starts = np.concatenate([[True], values[1:] != values[:-1]])
    run = np.cumsum(starts) - 1
    return np.asarray(np.bincount(run)[run] >= hours)
