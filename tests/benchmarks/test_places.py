"""A forecast of 400 and of 10,000 places: processor time, memory and bytes of each step, and how they grow.

Each number of places is forecast in a process of its own, so that the greatest memory is that of its forecast alone. Other numbers:
HAZECAST_BENCH_PLACES=400,2000. Run as a module, with a number and a folder, it does one by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from hazecast.forecast.inputs import windows_at
from hazecast.forecast.produce import in_chunks, make_forecast
from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS
from hazecast.grids.places.cities import City
from hazecast.models.registry import load_trained
from hazecast.models.zoo.combined import Combined
from hazecast.services.store.store import Store
from hazecast.services.work.adaptation import with_experts, with_state
from hazecast.services.work.stored_forecast import restore_values, write_netcdf
from tests.support.many_places import INIT, LONGER, NOW, PLACES, made_observations, made_registry, made_weather
from tests.support.memory import forget_highest, highest_mb

# What is demanded of 10,000 places: seconds of processor time for the forecast itself, and bytes.
SECONDS, MEMORY = 60.0, 4 * 10**9


@contextmanager
def measured(found: dict[str, float], step: str) -> Iterator[None]:
    start = time.process_time()
    yield
    found[step] = round(time.process_time() - start, 2)


def one(count: int, folder: Path) -> dict[str, float]:
    """Forecast so many places, write and store the run; return processor seconds, peak memory and bytes."""
    found: dict[str, float] = {"places": count}
    forget_highest()
    registry = made_registry(count)
    ids, cities = list(registry.cities), list(registry.cities.values())
    observations, longer = made_observations(ids, HISTORY_HOURS), made_observations(ids, LONGER)
    past, coming = made_weather(ids, 1 - HISTORY_HOURS, 0), made_weather(ids, 1, LEAD_HOURS)
    model, model_id = load_trained()
    service = Combined(model)
    found["memory of the inputs, MB"] = highest_mb()

    def part(some: list[City]) -> xr.Dataset:
        windows = windows_at(observations, past, some, NOW, future_weather=coming, longer=longer)
        prediction = service.predict(windows)
        assert prediction.experts is not None
        forecast = make_forecast(
            prediction, model_id, windows, [c.id for c in some], NOW, weather_source="benchmark",
            observations_until=NOW, simulated=True, degraded=False,
        )  # fmt: skip
        return with_experts(forecast, windows, prediction.experts)

    with measured(found, "forecast, s"):
        forecast = with_state(in_chunks(cities, part), service)  # type: ignore[arg-type]
    found["memory with the forecast, MB"] = highest_mb()
    file, store = folder / "forecasts" / "run.nc", Store(f"sqlite:///{folder}/store.db", lambda: INIT, folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    with measured(found, "files, s"):
        write_netcdf(forecast, file)
        values = restore_values(file)
    found["NetCDF, MB"], found["plain values, MB"] = file.stat().st_size / 1e6, len(values) / 1e6
    with measured(found, "store, s"):
        store.migrate()
        cycle = store.begin_cycle(INIT, True)
        store.save_run(forecast, observations, [], netcdf_path=file, map_path=file, cycle_id=cycle)
    found["database, MB"] = (folder / "store.db").stat().st_size / 1e6
    found["greatest memory, MB"] = highest_mb()
    return {name: round(value, 1) for name, value in found.items()}


def test_ten_thousand_places_take_no_more_than_their_number(tmp_path: Path) -> None:
    results = []
    for count in PLACES:
        folder = tmp_path / str(count)
        folder.mkdir()
        command = [sys.executable, "-m", __name__, str(count), str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=3600)
        results.append(json.loads(done.stdout.splitlines()[-1]))
    print()
    for name in results[0]:
        print(f"{name:30}" + "".join(f"{result[name]:>12}" for result in results))
    few, many = results[0], results[-1]
    more = many["places"] / few["places"]
    for name in ("forecast, s", "files, s", "store, s", "NetCDF, MB", "database, MB"):
        assert many[name] <= 1.3 * more * few[name], name
    assert many["forecast, s"] <= SECONDS * many["places"] / 10_000
    assert many["greatest memory, MB"] <= MEMORY / 1e6


if __name__ == "__main__":
    print(json.dumps(one(int(sys.argv[1]), Path(sys.argv[2]))))
