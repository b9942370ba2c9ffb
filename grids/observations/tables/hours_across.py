"""Tables with a row a day and a column an hour, as rows of one hour."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.sheets import Sheet

_HOUR_NAME = re.compile(r"(?:h|hour|时|時)?\s*(\d{1,2})\s*(?:時|时|點|点|시|h|:00)?(?:値|值)?", re.I)
_DAYS = (range(24), range(1, 25))
HOUR, VALUE = "hour", "value"


def hours_in(header: Sequence[str]) -> dict[int, str] | None:
    """Return the columns at which a header has the hours of a day, with their numbers; None where it hasn't all of them.

    Examples
    --------
    >>> found = hours_in(["局", "日付", *(f"{hour}時" for hour in range(1, 25))])
    >>> found[2], found[25], hours_in(["a", "1", "2"])
    ('1', '24', None)
    """
    found = {
        at: str(int(match[1]))
        for at, name in enumerate(header)
        if (match := _HOUR_NAME.fullmatch(unicodedata.normalize("NFKC", name).strip())) is not None
    }
    numbers = sorted(int(number) for number in found.values())
    return found if any(numbers == list(day) for day in _DAYS) else None


def one_row_an_hour(sheet: Sheet, line: int | None) -> Sheet:
    """Return a table whose columns are hours with a row for each hour in place of a row for each day.

    Parameters
    ----------
    sheet : Sheet
    line : int or None
        Of the names; None for the first.

    Returns
    -------
    Sheet
        The other columns, then `HOUR` and `VALUE`; rows keep the line of their day.

    Raises
    ------
    InputError
        If the header hasn't all hours of a day.
    """
    at = next((at for at, (number, _) in enumerate(sheet.rows) if line in (None, number)), None)
    header = [] if at is None else sheet.rows[at][1]
    hours = hours_in(header)
    if at is None or hours is None:
        raise InputError(f"{sheet.path}: line {line or 1}", ",".join(header)[:200], "columns 0 to 23 or 1 to 24")
    others = [number for number in range(len(header)) if number not in hours]
    rows = [*sheet.rows[:at], (sheet.rows[at][0], [*(header[number] for number in others), HOUR, VALUE])]
    for number, cells in sheet.rows[at + 1 :]:
        if len(cells) != len(header):
            # Too short or too long: told as any such row.
            rows.append((number, cells if len(cells) != len(others) + 2 else [*cells, ""]))
            continue
        own = [cells[other] for other in others]
        rows += [(number, [*own, hour, cells[place]]) for place, hour in hours.items()]
    return replace(sheet, rows=rows)
