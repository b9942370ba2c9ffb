"""The cities of a service come from its settings, and stay with it."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from hazecast.alerts.geography.city_areas import city_area
from hazecast.grids.errors import InputError
from hazecast.services.core.places import city_registry
from hazecast.services.web.app import create_app
from tests.support.settings import make_settings

CITY = '[[city]]\nid = "{}"\nname_en = "{}"\ncountry = "{}"\nlatitude = {}\nlongitude = {}\ntime_zone = "Etc/UTC"\n'


def settings_of(folder, text: str, **given):
    own = folder / "cities"
    own.mkdir(parents=True, exist_ok=True)
    (own / "own.toml").write_text(text)
    return make_settings(data_dir=folder, cities_dir=own, **given)


def test_two_apps_in_one_process_have_cities_of_their_own(tmp_path) -> None:
    apps = {
        name: TestClient(create_app(settings_of(tmp_path / name, CITY.format(name, name.title(), "FR", 45.0, 5.0))))
        for name in ("lyon", "lille")
    }
    plain = TestClient(create_app(make_settings(data_dir=tmp_path / "plain")))
    for name, other in (("lyon", "lille"), ("lille", "lyon")):
        assert apps[name].get(f"/v1/cities/{name}").json()["country"] == "FR"
        assert [c["id"] for c in apps[name].get("/v1/cities?country=FR").json()["items"]] == [name]
        assert apps[name].get(f"/v1/cities/{other}").status_code == 404 == plain.get(f"/v1/cities/{name}").status_code
        page = apps[name].get("/?lang=en").text
        assert f">{name.title()}<" in page and f">{other.title()}<" not in page


def test_a_registry_is_the_same_object_until_a_file_changes(tmp_path) -> None:
    settings = settings_of(tmp_path, CITY.format("lyon", "Lyon", "FR", 45.0, 5.0))
    first = city_registry(settings)
    assert city_registry(settings) is first
    settings_of(tmp_path, CITY.format("lyon", "Lyon", "FR", 45.25, 5.0))
    assert city_registry(settings).city("lyon").latitude == 45.25 and first.city("lyon").latitude == 45.0


def test_without_own_cities_the_shipped_ones_are_needed(tmp_path) -> None:
    with pytest.raises(InputError, match="HAZECAST_SHIPPED_CITIES"):
        city_registry(make_settings(data_dir=tmp_path, shipped_cities=False))
    with pytest.raises(InputError, match="HAZECAST_CITIES_DIR"):
        city_registry(make_settings(data_dir=tmp_path, cities_dir=tmp_path / "absent"))


def test_own_cities_share_the_land_between_them(tmp_path) -> None:
    near = CITY.format("lyon", "Lyon", "FR", 45.76, 4.84) + CITY.format("vienne", "Vienne", "FR", 45.52, 4.87)
    registry = city_registry(settings_of(tmp_path, near, shipped_cities=False))
    lyon, vienne = (city_area(registry.city(name), registry) for name in ("lyon", "vienne"))
    assert lyon.cut and vienne.cut and lyon.geometry.intersection(vienne.geometry).area == 0.0
