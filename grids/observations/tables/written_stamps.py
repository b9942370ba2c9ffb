"""Stamps as tables write them: dates with hours in many forms, halves of the day, names of months, seconds since 1970."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

from hazecast.grids.observations.tables.zones import ALONE, known_zone

_OFFSET = r"\s*(?P<zone>Z|(?:UTC|GMT)\s?[+-]\d{1,2}(?::?\d{2})?|UTC|GMT|JST|KST|[+-]\d{2}:?\d{2}|[+-]\d{2}$)?"
# A time of day; its groups are hour, minute and second.
CLOCK = r"(?P<hour>\d{1,2})(?:\s*[:：.时時点點시]\s*(?:(?P<minute>\d{1,2})(?:\s*[:：分분]\s*(?:(?P<second>\d{1,2})(?:\.\d+)?秒?)?)?)?)?"
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})\s*[-/.年년]\s*(?P<month>\d{1,2})\s*[-/.月월]\s*(?P<day>\d{1,2})[日일]?(?:[T\s]*"
    + CLOCK
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
    + CLOCK.replace("second", "sec")
    + r")?(?P<half>\s*[AP]M)?",
    re.I,
)
# Seconds, or thousandths of them, since 1970: from 2001 to 2030, which no date without marks is taken for.
_EPOCH = re.compile(r"(1[0-8]\d{8})(?:\d{3})?")
# Days since 1899-12-30 with their fraction, from 2009 to 2054, as a spreadsheet holds times that are not shown as such.
DAYS = re.compile(r"[45]\d{4}\.\d+")
# What a program that takes the numbers of a column for fractions writes of 2026011308.
_AS_FLOAT = re.compile(r"^(\d{8,14})\.0+$")
_DAY_ZERO = datetime(1899, 12, 30)
_WEEKDAY_BETWEEN = re.compile(
    r"\s*(?:[(\[]?(?:星期|周|週|礼拜)[一二三四五六日天][)\]]?|[(\[][月火水木金土日월화수목금토일][)\]]|[월화수목금토일]요일)\s*"
)
# Eras of Japan by their first year, and the Republic of China's (Taiwan).
_ERAS = {"令和": 2018, "r": 2018, "平成": 1988, "h": 1988, "民國": 1911, "民国": 1911}
_ERA = re.compile(
    r"(?P<era>令和|平成|民國|民国|[RH](?=\s*\d{1,2}\s*[./-]))\s*(?P<year>\d{1,3}|元)(?=\s*[./年-]|$)", re.I
)
_HALF = re.compile(
    r"\s*(?:(?<![A-Za-z])(?P<latin>[ap])\.?m\.?(?![A-Za-z])|(?P<east>上午|下午|午前|午後|오전|오후))\s*", re.I
)
_MORNINGS = ("a", "上午", "午前", "오전")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY = r"(?:[A-Za-z]{3,9},?\s+)?"
_BY_NAME = tuple(
    re.compile(_WEEKDAY + form + r"(?P<rest>.*)")
    for form in (
        r"(?P<day>\d{1,2})[-\s/.]+(?P<month>[A-Za-z]{3,9})\.?[-\s/.,]+(?P<year>\d{4}),?",
        r"(?P<month>[A-Za-z]{3,9})\.?\s+(?P<day>\d{1,2}),?\s+(?P<year>\d{4}),?",
    )
)
_RANGE = re.compile(
    r"(?P<begin>.+?)\s*(?:[-–—~〜～至到]|\bto\b)\s*(?P<end>(?:\S+\s+)?\d{1,2}\s*[:：时時点](?:\d{2})?(?::\d{2})?)"
)
# A zone by letters that is none of `hazecast.grids.observations.tables.zones.ALONE`.
_ABBREVIATION = re.compile(r"(?P<stamp>.*\d)\s*(?P<zone>[A-Z]{2,5})")
# Hour 24 at the end of a stamp without marks, whose form ends with the hour.
_LAST_24 = re.compile(r"24$")
HOUR = timedelta(hours=1)


class UnreadableError(ValueError):
    """A stamp that can't be used; the message says what was expected."""


class WithinHourError(UnreadableError):
    """A stamp that is on no whole hour, or on no step of it."""

    def __init__(self, minutes: int = 60) -> None:
        super().__init__("a whole hour" if minutes == 60 else f"a multiple of {minutes} minutes")


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
        As of `datetime.strptime`; else any form that begins with the year, days before months with dots, months by their
        English names, seconds or milliseconds since 1970.

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
    >>> [parse_stamp(text).local.hour for text in ("2026年1月13日 下午8时", "13-Jan-2026 08:00 PM", "1768334400")]
    [20, 20, 20]
    """
    if form is not None:
        return _of_form(text, form)
    text = _AS_FLOAT.sub(r"\1", text)
    if epoch := _EPOCH.fullmatch(text):
        return Stamp(datetime.fromtimestamp(int(epoch[1]), UTC).replace(tzinfo=None), UTC)
    if DAYS.fullmatch(text):
        # To the minute: fractions of a day are rounded.
        return Stamp(_DAY_ZERO + timedelta(minutes=round(float(text) * 1440)), None)
    text, later = half_day(_by_number(with_plain_year(text)))
    text = text.strip()
    found = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text)
    zone = None
    if found is not None:
        parts = found["year"], found["month"], found["day"], found["hour"], found["minute"], found["second"]
        zone = found["zone"]
    else:
        last = _YEAR_LAST.fullmatch(text)
        if last is None or last["mark"] != ".":
            zone = _ABBREVIATION.fullmatch(text)
            if zone is not None and _YEAR_FIRST.fullmatch(zone["stamp"]):
                form = f'format = "%Y-%m-%d %H:%M {zone["zone"]}"'
                raise UnreadableError(f'an offset such as +08:00, or {form} and zone = "Asia/Shanghai" in a mapping')
            raise UnreadableError("a date and hour such as 2026-01-13 08:00")
        parts = last["year"], last["second"], last["first"], last["hour"], last["minute"], last["sec"]
    return Stamp(local_time(*parts, later), _offset(zone) if zone else None)


def with_plain_year(text: str) -> str:
    """Return a stamp in plain digits, its year counted as elsewhere and without a weekday.

    Examples
    --------
    >>> [with_plain_year(text) for text in ("令和8年1月15日(木)", "R8.1.15", "民國115年1月15日", "２０２６年1月15日 星期四 9:00")]
    ['2026年1月15日 ', '2026.1.15', '2026年1月15日', '2026年1月15日 9:00']
    """
    if text.isascii() and text[:1].isdigit():
        return text
    plain = _WEEKDAY_BETWEEN.sub(" ", unicodedata.normalize("NFKC", text))
    era = _ERA.match(plain)
    if era is None:
        return plain
    year = _ERAS[era["era"].lower()] + (1 if era["year"] == "元" else int(era["year"]))
    return f"{year}{plain[era.end() :]}"


def half_day(text: str) -> tuple[str, bool | None]:
    """Return a text without its mark of a half of the day, and whether that is the later one; None without a mark."""
    found = _HALF.search(text)
    if found is None:
        return text, None
    mark = (found["latin"] or found["east"]).lower()
    return f"{text[: found.start()]} {text[found.end() :]}".strip(), mark not in _MORNINGS


def _by_number(text: str) -> str:
    """Return a text with the month's number in place of its name, the year first."""
    for pattern in _BY_NAME:
        found = pattern.fullmatch(text)
        if found is not None and found["month"][:3].lower() in _MONTHS:
            month = _MONTHS.index(found["month"][:3].lower()) + 1
            return f"{found['year']}-{month}-{found['day']} {found['rest'].removeprefix(':').strip()}"
    return text


def _offset(text: str) -> tzinfo:
    plain = text.upper()
    if plain == "Z":
        return UTC
    if plain in ALONE:
        return timezone(ALONE[plain])
    try:
        return known_zone(plain.replace("GMT", "").replace("UTC", ""))
    except ValueError:
        raise UnreadableError("an offset of at most 14 h") from None


def _of_form(text: str, form: str) -> Stamp:
    # Hour 24 is no hour of strptime; only a form that has the hour in two digits can be mended.
    later = timedelta(0)
    try:
        found = datetime.strptime(text, form)
    except ValueError:
        changed, number = re.subn(r"(?<!\d)24(?=:00|時|时|$)", "00", text)
        if not number and form.endswith("%H"):
            changed, number = _LAST_24.subn("00", text)
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


def local_time(
    year: str,
    month: str,
    day: str,
    hour: str | None,
    minute: str | None,
    second: str | None,
    afternoon: bool | None = None,
) -> datetime:
    """Return a local time by its parts.

    Parameters
    ----------
    year, month, day : str
    hour, minute, second : str or None
        Hour 24 is the next day's 0.
    afternoon : bool, optional
        Of the twelve-hour clock.

    Returns
    -------
    datetime
        Naive.

    Raises
    ------
    UnreadableError
        If there is no such time.
    """
    if hour is None:
        raise UnreadableError("an hour beside the date")
    later = timedelta(0)
    clock = int(hour), int(minute or 0), int(second or 0)
    if afternoon is not None:
        if clock[0] > 12 and not (afternoon and clock[0] < 24):
            raise UnreadableError("an hour of the half of the day that is named")
        if clock[0] <= 12:
            clock = clock[0] % 12 + 12 * afternoon, *clock[1:]
    if clock == (24, 0, 0):
        clock, later = (0, 0, 0), timedelta(days=1)
    try:
        return datetime(int(year), int(month), int(day), *clock) + later
    except (ValueError, OverflowError):
        raise UnreadableError("a date and hour that exist") from None


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
    if half := found[0]["half"]:
        clock = clock.replace("%H", "%I") + (" %p" if half[0].isspace() else "%p")
    if any(int(match["first"]) > 12 for match in found):
        return f"%d{mark}%m{mark}%Y{clock}"
    if any(int(match["second"]) > 12 for match in found):
        return f"%m{mark}%d{mark}%Y{clock}"
    return ""


def parse_range(text: str, form: str | None = None) -> Stamp:
    """Parse the start and end of an hour, ``2026-01-13 08:00-09:00``, and return its start.

    Parameters
    ----------
    text : str
    form : str, optional
        As of `parse_stamp`.

    Returns
    -------
    Stamp

    Raises
    ------
    UnreadableError
        If it is none, or the time between them isn't one hour.

    Examples
    --------
    >>> parse_range("2026-01-13 23:00-24:00").local.isoformat()
    '2026-01-13T23:00:00'
    """
    found = _RANGE.fullmatch(text)
    if found is None:
        raise UnreadableError("the start and end of an hour such as 2026-01-13 08:00-09:00")
    begin = parse_stamp(found["begin"], form)
    last = found["end"]
    # The end has a day of its own, or is a time of the start's day.
    whole = last if re.search(r"\d\s+\d|[-/年].*\d", last) else f"{begin.local:%Y-%m-%d} {last}"
    end = parse_stamp(whole, form if whole is last else None)
    length = end.local - begin.local
    if length not in (HOUR, HOUR - timedelta(days=1)) or (length != HOUR and whole is last):
        raise UnreadableError("a start and an end that are one hour apart")
    return begin


def are_ranges(texts: Sequence[str]) -> bool:
    """Return whether all texts are starts and ends of hours: ``08:00-09:00`` could be an offset in one of them."""
    try:
        return bool(texts) and all(parse_range(text) for text in texts)
    except UnreadableError:
        return False
