"""Tables with two rows of names, and with a column for each quantity of each station: as tables with one row of names."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.names import named
from hazecast.grids.observations.tables.parts import STATION
from hazecast.grids.observations.tables.sheets import Sheet
from hazecast.grids.observations.tables.units import MEANINGS

_BETWEEN = re.compile(r"[\s_\-/:.：|]+")


def two_rows(sheet: Sheet, at: int, stations: Collection[str]) -> tuple[int, int] | None:
    """Return which two rows hold the names, the upper and the lower; None where one row does.

    Parameters
    ----------
    sheet : Sheet
    at : int
        The row that has a name of time.
    stations : collection of str
        Known stations.

    Returns
    -------
    tuple or None
        Places in `sheet.rows`.
    """
    for upper, lower in ((at, at + 1), (at - 1, at)):
        if upper < 0 or lower >= len(sheet.rows):
            continue
        above, below = sheet.rows[upper][1], sheet.rows[lower][1]
        if len(above) > len(below):
            continue
        pairs = list(zip([*above, *[""] * len(below)], below, strict=False))
        own = [low for high, low in pairs if low and low != high]
        if lower == at:
            own = [low for low in own if named(low) is None or _is_quantity(low)]
        known = [high for high, _ in pairs if high in stations or _is_quantity(high)]
        if len(own) > 1 and all(low in stations or _is_quantity(low) for low in own) and (upper == at or known):
            return upper, lower
    return None


def with_joined_names(sheet: Sheet, upper: int, lower: int, stations: Collection[str]) -> Sheet:
    """Return a table with the names of two rows in the lower one.

    Parameters
    ----------
    sheet : Sheet
    upper, lower : int
        Lines of the file. A name of the upper row reaches until the next one.
    stations : collection of str
        Known stations: one above or below a quantity is joined to it, other names above are headings.

    Returns
    -------
    Sheet

    Raises
    ------
    InputError
        If the file has no such lines.
    """
    by_line = {line: at for at, (line, _) in enumerate(sheet.rows)}
    if not {upper, lower} <= set(by_line):
        raise InputError(f"{sheet.path}: lines {upper} and {lower}", "not both there", "two rows of names")
    above, below = sheet.rows[by_line[upper]][1], sheet.rows[by_line[lower]][1]
    joined, last = [], ""
    for at, low in enumerate(below):
        high = above[at] if at < len(above) else ""
        last = high or last
        over = high if not low or (named(low) is not None and not _is_quantity(low)) else last
        joined.append(_joined(over, low, stations))
    rows = list(sheet.rows)
    rows[by_line[lower]] = (lower, joined)
    return replace(sheet, rows=rows)


def _joined(high: str, low: str, stations: Collection[str]) -> str:
    if high in stations and _is_quantity(low):
        return f"{high} {low}"
    if low in stations and _is_quantity(high):
        return f"{low} {high}"
    return low or high


def _is_quantity(text: str) -> bool:
    found = named(text)
    return found is not None and found.meaning in MEANINGS


def stations_in(header: Sequence[str], stations: Collection[str]) -> dict[int, tuple[str, str]] | None:
    """Return the columns that hold a quantity of one station: its station and the name of the quantity; None without several.

    Parameters
    ----------
    header : sequence of str
    stations : collection of str
        Known stations.

    Returns
    -------
    dict of int to (str, str), or None

    Examples
    --------
    >>> stations_in(["time", "A1 PM2.5", "B2_PM2.5"], {"A1", "B2"})
    {1: ('A1', 'PM2.5'), 2: ('B2', 'PM2.5')}
    """
    found = {at: pair for at, name in enumerate(header) if (pair := _split(name, stations)) is not None}
    return found if len(found) > 1 else None


def _split(name: str, stations: Collection[str]) -> tuple[str, str] | None:
    if name in stations:
        return None
    for gap in _BETWEEN.finditer(name):
        first, second = name[: gap.start()], name[gap.end() :]
        for station, quantity in ((first, second), (second, first)):
            if station in stations and _is_quantity(quantity):
                return station, quantity
    return None


def one_row_a_station(sheet: Sheet, line: int | None, stations: Collection[str]) -> Sheet:
    """Return a table with a column for each quantity of each station with a row for each station and hour.

    Parameters
    ----------
    sheet : Sheet
    line : int or None
        Of the names; None for the first.
    stations : collection of str
        Known stations.

    Returns
    -------
    Sheet
        The other columns, then `STATION` and a column for each quantity; rows keep their line.

    Raises
    ------
    InputError
        If the header has no such columns.
    """
    at = next((at for at, (number, _) in enumerate(sheet.rows) if line in (None, number)), None)
    header = [] if at is None else sheet.rows[at][1]
    own = stations_in(header, stations)
    if at is None or own is None:
        raise InputError(
            f"{sheet.path}: line {line or 1}", ",".join(header)[:200], "columns of a station and a quantity"
        )
    others = [number for number in range(len(header)) if number not in own]
    quantities = list(dict.fromkeys(quantity for _, quantity in own.values()))
    places: dict[str, dict[str, int]] = {}
    for place, (station, quantity) in own.items():
        places.setdefault(station, {})[quantity] = place
    rows = [*sheet.rows[:at], (sheet.rows[at][0], [*(header[number] for number in others), STATION, *quantities])]
    for number, cells in sheet.rows[at + 1 :]:
        if len(cells) != len(header):
            # Too short or too long: told as any such row.
            rows.append((number, cells if len(cells) != len(rows[at][1]) else [*cells, ""]))
            continue
        kept = [cells[other] for other in others]
        for station, columns in places.items():
            values = [cells[columns[quantity]] if quantity in columns else "" for quantity in quantities]
            rows.append((number, [*kept, station, *values]))
    return replace(sheet, rows=rows)
