"""The page's addresses: ``/``, ``/embed/{city}`` as a card and as a picture, what the map draws and the search finds.

Every view has an address: ``/?city=beijing&partner=&layer=o3&time=2013-01-12T00:00Z&lang=ja``. It is answered as a
complete page, which is useful without scripts; the scripts request the same address and put its parts in place.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hazecast.alerts.geography.shapes import current
from hazecast.alerts.messages.texts import BEIJING, LANGUAGES
from hazecast.alerts.rules.book import RuleBook
from hazecast.forecast.layers import LAYERS
from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import in_utc
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.settings import Settings
from hazecast.services.core.work_pool import WorkPool
from hazecast.services.store.reads import init_times_near
from hazecast.services.store.station_values import newest_of_stations
from hazecast.services.store.store import Store
from hazecast.services.web.arguments import only, time_argument
from hazecast.services.web.drawn import draw
from hazecast.services.web.page import view
from hazecast.services.web.page.answers import answer, static_files
from hazecast.services.web.page.card import Card, card_of, card_png
from hazecast.services.web.page.frame import HTML, JSON, base_of, render
from hazecast.services.web.page.history import History, history
from hazecast.services.web.page.index_choice import CHOICES
from hazecast.services.web.page.installable import installable_routes
from hazecast.services.web.page.made import MadeOnce
from hazecast.services.web.page.mapdata import legend, map_json, shapes_json, stations_json
from hazecast.services.web.page.place_search import Found, meant, nearest, places_json, search
from hazecast.services.web.page.query import PageQuery, page_zone
from hazecast.services.web.page.scores import skill
from hazecast.services.web.page.snapshot import CURRENT_HOURS, MOST_CITIES, Snapshot, Snapshots
from hazecast.services.web.page.warning_page import warning_routes
from hazecast.services.web.page.warning_view import MOST_WARNINGS, warning_groups, warning_views
from hazecast.services.web.page.words import Words, preferred, words
from hazecast.services.web.problems import InvalidArgument
from hazecast.services.web.routes.common import run_of
from hazecast.services.work.verification import WINDOW_DAYS

# How many runs a reader may choose among by a link.
_RUNS = 8
# The countries that come first.
_PARTNERS = ("CN", "JP")


def page_routes(
    store: Store,
    settings: Settings,
    cities: Callable[[], Registry],
    book: RuleBook,
    pool: WorkPool,
    clock: Clock = utc_now,
) -> list[BaseRoute]:
    """Return the routes of the page.

    Parameters
    ----------
    store : Store
    settings : Settings
    cities : callable
        Returns the cities as they are now.
    book : RuleBook
    pool : WorkPool
        Draws the cards.
    clock : callable
        Gives the current time, aware: what is stale and what is in force depends on it.

    Returns
    -------
    list of BaseRoute
    """
    made = lru_cache(maxsize=1)(lambda registry: _Page(store, settings, registry, book, pool, clock))

    def of(handler: Callable[[_Page, Request], Response]) -> Callable[[Request], Response]:
        return lambda request: handler(made(cities()), request)

    async def picture(request: Request) -> Response:
        return await made(cities()).picture(request)

    return [
        Route("/", of(_Page.home)),
        Route("/page/map.json", of(_Page.map_values)),
        Route("/page/places.json", of(_Page.places)),
        Route("/page/stations.json", of(_Page.stations)),
        Route("/page/shapes.json", of(_Page.shapes)),
        Route("/embed/{city}.png", picture),
        Route("/embed/{city}", of(_Page.card)),
        *installable_routes(settings.answers.cache_seconds),
        *warning_routes(store, settings, cities, book, clock),
        static_files(),
    ]


class _Page:
    def __init__(
        self, store: Store, settings: Settings, registry: Registry, book: RuleBook, pool: WorkPool, clock: Clock
    ) -> None:
        self.store, self.settings, self.registry, self.pool = store, settings, registry, pool
        self.snapshots = Snapshots(store, registry, settings, book, clock)
        # The same state and address give the same page: requested again, it costs nothing. What is made of a run that a
        # reader chose is kept beside what is made of the newest, and less of it.
        self._cached_page = {chosen: MadeOnce(self._make_page, most) for chosen, most in ((False, 128), (True, 16))}
        self._cached_past = {chosen: MadeOnce(self._past, most) for chosen, most in ((False, 64), (True, 16))}
        self._map = {chosen: MadeOnce(partial(map_json, registry=registry), 1) for chosen in (False, True)}

    def home(self, request: Request) -> Response:
        """Answer with the complete page."""
        name = request.query_params.get("q", "").strip()
        query = self._query(request, meant(self.registry, name) if name else None)
        base = base_of(request, self.settings)
        if name and query.city is None:
            return self._matches(request, query, name, base)
        unknown = request.query_params.get("city", "")
        if unknown and query.city is None:
            message = words(query.language).say("error.city", city=unknown)
            return answer(request, render("error.html", query, base, message=message), HTML, seconds=0, status=404)
        try:
            snapshot = self._snapshot(time_argument(request, "init_time"))
        except HTTPException:
            message = words(query.language).say("error.run", run=request.query_params["init_time"][:40])
            return answer(request, render("error.html", query, base, message=message), HTML, seconds=0, status=404)
        content = self._cached_page[snapshot.chosen](snapshot, query, base)
        return answer(request, content, HTML, seconds=self.settings.answers.cache_seconds)

    def _matches(self, request: Request, query: PageQuery, name: str, base: str) -> Response:
        """Answer with the places that a name may mean, for readers without scripts."""
        found = search(self.registry, name, 50)
        wording = words(query.language)
        title = wording.say("city.matches" if found else "city.no_match", name=name)
        content = render("matches.html", query, base, title=title, found=[one.city for one in found])
        return answer(request, content, HTML, seconds=0, status=200 if found else 404)

    def places(self, request: Request) -> Response:
        """Answer with the places of a name, or the nearest to a point."""
        only(request, "lang", "q", "lat", "lon")
        wording = words(preferred(request.headers.get("accept-language", ""), request.query_params.get("lang")))
        found: list[Found]
        try:
            latitude, longitude = (float(request.query_params[name]) for name in ("lat", "lon"))
            if not (-90.0 <= latitude <= 90.0 and -180.0 <= longitude <= 180.0):
                raise ValueError
            found = [nearest(self.registry, latitude, longitude)]
        except (KeyError, ValueError):
            found = search(self.registry, request.query_params.get("q", "")[:100])
        content = places_json(found, self.registry, wording)
        return answer(request, content, JSON, seconds=self.settings.answers.cache_seconds)

    def map_values(self, request: Request) -> Response:
        """Answer with all cities and hours of the newest run, or of the one chosen."""
        snapshot = self._chosen(request)
        content = self._map[snapshot.chosen](snapshot)
        return answer(request, content, JSON, seconds=self.settings.answers.cache_seconds)

    def stations(self, request: Request) -> Response:
        """Answer with the stations that were read lately, or shortly before the run chosen was issued."""
        now = self._chosen(request).now
        found = newest_of_stations(self.store, now - timedelta(hours=CURRENT_HOURS), now)
        return answer(request, stations_json(found), JSON, seconds=self.settings.answers.cache_seconds)

    def shapes(self, request: Request) -> Response:
        """Answer with coasts and borders."""
        only(request)
        return answer(request, shapes_json(), JSON, seconds=self.settings.answers.cache_seconds)

    def card(self, request: Request) -> Response:
        """Answer with the warning card of a city, which any site may frame."""
        query = self._query(request, self.registry.cities.get(request.path_params["city"]))
        wording, base = words(query.language), base_of(request, self.settings)
        if query.city is None:
            message = wording.say("error.city", city=request.path_params["city"])
            return answer(request, render("error.html", query, base, message=message), HTML, seconds=0, status=404)
        snapshot = self.snapshots.current().around(query.city)
        content = render(
            "embed.html",
            query,
            base,
            snapshot=snapshot,
            here=view.city_view(snapshot, query.city, self.store, self.registry, wording, wanted=query.index),
            high=_high(snapshot, query.city, wording),
            target=query.address(),
        )
        return answer(request, content, HTML, seconds=self.settings.answers.cache_seconds, framed=True)

    async def picture(self, request: Request) -> Response:
        """Answer with the warning card of a city as a picture."""
        card = await run_in_threadpool(self._card, request)
        if isinstance(card, str):
            return answer(request, card, "text/plain; charset=utf-8", seconds=0, status=404)
        content = await draw(request, self.pool, ("card", card), card_png, card)
        return answer(request, content, "image/png", seconds=self.settings.answers.cache_seconds, framed=True)

    def _card(self, request: Request) -> Card | str:
        """Return a city's card, or why there is none."""
        query = self._query(request, self.registry.cities.get(request.path_params["city"]))
        wording = words(query.language)
        if query.city is None:
            return wording.say("error.city", city=request.path_params["city"])
        snapshot = self.snapshots.current().around(query.city)
        here = view.city_view(snapshot, query.city, self.store, self.registry, wording, wanted=query.index)
        return card_of(snapshot, here, _high(snapshot, query.city, wording), wording)

    def _query(self, request: Request, city: City | None = None) -> PageQuery:
        parameters = request.query_params
        given = parameters.get("lang") in LANGUAGES
        here = city
        if here is None and not parameters.get("q", "").strip() and "city" not in request.path_params:
            here = self.registry.cities.get(parameters.get("city", ""))
        partner = self.registry.cities.get(parameters.get("partner", ""))
        layer = parameters.get("layer", "")
        init_time = None
        if request.url.path == "/":
            # What is no time is told when the page is made.
            with suppress(InvalidArgument):
                init_time = time_argument(request, "init_time")
        return PageQuery(
            language=preferred(request.headers.get("accept-language", ""), parameters.get("lang")),
            given_language=given,
            city=here,
            partner=partner if here is not None and partner in view.partners_of(here, self.registry) else None,
            layer=layer if layer in LAYERS else LAYERS[0],
            time=self._time(parameters.get("time"), parameters.get("hour"), init_time),
            index=next((one for one in CHOICES if one == parameters.get("index")), None),
            init_time=None if init_time is None else in_utc(init_time),
        )

    def _snapshot(self, init_time: datetime | None) -> Snapshot:
        return self.snapshots.current() if init_time is None else self.snapshots.of(run_of(self.store, init_time))

    def _chosen(self, request: Request) -> Snapshot:
        """Return the state that the map shows: of the run that the query names, as in the API."""
        only(request, "init_time")
        return self._snapshot(time_argument(request, "init_time"))

    def _time(self, time: str | None, hour: str | None, init_time: datetime | None) -> datetime | None:
        """Return the hour that an address names: as a time or, from the form without scripts, as hours after the run."""
        try:
            if time:
                return in_utc(datetime.fromisoformat(time))
            run = self.snapshots.current().run
            begin = init_time or (run and run.init_time)
            if hour and begin:
                return begin + timedelta(hours=int(hour))
        except (ValueError, OverflowError):
            return None
        return None

    def _make_page(self, snapshot: Snapshot, query: PageQuery, base: str) -> str:
        return render("page.html", query, base, **self._page_values(query, snapshot))

    def _page_values(self, query: PageQuery, snapshot: Snapshot) -> dict[str, Any]:
        wording, registry = words(query.language), self.registry
        partners = view.partners_of(query.city, registry) if query.city else []
        beside = query.partner or (partners[0] if partners else None)
        here = there = None
        if query.city is not None:
            near = snapshot.around(query.city, beside)
            here = self._city(near, query.city, query, beside)
            there = self._city(near, beside, query, query.city) if beside else None
        lines = view.city_lines(snapshot, registry, wording, query.index)
        warnings = warning_views(
            snapshot.warnings[:MOST_WARNINGS], self.store, registry, snapshot.book, wording, snapshot.now
        )
        zone = page_zone(query)
        zone_name = wording.catalog.zone(zone, snapshot.now)
        hour = _hour(snapshot, query)
        today = snapshot.now.astimezone(ZoneInfo(zone)).date()
        shown = snapshot.times[hour - 1] if snapshot.times else snapshot.now
        return {
            "snapshot": snapshot,
            "here": here,
            "there": there,
            "partners": partners,
            "choices": CHOICES,
            "warned_places": len({warning.city for warning in snapshot.warnings}),
            "groups": warning_groups(warnings, snapshot.warnings, snapshot.book, wording),
            "lines": lines[:MOST_CITIES],
            "more_lines": len(registry.cities) - len(lines[:MOST_CITIES]),
            "scores": skill(snapshot, self.store, query.city, wording) if query.city else None,
            "skill_days": WINDOW_DAYS,
            "past": self._cached_past[snapshot.chosen](snapshot, query.city) if query.city else None,
            "layers": LAYERS,
            "legends": {kind: legend(kind, wording, query.index) for kind in LAYERS},
            "standard": view.standard_at(snapshot),
            "over": bool(snapshot.times) and snapshot.times[-1] < snapshot.now,
            "zone": zone,
            "today": today,
            "tomorrow": today + timedelta(days=1),
            "zone_name": zone_name,
            "beijing_name": wording.catalog.zone(BEIJING, snapshot.now),
            "window_text": wording.catalog.span(*snapshot.window, BEIJING) if snapshot.window else "",
            "hours": max(len(snapshot.times), 1),
            "hour": hour,
            "hour_text": wording.say("script.at", moment=_moment(shown, snapshot, zone, wording), zone=zone_name)
            if snapshot.times
            else "",
            "picture": _picture(query, hour),
            "boundaries": _boundaries(wording),
            "runs": self._runs(snapshot, query, zone),
        }

    def _runs(self, snapshot: Snapshot, query: PageQuery, zone: str) -> list[tuple[str, str, bool]]:
        """Return the newest runs, newest first: address, init time as written, and whether it is the one shown."""
        newest = self.snapshots.current().run
        if newest is None or snapshot.run is None:
            return []
        times = init_times_near(self.store, newest.init_time, newest.simulated, _RUNS)
        return [
            (
                query.address(init_time=f"{time:%Y-%m-%dT%H:%MZ}", time=None),
                _moment(time, snapshot, zone, words(query.language)),
                snapshot.chosen and time == snapshot.run.init_time,
            )
            for time in reversed(times)
        ]

    def _past(self, snapshot: Snapshot, city: City) -> History | None:
        if snapshot.run is None:
            return None
        return history(self.store, self.registry, city, snapshot.now, snapshot.run.simulated)

    def _city(self, snapshot: Snapshot, city: City, query: PageQuery, beside: City | None) -> view.CityView:
        wording = words(query.language)
        return view.city_view(snapshot, city, self.store, self.registry, wording, beside, wanted=query.index)


def cities_by_country(registry: Registry) -> list[tuple[str, list[City]]]:
    """Return the cities by country, in the order of their names in Latin letters."""
    cities = sorted(registry.cities.values(), key=lambda city: city.name_en)
    # The partner countries first.
    countries = sorted({city.country for city in cities}, key=lambda country: (country not in _PARTNERS, country))
    return [(country, [city for city in cities if city.country == country]) for country in countries]


def _hour(snapshot: Snapshot, query: PageQuery) -> int:
    """Return the lead time that the slider is set to: the one requested, else the present hour."""
    if snapshot.run is None or not snapshot.times:
        return 1
    wanted = query.time or snapshot.now
    hours = (wanted - snapshot.run.init_time) / timedelta(hours=1)
    # An hour is named by its end: at 10:20 it is the one that ends at 11:00.
    return int(min(max(-(-hours // 1), 1), len(snapshot.times), LEAD_HOURS))


def _moment(time: datetime, snapshot: Snapshot, zone: str, wording: Words) -> str:
    """Return an hour, with its year where that is not this one."""
    return wording.moment(time, zone) if time.year == snapshot.now.year else wording.catalog.stamp(time, zone)


def _boundaries(wording: Words) -> str:
    """Return whose base map the page shows: its review number where it has one."""
    shapes = current()
    if shapes.review_number:
        return wording.say("review_number", number=shapes.review_number)
    return wording.say("own_borders" if shapes.own_map else "borders")


def _picture(query: PageQuery, hour: int) -> str:
    """Return the address of the drawn map that replaces the interactive one where scripts are off."""
    look = f"language={query.language}&size=phone" + (f"&init_time={query.run}" if query.run else "")
    if query.layer in ("pm25", "o3", "aqi"):
        return f"/v1/maps/{query.layer}.png?lead_time={hour}&{look}"
    return f"/v1/maps/haze.png?{look}"


def _high(snapshot: Snapshot, city: City, wording: Words) -> str:
    """Return the highest median PM2.5 of the 24 h after the init time as written; empty where it is outdated."""
    if snapshot.stale or city.id not in snapshot.cities:
        return ""
    values = snapshot.layers["pm25"][:24, snapshot.cities.index(city.id)]
    known = values[values == values]
    return wording.number(float(known.max())) if known.size else ""
