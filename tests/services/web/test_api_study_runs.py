"""Studies asked of the API: on the caller's tables and on the stored observations, each as its command answers it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from inspect import Parameter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fastapi.testclient import TestClient

from hazecast.grids.contract import describe
from hazecast.grids.observations.collections import read_observations
from hazecast.grids.places.cities import load_registry
from hazecast.services.accounts.accounts import add_account
from hazecast.services.cli.studies.commands import command_of
from hazecast.services.core.settings import Settings
from hazecast.services.core.work_pool import PoolFullError
from hazecast.services.research.studies import served
from hazecast.services.research.studies.asking import Observed, Option, Table, arguments_of
from hazecast.services.research.studies.registry import COMMANDS, SERVED
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import MonitorStation, StationObservation
from hazecast.services.web.app import create_app
from hazecast.services.web.study_examples import BODIES
from tests.support.accounts import bearer
from tests.support.command_line import run_command
from tests.support.observations import store_observations
from tests.support.run_inside import run_inside

# These need gridded weather, or an airport's reports: tests/services/research/test_stored_air.py.
OF_AIR = {"trajectories", "provinces", "visibility"}
OF_TABLES = [name for name, body in BODIES.items() if "observations" not in body and name not in OF_AIR]
OF_HOURS = [name for name, body in BODIES.items() if "observations" in body and name not in OF_AIR]
# These fit for seconds.
LONG = {"trend", "intervention"}
# These draw figures, or read a folder of hours.
DRAWN = {"voc", "ekma", "rir", "equivalence", "chart", "interlab", "sources", "climatology", "ozone", "wind"}
HOURS = pd.date_range("2025-12-31T17:00", periods=24 * 210, freq="h")
STATIONS = ("t:a", "t:b", "t:c", "t:d")


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("studies"))


@pytest.fixture(scope="module")
def collection(tmp_path_factory) -> Path:
    """Made-up hours of 210 days as files: wind turns, and PM2.5 is high with wind from the south."""
    folder, rng, n = tmp_path_factory.mktemp("collection"), np.random.default_rng(0), len(HOURS)
    angle = np.cumsum(rng.normal(0, 0.1, n))
    local = HOURS + pd.Timedelta(hours=7)
    found = {
        "pm25": (40 - 30 * np.cos(angle)) * rng.lognormal(0, 0.1, n),
        "o3": 80 + 40 * np.sin((local.hour - 8) * np.pi / 12) + rng.normal(0, 5, n) + 10 * (local.day_of_week >= 5),
        "no2": 40 + rng.normal(0, 4, n),
        "u10": -3 * np.sin(angle),
        "v10": -3 * np.cos(angle),
    }
    for file, contract, names in (
        ("observations.nc", "observations", ("pm25", "o3", "no2")),
        ("city_weather.nc", "city_weather", ("u10", "v10")),
    ):
        columns = {name: (("time", "city"), np.asarray(found[name], "f4")[:, None]) for name in names}
        dataset = describe(xr.Dataset(columns, coords={"time": HOURS, "city": ["beijing"]}), contract)
        dataset.assign_attrs(source="made up").to_netcdf(folder / file)
    return folder


@pytest.fixture(scope="module")
def store(settings, collection) -> Store:
    """The same hours as stored, after quality control; by stations, of which one measures wind."""
    store = Store(settings.database_url)
    store.migrate()
    add_account(store.sessions, "bureau", name="bureau", role="subscriber", at=datetime.now(UTC))
    given = read_observations(collection, load_registry())
    observed = given.observations[["pm25", "o3", "no2"]]
    store_observations(store, describe(observed, "observations").assign_attrs(source="made up"), simulated=False)
    assert given.weather is not None
    wind = given.weather.sel(city="beijing")
    rng = np.random.default_rng(1)
    with store.writing() as connection:
        for station in STATIONS:
            connection.execute(
                MonitorStation.__table__.insert(),
                {
                    "id": station, "source": "t", "source_kind": "measurement", "code": station[2:], "name": station[2:],
                    "city": "beijing", "latitude": 39.9, "longitude": 116.4, "siting": "urban", "licence": "", "attribution": "",
                },
            )  # fmt: skip
            rows = [("pm25", 50 * rng.lognormal(0, 0.1, len(HOURS)))]
            rows += [(name, wind[name].values) for name in ("u10", "v10")] if station == "t:a" else []
            for name, values in rows:
                connection.execute(
                    StationObservation.__table__.insert(),
                    [
                        {
                            "station_id": station, "time": at.to_pydatetime().replace(tzinfo=UTC), "pollutant": name,
                            "raw": float(value), "units": "", "value": float(value), "flag": 0, "revision": 0,
                            "retrieved_at": datetime(2026, 1, 1, tzinfo=UTC),
                        }
                        for at, value in zip(HOURS, values, strict=True)
                    ],
                )  # fmt: skip
    yield store
    store.close()


@pytest.fixture(scope="module")
def client(settings, store) -> TestClient:
    client = TestClient(create_app(settings), raise_server_exceptions=False)
    client.app.state.service.studies.submit = run_inside
    return client


@pytest.fixture(scope="module")
def head(store) -> dict[str, str]:
    return bearer(store, "bureau", scopes=["studies:run"])


def command_line(name: str, body: dict, folder: Path) -> list[object]:
    """Return the words of the command that asks what a body asks."""
    words: list[object] = ["study", name]
    for one in arguments_of(SERVED[name]):
        value = body.get(one.shown)
        option = f"--{one.shown.replace('_', '-')}"
        if value is None:
            continue
        if isinstance(one.told, Table):
            path = folder / f"{one.name}.csv"
            if isinstance(value, str):
                path.write_text(value, encoding="utf-8")
            else:
                pd.DataFrame(value).to_csv(path, index=False)
            words += [path] if one.required and not one.told.by_option else [option, path]
        else:
            for part in value if isinstance(value, list) else [value]:
                words += [option, part]
    return [*words, "--json"]


def each(names: list[str]) -> list:
    """Return the names, the slow ones left to the whole suite."""
    return [pytest.param(name, marks=pytest.mark.slowest) if name in DRAWN else name for name in names]


def assert_printed(found: dict, printed: dict) -> None:
    """Check that an answer has what a command printed, where a table comes before a value of the same name."""
    assert printed == {
        name: found["tables"][name] if isinstance(value, list) and name in found["tables"] else found["summary"][name]
        for name, value in printed.items()
    }
    assert set(found["summary"]) <= set(printed)


@pytest.mark.parametrize("name", each(OF_TABLES))
def test_an_answer_is_the_commands(client, head, tmp_path, name) -> None:
    answer = client.post(f"/v1/studies/{name}", json=BODIES[name], headers=head)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    printed = json.loads(run_command(*command_line(name, BODIES[name], tmp_path)))
    assert found["study"] == name and (found["summary"] or found["tables"])
    assert_printed(found, printed)


@pytest.mark.parametrize("name", each(sorted(set(OF_HOURS) - LONG - {"network", "sites"})))
def test_an_answer_on_stored_hours_is_the_commands_on_their_files(client, head, collection, tmp_path, name) -> None:
    answer = client.post(f"/v1/studies/{name}", json=BODIES[name], headers=head)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    asked = {key: value for key, value in BODIES[name].items() if key != "observations"}
    printed = json.loads(run_command(*command_line(name, asked, tmp_path), "--observations", collection))
    assert_printed(found, printed)
    if name == "wind":
        assert 135 < found["summary"]["polar_peak_direction_degrees"] < 225


@pytest.mark.slowest
def test_stations_are_compared_as_stored(client, head) -> None:
    network = client.post("/v1/studies/network", json=BODIES["network"], headers=head).json()
    assert network["summary"]["stations"] == len(STATIONS)
    sites = client.post("/v1/studies/sites", json=BODIES["sites"], headers=head).json()
    assert len(sites["summary"]["kept"]) == 3 and set(sites["summary"]["kept"]) < set(STATIONS)
    one = client.post(
        "/v1/studies/wind", json={"observations": BODIES["wind"]["observations"], "place": "t:a"}, headers=head
    )
    assert one.status_code == 200 and one.json()["summary"]["hours"] == len(HOURS)
    calm = client.post(
        "/v1/studies/wind", json={"observations": BODIES["wind"]["observations"], "place": "t:b"}, headers=head
    )
    assert calm.status_code == 422 and "no wind" in calm.json()["detail"]


@pytest.mark.parametrize(
    ("name", "body", "field", "reason"),
    [
        ("budget", {}, "table", "Field required"),
        ("budget", {"table": "component,kind,value\na,standard,x\n"}, "table, line 2, column value", "found x"),
        ("budget", {"table": "component,kind,value\na,standard,1\n", "confidnce": 0.9}, "confidnce", "Extra inputs"),
        ("budget", {"table": []}, "table", "at least 1"),
        ("duplicates", BODIES["duplicates"] | {"floor": -1}, "floor", "greater than or equal to 0"),
        ("chart", BODIES["chart"] | {"column": "other"}, "table: column", "found other"),
        ("wind", {"observations": {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "place": "beijing"}, "observations", "before"),
        ("wind", {"observations": {"from": "2026-01-01", "to": "2026-01-02T00:00:00Z"}, "place": "beijing"}, "observations.from", "timezone"),
        ("episodes", BODIES["episodes"] | {"city": "bejing"}, "city", "found bejing"),
        ("episodes", BODIES["episodes"] | {"city": "tokyo"}, "observations", "no stored hour of tokyo"),
        ("wind", BODIES["wind"] | {"place": "t:z"}, "place", "found t:z"),
        ("trajectories", BODIES["trajectories"], "weather", "the archive is empty"),
        ("visibility", BODIES["visibility"], "observations", "no visibility, t2m, d2m measured in beijing"),
        ("visibility", BODIES["visibility"] | {"save": "x.json"}, "save", "Extra inputs"),
        ("wind", BODIES["wind"] | {"weather": "/etc/passwd"}, "weather", "Extra inputs"),
    ],
)  # fmt: skip
def test_a_wrong_body_is_refused_by_field(client, head, name, body, field, reason) -> None:
    answer = client.post(f"/v1/studies/{name}", json=body, headers=head)
    assert answer.status_code == 422, answer.text
    errors = answer.json()["errors"]
    assert any(one["field"] == field and reason in one["reason"] for one in errors), errors
    assert "tmp" not in answer.text


def test_a_body_that_is_no_json_is_refused(client, head) -> None:
    answer = client.post("/v1/studies/budget", content=b"{", headers=head | {"Content-Type": "application/json"})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "body"


def test_a_key_with_the_scope_is_needed(client, store, head) -> None:
    asked = {"url": "/v1/studies/budget", "json": BODIES["budget"]}
    assert client.post(**asked).status_code == 401
    other = bearer(store, "bureau", scopes=["subscriptions:read"])
    assert client.post(**asked, headers=other).status_code == 403
    assert client.post("/v1/studies/bugdet", json={}, headers=head).status_code == 404


@pytest.mark.slowest
def test_it_is_answered_by_a_subprocess(settings, head) -> None:
    client = TestClient(create_app(settings), raise_server_exceptions=False)
    answer = client.post("/v1/studies/budget", json=BODIES["budget"], headers=head)
    assert answer.status_code == 200 and answer.json()["summary"]["expanded"] > 0
    for body in ({}, {"table": "component,kind,value\na,odd,1\n"}):
        refused = client.post("/v1/studies/budget", json=body, headers=head)
        assert refused.status_code == 422 and refused.json()["errors"]


def test_too_much_waiting_work_is_a_503(client, head, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise PoolFullError(7)

    monkeypatch.setattr(client.app.state.service.studies, "submit", full)
    answer = client.post("/v1/studies/budget", json=BODIES["budget"], headers=head)
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "7"


def test_every_study_is_listed_and_says_what_it_takes(client) -> None:
    listed = {one["name"]: one for one in client.get("/v1/studies").json()["items"]}
    assert set(listed) == set(SERVED) == set(BODIES)
    for name, study in SERVED.items():
        form = client.get(f"/v1/studies/{name}").json()
        assert form["description"] and form["example"] == BODIES[name]
        served.body_of(study).model_validate(form["example"])
        needed = {one.shown for one in arguments_of(study) if one.required}
        assert needed == set(form["body"].get("required", ()))
        assert all(one.get("description") for one in form["body"]["properties"].values())
        assert listed[name]["stored_observations"] == any(isinstance(one.told, Observed) for one in arguments_of(study))
    assert client.get("/v1/studies/bugdet").status_code == 404 and "budget" in client.get("/v1/studies/bugdet").text


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_has_the_options_of_its_study(name) -> None:
    made = command_of(COMMANDS[name]).__signature__.parameters  # type: ignore[attr-defined]
    for one in arguments_of(COMMANDS[name]):
        how = made[one.name].annotation.__metadata__[0]
        assert how.help and (made[one.name].default is Parameter.empty) == one.required
        if isinstance(one.told, Option):
            assert how.default == f"--{one.shown.replace('_', '-')}" and how.min == one.told.least
