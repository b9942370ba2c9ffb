"""Remote sensing of exhaust: emission per kg of fuel, driving conditions, and high emitters with the rate of false alarms.

Emission per fuel by the carbon balance of Bishop and Stedman (1996), specific power by Jiménez (1999); both from memory. HJ 845-2017 is for diesel
vehicles: its limit for screening, NO 1500 umol mol-1, and its rule of two exceedances within six months are from memory, the text could not be
read. Limits of petrol vehicles are a province's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from hazecast.grids.errors import InputError

GASES = ("co", "hc", "no")
# g mol-1; hydrocarbons are measured as propane.
_MOLAR_MASS = {"co": 28.01, "hc": 44.1, "no": 30.01}
_CARBON = 12.011
# Infrared absorption sees about half of the hydrocarbons, of three atoms of carbon each: 2 times 3 (Bishop and Stedman).
_HC_SEEN, _HC_ATOMS = 2.0, 3.0
# Mass of carbon in fuel, share of 1.
CARBON_SHARE = {"petrol": 0.865, "diesel": 0.862}
# A fleet's median above these is no ratio to CO2 but a percentage or a mixing ratio: exhaust has 5 % of CO2 and more, and less than 5 % of CO and
# 0.5 % of NO and of hydrocarbons where engines run at all. Chosen.
_LIKELY = {"co": 1.0, "hc": 0.1, "no": 0.1}
# km h-1, km h-1 s-1 (1.8 g) and share of 1, either sign: no vehicle passes them. Chosen.
_DRIVEN = {"speed": 250.0, "acceleration": 65.0, "grade": 0.4}
# kW t-1; outside, emission does not tell of the vehicle's state. The operator's choice.
POWER_WINDOW = (0.0, 20.0)
_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Screening:
    """High emitters of a fleet.

    Attributes
    ----------
    vehicles : pandas.DataFrame (vehicle)
        ``readings`` within the window of power, ``mean`` (g kg-1), ``exceedances`` (readings above the limit), ``high`` (as many of them as asked),
        ``p_value`` (that the mean of a vehicle at the limit is so high by noise) and ``certain`` (high with a p-value below 0.05).
    readings, outside_window : int
        Readings of the table, and those left out for their power.
    too_few : int
        Vehicles with fewer readings than a verdict needs.
    false_rate : float
        Expected share of the vehicles just at the limit, with as many readings as these, that are called high.
    share : float
        Of the certain ones in the vehicles with enough readings.
    share_low, share_high : float
        Its 95 % interval (Clopper and Pearson), of sampling alone.
    """

    vehicles: pd.DataFrame
    readings: int
    outside_window: int
    too_few: int
    false_rate: float
    share: float
    share_low: float
    share_high: float


def per_fuel(ratios: pd.DataFrame, fuel: str) -> pd.DataFrame:
    """Convert ratios to CO2 to emission per kg of fuel.

    With Q the ratios by volume: g kg-1 = 1000 w_C / 12.011 M Q / (1 + Q_CO + 6 Q_HC), Q_HC as propane and counted twice in its mass.

    Parameters
    ----------
    ratios : pandas.DataFrame (reading)
        ``co``, ``hc``, ``no``: mol over mol of CO2. Readings of a clean car may be below 0 by the instrument's noise; they are kept.
    fuel : str
        ``petrol`` or ``diesel``.

    Returns
    -------
    pandas.DataFrame (reading)
        ``co``, ``hc`` and ``no``, g kg-1.

    Raises
    ------
    InputError
        If the fuel is unknown, a ratio is missing, a median cannot be a ratio to CO2, or a reading has no carbon left.
    """
    if fuel not in CARBON_SHARE:
        raise InputError("fuel", fuel, " or ".join(CARBON_SHARE))
    _check(ratios, list(GASES))
    for gas, most in _LIKELY.items():
        median = float(ratios[gas].median())
        if median > most:
            raise InputError(f"{gas}: median", median, f"a ratio to CO2, mol over mol: at most {most:g} in the median")
    carbon = 1 + ratios["co"] + _HC_SEEN * _HC_ATOMS * ratios["hc"]
    if (carbon <= 0).any():
        raise InputError(f"reading {carbon.idxmin()}: co, hc", float(carbon.min()) - 1, "a sum above -1")
    scale = 1000 * CARBON_SHARE[fuel] / _CARBON
    seen = {"co": 1.0, "hc": _HC_SEEN, "no": 1.0}
    return pd.DataFrame({gas: scale * _MOLAR_MASS[gas] * seen[gas] * ratios[gas] / carbon for gas in GASES})


def specific_power(drive: pd.DataFrame) -> pd.Series:
    """Return the vehicle specific power of light vehicles (Jiménez 1999), kW t-1.

    v (1.1 a + 9.81 sin(slope) + 0.132) + 0.000302 v^3, with v in m s-1 and a in m s-2.

    Parameters
    ----------
    drive : pandas.DataFrame (reading)
        ``speed`` (km h-1), ``acceleration`` (km h-1 s-1), ``grade`` (share of 1, rise over run).

    Returns
    -------
    pandas.Series (reading)

    Raises
    ------
    InputError
        If a number is missing, the speed is negative, or a value is one that no vehicle has.
    """
    _check(drive, ["speed", "acceleration", "grade"])
    if (drive["speed"] < 0).any():
        raise InputError(f"reading {drive['speed'].idxmin()}: speed", float(drive["speed"].min()), "0 or more")
    for (name, most), unit in zip(_DRIVEN.items(), ("km h-1", "km h-1 s-1", "a share of 1"), strict=True):
        values = drive[name].to_numpy(dtype=float)
        at = int(np.abs(values).argmax()) if len(values) else 0
        if len(values) and abs(values[at]) > most:
            raise InputError(f"reading {drive.index[at]}: {name}", float(values[at]), f"{unit}, at most {most:g}")
    speed, acceleration = drive["speed"] / 3.6, drive["acceleration"] / 3.6
    slope = 9.81 * np.sin(np.arctan(drive["grade"]))
    power: pd.Series = speed * (1.1 * acceleration + slope + 0.132) + 0.000302 * speed**3
    return power


def screen(
    readings: pd.DataFrame,
    *,
    limit: float,
    noise: float,
    exceedances: int = 2,
    window: tuple[float, float] = POWER_WINDOW,
) -> Screening:
    """Find high emitters of one gas from repeated readings.

    A vehicle is high if at least `exceedances` of its readings within the window of power are above the limit. One whose true emission is the limit
    exceeds it in half of its readings, so its chance to be called high is binomial; that chance is the rate of false alarms of a vehicle that just
    complies. The verdict ``certain`` keeps that rate at 5 % or less.

    Parameters
    ----------
    readings : pandas.DataFrame (reading)
        ``vehicle``, ``power`` (kW t-1) and ``emission`` (g kg-1).
    limit : float
        g kg-1; the bureau's own.
    noise : float
        Standard deviation of one reading of a steady vehicle, g kg-1: instrument and driving; from repeated passes.
    exceedances : int
        Readings above the limit for a verdict; 2 in HJ 845-2017.
    window : tuple of float
        Lowest and highest power, kW t-1.

    Returns
    -------
    Screening

    Raises
    ------
    InputError
        If a number is missing, `limit`, `noise` or `exceedances` is not above 0, the window is empty, or no vehicle has enough readings.
    """
    if not limit > 0 or not noise > 0 or exceedances < 1 or not window[0] < window[1]:
        raise InputError(
            "limit, noise, exceedances, window", (limit, noise, exceedances, window), "above 0; low before high"
        )
    _check(readings, ["power", "emission"])
    inside = readings[readings["power"].between(*window)]
    groups = inside.assign(above=inside["emission"] > limit).groupby("vehicle")
    table = pd.DataFrame(
        {"readings": groups.size(), "mean": groups["emission"].mean(), "exceedances": groups["above"].sum()}
    )
    enough = table[table["readings"] >= exceedances].copy()
    if enough.empty:
        raise InputError("vehicles with enough readings in the window", 0, f"one with {exceedances} or more")
    enough["p_value"] = stats.norm.sf((enough["mean"] - limit) * np.sqrt(enough["readings"]) / noise)
    enough["high"] = enough["exceedances"] >= exceedances
    enough["certain"] = enough["high"] & (enough["p_value"] < _SIGNIFICANT)
    n, high = len(enough), int(enough["certain"].sum())
    false = stats.binom.sf(exceedances - 1, enough["readings"].to_numpy(), 0.5)
    low = float(stats.beta.ppf(0.025, high, n - high + 1)) if high else 0.0
    top = float(stats.beta.ppf(0.975, high + 1, n - high)) if high < n else 1.0
    return Screening(
        enough, len(readings), len(readings) - len(inside), int(readings["vehicle"].nunique()) - n,
        float(false.mean()), high / n, low, top,
    )  # fmt: skip


def _check(table: pd.DataFrame, columns: list[str]) -> None:
    """Raise InputError for the first cell that has no finite number."""
    faulty = ~np.isfinite(table[columns].to_numpy(dtype=float))
    if faulty.any():
        row, column = (int(one[0]) for one in np.nonzero(faulty))
        raise InputError(f"reading {table.index[row]}: {columns[column]}", table[columns].iat[row, column], "a number")
