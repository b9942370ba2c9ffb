"""Stamps of a table as UTC ends of hours, or of the steps that hours are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from hazecast.grids.observations.tables.mapping import OF_STATION, STAMPED, Column, TimePart
from hazecast.grids.observations.tables.written_stamps import (
    CLOCK,
    Stamp,
    UnreadableError,
    WithinHourError,
    half_day,
    local_time,
    parse_range,
    parse_stamp,
    with_plain_year,
)
from hazecast.grids.observations.tables.zones import known_zone

# A whole number as a spreadsheet may write it; a date with its hour.
_WHOLE = re.compile(r"\.0+$")
_CLOCKED = re.compile(r"\d[T\s]+\d{1,2}:")
_HOUR_ALONE = re.compile(CLOCK)
_EARLIEST, _LATEST = 1950, 2100


def end_of_step(stamp: Stamp, part: TimePart, zone: tzinfo | None) -> datetime:
    """Return the UTC end of the hour, or of the step within one, that a stamp stands for.

    Parameters
    ----------
    stamp : Stamp
    part : TimePart
        Whether stamps are ends, starts, or both, and of how many minutes.
    zone : tzinfo or None
        Of stamps that state no offset; None where each must state its own.

    Returns
    -------
    datetime
        Naive, UTC.

    Raises
    ------
    UnreadableError
        If it isn't on a whole hour or step, doesn't exist in the zone or occurs twice there, or lacks the offset.
    """
    zone = stamp.zone or zone
    if zone is None:
        raise UnreadableError("an offset such as +08:00, or a time zone in the mapping")
    if not _EARLIEST <= stamp.local.year < _LATEST:
        raise UnreadableError(f"a year from {_EARLIEST} to {_LATEST}")
    time = stamp.local.replace(tzinfo=zone).astimezone(UTC)
    minutes = part.step_minutes or 60
    if time.minute % minutes or time.second or time.microsecond:
        raise WithinHourError(minutes)
    other = stamp.local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if other != time:
        raise UnreadableError(f"an hour that occurs once in {zone}; state its offset")
    return time.replace(tzinfo=None) + (timedelta(minutes=0 if part.stamp == "end" else minutes))


def stamp_columns(columns: Mapping[str, Column]) -> list[str]:
    """Return the columns that make up a stamp: one, or date and hour, or year, month, day and hour; [] without."""
    by = {column.meaning: name for name, column in columns.items()}
    for names in (("time",), ("date", "hour"), ("year", "month", "day", "hour")):
        if all(name in by for name in names):
            return [by[name] for name in names]
    return []


def parse_parts(parts: Sequence[str], form: str | None = None, ranges: bool = False) -> Stamp:
    """Parse a stamp of one or several columns.

    Parameters
    ----------
    parts : sequence of str
        The cells of `stamp_columns`.
    form : str, optional
        As of `datetime.strptime`, of the only or the first cell.
    ranges : bool
        Whether the last cell holds start and end of the hour.

    Returns
    -------
    Stamp

    Raises
    ------
    UnreadableError
        If they are none.

    Examples
    --------
    >>> parse_parts(["2026", "1", "13", "24"]).local.isoformat(), parse_parts(["20260113", "8:00"]).local.isoformat()
    ('2026-01-14T00:00:00', '2026-01-13T08:00:00')
    """
    if ranges:
        return parse_range(" ".join(parts), form)
    if len(parts) == 1:
        return parse_stamp(parts[0], form)
    text, afternoon = half_day(_WHOLE.sub("", parts[-1]))
    hour = _HOUR_ALONE.fullmatch(text)
    if hour is None:
        raise UnreadableError("an hour from 0 to 24")
    if len(parts) == 2:
        day = parse_stamp(parts[0], form) if form or _CLOCKED.search(parts[0]) else parse_stamp(f"{parts[0]} 00")
        date = str(day.local.year), str(day.local.month), str(day.local.day)
    else:
        year, month, day_of_month = (_WHOLE.sub("", part) for part in parts[:3])
        date = with_plain_year(year).rstrip("年년"), month.rstrip("月월"), day_of_month.rstrip("日일")
        if not all(part.isdecimal() for part in date):
            raise UnreadableError("year, month and day as whole numbers")
    return Stamp(local_time(*date, hour["hour"], hour["minute"], hour["second"], afternoon), None)


def zone_of(part: TimePart) -> tzinfo | None:
    """Return the zone that a mapping names; None where each stamp or station has its own."""
    return None if part.zone in (STAMPED, OF_STATION) else known_zone(part.zone)
