"""The studies through the API, on stored observations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fastapi.testclient import TestClient

from hazecast.grids.contract import describe
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from hazecast.services.work.cycle import run_cycle
from tests.support.observations import store_observations

EFFECT = 15.0
INIT = datetime(2026, 1, 15, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> TestClient:
    """A simulated run, and half a year of made-up hours before it: ozone is higher on weekends."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("studies"))
    run_cycle(settings, init_time=INIT, cities=("beijing",))
    store = Store(settings.database_url)
    end = pd.Timestamp(INIT.replace(tzinfo=None))
    hours = pd.date_range(end - pd.Timedelta(days=190), end - pd.Timedelta(days=1), freq="h")
    local = hours + pd.Timedelta(hours=7)
    ozone = 80 + 40 * np.sin((local.hour - 8) * np.pi / 12) + EFFECT * (local.day_of_week >= 5)
    noise = np.random.default_rng(0).normal(0, 3, len(hours))
    values = {"o3": ozone + noise, "no2": 40 + noise, "pm25": np.full(len(hours), 50.0)}
    data = {name: (("time", "city"), np.asarray(column, dtype="f4")[:, None]) for name, column in values.items()}
    observed = describe(xr.Dataset(data, coords={"time": hours, "city": ["beijing"]}), "observations")
    store_observations(store, observed.assign_attrs(source="made up"), simulated=True)
    store.close()
    return TestClient(create_app(settings, clock=lambda: INIT + timedelta(minutes=30)), raise_server_exceptions=False)


def test_weekend_effect(client) -> None:
    found = client.get("/v1/studies/ozone/beijing/weekend?days=180").json()
    assert 24 <= found["weeks"] <= 27 and found["weekend"]["low"] < EFFECT < found["weekend"]["high"]
    assert found["weekend"]["value"] == pytest.approx(EFFECT, abs=2) and found["placebo_rank"] == 1
    assert set(found["by_day"]) == {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
    assert found["units"] == {"o3": "ug m-3"}
    ox = client.get("/v1/studies/ozone/beijing/weekend?series=ox&days=180").json()
    assert ox["units"] == {"ox": "ppb"} and ox["weekend"]["value"] != found["weekend"]["value"]


def test_missing_observations_are_answered_404(client) -> None:
    nowhere = client.get("/v1/studies/ozone/bejing/weekend")
    assert nowhere.status_code == 404 and "beijing" in nowhere.json()["detail"]
    unobserved = client.get("/v1/studies/ozone/shanghai/weekend")
    assert unobserved.status_code == 404 and "shanghai" in unobserved.json()["detail"]
    assert client.get("/v1/studies/ozone/beijing/weekend?days=3").status_code == 422
    assert client.get("/v1/studies/ozone/beijing/weekend?series=co").status_code == 422


def test_voc_species(client) -> None:
    answer = client.get("/v1/studies/voc-species")
    table = {row["name"]: row for row in answer.json()["items"]}
    assert table["toluene"]["mir"] == 4.0 and table["toluene"]["koh_checked"] is True
    assert table["toluene"]["koh_source"] == "A03" and table["toluene"]["lists"] == ["PAMS", "TO-15"]
    assert table["2-methylhexane"]["koh_source"] == "AOPWIN" and table["2-methylhexane"]["koh_checked"] is False
    assert table["trichlorofluoromethane"]["mir"] is None and table["trichlorofluoromethane"]["koh"] is None
    again = client.get("/v1/studies/voc-species", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
