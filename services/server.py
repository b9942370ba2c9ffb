"""The server process: the API, and beside it the scheduler in a thread of its own."""

from __future__ import annotations

import logging
from contextlib import nullcontext

import uvicorn

from services.api import create_app
from services.cycle import run_cycle
from services.delivery.service import delivering
from services.edge.server import server_options
from services.ingest import ingest_live
from services.inputs import LIVE_OBSERVATIONS, LIVE_WEATHER
from services.jobs import build_scheduler
from services.report import CycleReport
from services.settings import Settings
from services.store import Store

log = logging.getLogger(__name__)

# Event streams have no end: when the service stops, they are cut off after this time.
_CLOSING_SECONDS = 5


def scheduled_cycle(settings: Settings) -> CycleReport:
    """Run a cycle; with live weather or live observations, bring in the newest first.

    Nothing that goes wrong with that keeps the cycle from running: it says what it had to do
    without.
    """
    if settings.weather == LIVE_WEATHER or settings.observations_dir == LIVE_OBSERVATIONS:
        try:
            ingest_live(settings)
        except Exception:
            log.exception("ingest failed; the cycle runs with what is there")
    return run_cycle(settings)


def serve(settings: Settings, *, host: str | None, port: int | None, with_scheduler: bool) -> None:
    """Serve until stopped; cycles that an earlier process left running are marked failed first."""
    logging.getLogger().setLevel(logging.INFO)
    store = Store(settings.database_url)
    store.migrate()
    store.recover()
    store.close()
    scheduler = build_scheduler(settings, lambda: scheduled_cycle(settings)) if with_scheduler else None
    if scheduler is not None:
        scheduler.start()
    try:
        with delivering(settings) if with_scheduler else nullcontext():
            uvicorn.run(
                create_app(settings), host=host or settings.host, port=port or settings.port,
                timeout_graceful_shutdown=_CLOSING_SECONDS, **server_options(settings),
            )  # fmt: skip
    finally:
        if scheduler is not None:
            scheduler.shutdown(wait=True)
