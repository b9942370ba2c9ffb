"""What importing a module of grids loads, and in which order libraries that clash are loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.paths import ROOT
from tests.support.weather_samples import PLANE, write_grib

HEAVY = ("cartopy", "dask", "eccodes", "scipy.stats", "sklearn", "zarr")
MODULES = (
    "hazecast.grids",
    "hazecast.grids.contract",
    "hazecast.grids.observations.collections",
    "hazecast.grids.observations.station_cities",
    "hazecast.grids.quality.comparison",
    "hazecast.grids.weather.archive_layout",
    "hazecast.grids.weather.files",
    "hazecast.grids.weather.grib",
    "hazecast.grids.weather.sampling",
)


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_importing_grids_loads_no_heavy_library() -> None:
    loaded = python(f"import sys, {', '.join(MODULES)}; print([m for m in {HEAVY} if m in sys.modules])")
    assert loaded == "[]"


@pytest.mark.parametrize(
    "first", ["import cartopy.crs", "import hazecast.grids.weather.files", "import hazecast.grids.weather.codec"]
)
def test_grib2_is_decoded_and_a_map_projected_in_one_process(tmp_path, first) -> None:
    write_grib(tmp_path / "gfs.grib2", [{"shortName": "2t", "step": 1}], [PLANE])
    code = f"""
from pathlib import Path
{first}
from hazecast.grids.weather.files import read_weather
print(len(read_weather(Path({str(tmp_path / "gfs.grib2")!r}))["time"]))
import cartopy.crs as crs
crs.LambertConformal().transform_point(100, 30, crs.PlateCarree())
"""
    assert python(code) == "1"


def test_the_store_has_pythons_sqlite_beside_eccodes() -> None:
    version = "import sqlite3; print(sqlite3.sqlite_version)"
    assert python(f"import hazecast.grids.weather.codec; {version}") == python(version)


def test_eccodes_is_imported_in_one_place() -> None:
    words = ("import eccodes", "from eccodes import")
    found = [
        path.name
        for room in ("grids", "models", "forecast", "alerts", "services")
        for path in (ROOT / room).rglob("*.py")
        if any(line.startswith(words) for line in path.read_text(encoding="utf-8").splitlines())
    ]
    assert found == ["codec.py"]
