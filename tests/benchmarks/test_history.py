"""Hot reads beside one and beside ten years of history: 4 runs and 8 messages of warnings a day.

The goal is a ratio of at most 1.1 for every read. Run as a program, it prints the table.
"""

from __future__ import annotations

import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, inspect

from hazecast.services.core.settings import Settings
from hazecast.services.store.drafts import warning_row
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import CycleRun, ForecastRun, Warning_
from tests.support.delivery_world import message
from tests.support.history_reads import NOW, READS
from tests.support.settings import make_settings

YEARS = (1, 10)
ROUNDS = 400
CITIES = ("beijing", "tianjin")


def filled(folder: Path, years: int) -> Store:
    """Return a store on SQLite with so many years of runs and warnings before `NOW`."""
    settings: Settings = make_settings(data_dir=folder)
    store = Store(settings.database_url, files=settings.data_dir)
    store.migrate()
    store.clock = lambda: NOW
    times = [NOW - timedelta(hours=6 * n) for n in range(4 * 365 * years)]
    columns = [attribute.key for attribute in inspect(Warning_).column_attrs]
    rows = [warning_row(message(city, at)) for at in times for city in CITIES]
    cycles = [
        {
            "id": n,
            "simulated": False,
            "status": "done",
            "started_at": at,
            "finished_at": at,
            "init_time": at,
            "report": {},
        }
        for n, at in enumerate(times, 1)
    ]
    runs = [
        {
            "cycle_id": n, "init_time": at, "simulated": False, "degraded": False, "model_id": "m", "weather_source": "none",
            "humidity_source": "none", "observations_until": at, "netcdf_path": f"{n}.nc", "map_path": f"{n}.png", "created_at": at,
        }
        for n, at in enumerate(times, 1)
    ]  # fmt: skip
    with store.engine.begin() as connection:
        connection.execute(insert(CycleRun), cycles)
        connection.execute(insert(ForecastRun), runs)
        connection.execute(insert(Warning_), [{name: getattr(row, name) for name in columns} for row in rows])
    return store


def seconds(store: Store, name: str) -> float:
    """Return the best time of a read, s: the mean of the fastest tenth of many."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        READS[name](store)
        taken.append(time.perf_counter() - begun)
    fastest = sorted(taken)[: ROUNDS // 10]
    return sum(fastest) / len(fastest)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    made = {years: filled(tmp_path_factory.mktemp(f"years{years}"), years) for years in YEARS}
    yield made
    for store in made.values():
        store.close()


@pytest.mark.benchmark(group="hot reads beside history")
@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("years", YEARS)
def test_a_hot_read(benchmark, stores, name, years) -> None:
    benchmark(READS[name], stores[years])


def main() -> None:
    """Print each read's time beside one year and its ratio beside ten."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = (filled(Path(folder) / str(years), years) for years in YEARS)
        for name in READS:
            # In turns, so that a busy machine slows both alike.
            pairs = [(seconds(few, name), seconds(many, name)) for _ in range(3)]
            first, second = (min(pair[number] for pair in pairs) for number in (0, 1))
            print(f"{name:14} {first * 1e6:8.0f} us  {second / first:5.2f}")
        few.close()
        many.close()


if __name__ == "__main__":
    main()
