"""What a killed or failed cycle leaves, and that the next one takes it away; files are whole or not there."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, text

from hazecast.services.core.errors import StoreError
from hazecast.services.core.files import atomic_write
from hazecast.services.store.recovery import INTERRUPTED, INTERRUPTED_LATE
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastValue
from hazecast.services.work.stored_forecast import write_netcdf
from tests.support.forecasts import forecast_of, save_run
from tests.tools.kills import Stage, difference, files, half_written, masked, tables

STAMP = datetime(2013, 1, 12, 3, tzinfo=UTC)


@pytest.fixture
def store(databases, tmp_path):
    store = databases.store(tmp_path)
    yield store
    store.close()


def begun(store: Store, folder: Path) -> tuple[int, list[Path]]:
    """A cycle that has written its files, one of them by half, and not yet stored its run."""
    cycle = store.begin_cycle(None, False)
    noted = [folder / f"cycle{cycle}-f.nc", folder / f"cycle{cycle}-m.png"]
    store.note_files(cycle, STAMP, False, noted)
    written = [noted[0], noted[1].with_name(noted[1].name + ".part")]
    for path in written:
        path.write_text("x")
    return cycle, written


def test_a_cycle_that_runs_is_left_alone_and_a_dead_one_is_cleared_up_after(
    databases, store, tmp_path, caplog, monkeypatch
) -> None:
    monkeypatch.setattr("hazecast.services.store.recovery._PATIENCE", 0.2)
    other = Store(databases.url(tmp_path), files=tmp_path)
    cycle, written = begun(other, tmp_path)
    (tmp_path / "of somebody else.nc").write_text("x")
    assert store.recover() == 0 and store.cycles()[0].status == "running" and all(p.exists() for p in written)
    assert store.cycles()[0].init_time == STAMP
    other.close()  # its locks are freed, as they are when its process is killed
    assert store.recover() == 1
    row = store.cycles()[0]
    assert (row.status, row.error, row.report) == ("failed", INTERRUPTED, None) and row.finished_at
    assert not any(p.exists() for p in written) and (tmp_path / "of somebody else.nc").exists()
    assert f"1 interrupted cycles ({cycle}), 2 of their files removed" in caplog.text.replace("1 of", "2 of")
    # One that was killed after it had finished leaves no lock file either.
    (tmp_path / "hazecast.db.cycle77.lock").write_text("")
    assert store.recover() == 0
    assert store.engine.dialect.name != "sqlite" or not list(tmp_path.glob("*.lock"))


def test_a_cycle_that_was_given_up_can_store_nothing_any_more(databases, store, tmp_path) -> None:
    cycle, _ = begun(store, tmp_path)
    store._cycle_locks[cycle].release()  # a connection that was lost while the process lives on
    other = Store(databases.url(tmp_path), files=tmp_path)
    assert other.recover() == 1
    with pytest.raises(StoreError, match="given up"):
        save_run(store, tmp_path, cycle)
    assert other.latest_run() is None
    other.close()


def test_a_kill_after_the_commit_keeps_the_run_and_removes_what_it_replaced(databases, store, tmp_path) -> None:
    first = store.begin_cycle(None, False)
    save_run(store, tmp_path, first)
    store.finish_cycle(first, "done", report={})
    old = sorted(tmp_path.glob("cycle*-*"))
    other = Store(databases.url(tmp_path), files=tmp_path)
    second = other.begin_cycle(None, False)
    save_run(other, tmp_path, second)
    for path in old:
        path.write_text("x")  # killed before it could remove them
    other.close()
    assert store.recover() == 1
    row = store.cycles()[0]
    assert (row.status, row.error) == ("degraded", INTERRUPTED_LATE)
    run = store.latest_run()
    assert run.cycle_id == second
    assert {str(p) for p in tmp_path.glob("cycle*-*")} == {run.netcdf_path, run.map_path}


def test_a_failed_cycle_removes_its_files_itself(store, tmp_path) -> None:
    cycle, written = begun(store, tmp_path)
    store.finish_cycle(cycle, "failed", error="x")
    assert not any(p.exists() for p in written) and store.cycles()[0].report is None


def test_what_can_t_be_written_leaves_what_was_there(tmp_path, monkeypatch) -> None:
    path = tmp_path / "sub" / "file.txt"
    with atomic_write(path) as part:
        part.write_text("old")
    with pytest.raises(StoreError, match=r"file\.txt: can't be written: \[Errno 28\]"), atomic_write(path) as part:
        part.write_text("new")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(ZeroDivisionError), atomic_write(path) as part:
        part.write_text("new")
        raise ZeroDivisionError
    assert path.read_text() == "old" and os.listdir(path.parent) == ["file.txt"]
    with pytest.raises(StoreError, match="can't be written"), atomic_write(path / "below a file") as part:
        part.write_text("new")


def test_a_forecast_that_finds_no_room_on_the_disk_is_a_clear_error(tmp_path) -> None:
    forecast = forecast_of(100.0).assign(more=("x", np.random.default_rng(1).random(50_000)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(StoreError, match=r"f\.nc: can't be written"):
            write_netcdf(forecast, tmp_path / "f.nc")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == []


def test_the_comparison_after_a_kill_sees_what_is_lost_doubled_or_half_written(databases, tmp_path) -> None:
    (tmp_path / "data").mkdir()
    store = databases.store(tmp_path / "data")
    before = tables(store.url)
    cycle = store.begin_cycle(None, False)
    forecast = forecast_of(100.0).assign(relative_humidity=(("lead_time", "city"), np.full((120, 1), 50.0)))
    save_run(store, tmp_path / "data", cycle)
    run = store.latest_run(False)
    forecast.to_netcdf(run.netcdf_path)
    Path(run.map_path).write_bytes(b"\x89PNG")
    whole, sums = tables(store.url), files(tmp_path / "data")
    stage = Stage(databases, tmp_path, tmp_path, store.url)
    states = {"before": before, "after": whole}
    assert half_written(stage, states) == "" and difference(whole, whole) == "" and difference(whole, before)
    with store.writing() as connection:
        connection.execute(delete(ForecastValue).where(ForecastValue.lead_time == 7))
    assert "forecast_value: 119 rows for 120" in half_written(stage, states)
    assert "forecast_value" in difference(tables(store.url), whole)
    with store.writing() as connection:
        connection.execute(text("DELETE FROM forecast_value"))
    Path(run.map_path).write_bytes(b"\x89P")
    assert "no whole picture" in half_written(stage, {"before": before, "after": tables(store.url)})
    (tmp_path / "data" / "stray.part").write_text("x")
    assert "stray.part" in difference(files(tmp_path / "data"), sums)
    assert masked({"a": "x-cycle12 2026-11-24T10:00:00+00:00"}) == '{"a": "x-cycleN now"}'
    assert masked("2013-01-12T00:00Z") == "2013-01-12T00:00Z"
    store.close()


@pytest.mark.slow
@pytest.mark.slowest
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_killed_cycles_end_as_if_they_had_not_been(shared_data, kind) -> None:
    """A short run of `make kills`; it forks, and so has a process of its own."""
    command = [sys.executable, "-m", "tests.tools.kills", "--count", "4", "--database", kind, "--seed", "7"]
    run = subprocess.run(
        [*command, "--collection", str(shared_data / "five-cities")], capture_output=True, text=True, timeout=600,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert run.returncode == 0 and ", 0 findings" in run.stdout, run.stdout + run.stderr[-2000:]
