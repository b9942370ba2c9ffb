"""The REST API under ``/v1``: cities, forecasts, and the health of the service; warnings and maps beside it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response

from hazecast import __version__
from hazecast.grids.places.cities import City, Registry, load_registry
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.store.reads import count_commits, public_version
from hazecast.services.store.store import Store
from hazecast.services.web.answers import Answers, keep, not_stored
from hazecast.services.web.documents import TAGS, describe, operation_id
from hazecast.services.web.edge.protect import limit_requests, protect
from hazecast.services.web.negotiate import AsFormat, Format, answer, as_csv, as_json, choose, point, representations
from hazecast.services.web.page.console import console_routes
from hazecast.services.web.page.routes import page_routes
from hazecast.services.web.places import Chosen
from hazecast.services.web.problems import KINDS, add_problems
from hazecast.services.web.routes.accounts import account_routes, administration_routes
from hazecast.services.web.routes.bulletins import bulletin_routes
from hazecast.services.web.routes.climatology import climatology_routes
from hazecast.services.web.routes.common import INVALID, NOT_FOUND, UNCHANGED, known_city
from hazecast.services.web.routes.drafts import draft_routes
from hazecast.services.web.routes.forecasts import forecast_routes
from hazecast.services.web.routes.maps import map_routes
from hazecast.services.web.routes.observations import observation_routes
from hazecast.services.web.routes.operation import add_operation, operation_routes
from hazecast.services.web.routes.products import product_routes
from hazecast.services.web.routes.studies import study_routes
from hazecast.services.web.routes.subscriptions import subscription_routes
from hazecast.services.web.routes.verification import verification_routes
from hazecast.services.web.routes.warnings import warning_routes
from hazecast.services.web.schemas.forecasts import CitiesOut, CityOut, CycleOut, ProblemTypeOut

_PLACES: tuple[Format, ...] = ("json", "geojson", "csv")


def create_app(settings: Settings, *, registry: Registry | None = None, clock: Clock = utc_now) -> FastAPI:
    """Build the API on the store that `settings` names; the schema is brought up to date first.

    Parameters
    ----------
    settings : Settings
    registry : Registry, optional
        The cities; by default those that Hazecast ships.
    clock : callable
        Gives the current time, aware: what is stored, stale, in force, expired or outdated goes by it.
    """
    book = rule_book(settings)
    store = Store(settings.database_url, clock)
    store.migrate()
    app = FastAPI(
        title="Hazecast",
        version=__version__,
        description="Air-quality forecasts and haze warnings. Times are ISO 8601 with offset; concentrations ug/m3. "
        "What rests on simulated input says `simulated: true`.",
        openapi_tags=TAGS,
        generate_unique_id_function=operation_id,
        # The service has metrics and logs of its own; looking for another's would cost every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    registry = registry or load_registry()
    for routes in (
        _routes(store, settings, registry),
        forecast_routes(store, registry),
        observation_routes(store, registry),
        warning_routes(store, settings, registry, book, clock),
        map_routes(store, registry, book),
        product_routes(store, registry),
        verification_routes(store, settings, registry),
        subscription_routes(store, settings, registry, book, clock=clock),
        draft_routes(store, registry, book, clock),
        account_routes(store, settings, clock),
        administration_routes(store, settings, clock),
        operation_routes(store, settings, clock),
        bulletin_routes(store, settings, registry, book, clock),
        study_routes(store, registry),
        climatology_routes(store, registry),
    ):
        app.include_router(routes, prefix="/v1")
    app.router.routes.extend(page_routes(store, settings, registry, book, clock))
    app.router.routes.extend(console_routes(settings, registry, book))
    add_problems(app)
    describe(app)
    limit_requests(app, settings)
    app.add_middleware(
        Answers,
        find_version=lambda: public_version(store),
        count_commits=count_commits,
        max_age=settings.answers.cache_seconds,
        check_seconds=settings.answers.answers_check_seconds,
        memory=settings.answers.answers_memory_mb * 2**20,
        clock=clock,
    )
    protect(app, settings, store.sessions, clock)
    add_operation(app, store, settings, clock)
    return app


def _routes(store: Store, settings: Settings, registry: Registry) -> APIRouter:
    router = APIRouter()

    @router.get("/cities", tags=["places"], responses=INVALID | UNCHANGED | representations(*_PLACES, like=CitiesOut))
    def cities(request: Request, places: Chosen, form: AsFormat = None) -> Response:
        """All cities that are forecast, or some of them."""
        chosen = choose(request, form, _PLACES)
        keep(request)
        found = [_city(city, registry) for city in places.of(registry)]
        if chosen == "json":
            return answer(CitiesOut(found).model_dump_json(), "json")
        rows = [city.model_dump() for city in found]
        if chosen == "csv":
            table = [row | {"partners": " ".join(row["partners"])} for row in rows]
            return answer(as_csv(table, list(CityOut.model_fields)), "csv", name="cities")
        features = [point(row["longitude"], row["latitude"], row["id"], row) for row in rows]
        return answer(as_json({"type": "FeatureCollection", "features": features}), "geojson")

    @router.get("/cities/{city_id}", tags=["places"], responses=NOT_FOUND | UNCHANGED)
    def city(request: Request, city_id: str) -> CityOut:
        """One city."""
        keep(request)
        return _city(known_city(registry, city_id), registry)

    @router.get("/problems/{name}", tags=["service"], responses=NOT_FOUND | UNCHANGED)
    def problem_type(name: str) -> ProblemTypeOut:
        """What a type of problem means, and what to do about it."""
        found = next(((status, *kind) for status, kind in KINDS.items() if kind[0] == name), None)
        if found is None:
            raise HTTPException(404, f"name: found {name}; expected one of {', '.join(k for k, _ in KINDS.values())}")
        status, kind, advice = found
        return ProblemTypeOut(name=kind, status=status, title=HTTPStatus(status).phrase, advice=advice)

    @router.get("/cycles", tags=["service"], responses=INVALID, dependencies=[Depends(not_stored)])
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
