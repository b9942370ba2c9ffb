"""The REST API under ``/v1``: cities and forecasts; warnings, maps and the service's own state beside it."""

from __future__ import annotations

import hashlib
import logging
import reprlib
from datetime import timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from grids.cities import City, Registry, load_registry
from services.accounts.routes import account_routes, administration_routes
from services.api_bulletins import bulletin_routes
from services.api_common import INVALID, NOT_FOUND, UNCHANGED, known_city, latest_run
from services.api_drafts import draft_routes
from services.api_maps import map_routes
from services.api_models import (
    CityOut,
    CycleOut,
    ForecastOut,
    HourOut,
    PollutantOut,
)
from services.api_operation import add_operation, operation_routes
from services.api_studies import study_routes
from services.api_verification import verification_routes
from services.api_warnings import warning_routes
from services.database import StoreError
from services.delivery.api import subscription_routes
from services.edge.protect import limit_requests, protect
from services.observability.requests import id_headers
from services.problems import problem
from services.rules import prepare_rules
from services.settings import Settings
from services.store import Store
from services.tables import ForecastRun, ForecastValue

log = logging.getLogger(__name__)

# What a route says of its answer, besides its type.
_KEPT_HEADERS = ("vary", "content-disposition", "content-language", "content-security-policy")


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
    registry = load_registry()
    for routes in (
        _routes(store, settings, registry),
        warning_routes(store, settings, registry),
        map_routes(store, registry),
        verification_routes(store, settings, registry),
        subscription_routes(store, settings, registry),
        draft_routes(store),
        account_routes(store, settings),
        administration_routes(store, settings),
        operation_routes(store, settings),
        bulletin_routes(store, settings, registry),
        study_routes(store, registry),
    ):
        app.include_router(routes, prefix="/v1")
    app.add_api_route("/", lambda: RedirectResponse("/docs"), include_in_schema=False)
    _add_problems(app)
    limit_requests(app, settings)
    _add_caching(app, settings.cache_seconds)
    protect(app, settings, store.sessions)
    add_operation(app, store, settings)
    return app


def _routes(store: Store, settings: Settings, registry: Registry) -> APIRouter:
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


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(StarletteHTTPException)
    def http_problem(_: Request, error: StarletteHTTPException) -> Response:
        return problem(error.status_code, str(error.detail), getattr(error, "field", None), error.headers)

    @app.exception_handler(RequestValidationError)
    def validation_problem(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"][1:]))
        return problem(422, f"{field}: found {reprlib.repr(first.get('input'))}; {first['msg']}", field)

    @app.exception_handler(StoreError)
    def store_problem(request: Request, error: StoreError) -> Response:
        log.error("%s %s: %s", request.method, request.url.path, error)
        return problem(503, "the store can't be reached now; try again later", headers={"Retry-After": "30"})

    @app.exception_handler(Exception)
    def unexpected_problem(request: Request, error: Exception) -> Response:
        log.error("%s %r failed", request.method, request.url.path, exc_info=error)
        return problem(500, "the service failed; the log says why", headers=id_headers())


def _add_caching(app: FastAPI, seconds: int) -> None:
    @app.middleware("http")
    async def cache(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        if request.method != "GET" or response.status_code != 200 or not request.url.path.startswith("/v1/"):
            return response
        if "cache-control" in response.headers:
            # The route knows better: what is one account's alone, and streams, which have no end.
            return response
        if request.url.path.rsplit("/", 1)[-1] in ("healthz", "readyz", "cycles", "jobs", "runs"):
            response.headers["Cache-Control"] = "no-store"
            return response
        body = b"".join([part async for part in response.body_iterator])  # type: ignore[attr-defined]
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": f"public, max-age={seconds}"}
        headers |= {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        offered = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
        if tag in offered or "*" in offered:
            return Response(status_code=304, headers=headers)
        return Response(body, 200, {**headers, "Content-Type": response.headers["content-type"]})
