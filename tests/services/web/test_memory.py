"""The memory of a process that serves, over many cycles: nothing of an earlier one is held for ever."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from hazecast.services.core.clock import utc_now
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from tests.support.cycles import repeat_cycle
from tests.support.readers import resident_bytes, serving

# Each of them keeps something of a forecast, or of its warnings.
PATHS = (
    "/", "/?lang=en", "/?city=beijing", "/page/map.json", "/embed/beijing", "/v1/cities/beijing/forecast",
    "/v1/cities/tianjin/daily", "/v1/warnings", "/v1/areas", "/v1/map", "/v1/warnings/feed.atom",
    "/v1/cities/beijing/observations", "/v1/forecasts/latest?format=csv", "/v1/forecasts/latest",
)  # fmt: skip
CYCLES, JUDGED, MOST_GROWTH = 12, 8, 0.05


def get(port: int, path: str, coding: str) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
        connection.request("GET", path, headers={"Accept-Encoding": coding})
        answer = connection.getresponse()
        assert answer.read() and answer.status == 200, path


@pytest.mark.slowest
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is counted differently elsewhere")
def test_memory_is_flat_over_twelve_cycles(tmp_path: Path) -> None:
    first = f"{utc_now() - timedelta(hours=CYCLES + 1):%Y-%m-%dT%H:00Z}"
    command = [
        sys.executable,
        "-m",
        "hazecast.services.cli.app",
        "run",
        "--init-time",
        first,
        "--data-dir",
        str(tmp_path),
    ]
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode in (0, 3), done.stderr
    store, sizes = Store(Settings(data_dir=tmp_path).database_url), []
    with serving(tmp_path) as server, ThreadPoolExecutor(4) as readers:
        for number in range(CYCLES):
            if number:
                repeat_cycle(store, tmp_path, 1)
            asked = [(path, coding) for path in PATHS for coding in ("identity", "gzip")] * 2
            assert list(readers.map(lambda one: get(server.port, *one), asked)) == [None] * len(asked)
            sizes.append(resident_bytes(server.process.pid) / 1e6)
    store.close()
    print("MB after each cycle:", *np.round(sizes))
    judged = sizes[-JUDGED:]
    assert max(judged) <= judged[0] * (1 + MOST_GROWTH), sizes
