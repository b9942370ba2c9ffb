"""A table's values by station, hour and quantity, as its mapping says; what can't be used costs only itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.cells import directions, numbers
from hazecast.grids.observations.tables.findings import Fault, Findings
from hazecast.grids.observations.tables.hours_across import one_row_an_hour
from hazecast.grids.observations.tables.mapping import OF_STATION, Column, Mapping
from hazecast.grids.observations.tables.names_above import one_row_a_station, with_joined_names
from hazecast.grids.observations.tables.parts import header_in
from hazecast.grids.observations.tables.sheets import Sheet
from hazecast.grids.observations.tables.stamps import end_of_step, parse_parts, stamp_columns, zone_of
from hazecast.grids.observations.tables.stations import Stations, plain_code
from hazecast.grids.observations.tables.table_times import check_times
from hazecast.grids.observations.tables.units import conversion, unit_named
from hazecast.grids.observations.tables.within_hour import hours_of
from hazecast.grids.observations.tables.written_stamps import UnreadableError, WithinHourError

Texts = npt.NDArray[np.object_]
# Of the values of a table.
COLUMNS = ("station", "time", "quantity", "value", "unit", "file", "line")
_HOURLY = "hourly values, or step_minutes in [time] of a mapping"


@dataclass(frozen=True)
class _Rows:
    """The rows of a table that have a station (except in a wide table) and a time."""

    header: list[str]
    cells: Texts
    lines: npt.NDArray[np.int64]
    stations: Texts
    times: npt.NDArray[np.datetime64]

    def column(self, name: str) -> Texts:
        return self.cells[:, self.header.index(name)]


def read_values(sheet: Sheet, mapping: Mapping, stations: Stations, findings: Findings) -> pd.DataFrame:
    """Read the values of a table by the ends of hours.

    Parameters
    ----------
    sheet : Sheet
    mapping : Mapping
    stations : Stations
    findings : Findings
        Counts are added, and what is left out is named.

    Returns
    -------
    pandas.DataFrame
        As `read_steps`; hours of a table of steps are made of them.

    Raises
    ------
    InputError
        If the table lacks a column that the mapping names.
    """
    return hours_of([(read_steps(sheet, mapping, stations, findings), mapping.time.step_minutes)], findings)


def read_steps(sheet: Sheet, mapping: Mapping, stations: Stations, findings: Findings) -> pd.DataFrame:
    """Read the values of a table as they stand in it: by hours, or by steps within them.

    Parameters
    ----------
    sheet : Sheet
    mapping : Mapping
    stations : Stations
    findings : Findings
        Counts are added, and what is left out is named.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`: code, naive UTC end of the hour or step, meaning, value (NaN where missing) in unit; no station and hour is dropped
        for a missing value.

    Raises
    ------
    InputError
        If the table lacks a column that the mapping names.
    """
    if mapping.file.upper_line is not None and mapping.file.header_line is not None:
        sheet = with_joined_names(sheet, mapping.file.upper_line, mapping.file.header_line, stations.codes)
    if mapping.table.stations_across:
        sheet = one_row_a_station(sheet, mapping.file.header_line, stations.codes)
    if mapping.table.hours_across:
        sheet = one_row_an_hour(sheet, mapping.file.header_line)
    header, body = _body(sheet, mapping, stations)
    body = _above_other_names(sheet, header, body, mapping, findings)
    whole = _whole_rows(sheet, header, body, findings)
    rows = _timed(sheet, header, whole, mapping, stations, findings)
    parts = list(_parts(sheet, rows, mapping, stations, findings))
    if not parts:
        return pd.DataFrame({name: [] for name in COLUMNS})
    return pd.concat(parts, ignore_index=True)


def _body(sheet: Sheet, mapping: Mapping, stations: Stations) -> tuple[list[str], list[tuple[int, list[str]]]]:
    at = 0
    if mapping.file.header_line is not None:
        found = [n for n, (line, _) in enumerate(sheet.rows) if line == mapping.file.header_line]
        if not found:
            raise InputError(f"{sheet.path}: line {mapping.file.header_line}", "no row", "the names of the columns")
        at = found[0]
    elif not sheet.rows:
        raise InputError(str(sheet.path), "an empty file", "the names of the columns")
    line, header = sheet.rows[at]
    absent = [name for name in mapping.columns if name not in header]
    if absent:
        raise InputError(f"{sheet.path}: line {line}", ",".join(header)[:200], f"also {', '.join(absent)}, as mapped")
    body = [row for row in sheet.rows[at + 1 :] if row[0] != mapping.file.units_line]
    for name in dict.fromkeys(name for name in header if header.count(name) > 1):
        if name in mapping.columns or (mapping.table.layout == "wide" and stations.code_of(name)):
            _refuse_unlike(sheet, header, body, name)
    return header, body


def _above_other_names(
    sheet: Sheet, header: list[str], body: list[tuple[int, list[str]]], mapping: Mapping, findings: Findings
) -> list[tuple[int, list[str]]]:
    """Return the rows down to other names of columns, such as those of a table below: what follows isn't of these columns."""
    lead = header.index(stamp_columns(mapping.columns)[0])
    for at, (line, cells) in enumerate(body):
        cell = cells[lead] if lead < len(cells) else ""
        # A name of a time has no digit, and is not looked for in hundred thousands of stamps.
        if cells == header or not cell or any(one.isdigit() for one in cell) or header_in([cells]) is None:
            continue
        left = body[at:]
        findings.counts["rows_read"] += len(left)
        findings.counts["rows_below_other_names"] += len(left) - 1
        fault = Fault(
            f"{sheet.path}: line {line}",
            ",".join(cells)[:200],
            f"the names of the table; {len(left)} rows are not read",
        )
        findings.leave_out("rows_below_other_names", fault)
        return body[:at]
    return body


def _refuse_unlike(sheet: Sheet, header: list[str], body: list[tuple[int, list[str]]], name: str) -> None:
    """Refuse a table that has two columns of one name, unless they hold the same."""
    places = [at for at, other in enumerate(header) if other == name]
    for line, cells in body:
        own = {cells[at] for at in places if at < len(cells)}
        if len(own) > 1:
            raise InputError(f"{sheet.path}: line {line}, columns {name!r}", " and ".join(sorted(own)), "one value")


def _whole_rows(
    sheet: Sheet, header: list[str], body: list[tuple[int, list[str]]], findings: Findings
) -> tuple[Texts, npt.NDArray[np.int64]]:
    """Return the rows that have a cell for each name; empty ones at the end are nothing."""
    width = len(header)
    kept: list[list[str]] = []
    lines: list[int] = []
    for line, cells in body:
        if len(cells) > width and not any(cells[width:]):
            cells = cells[:width]
        if len(cells) != width:
            fault = Fault(f"{sheet.path}: line {line}", f"{len(cells)} cells", f"{width}, as the header has")
            findings.leave_out("rows_cut_or_too_long", fault)
            continue
        kept.append(cells)
        lines.append(line)
    findings.counts["rows_read"] += len(body)
    table = np.empty((len(kept), width), dtype=object)
    if kept:
        table[:] = kept
    return table, np.array(lines, dtype=np.int64)


def _timed(
    sheet: Sheet,
    header: list[str],
    found: tuple[Texts, npt.NDArray[np.int64]],
    mapping: Mapping,
    stations: Stations,
    findings: Findings,
) -> _Rows:
    cells, lines = found
    owners = _owners(sheet, header, cells, lines, mapping, stations, findings)
    names = stamp_columns(mapping.columns)
    stamps = cells[:, [header.index(name) for name in names]]
    times = np.full(len(cells), np.datetime64("NaT"), dtype="datetime64[s]")
    known: dict[tuple[str, ...], datetime | UnreadableError] = {}
    keys: list[tuple[str, ...]] = []
    fixed = zone_of(mapping.time)
    for at, owner in enumerate(owners):
        if owner is None:
            continue
        if owner and stations.by_code[owner] is None:
            findings.counts["rows_of_stations_elsewhere"] += 1
            continue
        zone = _zone(owner, mapping, stations) if mapping.time.zone == OF_STATION else fixed
        key = (*stamps[at], str(zone))
        keys.append(key)
        if key not in known:
            known[key] = _time_of(tuple(stamps[at]), mapping, zone)
        time = known[key]
        if isinstance(time, UnreadableError):
            where = f"{sheet.path}: line {lines[at]}, {' '.join(names)}"
            findings.leave_out("rows_without_time", Fault(where, " ".join(stamps[at]) or "nothing", str(time)))
        else:
            times[at] = np.datetime64(time, "s")
    within = sum(isinstance(known[key], WithinHourError) for key in keys)
    if len(keys) / 2 < within < len(keys):
        # What falls on whole hours among them are no means of an hour.
        raise InputError(str(sheet.path), f"{within} of {len(keys)} stamps within hours", _HOURLY)
    check_times(sheet, times, lines, np.array(owners, dtype=object), findings)
    use = ~np.isnat(times)
    findings.counts["rows_taken"] += int(use.sum())
    return _Rows(header, cells[use], lines[use], np.array(owners, dtype=object)[use], times[use])


def _owners(
    sheet: Sheet,
    header: list[str],
    cells: Texts,
    lines: npt.NDArray[np.int64],
    mapping: Mapping,
    stations: Stations,
    findings: Findings,
) -> list[str | None]:
    """Return the code of each row's station, "" in a wide table, None where it isn't known."""
    if mapping.table.layout == "wide":
        return [""] * len(cells)
    if mapping.table.station:
        code = stations.code_of(mapping.table.station)
        if code is None:
            raise InputError(f"{sheet.path}: station", mapping.table.station, "a station of the stations' table")
        return [code] * len(cells)
    names = [name for name in (mapping.column("station"), mapping.column("name")) if name is not None]
    if not names:
        raise InputError(f"{sheet.path}: columns", ",".join(header)[:200], "one of the station, or station in [table]")
    at = [header.index(name) for name in names]
    owners: list[str | None] = []
    for line, row in zip(lines, cells[:, at], strict=True):
        code = next((found for text in row if (found := stations.code_of(text))), None)
        if code is None:
            fault = Fault(
                f"{sheet.path}: line {line}, {names[0]}", row[0] or "nothing", "a station of the stations' table"
            )
            findings.leave_out("rows_of_unknown_stations", fault)
        owners.append(code)
    return owners


def _zone(owner: str, mapping: Mapping, stations: Stations) -> tzinfo | None:
    zones = {stations.zones[owner]} if owner else {zone for zone in stations.zones.values() if zone}
    name = zones.pop() if len(zones) == 1 else None
    return ZoneInfo(name) if name else None


def _time_of(parts: tuple[str, ...], mapping: Mapping, zone: tzinfo | None) -> datetime | UnreadableError:
    try:
        stamp = parse_parts(parts, mapping.time.form, mapping.time.stamp == "range")
        return end_of_step(stamp, mapping.time, zone)
    except UnreadableError as error:
        return error


def _parts(
    sheet: Sheet, rows: _Rows, mapping: Mapping, stations: Stations, findings: Findings
) -> Iterator[pd.DataFrame]:
    """Yield the values of each column of them."""
    layout = mapping.table.layout
    if layout == "long":
        for name, column in mapping.quantities.items():
            yield _values(sheet, rows, name, rows.stations, column, mapping, findings)
        return
    if layout == "items":
        value = mapping.column("value")
        assert value is not None
        for use, column in _items(rows, mapping, findings):
            yield _values(sheet, _some(rows, use), value, rows.stations[use], column, mapping, findings)
        return
    given = set(mapping.columns)
    for name in dict.fromkeys(rows.header):
        if name in given or not name:
            continue
        code = stations.code_of(name)
        if code is None:
            fault = Fault(f"{sheet.path}: column {name!r}", name, "a station of the stations' table")
            findings.leave_out("columns_of_unknown_stations", fault)
            continue
        owner = np.full(len(rows.lines), code, dtype=object)
        if mapping.table.variable:
            only = Column.model_validate({"is": mapping.table.variable, "unit": mapping.table.unit})
            yield _values(sheet, rows, name, owner, only, mapping, findings)
            continue
        for use, column in _items(
            rows, mapping, findings if name == _first_station(rows, mapping, stations) else Findings()
        ):
            yield _values(sheet, _some(rows, use), name, owner[use], column, mapping, findings)


def _first_station(rows: _Rows, mapping: Mapping, stations: Stations) -> str | None:
    return next((name for name in rows.header if stations.code_of(name) and name not in mapping.columns), None)


def _some(rows: _Rows, use: npt.NDArray[np.bool_]) -> _Rows:
    return _Rows(rows.header, rows.cells[use], rows.lines[use], rows.stations[use], rows.times[use])


def _items(rows: _Rows, mapping: Mapping, findings: Findings) -> Iterator[tuple[npt.NDArray[np.bool_], Column]]:
    """Yield the rows of each quantity in the column of items, by unit."""
    variable, unit = mapping.column("variable"), mapping.column("unit")
    assert variable is not None
    items = rows.column(variable)
    units = None if unit is None else rows.column(unit)
    plain = {plain_code(text): column for text, column in mapping.items.items()}
    for text in dict.fromkeys(items):
        column = mapping.items.get(text) or plain.get(plain_code(text))
        own = items == text
        if column is None:
            findings.counts["rows_of_other_quantities"] += int(own.sum())
        elif column.unit or units is None:
            yield own, column
        else:
            for written in dict.fromkeys(units[own]):
                yield own & (units == written), Column.model_construct(meaning=column.meaning, unit=written)


def _values(
    sheet: Sheet, rows: _Rows, name: str, owners: Texts, column: Column, mapping: Mapping, findings: Findings
) -> pd.DataFrame:
    cells = rows.column(name)
    try:
        within = conversion(column.meaning, column.unit)
    except ValueError as error:
        where = f"{sheet.path}: column {name!r}"
        findings.counts["values_without_unit"] += len(cells)
        findings.doubts.append(str(Fault(where, column.unit or "no unit", str(error))))
        return pd.DataFrame({name: [] for name in COLUMNS})
    if column.meaning == "wind_direction":
        cells = directions(cells)
    marks = {mark.lower() for mark in mapping.file.missing}
    values, missing, wrong = numbers(cells, mapping.file.decimal, marks)
    flagged = _flagged(rows, name, mapping) & ~missing
    findings.counts["cells_flagged"] += int(flagged.sum())
    values[flagged], wrong = np.nan, wrong & ~flagged
    converted = values * within.factor + within.offset
    with np.errstate(invalid="ignore"):
        impossible = (converted < within.low) | (converted > within.high)
    _leave_out(sheet, rows, name, cells, wrong, "cells_not_numbers", "a number, or a mark of a missing value", findings)
    limits = f"from {within.low:g} to {within.high:g} in the contract's unit"
    _leave_out(sheet, rows, name, cells, impossible, "cells_impossible", limits, findings)
    findings.counts["cells_missing"] += int(missing.sum())
    # A missing value is one that the station reports as missing; what can't be used says nothing.
    use = ~(wrong | impossible)
    return pd.DataFrame(
        {
            "station": owners[use],
            "time": rows.times[use].astype("datetime64[ns]"),
            "quantity": column.meaning,
            "value": values[use],
            "unit": unit_named(column.unit),
            "file": str(sheet.path),
            "line": rows.lines[use],
        }
    )


def _flagged(rows: _Rows, name: str, mapping: Mapping) -> npt.NDArray[np.bool_]:
    """Return which values of a column the table itself flags as none that may be used."""
    flagged = np.zeros(len(rows.lines), bool)
    for flag, column in mapping.columns.items():
        if column.meaning == "flag" and column.of in ("", name):
            flags, valid = pd.factorize(rows.column(flag)), {_flag(text) for text in column.valid}
            flagged |= ~np.array([_flag(str(text)) in valid for text in flags[1]], bool)[flags[0]]
    return flagged


def _flag(text: str) -> str:
    """Return a flag as it is, and a truth value as all programs but each in its own case write it."""
    return text.casefold() if text.casefold() in ("true", "false") else text


def _leave_out(
    sheet: Sheet,
    rows: _Rows,
    name: str,
    cells: Texts,
    which: npt.NDArray[np.bool_],
    kind: str,
    expected: str,
    findings: Findings,
) -> None:
    for at in np.flatnonzero(which):
        time = pd.Timestamp(rows.times[at]).to_pydatetime()
        findings.leave_out(kind, Fault(f"{sheet.path}: line {rows.lines[at]}, {name}", str(cells[at]), expected, time))
