"""What a route takes in its query: anything else is an error that names it, since a misspelt argument would be ignored."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.models import Dependant

from hazecast.services.web.problems import InvalidArgument

_SHOWN = 80


async def only_known_arguments(request: Request) -> None:
    """Refuse a query with an argument that the route doesn't have.

    Raises
    ------
    InvalidArgument
        That names it, and the one that may be meant.
    """
    if not request.query_params:
        return
    known = set(_names(request.scope["route"].dependant))
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name, known, 1)
            expected = f"{near[0]}?" if near else ", ".join(sorted(known)) or "no argument"
            raise InvalidArgument(name[:_SHOWN], "an argument that is not known here", expected)


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for needed in dependant.dependencies:
        yield from _names(needed)
