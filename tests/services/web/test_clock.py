"""An app goes by the clock that it is given: what it stores, and what it calls old, expired or in force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from hazecast.services.accounts.accounts import add_account
from hazecast.services.accounts.keys import add_key, keys_of
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from hazecast.services.work.cycle import run_cycle


@pytest.mark.parametrize("init", [datetime(2013, 1, 11, 22, tzinfo=UTC), datetime(2024, 7, 15, 6, tzinfo=UTC)])
def test_a_past_app_serves_its_forecast_as_current(tmp_path, init) -> None:
    settings, now = Settings(data_dir=tmp_path), init + timedelta(minutes=30)
    run_cycle(settings, init_time=init, cities=("beijing",), clock=lambda: now)
    store = Store(settings.database_url)
    (cycle,), run = store.cycles(), store.latest_run()
    assert cycle.started_at == cycle.finished_at == run.created_at == now
    add_account(store.sessions, "root", name="Root", role="administrator", at=now)
    _, token = add_key(store.sessions, "root", label="test", lifetime=timedelta(days=1), at=now, by="command")
    asked = {"Authorization": f"Bearer {token}"}

    current = TestClient(create_app(settings, clock=lambda: now))
    assert "OUTDATED" not in current.get("/v1/bulletins/latest.txt?language=en").text
    assert current.get("/v1/readyz").json()["age_hours"] == 0.5
    made = current.post("/v1/account/keys", json={"label": "second", "days": 1}, headers=asked)
    assert made.status_code == 201 and {key.created_at for key in keys_of(store.sessions, "root")} == {now}
    assert [key.last_used_at for key in keys_of(store.sessions, "root") if key.label == "test"] == [now]

    later = TestClient(create_app(settings, clock=lambda: now + timedelta(days=2)))
    assert "OUTDATED" in later.get("/v1/bulletins/latest.txt?language=en").text
    assert later.get("/v1/account", headers=asked).status_code == 401
    with pytest.raises(Exception, match="future"):
        run_cycle(settings, init_time=init + timedelta(hours=1), cities=("beijing",), clock=lambda: now)
    store.close()
