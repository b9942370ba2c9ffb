"""Warnings through the API: GeoJSON, CAP 1.2, an Atom feed, and the areas of haze."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from alerts.areas import polygons, provinces_touched
from alerts.atom import atom_feed
from alerts.cap import MEDIA_TYPE, Sender, cap_message, event_chain, sign
from alerts.causes import Causes
from alerts.engine import signal_window
from alerts.geojson import feature_collection
from alerts.ruleset import load_ruleset
from alerts.texts import LANGUAGES, Language, bulletin
from alerts.warning import HazeWarning
from grids.cities import Registry
from grids.errors import InputError
from services.api_common import INVALID, NOT_FOUND, UNCHANGED, known_city, latest_run
from services.api_models import FeatureCollectionOut
from services.explain import explain
from services.maps import haze_field
from services.rules import level_ids
from services.settings import Settings
from services.store import Store

GEOJSON = "application/geo+json"
ATOM = "application/atom+xml"
# How long an ended message stays in the feed: readers that poll once a day still learn of its end.
_FEED_HOURS = 48
_CAP: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA_TYPE: {}}, "description": "CAP 1.2"}}


def warning_routes(store: Store, settings: Settings, registry: Registry, clock: Callable[[], datetime]) -> APIRouter:
    """Return the routes under ``/warnings`` and ``/areas``."""
    router = APIRouter(tags=["warnings"])
    signed = _signer(settings)

    def why(warning: HazeWarning) -> Causes:
        return explain(store, registry, warning)

    @router.get("/warnings", response_model=FeatureCollectionOut, responses=NOT_FOUND | INVALID | UNCHANGED)
    def warnings(
        state: Annotated[
            Literal["in_force", "all"], Query(description="In force now, or the newest messages.")
        ] = "in_force",
        level: Annotated[str | None, Query(description="Only this level, by its id.", examples=["orange"])] = None,
        city: Annotated[str | None, Query(description="Only this city.", examples=["beijing"])] = None,
        at: Annotated[datetime | None, Query(description="In force at this time instead of now (with offset).")] = None,
    ) -> Response:
        """Warnings as GeoJSON; of simulated runs only where there is no real forecast."""
        if city is not None:
            known_city(registry, city)
        known = level_ids()
        if level is not None and level not in known:
            raise HTTPException(422, f"level: found {level}; expected one of {', '.join(known)}")
        when = _with_offset(at) or clock()
        simulated = _simulated(store)
        found = store.warning_history(simulated) if state == "all" else store.warnings_in_force(when, simulated)
        chosen = [w for w in found if level in (None, w.level) and city in (None, w.city)]
        content = feature_collection(chosen, registry, why=why) | {"simulated": simulated}
        return JSONResponse(content, media_type=GEOJSON)

    @router.get(
        "/warnings/feed.atom",
        response_class=Response,
        responses=INVALID | UNCHANGED | {200: {"content": {ATOM: {}}, "description": "Atom feed of CAP messages"}},
    )
    def feed(
        request: Request,
        language: Annotated[Language, Query(description="Of titles and summaries.")] = "zh",
        at: Annotated[datetime | None, Query(description="The feed of this time instead of now (with offset).")] = None,
    ) -> Response:
        """Messages of the last 48 hours and those in force, each pointing at its CAP message."""
        when, simulated = _with_offset(at) or clock(), _simulated(store)
        recent = [
            w
            for w in store.warning_history(simulated)
            if w.issued <= when and max(w.issued, w.expires) > when - timedelta(hours=_FEED_HOURS)
        ]
        content = atom_feed(recent, registry, _sender(settings, request), language, _base(settings, request), why=why)
        return Response(content, media_type=ATOM)

    @router.get("/warnings/{warning_id}.cap", response_class=Response, responses=NOT_FOUND | UNCHANGED | _CAP)
    def warning_as_cap(warning_id: str, request: Request) -> Response:
        """One warning message as CAP 1.2, signed where the service has a key."""
        return _cap(_found(store, warning_id), request)

    @router.get(
        "/warnings/{warning_id}",
        response_class=JSONResponse,
        responses=NOT_FOUND
        | UNCHANGED
        | {200: {"content": {GEOJSON: {}, MEDIA_TYPE: {}}, "description": "GeoJSON or CAP"}},
    )
    def warning(
        warning_id: str, request: Request, accept: Annotated[str, Header(include_in_schema=False)] = "*/*"
    ) -> Response:
        """One warning message with its evidence: a GeoJSON feature, or CAP 1.2 where `Accept` prefers it."""
        found = _found(store, warning_id)
        if prefers_cap(accept):
            answer = _cap(found, request)
        else:
            feature: dict[str, Any] = feature_collection([found], registry, why=why)["features"][0]
            answer = JSONResponse(feature, media_type=GEOJSON)
        answer.headers["Vary"] = "Accept"
        return answer

    @router.get("/areas", response_model=FeatureCollectionOut, responses=NOT_FOUND | UNCHANGED)
    def areas() -> Response:
        """Areas of haze of warning grade in the latest forecast, the provinces they touch, and the bulletin."""
        run = latest_run(store)
        try:
            field = haze_field(run.netcdf_path)
        except InputError as error:
            raise HTTPException(404, f"no areas of the latest forecast: {error}") from error
        rules = load_ruleset()
        touched, window = provinces_touched(field), signal_window(run.init_time, rules)
        content = {
            "type": "FeatureCollection",
            "simulated": run.simulated,
            "init_time": run.init_time.isoformat(),
            "bulletin": {language: bulletin(touched, window, rules, language) for language in LANGUAGES},
            "features": polygons(field, rules),
        }
        return JSONResponse(content, media_type=GEOJSON)

    def _cap(found: HazeWarning, request: Request) -> Response:
        earlier = event_chain(found, [m for r in found.references if (m := store.warning(r, found.simulated))])
        content = cap_message(
            found,
            earlier,
            load_ruleset(found.rule_set),
            registry.city(found.city),
            _sender(settings, request),
            why=why(found),
        )
        return Response(signed(content), media_type=MEDIA_TYPE)

    return router


def prefers_cap(accept: str) -> bool:
    """Return whether an Accept header names CAP, and no JSON that it would rather have (RFC 9110, 12.5.1)."""
    weights: dict[str, float] = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            weights[name.lower()] = float(quality)
        except ValueError:
            weights[name.lower()] = 0.0
    return weights.get(MEDIA_TYPE, 0.0) > 0.0 and weights[MEDIA_TYPE] >= max(
        weights.get(GEOJSON, 0.0), weights.get("application/json", 0.0)
    )


def _found(store: Store, name: str) -> HazeWarning:
    """Return a message by its id or its CAP identifier, which marks simulated ones."""
    bare = name.removesuffix(".simulated")
    found = store.warning(bare, True if bare != name else None)
    if found is None:
        raise HTTPException(404, f"warning: found {name}; expected the id of a stored warning")
    return found


def _simulated(store: Store) -> bool:
    run = store.latest_run()
    return bool(run and run.simulated)


def _with_offset(at: datetime | None) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise HTTPException(422, f"at: found {at.isoformat()}; expected a time with offset")
    return at


def _base(settings: Settings, request: Request) -> str:
    return settings.public_url or str(request.base_url).rstrip("/")


def _sender(settings: Settings, request: Request) -> Sender:
    return Sender(settings.sender, settings.sender_name, settings.sender_contact, _base(settings, request))


def _signer(settings: Settings) -> Callable[[bytes], bytes]:
    """Return what signs a message; the key is read once, and tried, when the service starts."""
    if settings.cap_key_file is None and settings.cap_certificate_file is None:
        return lambda message: message
    if settings.cap_key_file is None or settings.cap_certificate_file is None:
        raise InputError("CAP signature", "a key or a certificate alone", "both cap_key_file and cap_certificate_file")
    try:
        key, certificate = settings.cap_key_file.read_bytes(), settings.cap_certificate_file.read_bytes()
    except OSError as error:
        raise InputError("CAP key and certificate", error, "two PEM files") from error
    sign(b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>', key, certificate)
    return lambda message: sign(message, key, certificate)
