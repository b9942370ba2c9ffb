"""Cities administered through the API: who may, what is refused by which field, and that a new one is forecast and shown."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from hazecast.grids.places.cities import load_registry
from hazecast.grids.places.zone_places import doubts
from hazecast.services.accounts.accounts import add_account
from hazecast.services.client import Client
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from hazecast.services.web.schemas.own_cities import AdministeredCityOut
from hazecast.services.work.cycle import run_cycle
from tests.support.accounts import bearer
from tests.support.console_world import draft
from tests.support.delivery_world import World
from tests.support.settings import make_settings

CITIES = "/v1/administration/cities"
LYON = {
    "id": "lyon", "name_en": "Lyon", "country": "FR", "latitude": 45.764, "longitude": 4.836,
    "time_zone": "Europe/Paris", "stations": ["openaq:Lyon Centre"],
}  # fmt: skip
FIELDS = {name: value for name, value in LYON.items() if name != "id"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("own")
    (folder / "cities").mkdir()
    return make_settings(data_dir=folder / "data", cities_dir=folder / "cities")


@pytest.fixture(scope="module")
def store(settings) -> Iterator[Store]:
    store = Store(settings.database_url)
    store.migrate()
    for account, role in (("root", "administrator"), ("li-na", "forecaster")):
        add_account(store.sessions, account, name=account.title(), role=role, at=datetime.now(UTC))
    yield store
    store.close()


@pytest.fixture(scope="module")
def app(settings, store) -> TestClient:
    client = TestClient(create_app(settings), raise_server_exceptions=False)
    client.headers.update(bearer(store, "root"))
    return client


@pytest.fixture
def client(app, settings, store) -> Iterator[TestClient]:
    """An administrator, before a folder without cities and an audit without rows."""
    yield app
    for path in settings.places.cities_dir.iterdir():
        path.rmdir() if path.is_dir() else path.unlink()
    app.app.state.service.cities.refresh()
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM city_change")


def file_of(settings: Settings, city: str = "lyon"):
    return settings.places.cities_dir / f"{city}.toml"


def test_only_who_administers_cities_may(client, store) -> None:
    forecaster = bearer(store, "li-na")
    for method, path in (("GET", CITIES), ("POST", CITIES), ("PUT", f"{CITIES}/lyon"), ("DELETE", f"{CITIES}/lyon")):
        assert client.request(method, path, headers=forecaster).status_code == 403
        assert client.request(method, path, headers={"Authorization": ""}).status_code == 401


def test_a_city_is_listed_with_its_rules_index_stations_and_forecast(client) -> None:
    found = client.get(CITIES, params={"limit": 500}).json()
    cities = {city["id"]: city for city in found["items"]}
    beijing, tokyo = cities["beijing"], cities["tokyo"]
    assert beijing["origin"] == "shipped" and beijing["file"] is None and beijing["editable"] and beijing["wanted"]
    assert "cma_haze" in beijing["rule_sets"] and "jp_pm25_tokyo" in tokyo["rule_sets"]
    assert beijing["index"].startswith("HJ") and tokyo["index"] == "JP-standards"
    assert beijing["stations_known"] == beijing["stations_reporting"] == 0
    assert {city["forecast_by"] for city in cities.values()} == {"none"} and found["init_time"] is None
    assert found["folder"]["trouble"] is None and found["folder"]["fault"] is None
    assert client.get(CITIES, params={"own": True}).json()["items"] == []
    first = client.get(CITIES, params={"limit": 2})
    assert len(first.json()["items"]) == 2 and first.json()["next"] and 'rel="next"' in first.headers["link"]


def test_a_city_is_checked_added_and_in_use_at_once_with_its_audit(client, settings) -> None:
    checked = client.post(f"{CITIES}/check", json=LYON)
    assert checked.status_code == 200 and not file_of(settings).exists()
    found = checked.json()
    assert found["area"]["type"] == "Polygon" and found["kind"] == "around" and not found["administrative"]
    assert set(found["notes"]) == {"english_only", "without_rules"} and found["index"] == "EU-EEA-2025"
    assert found["nearest"] and found["distance"] > 1000
    everywhere = {"limit": 500}
    before = client.get("/v1/cities", params=everywhere).json()["items"]
    added = client.post(CITIES, json=LYON)
    assert added.status_code == 201 and 'time_zone = "Europe/Paris"' in file_of(settings).read_text()
    [change] = added.json()["changes"]
    assert (change["action"], change["by"], change["account"], change["before"]) == ("add", "Root", "root", None)
    assert change["after"]["latitude"] == 45.764
    # Public at once, though the answer was in memory.
    after = client.get("/v1/cities", params=everywhere).json()["items"]
    assert {one["id"] for one in after} - {one["id"] for one in before} == {"lyon"}
    assert client.get("/v1/cities/lyon").json()["country"] == "FR"
    assert client.get("/?city=lyon&lang=en").status_code == 200
    [own] = client.get(CITIES, params={"own": True}).json()["items"]
    assert own["id"] == "lyon" and own["file"] == "lyon.toml" and own["stations"] == LYON["stations"]
    assert client.post(CITIES, json=LYON).status_code == 409
    assert client.post(CITIES, json=LYON | {"id": "beijing"}).status_code == 409


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"time_zone": "Europe/Pari"}, "time_zone", 'did you mean "Europe/Paris"?'),
        ({"region": "beijin"}, "region", 'did you mean "beijing"?'),
        ({"region": "beijing"}, "region", "a region of FR"),
        ({"country": "CN", "code": "12"}, "code", "an area code of CN"),
        ({"latitude": 91.0}, "latitude", "less than or equal to 90"),
        ({"stations": ["Lyon"]}, "stations.0", "pattern"),
        ({"name_en": "Ly\u202eon"}, "name_en", "can be seen"),
        ({"lattitude": 3.0}, "lattitude", "Extra inputs"),
        ({"id": "../lyon"}, "id", "pattern"),
    ],
)
def test_what_is_wrong_is_said_by_its_field_and_nothing_written(client, settings, wrong, field, said) -> None:
    for path in (f"{CITIES}/check", CITIES):
        answer = client.post(path, json=LYON | wrong)
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert error["field"] == field and said in error["reason"]
        assert str(settings.places.cities_dir) not in answer.text
    assert list(settings.places.cities_dir.iterdir()) == []
    assert client.get(f"{CITIES}/lyon").status_code == 404


def test_a_city_is_changed_withdrawn_and_removed(client, settings, store) -> None:
    client.post(CITIES, json=LYON)
    changed = client.put(f"{CITIES}/lyon", json=FIELDS | {"name_zh": "里昂", "latitude": 45.75})
    assert changed.json()["name_zh"] == "里昂" and changed.json()["latitude"] == 45.75
    withdrawn = client.put(f"{CITIES}/lyon", json=FIELDS | {"forecast": False})
    assert not withdrawn.json()["wanted"] and client.get("/v1/cities/lyon").status_code == 404
    assert client.get(CITIES).json()["folder"]["not_forecast"] == ["lyon"]
    steps = [change["action"] for change in client.get(f"{CITIES}/lyon").json()["changes"]]
    assert steps == ["add", "change", "change"]
    assert client.delete(f"{CITIES}/lyon").status_code == 204 and not file_of(settings).exists()
    assert client.get(f"{CITIES}/lyon").status_code == 404 == client.delete(f"{CITIES}/lyon").status_code
    with store.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT action, before, after FROM city_change ORDER BY id").all()
    assert [row[0] for row in rows] == ["add", "change", "change", "remove"]
    assert json.loads(rows[-1][1])["forecast"] is False and rows[-1][2] is None


def test_a_shipped_city_is_replaced_by_an_own_file_and_comes_back(client, settings) -> None:
    shipped = client.get(f"{CITIES}/beijing").json()
    fields = {name: shipped[name] for name in (*FIELDS, "region", "code", "elevation", "name_zh", "name_ja")}
    own = client.put(f"{CITIES}/beijing", json=fields | {"forecast": False}).json()
    assert own["origin"] == "own" and not own["wanted"] and own["region"] == shipped["region"]
    assert own["administrative"] == shipped["administrative"]
    assert client.get("/v1/cities/beijing").status_code == 404
    assert client.delete(f"{CITIES}/beijing").status_code == 204
    assert client.get(f"{CITIES}/beijing").json()["origin"] == "shipped"
    assert client.get("/v1/cities/beijing").status_code == 200
    assert client.delete(f"{CITIES}/tokyo").status_code == 404


def test_a_city_in_a_table_of_many_is_changed_there(client, settings) -> None:
    table = settings.places.cities_dir / "many.csv"
    table.write_text("id,name_en,country,latitude,longitude,time_zone\nlyon,Lyon,FR,45.7,4.8,Europe/Paris\n")
    [own] = client.get(CITIES, params={"own": True}).json()["items"]
    assert own["file"] == "many.csv" and not own["editable"]
    for answer in (client.put(f"{CITIES}/lyon", json=FIELDS), client.delete(f"{CITIES}/lyon")):
        assert answer.status_code == 409 and "many.csv" in answer.json()["detail"]


def test_a_folder_that_is_not_set_or_cannot_be_written_is_said(client, settings, store, tmp_path, monkeypatch) -> None:
    plain = TestClient(create_app(make_settings(data_dir=settings.data_dir)))
    plain.headers.update(bearer(store, "root"))
    assert plain.get(CITIES).json()["folder"]["trouble"] == "not_set"
    for answer in (plain.post(CITIES, json=LYON), plain.post(f"{CITIES}/check", json=LYON)):
        assert answer.status_code == 409 and "HAZECAST_CITIES_DIR: found not set" in answer.json()["detail"]
    # The disk is full, or the folder is mounted to be read.
    (settings.places.cities_dir / "lyon.toml.part").mkdir()
    refused = client.post(CITIES, json=LYON)
    assert refused.status_code == 409 and "HAZECAST_CITIES_DIR" in refused.json()["detail"]
    assert str(tmp_path) not in refused.text and not file_of(settings).exists()
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM city_change").scalar() == 0
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert client.get(CITIES).json()["folder"]["trouble"] == "not_writable"
    assert client.post(CITIES, json=LYON).status_code == 409


def test_a_file_that_becomes_wrong_leaves_the_cities_as_they_were(client, settings) -> None:
    client.post(CITIES, json=LYON)
    (settings.places.cities_dir / "hand.toml").write_text('[[city]]\nid = "half')
    found = client.get(CITIES, params={"limit": 500}).json()
    assert "hand.toml" in found["folder"]["fault"] and "lyon" in {city["id"] for city in found["items"]}
    assert str(settings.places.cities_dir) not in found["folder"]["fault"]
    refused = client.put(f"{CITIES}/lyon", json=FIELDS)
    assert refused.status_code == 409 and "hand.toml" in refused.json()["detail"]
    assert client.get("/v1/cities/lyon").status_code == 200


def test_the_client_reads_the_administered_cities_as_the_api_types_them(client) -> None:
    client.post(CITIES, json=LYON)
    key = client.headers["authorization"].partition(" ")[2]
    with Client("http://testserver", key=key, transport=client._transport) as reader:
        [own] = reader.administered_cities(own=True)
        found = reader.administered_city("lyon")
    assert isinstance(own, AdministeredCityOut) and (own.id, own.file, own.stations_known) == ("lyon", "lyon.toml", 0)
    assert found.kind == "around" and found.changes[0].account == "root" and found.changes[0].at.tzinfo is not None


@pytest.mark.slow
@pytest.mark.slowest
def test_a_new_city_is_forecast_by_the_next_cycle_and_shown_without_a_restart(client, settings) -> None:
    client.post(CITIES, json=LYON)
    run_cycle(
        settings, init_time=datetime.now(UTC).replace(minute=0, second=0, microsecond=0), cities=("lyon", "beijing")
    )
    found = {city["id"]: city for city in client.get(CITIES, params={"limit": 500}).json()["items"]}
    assert found["lyon"]["forecast_by"] == "model" and found["tokyo"]["forecast_by"] == "none"
    assert len(client.get("/v1/cities/lyon/forecast").json()["hours"]) == 120
    assert "lyon" in {one["id"] for one in client.get("/page/map.json").json()["cities"]}
    assert client.get("/?city=lyon&lang=en").status_code == 200
    # Withdrawn, its stored forecast can still be read; removed, nobody could read what is stored.
    refused = client.delete(f"{CITIES}/lyon")
    assert refused.status_code == 409 and "withdraw it" in refused.json()["detail"]
    client.put(f"{CITIES}/lyon", json=FIELDS | {"forecast": False})
    for path in ("/page/map.json", "/", "/v1/warnings", "/v1/forecasts/latest"):
        assert client.get(path).status_code == 200, path


@pytest.mark.parametrize(
    ("wrong", "notes"),
    [
        ({}, set()),
        # Kashgar: far from its zone's place, and right.
        ({"country": "CN", "latitude": 39.47, "longitude": 75.99, "time_zone": "Asia/Shanghai"}, set()),
        ({"latitude": 4.836, "longitude": 45.764}, {"coordinates_swapped"}),
        ({"time_zone": "Asia/Tokyo"}, {"zone_of_another_country"}),
        ({"country": "XX"}, {"zone_of_another_country"}),
        ({"country": "BR", "latitude": -46.63, "longitude": -23.55, "time_zone": "America/Sao_Paulo"},
         {"coordinates_swapped"}),
    ],
)  # fmt: skip
def test_a_zone_and_coordinates_that_do_not_fit_are_noted(client, wrong, notes) -> None:
    found = client.post(f"{CITIES}/check", json=LYON | wrong).json()
    assert set(found["notes"]) - {"english_only", "without_rules"} == notes


def test_nothing_is_doubted_of_the_shipped_cities() -> None:
    assert {name: doubts(city) for name, city in load_registry().cities.items() if doubts(city)} == {}


def test_a_city_whose_file_is_gone_takes_no_other_warning_with_it(tmp_path) -> None:
    folder = tmp_path / "cities"
    folder.mkdir()
    world = World(tmp_path, cities_dir=folder, cache_seconds=0)
    now = datetime.now(UTC)
    add_account(world.store.sessions, "li-na", name="李娜", role="administrator", at=now)
    client = TestClient(create_app(world.settings, clock=lambda: now), raise_server_exceptions=False)
    head = bearer(world.store, "li-na")
    assert client.post(CITIES, json=LYON, headers=head).status_code == 201
    draft(world, now.replace(minute=0, second=0, microsecond=0), ("beijing", "lyon"))
    ids = {one["proposed"]["city"]: one["id"] for one in client.get("/v1/drafts", headers=head).json()["items"]}
    for name in ids.values():
        client.post(f"/v1/drafts/{name}/approve", json={"reason": "agrees"}, headers=head)
    (folder / "lyon.toml").unlink()
    client = TestClient(create_app(world.settings, clock=lambda: now), raise_server_exceptions=False)
    for state in ("in_force", "all"):
        found = client.get("/v1/warnings", params={"state": state}).json()["features"]
        assert [one["properties"]["city"] for one in found] == ["beijing"]
    feed = client.get("/v1/warnings/feed.atom")
    assert feed.status_code == 200 and "beijing" in feed.text and "lyon" not in feed.text
    assert client.get("/").status_code == 200
    for end in ("", ".cap"):
        assert client.get(f"/v1/warnings/{ids['lyon']}{end}").status_code == 404
        assert client.get(f"/v1/warnings/{ids['beijing']}{end}").status_code == 200
    [check] = [one for one in client.get("/v1/readyz").json()["checks"] if one["name"] == "cities"]
    assert check["status"] == "degraded"
    world.close()
