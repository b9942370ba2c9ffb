"""What months are good for: queries and retention of observations and scores in PostgreSQL, in one table and in months of it.

A year of hours of 1,000 places, and 30 days of scores: HAZECAST_BENCH_HOURS=1000x365. The same rows are measured before and after the
migration; times are the server's own, the least of five, with all in memory.
"""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, text

from hazecast.services.store.partitions import remove_before
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastScore, Observation
from tests.support.databases import PostgresServer

PLACES, DAYS = map(int, os.environ.get("HAZECAST_BENCH_HOURS", "1000x365").split("x"))
FIRST = "timestamp '2025-01-01 00:00'"
CITY = "'c' || lpad(place::text, 5, '0')"
HOURS = f"""INSERT INTO observation (city, time, simulated, pm25, o3, pm10, no2, so2, co, pm25_flag, o3_flag, pm25_stations, source)
SELECT {CITY}, {FIRST} + hour * interval '1 hour', false, 50 + place % 50, 60, 70, 20, 5, 500, 0, 0, 3, 'benchmark'
FROM generate_series(1, {24 * DAYS}) hour, generate_series(1, {PLACES}) place"""
SUMS = [c.name for c in ForecastScore.__table__.columns if not c.primary_key]
SCORES = f"""INSERT INTO forecast_score (day, model_id, city, pollutant, lead_time, {", ".join(SUMS)})
SELECT ({FIRST} + day * interval '12 days')::date, 'm', {CITY}, 'pm25', lead, {", ".join("1" for _ in SUMS)}
FROM generate_series(0, {DAYS // 12}) day, generate_series(1, {PLACES}) place, generate_series(1, 24) lead"""
# A place in the middle.
PLACE = f"c{PLACES // 2:05d}"
QUERIES = {
    "three days of a city": f"SELECT * FROM observation WHERE city = '{PLACE}' AND NOT simulated AND time > '2025-06-10' AND time <= '2025-06-13'",
    "a year of a city": f"SELECT * FROM observation WHERE city = '{PLACE}' AND NOT simulated AND time > '2025-01-01' AND time <= '2026-01-01'",
    "an hour of all": "SELECT * FROM observation WHERE time = '2025-06-10 05:00' AND NOT simulated",
    "three days of all": "SELECT * FROM observation WHERE time > '2025-06-10' AND time <= '2025-06-13' AND NOT simulated",
    "the newest hour": "SELECT max(time) FROM observation WHERE NOT simulated AND time <= '2025-12-31'",
    "scores of a month": "SELECT day, lead_time, sum(n), sum(se) FROM forecast_score WHERE day >= '2025-06-01' AND day < '2025-07-01' GROUP BY 1, 2",
    "scores of a city": f"SELECT day, lead_time, sum(n) FROM forecast_score WHERE day >= '2025-06-01' AND city = '{PLACE}' GROUP BY 1, 2",
}


def measured(connection: Connection) -> dict[str, float]:
    """Milliseconds of planning and execution of each query."""
    connection.execute(text("ANALYZE observation, forecast_score"))
    found = {}
    for name, query in QUERIES.items():
        times = []
        for _ in range(5):
            plan = "\n".join(connection.scalars(text(f"EXPLAIN (ANALYZE, TIMING OFF) {query}")))
            times.append(sum(float(value) for value in re.findall(r"(?:Planning|Execution) Time: ([\d.]+) ms", plan)))
        found[name] = min(times)
    return found


@pytest.mark.timeout(3600)
def test_months_make_no_query_slower_and_retention_quick(postgres: PostgresServer) -> None:
    store = Store(postgres.new_database(), lambda: datetime(2026, 1, 1, tzinfo=UTC))
    store.migrate("0018")
    with store.writing() as connection:
        connection.execute(text(HOURS))
        connection.execute(text(SCORES))
    with store.writing() as connection:
        whole = measured(connection)
        rows = connection.scalar(text("SELECT count(*) FROM observation"))
        size = connection.scalar(text("SELECT pg_total_relation_size('observation')"))
    limit = datetime(2025, 2, 1, tzinfo=UTC)
    with store.engine.connect() as connection:
        start = time.monotonic()
        connection.execute(text("DELETE FROM observation WHERE time < '2025-02-01'"))
        deleting = 1e3 * (time.monotonic() - start)
        connection.rollback()
    start = time.monotonic()
    store.migrate()
    migrating = time.monotonic() - start
    with store.writing() as connection:
        months = measured(connection)
        start = time.monotonic()
        assert remove_before(connection, Observation, limit) >= PLACES * 24 * min(DAYS, 31) - PLACES
        dropping = 1e3 * (time.monotonic() - start)
    store.close()
    print(f"\n{rows} hours, {size / 1e6:.0f} MB with indices; migration {migrating:.0f} s")
    whole["removing a month"], months["removing a month"] = deleting, dropping
    for name in whole:
        print(f"{name:24}{whole[name]:10.2f} ms {months[name]:10.2f} ms   {whole[name] / months[name]:6.2f}")
    # Most of it counts the rows; a deletion also leaves their room, and work for the vacuum.
    assert dropping < deleting
    assert all(months[name] < 1.5 * whole[name] + 2.0 for name in QUERIES)
