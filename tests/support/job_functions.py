"""What jobs of tests do. Little is imported: each run is a process of its own."""

from __future__ import annotations

import os
import signal
import time
from datetime import datetime

from hazecast.services.core.errors import StoreError
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.spec import JobResult


def fine(settings: Settings, due: datetime) -> JobResult:
    """End, with something amiss."""
    return JobResult("degraded", f"due {due.isoformat()}")


def failing(settings: Settings, due: datetime) -> None:
    """Raise."""
    raise RuntimeError("source is down")


def endless(settings: Settings, due: datetime) -> None:
    """Never end."""
    while True:
        time.sleep(0.1)


def dying(settings: Settings, due: datetime) -> None:
    """Be killed."""
    os.kill(os.getpid(), signal.SIGKILL)


def locked_out(settings: Settings, due: datetime) -> None:
    """Find the store locked, but for the second time in the folder."""
    tried = settings.data_dir / "tried"
    if not tried.exists():
        tried.touch()
        raise StoreError("database is locked")
