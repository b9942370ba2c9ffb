"""PostgreSQL ends all connections in the middle of a stage, as at its restart: all of the stage is stored or nothing.

The same store does the work again over a new connection; nobody starts a process anew.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import event, make_url

from hazecast.grids.observations.station_cities import NetworkStation
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import MEASURED_ZERO
from hazecast.services.core.errors import StoreError
from hazecast.services.delivery.channel import Outcome
from hazecast.services.sources.monitors.interface import Batch
from hazecast.services.store import backup
from hazecast.services.store.monitors import save_readings
from hazecast.services.store.recovery import INTERRUPTED
from hazecast.services.store.retention import prune
from hazecast.services.store.station_hours import stored_hours
from hazecast.services.store.store import Store
from tests.support.delivery_world import World
from tests.support.forecasts import save_run
from tests.support.monitor_publishers import HOUR, LAST, NOW
from tests.support.settings import make_settings

SOURCE = SimpleNamespace(name="net", kind="measurement", reporting=MEASURED_ZERO)
ENDED = "terminating connection|connection|lost"


@pytest.fixture
def url(postgres) -> str:
    return postgres.migrated_database()


@pytest.fixture
def store(url, tmp_path):
    made = Store(url, lambda: NOW, tmp_path)
    yield made
    made.close()


@pytest.fixture
def end_all(postgres, url) -> Callable[[], None]:
    """End every connection to the database."""
    name = make_url(url).database
    return lambda: postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


@pytest.fixture
def end_before(store, end_all) -> Callable[[str], None]:
    """End every connection before the next statement that begins with some words."""
    waiting: list[str] = []

    def before(connection, cursor, statement, *_: object) -> None:
        if waiting and statement.startswith(waiting[0]):
            waiting.clear()
            end_all()

    event.listen(store.engine, "before_cursor_execute", before)
    return waiting.append


def batch(hours: range) -> Batch:
    made, station = Batch(), NetworkStation("net", "a", "a", "beijing")
    for back in hours:
        made.add(station, LAST - back * HOUR, [("pm25", 50.0 + back % 3, "ug/m3")])
    return made


@pytest.mark.parametrize("statement", ["INSERT INTO station_observation", "UPDATE station_observation"])
def test_observations(store, end_before, statement) -> None:
    registry = load_registry()
    save_readings(store, SOURCE, batch(range(6, 12)), registry, NOW)
    end_before(statement)
    with pytest.raises(StoreError, match=ENDED):
        save_readings(store, SOURCE, batch(range(6)), registry, NOW)
    assert len(stored_hours(store, "net", LAST - 20 * HOUR, LAST)) == 6
    assert save_readings(store, SOURCE, batch(range(6)), registry, NOW).new == 6


def test_a_run(store, end_before, tmp_path) -> None:
    save_run(store, tmp_path, store.begin_cycle(None, False))
    first = store.latest_run()
    cycle = store.begin_cycle(None, False)
    store.note_files(cycle, LAST, False, [tmp_path / f"cycle{cycle}-{name}" for name in ("f.nc", "m.png")])
    end_before("INSERT INTO forecast_value")
    with pytest.raises(StoreError, match=ENDED):
        save_run(store, tmp_path, cycle, mean=300.0)
    assert store.latest_run().cycle_id == first.cycle_id and Path(store.latest_run().netcdf_path).exists()
    # Its lock went with its connection: it counts as dead, and the next one clears up after it.
    assert store.recover() >= 1
    assert (store.cycles()[0].status, store.cycles()[0].error) == ("failed", INTERRUPTED)
    again = store.begin_cycle(None, False)
    save_run(store, tmp_path, again, mean=300.0)
    assert store.latest_run().cycle_id == again and not list(tmp_path.glob(f"cycle{cycle}-*"))


def test_a_delivery(url, end_all, tmp_path) -> None:
    world = World(tmp_path, url)
    row = world.subscribe()
    for number in range(4):
        world.warn(number=str(number))
    answers = iter([end_all, end_all])

    def answer(_: object) -> Outcome:
        next(answers, lambda: None)()
        return Outcome("delivered", 200)

    world.ear.answer = answer
    dispatcher = world.dispatcher()
    for _ in range(8):
        # The service logs it and goes on.
        with suppress(StoreError):
            dispatcher.run_once()
        world.clock.pass_(minutes=5)
    assert {delivery.state for delivery in world.deliveries(row)} == {"delivered"}
    assert world.ear.once == [delivery.id for delivery in world.deliveries(row)] and len(world.ear.once) == 4
    world.close()


def test_a_backup(url, end_all, tmp_path, monkeypatch) -> None:
    settings = make_settings(data_dir=tmp_path / "data", database_url=url)
    dump, ended = backup.dump_table, []

    def dump_once(*given: object) -> int:
        if not ended:
            ended.append(end_all())
        return dump(*given)

    monkeypatch.setattr(backup, "dump_table", dump_once)
    with pytest.raises(StoreError, match=ENDED):
        backup.back_up(settings, tmp_path / "b.tar")
    assert not list(tmp_path.glob("b.tar*"))
    assert backup.back_up(settings, tmp_path / "b.tar").tables


def test_the_removal_of_old_rows(store, url, end_all, tmp_path) -> None:
    save_run(store, tmp_path, store.begin_cycle(None, False))
    settings = make_settings(data_dir=tmp_path, database_url=url)
    end_all()
    assert prune(settings, NOW).total == 0 and store.latest_run() is not None
