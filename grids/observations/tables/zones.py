"""Time zones of tables: IANA names and offsets."""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?")


def known_zone(text: str) -> tzinfo:
    """Return a time zone by its name or offset.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> known_zone("+09:00").utcoffset(None)
    datetime.timedelta(seconds=32400)
    """
    found = _OFFSET.fullmatch(text.strip())
    if found:
        size = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        if size <= timedelta(hours=14):
            return timezone(-size if found[1] == "-" else size)
    try:
        return ZoneInfo(text.strip())
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("an IANA time zone such as Asia/Shanghai, or an offset such as +08:00") from error
