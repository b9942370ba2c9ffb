"""Stamps of a table as UTC ends of hours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

from hazecast.grids.observations.tables.mapping import OF_STATION, STAMPED, Column, TimePart
from hazecast.grids.observations.tables.zones import known_zone

_OFFSET = r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2}$)?"
_CLOCK = r"(?P<hour>\d{1,2})(?:\s*[:：.时時点點]\s*(?:(?P<minute>\d{1,2})(?:\s*[:：分]\s*(?:(?P<second>\d{1,2})(?:\.\d+)?秒?)?)?)?)?"
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})日?(?:[T\s]*"
    + _CLOCK
    + ")?"
    + _OFFSET,
    re.I,
)
_COMPACT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:[T\s_]?(?P<hour>\d{2}):?(?P<minute>\d{2})?:?(?P<second>\d{2})?)?"
    + _OFFSET,
    re.I,
)
_YEAR_LAST = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[./-])(?P<second>\d{1,2})[./-](?P<year>\d{4})(?:\s+"
    + _CLOCK.replace("second", "sec")
    + ")?"
)
# A whole number as a spreadsheet may write it; a date with its hour.
_WHOLE = re.compile(r"\.0+$")
_CLOCKED = re.compile(r"\d[T\s]+\d{1,2}:")
_HOUR_ALONE = re.compile(_CLOCK)
_EARLIEST, _LATEST = 1950, 2100
HOUR = timedelta(hours=1)


class UnreadableError(ValueError):
    """A stamp that can't be used; the message says what was expected."""


class Stamp(NamedTuple):
    """A stamp as written: local time, and its offset where it states one."""

    local: datetime
    zone: tzinfo | None


def parse_stamp(text: str, form: str | None = None) -> Stamp:
    """Parse a date with its hour.

    Parameters
    ----------
    text : str
    form : str, optional
        As of `datetime.strptime`; else any form that begins with the year, and days before months with dots.

    Returns
    -------
    Stamp

    Raises
    ------
    UnreadableError
        If it is none.

    Examples
    --------
    >>> parse_stamp("2026-01-13T24:00+08:00").local.isoformat()
    '2026-01-14T00:00:00'
    >>> parse_stamp("2026年1月13日 8时").local.isoformat()
    '2026-01-13T08:00:00'
    """
    if form is not None:
        return _of_form(text, form)
    found = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text)
    if found is None:
        last = _YEAR_LAST.fullmatch(text)
        if last is None or last["mark"] != ".":
            raise UnreadableError("a date and hour such as 2026-01-13 08:00")
        parts = last["year"], last["second"], last["first"], last["hour"], last["minute"], last["sec"]
        return Stamp(_local(*parts), None)
    parts = found["year"], found["month"], found["day"], found["hour"], found["minute"], found["second"]
    zone = found["zone"]
    return Stamp(_local(*parts), _offset(zone) if zone else None)


def _offset(text: str) -> tzinfo:
    if text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if size > timedelta(hours=14):
        raise UnreadableError("an offset of at most 14 h")
    return timezone(-size if text[0] == "-" else size)


def _of_form(text: str, form: str) -> Stamp:
    # Hour 24 is no hour of strptime; only a form that has the hour in two digits can be mended.
    later = timedelta(0)
    try:
        found = datetime.strptime(text, form)
    except ValueError:
        changed, number = re.subn(r"(?<!\d)24(?=:00|時|时|$)", "00", text)
        try:
            if number != 1:
                raise ValueError
            found, later = datetime.strptime(changed, form), timedelta(days=1)
        except ValueError:
            raise UnreadableError(f"a time of the form {form}") from None
    try:
        return Stamp(found.replace(tzinfo=None) + later, found.tzinfo)
    except OverflowError:
        raise UnreadableError("a date and hour that exist") from None


def _local(year: str, month: str, day: str, hour: str | None, minute: str | None, second: str | None) -> datetime:
    if hour is None:
        raise UnreadableError("an hour beside the date")
    later = timedelta(0)
    clock = int(hour), int(minute or 0), int(second or 0)
    if clock == (24, 0, 0):
        clock, later = (0, 0, 0), timedelta(days=1)
    try:
        return datetime(int(year), int(month), int(day), *clock) + later
    except (ValueError, OverflowError):
        raise UnreadableError("a date and hour that exist") from None


def end_of_hour(stamp: Stamp, part: TimePart, zone: tzinfo | None) -> datetime:
    """Return the UTC end of the hour that a stamp stands for.

    Parameters
    ----------
    stamp : Stamp
    part : TimePart
        Whether stamps are ends or starts.
    zone : tzinfo or None
        Of stamps that state no offset; None where each must state its own.

    Returns
    -------
    datetime
        Naive, UTC.

    Raises
    ------
    UnreadableError
        If it isn't a whole hour, doesn't exist in the zone or occurs twice there, or lacks the offset.
    """
    zone = stamp.zone or zone
    if zone is None:
        raise UnreadableError("an offset such as +08:00, or a time zone in the mapping")
    if not _EARLIEST <= stamp.local.year < _LATEST:
        raise UnreadableError(f"a year from {_EARLIEST} to {_LATEST}")
    time = stamp.local.replace(tzinfo=zone).astimezone(UTC)
    if time.minute or time.second or time.microsecond:
        raise UnreadableError("a whole hour")
    other = stamp.local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if other != time:
        raise UnreadableError(f"an hour that occurs once in {zone}; state its offset")
    return time.replace(tzinfo=None) + (HOUR if part.stamp == "start" else timedelta(0))


def order_of(texts: Sequence[str]) -> str | None:
    """Return the form of stamps that have the year last and no dots, by a day above 12.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    str or None
        As of `datetime.strptime`, "" where day and month can't be told apart; None where the stamps aren't of that kind.
    """
    found = [match for text in texts if (match := _YEAR_LAST.fullmatch(text)) and match["mark"] != "."]
    if not found or len(found) < len(texts) / 2:
        return None
    mark = found[0]["mark"]
    clock = "" if found[0]["hour"] is None else " %H:%M:%S" if found[0]["sec"] else " %H:%M"
    if any(int(match["first"]) > 12 for match in found):
        return f"%d{mark}%m{mark}%Y{clock}"
    if any(int(match["second"]) > 12 for match in found):
        return f"%m{mark}%d{mark}%Y{clock}"
    return ""


def stamp_columns(columns: Mapping[str, Column]) -> list[str]:
    """Return the columns that make up a stamp: one, or date and hour, or year, month, day and hour; [] without."""
    by = {column.meaning: name for name, column in columns.items()}
    for names in (("time",), ("date", "hour"), ("year", "month", "day", "hour")):
        if all(name in by for name in names):
            return [by[name] for name in names]
    return []


def parse_parts(parts: Sequence[str], form: str | None = None) -> Stamp:
    """Parse a stamp of one or several columns.

    Parameters
    ----------
    parts : sequence of str
        The cells of `stamp_columns`.
    form : str, optional
        As of `datetime.strptime`, of the only or the first cell.

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
    if len(parts) == 1:
        return parse_stamp(parts[0], form)
    hour = _HOUR_ALONE.fullmatch(_WHOLE.sub("", parts[-1]))
    if hour is None:
        raise UnreadableError("an hour from 0 to 24")
    if len(parts) == 2:
        day = parse_stamp(parts[0], form) if form or _CLOCKED.search(parts[0]) else parse_stamp(f"{parts[0]} 00")
        date = str(day.local.year), str(day.local.month), str(day.local.day)
    else:
        date = _WHOLE.sub("", parts[0]), _WHOLE.sub("", parts[1]), _WHOLE.sub("", parts[2])
        if not all(part.isdecimal() for part in date):
            raise UnreadableError("year, month and day as whole numbers")
    return Stamp(_local(*date, hour["hour"], hour["minute"], hour["second"]), None)


def zone_of(part: TimePart) -> tzinfo | None:
    """Return the zone that a mapping names; None where each stamp or station has its own."""
    return None if part.zone in (STAMPED, OF_STATION) else known_zone(part.zone)
