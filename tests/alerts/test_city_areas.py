"""The areas of cities: of one province, apart from each other, and what text, code and polygon name alike."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import shapely

from hazecast.alerts.geography.city_areas import CITY_RADIUS_KM, city_area, city_areas, rings
from hazecast.alerts.geography.shapes import as_geojson, current, equal_area, provinces
from hazecast.alerts.messages.cap import city_code, geocodes
from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.alerts.messages.warning_texts import compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.places.cities import City, load_registry
from tests.support.cap_messages import made_warning

CITIES = load_registry().cities
PROVINCES = {(p.country, p.code): p.geometry for p in provinces()}


def points_in(geometry: shapely.Geometry, count: int = 60) -> np.ndarray:
    west, south, east, north = geometry.bounds
    points = np.random.default_rng(1).uniform((west, south), (east, north), (count * 6, 2))
    return points[shapely.contains_xy(geometry, points[:, 0], points[:, 1])][:count]


def distance_km(city: City, points: np.ndarray) -> np.ndarray:
    lat, lon = np.radians(points[:, 1]), np.radians(points[:, 0])
    at, along = np.radians(city.latitude), np.radians(city.longitude)
    half = np.sin((lat - at) / 2) ** 2 + np.cos(lat) * np.cos(at) * np.sin((lon - along) / 2) ** 2
    return 2 * 6371.0 * np.arcsin(np.sqrt(half))


def text_of(city: City, language: str) -> str:
    return compose(made_warning(city=city.id), RuleBook.shipped().haze_signal, city, language).area


def test_no_two_areas_overlap() -> None:
    for one, other in combinations(CITIES.values(), 2):
        shared = shapely.intersection(city_area(one).geometry, city_area(other).geometry)
        assert shared.area == 0.0, (one.id, other.id)


@pytest.mark.parametrize("city", CITIES.values(), ids=list(CITIES))
def test_an_area_is_valid_small_holds_its_city_and_keeps_to_its_province(city: City) -> None:
    found = city_area(city).geometry
    assert found.is_valid and shapely.get_num_coordinates(found) <= 120
    assert all(part.exterior.is_ccw for part in shapely.get_parts(found))
    assert shapely.contains_xy(found, city.longitude, city.latitude)
    # As near as a message writes a corner.
    assert PROVINCES[(city.country, str(city.province_code))].buffer(0.0015).contains(found)


@pytest.mark.parametrize("city", CITIES.values(), ids=list(CITIES))
def test_what_is_no_municipality_is_within_50_km_and_nearer_to_its_city_than_to_others_of_the_province(
    city: City,
) -> None:
    area = city_area(city)
    if area.kind == "municipality":
        return
    points = points_in(area.geometry)
    own = distance_km(city, points)
    assert len(points) > 20 and own.max() < CITY_RADIUS_KM + 0.5
    for other in CITIES.values():
        if other.id != city.id and other.province_code == city.province_code:
            assert (own < distance_km(other, points) + 0.5).all(), other.id


def test_text_code_and_polygon_name_one_place() -> None:
    kinds = {name: city_area(city).kind for name, city in CITIES.items()}
    assert {name for name, kind in kinds.items() if kind == "municipality"} == {"beijing", "tianjin", "shanghai"}
    beijing, handan, tokyo = (CITIES[name] for name in ("beijing", "handan", "tokyo"))
    assert (
        geocodes(beijing) == {"GB/T 2260": "110000"} and text_of(beijing, "en") == "The whole municipality of Beijing"
    )
    assert city_area(beijing).geometry.area == pytest.approx(PROVINCES[("CN", "110000")].area, rel=0.01)
    # The code of a whole city beside a polygon of its centre would warn more than is meant.
    assert geocodes(handan) == {} and city_code(handan) == {"city_code": "GB/T 2260 130400"}
    assert text_of(handan, "en") == "Within 50 km of the centre of Handan (in Hebei)"
    assert not city_area(handan).cut and city_area(tokyo).cut
    assert text_of(tokyo, "ja") == (
        "東京の中心部から50 km以内（東京都内に限り、東京都のほかの予報都市のほうが近い所を除く）"
    )
    assert len({text_of(city, language) for city in CITIES.values() for language in LANGUAGES}) == 3 * len(CITIES)


def test_areas_are_made_once_and_always_the_same() -> None:
    cities = tuple(CITIES.values())
    assert city_areas(cities, current()) is city_areas(cities, current())
    again = city_areas.__wrapped__(cities, current())
    assert {n: as_geojson(a.geometry) for n, a in again.items()} == {
        n: as_geojson(city_area(c).geometry) for n, c in CITIES.items()
    }


def test_a_city_of_another_registry_is_cut_too() -> None:
    kamakura = CITIES["tokyo"].model_copy(update={"id": "kamakura", "latitude": 35.319, "longitude": 139.547,
                                                  "code": "14204"})  # fmt: skip
    found = city_area(kamakura)
    assert found.cut and shapely.contains_xy(found.geometry, 139.547, 35.319)
    assert not shapely.contains_xy(found.geometry, CITIES["kawasaki"].longitude, CITIES["kawasaki"].latitude)
    nowhere = kamakura.model_copy(update={"id": "nowhere", "code": None})
    assert city_area(nowhere).kind == "around" and geocodes(nowhere) == city_code(nowhere) == {}


def test_rings_cover_a_shape_with_holes_without_them() -> None:
    shape = shapely.Polygon(shapely.box(110, 30, 112, 32).exterior, [shapely.box(110.5, 30.5, 111, 31).exterior.coords])
    shape = shapely.union(shape, shapely.box(115, 30, 116, 31))
    found = [shapely.Polygon(ring) for ring in rings(shape)]
    assert all(ring.is_valid and not ring.interiors and ring.exterior.is_ccw for ring in found)
    assert shapely.union_all(found).symmetric_difference(shape).area < 1e-9
    assert sum(equal_area(ring).area for ring in found) == pytest.approx(equal_area(shape).area)
