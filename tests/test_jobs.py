"""Scheduled cycles and the store they write to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from services.jobs import build_scheduler, cycle_lock, run_locked
from services.settings import Settings
from services.store import Store


def test_scheduler_fires_at_the_set_beijing_hours(tmp_path) -> None:
    scheduler = build_scheduler(Settings(data_dir=tmp_path, schedule_hours="5,17"), lambda: None)
    trigger = scheduler.get_jobs()[0].trigger
    fire = trigger.get_next_fire_time(None, datetime(2026, 1, 1, tzinfo=UTC))
    assert fire.astimezone(UTC) == datetime(2026, 1, 1, 9, 40, tzinfo=UTC)


def test_scheduled_cycle_runs_and_a_failing_one_leaves_the_scheduler_alive(tmp_path, caplog) -> None:
    done = threading.Event()
    calls = []

    def cycle() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("source is down")
        done.set()

    scheduler = build_scheduler(Settings(data_dir=tmp_path), cycle)
    scheduler.start()
    job = scheduler.get_jobs()[0]
    for _ in range(100):
        job.modify(next_run_time=datetime.now(UTC))
        if done.wait(0.1):
            break
    scheduler.shutdown()
    assert done.is_set() and "source is down" in caplog.text


def test_only_one_cycle_at_a_time(tmp_path) -> None:
    settings = Settings(data_dir=tmp_path)
    with cycle_lock(settings):
        ran = []
        thread = threading.Thread(target=lambda: ran.append(run_locked(settings, lambda: "ran")))
        thread.start()
        thread.join()
        assert ran == [None]
    assert run_locked(settings, lambda: "ran") == "ran"


def test_store_keeps_utc(databases, tmp_path) -> None:
    store = databases.store(tmp_path)
    cycle = store.begin_cycle(datetime.fromisoformat("2013-01-12T06:00+08:00"), simulated=False)
    store.finish_cycle(cycle, "done")
    row = store.cycles()[0]
    assert row.init_time == datetime(2013, 1, 11, 22, tzinfo=UTC) and row.init_time.tzinfo is UTC
    with pytest.raises(Exception, match="without zone"):
        store.begin_cycle(datetime(2013, 1, 12), simulated=False)
    store.close()


def test_killed_cycle_is_marked_and_stores_nothing(tmp_path) -> None:
    code = (
        "import os, signal, services.cycle as c\n"
        "from services.settings import Settings\n"
        "c.draw_haze = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"c.run_cycle(Settings(data_dir={str(tmp_path)!r}))\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False)
    assert killed.returncode == -signal.SIGKILL
    store = Store(Settings(data_dir=tmp_path).database_url)
    assert store.latest_run() is None and store.cycles()[0].status == "running"
    assert len(list((tmp_path / "forecasts").iterdir())) == 1
    assert store.recover() == 1 and store.cycles()[0].status == "failed"
    assert not list((tmp_path / "forecasts").iterdir())
    store.close()
