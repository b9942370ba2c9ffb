"""A scheduler in a process of its own, with a fast job that leaves a line at its start and one at its end.

Run as ``python -m tests.support.scheduler_process DATABASE_URL FOLDER``.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime
from pathlib import Path

from hazecast.services.core.settings import Settings
from hazecast.services.scheduling import service
from hazecast.services.scheduling.spec import Every, Job, JobResult
from tests.support.settings import make_settings

SECONDS = 0.3
FAST = Job(
    "fast",
    "tests.support.scheduler_process:leave_lines",
    Every(2.0),
    "Leaves a line at its start and one at its end.",
    limit_seconds=20.0,
    grace_seconds=600.0,
    catch_up="each",
    rerun=True,
    keep_process=True,
)


def leave_lines(settings: Settings, due: datetime) -> JobResult:
    """Leave the lines in the file ``lines`` of the data folder; while there is a file ``hold``, don't end."""
    _line(settings, "start", due)
    time.sleep(SECONDS)
    while (settings.data_dir / "hold").exists():
        time.sleep(0.05)
    _line(settings, "end", due)
    return JobResult("done", f"due {due.isoformat()}")


def _line(settings: Settings, what: str, due: datetime) -> None:
    text = f"{time.time():.6f} {what} {due.isoformat()} {os.getpid()}\n"
    with open(settings.data_dir / "lines", "a", encoding="utf-8") as file:
        file.write(text)


def main(database_url: str, folder: str) -> None:
    """Schedule until stopped."""
    from hazecast.services.web.server import schedule

    service.all_jobs = lambda _: (FAST,)
    settings = make_settings(
        data_dir=Path(folder), database_url=database_url, scheduler_beat_seconds=0.3, stop_seconds=5.0
    )
    schedule(settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
