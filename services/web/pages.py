"""Cursors: long lists come in pages, each with an opaque cursor of the next and its address in the header Link (RFC 8288).

`Cursor` and `Limit` are the query parameters, `to_cursor` and `from_cursor` write and read a cursor, `cut` divides what was
found into a page and the next one's cursor, `link_next` adds the header. Cursors hold the keys of the last row, so that rows
which arrive meanwhile shift nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from fastapi import Query, Request, Response
from pydantic import TypeAdapter
from starlette.datastructures import URL

from hazecast.services.web.problems import InvalidArgument
from hazecast.services.web.times import Time

Cursor = Annotated[
    str | None, Query(max_length=512, description="Where the page before ended: its `next`, as it is given.")
]
Limit = Annotated[int, Query(ge=1, le=500, description="Most rows of a page.")]
T = TypeVar("T")

_TIME: TypeAdapter[datetime] = TypeAdapter(Time)
Key = str | int | datetime


def to_cursor(*keys: Key) -> str:
    """Return the cursor of a place in a list, by the keys of the last row before it."""
    plain = [key.isoformat() if isinstance(key, datetime) else key for key in keys]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).rstrip(b"=").decode()


def from_cursor(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """Return the keys that a cursor holds; None without one.

    Parameters
    ----------
    cursor : str or None
    *kinds : type
        Of each key: str, int, bool or datetime.

    Returns
    -------
    tuple or None

    Raises
    ------
    InvalidArgument
        If it is not one that `to_cursor` gave for keys of these kinds.
    """
    if cursor is None:
        return None
    try:
        keys = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        if isinstance(keys, list) and len(keys) == len(kinds):
            found = [_time(key) if kind is datetime else key for key, kind in zip(keys, kinds, strict=True)]
            if [type(key) for key in found] == list(kinds):
                return tuple(found)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        pass
    raise InvalidArgument("cursor", cursor, "the `next` of an earlier page")


def position(cursor: str | None) -> int | None:
    """Return the number that a cursor of a list by number holds; None without one.

    Raises
    ------
    InvalidArgument
        If it is not one that `to_cursor` gave for a number.
    """
    keys = from_cursor(cursor, int)
    if keys is not None and not 0 <= keys[0] < 2**63:
        raise InvalidArgument("cursor", cursor, "the `next` of an earlier page")
    return None if keys is None else keys[0]


def cut(found: Sequence[T], limit: int, keys: Callable[[T], tuple[Key, ...]]) -> tuple[list[T], str | None]:
    """Divide rows into a page and the cursor of the next.

    Parameters
    ----------
    found : sequence
        One row more than `limit` where another page follows.
    limit : int
        Size of a page.
    keys : callable
        Gives the keys of a row.

    Returns
    -------
    list
        The page.
    str or None
        None on the last.
    """
    page = list(found[:limit])
    return page, to_cursor(*keys(page[-1])) if len(found) > limit else None


def _time(text: object) -> datetime:
    if not isinstance(text, str):
        raise TypeError("a time in a cursor is a text")
    return _TIME.validate_python(text)


def link_next(response: Response, request: Request, cursor: str | None) -> Response:
    """Add the address of the next page, if there is one, to an answer.

    Parameters
    ----------
    response : Response
    request : Request
        Whose path and query the next page has too; relative, so that it is valid behind any proxy.
    cursor : str or None
        Of the next page; None on the last.

    Returns
    -------
    Response
        The same.
    """
    if cursor is not None:
        response.headers["Link"] = f'<{address_of_page(request.url, cursor)}>; rel="next"'
    return response


def address_of_page(url: URL, cursor: str) -> str:
    """Return the address of another page of a list, relative: the same path and query with another cursor.

    Parameters
    ----------
    url : URL
        Of any page of the list.
    cursor : str

    Returns
    -------
    str
    """
    query = [(name, value) for name, value in parse_qsl(url.query) if name != "cursor"]
    return f"{url.path}?{urlencode([*query, ('cursor', cursor)])}"
