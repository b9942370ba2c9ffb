"""Answers that are tables: as CSV, or as Parquet with a type for each column."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

from anyio import from_thread
from fastapi import HTTPException, Request, Response

from hazecast.grids.errors import MissingExtraError
from hazecast.services.web.dependencies import Service
from hazecast.services.web.drawn import draw
from hazecast.services.web.negotiate import answer, as_csv
from hazecast.services.work.parquet import parquet_of

TableFormat = Literal["csv", "parquet"]
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def table_answer(
    service: Service,
    request: Request,
    form: TableFormat,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    *,
    name: str,
) -> Response:
    """Return rows as a table; call it in a thread of the server, as plain routes are.

    Parameters
    ----------
    service : Service
    request : Request
    form : {"csv", "parquet"}
    rows : sequence of mapping
        By column; those of no column are left out.
    columns : sequence of str
    name : str
        Under which the file is saved, without the ending.

    Returns
    -------
    Response

    Raises
    ------
    HTTPException
        501 where Parquet needs an extra that is not installed; 503 as `draw`.
    """
    text = as_csv(rows, columns)
    if form == "csv":
        return answer(text, "csv", name=name)
    table, types = text.encode(), column_types(rows, columns)
    key = ("parquet", hashlib.sha256(table).hexdigest())
    try:
        content = from_thread.run(partial(draw, request, service.pool, key, parquet_of, table, types))
    except MissingExtraError as error:
        raise HTTPException(501, f"parquet: {error}") from error
    return answer(content, "parquet", name=name)


def column_types(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> dict[str, str]:
    """Return the SQL type of each column: what its values are, and numbers where it has none.

    Parameters
    ----------
    rows : sequence of mapping
    columns : sequence of str

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> rows = [{"time": "2013-01-11T23:00:00Z", "city": "beijing", "lead_time": 1, "pm25": None, "simulated": False}]
    >>> column_types(rows, ["time", "city", "lead_time", "pm25", "simulated"])
    {'time': 'TIMESTAMPTZ', 'city': 'VARCHAR', 'lead_time': 'BIGINT', 'pm25': 'DOUBLE', 'simulated': 'BOOLEAN'}
    """
    return {name: _type([row[name] for row in rows if row.get(name) is not None]) for name in columns}


def _type(values: Sequence[Any]) -> str:
    if all(isinstance(value, bool) for value in values):
        return "BOOLEAN" if values else "DOUBLE"
    if all(isinstance(value, int) for value in values):
        return "BIGINT"
    if all(isinstance(value, int | float) for value in values):
        return "DOUBLE"
    return "TIMESTAMPTZ" if all(_TIME.fullmatch(str(value)) for value in values) else "VARCHAR"
