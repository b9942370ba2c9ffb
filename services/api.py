"""The REST API under ``/v1``: cities, forecasts, and the health of the service; warnings and maps beside it."""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from grids.cities import City, Registry, load_registry
from services.api_common import INVALID, NOT_FOUND, NOT_READY, UNCHANGED, known_city, latest_run
from services.api_maps import map_routes
from services.api_models import (
    CityOut,
    CycleOut,
    ForecastOut,
    HealthOut,
    HourOut,
    PollutantOut,
    ReadyOut,
)
from services.api_verification import verification_routes
from services.api_warnings import warning_routes
from services.page.routes import page_routes
from services.page.snapshot import Clock, utc_now
from services.rules import prepare_rules
from services.settings import Settings
from services.store import Store
from services.tables import ForecastRun, ForecastValue

log = logging.getLogger(__name__)

_PROBLEM = "application/problem+json"


def create_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Build the API on the store that `settings` names; the schema is brought up to date first.

    `clock` gives the time that the page, the warnings in force and the readiness go by.
    """
    prepare_rules(settings)
    store = Store(settings.database_url)
    store.migrate()
    app = FastAPI(
        title="Hazecast",
        version="1",
        description="Air-quality forecasts and haze warnings. Times are ISO 8601 with offset; concentrations ug/m3. "
        "What rests on simulated input says `simulated: true`.",
    )
    registry = load_registry()
    for routes in (
        _routes(store, settings, registry, clock),
        warning_routes(store, settings, registry, clock),
        map_routes(store, registry),
        verification_routes(store, settings, registry),
    ):
        app.include_router(routes, prefix="/v1")
    app.router.routes.extend(page_routes(store, settings, registry, clock))
    _add_problems(app)
    _add_caching(app, settings.cache_seconds)
    return app


def _routes(store: Store, settings: Settings, registry: Registry, clock: Clock) -> APIRouter:
    router = APIRouter()

    @router.get("/cities", tags=["places"], responses=UNCHANGED)
    def cities() -> list[CityOut]:
        """All cities that are forecast."""
        return [_city(city, registry) for city in registry.cities.values()]

    @router.get("/cities/{city_id}", tags=["places"], responses=NOT_FOUND | UNCHANGED)
    def city(city_id: str) -> CityOut:
        """One city."""
        return _city(known_city(registry, city_id), registry)

    @router.get("/cities/{city_id}/forecast", tags=["forecasts"], responses=NOT_FOUND | UNCHANGED)
    def forecast(city_id: str) -> ForecastOut:
        """The latest forecast of a city: five days of PM2.5 and ozone with their uncertainty."""
        place = known_city(registry, city_id)
        run = latest_run(store)
        values = store.forecast_of(run, city_id)
        if not values:
            raise HTTPException(404, f"the latest forecast ({run.init_time.isoformat()}) has no values for {city_id}")
        return _forecast(place, run, values)

    @router.get("/cycles", tags=["service"], responses=INVALID)
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

    @router.get("/readyz", tags=["service"], responses=NOT_READY)
    def readyz() -> ReadyOut:
        """Whether there is a forecast and it is fresh."""
        run = store.latest_run()
        if run is None:
            raise HTTPException(503, "no forecast is stored")
        age = (clock() - run.init_time) / timedelta(hours=1)
        if age > settings.stale_after_hours:
            raise HTTPException(
                503, f"the newest forecast is {age:.1f} h old, more than {settings.stale_after_hours:g} h"
            )
        return ReadyOut(status="ready", init_time=run.init_time, age_hours=round(age, 2), simulated=run.simulated)

    return router


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
        if "vary" in response.headers:
            headers["Vary"] = response.headers["vary"]
        offered = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
        if tag in offered or "*" in offered:
            return Response(status_code=304, headers=headers)
        return Response(body, 200, {**headers, "Content-Type": response.headers["content-type"]})
