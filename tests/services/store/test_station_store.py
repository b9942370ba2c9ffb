"""NetworkStation observations in the store, and forecasts made from what was ingested."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import inspect, select
from sqlalchemy.dialects import postgresql, sqlite

from hazecast.grids.contract import HISTORY_HOURS, check
from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import DISTRUSTED, MEASURED_ZERO, SPIKE, STUCK
from hazecast.services.sources.monitors.interface import Batch
from hazecast.services.store.monitors import save_readings, stored_monitors
from hazecast.services.store.station_hours import stored_hours
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import Base, MonitorStation, StationObservation
from hazecast.services.store.upsert import upsert, upsert_statement
from hazecast.services.work.cycle import run_cycle
from hazecast.services.work.ingest.monitors import ingest_live
from hazecast.services.work.inputs import NO_AIR
from hazecast.services.work.sample import WEATHER_FILE, write_sample
from tests.support import monitor_publishers as publishers
from tests.support.monitor_publishers import HOUR, LAST, NOW, settings_for
from tests.support.settings import changed
from tests.support.source_server import QUICK, serving

REGISTRY = load_registry()


class Network:
    """A source made up of nothing but its name."""

    name, kind, reporting = "net", "measurement", MEASURED_ZERO


@pytest.fixture
def store(databases, tmp_path):
    store = databases.store(tmp_path)
    yield store
    store.close()


def batch_of(values: dict[int, float | None], code: str = "a", city: str = "beijing") -> Batch:
    """Return PM2.5 of a station by hours before LAST."""
    batch = Batch()
    station = NetworkStation("net", code, code, city)
    for back, value in values.items():
        batch.add(station, LAST - back * HOUR, [("pm25", value, "ug/m3")])
    return batch


def save(store: Store, batch: Batch, now: datetime = NOW):
    return save_readings(store, Network(), batch, REGISTRY, now)  # type: ignore[arg-type]


def test_migrations_and_tables_agree(store) -> None:
    with store.engine.connect() as connection:
        inspector = inspect(connection)
        for table in ("station", "station_observation", "station_observation_earlier"):
            columns = {c["name"]: c["nullable"] for c in inspector.get_columns(table)}
            assert columns == {c.name: c.nullable for c in Base.metadata.tables[table].columns}
            keys = inspector.get_pk_constraint(table)["constrained_columns"]
            assert keys == [c.name for c in Base.metadata.tables[table].primary_key]
    store.migrate("base")
    with store.engine.connect() as connection:
        assert "station" not in inspect(connection).get_table_names()
    store.migrate()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_upsert_is_one_statement_for_either_database(dialect) -> None:
    columns = ["id", "name", "city"]
    dialects = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}
    text = str(upsert_statement(MonitorStation, dialect, columns).compile(dialect=dialects[dialect]))
    assert "ON CONFLICT (id) DO UPDATE SET name = excluded.name, city = excluded.city" in text
    with pytest.raises(ValueError, match="mysql"):
        upsert_statement(MonitorStation, "mysql", columns)


def test_upsert_updates_in_place(store) -> None:
    row = {c.name: "" for c in MonitorStation.__table__.columns} | {"id": "x:1", "latitude": 1.0, "longitude": None}
    with store.writing() as connection:
        upsert(connection, MonitorStation, [])
        upsert(connection, MonitorStation, [row])
        upsert(connection, MonitorStation, [{**row, "name": "new"}])
        (found,) = connection.execute(select(MonitorStation.name, MonitorStation.latitude))
    assert tuple(found) == ("new", 1.0)


def test_a_spike_and_a_stuck_run_show_only_later(store) -> None:
    steady = {back: 50.0 + back % 3 for back in range(20, 2, -1)}
    # All of a city risen so far at once: the next hour decides. A smaller rise counts until then.
    save(store, batch_of(steady | {2: 900.0}))
    assert flags_of(store)[-1] == DISTRUSTED
    save(store, batch_of({2: 300.0}))
    assert flags_of(store)[-1] == 0
    saved = save(store, batch_of({1: 52.0, 0: 52.0}))
    assert (saved.new, saved.reflagged) == (2, 1) and flags_of(store)[-3] == SPIKE
    again = save(store, batch_of({1: 52.0, 0: 52.0}))
    assert (again.new, again.revised, again.unchanged, again.reflagged) == (0, 0, 2, 0)
    for back in range(-1, -9, -1):
        save(store, batch_of({back: 52.0}))
    assert set(flags_of(store)[-9:]) == {STUCK}


def flags_of(store: Store) -> list[int]:
    with store.engine.connect() as connection:
        query = select(StationObservation.flag).order_by(StationObservation.time)
        return list(connection.scalars(query))


def test_missing_values_are_kept_as_such_and_hours_counted(store) -> None:
    save(store, batch_of({3: 40.0, 2: None, 1: 42.0}))
    assert stored_hours(store, "net", LAST - 5 * HOUR, LAST) == {LAST - n * HOUR for n in (1, 2, 3)}
    assert stored_hours(store, "other", LAST - 5 * HOUR, LAST) == set()
    data = stored_monitors(store, REGISTRY, LAST)
    check(data.observations, "observations")
    check(data.stations, "observations")
    assert data.observations.sizes["time"] == HISTORY_HOURS
    np.testing.assert_allclose(data.observations["pm25"][-4:, 0], [40, np.nan, 42, np.nan])
    assert data.source == "ingested: net (1 stations)"


def test_later_hours_are_not_seen_and_emptiness_is_named(store) -> None:
    save(store, batch_of({1: 40.0, 0: 41.0}))
    data = stored_monitors(store, REGISTRY, LAST - HOUR)
    assert data.observations["time"].values[-1] == np.datetime64((LAST - HOUR).replace(tzinfo=None), "ns")
    assert np.nanmax(data.observations["pm25"]) == 40
    with pytest.raises(InputError, match="hazecast ingest --live"):
        stored_monitors(store, REGISTRY, LAST - 5 * HOUR)


def test_stations_of_unknown_cities_are_left_out_and_counted(store) -> None:
    save(store, batch_of({0: 40.0}))
    save(store, batch_of({0: 80.0}, code="b", city="atlantis"))
    data = stored_monitors(store, REGISTRY, LAST)
    assert list(data.observations["city"].values) == ["beijing"] and data.counts["values_of_unknown_cities"] == 1


def test_a_failure_while_saving_stores_nothing(store, monkeypatch) -> None:
    save(store, batch_of({1: 40.0}))
    monkeypatch.setattr("hazecast.services.store.monitors._rescreen", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(store, batch_of({1: 41.0, 0: 42.0}))
    monkeypatch.undo()
    data = stored_monitors(store, REGISTRY, LAST)
    np.testing.assert_allclose(data.observations["pm25"][-2:, 0], [40, np.nan])


@pytest.fixture(scope="module")
def weather(tmp_path_factory) -> str:
    """A grid of weather around LAST: what the ingested observations don't bring."""
    return str(write_sample(tmp_path_factory.mktemp("weather"), REGISTRY, LAST) / WEATHER_FILE)


def test_forecast_from_ingested_observations(weather, tmp_path) -> None:
    """From the publishers' protocols to a stored forecast, with and without measurements."""
    with serving() as china, serving() as model:
        settings = settings_for(
            tmp_path, publishers.cnemc(china), publishers.open_meteo(model), observations_dir="live", weather=weather
        )
        ingest_live(settings, NOW, patience=QUICK)
    report = run_cycle(settings, init_time=LAST, cities=("beijing", "tokyo"))
    assert not report.simulated and report.observations_source.startswith("ingested: cnemc (4 stations), open_meteo")
    assert report.status == "degraded"
    assert report.reasons == ("PM2.5 is a model's analysis, not measured, in 1 cities: tokyo",)
    beijing = next(line for line in report.lines if line.city == "beijing")
    expected = np.mean([publishers.truth(code, LAST, "pm25") for code in ("1001A", "1003A", "1006A")])
    assert beijing.pm25_now == pytest.approx(expected, rel=1e-5)


def test_monitors_silent_for_a_day_make_a_degraded_forecast(weather, source_server, tmp_path) -> None:
    publisher = publishers.cnemc(source_server)
    publisher.newest[0] = LAST - 30 * HOUR
    settings = settings_for(tmp_path, publisher, observations_dir="live", weather=weather)
    ingest_live(settings, NOW - 30 * HOUR, patience=QUICK)
    report = run_cycle(changed(settings, weather="none"), init_time=LAST, cities=("beijing",))
    assert report.status == "degraded" and NO_AIR in report.reasons and report.humidity_source == "none"
    assert report.lines[0].haze == "-" and np.isfinite(report.lines[0].pm25_mean_24h)
    report = run_cycle(settings, init_time=LAST, cities=("beijing",))
    assert report.status == "degraded" and report.reasons == ("beijing: newest PM2.5 is 30 h old",)
    assert report.init_time == LAST.astimezone(UTC)


def test_weather_measured_beside_pollutants_is_stored_and_used(tmp_path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "stations.csv").write_text("code,city\na,beijing\nb,beijing\n")
    hours = [LAST - n * HOUR for n in reversed(range(30))]
    rows = [
        f"{code},{time.isoformat()},{40 + n + (code == 'b') * n % 7},{60 + 20 * (code == 'b')},-3,{2 + n % 3}"
        for n, time in enumerate(hours)
        for code in "ab"
    ]
    text = "station,time,pm25,humidity(%),temperature(degC),visibility(km)\n" + "\n".join(rows)
    (folder / "a.csv").write_text(text + "\n")
    settings = settings_for(
        tmp_path / "data", monitor_sources=["csv"], monitor_dir=folder, observations_dir="live", weather="none"
    )
    outcome = ingest_live(settings, NOW).outcomes[0]
    assert outcome.status == "done" and outcome.new == 30 * 2 * 5
    assert ingest_live(settings, NOW).outcomes[0].revised == 0
    store = Store(settings.database_url)
    data = stored_monitors(store, REGISTRY, LAST, preference=["csv"])
    store.close()
    here = data.observations.sel(city="beijing").isel(time=slice(-30, None))
    np.testing.assert_allclose(here["relative_humidity"], 70.0)
    np.testing.assert_allclose(here["visibility"], [1000.0 * (2 + n % 3) for n in range(30)])
    np.testing.assert_allclose(data.weather["t2m"].isel(time=-1), 270.15)
    report = run_cycle(settings, init_time=LAST, cities=("beijing",))
    assert report.humidity_source == "diurnal persistence" and NO_AIR not in report.reasons
