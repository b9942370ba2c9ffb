"""What a variable of the contract is in a file: its codes and names, level, statistic and units. Nothing else decides it.

GRIB: WMO Manual on Codes, FM 92, code tables 4.2 (parameters), 4.5 (surfaces) and 4.10 (statistics); local codes by the
parameter numbers of ECMWF's parameter database, which eccodes gives for the tables of any centre. NetCDF: the CF
standard name table, and the names that ECMWF and CMIP write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.grids.contract import within_limits
from hazecast.grids.errors import InputError
from hazecast.grids.unit_texts import plain_unit
from hazecast.grids.weather.netcdf_names import HUMIDITY, NAMES, OTHERS, SPECIFIC, STANDARD_NAMES
from hazecast.grids.weather.netcdf_units import TOTALS, UNITS

Array = npt.NDArray[np.float64]
# Per cent: a field of humidity has higher values somewhere.
_DRIEST = 1.5

_MOST_SPECIFIC = 0.06
# Wind as GRIB may give it in place of its components, which are derived: angles are never interpolated.
WIND_SPEED, WIND_DIRECTION = "wind_speed", "wind_direction"
POLAR_WIND = (WIND_SPEED, WIND_DIRECTION)
# Heights above ground at which temperature and humidity count as those of 2 m (the Japan Meteorological Agency and the
# UK Met Office give 1.5 m), and wind as that of 10 m.
HEIGHTS_M: dict[str, tuple[float, ...]] = {
    "t2m": (2.0, 1.5),
    "d2m": (2.0, 1.5),
    HUMIDITY: (2.0, 1.5),
    SPECIFIC: (2.0, 1.5),
    "u10": (10.0,),
    "v10": (10.0,),
    WIND_SPEED: (10.0,),
    WIND_DIRECTION: (10.0,),
}
_HIGHEST_M = max(max(heights) for heights in HEIGHTS_M.values())
# Code table 4.5.
_GROUND, _ABOVE_GROUND, _ATMOSPHERE, _ATMOSPHERE_AS_ONE_LAYER = 1, 103, 10, 200
# Total cloud cover is that of the entire atmosphere; ECMWF and the Japan Meteorological Agency write it at the ground.
_SURFACES = {
    "sp": (_GROUND,),
    "blh": (_GROUND,),
    "tp": (_GROUND,),
    "ssrd": (_GROUND,),
    "tcc": (_ATMOSPHERE, _ATMOSPHERE_AS_ONE_LAYER, _GROUND),
}
_NEEDED_SURFACES = {_ABOVE_GROUND, *(surface for surfaces in _SURFACES.values() for surface in surfaces)}
# Codes from here on are for local use.
_LOCAL = 192
# Discipline, category, number.
_GRIB2 = {
    (0, 0, 0): "t2m",
    (0, 0, 6): "d2m",
    (0, 1, 0): SPECIFIC,
    (0, 1, 1): HUMIDITY,
    (0, 2, 0): WIND_DIRECTION,
    (0, 2, 1): WIND_SPEED,
    (0, 2, 2): "u10",
    (0, 2, 3): "v10",
    (0, 3, 0): "sp",
    (0, 3, 18): "blh",
    (0, 6, 1): "tcc",
    (0, 1, 8): "tp",
    (0, 1, 7): "tp",
    (0, 1, 52): "tp",
    (0, 4, 7): "ssrd",
}
# Local codes of NCEP that eccodes names in part only.
_GRIB2_NCEP = {(0, 3, 196): "blh", (0, 4, 192): "ssrd"}
# Edition 1: NCEP's ON388, table 2, where eccodes names none.
_GRIB1_NCEP = {(2, 221): "blh", (2, 204): "ssrd"}
# ECMWF's parameter numbers, for local codes of edition 2 and for edition 1.
_PARAMETERS = {
    167: "t2m", 130: "t2m", 168: "d2m", 260242: HUMIDITY, 157: HUMIDITY, 174096: SPECIFIC, 133: SPECIFIC, 165: "u10", 131: "u10", 166: "v10", 132: "v10",
    207: WIND_SPEED, 10: WIND_SPEED, 3032: WIND_SPEED, 260260: WIND_DIRECTION, 3031: WIND_DIRECTION,
    134: "sp", 159: "blh", 260083: "blh", 164: "tcc", 228164: "tcc",
    228: "tp", 3059: "tp", 228228: "tp", 235055: "tp", 260048: "tp", 169: "ssrd", 260087: "ssrd", 235035: "ssrd",
}  # fmt: skip
# In edition 1 ECMWF marks what is accumulated since the start as an instant; these are.
_SINCE_START = {228, 169}
# Where the parameter itself says the height, the level need not.
_OWN_HEIGHT = {165, 166, 167, 168, 207, 260260}

INSTANT, AVERAGE, ACCUMULATION = "instant", "average", "accumulation"
_STATISTICS = {"instant": INSTANT, "avg": AVERAGE, "accum": ACCUMULATION}
# For each variable and statistic the factor from each unit, as eccodes writes it, to the contract's. An accumulation is
# then a total over its step whose mean by the hour is the contract's rate.
_GRIB_UNITS: dict[tuple[str, str], dict[str, float]] = {
    ("t2m", INSTANT): {"K": 1.0},
    ("d2m", INSTANT): {"K": 1.0},
    (HUMIDITY, INSTANT): {"%": 1.0},
    (SPECIFIC, INSTANT): {"kg kg**-1": 1.0},
    ("u10", INSTANT): {"m s**-1": 1.0},
    ("v10", INSTANT): {"m s**-1": 1.0},
    (WIND_SPEED, INSTANT): {"m s**-1": 1.0},
    (WIND_DIRECTION, INSTANT): {"degrees": 1.0, "Degree true": 1.0, "deg": 1.0},
    ("sp", INSTANT): {"Pa": 1.0},
    ("blh", INSTANT): {"m": 1.0},
    ("tcc", INSTANT): {"%": 0.01, "(0 - 1)": 1.0},
    ("tcc", AVERAGE): {"%": 0.01, "(0 - 1)": 1.0},
    ("tp", ACCUMULATION): {"kg m**-2": 1.0, "m": 1000.0},
    ("tp", AVERAGE): {"kg m**-2 s**-1": 3600.0, "m s**-1": 3.6e6},
    ("ssrd", ACCUMULATION): {"J m**-2": 1.0 / 3600.0},
    ("ssrd", AVERAGE): {"W m**-2": 1.0},
}


def may_be_needed(discipline: int, category: int, number: int, surface: int | None) -> bool:
    """Return whether a field of edition 2 may be of the contract, by what can be read without decoding its header.

    Parameters
    ----------
    discipline, category, number : int
        Its parameter, code table 4.2.
    surface : int or None
        Its first surface, code table 4.5.

    Returns
    -------
    bool
        True for all local codes.
    """
    own = (discipline, category, number)
    known = own in _GRIB2 or max(own) >= _LOCAL
    return known and (surface is None or surface in _NEEDED_SURFACES)


class Meaning(NamedTuple):
    """What a GRIB message holds of the contract.

    `name` is a variable of the contract, `HUMIDITY`, `SPECIFIC` or one of `POLAR_WIND`; `factor` leads to the contract's units; `kind` is what the values
    are over their step; of several messages for one time that of the lowest `rank` counts.
    """

    name: str
    factor: float
    kind: str
    rank: int


class Codes(NamedTuple):
    """What identifies the contents of a GRIB message, all of it as numbers but centre, statistic and unit.

    `parameter` is ECMWF's number; `surface` is of code table 4.5 (edition 2) or 3 (edition 1) and `level` in its unit;
    `statistic` and `unit` are as eccodes writes them; `layer` is whether the level reaches up to another height.
    """

    edition: int
    centre: str
    discipline: int
    category: int
    number: int
    parameter: int
    surface: int
    level: float
    statistic: str
    unit: str
    layer: bool = False


def meaning_of(codes: Codes) -> Meaning | None:
    """Return what a GRIB message holds; None for nothing of the contract, another level or another statistic.

    Raises
    ------
    InputError
        If it is of the contract, but in a unit that its parameter doesn't have.
    """
    own = (codes.discipline, codes.category, codes.number)
    name = _PARAMETERS.get(codes.parameter)
    if codes.edition == 2:
        local = _GRIB2_NCEP.get(own) if codes.centre == "kwbc" else None
        name = _GRIB2.get(own) or local or (name if max(own) >= _LOCAL else None)
    elif codes.centre == "kwbc":
        name = name or _GRIB1_NCEP.get(own[1:])
    if name is None:
        return None
    rank = _level_rank(name, codes)
    kind = _STATISTICS.get(codes.statistic)
    if codes.edition == 1 and codes.parameter in _SINCE_START:
        kind = ACCUMULATION
    if rank is None or kind is None or (name, kind) not in _GRIB_UNITS:
        return None
    factors = _GRIB_UNITS[name, kind]
    # Where eccodes has no name for a code of the WMO's tables or NCEP's, the unit is the table's, the first here.
    factor = next(iter(factors.values())) if codes.unit == "unknown" else factors.get(codes.unit)
    if factor is None:
        raise InputError(f"{name} units", codes.unit, f"one of {sorted(factors)}")
    # What is published for an instant counts before a mean, a total before a mean rate.
    second_best = (name, kind) in (("tcc", AVERAGE), ("tp", AVERAGE))
    return Meaning(name, factor, kind, rank + 10 * second_best)


def _level_rank(name: str, codes: Codes) -> int | None:
    if name in HEIGHTS_M and codes.layer:
        return None
    if name in HEIGHTS_M:
        if codes.edition == 1 and codes.parameter in _OWN_HEIGHT and codes.surface == _GROUND:
            return 0
        # Code table 3 of edition 1: 105 is a height above ground in m.
        if codes.surface != (_ABOVE_GROUND if codes.edition == 2 else 105) or codes.level not in HEIGHTS_M[name]:
            return None
        return HEIGHTS_M[name].index(codes.level)
    surfaces = _SURFACES[name]
    return surfaces.index(codes.surface) if codes.surface in surfaces else None


# Statistics over the hours before a time, by CF's cell methods and by cfgrib.
OVER_TIME = frozenset({"sum", "mean", "accum", "avg"})
_INSTANTS = {"t2m", "d2m", HUMIDITY, SPECIFIC, "u10", "v10", "sp", "blh"}


class Column(NamedTuple):
    """What a variable of a NetCDF file holds: its name in the contract, factor and offset, and whether it is a total."""

    name: str
    factor: float
    offset: float
    total: bool


def contract_name(name: str, attrs: Mapping[str, object]) -> str | None:
    """Return what a variable may be by its name or standard name: of the contract, `HUMIDITY` or `SPECIFIC`.

    Parameters
    ----------
    name : str
        Its name in the file.
    attrs : mapping
        Its attributes.

    Returns
    -------
    str or None
    """
    return NAMES.get(name.lower()) or STANDARD_NAMES.get(str(attrs.get("standard_name")))


def column_of(name: str, attrs: Mapping[str, object], height_m: float | None) -> Column | None:
    """Return what a variable of a NetCDF file holds; None if it is nothing of the contract.

    Parameters
    ----------
    name : str
        Its name in the file.
    attrs : mapping
        Its attributes: ``standard_name``, ``units``, ``cell_methods``, cfgrib's ``GRIB_stepType``.
    height_m : float or None
        Its height above ground, where a coordinate gives one.

    Returns
    -------
    Column or None

    Raises
    ------
    InputError
        If its height, statistic or unit isn't one that can be used, or its standard name tells another quantity than its name.
    """
    own = contract_name(name, attrs)
    if own is None:
        return None
    standard = str(attrs.get("standard_name"))
    if standard in OTHERS or STANDARD_NAMES.get(standard, own) != own:
        raise InputError(f"{name}: standard_name", standard, f"one that fits the name, which is that of {own}")
    # A name that tells the height counts before a coordinate, which may be that of 2 or 10 m of another variable.
    if own in HEIGHTS_M and name.lower() in NAMES:
        if height_m is not None and height_m > _HIGHEST_M:
            raise InputError(f"{name}: height", f"{height_m:g} m", " or ".join(f"{one:g} m" for one in HEIGHTS_M[own]))
    elif own in HEIGHTS_M:
        if height_m is None:
            raise InputError(f"{name}: height", "not stated", "a coordinate of 2 or 10 m, or a name such as t2m")
        if height_m not in HEIGHTS_M[own]:
            return None
    members = re.search(r"realization:\s*(\w+)", str(attrs.get("cell_methods", "")))
    if members is not None and members[1] not in ("mean", "point"):
        raise InputError(f"{name}: statistic over members", members[1], "their mean, or one of them")
    statistic = statistic_of(attrs)
    allowed = {None, "point", "instant"} if own in _INSTANTS else {None, *OVER_TIME}
    if own == "tcc":
        allowed = allowed | {"point", "instant"}
    if statistic not in allowed:
        raise InputError(f"{name}: statistic", statistic, " or ".join(sorted(one for one in allowed if one)))
    unit = plain_unit(str(attrs.get("units")))
    if unit in (totals := TOTALS.get(own, {})):
        return Column(own, *totals[unit], True)
    if unit not in UNITS[own]:
        raise InputError(f"{name} units", attrs.get("units"), f"one of {sorted({**UNITS[own], **totals})}")
    return Column(own, *UNITS[own][unit], False)


def statistic_of(attrs: Mapping[str, object]) -> str | None:
    """Return the statistic over time by CF's cell methods (section 7.3), or as cfgrib writes it; None if not stated."""
    found = re.search(r"time:\s*(\w+)", str(attrs.get("cell_methods", "")))
    if found is not None:
        return found[1]
    step_type = attrs.get("GRIB_stepType")
    return None if step_type in (None, "unknown") else str(step_type)


def plausible(values: Array, name: str, where: str) -> Array:
    """Return values clipped to the contract's range; see `hazecast.grids.contract.within_limits`.

    Parameters
    ----------
    values : float (...)
        In the units of the contract.
    name : str
        A variable of the contract, `HUMIDITY` or `SPECIFIC`.
    where : str
        Where they were read from, for errors.

    Returns
    -------
    float (...)

    Raises
    ------
    InputError
        If a value lies outside by more than 1 % of the range.
    """
    if name == SPECIFIC:
        outside = int(((values < -1e-3) | (values > _MOST_SPECIFIC)).sum())
        if outside:
            raise InputError(f"{where}: {name}", f"{outside} values outside", f"0 to {_MOST_SPECIFIC:g} kg kg-1")
        return values
    if name == HUMIDITY:
        # Models give somewhat more than 100 % in clouds.
        outside = int(((values < -1.0) | (values > 150.0)).sum())
        if outside:
            raise InputError(f"{where}: {name}", f"{outside} values outside", "0 to 150 %")
        # A fraction that is called per cent; no air that anyone breathes is so dry.
        highest = float(np.nanmax(values, initial=0.0))
        if 0.0 < highest <= _DRIEST:
            raise InputError(f"{where}: {name}", f"values of at most {highest:g} %", "per cent, not a fraction")
        return np.asarray(np.clip(values, 0.0, 100.0))
    return np.asarray(within_limits(xr.DataArray(values), name, where).values)
