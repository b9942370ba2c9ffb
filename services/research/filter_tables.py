"""Tables of filters: the period of each, and what was found on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from hazecast.grids.errors import InputError
from hazecast.grids.observations.column_units import bare_amounts
from hazecast.grids.observations.sample_tables import column_names, read_labelled
from hazecast.grids.times import to_datetime64

_OWN = ("filter", "start", "end")


def read_filters(
    path: Path, elements: Sequence[str] | None = None, *, unit: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a table of filters.

    Parameters
    ----------
    path : Path
        CSV with the columns filter, start, end (ISO 8601 with offset), then a column an element.
    elements : sequence of str, optional
        Those to read, as far as the table has them; by default all.
    unit : str, optional
        Unit of all of them, compared with that in brackets of a header, where there is one.

    Returns
    -------
    periods : pandas.DataFrame (filter)
        ``start`` and ``end``, UTC.
    values : pandas.DataFrame (filter, element)

    Raises
    ------
    InputError
        With line and column, if the table can't be read, a filter appears twice, a time has no offset, or a header tells another unit.
    """
    wanted = [name for name in column_names(path) if name not in _OWN] if elements is None else elements
    if unit is not None:
        wanted = bare_amounts(str(path), wanted, unit)
    units = {} if unit is None else dict.fromkeys(wanted, unit)
    data = read_labelled(path, _OWN, [f"{name}?" for name in wanted], units=units, once="filter")
    periods = pd.DataFrame({name: _times(data[name], path) for name in ("start", "end")})
    periods.index = data.index = pd.Index(data["filter"], name="filter")
    return periods, data.drop(columns=list(_OWN))


def _times(column: pd.Series, path: Path) -> list[pd.Timestamp]:
    """Return times as naive UTC; raise InputError with the line of one that has no offset."""
    found = []
    for line, text in column.items():
        try:
            time = datetime.fromisoformat(str(text))
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            raise InputError(f"{path}, line {line}, column {column.name}", text, "an ISO 8601 time with its offset")
        found.append(pd.Timestamp(to_datetime64(time)))
    return found
