"""The mapping of a table that has none, told by its header and its cells; what they don't tell is said or asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, field

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.cells import is_missing
from hazecast.grids.observations.tables.mapping import (
    OF_STATION,
    STAMPED,
    Column,
    FilePart,
    Mapping,
    TablePart,
    TimePart,
)
from hazecast.grids.observations.tables.names import Named, named
from hazecast.grids.observations.tables.sheets import Sheet
from hazecast.grids.observations.tables.stamps import UnreadableError, order_of, parse_parts, stamp_columns
from hazecast.grids.observations.tables.unit_guess import unit_of
from hazecast.grids.observations.tables.units import MEANINGS
from hazecast.grids.observations.tables.zones import zone_in

# Remarks may stand above the header.
_HEADER_LINES = 40
# Rows by which forms and units are told.
_TRIED = 2_000
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_DECIMAL_POINT = re.compile(r"[+-]?\d+\.\d+")
_WITH_HOUR = re.compile(r"\d[日T\s]+\d{1,2}|^\d{10,14}$")
_TIMES = ("time", "date", "year")


@dataclass(frozen=True)
class Hints:
    """What a person says of a table beside what it tells itself; "" where nothing.

    Attributes
    ----------
    variable, unit : str
        Of a wide table.
    zone : str
        As in a mapping.
    stamp : str
        "end" or "start".
    """

    variable: str = ""
    unit: str = ""
    zone: str = ""
    stamp: str = ""


@dataclass
class Guess:
    """A mapping told by a table.

    Attributes
    ----------
    mapping : Mapping
    said : list of str
        What each part was told by.
    doubts : list of str
        What was assumed without being told, or is not used until a mapping says what it is.
    """

    mapping: Mapping
    said: list[str]
    doubts: list[str]


@dataclass
class _Table:
    """A table while it is being understood."""

    sheet: Sheet
    where: str
    header: list[str]
    rows: list[list[str]]
    stations: Dict[str, str | None]
    hints: Hints
    said: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def cells(self, name: str) -> list[str]:
        at = self.header.index(name)
        return [row[at] for row in self.rows]

    def doubt(self, text: str) -> None:
        self.doubts.append(f"{self.sheet.path.name}: {text}")


def guess(sheet: Sheet, stations: Dict[str, str | None], hints: Hints | None = None) -> Guess:
    """Tell the mapping of a table.

    Parameters
    ----------
    sheet : Sheet
    stations : mapping of str to str or None
        Known stations: codes and names, with the time zone of their city.
    hints : Hints, optional

    Returns
    -------
    Guess

    Raises
    ------
    InputError
        If what can't be done without isn't told: names it, and how a mapping says it.
    """
    at = _header(sheet, stations)
    line, header = sheet.rows[at]
    rows = [cells for _, cells in sheet.rows[at + 1 : at + 1 + _TRIED] if len(cells) == len(header)]
    table = _Table(sheet, f"{sheet.path}: line {line}", header, rows, stations, hints or Hints(), [*sheet.notes])
    told = _told(table)
    layout = _layout(table, told)
    columns = _columns(table, told, layout)
    part, items = _values(table, layout, columns)
    time = _time(table, columns)
    decimal = _decimal(table)
    file = FilePart(
        encoding=sheet.encoding or None,
        separator=sheet.separator or None,
        decimal=decimal,  # type: ignore[arg-type]
        header_line=line,
    )
    try:
        mapping = Mapping(file=file, time=time, table=part, columns=columns, items=items)
    except ValueError as error:
        text = str(error).splitlines()[-2].strip().removeprefix("Value error, ").partition(" [type")[0]
        raise _asked(table, text) from error
    return Guess(mapping, table.said, table.doubts)


def _asked(table: _Table, what: str) -> InputError:
    why = f" ({'; '.join(table.doubts)})" if table.doubts else ""
    return InputError(table.where, ",".join(table.header)[:200], f"{what}: say it in a mapping file{why}")


def _header(sheet: Sheet, stations: Dict[str, str | None]) -> int:
    """Return the row that holds the names: a time among at least two that are known."""
    for at, (_, cells) in enumerate(sheet.rows[:_HEADER_LINES]):
        meanings = {found.meaning for cell in cells if (found := named(cell)) is not None}
        own = sum(cell in stations for cell in cells)
        if meanings & set(_TIMES) and (len(meanings) + own > 1 or len(cells) > 2):
            return at
    if not sheet.rows:
        raise InputError(str(sheet.path), "an empty file", "a header line with the names of the columns")
    line, cells = sheet.rows[0]
    raise InputError(
        f"{sheet.path}: line {line}",
        ",".join(cells)[:200],
        "names of columns, a time or date among them: name them in a mapping file",
    )


def _told(table: _Table) -> dict[str, Named]:
    """Return what each name of the header says; a meaning that comes twice is the first one's."""
    told: dict[str, Named] = {}
    taken: dict[str, str] = {}
    for name in table.header:
        found = named(name)
        if found is None or name in told or name in table.stations:
            continue
        if found.meaning in taken:
            table.doubt(f"column {name!r} is not used: {found.meaning} is column {taken[found.meaning]!r} already")
            continue
        told[name] = found
        taken[found.meaning] = name
    _mend_times(table, told, taken)
    return told


def _mend_times(table: _Table, told: dict[str, Named], taken: dict[str, str]) -> None:
    """Tell a date with its hour from a date alone, and a time of day from a whole stamp."""
    date, time = taken.get("date"), taken.get("time")
    if date is not None and time is None and "hour" not in taken and _hours(table, date):
        told[date] = Named("time", "")
    if date is not None and time is not None:
        if _hours(table, time):
            told[date] = Named("ignore", "")
        else:
            told[time] = Named("hour", "")
    if any(found.meaning == "time" for found in told.values()):
        for name, found in told.items():
            if found.meaning in ("hour", "year", "month", "day"):
                told[name] = Named("ignore", "")


def _hours(table: _Table, name: str) -> bool:
    cells = [cell for cell in table.cells(name) if cell]
    return bool(cells) and sum(_WITH_HOUR.search(cell) is not None for cell in cells) > len(cells) / 2


def _layout(table: _Table, told: Dict[str, Named]) -> str:
    meanings = {found.meaning for found in told.values()}
    if {"variable", "value"} <= meanings:
        return "items"
    own = [name for name in table.header if name in table.stations]
    if own or ("variable" in meanings and not meanings & set(MEANINGS)):
        return "wide"
    return "long"


def _columns(table: _Table, told: Dict[str, Named], layout: str) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for name in dict.fromkeys(table.header):
        found = told.get(name)
        if found is None:
            if layout != "wide" and name:
                table.said.append(f"column {name!r}: not used, the name is not known")
        elif found.meaning not in MEANINGS:
            columns[name] = Column(**{"is": found.meaning})
            table.said.append(f"column {name!r}: {found.meaning}")
        elif layout == "long":
            column = _quantity(table, f"column {name!r}", name, found, table.cells(name))
            if column is not None:
                columns[name] = column
    return columns


def _quantity(table: _Table, what: str, name: str, found: Named, cells: Sequence[str]) -> Column | None:
    """Return the meaning and unit of a quantity; None where the unit must be asked for."""
    told = unit_of(name, found, cells)
    if told.unit is None:
        table.doubt(f"{what} is not used: {told.why}")
        return None
    if told.assumed:
        table.doubt(f"{what} is taken in {told.unit}: {told.why}")
    table.said.append(f"{what}: {found.meaning} in {told.unit} ({told.why})")
    return Column(**{"is": found.meaning, "unit": told.unit})


def _values(table: _Table, layout: str, columns: dict[str, Column]) -> tuple[TablePart, dict[str, Column]]:
    """Return how the values are laid out, and what the items of a column of items are."""
    table.said.append(f"layout: {_LAYOUTS[layout]}")
    meanings = {column.meaning: name for name, column in columns.items()}
    items = _items(table, meanings) if "variable" in meanings and layout != "long" else {}
    if layout != "wide":
        station = "" if meanings.keys() & {"station", "name"} else _only_station(table)
        return TablePart(layout=layout, station=station), items  # type: ignore[arg-type]
    if "variable" in meanings:
        return TablePart(layout="wide"), items
    return _wide(table), items


_LAYOUTS = {
    "long": "a row an hour and station, a column a quantity",
    "items": "a row a value, with its quantity in a column",
    "wide": "a column a station",
}


def _items(table: _Table, meanings: Dict[str, str]) -> dict[str, Column]:
    items: dict[str, Column] = {}
    texts = table.cells(meanings["variable"])
    values = table.cells(meanings["value"]) if "value" in meanings else [""] * len(texts)
    for text in dict.fromkeys(texts):
        found = named(text)
        if found is None or found.meaning not in MEANINGS:
            table.said.append(f"item {text!r}: not used, the name is not known")
        elif "unit" in meanings and not found.unit:
            items[text] = Column(**{"is": found.meaning})
            table.said.append(f"item {text!r}: {found.meaning} in the unit of its row")
        else:
            own = [value for item, value in zip(texts, values, strict=True) if item == text]
            column = _quantity(table, f"item {text!r}", text, found, own)
            if column is not None:
                items[text] = column
    if texts and not items:
        raise _asked(table, "items that are quantities, with their units")
    return items


def _wide(table: _Table) -> TablePart:
    """Return what the values of a wide table of one quantity are: as said, or as the file's name tells."""
    hints = table.hints
    if hints.variable:
        if hints.variable not in MEANINGS:
            raise InputError("variable", hints.variable, f"one of {', '.join(MEANINGS)}")
        found, why = Named(hints.variable, hints.unit), "as said"
    else:
        names = [named(part) for part in re.split(r"[_\-\s()]+", table.sheet.path.name.split(".csv")[0])]
        told = [name for name in names if name is not None and name.meaning in POLLUTANTS]
        if len(told) != 1:
            raise _asked(table, "[table] variable and unit, what the values of a table with a column a station are")
        found, why = told[0], "the file's name"
    cells = [cell for row in table.rows for name, cell in zip(table.header, row, strict=True) if name in table.stations]
    column = _quantity(table, f"values ({why})", found.meaning, found, cells)
    if column is None:
        raise _asked(table, "[table] unit")
    return TablePart(layout="wide", variable=column.meaning, unit=column.unit)


def _only_station(table: _Table) -> str:
    zones = table.stations
    stem = table.sheet.path.name.split(".")[0]
    if stem in zones:
        table.said.append(f"station {stem!r}: the file's name")
        return stem
    if len(zones) == 1:
        only = next(iter(zones))
        table.said.append(f"station {only!r}: the only one")
        return only
    return ""


def _time(table: _Table, columns: Dict[str, Column]) -> TimePart:
    """Return what the stamps mean, by those of the first rows."""
    hints = table.hints
    names = stamp_columns(columns)
    parts = [[row[table.header.index(name)] for name in names] for row in table.rows] if names else []
    form = order_of([part[0] for part in parts])
    if form == "":
        raise _asked(table, "[time] format, since day and month can't be told apart")
    if form is not None:
        table.said.append(f"stamps of the form {form}: a day above 12 tells it")
    stated = []
    for part in parts:
        try:
            stated.append(parse_parts(part, form).zone is not None)
        except UnreadableError:
            continue
    zone = hints.zone
    if zone:
        table.said.append(f"time zone {zone}: as said")
    elif stated and sum(stated) > len(stated) / 2:
        zone = STAMPED
        table.said.append("time zone: each stamp states its offset")
    elif named := next((found for name in names if (found := zone_in(name))), None):
        zone = named
        table.said.append(f"time zone {named}: the name of the column states it")
    else:
        zone = OF_STATION
        if stated:
            zones = sorted({zone for zone in table.stations.values() if zone}) or ["its city's"]
            table.said.append(
                f"time zone {', '.join(zones)}: the stamps state none, so that of each station's city is taken"
            )
            table.doubt(f"the stamps state no time zone: {', '.join(zones)}, that of each station's city, is taken")
    table.said.append(
        f"stamps: the {hints.stamp or 'end'} of the hour ({'as said' if hints.stamp else 'not stated: the usual'})"
    )
    return TimePart.model_validate({"zone": zone, "stamp": hints.stamp or "end", "format": form})


def _decimal(table: _Table) -> str:
    if table.sheet.separator == ",":
        return "."
    cells = [cell for row in table.rows for cell in row if not is_missing(cell)]
    commas = sum(_DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells)
    if not commas or any(_DECIMAL_POINT.fullmatch(cell) for cell in cells):
        return "."
    table.said.append("decimal mark ',': numbers have it, and none has a point")
    return ","
