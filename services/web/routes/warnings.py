"""Warnings through the API: GeoJSON, CAP 1.2, an Atom feed, and the areas of haze."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response

from hazecast.alerts.engine.engine import signal_window
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.maps.polygons import polygons, provinces_touched
from hazecast.alerts.messages.atom import atom_feed
from hazecast.alerts.messages.cap import MEDIA_TYPE, Sender, cap_message, event_chain
from hazecast.alerts.messages.causes import Causes
from hazecast.alerts.messages.geojson import feature_collection
from hazecast.alerts.messages.texts import LANGUAGES, Language
from hazecast.alerts.messages.warning_texts import haze_bulletin
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry
from hazecast.services.core.clock import Clock
from hazecast.services.core.settings import Settings
from hazecast.services.store.reads import WarningFilter, next_change, warnings_page
from hazecast.services.store.store import Store
from hazecast.services.web.answers import keep
from hazecast.services.web.negotiate import AsFormat, Format, GeoJSON, answer, as_csv, as_json, choose, representations
from hazecast.services.web.pages import Cursor, from_cursor, link_next, to_cursor
from hazecast.services.web.places import Chosen
from hazecast.services.web.problems import InvalidArgument
from hazecast.services.web.routes.common import INVALID, NOT_FOUND, UNCHANGED, latest_run, shows_simulated
from hazecast.services.web.schemas.forecasts import FeatureCollectionOut
from hazecast.services.web.times import Time, Within
from hazecast.services.work.explain import explain
from hazecast.services.work.maps import haze_field

ATOM = "application/atom+xml"
# How long an ended message stays in the feed: readers that poll once a day still learn of its end.
_FEED_HOURS = 48
_FORMATS: tuple[Format, ...] = ("geojson", "csv")
_CSV_COLUMNS = (
    "id", "rule_set", "level", "kind", "city", "area_zh", "area_ja", "area_en", "issued", "onset", "expires",
    "probability", "reason", "simulated",
)  # fmt: skip
_CAP: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA_TYPE: {}}, "description": "CAP 1.2"}}


def warning_routes(store: Store, settings: Settings, registry: Registry, book: RuleBook, clock: Clock) -> APIRouter:
    """Return the routes under ``/warnings`` and ``/areas``."""
    router = APIRouter(tags=["warnings"])
    signed = _signer(settings)

    def why(warning: HazeWarning) -> Causes:
        return explain(store, registry, warning)

    @router.get(
        "/warnings",
        response_class=GeoJSON,
        responses=NOT_FOUND | INVALID | UNCHANGED | representations(*_FORMATS, like=FeatureCollectionOut),
    )
    def warnings(
        request: Request,
        places: Chosen,
        within: Within,
        state: Annotated[
            Literal["in_force", "all"], Query(description="In force now, or all messages, newest first, in pages.")
        ] = "in_force",
        level: Annotated[
            list[str] | None, Query(description="Only these levels, by id; may be repeated.", examples=[["orange"]])
        ] = None,
        rule_set: Annotated[list[str] | None, Query(description="Only these rule sets; may be repeated.")] = None,
        at: Annotated[Time | None, Query(description="In force at this time instead of now.")] = None,
        simulated: Annotated[
            bool | None, Query(description="Of simulated runs or of real ones; by default real where there are any.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500, description="Messages in a page of `all`.")] = 100,
        cursor: Cursor = None,
        form: AsFormat = None,
    ) -> Response:
        """Warnings as GeoJSON; of simulated runs only where there is no real forecast.

        Those in force always come whole, never in pages. `from` and `to` choose warnings that hold at some time
        within, from their onset to their end.
        """
        chosen = WarningFilter(
            levels=_known("level", level, book.level_ids()),
            rule_sets=_known("rule_set", rule_set, book.names()),
            cities=None if places.all else tuple(city.id for city in places.of(registry)),
            start=within.start,
            end=within.end,
        )
        shape = choose(request, form, _FORMATS)
        simulated = shows_simulated(store) if simulated is None else simulated
        following = None
        if state == "all":
            keys = from_cursor(cursor, datetime, str)
            after = None if keys is None else (keys[0], keys[1])
            messages = warnings_page(store, simulated, chosen, after=after, limit=limit)
            if len(messages) > limit:
                messages = messages[:limit]
                following = to_cursor(messages[-1].issued, messages[-1].id)
            keep(request)
        else:
            now = at or clock()
            standing = store.warnings_in_force(now, simulated)
            keep(request, until=None if at else next_change(store, simulated, now, standing))
            messages = [warning for warning in standing if chosen.meets(warning)]
        if shape == "csv":
            rows = [message.model_dump(mode="json", include=set(_CSV_COLUMNS)) for message in messages]
            return link_next(answer(as_csv(rows, _CSV_COLUMNS), "csv", name="warnings"), request, following)
        content = feature_collection(messages, registry, book, why=why)
        return link_next(
            answer(as_json(content | {"simulated": simulated, "next": following}), "geojson"), request, following
        )

    @router.get(
        "/warnings/feed.atom",
        response_class=Response,
        responses=INVALID | UNCHANGED | {200: {"content": {ATOM: {}}, "description": "Atom feed of CAP messages"}},
    )
    def feed(
        request: Request,
        language: Annotated[Language, Query(description="Of titles and summaries.")] = "zh",
        at: Annotated[Time | None, Query(description="The feed of this time instead of now.")] = None,
    ) -> Response:
        """Messages of the last 48 hours and those in force, each pointing at its CAP message."""
        when, simulated = at or clock(), shows_simulated(store)
        recent = [
            w
            for w in store.warning_history(simulated)
            if w.issued <= when and max(w.issued, w.expires) > when - timedelta(hours=_FEED_HOURS)
        ]
        sender, base = _sender(settings, request), _base(settings, request)
        content = atom_feed(recent, registry, book, sender, language, base, why=why)
        return Response(content, media_type=ATOM)

    @router.get("/warnings/{warning_id}.cap", response_class=Response, responses=NOT_FOUND | UNCHANGED | _CAP)
    def warning_as_cap(warning_id: str, request: Request) -> Response:
        """One warning message as CAP 1.2, signed where the service has a key."""
        return _cap(_found(store, warning_id), request)

    @router.get(
        "/warnings/{warning_id}",
        response_class=GeoJSON,
        responses=NOT_FOUND | UNCHANGED | representations("geojson", "cap"),
    )
    def warning(request: Request, warning_id: str, form: AsFormat = None) -> Response:
        """One warning message with its evidence: a GeoJSON feature, or CAP 1.2 where that is preferred."""
        found = _found(store, warning_id)
        if choose(request, form, ("geojson", "cap")) == "cap":
            made = _cap(found, request)
            made.headers["Vary"] = "Accept"
            return made
        keep(request, modified=found.approval.at if found.approval else found.issued)
        feature: dict[str, Any] = feature_collection([found], registry, book, why=why)["features"][0]
        return answer(as_json(feature), "geojson")

    @router.get("/areas", response_model=FeatureCollectionOut, response_class=GeoJSON, responses=NOT_FOUND | UNCHANGED)
    def areas(request: Request) -> Response:
        """Areas of haze of warning grade in the latest forecast, the provinces they touch, and the bulletin."""
        run = latest_run(store)
        keep(request, modified=run.created_at)
        try:
            field = haze_field(run.netcdf_path, book)
        except InputError as error:
            raise HTTPException(404, f"no areas of the latest forecast: {error}") from error
        rules = book.haze_signal
        touched, window = provinces_touched(field), signal_window(run.init_time, rules)
        content = {
            "type": "FeatureCollection",
            "simulated": run.simulated,
            "init_time": run.init_time.isoformat(),
            "bulletin": {language: haze_bulletin(touched, window, rules, language) for language in LANGUAGES},
            "features": polygons(field, rules),
        }
        return GeoJSON(content)

    def _cap(found: HazeWarning, request: Request) -> Response:
        earlier = event_chain(found, [m for r in found.references if (m := store.warning(r, found.simulated))])
        content = cap_message(
            found,
            earlier,
            book.rule_set(found.rule_set),
            registry.city(found.city),
            _sender(settings, request),
            why=why(found),
        )
        return Response(signed(content), media_type=MEDIA_TYPE)

    return router


def _found(store: Store, name: str) -> HazeWarning:
    """Return a message by its id or its CAP identifier, which marks simulated ones."""
    bare = name.removesuffix(".simulated")
    found = store.warning(bare, True if bare != name else None)
    if found is None:
        raise HTTPException(404, f"warning: found {name}; expected the id of a stored warning")
    return found


def _known(field: str, values: list[str] | None, known: Collection[str]) -> tuple[str, ...]:
    for value in values or ():
        if value not in known:
            raise InvalidArgument(field, value, f"one of {', '.join(sorted(known))}")
    return tuple(values or ())


def _base(settings: Settings, request: Request) -> str:
    return settings.server.public_url or str(request.base_url).rstrip("/")


def _sender(settings: Settings, request: Request) -> Sender:
    return Sender(
        settings.warnings.sender,
        settings.warnings.sender_name,
        settings.warnings.sender_contact,
        _base(settings, request),
    )


def _signer(settings: Settings) -> Callable[[bytes], bytes]:
    """Return what signs a message; the key is read once, and tried, when the service starts."""
    if settings.warnings.cap_key_file is None and settings.warnings.cap_certificate_file is None:
        return lambda message: message
    if settings.warnings.cap_key_file is None or settings.warnings.cap_certificate_file is None:
        raise InputError("CAP signature", "a key or a certificate alone", "both cap_key_file and cap_certificate_file")
    try:
        key, certificate = (
            settings.warnings.cap_key_file.read_bytes(),
            settings.warnings.cap_certificate_file.read_bytes(),
        )
    except OSError as error:
        raise InputError("CAP key and certificate", error, "two PEM files") from error
    # Loaded by a service that signs only.
    from hazecast.alerts.messages.signature import sign

    sign(b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>', key, certificate)
    return lambda message: sign(message, key, certificate)
