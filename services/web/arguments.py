"""What a route takes in its query: anything else is an error that names it, since a misspelt argument would be ignored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.models import Dependant
from pydantic import TypeAdapter, ValidationError

from hazecast.services.web.problems import InvalidArgument
from hazecast.services.web.times import Time

_SHOWN = 80
_TIME: TypeAdapter[datetime] = TypeAdapter(Time)


async def only_known_arguments(request: Request) -> None:
    """Refuse a query with an argument that the route doesn't have.

    Raises
    ------
    InvalidArgument
        That names it, and the one that may be meant.
    """
    if request.query_params:
        only(request, *_names(request.scope["route"].dependant))


def only(request: Request, *names: str) -> None:
    """Refuse a query with an argument of another name.

    Parameters
    ----------
    request : Request
    *names : str
        That it may have.

    Raises
    ------
    InvalidArgument
        That names the one that isn't known, and the one that may be meant.
    """
    known = set(names)
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name, known, 1)
            expected = f"{near[0]}?" if near else ", ".join(sorted(known)) or "no argument"
            raise InvalidArgument(name[:_SHOWN], "an argument that is not known here", expected)


def time_argument(request: Request, name: str) -> datetime | None:
    """Return a time of the query, as the routes that FastAPI reads take it.

    Parameters
    ----------
    request : Request
    name : str

    Returns
    -------
    datetime.datetime or None
        Aware; None where it isn't given.

    Raises
    ------
    InvalidArgument
        If it is no time with an offset.
    """
    text = request.query_params.get(name)
    try:
        return None if text is None else _TIME.validate_python(text)
    except ValidationError as error:
        raise InvalidArgument(name, text, "a time, ISO 8601 with offset, such as 2013-01-11T22:00Z") from error


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for needed in dependant.dependencies:
        yield from _names(needed)
