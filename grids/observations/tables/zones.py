"""Time zones of tables: IANA names and offsets."""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?")

# Abbreviations that are one zone's alone. CST is China's, Cuba's and North America's.
ALONE = {"UTC": timedelta(0), "GMT": timedelta(0), "JST": timedelta(hours=9), "KST": timedelta(hours=9)}
# Zones as headers name them. CST is left out: it is China's, and others'.
_IN_HEADERS = (
    (re.compile(r"jst|日本時間|日本标准时|kst", re.IGNORECASE), "+09:00"),
    (re.compile(r"bjt|北京时间|北京時間", re.IGNORECASE), "+08:00"),
    (re.compile(r"世界时|世界時|(?<![a-z])(utc|gmt)(?![a-z])", re.IGNORECASE), "+00:00"),
)
_UTC_AND = re.compile(r"(?:UTC|GMT)\s*([+-]\d{1,2}(?::?\d{2})?)", re.IGNORECASE)


def zone_in(header: str) -> str | None:
    """Return the time zone that the name of a column states, for `known_zone`; None where it states none.

    Examples
    --------
    >>> [zone_in(text) for text in ("time(UTC)", "Time (UTC+8)", "時刻(JST)", "time")]
    ['+00:00', '+8', '+09:00', None]
    """
    if offset := _UTC_AND.search(header):
        return offset[1]
    return next((zone for pattern, zone in _IN_HEADERS if pattern.search(header)), None)


def known_zone(text: str) -> tzinfo:
    """Return a time zone by its name or offset.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> known_zone("+09:00").utcoffset(None), known_zone("JST").utcoffset(None)
    (datetime.timedelta(seconds=32400), datetime.timedelta(seconds=32400))
    """
    if text.strip().upper() in ALONE:
        return timezone(ALONE[text.strip().upper()])
    found = _OFFSET.fullmatch(text.strip())
    if found:
        size = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        if size <= timedelta(hours=14):
            return timezone(-size if found[1] == "-" else size)
    try:
        return ZoneInfo(text.strip())
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("an IANA time zone such as Asia/Shanghai, or an offset such as +08:00") from error
