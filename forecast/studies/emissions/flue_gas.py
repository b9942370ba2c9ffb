"""Concentrations in flue gas at the reference state: dry, 273.15 K, 101 325 Pa, and at a reference share of oxygen.

Formulas of HJ 75-2017, annex C, and GB 13223-2011, clause 5, from memory: the texts could not be read. The detection limit and range of HJ 836-2017
were read in a public excerpt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hazecast.grids.errors import InputError

_AIR_OXYGEN = 21.0
# Shares of water above this are no flue gas.
_MOST_MOISTURE = 0.7
_STANDARD_PRESSURE, _STANDARD_TEMPERATURE = 101_325.0, 273.15
# HJ 836-2017, clause 1: 1.0 mg m-3 for a sample of 1 m3, results above 50 mg m-3 are given as "> 50".
_DETECTABLE_MG, _HIGHEST = 1.0, 50.0
# m3, of a sample: more is litres. Chosen; samples are of about 1 m3.
_MOST_M3 = 100.0
# HJ 836-2017: a blank of the whole procedure is at most 10 % of the emission limit. From memory.
_BLANK_SHARE = 0.1
_COLUMNS = ("concentration", "temperature", "pressure", "moisture", "oxygen", "oxygen_wet")


def corrected(readings: pd.DataFrame, *, reference_oxygen: float) -> pd.DataFrame:
    """Convert readings of wet gas at its temperature to dry gas at the standard state and the reference oxygen.

    c_dry = c 101325 / p (273.15 + t) / 273.15 / (1 - x); c_ref = c_dry (21 - O_ref) / (21 - O). The uncertainty is that of independent inputs
    (GUM, JCGM 100:2008, 5.1.2). Without a sensor of moisture, x = 1 - O_wet / O, of oxygen measured in wet and in dry gas (HJ 75-2017, annex C,
    from memory); the error of O is then one in both places.

    Parameters
    ----------
    readings : pandas.DataFrame (reading)
        ``concentration`` (mg m-3, wet, at the gas's state), ``temperature`` (degree_Celsius), ``pressure`` (Pa, absolute), ``oxygen`` (% of the dry
        gas), and either ``moisture`` (share of 1 by volume) or ``oxygen_wet`` (% of the wet gas). Optional standard uncertainties: ``u_`` and the
        name; 0 where missing.
    reference_oxygen : float
        %: 6 for coal-fired boilers of power stations in GB 13223-2011, 15 for gas turbines.

    Returns
    -------
    pandas.DataFrame (reading)
        ``dry`` and ``reference`` with ``u_dry`` and ``u_reference`` (standard), mg m-3, ``factor``, reference over dry, and ``moisture`` as used.

    Raises
    ------
    InputError
        If a value is missing or not possible: oxygen of 21 % or more among them, and more in wet than in dry gas.
    """
    if not (reference_oxygen == 0 or 1 <= reference_oxygen < _AIR_OXYGEN):
        raise InputError("reference oxygen", reference_oxygen, "%, 0 or 1 to 21; not a share of 1")
    _check(readings)
    value = readings.astype(float)
    error = pd.DataFrame({name: value.get(f"u_{name}", pd.Series(0.0, index=value.index)) for name in _COLUMNS})
    kelvin = value["temperature"] + _STANDARD_TEMPERATURE
    if "oxygen_wet" in value:
        air = value["oxygen_wet"] / value["oxygen"]
        of_air, by_oxygen = error["oxygen_wet"] / value["oxygen_wet"], 1 / value["oxygen"]
    else:
        air = 1 - value["moisture"]
        of_air, by_oxygen = error["moisture"] / air, 0 * air
    state = _STANDARD_PRESSURE / value["pressure"] * kelvin / _STANDARD_TEMPERATURE / air
    dry = value["concentration"] * state
    others = (error["temperature"] / kelvin) ** 2 + (error["pressure"] / value["pressure"]) ** 2 + of_air**2
    without_oxygen = np.sqrt((state * error["concentration"]) ** 2 + dry**2 * others)
    excess = _AIR_OXYGEN - value["oxygen"]
    factor = (_AIR_OXYGEN - reference_oxygen) / excess
    of_dry = np.hypot(without_oxygen, dry * by_oxygen * error["oxygen"])
    of_reference = factor * np.hypot(without_oxygen, dry * (by_oxygen + 1 / excess) * error["oxygen"])
    return pd.DataFrame(
        {
            "dry": dry, "u_dry": of_dry, "factor": factor, "reference": dry * factor, "u_reference": of_reference,
            "moisture": 1 - air,
        }
    )  # fmt: skip


@dataclass(frozen=True)
class Gravimetric:
    """Manual samples of particles at low concentration (HJ 836-2017).

    Attributes
    ----------
    table : pandas.DataFrame (sample)
        ``concentration`` (mg m-3), ``detection_limit`` (mg m-3, of that volume), ``result`` (as it is to be stated) and ``valid``.
    mean : float or None
        Of the valid samples, half of the detection limit where below; None without any.
    blank : float
        Blank of the whole procedure over the mean volume, mg m-3.
    blank_fits : bool
    """

    table: pd.DataFrame
    mean: float | None
    blank: float
    blank_fits: bool


def gravimetric(samples: pd.DataFrame, blank_mg: float, limit: float) -> Gravimetric:
    """Evaluate filters of low-concentration sampling.

    A sample that gained less than the blank of the whole procedure is not valid (from memory).

    Parameters
    ----------
    samples : pandas.DataFrame (sample)
        ``mass`` gained (mg) and ``volume`` (m3, dry, standard state).
    blank_mg : float
        Gain of the blank of the whole procedure, mg.
    limit : float
        Emission limit, mg m-3.

    Returns
    -------
    Gravimetric

    Raises
    ------
    InputError
        If there is no sample, a number is missing, or a volume is not above 0 and up to 100 m3, or the limit not above 0.
    """
    if (samples["volume"] > _MOST_M3).any():
        raise InputError("volume: highest", float(samples["volume"].max()), f"m3, at most {_MOST_M3:g}; not litres")
    if samples.empty or not limit > 0 or not np.isfinite(blank_mg):
        raise InputError("samples, limit, blank", (len(samples), limit, blank_mg), "one or more, above 0, a number")
    for name, row in samples.iterrows():
        if not (np.isfinite(row["mass"]) and np.isfinite(row["volume"]) and row["volume"] > 0):
            raise InputError(
                f"sample {name}: mass, volume",
                (float(row["mass"]), float(row["volume"])),
                "numbers, the volume above 0",
            )
    table = pd.DataFrame(
        {"concentration": samples["mass"] / samples["volume"], "detection_limit": _DETECTABLE_MG / samples["volume"]}
    )
    table["result"] = [
        _stated(c, least) for c, least in zip(table["concentration"], table["detection_limit"], strict=True)
    ]
    table["valid"] = samples["mass"] >= blank_mg
    valid = table[table["valid"]]
    counted = valid["concentration"].where(
        valid["concentration"] >= valid["detection_limit"], valid["detection_limit"] / 2
    )
    blank = max(0.0, blank_mg) / float(samples["volume"].mean())
    return Gravimetric(table, float(counted.mean()) if len(valid) else None, blank, blank <= _BLANK_SHARE * limit)


def _stated(concentration: float, least: float) -> str:
    if concentration < least:
        return f"< {least:.1f}"
    return f"> {_HIGHEST:.0f}" if concentration > _HIGHEST else f"{concentration:.1f}"


def _check(readings: pd.DataFrame) -> None:
    bounds = {"concentration": (0, np.inf), "temperature": (-50, 1500), "pressure": (50_000, 120_000),
              "oxygen": (0, _AIR_OXYGEN - 0.1), "moisture": (0, _MOST_MOISTURE)}  # fmt: skip
    if readings.empty:
        raise InputError("readings", "none", "one or more")
    wet = "oxygen_wet" in readings
    if wet == ("moisture" in readings):
        raise InputError("columns", ", ".join(map(str, readings.columns)), "one of moisture and oxygen_wet")
    if 0 < readings["oxygen"].max() <= _AIR_OXYGEN / 100:
        raise InputError("oxygen: highest", float(readings["oxygen"].max()), "%, not a share of 1")
    for name, (low, high) in bounds.items():
        if name in readings:
            for at, one in readings[name].items():
                if not low <= one <= high:
                    raise InputError(f"reading {at}: {name}", one, f"{low:g} to {high:g}")
    if wet:
        for at, one, dry in zip(readings.index, readings["oxygen_wet"], readings["oxygen"], strict=True):
            if not (one > 0 and (1 - _MOST_MOISTURE) * dry <= one <= dry):
                raise InputError(
                    f"reading {at}: oxygen_wet", one, f"above 0, {(1 - _MOST_MOISTURE) * dry:g} to oxygen, {dry:g}"
                )
    for name in _COLUMNS:
        errors = readings.get(f"u_{name}", pd.Series(0.0, index=readings.index))
        for at, one in errors.items():
            if not (np.isfinite(one) and one >= 0):
                raise InputError(f"reading {at}: u_{name}", one, "0 or more")
