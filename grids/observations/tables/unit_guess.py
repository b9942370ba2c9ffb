"""The unit of a quantity whose header states none: told by its values, usual everywhere, assumed and said, or asked for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.observations.tables.cells import directions, is_missing, numbers
from hazecast.grids.observations.tables.looked_at import Table
from hazecast.grids.observations.tables.names import Named, named
from hazecast.grids.observations.tables.units import unit_named, units_of

# Surface pressures in the units in use don't overlap; temperatures of the air in K and degC don't either.
_PRESSURES = {
    "hPa": (500.0, 1_100.0),
    "kPa": (50.0, 110.0),
    "Pa": (50_000.0, 110_000.0),
    "0.1 hPa": (5_000.0, 11_000.0),
}
_KELVIN = 150.0
# One never sees farther, km; in m a table of a whole fog would be needed to stay below.
_FARTHEST_KM = 100.0
# No hours of a city stay below so much in ug/m3; chosen. Carbon monoxide has about 60 ug/m3 in clean air, and is published
# in mg/m3 and ppm, as are others in ppm. Fewer values tell nothing.
_LEAST = {"co": 30.0}
_FEW = 3
# Networks of Japan and Korea write wind as numbers of 16 or 36 points, from 1 on.
_MOST_POINTS = 36.0


# Cells that state a unit of concentrations in words around it, and names of columns of units.
_CONCENTRATION = re.compile(r"(?<![a-z])(?:[uμ]g/m\^?3|mg/m\^?3|ppb|ppm|pphm)(?![a-z])")
_OF_UNITS = re.compile(r"[\s_]*(?:units?|单位|單位|単位|단위)$", re.I)
_LAST_LINES = 5


def units_around(rows: Sequence[Sequence[str]], above: int) -> frozenset[str]:
    """Return the units of concentrations that the lines above the names, and remarks at the end, state.

    Parameters
    ----------
    rows : sequence of sequence of str
    above : int
        How many lines there are above the names.

    Returns
    -------
    frozenset of str

    Examples
    --------
    >>> sorted(units_around([["单位：μg/m³（CO为mg/m³）"], ["time", "O3"]], 1))
    ['mg/m3', 'ug/m3']
    """
    remarks = [row for row in rows[max(above + 1, len(rows) - _LAST_LINES) :] if sum(map(bool, row)) == 1]
    texts = [unicodedata.normalize("NFKC", cell).lower() for row in (*rows[:above], *remarks) for cell in row]
    found = {unit_named(text) for cell in texts for text in _CONCENTRATION.findall(cell)}
    return frozenset(unit for unit in found if unit is not None)


def unit_beside(table: Table, name: str) -> str:
    """Return the unit that a column of units gives for another one: its own, such as ``o3_unit``, or that of all; "" without.

    Parameters
    ----------
    table : Table
    name : str

    Returns
    -------
    str
        Several units are joined by "and", and are none.
    """
    own = [other for other in table.header if other.startswith(name) and _OF_UNITS.fullmatch(other[len(name) :])]
    every = [other for other in table.header if (found := named(other)) is not None and found.meaning == "unit"]
    texts = table.texts((own or every)[0]) if own or every else set()
    return " and ".join(sorted({unit_named(text) or text for text in texts if not is_missing(text)}))


def unit_of_around(meaning: str, around: frozenset[str]) -> str:
    """Return the unit that the lines around a table give a quantity without one of its own; "" where that may be the usual one.

    Parameters
    ----------
    meaning : str
    around : frozenset of str
        As of `units_around`.

    Returns
    -------
    str
        Several are joined by "or", and are none.

    Examples
    --------
    >>> both = frozenset({"ug/m3", "mg/m3"})
    >>> unit_of_around("pm25", both), unit_of_around("o3", both), unit_of_around("o3", frozenset({"ppb"}))
    ('', 'mg/m3 or ug/m3', 'ppb')
    """
    stated = around & set(units_of(meaning)) if meaning in POLLUTANTS else frozenset()
    if not stated - {"ug/m3"} or (meaning in ("pm25", "pm10") and "ug/m3" in stated):
        return ""
    return " or ".join(sorted(stated))


class UnitTold(NamedTuple):
    """A unit, None where it must be asked for; why; and whether it is assumed, so that a forecast is degraded."""

    unit: str | None
    why: str
    assumed: bool = False


def unit_of(name: str, found: Named, cells: Sequence[str]) -> UnitTold:
    """Tell the unit of a quantity.

    Parameters
    ----------
    name : str
        Of the column, as written.
    found : Named
        Its meaning, and the unit that the name states.
    cells : sequence of str
        Its first values.

    Returns
    -------
    UnitTold

    Examples
    --------
    >>> unit_of("PM2.5", Named("pm25", ""), ["35"]).unit
    'ug/m3'
    >>> unit_of("O3", Named("o3", ""), ["35"]).why
    'the unit is not stated; one of ug/m3, mg/m3, ppb, pphm, ppm'
    """
    known = ", ".join(units_of(found.meaning))
    if found.unit:
        if found.unit in units_of(found.meaning):
            return UnitTold(found.unit, "the name states it")
        return UnitTold(None, f"its unit is {found.unit}; one of {known}")
    values = numbers(np.array(cells, dtype=object), ",")[0]
    values = values[np.isfinite(values)]
    if found.meaning in POLLUTANTS and len(values) >= _FEW and 0.0 < values.max() < _LEAST.get(found.meaning, 1.0):
        why = f"the unit is not stated, and values up to {values.max():g} are hardly in ug/m3; one of {known}"
        return UnitTold(None, why)
    if found.meaning in ("pm25", "pm10"):
        return UnitTold("ug/m3", "not stated: particles are published in it")
    if found.meaning in POLLUTANTS:
        if name == found.meaning:
            return UnitTold("ug/m3", "not stated: the unit of a column of this very name")
        return UnitTold(None, f"the unit is not stated; one of {known}")
    return _of_weather(found.meaning, values, cells) or UnitTold(None, f"the unit is not stated; one of {known}")


def _of_weather(meaning: str, values: np.ndarray, cells: Sequence[str]) -> UnitTold | None:
    middle = float(np.median(values)) if len(values) else float("nan")
    if meaning in ("temperature", "dew_point"):
        if middle > _KELVIN:
            return UnitTold("K", "not stated: values above 150")
        return UnitTold("degC", "the unit is not stated; degC is usual", True)
    if meaning == "relative_humidity":
        if len(values) and values.max() <= 1.0:
            return None
        return UnitTold("%", "not stated: values above 1")
    if meaning == "wind_direction":
        turned = directions(np.array(cells, dtype=object))
        if len(values) >= _FEW and values.max() <= _MOST_POINTS and not (values % 1.0).any():
            why = f"whole numbers up to {values.max():g} may count 8, 16 or 36 points"
            return UnitTold(None, f"{why}; one of {', '.join(units_of(meaning))}")
        return UnitTold(
            "compass" if list(turned) != list(cells) else "degrees", "not stated: as its values are written"
        )
    if meaning == "pressure":
        found = [unit for unit, (low, high) in _PRESSURES.items() if low <= middle <= high]
        return UnitTold(found[0], "not stated: its values can be in no other") if found else None
    if meaning == "visibility":
        unit = "km" if len(values) and values.max() <= _FARTHEST_KM else "m"
        return UnitTold(unit, f"the unit is not stated; values up to {values.max() if len(values) else 0:g}", True)
    return UnitTold({"wind_speed": "m/s", "precipitation": "mm"}[meaning], "the unit is not stated; it is usual", True)
