"""A warning's page for people, ``/warnings/{id}``, at the address that mails and feeds link to, and the warnings as RSS."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.texts import Language
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.places.cities import Registry
from hazecast.services.core.clock import Clock
from hazecast.services.core.settings import Settings
from hazecast.services.store.reads import recent_warnings
from hazecast.services.store.store import Store
from hazecast.services.web.arguments import only
from hazecast.services.web.page.answers import answer
from hazecast.services.web.page.frame import HTML, base_of, render, templates
from hazecast.services.web.page.query import PageQuery, query_of_language
from hazecast.services.web.page.warning_view import WarningView, begins, warning_address, warning_view
from hazecast.services.web.page.words import Words, words
from hazecast.services.web.pages import address_of_page, cut, from_cursor

# Items of a page of the feed.
_FEED_HOURS, _MOST_ITEMS = 48, 500
_ATOM = "http://www.w3.org/2005/Atom"
RSS = "application/rss+xml; charset=utf-8"


def warning_routes(
    store: Store, settings: Settings, cities: Callable[[], Registry], book: RuleBook, clock: Clock
) -> list[BaseRoute]:
    """Return the routes of the warnings' pages.

    Parameters
    ----------
    store : Store
    settings : Settings
    cities : callable
        Returns the cities as they are now.
    book : RuleBook
    clock : callable
        Gives the current time, aware.

    Returns
    -------
    list of BaseRoute
    """

    def page(request: Request) -> Response:
        query, registry = query_of_language(request), cities()
        name = request.path_params["warning"]
        bare = name.removesuffix(".simulated")
        found = store.warning(bare, True if bare != name else None)
        base, wording = base_of(request, settings), words(query.language)
        if found is None or found.city not in registry.cities | registry.others:
            content = render("error.html", query, base, message=wording.say("error.warning"), home=_home(query))
            return answer(request, content, HTML, seconds=0, status=404)
        content = _page(found, query, base, store, registry, book, clock())
        return answer(request, content, HTML, seconds=settings.answers.cache_seconds)

    def feed(request: Request) -> Response:
        only(request, "city", "lang", "cursor")
        query, registry = query_of_language(request), cities()
        wanted = request.query_params.get("city")
        if wanted is not None and wanted not in registry.cities:
            message = words(query.language).say("error.city", city=wanted)
            return answer(request, message, "text/plain; charset=utf-8", seconds=0, status=404)
        keys = from_cursor(request.query_params.get("cursor"), datetime, str)
        run = store.latest_run()
        recent = recent_warnings(
            store,
            bool(run and run.simulated),
            clock(),
            _FEED_HOURS,
            cities=None if wanted is None else (wanted,),
            after=None if keys is None else (keys[0], keys[1]),
            limit=_MOST_ITEMS,
        )
        page, following = cut(recent, _MOST_ITEMS, lambda message: (message.issued, message.id))
        shown = [one for one in page if one.city in registry.cities]
        base = base_of(request, settings)
        links = {"self": f"{base}{request.url.path}{f'?{request.url.query}' if request.url.query else ''}"}
        if following is not None:
            links["next"] = base + address_of_page(request.url, following)
        made = _rss(shown, links, base, wanted, store, registry, book, words(query.language), clock())
        return answer(request, made, RSS, seconds=settings.answers.cache_seconds)

    return [
        Route("/warnings/{warning}", page),
        Route("/warnings.rss", feed),
    ]


def state_of(warning: HazeWarning, standing: list[HazeWarning], now: datetime) -> tuple[str, HazeWarning | None]:
    """Return what a message is worth now, and the message that took its place.

    Parameters
    ----------
    warning : HazeWarning
    standing : list of HazeWarning
        In force now.
    now : datetime
        Aware.

    Returns
    -------
    (str, HazeWarning or None)
        ``in_force``, ``coming``, ``replaced`` (by the second), ``lifted`` or ``ended``.
    """
    newer = next((one for one in standing if warning.id in one.references), None)
    if newer is not None:
        return "replaced", newer
    if warning.kind == "lift":
        return "lifted", None
    if not any(one.id == warning.id for one in standing):
        return "ended", None
    return ("in_force" if begins(warning) <= now else "coming"), None


def _page(
    warning: HazeWarning,
    query: PageQuery,
    base: str,
    store: Store,
    registry: Registry,
    book: RuleBook,
    now: datetime,
) -> str:
    wording = words(query.language)
    state, newer = state_of(warning, store.warnings_in_force(now, warning.simulated), now)
    view = warning_view(warning, store, registry, book, wording, now)
    shown = _article(view, state, store, registry, book, wording)
    path = shown["path"]
    return render(
        "warning.html",
        query,
        base,
        newer=newer and warning_address(newer, wording),
        in_language=lambda language: f"{path}?lang={language}",
        home=_home(query),
        **shown,
    )


def warning_article(
    warning: HazeWarning, language: Language, store: Store, registry: Registry, book: RuleBook, now: datetime
) -> str:
    """Return what the page of a warning that is not issued yet would show.

    Parameters
    ----------
    warning : HazeWarning
        As it would be issued now.
    language : {"zh", "ja", "en"}
    store : Store
    registry : Registry
    book : RuleBook
    now : datetime
        Aware.

    Returns
    -------
    str
        HTML, the article alone.
    """
    wording = words(language)
    view = warning_view(warning, store, registry, book, wording, now, draft=True)
    state = "lifted" if warning.kind == "lift" else "in_force" if view.begins <= now else "coming"
    shown = _article(view, state, store, registry, book, wording)
    return templates().get_template("warning_article.html").render(t=wording.say, words=wording, **shown)


def _article(
    view: WarningView, state: str, store: Store, registry: Registry, book: RuleBook, wording: Words
) -> dict[str, Any]:
    """Return what the template of the article needs."""
    warning = view.warning
    city = registry.city(warning.city)
    zone = wording.catalog.zone(city.time_zone, warning.issued)
    earlier = [one for name in warning.references if (one := store.warning(name, warning.simulated))]
    return {
        "view": view,
        "state": state,
        "issued": wording.say("script.at", moment=wording.catalog.stamp(warning.issued, city.time_zone), zone=zone),
        "earlier": [
            (
                warning_address(one, wording),
                wording.catalog.stamp(one.issued, city.time_zone),
                _level(one, book, wording),
            )
            for one in reversed(earlier)
        ],
        "city": city,
        "path": view.address.partition("?")[0],
    }


def _level(warning: HazeWarning, book: RuleBook, wording: Words) -> str:
    return wording.of(book.rule_set(warning.rule_set).level_of(warning.level))


def _home(query: PageQuery) -> str:
    return query.address()


def _rss(
    warnings: list[HazeWarning],
    links: dict[str, str],
    base: str,
    city: str | None,
    store: Store,
    registry: Registry,
    book: RuleBook,
    wording: Words,
    now: datetime,
) -> bytes:
    """Return warnings as RSS 2.0: title, text, the page for people, and the time of issue; links to its pages (RFC 5005)."""
    root = etree.Element("rss", nsmap={"atom": _ATOM}, version="2.0")
    channel = etree.SubElement(root, "channel")
    title = wording.say("title_city", city=wording.of(registry.city(city))) if city else wording.say("title")
    home = f"{base}/?lang={wording.language}" + (f"&city={city}" if city else "")
    for name, text in (("title", title), ("link", home), ("description", wording.say("description"))):
        etree.SubElement(channel, name).text = text
    etree.SubElement(channel, "language").text = wording.catalog.tag
    for relation, address in links.items():
        etree.SubElement(channel, f"{{{_ATOM}}}link", rel=relation, href=address, type="application/rss+xml")
    for warning in warnings:
        view = warning_view(warning, store, registry, book, wording, now)
        item = etree.SubElement(channel, "item")
        etree.SubElement(item, "title").text = view.text.headline
        etree.SubElement(item, "link").text = base + view.address
        etree.SubElement(item, "description").text = view.text.description
        etree.SubElement(item, "guid", isPermaLink="false").text = view.address.partition("?")[0]
        etree.SubElement(item, "pubDate").text = format_datetime(warning.issued)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
