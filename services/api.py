"""The REST API under ``/v1``: cities, forecasts, warnings, the map, and the health of the service."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from alerts.geojson import feature_collection
from grids.cities import City, Registry, load_registry
from grids.errors import InputError
from services.api_models import (
    CityOut,
    CycleOut,
    FeatureCollectionOut,
    ForecastOut,
    HealthOut,
    HourOut,
    PollutantOut,
    ProblemOut,
    ReadyOut,
)
from services.rules import level_ids, prepare_rules
from services.settings import Settings
from services.store import Store
from services.tables import ForecastRun, ForecastValue

log = logging.getLogger(__name__)

_PROBLEM = "application/problem+json"
_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": ProblemOut, "description": "Not found"}}
_INVALID: dict[int | str, dict[str, Any]] = {422: {"model": ProblemOut, "description": "Invalid argument"}}
_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Unchanged since If-None-Match"}}
_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": ProblemOut, "description": "No fresh forecast"}}


def create_app(settings: Settings) -> FastAPI:
    """Build the API on the store that `settings` names; the schema is brought up to date first."""
    prepare_rules(settings)
    store = Store(settings.database_url)
    store.migrate()
    app = FastAPI(
        title="Hazecast",
        version="1",
        description="Air-quality forecasts and haze warnings. Times are ISO 8601 with offset; concentrations ug/m3. "
        "What rests on simulated input says `simulated: true`.",
    )
    app.include_router(_routes(store, settings, load_registry()), prefix="/v1")
    app.add_api_route("/", lambda: RedirectResponse("/docs"), include_in_schema=False)
    _add_problems(app)
    _add_caching(app, settings.cache_seconds)
    return app


def _routes(store: Store, settings: Settings, registry: Registry) -> APIRouter:
    router = APIRouter()

    @router.get("/cities", tags=["places"], responses=_UNCHANGED)
    def cities() -> list[CityOut]:
        """All cities that are forecast."""
        return [_city(city, registry) for city in registry.cities.values()]

    @router.get("/cities/{city_id}", tags=["places"], responses=_NOT_FOUND | _UNCHANGED)
    def city(city_id: str) -> CityOut:
        """One city."""
        return _city(_known(registry, city_id), registry)

    @router.get("/cities/{city_id}/forecast", tags=["forecasts"], responses=_NOT_FOUND | _UNCHANGED)
    def forecast(city_id: str) -> ForecastOut:
        """The latest forecast of a city: 72 hours of PM2.5 and ozone with their uncertainty."""
        place = _known(registry, city_id)
        run = _latest(store)
        values = store.forecast_of(run, city_id)
        if not values:
            raise HTTPException(404, f"the latest forecast ({run.init_time.isoformat()}) has no values for {city_id}")
        return _forecast(place, run, values)

    @router.get("/warnings", tags=["warnings"], response_model=FeatureCollectionOut, responses=_INVALID | _UNCHANGED)
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
            _known(registry, city)
        known = level_ids()
        if level is not None and level not in known:
            raise HTTPException(422, f"level: found {level}; expected one of {', '.join(known)}")
        if at is not None and at.tzinfo is None:
            raise HTTPException(422, f"at: found {at.isoformat()}; expected a time with offset")
        run = store.latest_run()
        simulated = bool(run and run.simulated)
        found = (
            store.warning_history(simulated)
            if state == "all"
            else store.warnings_in_force(at or datetime.now(UTC), simulated)
        )
        chosen = [w for w in found if level in (None, w.level) and city in (None, w.city)]
        content = feature_collection(chosen, registry) | {"simulated": simulated}
        return JSONResponse(content, media_type="application/geo+json")

    @router.get("/warnings/{warning_id}", tags=["warnings"], responses=_NOT_FOUND | _UNCHANGED)
    def warning(warning_id: str) -> dict[str, Any]:
        """One warning message with its evidence, as a GeoJSON feature."""
        found = store.warning(warning_id)
        if found is None:
            raise HTTPException(404, f"warning: found {warning_id}; expected the id of a stored warning")
        feature: dict[str, Any] = feature_collection([found], registry)["features"][0]
        return feature

    @router.get(
        "/maps/haze.png",
        tags=["maps"],
        response_class=Response,
        responses=_NOT_FOUND | _UNCHANGED | {200: {"content": {"image/png": {}}, "description": "PNG, 1200 x 1000"}},
    )
    def haze_map() -> Response:
        """The haze map of the latest forecast, 08 to 08 or 20 to 20 Beijing time."""
        path = Path(_latest(store).map_path)
        if not path.is_file():
            raise HTTPException(404, "the map of the latest forecast is gone")
        return Response(path.read_bytes(), media_type="image/png")

    @router.get("/cycles", tags=["service"], responses=_INVALID)
    def cycles(limit: Annotated[int, Query(ge=1, le=500)] = 20) -> list[CycleOut]:
        """The newest forecast cycles with their outcome."""
        return [
            CycleOut(
                id=row.id, init_time=row.init_time, simulated=row.simulated, status=row.status,
                started_at=row.started_at, finished_at=row.finished_at, failed=row.status == "failed",
            )
            for row in store.cycles(limit)
        ]  # fmt: skip

    @router.get("/healthz", tags=["service"])
    def healthz() -> HealthOut:
        """Whether the process is alive."""
        return HealthOut(status="alive")

    @router.get("/readyz", tags=["service"], responses=_NOT_READY)
    def readyz() -> ReadyOut:
        """Whether there is a forecast and it is fresh."""
        run = store.latest_run()
        if run is None:
            raise HTTPException(503, "no forecast is stored")
        age = (datetime.now(UTC) - run.init_time) / timedelta(hours=1)
        if age > settings.stale_after_hours:
            raise HTTPException(
                503, f"the newest forecast is {age:.1f} h old, more than {settings.stale_after_hours:g} h"
            )
        return ReadyOut(status="ready", init_time=run.init_time, age_hours=round(age, 2), simulated=run.simulated)

    return router


def _known(registry: Registry, city_id: str) -> City:
    try:
        return registry.city(city_id)
    except InputError as error:
        raise HTTPException(404, str(error)) from error


def _latest(store: Store) -> ForecastRun:
    run = store.latest_run()
    if run is None:
        raise HTTPException(404, "no forecast is stored yet")
    return run


def _city(city: City, registry: Registry) -> CityOut:
    partners = registry.regions[city.region].partners
    return CityOut(**city.model_dump(), partners=list(partners))


def _forecast(city: City, run: ForecastRun, values: Any) -> ForecastOut:
    zone = ZoneInfo(city.time_zone)

    def hour(row: ForecastValue) -> HourOut:
        time = run.init_time + timedelta(hours=row.lead_time)
        return HourOut(
            lead_time=row.lead_time,
            time=time,
            local_time=time.astimezone(zone),
            pm25=_pollutant(row, "pm25"),
            o3=_pollutant(row, "o3"),
            relative_humidity=row.relative_humidity,
        )

    return ForecastOut(
        city=city.id,
        init_time=run.init_time,
        simulated=run.simulated,
        degraded=run.degraded,
        model_id=run.model_id,
        weather_source=run.weather_source,
        humidity_source=run.humidity_source,
        observations_until=run.observations_until,
        hours=[hour(row) for row in values],
    )


def _pollutant(row: ForecastValue, name: str) -> PollutantOut:
    rounded = {}
    for column in PollutantOut.model_fields:
        value = getattr(row, f"{name}_{column}")
        rounded[column] = None if value is None else round(value, 1)
    return PollutantOut(**rounded)


def _problem(status: int, detail: str, field: str | None = None) -> JSONResponse:
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(content | ({"field": field} if field else {}), status, media_type=_PROBLEM)


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(StarletteHTTPException)
    def http_problem(_: Request, error: StarletteHTTPException) -> Response:
        return _problem(error.status_code, str(error.detail))

    @app.exception_handler(RequestValidationError)
    def validation_problem(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"][1:]))
        return _problem(422, f"{field}: found {first.get('input')!r}; {first['msg']}", field)

    @app.exception_handler(Exception)
    def unexpected_problem(request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return _problem(500, "the service failed; the log says why")


def _add_caching(app: FastAPI, seconds: int) -> None:
    @app.middleware("http")
    async def cache(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        if request.method != "GET" or response.status_code != 200 or not request.url.path.startswith("/v1/"):
            return response
        if request.url.path.rsplit("/", 1)[-1] in ("healthz", "readyz", "cycles"):
            response.headers["Cache-Control"] = "no-store"
            return response
        body = b"".join([part async for part in response.body_iterator])  # type: ignore[attr-defined]
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": f"public, max-age={seconds}"}
        offered = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
        if tag in offered or "*" in offered:
            return Response(status_code=304, headers=headers)
        return Response(body, 200, {**headers, "Content-Type": response.headers["content-type"]})
