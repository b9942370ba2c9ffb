"""Units that headers of sample tables tell, ``speed (km/h)`` or ``speed [km h-1]``, compared with those that are expected."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from hazecast.grids.errors import InputError
from hazecast.grids.unit_texts import plain_unit

_TOLD = re.compile(r"(?P<name>.*?\S)\s*(?:\((?P<round>[^()]*)\)|\[(?P<square>[^\[\]]*)\]|（(?P<wide>[^（）]*)）)")
# What is written for a unit in tables alone, as `plain_unit` leaves it.
_ALSO = {"vol%": "%", "%vol": "%", "mol mol-1": "1", "share": "1", "-": "1", "": "1", "hours": "h", "hour": "h"}
_ALSO |= {"ppbv": "ppb", "ppmv": "ppm", "pptv": "ppt", "nmol mol-1": "ppb", "umol mol-1": "ppm", "pmol mol-1": "ppt"}
_ALSO |= {"degrees": "degree", "deg": "degree"}
# What is no part of a species' name, as in `xylene (m,p)` or `toluene (108-88-3)`, but a unit of an amount, as `plain` leaves it.
_AMOUNT = re.compile(r"[munpk]?(?:g|mol)(?:(?:n?m|sm|l|cm|kg|g)-?\d?)?|pp[mbt]c?|%|percent", re.ASCII)


def plain(unit: str) -> str:
    """Return a column's unit in one form, whatever way it is written.

    Examples
    --------
    >>> plain("km/h/s") == plain("km h-1 s-1")
    True
    >>> plain("mg/m³") == plain("ug m-3")
    False
    """
    text = plain_unit(unit)
    return _ALSO.get(text, text).replace(" ", "")


def bare_names(
    where: str,
    header: Sequence[str],
    known: Collection[str],
    expected: Mapping[str, str],
    alike: Sequence[Sequence[str]],
) -> list[str]:
    """Return the names of columns without the units that they tell.

    Parameters
    ----------
    where : str
        File and line, for errors.
    header : sequence of str
        As written.
    known : collection of str
        Names that are read; others are left as they are.
    expected : mapping of str to str
        Unit of each column that has to be in one.
    alike : sequence of sequences of str
        Columns that have to be in one unit, whichever.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        If a column tells another unit than the expected one, or one of `alike` another than the others.
    """
    names, told = [], dict[str, str]()
    for cell in header:
        found = None if cell in known else _TOLD.fullmatch(cell)
        if found is None or found["name"] not in known:
            names.append(cell)
            continue
        name, unit = found["name"], next(part for part in found.groups()[1:] if part is not None)
        if name in expected and plain(unit) != plain(expected[name]):
            raise InputError(f"{where}, column {name}: unit", unit, _named(expected[name]))
        names.append(name)
        told[name] = unit
    for group in alike:
        same = [name for name in group if name in told]
        for name in same[1:]:
            if plain(told[name]) != plain(told[same[0]]):
                raise InputError(f"{where}, column {name}: unit", told[name], f"{told[same[0]]}, as of {same[0]}")
        # A share of what? Of no unit that the others tell.
        if len(same) == 1 and plain(told[same[0]]) == "%" and any(name in names for name in group if name not in told):
            raise InputError(
                f"{where}, column {same[0]}: unit", "%", f"the unit of {', '.join(group)}, the same for all"
            )
    return names


def bare_amounts(where: str, header: Sequence[str], expected: str | None) -> list[str]:
    """Return the names of columns of amounts, whatever they are, without the units that they tell.

    Parameters
    ----------
    where : str
        File and line, for errors.
    header : sequence of str
        As written.
    expected : str, optional
        Unit of all of them; if it is not known, they have to be in one unit, and keep it in their names.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        If a column tells another unit than the expected one, or than another column.

    Examples
    --------
    >>> bare_amounts("a.csv", ["toluene (ppbv)", "xylene (m,p)", "ethane"], "ppb")
    ['toluene', 'xylene (m,p)', 'ethane']
    """
    names, first = [], None
    for cell in header:
        found = _TOLD.fullmatch(cell)
        unit = "" if found is None else next(part for part in found.groups()[1:] if part is not None)
        if found is None or not _AMOUNT.fullmatch(plain(unit)):
            names.append(cell)
            continue
        first = first or (cell, unit)
        if expected is None and plain(unit) != plain(first[1]):
            raise InputError(f"{where}, column {cell}: unit", unit, f"{first[1]}, as of {first[0]}")
        if expected is not None and plain(unit) != plain(expected):
            raise InputError(f"{where}, column {found['name']}: unit", unit, _named(expected))
        names.append(cell if expected is None else found["name"])
    return names


def _named(unit: str) -> str:
    return "a share of 1" if unit == "1" else unit
