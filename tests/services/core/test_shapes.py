"""A bureau's own shapes from the settings to what is published: the drawn map, CAP, the page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient
from lxml import etree

from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.geography.shapes import current, shipped, use
from hazecast.alerts.maps import sheet
from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.services.core import work_pool
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.core.shapes import use_shapes
from hazecast.services.core.subprocesses import Made
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from hazecast.services.work.bulletin import Bulletins
from hazecast.services.work.public_haze import haze_name
from hazecast.services.work.stored_forecast import Look, write_netcdf
from tests.support.cap_messages import texts_at
from tests.support.forecasts import forecast_of, observations_of
from tests.support.own_shapes import BEIJING, NUMBER, collection, complete, own_areas
from tests.support.warning_cases import assessed

INIT = datetime(2013, 1, 31, 22, tzinfo=UTC)
NOW = INIT + timedelta(minutes=10)
LOOK = Look("zh", "phone")


@pytest.fixture(autouse=True)
def _package_shapes() -> Iterator[None]:
    yield
    use(None)


def settings_of(folder: Path, name: str, content: bytes) -> Settings:
    (folder / name).write_bytes(content)
    return Settings(data_dir=folder / "data", warnings={"shapes_file": folder / name})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with a file of shapes, and a store with a warning for Beijing."""
    made = settings_of(tmp_path, "own.geojson", complete())
    store, rules = Store(made.database_url, lambda: NOW, made.data_dir), rule_book(made).haze_signal
    store.migrate()
    (warning,) = advance([], [assessed(rules, "beijing", INIT, (0.9, 0.8, 0.0))], INIT, ruleset=rules)
    init = np.datetime64(INIT.replace(tzinfo=None), "ns")
    forecast = forecast_of(400.0, init=init, cities=("beijing", "tianjin"))
    forecast = forecast.assign(relative_humidity=(("lead_time", "city"), np.full((LEAD_HOURS, 2), 50.0)))
    write_netcdf(forecast, made.data_dir / "forecasts" / "run.nc")
    store.save_run(
        forecast, observations_of(np.full(24, 50.0), init, ("beijing", "tianjin")), [warning],
        netcdf_path=made.data_dir / "forecasts" / "run.nc", map_path=made.data_dir / "m.png",
        cycle_id=store.begin_cycle(INIT, False),
    )  # fmt: skip
    store.close()
    return made


def test_the_map_has_the_review_number_and_cap_the_area_of_the_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = sheet.write
    monkeypatch.setattr(
        sheet, "write", lambda d, at, text, *a, **k: written.append(text) or write(d, at, text, *a, **k)
    )
    monkeypatch.setattr(work_pool, "call_elsewhere", lambda made, *a, seconds: Made(made(*a), 0.0))
    client = TestClient(create_app(settings, clock=lambda: NOW))
    # As in the subprocess that draws, which knows the settings alone.
    use(None)
    drawn = client.get("/v1/maps/haze.png", params={"language": "zh", "size": "phone"})
    assert drawn.status_code == 200 and drawn.content.startswith(b"\x89PNG")
    assert any(f"审图号：{NUMBER}" in text for text in written)
    assert not any("Natural Earth" in text for text in written)

    (warning,) = client.get("/v1/warnings").json()["features"]
    root = etree.fromstring(client.get(f"/v1/warnings/{warning['properties']['id']}.cap").content)
    polygons = texts_at(root, "info/area/polygon")
    for text in polygons:
        corners = [tuple(map(float, corner.split(",")[::-1])) for corner in text.split()]
        assert shapely.Polygon(corners).equals(shapely.box(*BEIJING))
    assert len(polygons) == 3
    assert texts_at(root, "info/area/areaDesc")[0] == "北京预警区域"

    page = client.get("/", params={"lang": "zh"}).text
    assert f"审图号：{NUMBER}" in page and "Natural Earth" not in page
    assert len(client.get("/page/shapes.json").json()["land"]) == 1
    # Hundredths of a degree: a corner, then the steps to the others.
    ring = np.array(client.get("/page/map.json").json()["warnings"][0]["rings"][0]).reshape(-1, 2).cumsum(axis=0)
    assert shapely.Polygon(ring / 100.0).equals(shapely.box(*BEIJING))


def test_products_of_another_file_have_another_name(settings: Settings, tmp_path: Path) -> None:
    other = settings_of(tmp_path, "other.geojson", complete() + b" ")
    plain = Settings(data_dir=settings.data_dir)
    assert len({haze_name(given, (), LOOK) for given in (settings, other, plain)}) == 3
    keys = set()
    for given in (settings, other, plain):
        store = Store(given.database_url, lambda: NOW, given.data_dir)
        keys.add(Bulletins(store, given, load_registry(), rule_book(given)).edition(["beijing"], "en", NOW).key)
        store.close()
    assert len(keys) == 3


def test_a_service_does_not_start_with_an_unusable_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.geojson: found No such file"):
        create_app(Settings(data_dir=tmp_path, warnings={"shapes_file": tmp_path / "absent.geojson"}))
    twice = settings_of(tmp_path, "twice.geojson", collection(*own_areas(), *own_areas()))
    with pytest.raises(InputError, match=r"twice\.geojson, feature 3, beijing: found a second area"):
        create_app(twice)


def test_settings_without_a_file_bring_the_packages_shapes_back(settings: Settings, tmp_path: Path) -> None:
    use_shapes(settings)
    assert current().review_number == NUMBER
    use_shapes(Settings(data_dir=tmp_path))
    assert current() is shipped()
