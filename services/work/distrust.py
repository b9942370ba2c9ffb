"""What quality control leaves out of the observations of a forecast, in words."""

from __future__ import annotations

import numpy as np

from hazecast.grids.contract import HISTORY_HOURS
from hazecast.grids.observations.collections import MonitorData
from hazecast.grids.quality import DISTRUSTED, DUPLICATE, IMPOSSIBLE, MISSING

# Share of the cities from which their silence or error makes a forecast degraded: Hazecast's own choice.
SHARE_OF_CITIES = 0.25


def distrust_reasons(monitors: MonitorData, now: np.datetime64) -> list[str]:
    """Return why hours that a forecast reads are not used, where a large share of the cities is in error.

    What single cities lack is counted (`MonitorData.counts`), and a city whose newest value is old is named by itself.

    Parameters
    ----------
    monitors : MonitorData
    now : numpy.datetime64
        The init time.

    Returns
    -------
    list of str
        Empty if nothing of the kind is found.
    """
    flags = monitors.observations.get("pm25_flag")
    if flags is None:
        return []
    read = flags.sel(time=slice(now - np.timedelta64(HISTORY_HOURS - 1, "h"), now)).transpose("time", "city").values
    known = (read != MISSING).any(axis=0)
    reasons = []
    for found, words in (
        # Where all values of a city are out of range none is left to be distrusted.
        ((DISTRUSTED, IMPOSSIBLE), "{} hours in which a network fails as a whole are not used"),
        ((DUPLICATE,), "{} hours repeat the day before and are not used"),
    ):
        hours = int((np.isin(read, found).sum(axis=1) >= max(SHARE_OF_CITIES * known.sum(), 1)).sum())
        if hours:
            reasons.append("observations: " + words.format(hours))
    return reasons
