"""Tests of single series: codes for missing values, range, negative values, stuck values, spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.quality.flags import IMPOSSIBLE, MISSING, NEGATIVE, SENTINEL, SPIKE, STUCK

Values = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.int8]

# Numbers that networks write for "no value" (-9999: China's; -999: the US posts; -1 and -9999: passed
# on by OpenAQ). Positive ones (999, 9999) can be real for some pollutant and are left to the range test.
SENTINELS: tuple[float, ...] = (-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0)

# Hours that a value may repeat before it counts as stuck (QARTOD's flat line test). Instruments
# report integers of ug m-3, so short runs are common; ozone stays at its detection limit for entire winter
# nights, and SO2 and CO are published coarsely. Hazecast's own choice, checked on the UCI collections.
STUCK_HOURS: dict[str, int] = {"pm25": 8, "pm10": 8, "no2": 12, "so2": 48, "co": 24, "o3": 24}

# How far below zero an instrument's noise may take an hourly mean, ug m-3. PM2.5: -3.5, gases: -5 ppb
# at 25 degC, both as in Canada's CAAQS guidance (CCME), which treats values in between as zero. PM10:
# as PM2.5; CO: -0.1 ppm, from memory, not verified.
NOISE: dict[str, float] = {"pm25": -3.5, "pm10": -3.5, "o3": -9.8, "no2": -9.4, "so2": -13.1, "co": -114.5}

# Rise above both neighbouring hours, ug m-3, from which an hour may be a spike. Hazecast's own
# choice: on the UCI collections it flags fewer than 1 in 5,000 hours, and none where the other
# stations rose too, as on the nights of fireworks.
SPIKE_RISE: dict[str, float] = {"pm25": 100.0, "pm10": 200.0, "o3": 100.0, "no2": 100.0, "so2": 100.0, "co": 2_000.0}
SPIKE_RATIO = 3.0


@dataclass(frozen=True)
class Reporting:
    """How a network reports, where quality control depends on it.

    Attributes
    ----------
    sentinels : tuple of float
        Numbers that mean "no value".
    zero_is_valid : bool
        Whether zero, and values within noise below it, are measurements. Where they aren't, zero
        is a published gap (seen in OpenAQ).
    modelled : bool
        Whether the values are a model's, not an instrument's: all are then flagged "modelled".
    """

    sentinels: tuple[float, ...] = SENTINELS
    zero_is_valid: bool = False
    modelled: bool = False


# A network that publishes its instruments' readings, including zero and slightly negative values.
MEASURED_ZERO = Reporting(sentinels=tuple(s for s in SENTINELS if s < -9), zero_is_valid=True)


def flag_series(values: Values, name: str, reporting: Reporting | None = None) -> Flags:
    """Flag one hourly series by itself.

    Parameters
    ----------
    values : float (time,)
        ug m-3, hourly without gaps in the axis, NaN where missing.
    name : str
        A pollutant of the contract.
    reporting : Reporting, optional
        How the network reports missing values and zero.

    Returns
    -------
    int8 (time,)
        Flags of `hazecast.grids.quality.flags`. Impossible is outside the contract's range, further
        below zero than `NOISE`, or zero where zero isn't valid; every hour of a stuck run is flagged.
        Spikes are not tested here, since that needs the other stations (`screen`).
    """
    reporting = reporting or Reporting()
    variable = POLLUTANTS[name]
    flags = np.zeros(len(values), np.int8)
    stuck = _stuck(values, STUCK_HOURS[name])
    if reporting.zero_is_valid:
        # A network that reports zero stays at zero for days, at the detection limit.
        stuck &= values != 0
    flags[stuck] = STUCK
    with np.errstate(invalid="ignore"):
        flags[(values == 0) & (not reporting.zero_is_valid)] = IMPOSSIBLE
        flags[(values < variable.low) & (values >= NOISE[name])] = NEGATIVE
        flags[(values < NOISE[name]) | (values > variable.high)] = IMPOSSIBLE
    flags[np.isin(values, reporting.sentinels)] = SENTINEL
    flags[~np.isfinite(values)] = MISSING
    return flags


def _stuck(values: Values, hours: int) -> npt.NDArray[np.bool_]:
    starts = np.concatenate([[True], values[1:] != values[:-1]])
    run = np.cumsum(starts) - 1
    return np.asarray(np.bincount(run)[run] >= hours)


def flag_spikes(values: Values, flags: Flags, name: str) -> None:
    """Flag single hours that stand out from the hour before and after, in place.

    QARTOD's spike test in one direction, with a ratio: an hour is a spike if it exceeds `SPIKE_RATIO`
    times both neighbouring hours, and both by `SPIKE_RISE`, unless the other stations rose with it by at
    least a quarter as much. The first and last hour and hours beside a gap can't be tested.

    Parameters
    ----------
    values : float (time, station)
        The stations of one city, ug m-3, NaN where not valid.
    flags : int8 (time, station)
        Changed in place.
    name : str
        A pollutant of the contract.
    """
    if len(values) < 3:
        return
    rise = np.full(values.shape, np.nan)
    beside = np.maximum(values[:-2], values[2:])
    rise[1:-1] = values[1:-1] - beside
    high = np.zeros(values.shape, bool)
    with np.errstate(invalid="ignore"):
        high[1:-1] = values[1:-1] > SPIKE_RATIO * beside
        candidates = np.argwhere(high & (rise > SPIKE_RISE[name]))
    for hour, station in candidates:
        others = np.delete(rise[hour], station)
        others = others[np.isfinite(others)]
        if not (others.size and np.median(others) > 0.25 * rise[hour, station]):
            flags[hour, station] = SPIKE
