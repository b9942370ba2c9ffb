"""The service's own state: health, readiness, jobs, and metrics for Prometheus."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import choose_encoder
from starlette.routing import Route

from hazecast.grids.errors import InputError
from hazecast.services.core.clock import Clock
from hazecast.services.core.settings import Settings
from hazecast.services.observability.health import examine
from hazecast.services.observability.metrics import new_registry
from hazecast.services.observability.requests import Requests
from hazecast.services.scheduling.board import JobState, RunState, job_runs, job_states
from hazecast.services.scheduling.jobs import job_named
from hazecast.services.store.store import Store
from hazecast.services.web.access import require
from hazecast.services.web.answers import not_stored
from hazecast.services.web.problems import problem
from hazecast.services.web.routes.common import DENIED, INVALID, NOT_FOUND, NOT_READY
from hazecast.services.web.schemas.forecasts import CheckOut, HealthOut, ReadyOut

METRICS_PATH = "/metrics"


def operation_routes(store: Store, settings: Settings, clock: Clock) -> APIRouter:
    """Return the routes of the service's own state."""
    router = APIRouter(tags=["service"], dependencies=[Depends(not_stored)])

    @router.get("/healthz")
    async def healthz() -> HealthOut:
        """Whether the process is alive."""
        return HealthOut(status="alive")

    @router.get("/readyz", response_model=ReadyOut, responses=NOT_READY)
    def readyz() -> ReadyOut | JSONResponse:
        """Whether the service can be relied on: database, schema, scheduler, and a fresh forecast."""
        now = clock()
        health = examine(store, settings, now)
        checks = [asdict(check) for check in health.checks]
        if health.status == "unready" or health.run is None:
            return problem(503, health.faults, more={"checks": checks})
        age = (now - health.run.init_time) / timedelta(hours=1)
        return ReadyOut(
            status=health.status,
            init_time=health.run.init_time,
            age_hours=round(age, 2),
            simulated=health.run.simulated,
            checks=[CheckOut(**check) for check in checks],
        )

    reader = [Depends(require("jobs:read"))]

    @router.get("/jobs", responses=DENIED, dependencies=reader)
    def jobs() -> list[JobState]:
        """The scheduled jobs: when each is due next, and how it last ended."""
        return job_states(store, settings)

    @router.get("/jobs/{name}/runs", responses=DENIED | NOT_FOUND | INVALID, dependencies=reader)
    def runs(
        name: Annotated[str, Path(description="name of a job")],
        limit: Annotated[int, Query(ge=1, le=500)] = 20,
        before: Annotated[
            int | None, Query(ge=1, le=2**31 - 1, description="only runs with a smaller id: the next page")
        ] = None,
    ) -> list[RunState]:
        """The newest runs of a job, newest first."""
        try:
            job_named(name, settings)
        except InputError as error:
            raise HTTPException(404, str(error)) from error
        return job_runs(store, name, limit, before)

    return router


def add_operation(app: FastAPI, store: Store, settings: Settings, clock: Clock) -> None:
    """Give every request its id, log line and metrics, and Prometheus its page; the last of all middleware."""
    registry = new_registry(store, settings, clock)

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    app.add_route(METRICS_PATH, metrics, include_in_schema=False)
    plain = [route.path for route in app.routes if isinstance(route, Route)]
    app.add_middleware(Requests, templates=lambda: [*app.openapi()["paths"], *plain], registry=registry)
