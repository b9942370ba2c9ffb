"""A view of a provincial platform's database: read by a mapping, read-only, by the hour, each fault by its name."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import load_station_cities
from hazecast.grids.places.cities import load_registry
from hazecast.services.core.settings import Settings
from hazecast.services.sources.errors import FetchError
from hazecast.services.sources.monitors.interface import Batch
from hazecast.services.sources.registry import create_monitor_source
from hazecast.services.work.ingest.backfill import backfill
from hazecast.services.work.ingest.monitors import ingest_live
from tests.support.settings import make_settings

HOUR = timedelta(hours=1)
LAST = datetime(2026, 1, 14, 9, tzinfo=UTC)
NOW = LAST + HOUR / 3
DAYS = 5
REGISTRY = load_registry()
RULES = load_station_cities(REGISTRY)
_COLUMNS = """
"站点" = "station"
"PM25" = {{ is = "pm25", unit = "ug/m3" }}
"温度" = {{ is = "temperature", unit = "degC" }}
"湿度" = {{ is = "relative_humidity", unit = "%" }}
{time}
[stations]
A1 = "beijing"
B2 = "beijing"
"""
MAPPING = '[time]\nzone = "Asia/Shanghai"\nstamp = "{stamp}"\n[columns]' + _COLUMNS


def value(station: str, hour: datetime) -> int:
    return 20 + (int(hour.timestamp() // 3600) * 7 + ord(station[0])) % 60


def made(
    folder: Path,
    kind: str = "DATETIME",
    form: str = "%Y-%m-%d %H:%M:%S",
    stamp: str = "end",
    time: str = '"时间" = "time"',
) -> Path:
    """Write a platform's database of five days with a view, its stamps as `form` says, and the mapping."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "platform.db"
    connection = sqlite3.connect(path)
    connection.execute(f'CREATE TABLE hourly ("站点" TEXT, "时间" {kind}, "PM25" REAL, "温度" REAL, "湿度" REAL)')
    earlier = HOUR if stamp == "start" else timedelta(0)
    rows = []
    for n in range(DAYS * 24):
        local = (LAST - n * HOUR - earlier).astimezone(UTC).replace(tzinfo=None) + 8 * HOUR
        written = int(local.strftime(form)) if kind == "INTEGER" else local.strftime(form)
        rows += [(code, written, value(code, LAST - n * HOUR), 3.5, 40) for code in ("A1", "B2")]
    connection.executemany("INSERT INTO hourly VALUES (?, ?, ?, ?, ?)", rows)
    connection.execute("CREATE VIEW v_hourly AS SELECT * FROM hourly")
    connection.commit()
    connection.close()
    (folder / "mapping.toml").write_text(MAPPING.format(stamp=stamp, time=time), encoding="utf-8")
    return path


def settings_of(folder: Path, **given: object) -> Settings:
    known = {"sql_url": f"sqlite:///{folder / 'platform.db'}", "sql_view": "v_hourly", "sql_folder": folder}
    return make_settings(**{"data_dir": folder / "data", "monitor_sources": ["sql"], **known, **given})


def fetched(settings: Settings, hours: int = 5) -> Batch:
    source = create_monitor_source("sql", settings, REGISTRY, RULES)
    try:
        return source.fetch([LAST - n * HOUR for n in reversed(range(hours))])
    finally:
        source.close()


def check_truth(batch: Batch, hours: int = 5) -> None:
    assert not batch.problems
    found = {(r.station, r.time): r.raw for r in batch.readings if r.pollutant == "pm25"}
    wanted = [LAST - n * HOUR for n in range(hours)]
    assert found == {(f"sql:{code}", hour): value(code, hour) for code in ("A1", "B2") for hour in wanted}


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("DATETIME", "%Y-%m-%d %H:%M:%S"),
        ("TEXT", "%Y-%m-%dT%H:%M:%S+08:00"),
        ("TEXT", "%Y/%m/%d %H:%M"),
        ("VARCHAR(10)", "%Y%m%d%H"),
        ("INTEGER", "%Y%m%d%H"),
    ],
)
@pytest.mark.parametrize("stamp", ["end", "start"])
def test_stamps_of_any_kind_that_sorts(tmp_path, kind, form, stamp) -> None:
    made(tmp_path, kind, form, stamp)
    check_truth(fetched(settings_of(tmp_path)))


def put_rows(folder: Path, stamps: list[object], kind: str = "TEXT", values: list[object] | None = None) -> None:
    """Write a database whose view has rows of A1 with such stamps, by default with the true values of the last hours."""
    path = made(folder)
    hours = [LAST - n * HOUR for n in reversed(range(len(stamps)))]
    given = values or [value("A1", hour) for hour in hours]
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP VIEW v_hourly")
        database.execute(f'CREATE TABLE v_hourly ("站点" TEXT, "时间" {kind}, "PM25", "温度" REAL, "湿度" REAL)')
        rows = [("A1", stamp, one, 3.5, 40) for stamp, one in zip(stamps, given, strict=True)]
        database.executemany("INSERT INTO v_hourly VALUES (?, ?, ?, ?, ?)", rows)
        database.commit()


def of_a1(batch: Batch) -> list[float | None]:
    return [r.raw for r in sorted(batch.readings, key=lambda r: r.time) if r.pollutant == "pm25"]


TRUE = [value("A1", LAST - n * HOUR) for n in reversed(range(5))]
LOCAL = [(LAST - n * HOUR).replace(tzinfo=None) + 8 * HOUR for n in reversed(range(5))]


@pytest.mark.parametrize(
    ("kind", "forms"),
    [
        ("TEXT", ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"]),
        ("TEXT", ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S+08:00", "%Y-%m-%d %-H:%M"]),
        ("TEXT", ["%Y/%m/%d %-H:%M"]),
        # SQLite has no times: what is declared so holds texts all the same.
        ("DATETIME", ["%Y-%m-%dT%H:%M:%S"]),
        ("TIMESTAMP", ["%Y/%m/%d %H:%M"]),
    ],
)
def test_texts_of_several_forms_of_the_hour_are_all_read(tmp_path, kind, forms) -> None:
    put_rows(tmp_path, [local.strftime(forms[n % len(forms)]) for n, local in enumerate(LOCAL)], kind)
    batch = fetched(settings_of(tmp_path))
    assert of_a1(batch) == TRUE and not batch.problems


def test_texts_that_state_another_zone_than_the_mapping_are_read(tmp_path) -> None:
    put_rows(tmp_path, [f"{local - 8 * HOUR:%Y-%m-%dT%H:%M:%SZ}" for local in LOCAL])
    assert of_a1(fetched(settings_of(tmp_path))) == TRUE


@pytest.mark.parametrize("other", ["%Y/%m/%d %H:%M", "%Y/%-m/%-d %-H:%M", "%Y年%m月%d日 %H时", "%Y-%-m-%d %H:%M"])
@pytest.mark.parametrize("first", [0, 1])
def test_texts_of_several_forms_of_the_day_are_refused_not_left_out(tmp_path, other, first) -> None:
    """They sort apart: bounds in one form would not see the others."""
    put_rows(tmp_path, [f"{t:%Y-%m-%d %H:%M}" if n % 2 == first else t.strftime(other) for n, t in enumerate(LOCAL)])
    with pytest.raises(InputError, match="column 时间: found .*texts"):
        fetched(settings_of(tmp_path))


def test_an_empty_stamp_costs_its_row_alone(tmp_path) -> None:
    put_rows(tmp_path, ["", None, *(f"{local:%Y/%m/%d %H:%M}" for local in LOCAL)], values=[9, 9, *TRUE])
    assert of_a1(fetched(settings_of(tmp_path))) == TRUE


def test_cells_of_all_types(tmp_path) -> None:
    given = [" 40 ", "４３", b"41.5", 42, 12.125]
    put_rows(tmp_path, [f"{local:%Y-%m-%d %H:%M}" for local in LOCAL], values=given)
    assert of_a1(fetched(settings_of(tmp_path))) == [40.0, 43.0, 41.5, 42.0, 12.125]
    # The decimal mark of a mapping is that of texts: with it 12.125 would be two numbers in one.
    mapping = (tmp_path / "mapping.toml").read_text(encoding="utf-8")
    (tmp_path / "mapping.toml").write_text(f'[file]\ndecimal = ","\n{mapping}', encoding="utf-8")
    put = [" 40 ", "43,5", b"41,5", 42, 12.125]
    with closing(sqlite3.connect(tmp_path / "platform.db")) as database:
        for local, one in zip(LOCAL, put, strict=True):
            database.execute('UPDATE v_hourly SET "PM25" = ? WHERE "时间" = ?', (one, f"{local:%Y-%m-%d %H:%M}"))
        database.commit()
    assert of_a1(fetched(settings_of(tmp_path))) == [40.0, 43.5, 41.5, 42.0, 12.125]


def test_a_row_of_nothing_is_named(tmp_path) -> None:
    made(tmp_path)
    query = (
        'SELECT "站点", "时间", "PM25", "温度", "湿度" FROM hourly WHERE "时间" BETWEEN :first AND :last'
        " UNION ALL SELECT NULL, NULL, NULL, NULL, NULL"
    )
    batch = fetched(settings_of(tmp_path, sql_view="", sql_query=query))
    assert batch.counts["rows_of_unknown_stations"] == 1 and "found nothing" in batch.problems[0]


@pytest.mark.parametrize(
    ("kind", "year"), [("INTEGER", 115), ("TEXT", "民國115"), ("TEXT", "2026年"), ("TEXT", "令和8")]
)
def test_years_that_no_bounds_hold_are_refused_not_left_out(tmp_path, kind, year) -> None:
    with closing(sqlite3.connect(made(tmp_path))) as database:
        database.execute("DROP VIEW v_hourly")
        database.execute(
            f"""CREATE TABLE v_hourly ("站点" TEXT, "年" {kind}, "月" INTEGER, "日" INTEGER, "时" INTEGER, "PM25" REAL, "温度" REAL, "湿度" REAL)"""
        )
        database.execute("INSERT INTO v_hourly VALUES ('A1', ?, 1, 15, 8, 5, 3.5, 40)", (year,))
        database.commit()
    time = '"年" = "year"\n"月" = "month"\n"日" = "day"\n"时" = "hour"'
    (tmp_path / "mapping.toml").write_text(MAPPING.format(stamp="end", time=time), encoding="utf-8")
    with pytest.raises(InputError, match=f"column 年: found {year}; expected years such as 2026"):
        fetched(settings_of(tmp_path))


def test_a_query_gets_the_times_asked_for(tmp_path) -> None:
    made(tmp_path)
    query = 'SELECT "站点", "时间", "PM25", "温度", "湿度" FROM hourly WHERE "时间" BETWEEN :first AND :last'
    check_truth(fetched(settings_of(tmp_path, sql_view="", sql_query=query)))


def test_only_the_hours_wanted_are_asked_for(tmp_path, monkeypatch) -> None:
    made(tmp_path)
    sizes = []
    import hazecast.services.sources.monitors.sql as module

    whole = module._rows
    monkeypatch.setattr(module, "_rows", lambda *given: sizes.append(len(rows := whole(*given))) or rows)
    check_truth(fetched(settings_of(tmp_path)))
    assert sizes[0] <= 2 * (5 + 4) + 1


def test_an_outage_is_filled_and_what_is_stored_is_the_truth(tmp_path) -> None:
    made(tmp_path)
    settings = settings_of(tmp_path)
    outcome = ingest_live(settings, NOW - 100 * HOUR).outcomes[0]
    assert outcome.status == "done" and outcome.new > 0
    report = backfill(settings, LAST - 119 * HOUR, LAST, "sql", clock=lambda: NOW)
    assert report.status == "done" and report.left == 0
    again = backfill(settings, LAST - 119 * HOUR, LAST, "sql", again=True, clock=lambda: NOW).filled[0]
    assert (again.new, again.revised) == (0, 0) and again.unchanged > 119 * 2 * 3


def test_a_row_that_cannot_be_used_costs_itself_and_is_named(tmp_path) -> None:
    path = made(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE hourly SET \"PM25\" = 'many' WHERE \"站点\" = 'A1' AND \"时间\" = '2026-01-14 17:00:00'")
    connection.execute("INSERT INTO hourly VALUES ('Z9', '2026-01-14 16:00:00', 1, 1, 1)")
    connection.execute(
        "UPDATE hourly SET \"时间\" = '2026-01-14 16:30:00' WHERE \"站点\" = 'B2' AND \"时间\" = '2026-01-14 16:00:00'"
    )
    connection.commit()
    connection.close()
    batch = fetched(settings_of(tmp_path))
    told = "\n".join(batch.problems)
    assert "v_hourly: line" in told and "many" in told and "Z9" in told and "2026-01-14 16:30:00" in told
    assert sum(r.pollutant == "pm25" and r.raw is not None for r in batch.readings) == 8


@pytest.mark.parametrize("given", ["view", "query"])
def test_nothing_can_be_written(tmp_path, given) -> None:
    path = made(tmp_path)
    before = path.read_bytes()
    if given == "query":
        settings = settings_of(
            tmp_path, sql_view="", sql_query='DELETE FROM hourly WHERE "时间" < :last AND :first = :first'
        )
        with pytest.raises(FetchError, match="readonly"):
            fetched(settings)
    else:
        check_truth(fetched(settings_of(tmp_path)))
    assert path.read_bytes() == before and not list(tmp_path.glob("platform.db-*"))


def test_a_statement_that_takes_too_long_is_stopped(tmp_path) -> None:
    made(tmp_path)
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        'SELECT count(*) AS "站点" FROM n WHERE :first < :last'
    )
    with pytest.raises(FetchError, match="no answer within 0.2 s"):
        fetched(settings_of(tmp_path, sql_view="", sql_query=endless, sql_timeout_seconds=0.2))


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"sql_view": ""}, "HAZECAST_SQL_VIEW and HAZECAST_SQL_QUERY: found neither"),
        ({"sql_query": "SELECT 1"}, "found both"),
        ({"sql_folder": None}, "HAZECAST_SQL_FOLDER"),
        ({"sql_url": ""}, "HAZECAST_SQL_URL: found not set"),
        ({"sql_url": "sqlite:////nowhere/x.db"}, "a file that exists"),
        ({"sql_url": "mssql+pyodbc://u:hidden@h/d"}, "found a URL of mssql"),
        ({"sql_url": "user:hidden"}, "HAZECAST_SQL_URL"),
        ({"sql_view": "nothing"}, "HAZECAST_SQL_VIEW: found nothing"),
        ({"sql_view": "", "sql_query": "SELECT 1"}, "a SELECT with :first and :last"),
    ],
)
def test_wrong_settings_are_named_without_a_password(tmp_path, given, found) -> None:
    made(tmp_path)
    with pytest.raises(InputError) as raised:
        fetched(settings_of(tmp_path, **given))
    assert found in str(raised.value) and "hidden" not in str(raised.value)


def test_a_view_that_is_not_as_its_mapping_says(tmp_path) -> None:
    made(tmp_path, time='"另" = "time"')
    with pytest.raises(InputError, match="v_hourly: columns: .*also 另"):
        fetched(settings_of(tmp_path))
    made(tmp_path / "b", "TEXT", "%d.%m.%Y %H:%M")
    with pytest.raises(InputError, match="texts that sort by time"):
        fetched(settings_of(tmp_path / "b"))


def test_a_server_that_is_not_there_is_told_without_its_password(tmp_path) -> None:
    pytest.importorskip("psycopg")
    made(tmp_path)
    settings = settings_of(tmp_path, sql_url="postgresql://reader:hidden-word@127.0.0.1:1/platform")
    with pytest.raises(FetchError) as raised:
        fetched(settings)
    assert "127.0.0.1" in str(raised.value) and "hidden-word" not in str(raised.value)
    assert "hidden-word" not in repr(settings)


@pytest.mark.slow
@pytest.mark.slowest
def test_postgresql_read_only_with_a_limit(postgres, tmp_path) -> None:
    made(tmp_path)
    url = postgres.new_database()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA air"))
        connection.execute(text("CREATE SEQUENCE air.counter"))
        for name, kind, zone in (("plain", "timestamp", "Asia/Shanghai"), ("zoned", "timestamptz", "UTC")):
            connection.execute(
                text(f'CREATE TABLE air.{name} ("站点" text, "时间" {kind}, "PM25" numeric, "温度" real, "湿度" int)')
            )
            rows = [
                {
                    "s": code,
                    "t": f"{LAST - n * HOUR + (8 * HOUR if zone != 'UTC' else 0 * HOUR):%Y-%m-%d %H:%M}",
                    "v": value(code, LAST - n * HOUR),
                }
                for n in range(DAYS * 24)
                for code in ("A1", "B2")
            ]
            connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
            connection.execute(text(f"INSERT INTO air.{name} VALUES (:s, CAST(:t AS {kind}), :v, 3.5, 40)"), rows)
            connection.execute(text(f"CREATE VIEW air.v_{name} AS SELECT * FROM air.{name}"))
        # As texts of two forms, in whatever order the database's language sorts them.
        stamp = """to_char("时间", CASE WHEN "湿度" > 0 AND "站点" = 'A1' THEN 'YYYY-MM-DD HH24:MI' ELSE 'YYYY-MM-DD"T"HH24:MI:SS"+08:00"' END)"""
        columns = '"PM25", "温度"::varchar AS "温度", "湿度"::bigint AS "湿度"'
        connection.execute(
            text(f'CREATE VIEW air.v_texts AS SELECT "站点", {stamp} AS "时间", {columns} FROM air.plain')
        )
    for name in ("plain", "zoned", "texts"):
        check_truth(fetched(settings_of(tmp_path, sql_url=url, sql_view=f"air.v_{name}")))
    # A statement that writes is no query; one whose function writes is refused.
    insert = 'INSERT INTO air.plain SELECT * FROM air.plain WHERE "时间" BETWEEN :first AND :last RETURNING *'
    with pytest.raises(FetchError, match="syntax error"):
        fetched(settings_of(tmp_path, sql_url=url, sql_view="", sql_query=insert))
    write = "SELECT nextval('air.counter') WHERE CAST(:first AS timestamp) < CAST(:last AS timestamp)"
    with pytest.raises(FetchError, match="read-only transaction"):
        fetched(settings_of(tmp_path, sql_url=url, sql_view="", sql_query=write))
    slow = "SELECT pg_sleep(30), CAST(:first AS timestamp), CAST(:last AS timestamp)"
    with pytest.raises(FetchError, match="statement timeout"):
        fetched(settings_of(tmp_path, sql_url=url, sql_view="", sql_query=slow, sql_timeout_seconds=0.3))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM air.plain")) == DAYS * 48
    engine.dispose()
