"""A bureau's own shapes: what the file may hold, what each fault is called, and how areas and maps follow it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import shapely
from PIL import ImageColor

from hazecast.alerts.geography.city_areas import city_area
from hazecast.alerts.geography.own_shapes import own_shapes
from hazecast.alerts.geography.shapes import Shapes, current, layer, shipped, use
from hazecast.alerts.maps.canvas import LAND, SEA, background, insets, overlay
from hazecast.alerts.messages.cap import geocodes
from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.alerts.messages.warning_texts import compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from tests.support.cap_messages import made_warning
from tests.support.own_shapes import BEIJING, NUMBER, SHIJIAZHUANG, collection, complete, feature, own_areas, own_map

CITIES = load_registry().cities
BOX = shapely.box(*BEIJING)


@pytest.fixture(autouse=True)
def _package_shapes() -> Iterator[None]:
    yield
    use(None)


def read(content: bytes) -> Shapes:
    return own_shapes(content, "own.geojson", CITIES, shipped())


def city(geometry: object, name: str = "beijing") -> dict[str, object]:
    return feature(geometry, kind="city", city=name)  # type: ignore[arg-type]


def line(*corners: tuple[float, float]) -> dict[str, object]:
    return {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}


@pytest.mark.parametrize(
    ("content", "where", "found"),
    [
        (b"{", "own.geojson", "JSONDecodeError"),
        (b"\xff", "own.geojson", "UnicodeDecodeError"),
        (b"[" * 100_000, "own.geojson", "RecursionError"),
        (b'{"type": "FeatureCollection", "features": [NaN]}', "own.geojson", "NaN"),
        (b'{"type": "Feature"}', "own.geojson", "'Feature'"),
        (collection(), "own.geojson, features", "none"),
        (collection("x"), "own.geojson, feature 1", "no feature"),
        (collection(*own_areas(), feature(BOX, kind="lake")), "own.geojson, feature 3, kind", "'lake'"),
        (collection(feature(BOX, kind=["city"])), "own.geojson, feature 1, kind", "['city']"),
        (collection(feature(BOX, kind="city")), "own.geojson, feature 1", "neither"),
        (collection(city(BOX, "atlantis")), "own.geojson, feature 1", "city 'atlantis'"),
        (collection(feature(BOX, kind="city", adcode="999999")), "own.geojson, feature 1", "adcode '999999'"),
        (collection(feature(BOX, kind="city", city="beijing", adcode="130100")), "feature 1", "'130100'"),
        (collection(city(BOX), city(BOX)), "feature 2, beijing", "a second area, after own.geojson, feature 1"),
        (collection(city(shapely.box(110, 39, 111, 40))), "feature 1, beijing", "without its city's centre"),
        (collection(city(shapely.box(115, 38, 118, 41))), "feature 1, beijing", "centre of"),
        (collection(city(line((116, 39), (117, 41), (117, 39), (116, 41)))), "feature 1, geometry", "Self-inter"),
        (collection(city(None)), "feature 1, geometry", "None"),
        (collection(city(shapely.Polygon())), "feature 1, geometry", "empty"),
        (collection(city({"type": "Polygon", "coordinates": [[[1, 2], [3]]]})), "feature 1, geometry", "Error"),
        (collection(city({"type": "Polygon", "coordinates": "x"})), "feature 1, geometry", "Error"),
        (collection(city(shapely.Point(116.4, 39.9))), "feature 1, geometry", "'Point'"),
        (collection(city(shapely.box(39, 115, 41, 117))), "feature 1, geometry", "41, 115"),
        (collection(city(shapely.Point(116.407, 39.904).buffer(0.001))), "feature 1, beijing", "km2"),
        (
            collection(city(shapely.box(113.6, 37.5, 117, 40.2)), *own_areas()[1:]),
            "feature 1",
            "centre of",
        ),
        (
            collection(city(BOX), city(shapely.box(116.9, 38.9, 117.9, 39.8), "tianjin")),
            "feature 2, tianjin",
            "km2 shared with own.geojson, feature 1, beijing",
        ),
        (collection(*own_map()[1:]), "own.geojson", "without coast"),
        (collection(*own_areas(), review_number=NUMBER), "own.geojson", "review_number without coast and border"),
        (collection(*own_map(), review_number=7), "own.geojson, review_number", "7"),
        (collection(*own_map(), review_number="a\nb"), "own.geojson, review_number", "a\\nb"),
        (collection(*own_map()[:3], feature(BOX, kind="inset")), "feature 4, position", "None"),
        (
            collection(*own_map()[:3], feature(shapely.box(105, -9, 120, 9), kind="inset", position="lower_left")),
            "feature 4",
            "-9",
        ),
        (collection(feature(shapely.box(-80, 0, -70, 9), kind="coast")), "own.geojson, feature 1", "-80"),
        (collection(feature(shapely.LineString([(100, 20), (101, 21)]), kind="coast")), "geometry", "'LineString'"),
    ],
)  # fmt: skip
def test_a_fault_names_file_feature_and_what_was_found(content: bytes, where: str, found: str) -> None:
    with pytest.raises(InputError) as caught:
        read(content)
    assert where in caught.value.where and found in str(caught.value.found), str(caught.value)


def test_areas_of_the_file_take_the_place_of_those_computed() -> None:
    use(read(collection(*own_areas())))
    assert city_area(CITIES["beijing"]).geometry.equals(BOX)
    assert city_area(CITIES["shijiazhuang"]).geometry.equals(shapely.box(*SHIJIAZHUANG))
    # An area given by its code is what the code names; one given by the city's id need not be.
    assert geocodes(CITIES["beijing"]) == {} and geocodes(CITIES["shijiazhuang"]) == {"GB/T 2260": "130100"}
    texts = {compose(made_warning(), RuleBook.shipped().haze_signal, CITIES["beijing"], n).area for n in LANGUAGES}
    assert texts == {"北京预警区域", "北京の発表区域", "The warning area of Beijing"}
    # The base map stays the package's.
    assert layer("land") == shipped().land and not current().own_map and not insets("phone")


def test_no_two_areas_overlap_and_each_city_keeps_its_centre() -> None:
    before = city_area(CITIES["tianjin"]).geometry
    use(read(collection(*own_areas())))
    for one, other in combinations(CITIES.values(), 2):
        assert shapely.intersection(city_area(one).geometry, city_area(other).geometry).area == 0.0, (one.id, other.id)
    for place in CITIES.values():
        assert shapely.contains_xy(city_area(place).geometry, place.longitude, place.latitude), place.id
    # Tianjin isn't in the file: it lies as before, less what the bureau gives Beijing.
    lost = before.area - city_area(CITIES["tianjin"]).geometry.area
    assert lost == pytest.approx(shapely.intersection(before, BOX).area, abs=1e-4) and lost > 0.1


def test_a_sliver_that_two_traced_apart_is_the_earlier_ones() -> None:
    second = shapely.box(117.4999, 39.0, 117.9, 39.8)
    moved = CITIES | {"tianjin": CITIES["tianjin"].model_copy(update={"longitude": 117.7, "latitude": 39.4})}
    found = own_shapes(collection(city(BOX), city(second, "tianjin")), "own.geojson", moved, shipped())
    assert found.areas["tianjin"].geometry.equals(second)
    use(found)
    assert not shapely.intersection(city_area(CITIES["beijing"]).geometry, city_area(moved["tianjin"]).geometry).area


def test_the_base_map_is_replaced_as_a_whole() -> None:
    found = read(complete())
    use(found)
    assert found.review_number == NUMBER and found.own_map
    assert shapely.union_all(layer("land")).equals(shapely.box(95, 15, 122, 55))
    assert {g.geom_type for name in ("country", "province") for g in layer(name)} == {"MultiLineString"}
    # East of the file's land, where Japan would be, is sea.
    face = background("phone")
    over = np.asarray(overlay("phone"))[face.height // 2, 420:-5]
    assert (over == (*ImageColor.getrgb(SEA), 255)).all()
    assert face.getpixel((face.width - 100, face.height // 2)) == ImageColor.getrgb(SEA)
    # Texts and shares still follow the package's provinces.
    assert found.provinces == shipped().provinces
    (picture, (x, y)), = insets("phone")  # fmt: skip
    colours = {f"#{bytes(c).hex()}" for c in np.asarray(picture).reshape(-1, 3)}
    assert {SEA, LAND} <= colours and x < 10 and y > 300 and picture.width <= 120


def test_another_content_has_another_digest_and_is_drawn_anew() -> None:
    one, other = read(complete()), read(complete() + b"\n")
    assert one.digest != other.digest and one.digest != shipped().digest == ""
    assert one.review_number in json.loads(complete())["review_number"]
    use(one)
    first = background("phone")
    use(replace(one, land=(shapely.box(95, 15, 110, 55),)))
    assert background("phone").tobytes() != first.tobytes()
    use(one)
    assert background("phone") is first
