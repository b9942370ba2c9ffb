"""Several processes that answer requests at one address, under Uvicorn's supervisor, which replaces one that dies."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import tempfile
import threading
from functools import partial
from typing import Any

from fastapi import FastAPI

from hazecast.services.core.clock import utc_now
from hazecast.services.core.errors import StoreError
from hazecast.services.core.logs import configure_logging
from hazecast.services.core.places import CurrentCities
from hazecast.services.core.settings import Settings
from hazecast.services.observability.worker_metrics import FOLDER_VARIABLE
from hazecast.services.web.app import create_app
from hazecast.services.web.dependencies import make_service

log = logging.getLogger(__name__)

# Uvicorn replaces a worker that gives no sign of life for so long; one that starts on a busy machine needs some seconds.
_SILENT_SECONDS = 60


def check_settings(settings: Settings) -> None:
    """Make what each worker will make, so that what is wrong is said once, and bring the schema up to date.

    Raises
    ------
    InputError
        If the settings can't be used.
    StoreError
        If the store can't be reached.
    """
    make_service(settings, CurrentCities(settings), utc_now).close()


def serve_workers(settings: Settings, workers: int, options: dict[str, Any], stop: threading.Event) -> None:
    """Serve in several processes until stopped by a signal.

    Parameters
    ----------
    settings : Settings
    workers : int
        Two or more.
    options : dict
        Of Uvicorn's configuration.
    stop : threading.Event
        Set if a signal came before this.

    Raises
    ------
    StoreError
        If a worker could not start.
    """
    import uvicorn
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    with tempfile.TemporaryDirectory(prefix="hazecast-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        config = uvicorn.Config(
            partial(make_worker, settings),
            factory=True,
            workers=workers,
            timeout_worker_healthcheck=_SILENT_SECONDS,
            **options,
        )
        supervisor = Multiprocess(config, [config.bind_socket()])
        try:
            # It has taken the signals over: later ones reach it.
            if not stop.is_set():
                supervisor.run()
        finally:
            del os.environ[FOLDER_VARIABLE]
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            raise StoreError("a worker could not start; its log says why")


def make_worker(settings: Settings) -> FastAPI:
    """Return the app of a worker: called in its process, which ends with the app, or with the process that started it."""
    configure_logging(settings)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    return create_app(settings, closes=True)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        log.error("the process that started this worker is gone: it ends too")
        os.kill(os.getpid(), signal.SIGTERM)
