"""What the sentences of a warning say of time: which expect something, and the moments that they name."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

EXPECTATION = {
    "zh": re.compile("预计|可能|将|概率"),
    "ja": re.compile("見込み|おそれ|確率"),
    "en": re.compile(r"\b([Ee]xpect(ed)?|may|likely|probability)\b"),
}
_MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
]  # fmt: skip
_HOUR_OF = {
    "zh": re.compile(r"(?P<m>\d+)月(?P<d>\d+)日(?P<h>\d+)时(?P<min>\d*)"),
    "ja": re.compile(r"(?P<m>\d+)月(?P<d>\d+)日(?P<h>\d+)時(?P<min>\d*)"),
    "en": re.compile(r"(?P<h>\d\d):(?P<min>\d\d) on (?P<d>\d+) (?P<m>[A-Z][a-z]+)"),
}


def sentences_of(text: str, language: str) -> list[str]:
    return re.split(r"(?<=[.。]) ?" if language != "en" else r"(?<=[.]) (?=[A-Z])", text)


def times_of(sentence: str, language: str, year: int = 2013, zone: str = "Asia/Shanghai") -> list[datetime]:
    """The moments that a sentence names in full, in a zone."""
    found = []
    for match in _HOUR_OF[language].finditer(sentence):
        month = match["m"] if match["m"].isdigit() else _MONTHS.index(match["m"]) + 1
        found.append(datetime(year, int(month), int(match["d"]), int(match["h"]), int(match["min"] or 0)))
    return [time.replace(tzinfo=ZoneInfo(zone)) for time in found]
