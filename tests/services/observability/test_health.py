"""Readiness answers within a limit for each check, whoever writes and whatever hangs."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from hazecast.services.observability import health
from hazecast.services.observability.health import examine
from hazecast.services.scheduling.board import job_states
from hazecast.services.scheduling.history import JobHistory
from hazecast.services.store.database import LOCK_SECONDS
from hazecast.services.store.run_files import link_product, products_folder, save_product
from hazecast.services.store.store import Store
from hazecast.services.work.stored_forecast import MAP, NETCDF
from tests.support.forecasts import save_run
from tests.support.settings import make_settings

NOW = datetime(2013, 2, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path):
    return make_settings(data_dir=tmp_path)


@pytest.fixture
def store(settings, tmp_path):
    """A store that is ready."""
    made = Store(settings.database_url, lambda: NOW)
    made.migrate()
    save_run(made, tmp_path, made.begin_cycle(NOW, False))
    JobHistory(made.engine.begin, lambda: NOW).beat(NOW)
    yield made
    made.close()


def states(store, settings) -> dict[str, str]:
    return {check.name: check.status for check in examine(store, settings, NOW).checks}


def test_somebody_who_writes_for_long_holds_no_reader_up(store, settings) -> None:
    assert set(states(store, settings).values()) == {"ok"}
    with store.writing() as connection:
        connection.exec_driver_sql("update cycle_run set error = 'x'")
        begin = time.monotonic()
        assert set(states(store, settings).values()) == {"ok"}
        assert job_states(store, settings)
        assert time.monotonic() - begin < 0.5 * LOCK_SECONDS


def test_what_hangs_is_failed_and_not_asked_again_until_it_answers(store, settings, monkeypatch) -> None:
    answer, asked = threading.Event(), []

    def hang(*_: object) -> health.Check:
        asked.append(1)
        assert answer.wait(20.0)
        return health.Check("scheduler", "ok", "at last")

    monkeypatch.setattr(health, "_scheduler", hang)
    monkeypatch.setattr(health, "LIMIT_SECONDS", 0.2)
    assert states(store, settings)["scheduler"] == "failed"
    assert states(store, settings)["scheduler"] == "failed" and asked == [1]
    answer.set()
    monkeypatch.setattr(health, "LIMIT_SECONDS", 20.0)
    while states(store, settings)["scheduler"] != "ok":
        time.sleep(0.01)
    assert len(asked) == 2


def details(store, settings) -> dict[str, tuple[str, str]]:
    return {check.name: (check.status, check.detail) for check in examine(store, settings, NOW).checks}


def test_files_that_are_gone_or_empty_are_told_without_their_place(store, settings) -> None:
    run = store.latest_run()
    whole = link_product(Path(run.netcdf_path), NETCDF)
    assert details(store, settings)["files"][0] == "ok"
    Path(run.netcdf_path).write_bytes(whole[:-1] + b"!")
    assert details(store, settings)["files"] == (
        "degraded", "damaged of the newest forecast, by their digests: forecast.nc"
    )  # fmt: skip
    Path(run.netcdf_path).write_bytes(whole)
    link_product(Path(run.netcdf_path), MAP, Path(run.map_path))
    save_product(Path(run.netcdf_path), "haze-zh.png", b"a picture")
    assert details(store, settings)["files"][0] == "ok"
    for product in products_folder(Path(run.netcdf_path)).glob("*.png"):
        product.write_bytes(b"something else")
    assert details(store, settings)["files"][1].endswith(": haze-zh.png, map.png")
    Path(run.map_path).unlink()
    assert details(store, settings)["files"] == ("degraded", "gone or empty of the newest forecast: map")
    Path(run.netcdf_path).write_bytes(b"")
    status, words = details(store, settings)["files"]
    assert status == "degraded" and "forecast, map" in words and str(settings.data_dir) not in words


def test_a_cycle_that_failed_after_the_newest_forecast_is_said(store, settings) -> None:
    late = store.begin_cycle(NOW - timedelta(days=9), False)
    store.finish_cycle(late, "failed", error="an excursion to last week")
    assert details(store, settings)["forecast"][0] == "ok"
    for asked in (None, NOW + timedelta(hours=1)):
        cycle = store.begin_cycle(asked, False)
        store.finish_cycle(cycle, "failed", error=f"InputError: no PM2.5 in {settings.data_dir}")
        status, words = details(store, settings)["forecast"]
        assert status == "degraded" and f"cycle {cycle} has failed since" in words
        assert str(settings.data_dir) not in words
    save_run(store, settings.data_dir, store.begin_cycle(None, False))
    assert details(store, settings)["forecast"][0] == "ok"


def test_a_table_that_can_not_be_read_is_failed(store, settings) -> None:
    # A page that the schema and the newest run don't touch; without connections all is in the one file.
    store.engine.dispose()
    file = settings.data_dir / "hazecast.db"
    with closing(sqlite3.connect(file)) as connection:
        (page,) = connection.execute("select rootpage from sqlite_master where name = 'observation'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as content:
        content.seek((page - 1) * size)
        content.write(b"\xff" * size)
    found = details(store, settings)
    assert found["tables"][0] == "failed" and found["database"][0] == "ok"
    assert str(settings.data_dir) not in str(found)


def test_a_store_that_can_not_be_written_is_degraded(store, settings, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(health.os, "access", lambda *_: False)
    assert details(store, settings)["writing"][0] == "degraded"
    monkeypatch.undo()
    gone = settings.model_copy(update={"data_dir": tmp_path / "gone"})
    found = details(store, gone)
    assert found["writing"] == ("degraded", "the data folder can't be written: No such file or directory")


def test_a_disk_that_is_nearly_full_is_degraded(store, settings, monkeypatch) -> None:
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _: SimpleNamespace(free=4e8))
    assert details(store, settings)["disk"] == ("degraded", "0.4 GB free")
