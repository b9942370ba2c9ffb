"""A whole cycle of 400 and of 10,000 places, its products and what is served of them: processor time and memory.

It learns from the cycle six hours before it, and scores that. Each number of places is measured in processes of its own; the greatest
memory is that of each step alone. Other numbers: HAZECAST_BENCH_PLACES=400,2000. Run as a module, with
``cycles``, ``products`` or ``reads``, a number and a folder, it does that alone.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from fastapi.testclient import TestClient

from hazecast.grids.contract import LEAD_HOURS, POLLUTANTS, describe
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.web.app import create_app
from hazecast.services.work import cycle
from hazecast.services.work.cycle_products import make_products
from hazecast.services.work.report import CycleReport
from tests.support.many_places import INIT, LONGER, NOW, PLACES, made_registry, made_weather
from tests.support.memory import forget_highest, highest_mb
from tests.support.settings import make_settings

# Hours between the two cycles.
BETWEEN = 6
LATER = INIT + timedelta(minutes=20)
STEPS = ("_read_inputs", "_adapt", "forecast_from", "_warn", "_write_files", "_verify", "_report")
HOUR = np.timedelta64(1, "h")
READS = {
    "page": "/?lang=en",
    "page of a city": "/?lang=en&city=c00000",
    "map of the page": "/page/map.json",
    "list of forecasts": "/v1/forecasts/latest",
    "forecast of a city": "/v1/cities/c00000/forecast",
    "list of warnings": "/v1/warnings",
    "feed of warnings": "/v1/warnings/feed.atom",
}


def prepare(count: int, folder: Path) -> Settings:
    """Write the cities, a month of observations and the weather of the coming days, and return settings on them."""
    (folder / "cities").mkdir()
    (folder / "observed").mkdir()
    cities = list(made_registry(count).cities.values())
    rows = [
        f"{c.id},{c.name_en},{_country(c.longitude)},{c.latitude:.4f},{c.longitude:.4f},Asia/Shanghai" for c in cities
    ]
    table = "\n".join(["id,name_en,country,latitude,longitude,time_zone", *rows, ""])
    (folder / "cities" / "many.csv").write_text(table)
    ids = [c.id for c in cities]
    observed_air(ids).to_netcdf(folder / "observed" / "observations.nc")
    weather = made_weather(ids, 1 - 72 - BETWEEN, LEAD_HOURS)
    # Moist, so that there is haze.
    weather["d2m"] = weather["t2m"] - 1.5
    describe(weather, "city_weather").to_netcdf(folder / "observed" / "city_weather.nc")
    return settings_of(folder)


def settings_of(folder: Path) -> Settings:
    return make_settings(
        data_dir=folder, cities_dir=folder / "cities", shipped_cities=False, observations_dir=folder / "observed", weather="observed",
    )  # fmt: skip


def _country(longitude: float) -> str:
    return "JP" if longitude > 128.0 else "CN"


def observed_air(ids: list[str]) -> xr.Dataset:
    """Hours that follow each other, about a mean of each city's own: from clean to heavily polluted."""
    random = np.random.default_rng(2)
    means = np.exp(random.normal(4.0, 0.6, len(ids)))
    noise = np.zeros((LONGER, len(ids)))
    for hour in range(1, LONGER):
        noise[hour] = 0.95 * noise[hour - 1] + random.normal(0.0, 0.12, len(ids))
    air = (means * np.exp(noise)).astype(np.float32)
    data = {
        name: (("time", "city"), air * np.float32(share))
        for name, share in zip(POLLUTANTS, (1, 0.8, 1.5, 0.5, 0.2, 10), strict=True)
    }
    times = NOW - np.arange(LONGER - 1, -1, -1) * HOUR
    return describe(xr.Dataset(data, {"time": times, "city": ids}, {"source": "benchmark"}), "observations")


def processor() -> float:
    """Processor time of this process and of its children that have ended, s."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


class Measured:
    """Processor seconds and greatest memory of steps, by name."""

    def __init__(self) -> None:
        self.found: dict[str, float] = {}
        # Of the steps that have begun, one within the other, the greatest memory so far.
        self._within: list[float] = []
        self.cycle = ""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        if self._within:
            self._within[-1] = max(self._within[-1], highest_mb())
        self._within.append(0.0)
        forget_highest()
        start, began = processor(), time.monotonic()
        yield
        peak = max(self._within.pop(), highest_mb())
        if self._within:
            self._within[-1] = max(self._within[-1], peak)
        self.found[f"{name}, s"] = round(processor() - start, 2)
        self.found[f"{name}, MB"] = round(peak)
        print(
            f"{name}: {self.found[f'{name}, s']} s, {time.monotonic() - began:.1f} s by the clock",
            file=sys.stderr,
            flush=True,
        )

    def watch(self, owner: Any, name: str, label: str) -> None:
        """Measure a function whenever it is called, under the name of the cycle that runs."""
        function: Callable[..., Any] = getattr(owner, name)

        @wraps(function)
        def measured(*arguments: Any, **named: Any) -> Any:
            with self.step(f"{self.cycle}: {label}"):
                return function(*arguments, **named)

        setattr(owner, name, measured)


def run(settings: Settings, measured: Measured, name: str, init_time: datetime) -> CycleReport:
    measured.cycle = name
    with measured.step(f"{name}: all"):
        return cycle.run_cycle(settings, init_time=init_time, clock=lambda: init_time + timedelta(minutes=10))


def run_two(count: int, folder: Path) -> dict[str, float]:
    """Run a cycle of so many places, after one before it."""
    settings, measured = prepare(count, folder), Measured()
    for name in STEPS:
        measured.watch(cycle, name, name.strip("_").replace("_", " "))
    measured.watch(cycle.Store, "save_run", "store")
    # What the cycle that is measured learns from and scores; nobody is warned by it.
    warn, cycle._warn = cycle._warn, lambda *_: cycle._Warned([], [], set(), [], [])
    run(settings, measured, "before", INIT - timedelta(hours=BETWEEN))
    cycle._warn = warn
    report = run(settings, measured, "cycle", INIT)
    assert len(report.lines) == count == len(city_registry(settings).cities)
    megabytes = round((folder / "hazecast.db").stat().st_size / 1e6)
    return {"places": count, "warnings": len(report.warnings), "megabytes of the database": megabytes, **measured.found}


def products(folder: Path) -> dict[str, float]:
    """Make the products of the newest run."""
    measured = Measured()
    with measured.step("products"):
        assert not make_products(settings_of(folder), LATER)
    return measured.found


def reads(folder: Path) -> dict[str, float]:
    """Read what was made, each for the first time."""
    measured = Measured()
    client = TestClient(create_app(settings_of(folder), clock=lambda: LATER))
    for name, address in READS.items():
        with measured.step(f"read: {name}"):
            answer = client.get(address)
        assert answer.status_code == 200, answer.text[:300]
        measured.found[f"read: {name}, bytes"] = len(answer.content)
    return measured.found


@pytest.mark.timeout(4 * 3600)
def test_a_whole_cycle_takes_no_more_than_the_number_of_places(tmp_path: Path) -> None:
    results = []
    for count in PLACES:
        folder = tmp_path / str(count)
        folder.mkdir()
        result: dict[str, float] = {}
        for part in PARTS:
            command = [sys.executable, "-m", __name__, part, str(count), str(folder)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=7200)
            result |= json.loads(done.stdout.splitlines()[-1])
        results.append(result)
    print()
    for name in results[0]:
        print(f"{name:36}" + "".join(f"{result[name]:>12}" for result in results))
    few, many = results[0], results[-1]
    more = many["places"] / few["places"]
    for name in few:
        if name.endswith(", s"):
            # What takes seconds at any number, such as to load the libraries, is no growth.
            assert many[name] <= 1.3 * more * few[name] + 5.0, name
        if name.endswith(", MB"):
            assert many[name] <= 4_000, name


PARTS: dict[str, Callable[[int, Path], dict[str, float]]] = {
    "cycles": run_two,
    "products": lambda _, folder: products(folder),
    "reads": lambda _, folder: reads(folder),
}

if __name__ == "__main__":
    print(json.dumps(PARTS[sys.argv[1]](int(sys.argv[2]), Path(sys.argv[3]))))
