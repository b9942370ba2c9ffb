"""Readiness answers within a second for each check, whoever writes and whatever hangs."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest

from hazecast.services.observability import health
from hazecast.services.observability.health import examine
from hazecast.services.scheduling.board import job_states
from hazecast.services.scheduling.history import JobHistory
from hazecast.services.store.store import Store
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
        assert time.monotonic() - begin < 1.0


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
