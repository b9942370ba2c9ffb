"""Mixing ratios to mass concentrations at a fixed reference state.

Hazecast stores gases at 298.15 K and 1013.25 hPa, the reference state of China's GB 3095 since
2018-09-01 (amendment of 2018-08-13 to clause 3.14; particles are at ambient conditions). Japan
publishes gases as mixing ratios, so there the reference state only sets the factor: at 20 degC
it would be 1.7 % higher.
"""

from __future__ import annotations

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.errors import InputError

REFERENCE_STATE = "298.15 K, 1013.25 hPa"
# Molar gas volume at 298.15 K and 1013.25 hPa, litre: R T / p with R = 8.314462618 J mol-1 K-1.
_LITRE_PER_MOL = 8.314462618 * 298.15 / 101.325
# IUPAC standard atomic weights, abridged, summed.
_GRAM_PER_MOL = {"o3": 47.997, "no2": 46.005, "so2": 64.058, "co": 28.010}
# ug m-3 of one ppb.
PPB_25C: dict[str, float] = {name: mass / _LITRE_PER_MOL for name, mass in _GRAM_PER_MOL.items()}

_MASS_UNITS = {"ug/m3": 1.0, "ug m-3": 1.0, "mg/m3": 1_000.0, "mg m-3": 1_000.0}
_MIXING_RATIOS = {"ppb": 1.0, "pphm": 10.0, "ppm": 1_000.0}


def to_ug_m3(name: str, units: str) -> float:
    """Return the factor from `units` to ug m-3 for a pollutant of the contract.

    Parameters
    ----------
    name : str
        A pollutant of the contract.
    units : str
        ug/m3, mg/m3 (with any of the usual ways to write micro and the cube), ppb, pphm (parts per hundred million) or ppm by
        volume.

    Returns
    -------
    float
        At `REFERENCE_STATE` where `units` is a mixing ratio.

    Raises
    ------
    InputError
        If the pollutant or the units aren't known, or are a mixing ratio of particles.

    Examples
    --------
    >>> to_ug_m3("co", "mg/m3")
    1000.0
    >>> round(120 * to_ug_m3("o3", "ppb"))
    235
    """
    if name not in POLLUTANTS:
        raise InputError("pollutant", name, f"one of {sorted(POLLUTANTS)}")
    plain = units.strip().lower().replace("µ", "u").replace("μ", "u").replace("³", "3").replace("^", "")
    if plain in _MASS_UNITS:
        return _MASS_UNITS[plain]
    if plain in _MIXING_RATIOS and name in PPB_25C:
        return _MIXING_RATIOS[plain] * PPB_25C[name]
    raise InputError(f"units of {name}", units, "ug/m3, mg/m3, or ppb, pphm or ppm of a gas")
