"""The server process and its signals; in all its states: ``python -m tests.tools.stops``."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hazecast.services.web import server
from tests.support.settings import make_settings


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.timeout(300)
def test_a_signal_that_comes_before_it_serves_is_not_lost(tmp_path, monkeypatch) -> None:
    @contextmanager
    def told_to_end(*_: object) -> Iterator[None]:
        # Between the start of what runs beside the server and the server itself.
        os.kill(os.getpid(), signal.SIGTERM)
        yield

    monkeypatch.setattr(server, "_delivery", told_to_end)
    before = signal.getsignal(signal.SIGTERM)
    settings = make_settings(data_dir=tmp_path)
    assert server.serve(settings, host="127.0.0.1", port=0, with_scheduler=False) == []
    assert signal.getsignal(signal.SIGTERM) is before
