"""Warnings through the API: GeoJSON, CAP 1.2, an Atom feed, and the areas of haze."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import URL

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.atom import atom_feed
from hazecast.alerts.messages.cap import MEDIA_TYPE, Sender, cancel_message, cap_message, event_chain
from hazecast.alerts.messages.geojson import feature_collection
from hazecast.alerts.messages.texts import Language
from hazecast.grids.errors import InputError
from hazecast.grids.times import format_time
from hazecast.services.core.field_limits import at_most
from hazecast.services.core.settings import Settings
from hazecast.services.store.reads import WarningFilter, next_change, public_version, recent_warnings, warnings_page
from hazecast.services.store.withdrawal import withdrawn_messages
from hazecast.services.web.answers import cache_answer
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.drawn import product
from hazecast.services.web.negotiate import (
    GEOJSON,
    AsFormat,
    Format,
    GeoJSON,
    answer,
    as_csv,
    as_json,
    choose,
    representations,
)
from hazecast.services.web.pages import Cursor, Limit, address_of_page, cut, from_cursor, link_next
from hazecast.services.web.places import Chosen
from hazecast.services.web.problems import InvalidArgument
from hazecast.services.web.routes.common import INVALID, NOT_FOUND, UNCHANGED, shown_of_run, shows_simulated
from hazecast.services.web.schemas.forecasts import FeatureCollectionOut
from hazecast.services.web.selection import OfRun
from hazecast.services.web.times import Time, Within
from hazecast.services.work.explain import explain, explainer
from hazecast.services.work.known_places import of_known_cities
from hazecast.services.work.native_work import haze_polygons
from hazecast.services.work.public_haze import areas_name

ATOM = "application/atom+xml"
# How long an ended message stays in the feed: clients that poll once a day still see its end.
_FEED_HOURS = 48
_FORMATS: tuple[Format, ...] = ("geojson", "csv")
_CSV_COLUMNS = (
    "id", "rule_set", "level", "kind", "city", "area_zh", "area_ja", "area_en", "issued", "onset", "expires",
    "probability", "reason", "simulated",
)  # fmt: skip
_CAP: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA_TYPE: {}}, "description": "CAP 1.2"}}


router = APIRouter(tags=["warnings"])


@router.get(
    "/warnings",
    response_class=GeoJSON,
    responses=NOT_FOUND | INVALID | UNCHANGED | representations(*_FORMATS, like=FeatureCollectionOut),
)
def warnings(
    service: Given,
    request: Request,
    places: Chosen,
    within: Within,
    state: Annotated[
        Literal["in_force", "all"],
        Query(description="In force now, by rule set and city, or all messages, newest first."),
    ] = "in_force",
    level: Annotated[
        list[str] | None,
        Query(description="Only these levels, by id; may be repeated.", examples=[["orange"]], max_length=50),
        at_most(50),
    ] = None,
    rule_set: Annotated[
        list[str] | None, Query(description="Only these rule sets; may be repeated.", max_length=50), at_most(50)
    ] = None,
    at: Annotated[Time | None, Query(description="In force at this time instead of now.")] = None,
    simulated: Annotated[
        bool | None, Query(description="Of simulated runs or of real ones; by default real where there are any.")
    ] = None,
    limit: Limit = 200,
    cursor: Cursor = None,
    form: AsFormat = None,
) -> Response:
    """Warnings as GeoJSON, in pages; of simulated runs only where there is no real forecast.

    All pages of those in force are of the time of the first. `from` and `to` choose warnings that hold at some time
    within, from their onset to their end.
    """
    chosen = WarningFilter(
        levels=_checked("level", level, service.book.level_ids()),
        rule_sets=_checked("rule_set", rule_set, service.book.names()),
        cities=None if places.all else tuple(city.id for city in places.of(service.registry)),
        start=within.start,
        end=within.end,
    )
    shape = choose(request, form, _FORMATS)
    simulated = shows_simulated(service.store) if simulated is None else simulated
    if state == "all":
        keys = from_cursor(cursor, datetime, str)
        after = None if keys is None else (keys[0], keys[1])
        messages = warnings_page(service.store, simulated, chosen, after=after, limit=limit)
        messages, following = cut(messages, limit, lambda message: (message.issued, message.id))
        messages = of_known_cities(messages, service.registry)
        cache_answer(request)
    else:
        messages, following = _in_force(service, request, chosen, simulated, at, cursor, limit)
    if shape == "csv":
        rows = [message.model_dump(mode="json", include=set(_CSV_COLUMNS)) for message in messages]
        return link_next(answer(as_csv(rows, _CSV_COLUMNS), "csv", name="warnings"), request, following)
    content = feature_collection(messages, service.registry, service.book, why=explainer(service.store))
    return link_next(
        answer(as_json(content | {"simulated": simulated, "next": following}), "geojson"), request, following
    )


def _in_force(
    service: Service,
    request: Request,
    chosen: WarningFilter,
    simulated: bool,
    at: datetime | None,
    cursor: str | None,
    limit: int,
) -> tuple[list[HazeWarning], str | None]:
    """Return a page of the warnings in force, and the next one's cursor, which holds the time that all pages are of."""
    keys = from_cursor(cursor, datetime, str, str, str)
    fixed = at or (keys[0] if keys else None)
    now = fixed or service.clock()
    standing = of_known_cities(service.store.warnings_in_force(now, simulated), service.registry)
    cache_answer(request, until=None if fixed else next_change(service.store, simulated, now, standing))
    after = keys[1:] if keys else ("", "", "")
    found = [one for one in standing if (one.rule_set, one.city, one.id) > after and chosen.meets(one)]
    return cut(found, limit, lambda one: (now, one.rule_set, one.city, one.id))


@router.get(
    "/warnings/feed.atom",
    response_class=Response,
    responses=INVALID | UNCHANGED | {200: {"content": {ATOM: {}}, "description": "Atom feed of CAP messages"}},
)
def feed(
    service: Given,
    request: Request,
    language: Annotated[Language, Query(description="Of titles and summaries.")] = "zh",
    at: Annotated[Time | None, Query(description="The feed of this time instead of now.")] = None,
    limit: Limit = 500,
    cursor: Cursor = None,
) -> Response:
    """Messages of the last 48 hours and those in force, newest first, in pages (RFC 5005), each pointing at its CAP message."""
    # What ends by the clock alone stays for another minute at most.
    minute = service.clock().replace(second=0, microsecond=0)
    base, version = _base(service.settings, request), public_version(service.store)
    content, following = _feed(service, version, minute, at, language, base, limit, cursor, request.url.query)
    return link_next(Response(content, media_type=ATOM), request, following)


@lru_cache(maxsize=32)
def _feed(
    service: Service,
    version: Hashable,
    minute: datetime,
    at: datetime | None,
    language: Language,
    base: str,
    limit: int,
    cursor: str | None,
    query: str,
) -> tuple[bytes, str | None]:
    simulated, keys = shows_simulated(service.store), from_cursor(cursor, datetime, str)
    after = None if keys is None else (keys[0], keys[1])
    now = at or service.clock()
    found = recent_warnings(service.store, simulated, now, _FEED_HOURS, after=after, limit=limit)
    # What was withdrawn is on the first page alone.
    since = now - timedelta(hours=_FEED_HOURS)
    gone = () if after else withdrawn_messages(service.store, simulated=simulated, since=since)
    recent, following = cut(found, limit, lambda message: (message.issued, message.id))
    own = URL(f"/v1/warnings/feed.atom?{query or f'language={language}'}")
    cancelled = of_known_cities([warning for warning, moment in gone if moment <= now], service.registry)
    content = atom_feed(
        of_known_cities(recent, service.registry),
        service.registry,
        service.book,
        _sender(service.settings, base),
        language,
        base,
        why=explainer(service.store),
        page=str(own),
        following=None if following is None else address_of_page(own, following),
        withdrawn=[(warning, moment) for warning, moment in gone if warning in cancelled],
    )
    return content, following


@router.get("/warnings/{warning_id}.cap", response_class=Response, responses=NOT_FOUND | UNCHANGED | _CAP)
def warning_as_cap(service: Given, warning_id: str, request: Request) -> Response:
    """One warning message as CAP 1.2, signed where the service has a key; the Cancel of one that was withdrawn."""
    return _cap_of(service, warning_id, request)


@router.get(
    "/warnings/{warning_id}",
    response_class=GeoJSON,
    responses=NOT_FOUND | UNCHANGED | representations("geojson", "cap"),
)
def warning(service: Given, request: Request, warning_id: str, form: AsFormat = None) -> Response:
    """One warning message with its evidence: a GeoJSON feature, or CAP 1.2 where that is preferred."""
    if choose(request, form, ("geojson", "cap")) == "cap":
        made = _cap_of(service, warning_id, request)
        made.headers["Vary"] = "Accept"
        return made
    found = _stored_warning(service, warning_id)
    cache_answer(request, modified=found.approval.at if found.approval else found.issued)
    feature: dict[str, Any] = feature_collection([found], service.registry, service.book, why=explainer(service.store))[
        "features"
    ][0]
    return answer(as_json(feature), "geojson")


@router.get(
    "/areas", response_model=FeatureCollectionOut, response_class=GeoJSON, responses=NOT_FOUND | INVALID | UNCHANGED
)
async def areas(service: Given, request: Request, init_time: OfRun = None) -> Response:
    """Areas of haze of warning grade in a forecast, the provinces they touch, and the bulletin.

    Where a person must approve the haze signal, the areas of the warnings in force instead.
    """
    run, in_force = await run_in_threadpool(shown_of_run, service, request, init_time)
    name, path = areas_name(service.settings, in_force), run.netcdf_path
    try:
        asked = (service.settings, path, in_force)
        content = await product(request, service.pool, path, name, haze_polygons, *asked, kept=init_time is None)
    except InputError as error:
        raise HTTPException(404, f"the forecast of {format_time(run.init_time)} has no areas: {error}") from error
    return Response(content, media_type=GEOJSON)


def _cap_of(service: Service, name: str, request: Request) -> Response:
    """Return a message as CAP, or the one that cancels it: whoever has it learns of that at its own address too."""
    bare = name.removesuffix(".withdrawn")
    found = None if bare != name else _found(service, bare)
    if found is not None:
        made = unsigned_cap(service, found, request)
    else:
        subject = bare.removesuffix(".simulated")
        withdrawn = withdrawn_messages(service.store, name=subject, simulated=True if subject != bare else None)
        if not withdrawn:
            raise _unknown(name)
        warning, at = withdrawn[0]
        _must_be_known(service, warning)
        sender = _sender(service.settings, _base(service.settings, request))
        made = cancel_message(warning, at, service.registry.city(warning.city), sender)
    return Response(service.sign(made), media_type=MEDIA_TYPE)


def unsigned_cap(service: Service, found: HazeWarning, request: Request) -> bytes:
    """Return a warning as CAP, without a signature: only what was issued is signed.

    Parameters
    ----------
    service : Service
    found : HazeWarning
    request : Request
        Gives the service's address where none is set.

    Returns
    -------
    bytes
    """
    earlier = event_chain(found, [m for r in found.references if (m := service.store.warning(r, found.simulated))])
    return cap_message(
        found,
        earlier,
        service.book.rule_set(found.rule_set),
        service.registry.city(found.city),
        _sender(service.settings, _base(service.settings, request)),
        why=explain(service.store, found),
        registry=service.registry,
    )


def _stored_warning(service: Service, name: str) -> HazeWarning:
    """Return a message by its id or its CAP identifier, which marks simulated ones."""
    found = _found(service, name)
    if found is None:
        raise _unknown(name)
    return found


def _found(service: Service, name: str) -> HazeWarning | None:
    bare = name.removesuffix(".simulated")
    found = service.store.warning(bare, True if bare != name else None)
    if found is not None:
        _must_be_known(service, found)
    return found


def _must_be_known(service: Service, warning: HazeWarning) -> None:
    if not service.registry.knows(warning.city):
        raise HTTPException(404, f"warning {warning.id}: found the city {warning.city}; expected one that a file names")


def _unknown(name: str) -> HTTPException:
    return HTTPException(404, f"warning: found {name}; expected the id of a stored warning")


def _checked(field: str, values: list[str] | None, known: Collection[str]) -> tuple[str, ...]:
    for value in values or ():
        if value not in known:
            raise InvalidArgument(field, value, f"one of {', '.join(sorted(known))}")
    return tuple(values or ())


def _base(settings: Settings, request: Request) -> str:
    return settings.server.public_url or str(request.base_url).rstrip("/")


def _sender(settings: Settings, base: str) -> Sender:
    given = settings.warnings
    return Sender(given.sender, given.sender_name, given.sender_contact, base)
