"""The server process: the API with a scheduler in a thread of its own, or before several workers, or a scheduler alone."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from hazecast.services.core.logs import configure_logging
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.service import Scheduler
from hazecast.services.store.database import make_engine, migrate

log = logging.getLogger(__name__)

# Event streams have no end: when the service stops, they are cut off after this time.
_CLOSING_SECONDS = 10
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(
    settings: Settings, *, host: str | None, port: int | None, with_scheduler: bool, workers: int | None = None
) -> list[str]:
    """Serve until stopped by a signal.

    Parameters
    ----------
    settings : Settings
    host : str or None
        By default that of the settings.
    port : int or None
        By default that of the settings.
    with_scheduler : bool
        Whether jobs run and messages are delivered in this process too.
    workers : int, optional
        Processes that answer requests, by default that of the settings; if more than one, none of them is this one.

    Returns
    -------
    list of str
        Names of the jobs that had to be stopped.

    Raises
    ------
    InputError
        If the settings can't be used.
    StoreError
        If the store can't be reached, or a worker could not start.
    """
    from hazecast.services.web.edge.listening import server_options

    configure_logging(settings)
    count = workers or settings.server.workers
    options = {
        "host": host or settings.server.host,
        "port": port or settings.server.port,
        "log_config": None,
        "access_log": False,
        "timeout_graceful_shutdown": _CLOSING_SECONDS,
        **server_options(settings),
    }
    # Before the scheduler: it needs the newest schema.
    run = _one_process(settings, options) if count == 1 else _several_processes(settings, count, options)
    with _stopping() as stop, _scheduler(settings, with_scheduler) as stopped, _delivery(settings, with_scheduler):
        run(stop)
    return stopped


def _one_process(settings: Settings, options: dict[str, Any]) -> Callable[[threading.Event], None]:
    import uvicorn

    from hazecast.services.web.app import create_app

    app = create_app(settings, closes=True)
    server = uvicorn.Server(uvicorn.Config(app, **options))

    def run(stop: threading.Event) -> None:
        try:
            # Now, not only once it serves: no signal is lost between. One that came before this is in `stop`.
            for number in _SIGNALS:
                signal.signal(number, server.handle_exit)
            server.should_exit = server.should_exit or stop.is_set()
            server.run()
        finally:
            # A second signal skips the app's own end.
            app.state.service.close()

    return run


def _several_processes(settings: Settings, count: int, options: dict[str, Any]) -> Callable[[threading.Event], None]:
    from hazecast.services.web.workers import check_settings, serve_workers

    check_settings(settings)
    return partial(serve_workers, settings, count, options)


def schedule(settings: Settings) -> list[str]:
    """Run a scheduler alone until stopped by a signal; return the names of the jobs that had to be stopped."""
    configure_logging(settings)
    engine = make_engine(settings.database_url)
    migrate(engine)
    engine.dispose()
    with _stopping() as stop, _scheduler(settings, True) as stopped, _delivery(settings, True):
        stop.wait()
    return stopped


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    # Uvicorn handles the signals while it serves, and raises them again when it ends: they must not kill the process then.
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _scheduler(settings: Settings, wanted: bool) -> Iterator[list[str]]:
    stopped: list[str] = []
    scheduler = Scheduler(settings) if wanted else None
    if scheduler is not None:
        scheduler.start()
    try:
        yield stopped
    finally:
        if scheduler is not None:
            log.info("stopping: running jobs may go on for %g s", settings.schedule.stop_seconds)
            stopped.extend(scheduler.stop())


def _delivery(settings: Settings, wanted: bool) -> AbstractContextManager[None]:
    from hazecast.services.delivery.service import delivering

    return delivering(settings) if wanted else nullcontext()
