"""The service's own state: health, readiness, jobs, and metrics for Prometheus."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import choose_encoder
from starlette.routing import Route

from hazecast.grids.errors import InputError
from hazecast.services.observability.health import examine
from hazecast.services.observability.metrics import new_registry
from hazecast.services.observability.requests import Requests
from hazecast.services.observability.worker_metrics import folder_of_workers
from hazecast.services.scheduling.board import job_runs, job_states
from hazecast.services.scheduling.jobs import job_named
from hazecast.services.scheduling.states import JobState, RunState
from hazecast.services.web.access import require
from hazecast.services.web.answers import not_stored
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.pages import Cursor, Limit, cut, link_next, position
from hazecast.services.web.problems import problem
from hazecast.services.web.routes.common import DENIED, INVALID, NOT_FOUND, NOT_READY
from hazecast.services.web.schemas.forecasts import CheckOut, CycleOut, HealthOut, ReadyOut
from hazecast.services.web.schemas.items import ItemsOut

METRICS_PATH = "/metrics"


router = APIRouter(tags=["service"], dependencies=[Depends(not_stored)])


@router.get("/healthz")
async def healthz() -> HealthOut:
    """Whether the process is alive."""
    return HealthOut(status="alive")


@router.get("/readyz", response_model=ReadyOut, responses=NOT_READY)
def readyz(service: Given) -> ReadyOut | JSONResponse:
    """Whether the service is ready: database, schema, scheduler, and a fresh forecast."""
    now = service.clock()
    health = examine(service.store, service.settings, now)
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


_READER = [Depends(require("jobs:read"))]


@router.get("/jobs", responses=DENIED, dependencies=_READER)
def jobs(service: Given) -> ItemsOut[JobState]:
    """The scheduled jobs: when each is due next, and how it last ended."""
    return ItemsOut(items=job_states(service.store, service.settings))


@router.get("/jobs/{name}/runs", responses=DENIED | NOT_FOUND | INVALID, dependencies=_READER)
def runs(
    service: Given,
    request: Request,
    response: Response,
    name: Annotated[str, Path(description="name of a job")],
    limit: Limit = 20,
    cursor: Cursor = None,
) -> ItemsOut[RunState]:
    """The newest runs of a job, newest first."""
    try:
        job_named(name, service.settings)
    except InputError as error:
        raise HTTPException(404, str(error)) from error
    page, following = cut(job_runs(service.store, name, limit + 1, position(cursor)), limit, lambda run: (run.id,))
    link_next(response, request, following)
    return ItemsOut(items=page, next=following)


@router.get("/cycles", responses=INVALID)
def cycles(
    service: Given, request: Request, response: Response, limit: Limit = 20, cursor: Cursor = None
) -> ItemsOut[CycleOut]:
    """The forecast cycles with their outcome, newest first."""
    page, following = cut(service.store.cycles(limit + 1, position(cursor)), limit, lambda row: (row.id,))
    link_next(response, request, following)
    found = [
        CycleOut(
            id=row.id, init_time=row.init_time, simulated=row.simulated, status=row.status,
            started_at=row.started_at, finished_at=row.finished_at, failed=row.status == "failed",
        )
        for row in page
    ]  # fmt: skip
    return ItemsOut(items=found, next=following)


def add_operation(app: FastAPI, service: Service) -> None:
    """Give every request its id, log line and metrics, and Prometheus its page; the last of all middleware.

    Parameters
    ----------
    app : FastAPI
        With all its routes.
    service : Service
    """
    registry = new_registry(service.store, service.settings, service.clock)

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    app.add_route(METRICS_PATH, metrics, include_in_schema=False)
    plain = [route.path for route in app.routes if isinstance(route, Route)]
    own = registry if folder_of_workers() is None else None
    app.add_middleware(Requests, templates=lambda: [*app.openapi()["paths"], *plain], registry=own)
