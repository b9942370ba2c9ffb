"""PostgreSQL's driver and eccodes in one process: each has libraries that the other has too, of another version."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ECCODES = "from hazecast.grids.weather.codec import eccodes"
DRIVER = "from hazecast.services.store.database import make_engine; engine = make_engine(sys.argv[1])"
ANSWER = "from sqlalchemy import text; engine.connect().execute(text('SELECT 1')).one()"


@pytest.mark.parametrize("lines", [(ECCODES, DRIVER, ANSWER), (DRIVER, ANSWER, ECCODES)], ids=["second", "first"])
def test_a_process_that_loads_the_driver_beside_eccodes_ends_in_peace(postgres, lines) -> None:
    # A connection is left open, as in a process that is told to end.
    code = "\n".join(["import sys", *lines])
    done = subprocess.run(
        [sys.executable, "-c", code, postgres.url()], env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
