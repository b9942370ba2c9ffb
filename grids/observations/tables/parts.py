"""Files that hold several tables, as workbooks do: which of them is read, and that those with the same names are one table."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import NamedTuple

from hazecast.grids.observations.tables.names import named
from hazecast.grids.observations.tables.units import MEANINGS

# Remarks may stand above the names.
HEADER_LINES = 40
_TIMES = frozenset({"time", "date", "year", "start", "end"})
# Names of sheets that are no stations': months, days, numbers, and what programs give.
_NO_STATION = re.compile(
    r"(?:sheet|工作表|シート|시트)?\s*[\d\s年月日.\-_()/~至]*(?:月|日)?|.*(?:data|数据|數據|データ).*", re.I
)
STATION, VARIABLE = "station", "variable"
_SUFFIX = re.compile(r"(?:\.(?:csv|txt|tsv|xlsx?|json|html?))(?:\.gz)?$", re.I)

Cells = list[str]


class Read(NamedTuple):
    """What is read of a file: rows with their lines, notes for a person, and what was left aside but looks like hours."""

    rows: list[tuple[int, Cells]]
    notes: list[str]
    doubts: list[str]


def header_in(rows: Sequence[Cells], stations: Container[str] = ()) -> int | None:
    """Return at which row the names of columns are: a time among at least two that are known; None where there is none.

    Parameters
    ----------
    rows : sequence of list of str
    stations : container of str
        Known stations, which may be names of columns.

    Returns
    -------
    int or None
    """
    for at, cells in enumerate(rows[:HEADER_LINES]):
        meanings = {found.meaning for cell in cells if (found := named(cell)) is not None}
        own = sum(cell in stations for cell in cells)
        if meanings & _TIMES and (len(meanings) + own > 1 or len(cells) > 2):
            return at
    return None


def one_table(parts: Sequence[tuple[str, list[Cells]]], wanted: str | None, what: str) -> Read:
    """Return the rows of the table that a file's parts hold.

    The first part with names of columns is read, and after it all others with the same names. Where these name no station
    and the parts are called by stations, the name of each becomes the column `STATION`; where they are called by quantities
    that no column names, the column `VARIABLE`.

    Parameters
    ----------
    parts : sequence of (str, list of list of str)
        Name and rows, empty ones included; at least one.
    wanted : str or None
        The part that alone is read.
    what : str
        What a part is called, such as "sheet".

    Returns
    -------
    Read
    """
    chosen = dict(parts) if wanted is None else {wanted: dict(parts)[wanted]}
    filled = {name: rows for name, rows in chosen.items() if sum(any(row) for row in rows) > 1}
    headers = {name: at for name, rows in filled.items() if (at := _header(rows)) is not None}
    first = next(iter(headers), None) or next(iter(filled), None) or next(iter(chosen))
    notes = [f"{what} {first!r}" + ("" if wanted else ": the first with rows")]
    alike = [name for name, at in headers.items() if filled[name][at] == filled[first][headers[first]]]
    if len(alike) < 2:
        alike = [first]
    label = _label(alike, filled[first][headers[first]]) if len(alike) > 1 else ""
    rows: list[tuple[int, Cells]] = []
    before = 0
    for name in alike:
        own = chosen[name]
        skip = headers[name] + 1 if name != first else 0
        for number, cells in enumerate(own[skip:], start=skip):
            if any(cells):
                added = [label if number == headers.get(name) else _stem(name)] if label else []
                rows.append((before + number + 1, [*added, *cells]))
        if name != first:
            notes.append(f"{what} {name!r}: the same names, read after it; its lines from {before + skip + 1} on")
        before += len(own)
    if label:
        notes.append(f"column {label!r}: the name of each {what}")
    others = [name for name in filled if name not in alike]
    doubts = [f"{what} {name!r} is not read: its names are others" for name in others if name in headers]
    if rest := [name for name in others if name not in headers]:
        notes.append(f"{what}s not read: {', '.join(rest)}")
    return Read(rows, notes, doubts)


def _header(rows: list[Cells]) -> int | None:
    at = header_in([row for row in rows if any(row)])
    return None if at is None else [number for number, row in enumerate(rows) if any(row)][at]


def _label(parts: Sequence[str], names: Cells) -> str:
    """Return what the names of parts say of their rows: the quantity, or the station that the columns don't name; "" nothing."""
    meanings = {found.meaning for name in names if (found := named(name)) is not None}
    quantities = [found.meaning for part in parts if (found := named(_stem(part))) is not None]
    if len(quantities) == len(parts) and set(quantities) <= set(MEANINGS) and not meanings & {"variable", *MEANINGS}:
        return VARIABLE
    if meanings & {"station", "name"} or any(_NO_STATION.fullmatch(_stem(part).strip()) for part in parts):
        return ""
    return STATION


def _stem(part: str) -> str:
    """Return the name of a sheet, or of a file without its folders and suffix."""
    return _SUFFIX.sub("", part.rpartition("/")[2])
