"""Months of PostgreSQL's tables: made with the rows that are there, read alone, dropped when they are too old."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, func, insert, select, text

from hazecast.services.store.backup import back_up, restore
from hazecast.services.store.observations import observed_hours
from hazecast.services.store.partitions import Month, make_months, months_of, partitions, remove_before
from hazecast.services.store.scores import daily_sums
from hazecast.services.store.store import Store
from hazecast.services.store.table_dump import tables_of
from hazecast.services.store.tables.forecasts import ForecastScore, MonitorStation, Observation, StationObservation
from tests.support.settings import make_settings

NOW = datetime(2026, 3, 10, 5, tzinfo=UTC)
TABLES = ("observation", "station_observation", "station_observation_earlier", "forecast_score")
SUMS = {c.name: 1 for c in ForecastScore.__table__.columns if not c.primary_key}


def hours(first: datetime, count: int) -> list[dict]:
    times = [first + timedelta(hours=n) for n in range(count)]
    return [{"city": "beijing", "time": t, "simulated": False, "pm25": 50.0, "source": "test"} for t in times]


def readings(first: datetime, count: int) -> list[dict]:
    return [
        {
            "station_id": "s:1", "time": row["time"], "pollutant": "pm25", "raw": 1.0, "units": "ug m-3", "value": 1.0, "flag": 0,
            "revision": 0, "retrieved_at": row["time"],
        }
        for row in hours(first, count)
    ]  # fmt: skip


def fill(connection: Connection) -> None:
    """Rows from December to March in every table that has months, but those of revised values."""
    first = datetime(2025, 12, 31, 20, tzinfo=UTC)
    station = {c.name: "x" for c in MonitorStation.__table__.columns} | {"id": "s:1", "latitude": 1.0, "longitude": 1.0}
    connection.execute(insert(MonitorStation), [station])
    connection.execute(insert(Observation), hours(first, 24 * 69))
    connection.execute(insert(StationObservation), readings(first, 24 * 69))
    key = {"model_id": "m", "city": "beijing", "pollutant": "pm25", "lead_time": 1}
    days = [{"day": (first + timedelta(days=n)).date()} | key | SUMS for n in range(69)]
    connection.execute(insert(ForecastScore), days)


def contents(connection: Connection) -> dict[str, list]:
    return {
        t.name: sorted(map(tuple, connection.execute(select(t)))) for t in tables_of(connection) if t.name in TABLES
    }


@pytest.fixture
def store(postgres) -> Iterator[Store]:
    made = Store(postgres.new_database(), lambda: NOW)
    yield made
    made.close()


@pytest.fixture
def migrated(postgres) -> Iterator[Store]:
    made = Store(postgres.migrated_database(), lambda: NOW)
    yield made
    made.close()


def test_a_database_of_the_version_before_is_parted_with_its_rows_and_joined_again(store) -> None:
    store.migrate("0018")
    with store.writing() as connection:
        fill(connection)
    with store.engine.connect() as connection:
        before, tables = contents(connection), [t.name for t in tables_of(connection)]
        assert not partitions(connection)
    # The migration of the months alone: later ones add tables.
    store.migrate("0019")
    with store.engine.connect() as connection:
        assert contents(connection) == before and [t.name for t in tables_of(connection)] == tables
        assert months_of(connection, "observation") == [Month(2025, 12), Month(2026, 1), Month(2026, 2), Month(2026, 3)]
        assert connection.scalar(text("SELECT count(*) FROM observation_2026_01")) == 31 * 24
        assert connection.scalar(text("SELECT count(*) FROM observation_rest")) == 0
    store.migrate("0018")
    with store.engine.connect() as connection:
        assert contents(connection) == before and not partitions(connection)
    store.migrate()


def test_hours_of_no_month_are_kept_and_get_their_month_by_the_upkeep(migrated) -> None:
    store = migrated
    with store.writing() as connection:
        fill(connection)
        before = contents(connection)
    with store.engine.connect() as connection:
        assert months_of(connection, "observation") == [] and len(before["observation"]) == 24 * 69
    with store.writing() as connection:
        assert make_months(connection, NOW) == 3 * 6 + 3
        assert make_months(connection, NOW) == 0
    with store.engine.connect() as connection:
        assert contents(connection) == before
        ahead = [Month(2025, 12), *(Month(2026, number) for number in range(1, 6))]
        assert months_of(connection, "observation") == ahead == months_of(connection, "forecast_score")
        assert months_of(connection, "station_observation_earlier") == ahead[3:]
        assert connection.scalar(text("SELECT count(*) FROM observation_rest")) == 0
    # A month that has its table takes new hours and revised ones.
    with store.writing() as connection:
        connection.execute(insert(Observation), hours(NOW + timedelta(days=5), 1))
    assert observed_hours(store, NOW + timedelta(days=4), NOW + timedelta(days=6), False).sizes["time"] == 1


@pytest.fixture
def parted(migrated) -> Store:
    with migrated.writing() as connection:
        fill(connection)
        make_months(connection, NOW)
    return migrated


def test_a_hot_query_reads_its_months_alone(parted) -> None:
    in_february = "time > '2026-02-10' AND time <= '2026-02-13'"
    queries = {
        f"SELECT * FROM observation WHERE city = 'beijing' AND NOT simulated AND {in_february}": "observation",
        f"SELECT * FROM station_observation WHERE {in_february}": "station_observation",
        "SELECT sum(n) FROM forecast_score WHERE day >= '2026-02-10' AND day < '2026-02-20' GROUP BY day": "forecast_score",
    }
    with parted.engine.connect() as connection:
        for query, table in queries.items():
            plan = "\n".join(connection.scalars(text(f"EXPLAIN {query}")))
            assert f"{table}_2026_02" in plan
            assert not any(
                name in plan for name in partitions(connection) - {f"{table}_2026_02"} if name.startswith(f"{table}_")
            )


def test_the_months_that_are_too_old_are_dropped_as_a_whole(parted) -> None:
    limit = datetime(2026, 2, 5, tzinfo=UTC)
    with parted.writing() as connection:
        would = remove_before(connection, Observation, limit, dry_run=True)
    with parted.writing() as connection:
        assert remove_before(connection, Observation, limit) == would == 4 + 31 * 24
        # February goes when all of it is older.
        assert connection.scalar(select(func.min(Observation.time))) == datetime(2026, 2, 1, tzinfo=UTC)
        assert months_of(connection, "observation")[0] == Month(2026, 2)
        assert remove_before(connection, Observation, limit) == 0
        connection.execute(insert(Observation), hours(datetime(2014, 2, 1, tzinfo=UTC), 3))
        assert remove_before(connection, Observation, limit) == 3
    assert len(daily_sums(parted, datetime(2025, 12, 1, tzinfo=UTC).date())) == 69


def test_a_backup_holds_every_row_once(parted, postgres, tmp_path) -> None:
    settings = make_settings(data_dir=tmp_path / "from", database_url=parted.url)
    manifest = back_up(settings, tmp_path / "backup.tar", clock=lambda: NOW)
    assert manifest.tables["observation"] == 24 * 69 and not any("2026" in name for name in manifest.tables)
    target = make_settings(data_dir=tmp_path / "to", database_url=postgres.new_database())
    restore(target, tmp_path / "backup.tar")
    again = Store(target.database_url)
    with again.engine.connect() as one, parted.engine.connect() as other:
        assert contents(one) == contents(other)
    again.close()
