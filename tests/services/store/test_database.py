"""The database, SQLite and PostgreSQL: its schema both ways, several writers at once, and its faults in clear words."""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from fastapi.testclient import TestClient
from sqlalchemy import JSON, Connection, event, func, insert, select, text, update
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from hazecast.grids.errors import ConflictError, InputError
from hazecast.services.cli.app import app, main
from hazecast.services.core.database_url import with_driver
from hazecast.services.core.errors import StoreError
from hazecast.services.core.settings import Settings
from hazecast.services.store.backup import check_backup
from hazecast.services.store.database import _config, current_revision, head_revision, make_engine, migrate
from hazecast.services.store.downgrade import losses
from hazecast.services.store.partitions import partitions
from hazecast.services.store.store import Store
from hazecast.services.store.table_dump import tables_of
from hazecast.services.store.tables.accounts import Account
from hazecast.services.store.tables.forecasts import (
    Base,
    ForecastRun,
    ForecastValue,
    MonitorStation,
    Observation,
    WarningAudit,
)
from hazecast.services.store.upsert import upsert
from hazecast.services.web.app import create_app
from tests.support.forecasts import save_run

STAMP = datetime(2013, 1, 12, 3, tzinfo=UTC)
MADE = {
    "str": "x",
    "int": 7,
    "float": 1.5,
    "bool": True,
    "datetime": datetime(2013, 1, 12, 3),
    "date": date(2013, 1, 12),
    "bytes": b"x",
}


@pytest.fixture
def store(databases, tmp_path):
    store = databases.store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def empty(databases, tmp_path) -> str:
    """The URL of a database without tables."""
    return databases.server.new_database() if databases.server else databases.url(tmp_path)


def made_row(table, known: dict[str, dict]) -> dict:
    """A row of any table; what refers to another table refers to that table's row."""
    row = {}
    for column in table.columns:
        foreign = next(iter(column.foreign_keys), None)
        if foreign is not None:
            row[column.name] = known[foreign.column.table.name][foreign.column.name]
        else:
            row[column.name] = ["x"] if isinstance(column.type, JSON) else MADE[column.type.python_type.__name__]
    return row


def contents(connection: Connection) -> dict[str, list[dict]]:
    return {t.name: [dict(row) for row in connection.execute(select(t)).mappings()] for t in tables_of(connection)}


def test_every_migration_goes_both_ways_with_rows_in_every_table(empty) -> None:
    engine = make_engine(empty)
    steps = [s.revision for s in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]
    assert steps[0] == "0001" and steps[-1] == head_revision()
    for below, revision in zip(["base", *steps], steps, strict=False):
        migrate(engine, revision)
        assert current_revision(engine) == revision
        with engine.begin() as connection:
            known: dict[str, dict] = {}
            for table in tables_of(connection):
                found = connection.execute(select(table)).mappings().first()
                known[table.name] = dict(found) if found else made_row(table, known)
                if found is None:
                    connection.execute(insert(table), known[table.name])
        with engine.connect() as connection:
            before = contents(connection)
        migrate(engine, below)
        with engine.connect() as connection:
            lower = contents(connection)
        migrate(engine, revision)
        with engine.connect() as connection:
            after = contents(connection)
        for name, rows in lower.items():
            shared = set(rows[0]) & set(before[name][0])
            kept = [[{c: row[c] for c in shared} for row in state[name]] for state in (before, lower, after)]
            assert kept[0] == kept[1] == kept[2] and len(kept[0]) == 1, (revision, name)
    migrate(engine, "base")
    with engine.connect() as connection:
        assert tables_of(connection) == []
    engine.dispose()


def test_the_migrated_schema_is_that_of_the_tables(store) -> None:
    with store.engine.connect() as connection:
        parts = partitions(connection)
        opts = {"compare_type": True, "include_name": lambda name, kind, _: kind != "table" or name not in parts}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, Base.metadata) == []
        key = {"sqlite": "pragma foreign_keys", "postgresql": "show timezone"}[store.engine.dialect.name]
        assert connection.execute(text(key)).scalar() in (1, "UTC")


def test_processes_that_start_at_once_migrate_one_after_the_other(empty, tmp_path) -> None:
    # A process each: that is how they start.
    code = (
        "import sys, time, pathlib\nfrom hazecast.services.store.database import make_engine, migrate, current_revision\n"
        "print('ready', flush=True)\nsys.stdin.readline()\n"
        f"engine = make_engine({empty!r}); migrate(engine); print(current_revision(engine))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, stderr=-1, text=True) for _ in range(3)
    ]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0 and out.strip() == head_revision(), err


def test_a_migration_that_fails_leaves_the_schema_as_it_was(empty, monkeypatch) -> None:
    engine = make_engine(empty)
    migrate(engine, "0003")
    with engine.connect() as connection:
        before = {table.name for table in tables_of(connection)}
    event.listen(engine, "before_cursor_execute", _fail_at_the_second_table)
    with pytest.raises(RuntimeError, match="power cut"):
        migrate(engine)
    event.remove(engine, "before_cursor_execute", _fail_at_the_second_table)
    with engine.connect() as connection:
        assert {table.name for table in tables_of(connection)} == before and current_revision(engine) == "0003"
    migrate(engine)
    engine.dispose()


def _fail_at_the_second_table(_c, _cursor, statement: str, *_: object) -> None:
    if "CREATE TABLE scored_day" in statement:
        raise RuntimeError("power cut")


def test_a_schema_of_a_newer_version_is_refused(store) -> None:
    with store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match=r"9999.*a newer Hazecast"):
        store.migrate()


def test_the_commands_for_the_schema(empty) -> None:
    def hazecast(*arguments: str):
        return CliRunner(env={"HAZECAST_DATABASE_URL": empty}).invoke(app, ["db", *arguments])

    assert "no tables" in hazecast("current").output
    assert f": {head_revision()};" in hazecast("upgrade").output
    assert ": 0002;" in hazecast("downgrade", "0002").output
    assert isinstance(hazecast("downgrade", "42").exception, InputError)
    assert "no tables" in hazecast("downgrade", "base").output


@pytest.fixture
def downgrading(databases, tmp_path):
    """A store with an account and a decision, closed; and the command that takes it back to an earlier schema."""
    store = databases.store(tmp_path)
    with store.sessions.begin() as session:
        session.add(Account(id="li-na", name="李娜", role="public", created_at=STAMP, disabled_at=None))
        session.add(
            WarningAudit(at=STAMP, draft_id="a", simulated=False, action="approve", account_id="li-na", payload="")
        )
    store.close()

    def hazecast(*arguments: str, said: str = ""):
        settings = {"HAZECAST_DATABASE_URL": store.url, "HAZECAST_DATA_DIR": str(tmp_path)}
        return CliRunner(env=settings).invoke(app, ["db", "downgrade", *arguments], input=said)

    return store, hazecast


def test_a_downgrade_that_loses_data_asks_and_backs_up_first(downgrading, tmp_path) -> None:
    store, hazecast = downgrading
    refused = hazecast("0012")  # nobody is there to answer
    assert refused.exit_code == 1 and "1 of warning_audit.account_id" in refused.output
    again = Store(store.url, files=tmp_path)
    assert current_revision(again.engine) == head_revision() and not (tmp_path / "backups").exists()
    assert losses(again.engine, "head") == {}
    again.close()
    done = hazecast("0012", said="y\n")
    assert done.exit_code == 0 and ": 0012;" in done.output
    (file,) = (tmp_path / "backups").iterdir()
    assert check_backup(file).tables["account"] == 1 and file.stat().st_mode & 0o777 == 0o600
    rest = hazecast("0005", "--yes", "--backup", str(tmp_path / "b.tar"))
    assert rest.exit_code == 0 and "lost in schema 0005: 1 of account" in rest.output
    assert check_backup(tmp_path / "b.tar").schema == "0012"


def test_no_downgrade_beside_a_running_service(downgrading, tmp_path) -> None:
    store, hazecast = downgrading
    service = create_app(Settings(data_dir=tmp_path, database_url=store.url))
    assert TestClient(service).get("/v1/cities").status_code == 200
    refused = hazecast("0005", "--yes")
    assert isinstance(refused.exception, ConflictError) and "stop the services" in str(refused.exception)
    assert current_revision(service.state.service.store.engine) == head_revision()
    service.state.service.store.close()


def at_once(*actions: Callable[[], object]) -> list[object]:
    """Do things in threads at the same time; return what each returned or raised."""
    results: list[object] = [None] * len(actions)
    barrier = threading.Barrier(len(actions))

    def act(number: int) -> None:
        barrier.wait()
        try:
            results[number] = actions[number]()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=act, args=(number,)) for number in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def test_two_cycles_of_one_init_time_leave_one_whole_run(databases, store, tmp_path) -> None:
    other = Store(databases.url(tmp_path), files=tmp_path)
    cycles = [(store, store.begin_cycle(None, False)), (other, other.begin_cycle(None, False))]
    results = at_once(*[lambda s=s, c=c: save_run(s, tmp_path, c, 100.0 + c) for s, c in cycles])
    assert results == [None, None]
    with store.sessions() as session:
        run = session.scalars(select(ForecastRun)).one()
        means = set(session.scalars(select(ForecastValue.pm25_mean)))
    assert means == {100.0 + run.cycle_id + 5.0}
    assert {p.name for p in tmp_path.glob("cycle*-*")} == {Path(run.netcdf_path).name, Path(run.map_path).name}
    other.close()


def test_many_writers_of_the_same_rows_do_not_hinder_each_other(databases, store, tmp_path) -> None:
    def rows(order: int) -> list[dict]:
        made = [{"city": f"c{n}", "time": STAMP, "simulated": False, "source": "s", "pm25": 1.0} for n in range(300)]
        return made[::order]

    def write(order: int) -> None:
        with store.writing() as connection:
            upsert(connection, Observation, rows(order))

    assert at_once(*[lambda order=order: write(order) for order in (1, -1, 1, -1)]) == [None] * 4
    with store.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Observation)) == 300


def test_what_a_writer_has_read_still_holds_when_it_writes(store) -> None:
    """Two that look whether a row is there and add it if not: a deferred transaction would let both."""
    cycle = store.begin_cycle(None, False)

    def count_up() -> None:
        for _ in range(10):
            with store.sessions.begin() as session:
                from hazecast.services.store.tables.forecasts import CycleRun

                row = session.get(CycleRun, cycle, with_for_update=True)
                row.error = str(int(row.error or 0) + 1)

    assert at_once(count_up, count_up, count_up) == [None] * 3
    assert store.cycles()[0].error == "30"


def test_texts_and_numbers_come_back_as_they_went_in(store) -> None:
    name = "北京 'or\" 1=1; -- \\ ✓ 𝄞"
    row = {c.name: "" for c in MonitorStation.__table__.columns} | {"id": "x:1", "name": name}
    row |= {"latitude": 39.123456789012345, "longitude": None}
    with store.writing() as connection:
        upsert(connection, MonitorStation, [row])
        (found,) = connection.execute(select(MonitorStation.name, MonitorStation.latitude, MonitorStation.longitude))
    assert tuple(found) == (name, 39.123456789012345, None)
    cycle = store.begin_cycle(STAMP, True)
    store.finish_cycle(cycle, "done", report={"text": name, "mean": float("nan"), "none": None, "list": [1, 2.5]})
    assert store.cycles()[0].report == {"text": name, "mean": None, "none": None, "list": [1, 2.5]}


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "hazecast.db", "oracle+x://u:secret@h/d"])
def test_other_databases_are_refused_without_their_password(url, tmp_path) -> None:
    for make in (lambda: Settings(data_dir=tmp_path, database_url=url), lambda: make_engine(url)):
        with pytest.raises(ValueError, match=r"expected sqlite:///FILE") as refused:
            make()
        if "secret" in url and isinstance(refused.value, InputError):
            assert "secret" not in str(refused.value)


def test_a_url_gets_its_driver() -> None:
    for given in ("postgres://u@h/d?x=1", "postgresql://u@h/d?x=1", "postgresql+psycopg://u@h/d?x=1"):
        assert with_driver(given) == "postgresql+psycopg://u@h/d?x=1"
    assert with_driver("sqlite:////a/b.db") == "sqlite:////a/b.db"


def test_a_locked_database_is_a_clear_error_and_nothing_is_stored(databases, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("hazecast.services.store.database.LOCK_SECONDS", 0.3)
    monkeypatch.setattr("hazecast.services.store.database._POSTGRES", "-c lock_timeout=300ms")
    store = databases.store(tmp_path)
    with store.writing() as holder:
        if databases.kind == "postgresql":
            holder.execute(text("LOCK TABLE cycle_run"))
        with pytest.raises(StoreError, match=r"(database is locked|lock timeout).*nothing was stored"):
            store.begin_cycle(None, False)
    assert store.cycles() == []
    store.close()


def test_a_full_disk_is_a_clear_error_and_nothing_is_stored(tmp_path) -> None:
    store = Store(f"sqlite:///{tmp_path}/h.db")
    store.migrate()
    cycle = store.begin_cycle(None, False)
    # The database may not grow: what SQLite then says is what it says on a full disk.
    with store.engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
        connection.connection.dbapi_connection.execute(f"PRAGMA max_page_count={pages}")
        connection.connection.dbapi_connection.commit()
    with pytest.raises(StoreError, match=r"full.*make room on the disk; nothing was stored"):
        save_run(store, tmp_path, cycle)
    assert store.latest_run() is None
    store.close()


def test_a_database_that_may_not_be_written_or_is_none_is_a_clear_error(tmp_path) -> None:
    (tmp_path / "a file").write_text("x")
    with pytest.raises(StoreError, match=r"a file/sub: can't be made"):
        Store(f"sqlite:///{tmp_path}/a file/sub/h.db")
    (tmp_path / "none.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match=r"none\.db: file is not a database \(restore a backup"):
        Store(f"sqlite:///{tmp_path}/none.db").migrate()
    store = Store(f"sqlite:///{tmp_path}/h.db")
    store.migrate()
    store.close()
    store = Store(f"sqlite:///{tmp_path}/h.db")
    event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only=ON"))
    with pytest.raises(StoreError, match=r"readonly.*must be writable"):
        store.begin_cycle(None, False)
    store.close()


def test_a_server_that_is_away_is_named_without_its_password() -> None:
    with pytest.raises(StoreError, match=r"u:\*\*\*@127.0.0.1:1/x.*is the server running") as away:
        Store("postgresql://u:secret@127.0.0.1:1/x").cycles()
    # Still SQLAlchemy's error for whoever expects one, and whole in another process.
    assert isinstance(away.value, OperationalError) and away.value.orig is not None
    assert str(pickle.loads(pickle.dumps(away.value))) == str(away.value)  # noqa: S301 (what it wrote itself)


def test_a_command_without_its_database_ends_with_one_line_and_code_1(monkeypatch, capsys) -> None:
    monkeypatch.setenv("HAZECAST_DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/x")
    monkeypatch.setattr(sys, "argv", ["hazecast", "db", "current"])
    with pytest.raises(SystemExit) as left:
        main()
    lines = capsys.readouterr().err.splitlines()
    assert left.value.code == 1 and len(lines) == 1 and "secret" not in lines[0]
    assert lines[0].startswith("hazecast: postgresql+psycopg://u:***@127.0.0.1:1/x: connection failed")


def test_a_server_that_comes_back_costs_no_request(postgres, tmp_path, closed_after) -> None:
    url = postgres.migrated_database()
    app = create_app(Settings(data_dir=tmp_path, database_url=url))
    closed_after(app.state.service.store)
    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/v1/cycles").status_code == 200
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hazecast'")
    assert client.get("/v1/cycles").json() == {"items": [], "next": None}
    postgres.drop(url)
    gone = client.get("/v1/cycles")
    assert gone.status_code == 503 and gone.headers["retry-after"] and "store" in gone.json()["detail"]


def test_who_begins_a_transaction_without_a_session_writes_too(store) -> None:
    def count_up() -> None:
        for _ in range(10):
            with store.engine.begin() as connection:
                found = connection.execute(select(MonitorStation.latitude).with_for_update()).scalar_one()
                connection.execute(update(MonitorStation).values(latitude=found + 1))

    with store.engine.begin() as connection:
        connection.execute(insert(MonitorStation), made_row(MonitorStation.__table__, {}))
    assert at_once(count_up, count_up, count_up) == [None] * 3
    with store.engine.connect() as connection:
        assert connection.execute(select(MonitorStation.latitude)).scalar() == 31.5


def test_sqlite_reads_while_another_writes(tmp_path) -> None:
    store = Store(f"sqlite:///{tmp_path}/h.db")
    store.migrate()
    with store.writing() as connection:
        connection.execute(insert(MonitorStation), made_row(MonitorStation.__table__, {}))
        assert store.cycles() == [] and store.latest_run() is None
    with closing(sqlite3.connect(tmp_path / "h.db")) as raw:
        assert raw.execute("pragma journal_mode").fetchone() == ("wal",)
    store.close()
