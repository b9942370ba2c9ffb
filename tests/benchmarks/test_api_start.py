"""What the API's start costs beside its own third-party packages, which it can't do without: processor time of a process.

The time varies with the machine and its load, the ratio little: it grows where something is loaded that the API doesn't
need, or done that can wait for the first request.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median

from tests.support.paths import ROOT

RUNS = 5
# 2.1 measured; the start includes the migrations of an empty store.
LIMIT = 2.5
FLOOR = "import fastapi, sqlalchemy, alembic, pandas, xarray"
START = """
import sys
from pathlib import Path

from hazecast.services.core.settings import Settings
from hazecast.services.web.app import create_app

create_app(Settings(data_dir=Path(sys.argv[1])))
"""


def processor_seconds(program: str, *arguments: object) -> float:
    """Return the processor time, user and system, of a Python process that runs a program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        check=True,
        timeout=120,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_the_start_costs_little_more_than_its_packages(tmp_path: Path) -> None:
    floor, start = [], []
    # In turn, so that a busy minute falls on both; the first of each, which compiles modules, is not counted.
    for number in range(RUNS + 1):
        floor.append(processor_seconds(FLOOR))
        start.append(processor_seconds(START, tmp_path / str(number)))
    needed, taken = median(floor[1:]), median(start[1:])
    print(f"\nAPI start {taken:.2f} s of processor time, its packages alone {needed:.2f} s: {taken / needed:.2f} times")
    assert taken < LIMIT * needed
