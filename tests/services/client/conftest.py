"""A server for the tests of the client."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from hazecast.services.web.app import create_app


@pytest.fixture(scope="module")
def address(simulated_run) -> Iterator[str]:
    """The address of the API, served on loopback."""
    server = uvicorn.Server(uvicorn.Config(create_app(simulated_run), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
