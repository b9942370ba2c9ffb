"""What a person is told whose address leads nowhere."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from hazecast.services.core.settings import Settings
from hazecast.services.web.page.answers import answer
from hazecast.services.web.page.frame import HTML, base_of, render
from hazecast.services.web.page.query import query_of_language
from hazecast.services.web.page.words import words


def missing_page(request: Request, settings: Settings) -> Response:
    """Return the page that says so, with the way to the map: 404.

    Parameters
    ----------
    request : Request
    settings : Settings

    Returns
    -------
    Response
    """
    query = query_of_language(request)
    message = words(query.language).say("error.no_page")
    content = render("error.html", query, base_of(request, settings), message=message)
    return answer(request, content, HTML, seconds=0, status=404)
