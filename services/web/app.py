"""The app: the REST API under ``/v1``, the page and the console, behind the edge that every request passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import Depends, FastAPI

from hazecast import __version__
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.pauses import give_memory_back, keep_loaded, shorten_waits
from hazecast.services.core.places import CurrentCities
from hazecast.services.core.settings import Settings
from hazecast.services.delivery.stream_places import REFRESH_SECONDS
from hazecast.services.store.reads import public_version
from hazecast.services.web.answers import AnswerCache
from hazecast.services.web.arguments import only_known_arguments
from hazecast.services.web.dependencies import Service, make_service
from hazecast.services.web.documents import TAGS, describe, operation_id
from hazecast.services.web.edge.protect import limit_requests, protect
from hazecast.services.web.page.console import console_routes
from hazecast.services.web.page.missing import missing_page
from hazecast.services.web.page.reference import reference_routes
from hazecast.services.web.page.routes import page_routes
from hazecast.services.web.problems import add_problems
from hazecast.services.web.routes import (
    accounts,
    administration,
    bulletins,
    cities,
    climatology,
    draft_preview,
    drafts,
    events,
    forecasts,
    maps,
    observations,
    operation,
    own_cities,
    points,
    problems,
    products,
    pushes,
    stations,
    studies,
    study_jobs,
    study_runs,
    subscriptions,
    verification,
    warnings,
)
from hazecast.services.web.routes.common import INVALID

# By then most of what a process loads when it is first asked for something is there.
_LOADED_SECONDS = 60.0
# How often memory that a cycle's readers needed is given back.
_HOUSE_SECONDS = 30.0
# How soon a changed file of own cities is seen.
_CITIES_SECONDS = 2.0
_ROUTERS = (
    cities.router,
    problems.router,
    forecasts.router,
    points.router,
    observations.router,
    stations.router,
    pushes.router,
    warnings.router,
    maps.router,
    products.router,
    verification.router,
    # Before the routes of a subscription by id: its events are theirs.
    events.router,
    subscriptions.router,
    subscriptions.pages,
    drafts.router,
    draft_preview.router,
    accounts.router,
    administration.router,
    own_cities.router,
    operation.router,
    bulletins.router,
    # Before the routes of a study by name: a table is one of them.
    studies.router,
    study_runs.router,
    study_jobs.router,
    climatology.router,
)


def create_app(settings: Settings, *, clock: Clock = utc_now, closes: bool = False) -> FastAPI:
    """Build the API on the store that `settings` names; the schema is brought up to date first.

    Parameters
    ----------
    settings : Settings
    clock : callable
        Gives the current time, aware: what is stored, stale, in force, expired or outdated depends on it.
    closes : bool
        Whether the app's end is that of its process: its store is then closed, and its subprocesses end.

    Returns
    -------
    FastAPI

    Raises
    ------
    InputError
        If the rule sets, or the key for CAP messages, can't be used.
    StoreError
        If the store can't be reached.
    """
    app = FastAPI(
        title="Hazecast",
        version=__version__,
        description="Air-quality forecasts and haze warnings. Times are ISO 8601 with offset; concentrations ug/m3. "
        "What is based on simulated input says `simulated: true`.",
        openapi_tags=TAGS,
        # Their pages load scripts from elsewhere; the service has one of its own.
        docs_url=None,
        redoc_url=None,
        # Such a redirect names the scheme and the host of the request, which the sender makes up.
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        lifespan=partial(_running, closes=closes),
        # The service has metrics and logs of its own; looking for another's would cost every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    places = CurrentCities(settings)
    service = app.state.service = make_service(settings, places, clock)
    for router in _ROUTERS:
        app.include_router(router, prefix="/v1", dependencies=[Depends(only_known_arguments)], responses=INVALID)
    app.router.routes.extend(page_routes(service.store, settings, places, service.book, service.pool, clock))
    app.router.routes.extend(console_routes(settings, places, service.book))
    add_problems(app, settings.data_dir, partial(missing_page, settings=settings))
    describe(app)
    app.router.routes.extend(reference_routes(app.openapi, settings.answers.cache_seconds))
    limit_requests(app, settings)
    app.add_middleware(
        AnswerCache,
        find_version=lambda: (public_version(service.store), places()),
        find_token=lambda: (service.changes.token(), places()),
        max_age=settings.answers.cache_seconds,
        check_seconds=settings.answers.answers_check_seconds,
        memory=settings.answers.answers_memory_mb * 2**20,
        clock=clock,
        unversioned=("/v1/healthz",),
    )
    protect(app, settings, service.store.sessions, service.shared, clock)
    operation.add_operation(app, service)
    return app


@asynccontextmanager
async def _running(app: FastAPI, closes: bool) -> AsyncIterator[None]:
    """Listen for what other processes write, and tell them of the open streams, while a server runs the app."""
    service: Service = app.state.service
    service.changes.start()
    service.study_runner.start()
    tasks = [asyncio.create_task(one(service)) for one in (_refresh, _follow_cities)]
    if closes:
        # Builds all routes, which the first request would wait for: a second of processor time on the event loop.
        app.openapi()
        shorten_waits()
        tasks.append(asyncio.create_task(_keep_house()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        if closes:
            await _streams_ended(service)
            await asyncio.to_thread(service.close)
        else:
            await asyncio.to_thread(service.study_runner.stop)
            await asyncio.to_thread(service.study_runner.join)
            await asyncio.to_thread(service.changes.close)


async def _refresh(service: Service) -> None:
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        await asyncio.to_thread(service.stream_places.refresh)


async def _keep_house() -> None:
    await asyncio.sleep(_LOADED_SECONDS)
    keep_loaded()
    while True:
        await asyncio.to_thread(give_memory_back)
        await asyncio.sleep(_HOUSE_SECONDS)


async def _follow_cities(service: Service) -> None:
    """Show what is added, changed or withdrawn in the folder of own cities, by whatever process or person."""
    while True:
        await asyncio.sleep(_CITIES_SECONDS)
        await asyncio.to_thread(service.cities.refresh)


async def _streams_ended(service: Service) -> None:
    # They were cut off just now, and still give their places back.
    for _ in range(100):
        if service.stream_places.empty:
            return
        await asyncio.sleep(0.02)
