"""A GRIB2 cycle to weather at all cities, against cfgrib with xarray and against bare decoding.

Goals: at most 0.25 of the time of cfgrib and xarray, at most 1.3 times the bare decode of the
same messages, and less than 1 GB of memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hazecast.grids.contract import WEATHER
from hazecast.grids.places.cities import load_registry
from hazecast.grids.weather.codec import eccodes
from hazecast.grids.weather.grib import read_grib_at_cities
from tests.benchmarks.gfs_cycle import HOURS, PACKING, write_gfs_cycle
from tests.benchmarks.gfs_ways import bare, plain
from tests.support.paths import ROOT

ROUNDS = 2


@pytest.fixture(scope="module")
def cycle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gfs_cycle(tmp_path_factory.mktemp("gfs") / "cycle.grib2")


@pytest.fixture(scope="module")
def one_hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gfs_cycle(tmp_path_factory.mktemp("gfs") / "hour.grib2", HOURS[:1])


def in_own_process(way: str, *files: Path) -> list[float]:
    """Return seconds, processor seconds and peak memory in bytes."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.gfs_ways", way, *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return [float(number) for number in run.stdout.split()]


def test_the_ways_do_the_same_work(cycle) -> None:
    with cycle.open("rb") as file:
        first = eccodes.codes_grib_new_from_file(file)
        assert eccodes.codes_get(first, "packingType") == PACKING
        eccodes.codes_release(first)
    cities = list(load_registry().cities.values())
    ours, theirs = read_grib_at_cities(cycle, cities), plain(cycle, cities)
    assert bare(cycle, cities) == len([name for name in ours if name in WEATHER]) * len(HOURS) == 9 * 41
    for name in ("t2m", "d2m", "u10", "v10", "sp", "blh"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-3)


def test_cycle_at_all_cities(benchmark, one_hour, cycle) -> None:
    ways: dict[str, list[list[float]]] = {"plain": [], "bare": [], "hazecast": []}

    def peers() -> None:
        # In turns, so that a busy machine slows all alike.
        for way, runs in ways.items():
            runs.append(in_own_process(way, one_hour, cycle))

    cities = list(load_registry().cities.values())
    benchmark.pedantic(read_grib_at_cities, args=(cycle, cities), setup=peers, rounds=ROUNDS)
    best = {way: np.min(runs, axis=0) for way, runs in ways.items()}
    (of_plain, cpu_of_plain), (of_bare, cpu_of_bare) = (
        best["hazecast"][:2] / best[way][:2] for way in ("plain", "bare")
    )
    peak = max(run[2] for run in ways["hazecast"]) / 1e9
    benchmark.extra_info |= {"of plain": of_plain, "of bare": of_bare, "peak GB": peak}
    print(
        f"\nGRIB2 cycle, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}: seconds (processor seconds)"
        f"\n  hazecast         {best['hazecast'][0]:6.2f} ({best['hazecast'][1]:.2f}), peak {peak:.2f} GB (goal 1)"
        f"\n  cfgrib, xarray   {best['plain'][0]:6.2f} ({best['plain'][1]:.2f}): {of_plain:.3f} of it (goal 0.25)"
        f"; {cpu_of_plain:.2f} of its processor time"
        f"\n  bare decode      {best['bare'][0]:6.2f} ({best['bare'][1]:.2f}): {of_bare:.2f} times (goal 1.3)"
        f"; {cpu_of_bare:.2f} of its processor time"
    )
    assert of_plain <= 0.25 and of_bare <= 1.3 and peak < 1.0
