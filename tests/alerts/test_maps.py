"""Maps: drawn offline, in three languages, with every glyph, in colours that can be distinguished."""

from __future__ import annotations

import io
import socket
from datetime import UTC, datetime

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from hazecast.alerts.geography.shapes import layer
from hazecast.alerts.maps.canvas import LAND, LAYOUTS, font, to_pixels
from hazecast.alerts.maps.draw import animate, draw_haze_map, draw_value_map
from hazecast.alerts.maps.polygons import LevelAreas, level_shapes
from hazecast.alerts.maps.scales import SCALES, Scale
from hazecast.alerts.maps.sheet import Provenance
from hazecast.alerts.messages.texts import LANGUAGES, catalog
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from tests.support.catalogs import flat

WINDOW = (datetime(2013, 1, 12, tzinfo=UTC), datetime(2013, 1, 13, tzinfo=UTC))
REGISTRY = load_registry()


def drawn(lang: str = "zh", *, simulated: bool = False, rank: int = 3, size: str = "desktop") -> np.ndarray:
    latitude, longitude = np.arange(15.0, 55.1, 1.0), np.arange(95.0, 150.1, 1.0)
    level = np.full((latitude.size, longitude.size), -1, np.int8)
    level[20:28, 18:25] = rank
    areas = xr.Dataset(
        {"level": (("latitude", "longitude"), level)}, coords={"latitude": latitude, "longitude": longitude}
    )
    cities = [(city, max(rank, 0) if city.id == "beijing" else 0, 100.0) for city in REGISTRY.cities.values()]
    shown = LevelAreas(*level_shapes(areas, lowest=0), WINDOW, simulated, "none")
    png = draw_haze_map(shown, cities, RuleBook.shipped().haze_signal, lang=lang, issued=WINDOW[0], size=size)
    assert png.startswith(b"\x89PNG")
    return pixels(Image.open(io.BytesIO(png)))


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).astype(int)


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def share(image: np.ndarray, colour: str) -> float:
    return float((np.abs(image - rgb(colour)).max(axis=2) <= 6).mean())


@pytest.mark.parametrize("size", sorted(LAYOUTS))
@pytest.mark.parametrize("lang", LANGUAGES)
def test_map_is_drawn_offline(monkeypatch, lang, size) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the map reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    image = drawn(lang, size=size)
    assert image.shape[1] == LAYOUTS[size].width and image.shape[0] <= LAYOUTS[size].height


def test_the_font_has_every_letter_that_a_map_may_write() -> None:
    missing = bytes(font(40).getmask("\uffff"))
    words = [text for lang in LANGUAGES for text in flat(catalog(lang).messages["map"]).values()]
    words += [getattr(city, f"name_{lang}") for lang in LANGUAGES for city in REGISTRY.cities.values()]
    words += [getattr(rule, f"haze_{lang}") for lang in LANGUAGES for rule in RuleBook.shipped().haze_signal.levels]
    for letter in sorted(set("".join(words)) - {" "}):
        assert bytes(font(40).getmask(letter)) != missing, letter


def test_level_colours_and_simulated_mark_show() -> None:
    red = RuleBook.shipped().haze_signal.level_of(3).colour
    warned, clear = drawn(), drawn(rank=0)
    assert share(warned, red) > 10 * share(clear, red)
    marked = drawn(simulated=True)
    assert (np.abs(marked - warned).max(axis=2) > 12).mean() > 0.01


def test_no_colour_where_nothing_is_known_and_none_on_the_sea() -> None:
    assert share(drawn(rank=-1), LAND) > share(drawn(rank=3), LAND) + 0.005
    image = drawn(rank=3)
    x, y = to_pixels([119.0], [38.7], "desktop")  # the Bohai Sea, inside the coloured square
    at = image[int(y[0]) + LAYOUTS["desktop"].top, int(x[0]) + LAYOUTS["desktop"].left]
    assert np.abs(at - rgb(RuleBook.shipped().haze_signal.level_of(3).colour)).max() > 60


def test_shapes_cover_both_countries() -> None:
    assert len(layer("province")) == 31 + 47
    assert len(layer("country")) > 10 and len(layer("land")) == 1
    assert all(shape.is_valid for shape in layer("province"))


def value_map(kind: str, *, value: float = 200.0, known: bool = True, lang: str = "en") -> Image.Image:
    latitude, longitude = np.arange(15.0, 55.1, 1.0), np.arange(95.0, 150.1, 1.0)
    coords = {"latitude": latitude, "longitude": longitude}
    dims = ("latitude", "longitude")
    shape = (latitude.size, longitude.size)
    field = xr.DataArray(np.full(shape, value), dims=dims, coords=coords)
    spread = xr.DataArray(np.full(shape, 0.1 if known else 1.0), dims=dims, coords=coords)
    values = [(REGISTRY.city("beijing"), value), (REGISTRY.city("shanghai"), np.nan)]
    return draw_value_map(field, spread, values, kind, "noon", Provenance("none", WINDOW[0], False), lang=lang)


@pytest.mark.parametrize("kind", sorted(SCALES))
def test_value_maps_have_the_class_of_the_value_only_where_known(kind) -> None:
    colour = SCALES[kind].colour(200.0)
    assert share(pixels(value_map(kind)), colour) > 0.3
    assert share(pixels(value_map(kind, known=False)), colour) < 0.02


def test_bounds_belong_to_the_class_that_the_scale_says() -> None:
    assert SCALES["aqi"].colour(50) == "#00e400" and SCALES["aqi"].colour(51) == "#ffff00"
    assert SCALES["pm25"].colour(34.9) != SCALES["pm25"].colour(35.0)
    assert SCALES["aqi"].labels()[:2] == ["0–50", "51–100"] and SCALES["pm25"].labels()[-1] == "> 500"


# Matrices of Machado, Oliveira and Fernandes (2009), severity 1.0, for protanopia and deuteranopia.
_BLIND = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


def lightness(scale: Scale, matrix: list[list[float]]) -> np.ndarray:
    linear = (np.array([rgb(c) for c in scale.colours]) / 255.0) ** 2.2
    seen = np.clip(linear @ np.array(matrix).T, 0.0, 1.0) @ [0.2126, 0.7152, 0.0722]
    return 116.0 * np.cbrt(seen) - 16.0


@pytest.mark.parametrize("kind", ["pm25", "o3"])
@pytest.mark.parametrize("matrix", [np.eye(3).tolist(), *_BLIND.values()], ids=["all", *_BLIND])
def test_colour_blind_readers_see_every_class_darker_than_the_last(kind, matrix) -> None:
    assert (np.diff(lightness(SCALES[kind], matrix)) < -2.5).all()


@pytest.mark.parametrize("form", ["gif", "png", "webp"])
def test_animation_has_its_frames(form) -> None:
    frames = [value_map("pm25", value=value) for value in (20.0, 120.0, 300.0)]
    moving = Image.open(io.BytesIO(animate(frames, form, milliseconds=200)))
    assert moving.n_frames == 3 and moving.size == frames[0].size
    with pytest.raises(InputError, match="animation"):
        animate([], form)


def test_what_is_unknown_is_named() -> None:
    with pytest.raises(InputError, match="language: found fr"):
        drawn("fr")
    with pytest.raises(InputError, match="map size: found watch"):
        drawn(size="watch")
    with pytest.raises(InputError, match="map kind: found smoke"):
        value_map("smoke")
