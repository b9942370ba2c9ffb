"""Many places: every list of cities comes in pages, and nothing is read of places that are not asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient

from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from hazecast.services.web.routes import forecasts
from hazecast.services.work.stored_forecast import NETCDF, link_product, write_netcdf
from tests.support.forecasts import INIT, forecast_of, observations_of
from tests.support.settings import make_settings

COUNT = 260
NAMES = [f"place{number:04d}" for number in range(COUNT)]
NOW = datetime.fromtimestamp(INIT.astype("datetime64[s]").astype(int), UTC) + timedelta(hours=1)


@pytest.fixture(scope="module")
def api(tmp_path_factory) -> TestClient:
    folder = tmp_path_factory.mktemp("many")
    (folder / "cities").mkdir()
    rows = [f"{name},{name},FR,{40 + n * 0.01:.2f},{n * 0.01:.2f},Europe/Paris" for n, name in enumerate(NAMES)]
    table = "\n".join(["id,name_en,country,latitude,longitude,time_zone", *rows, ""])
    (folder / "cities" / "many.csv").write_text(table)
    settings = make_settings(data_dir=folder, cities_dir=folder / "cities", shipped_cities=False)
    store = Store(settings.database_url, lambda: NOW, folder)
    store.migrate()
    forecast = forecast_of(100.0, cities=NAMES)
    forecast = forecast.assign(relative_humidity=(("lead_time", "city"), np.full((120, COUNT), 50.0)))
    file = folder / "run.nc"
    write_netcdf(forecast, file)
    link_product(file, NETCDF)
    store.save_run(
        forecast, observations_of(np.full(24, 50.0), INIT, NAMES), [],
        netcdf_path=file, map_path=file, cycle_id=store.begin_cycle(None, False),
    )  # fmt: skip
    store.close()
    return TestClient(create_app(settings, clock=lambda: NOW))


def pages(api: TestClient, address: str):
    while address:
        answer = api.get(address)
        assert answer.status_code == 200, answer.text
        yield answer
        address = answer.links.get("next", {}).get("url", "")


def test_cities_come_in_pages_each_once(api) -> None:
    found = [answer.json() for answer in pages(api, "/v1/cities?limit=100")]
    assert [len(page["items"]) for page in found] == [100, 100, 60]
    assert [city["id"] for page in found for city in page["items"]] == NAMES
    table = [
        row.split(",")[0] for answer in pages(api, "/v1/cities?format=csv") for row in answer.text.splitlines()[1:]
    ]
    assert table == NAMES
    points = [f["id"] for a in pages(api, "/v1/cities?format=geojson&limit=200") for f in a.json()["features"]]
    assert points == NAMES
    assert api.get("/v1/cities?cursor=nonsense").status_code == 422 == api.get("/v1/cities?limit=501").status_code


@pytest.mark.parametrize("address", ["/v1/forecasts/latest", "/v1/map?variables=pm25", "/v1/observations"])
def test_forecasts_and_observations_come_in_pages_of_cities(api, address) -> None:
    mark = "&" if "?" in address else "?"
    found = [answer.json() for answer in pages(api, f"{address}{mark}limit=150")]
    assert [city.get("city", city.get("id")) for page in found for city in page["items"]] == NAMES
    assert found[0]["next"] is not None and found[-1]["next"] is None


def test_what_is_asked_for_is_one_page_and_a_days_answer_reads_one_city(api) -> None:
    answer = api.get("/v1/forecasts/latest?city=place0259&city=place0000&format=geojson").json()
    assert [f["id"] for f in answer["features"]] == ["place0000", "place0259"] and answer["next"] is None
    day = api.get("/v1/cities/place0100/daily").json()["days"][1]
    assert day["pm25_mean"]["q50"] == pytest.approx(100.0, abs=2.0) and day["index"]["standard"] == "EU-EEA-2025"


def test_a_large_file_is_sent_from_disk_as_it_is_stored(api, monkeypatch) -> None:
    whole = api.get("/v1/forecasts/latest?format=netcdf")
    monkeypatch.setattr(forecasts, "_SENT_FROM_DISK", 1_000)
    # Another address, as the first is kept in memory.
    sent = api.get("/v1/forecasts/latest?format=netcdf&simulated=false")
    assert sent.content == whole.content and sent.headers["cache-control"] == "no-store"
    assert (
        sent.headers["content-disposition"].endswith('.nc"') and sent.headers["content-type"] == "application/x-netcdf"
    )
