"""What a table's stamps mean, told by the names of their columns and by their cells."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hazecast.grids.observations.tables.looked_at import Table, asked
from hazecast.grids.observations.tables.mapping import OF_STATION, STAMPED, Column, TimePart
from hazecast.grids.observations.tables.names import Named
from hazecast.grids.observations.tables.stamps import parse_parts, stamp_columns
from hazecast.grids.observations.tables.written_stamps import HOUR, UnreadableError, are_ranges, order_of, parse_stamp
from hazecast.grids.observations.tables.zones import known_zone, zone_in

# Columns of the hourly files of AQS, whose time is the begin of the sample (US EPA, AirData file formats; AQCSV, field 4).
_OF_AQS = ({"samplemeasurement", "timelocal"}, {"samplemeasurement", "timegmt"})
_OF_ZONES = re.compile(r"(?:time[\s_]*zone|tz|(?:utc|gmt)[\s_]*offset|时区|時區|タイムゾーン)", re.I)
_WITH_HOUR = re.compile(r"\d[日T\s]+\d{1,2}|^\d{10,14}$|\d{4}[\s,]+\d{1,2}:")


def mend_times(table: Table, told: dict[str, Named], taken: dict[str, str]) -> None:
    """Tell a date with its hour from a date alone, a time of day from a whole stamp, and the ends of hours from starts.

    Parameters
    ----------
    table : Table
        Gets `stamp`.
    told : dict of str to Named
        What the names of columns say, which is changed.
    taken : dict of str to str
        The column of each meaning.

    Raises
    ------
    InputError
        If a row reaches from its start to its end over more or less than an hour.
    """
    date, time = taken.get("date"), taken.get("time")
    if date is not None and time is None and "hour" not in taken and _hours(table, date):
        told[date] = Named("time", "")
    if date is not None and time is not None:
        if _hours(table, time):
            told[date] = Named("ignore", "")
        else:
            told[time] = Named("hour", "")
    _mend_starts_and_ends(table, told, taken)
    if any(found.meaning == "time" for found in told.values()):
        for name, found in told.items():
            if found.meaning in ("hour", "year", "month", "day"):
                told[name] = Named("ignore", "")


def _mend_starts_and_ends(table: Table, told: dict[str, Named], taken: dict[str, str]) -> None:
    start, end = taken.get("start"), taken.get("end")
    if start is not None and end is not None:
        _check_hours(table, start, end)
    meanings = {found.meaning for found in told.values()}
    alone = not meanings & {"time", "date", "year"}
    plain = {re.sub(r"[^a-z]", "", name.lower()) for name in table.header}
    if any(names <= plain for names in _OF_AQS):
        table.stamp = "start", "columns of AQS, which states when a sample began"
    for name, what in ((end, "end"), (start, "start")):
        if name is None:
            continue
        if alone and _hours(table, name):
            told[name] = Named("time", "")
            table.stamp = what, f"the column {name!r}"
            alone = False
        else:
            told[name] = Named("ignore", "")


def _check_hours(table: Table, start: str, end: str) -> None:
    """Refuse a table of longer or shorter means than hourly ones."""
    begins, ends = table.cells(start), table.cells(end)
    form = order_of([*begins, *ends]) or None
    for begin, last in zip(begins, ends, strict=True):
        try:
            length = parse_stamp(last, form).local - parse_stamp(begin, form).local
        except UnreadableError:
            continue
        if length != HOUR:
            raise asked(table, f"rows of an hour; from {begin} to {last} is {length}: a column of hourly values")


def _hours(table: Table, name: str) -> bool:
    cells = [cell for cell in table.cells(name) if cell]
    return bool(cells) and sum(_WITH_HOUR.search(cell) is not None for cell in cells) > len(cells) / 2


def _zone_beside(table: Table) -> str | None:
    """Return the zone that a column of zones gives for all rows, or the lines above the names; None without."""
    for name in table.header:
        if _OF_ZONES.fullmatch(name.strip()):
            texts = table.texts(name) - {""}
            try:
                zones = {str(known_zone(text)): text for text in texts}
            except ValueError:
                zones = {}
            if len(zones) == 1:
                return zones.popitem()[1]
            if texts:
                table.doubt(f"column {name!r} is not used: {', '.join(sorted(texts)[:5])} is no one time zone")
    above = {found for cell in table.above if (found := zone_in(cell))}
    return above.pop() if len(above) == 1 else None


def time_part(table: Table, columns: Mapping[str, Column]) -> TimePart:
    """Return what the stamps mean, by those of the first rows.

    Parameters
    ----------
    table : Table
        What is understood or assumed is said in it.
    columns : mapping of str to Column

    Returns
    -------
    TimePart

    Raises
    ------
    InputError
        If day and month can't be told apart.
    """
    hints = table.hints
    names = stamp_columns(columns)
    parts = [[row[table.header.index(name)] for name in names] for row in table.rows] if names else []
    form = order_of([part[0] for part in parts])
    if form == "":
        raise asked(table, "[time] format, since day and month can't be told apart")
    if form is not None:
        table.said.append(f"stamps of the form {form}: a day above 12 tells it")
    ranges = are_ranges([" ".join(part) for part in parts if all(part)])
    stated = []
    for part in parts:
        try:
            stated.append(parse_parts(part, form, ranges).zone is not None)
        except UnreadableError:
            continue
    zone = hints.zone
    if zone:
        table.said.append(f"time zone {zone}: as said")
    elif stated and sum(stated) > len(stated) / 2:
        zone = STAMPED
        table.said.append("time zone: each stamp states its offset")
    elif told := next((found for name in names if (found := zone_in(name))), None):
        zone = told
        table.said.append(f"time zone {told}: the name of the column states it")
    elif beside := _zone_beside(table):
        zone = beside
        table.said.append(f"time zone {beside}: a column of zones, or a line above the names, states it")
    else:
        zone = OF_STATION
        if stated:
            zones = sorted({zone for zone in table.stations.values() if zone}) or ["its city's"]
            table.said.append(
                f"time zone {', '.join(zones)}: the stamps state none, so that of each station's city is taken"
            )
            table.doubt(f"the stamps state no time zone: {', '.join(zones)}, that of each station's city, is taken")
    stamp, why = ("range", "each states both") if ranges else (hints.stamp, "as said") if hints.stamp else table.stamp
    said = {"end": "the end", "start": "the start", "range": "start and end"}
    table.said.append(f"stamps: {said[stamp or 'end']} of the hour ({why or 'not stated: the usual'})")
    return TimePart.model_validate({"zone": zone, "stamp": stamp or "end", "format": form})
