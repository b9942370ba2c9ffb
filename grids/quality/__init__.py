"""Quality control of hourly monitoring data: every raw value is retained and gets a flag.

The structure follows QARTOD (US IOOS, Manual for the Use of Real-Time Oceanographic Data
Quality Control Flags; gross range, flat line, spike) and the classes of outliers that Wu et al.
(2018, Adv. Atmos. Sci. 35, 1522, doi:10.1007/s00376-018-8067-9) found in China's network:
inconsistent in time and space, low variance, periodic. Where a threshold is Hazecast's own, the comment
beside it states on which data it was checked.
"""

from hazecast.grids.quality.clock import TimeOffset, solar_hours, time_offset
from hazecast.grids.quality.flags import (
    DISTRUSTED,
    DUPLICATE,
    FLAG_ATTRS,
    FLAG_MEANINGS,
    FOG,
    GOOD,
    IMPOSSIBLE,
    MISSING,
    MODELLED,
    NEGATIVE,
    OBSCURED,
    SENTINEL,
    SPIKE,
    STUCK,
    TIME_SHIFT,
    UNIT_SLIP,
    count_flags,
)
from hazecast.grids.quality.screening import screen
from hazecast.grids.quality.series import MEASURED_ZERO, SENTINELS, Reporting, flag_series

__all__ = [
    "DISTRUSTED",
    "DUPLICATE",
    "FLAG_ATTRS",
    "FLAG_MEANINGS",
    "FOG",
    "GOOD",
    "IMPOSSIBLE",
    "MEASURED_ZERO",
    "MISSING",
    "MODELLED",
    "NEGATIVE",
    "OBSCURED",
    "SENTINEL",
    "SENTINELS",
    "SPIKE",
    "STUCK",
    "TIME_SHIFT",
    "UNIT_SLIP",
    "Reporting",
    "TimeOffset",
    "count_flags",
    "flag_series",
    "screen",
    "solar_hours",
    "time_offset",
]
