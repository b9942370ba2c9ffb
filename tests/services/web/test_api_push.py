"""`POST /v1/observations`: what an account's own system sends, once and again, right and wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from hazecast.grids.contract import HISTORY_HOURS
from hazecast.grids.places.cities import load_registry
from hazecast.services.accounts.accounts import add_account
from hazecast.services.core.settings import Settings
from hazecast.services.store.monitors import stored_monitors
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import EarlierValue, StationObservation
from hazecast.services.web.app import create_app
from tests.support.accounts import bearer

NOW = datetime(2026, 1, 15, 2, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
LAST = NOW.replace(minute=0)
STATION = {"code": "A1", "name": "Alpha", "city": "北京", "latitude": 39.9, "longitude": 116.4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("push")


@pytest.fixture(scope="module")
def store(folder) -> Store:
    store = Store(Settings(data_dir=folder).database_url)
    store.migrate()
    for account_id, role in {"bureau": "forecaster", "other": "forecaster", "reader": "subscriber"}.items():
        add_account(store.sessions, account_id, name=account_id, role=role, at=datetime.now(UTC))
    yield store
    store.close()


@pytest.fixture(scope="module")
def client(folder, store) -> TestClient:
    return TestClient(create_app(Settings(data_dir=folder), clock=lambda: NOW), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def head(store) -> dict[str, str]:
    return bearer(store, "bureau", scopes=["observations:write"])


def row(value: float | None, back: int = 0, variable: str = "pm25", unit: str = "ug/m3", station: str = "A1") -> dict:
    return {
        "station": station,
        "time": (LAST - back * HOUR).isoformat(),
        "variable": variable,
        "value": value,
        "unit": unit,
    }


def send(client, head, rows, *, stations=(STATION,), key=None):
    more = {} if key is None else {"Idempotency-Key": key}
    return client.post("/v1/observations", json={"stations": list(stations), "observations": rows}, headers=head | more)


def test_a_key_with_its_scope_is_needed(client, store) -> None:
    assert send(client, {}, [row(1.0)]).status_code == 401
    refused = send(client, bearer(store, "reader"), [row(1.0)])
    assert refused.status_code == 403 and "observations:write" in refused.json()["detail"]


def test_what_is_sent_is_stored_once_screened_and_used(client, head, store) -> None:
    rows = [row(30.0 + n % 5, n) for n in range(12)] + [
        row(60.0, 0, "relative_humidity", "%"),
        row(-3.0, 0, "temperature", "degC"),
    ]
    rows.append(row(0.4, 1, "co", "mg/m3"))
    rows[5] = row(-999.0, 5)
    first = send(client, head, rows).json()
    # The dew point is derived.
    assert (first["received"], first["new"], first["refused"], first["errors"]) == (15, 16, 0, [])
    second = send(client, head, rows, stations=()).json()
    assert (second["new"], second["revised"], second["unchanged"]) == (0, 0, 16)
    third = send(client, head, [row(99.0)]).json()
    assert (third["new"], third["revised"]) == (0, 1)
    data = stored_monitors(store, load_registry(), LAST, preference=["push"])
    here = data.observations.sel(city="beijing").isel(time=slice(-12, None))
    assert float(here["pm25"][-1]) == 99.0 and here["pm25"].isnull()[-6] and float(here["co"][-2]) == 400.0
    assert float(here["relative_humidity"][-1]) == 60.0 and data.weather is not None
    with store.engine.connect() as connection:
        assert connection.execute(select(EarlierValue.raw)).scalars().all() == [30.0]
        flag = select(StationObservation.flag).where(StationObservation.time == LAST - 5 * HOUR)
        assert connection.execute(flag).scalar_one() == 4
    assert data.observations.sizes["time"] == HISTORY_HOURS


def test_the_same_key_is_answered_as_before(client, head, store) -> None:
    rows = [row(41.0, 20)]
    first = send(client, head, rows, key="a-1")
    again = send(client, head, rows, key="a-1")
    assert first.json()["new"] == 1 and again.json() == first.json() | {"repeated": True}
    other = send(client, head, [row(42.0, 20)], key="a-1")
    assert other.status_code == 422 and other.json()["errors"][0] | {"reason": ""} == {
        "field": "Idempotency-Key", "in": "header", "reason": "",
    }  # fmt: skip
    # The keys of another account are its own, and so are its stations.
    elsewhere = bearer(store, "other", scopes=["observations:write"])
    assert send(client, elsewhere, [row(43.0, 20)], key="a-1").json()["new"] == 1
    assert send(client, elsewhere, [row(43.0, 20)], stations=()).json()["unchanged"] == 1


WRONG = [
    (row(1.0, station="Z9"), "observations[0].station", "found Z9"),
    (row(1.0, variable="pm26"), "observations[0].variable", "one of pm25"),
    (row(1.0, unit="ppb"), "observations[0].unit", "one of ug/m3, mg/m3"),
    (row(1.0, back=-2), "observations[0].time", "past and at most 31 days ago"),
    (row(1.0, back=32 * 24), "observations[0].time", "past and at most 31 days ago"),
    (row(1.0) | {"time": "2026-01-15T01:00"}, "observations[0].time", "with its offset"),
    (row(1.0) | {"time": "2026-01-15T01:30Z"}, "observations[0].time", "a whole hour"),
    (row(1.0) | {"value": "x"}, "observations[0].value", "valid number"),
    (row(1.0) | {"value": True}, "observations[0].value", "expected a number or null"),
    (row(1.0) | {"value": "1_0"}, "observations[0].value", "expected a number or null"),
    (row(1.0) | {"more": 1}, "observations[0].more", "not permitted"),
    (row(200.0, variable="relative_humidity", unit="%"), "observations[0].value", "found 200.0; expected 1 to 100"),
    # Nothing comes of these: they were counted as taken.
    (row(3.0, 31, "wind_speed", "m/s"), "observations[0].variable", "found wind_speed alone"),
    (row(90.0, 31, "wind_direction", "degrees"), "observations[0].variable", "found wind_direction alone"),
    (row(None, 30, "relative_humidity", "%"), "observations[0].value", "only a value of a pollutant can be withdrawn"),
    ([1, 2], "observations[0]", "valid dictionary"),
]


@pytest.mark.parametrize(("wrong", "field", "reason"), WRONG)
def test_a_wrong_row_costs_itself_and_is_named(client, head, wrong, field, reason) -> None:
    mixed = send(client, head, [wrong, row(50.0, 30)]).json()
    assert mixed["refused"] == 1 and mixed["new"] + mixed["unchanged"] == 1
    assert mixed["errors"][0]["field"] == field and reason in mixed["errors"][0]["reason"]


def test_a_calm_needs_no_direction(client, head) -> None:
    rows = [
        row(0.0, 33, "wind_speed", "m/s"),
        row(2.0, 34, "wind_speed", "m/s"),
        row(90.0, 34, "wind_direction", "degrees"),
    ]
    answer = send(client, head, rows).json()
    assert (answer["new"], answer["refused"]) == (4, 0)


def test_nothing_of_use_is_refused_with_twenty_reasons(client, head, store) -> None:
    refused = send(client, head, [row(1.0, station="Z9")] * 30)
    assert refused.status_code == 422 and len(refused.json()["errors"]) == 20
    assert "none of 30 rows" in refused.json()["detail"]
    differ = send(client, head, [row(1.0, 40), row(2.0, 40), row(3.0, 41)]).json()
    assert differ["refused"] == 2 - 1 and "observations[0] and observations[1]" in differ["errors"][0]["field"]
    nowhere = send(client, head, [row(1.0)], stations=[STATION | {"city": "atlantis"}])
    assert nowhere.json()["errors"][0]["field"] == "stations[0].city"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"observations": []}', b'{"observations": [], "more": 1}', b"\xff", json.dumps({"observations": [1] * 10_001}).encode()]
)  # fmt: skip
def test_what_is_no_push_is_refused(client, head, body) -> None:
    answer = client.post("/v1/observations", content=body, headers=head)
    assert answer.status_code == 422 and answer.json()["errors"][0]["reason"]


def test_a_body_that_is_too_large_is_refused(client, head) -> None:
    assert client.post("/v1/observations", content=b" " * 1_048_577, headers=head).status_code == 413
