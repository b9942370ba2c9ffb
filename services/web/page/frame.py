"""What all views of the page share: templates, the service's own address, and the words around a view."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request

from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.services.core.settings import Settings
from hazecast.services.web.page import chart, history, view
from hazecast.services.web.page.answers import page_style, static_prefix
from hazecast.services.web.page.colours import ink
from hazecast.services.web.page.query import PageQuery
from hazecast.services.web.page.words import words

HTML = "text/html; charset=utf-8"
JSON = "application/json"


@lru_cache
def templates() -> Environment:
    """Return the templates of the page and the console."""
    environment = Environment(
        loader=PackageLoader("hazecast.services.web.page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals |= {
        "static": lambda name: f"{static_prefix()}/{name}",
        "page_style": page_style(),
        "ink": ink,
        "width": chart.WIDTH,
        "height": chart.HEIGHT,
        "left": chart.LEFT,
        "right": chart.RIGHT,
        "top": chart.TOP,
        "bottom": chart.BOTTOM,
        "past_width": history.WIDTH,
        "past_height": history.HEIGHT,
        "past_left": history.LEFT,
        "past_bottom": history.BOTTOM,
    }
    return environment


def base_of(request: Request, settings: Settings) -> str:
    """Return the address of the service: the one that is set, else the one that was asked.

    Parameters
    ----------
    request : Request
    settings : Settings

    Returns
    -------
    str
        Without a slash at its end.
    """
    return (settings.server.public_url or str(request.base_url)).rstrip("/")


def render(template: str, query: PageQuery, base: str, **values: Any) -> str:
    """Return a view in the frame of the page.

    Parameters
    ----------
    template : str
    query : PageQuery
        Its address: links to other views keep its other parts.
    base : str
        Address of the service.
    **values : object
        What the template itself needs.

    Returns
    -------
    str
        HTML.
    """
    wording = words(query.language)
    shown: dict[str, Any] = {
        "in_language": lambda language: query.address(lang=language),
        "home": query.address(city=None, partner=None, layer=None, time=None, init_time=None),
    }
    return (
        templates()
        .get_template(template)
        .render(
            t=wording.say,
            words=wording,
            query=query,
            languages=[words(language) for language in LANGUAGES],
            base=base,
            haze_name=lambda grade: view.haze_name(grade, query.language),
            **(shown | values),
        )
    )
