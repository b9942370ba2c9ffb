"""The mapping of a table that has none, told by its header and its cells; what they don't tell is said or asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.cells import is_missing
from hazecast.grids.observations.tables.hours_across import VALUE, hours_in, one_row_an_hour
from hazecast.grids.observations.tables.looked_at import Hints, Table, asked
from hazecast.grids.observations.tables.mapping import Column, FilePart, Mapping, TablePart
from hazecast.grids.observations.tables.names import Named, named
from hazecast.grids.observations.tables.names_above import (
    one_row_a_station,
    stations_in,
    two_rows,
    with_joined_names,
)
from hazecast.grids.observations.tables.no_hours import NO_HOURLY, doubt_flag, doubt_statistic, doubt_title
from hazecast.grids.observations.tables.parts import HEADER_LINES, header_in
from hazecast.grids.observations.tables.sheets import Sheet
from hazecast.grids.observations.tables.time_guess import mend_times, time_part
from hazecast.grids.observations.tables.unit_guess import unit_beside, unit_of, unit_of_around, units_around
from hazecast.grids.observations.tables.units import MEANINGS, unit_named, units_of

# Rows by which forms and units are told.
_TRIED = 2_000
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")
_DECIMAL_POINT = re.compile(r"[+-]?\d+\.\d+")
# Of a file's name.
_SUFFIXES = re.compile(r"(?:\.(?:csv|txt|tsv|xls[xm]?|ods|parquet|jsonl?|ndjson|html?|zip|gz))+$", re.I)
_PUBLISHED = re.compile(r"发布|發布|公表|publish", re.I)


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
    upper = None
    if (both := two_rows(sheet, at, stations)) is not None:
        at, upper = both[1], sheet.rows[both[0]][0]
        sheet = with_joined_names(sheet, upper, sheet.rows[at][0], stations)
    line, header = sheet.rows[at]
    units_line, units = _units(sheet, at)
    pairs = stations_in(header, stations)
    side_by_side = pairs is not None
    if pairs is not None:
        units = _of_pairs({header[place]: pair for place, pair in pairs.items()}, units)
        sheet = one_row_a_station(sheet, line, stations)
        header = sheet.rows[at][1]
    across = hours_in(header) is not None and not stations.keys() & set(header)
    if across:
        sheet = one_row_an_hour(sheet, line)
        header = sheet.rows[at][1]
    below = [cells for number, cells in sheet.rows[at + 1 :] if number != units_line]
    rows = [cells for cells in below[:_TRIED] if len(cells) == len(header)]
    above = tuple(cell for _, cells in sheet.rows[:at] for cell in cells)
    around = units_around([cells for _, cells in sheet.rows], at)
    table = Table(
        sheet, f"{sheet.path}: line {line}", header, rows, below, stations, hints or Hints(), units, above, around
    )
    table.said += sheet.notes
    doubt_title(table)
    if upper is not None:
        table.said.append(f"names: those of line {upper} over those of line {line}")
    if side_by_side:
        table.said.append("columns of one station each, side by side: read as a row a station")
    if across:
        table.said.append("a row a day, a column an hour: read as a row an hour")
        if "0" in {cells[-2] for cells in rows} and not table.hints.stamp:
            table.doubt("hours 0 to 23 across are taken as the ends of hours; in [time] stamp says which they are")
    told = _told(table)
    layout = _layout(table, told)
    columns = _columns(table, told, layout)
    part, items = _values(table, layout, columns)
    time = time_part(table, columns)
    if across:
        part = part.model_copy(update={"hours_across": True})
    if side_by_side:
        part = part.model_copy(update={"stations_across": True})
    decimal = _decimal(table)
    file = FilePart(
        encoding=sheet.encoding or None,
        separator=sheet.separator or None,
        decimal=decimal,  # type: ignore[arg-type]
        header_line=line,
        upper_line=upper,
        units_line=units_line,
    )
    try:
        mapping = Mapping(file=file, time=time, table=part, columns=columns, items=items)
    except ValueError as error:
        text = str(error).splitlines()[-2].strip().removeprefix("Value error, ").partition(" [type")[0]
        raise asked(table, text) from error
    return Guess(mapping, table.said, table.doubts)


def _header(sheet: Sheet, stations: Dict[str, str | None]) -> int:
    """Return the row that holds the names."""
    at = header_in([cells for _, cells in sheet.rows[:HEADER_LINES]], stations)
    if at is not None:
        return at
    if not sheet.rows:
        raise InputError(str(sheet.path), "an empty file", "a header line with the names of the columns")
    line, cells = sheet.rows[0]
    raise InputError(
        f"{sheet.path}: line {line}",
        ",".join(cells)[:200],
        "names of columns, a time or date among them: name them in a mapping file",
    )


def _units(sheet: Sheet, at: int) -> tuple[int | None, dict[str, str]]:
    """Return the line below the names, if it holds their units, and those by name."""
    if at + 1 >= len(sheet.rows):
        return None, {}
    line, cells = sheet.rows[at + 1]
    header = sheet.rows[at][1]
    texts = {name: cell.strip("()[]（）【】 ") for name, cell in zip(header, cells, strict=False)}
    units = {name: unit for name, text in texts.items() if text and (unit := unit_named(text)) is not None}
    # 1 and 16 are units, and values.
    if not any(not text.isdigit() for name, text in texts.items() if name in units):
        return None, {}
    # The row may be called "unit" itself.
    others = [text for name, text in texts.items() if name not in units and text not in ("", "-")]
    called = [found is not None and found.meaning == "unit" for found in map(named, others)]
    return (line, units) if all(called) else (None, {})


def _of_pairs(pairs: Dict[str, tuple[str, str]], units: Dict[str, str]) -> dict[str, str]:
    """Return the units of quantities by those of the columns of each station; where they differ all of them, which is none."""
    found: dict[str, set[str]] = {}
    for name, (_, quantity) in pairs.items():
        found.setdefault(quantity, set()).update({units[name]} if name in units else ())
    return {quantity: " and ".join(sorted(own)) for quantity, own in found.items() if own}


def _told(table: Table) -> dict[str, Named]:
    """Return what each name of the header says; a meaning that comes twice is the first one's."""
    told: dict[str, Named] = {}
    taken: dict[str, str] = {}
    others: list[tuple[str, Named]] = []
    for name in sorted(table.header, key=lambda name: _is_second(table, name)):
        found = named(name)
        if found is None or name in told or name in table.stations:
            continue
        if found.unit and unit_named(found.unit) is None:
            others.append((name, found))
            continue
        if found.meaning in taken:
            table.doubt(f"column {name!r} is not used: {found.meaning} is column {taken[found.meaning]!r} already")
            continue
        told[name] = found
        taken[found.meaning] = name
    for name, found in others:
        # A mean of a day beside that of the hour is no loss.
        say = table.said.append if found.meaning in taken else table.doubt
        say(f"column {name!r} is not used: {found.unit!r} is none of {', '.join(units_of(found.meaning))}")
    mend_times(table, told, taken)
    if taken.get("value") == VALUE and table.header[-1] == VALUE and "variable" not in taken:
        only = _of_file(table)
        if only is not None:
            told[VALUE] = only[0]
    return told


def _is_second(table: Table, name: str) -> bool:
    """Return whether another column of the same meaning goes before: of stations one that names known ones."""
    found = named(name)
    if found is not None and found.meaning == "station" and table.stations:
        return not table.stations.keys() & set(table.cells(name))
    # When values were published is not when they were measured.
    return _PUBLISHED.match(name.strip()) is not None


def _layout(table: Table, told: Dict[str, Named]) -> str:
    meanings = {found.meaning for found in told.values()}
    if {"variable", "value"} <= meanings:
        return "items"
    own = [name for name in table.header if name in table.stations]
    if own or ("variable" in meanings and not meanings & set(MEANINGS)):
        return "wide"
    return "long"


def _columns(table: Table, told: Dict[str, Named], layout: str) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for name in dict.fromkeys(table.header):
        found = told.get(name)
        if found is None:
            if layout != "wide" and name:
                table.said.append(f"column {name!r}: not used, the name is not known")
            doubt_flag(table, name)
            doubt_statistic(table, name)
        elif found.meaning not in MEANINGS:
            columns[name] = Column.model_validate({"is": found.meaning})
            table.said.append(f"column {name!r}: {found.meaning}")
        elif layout == "long":
            if beside := unit_beside(table, name):
                table.units.setdefault(name, beside)
            column = _quantity(table, f"column {name!r}", name, found, table.cells(name))
            if column is not None:
                columns[name] = column
    return columns


def _quantity(table: Table, what: str, name: str, found: Named, cells: Sequence[str]) -> Column | None:
    """Return the meaning and unit of a quantity; None where the unit must be asked for."""
    if not found.unit:
        found = Named(found.meaning, table.units.get(name) or unit_of_around(found.meaning, table.around))
    told = unit_of(name, found, cells)
    if told.unit is None:
        table.doubt(f"{what} is not used: {told.why}")
        return None
    if told.assumed:
        table.doubt(f"{what} is taken in {told.unit}: {told.why}")
    table.said.append(f"{what}: {found.meaning} in {told.unit} ({told.why})")
    return Column.model_validate({"is": found.meaning, "unit": told.unit})


def _values(table: Table, layout: str, columns: dict[str, Column]) -> tuple[TablePart, dict[str, Column]]:
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


def _items(table: Table, meanings: Dict[str, str]) -> dict[str, Column]:
    items: dict[str, Column] = {}
    # Of all values, by the name of their column or a row of units below it.
    of_all = ""
    if "value" in meanings:
        of_all = getattr(named(meanings["value"]), "unit", "") or table.units.get(meanings["value"], "")
    values = _values_of_items(table, meanings)
    for text, own in values.items():
        found = named(text)
        if found is None or found.meaning not in MEANINGS:
            table.said.append(f"item {text!r}: not used, the name is not known")
        elif "unit" in meanings and not found.unit:
            items[text] = Column.model_validate({"is": found.meaning})
            table.said.append(f"item {text!r}: {found.meaning} in the unit of its row")
        else:
            found = found if found.unit else Named(found.meaning, of_all)
            column = _quantity(table, f"item {text!r}", text, found, own)
            if column is not None:
                items[text] = column
    if values and not items:
        raise asked(table, "items that are quantities, with their units")
    return items


def _values_of_items(table: Table, meanings: Dict[str, str]) -> dict[str, list[str]]:
    """Return the first values of each item, down to the last row: a table may be ordered by its items."""
    at = table.header.index(meanings["variable"])
    columns = [
        number
        for number, name in enumerate(table.header)
        if (name == meanings["value"] if "value" in meanings else name in table.stations)
    ]
    values: dict[str, list[str]] = {}
    for row in table.below:
        if len(row) == len(table.header):
            own = values.setdefault(row[at], [])
            if len(own) < _TRIED:
                own += [row[column] for column in columns]
    return values


def _of_file(table: Table) -> tuple[Named, str] | None:
    """Return what all values of a table are, as a person or the file's name says, and which of them."""
    hints = table.hints
    if hints.variable:
        if hints.variable not in MEANINGS:
            raise InputError("variable", hints.variable, f"one of {', '.join(MEANINGS)}")
        return Named(hints.variable, hints.unit), "as said"
    parts = [part for part in re.split(r"[_\-\s()]+", _SUFFIXES.sub("", table.sheet.path.name)) if part]
    told = [name for part in parts if (name := named(part)) is not None and name.meaning in POLLUTANTS]
    if len(told) != 1 or any(NO_HOURLY.fullmatch(part) for part in parts):
        return None
    units = {unit for part in parts if (unit := unit_named(part)) in units_of(told[0].meaning)}
    return Named(told[0].meaning, told[0].unit or " and ".join(sorted(map(str, units)))), "the file's name"


def _wide(table: Table) -> TablePart:
    """Return what the values of a wide table of one quantity are: as said, or as the file's name tells."""
    only = _of_file(table)
    if only is None:
        raise asked(table, "[table] variable and unit, what the values of a table with a column a station are")
    found, why = only
    own = {table.units[name] for name in table.header if name in table.stations and name in table.units}
    if own and not found.unit:
        found = Named(found.meaning, " and ".join(sorted(own)))
    cells = [cell for row in table.rows for name, cell in zip(table.header, row, strict=True) if name in table.stations]
    column = _quantity(table, f"values ({why})", found.meaning, found, cells)
    if column is None:
        raise asked(table, "[table] unit")
    return TablePart(layout="wide", variable=column.meaning, unit=column.unit)


def _only_station(table: Table) -> str:
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


def _decimal(table: Table) -> str:
    cells = [cell for row in table.rows for cell in row if not is_missing(cell)]
    commas = [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
    if not commas or any(_DECIMAL_POINT.fullmatch(cell) for cell in cells):
        return "."
    # 1,040 may be a thousand and forty; only where commas divide cells too it is hardly written so.
    if table.sheet.separator in ("", ",") and all(_THOUSANDS.fullmatch(cell) for cell in commas):
        return "."
    table.said.append("decimal mark ',': numbers have it, and none has a point")
    return ","
