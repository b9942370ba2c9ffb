"""The API process starts light: what draws, trains, decodes or typesets is loaded when it is first needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

HEAVY = ("torch", "lightgbm", "sklearn", "typst", "eccodes", "netCDF4", "matplotlib", "cartopy", "scipy")
PEAK_MB = 200.0
# VmHWM, not ru_maxrss: the latter counts the parent's memory too, which a process has until it executes its program.
PROGRAM = f"""
import json, sys
from pathlib import Path

from hazecast.services.core.settings import Settings
from hazecast.services.web.app import create_app

create_app(Settings(data_dir=Path(sys.argv[1])))
loaded = [name for name in {HEAVY!r} if name in sys.modules]
status = Path("/proc/self/status")
peak = None
if status.exists():
    peak = next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
print(json.dumps({{"loaded": loaded, "peak": peak}}))
"""


@pytest.fixture(scope="module")
def started(tmp_path_factory) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path_factory.mktemp("data"))],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_it_loads_no_heavy_package(started) -> None:
    assert started["loaded"] == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is counted differently elsewhere")
def test_it_takes_little_memory(started) -> None:
    assert started["peak"] < PEAK_MB
