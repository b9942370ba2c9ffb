"""The map: drawn offline, in three languages, with every glyph."""

from __future__ import annotations

import socket
import warnings
from datetime import UTC, datetime

import matplotlib.image
import numpy as np
import pytest
import xarray as xr

from alerts.maps import _WORDS, draw_haze_map
from alerts.ruleset import load_ruleset
from alerts.shapes import layer
from grids.cities import load_registry
from grids.errors import InputError

WINDOW = (datetime(2013, 1, 12, tzinfo=UTC), datetime(2013, 1, 13, tzinfo=UTC))


def drawn(lang: str = "zh", *, simulated: bool = False, rank: int = 3) -> bytes:
    latitude, longitude = np.arange(15.0, 55.1, 1.0), np.arange(95.0, 150.1, 1.0)
    level = np.full((latitude.size, longitude.size), -1, np.int8)
    level[20:28, 18:25] = rank
    areas = xr.Dataset(
        {"level": (("latitude", "longitude"), level)}, coords={"latitude": latitude, "longitude": longitude}
    )
    cities = [(city, rank if city.id == "beijing" else 0, 100.0) for city in load_registry().cities.values()]
    return draw_haze_map(
        areas, cities, WINDOW, load_ruleset(), lang=lang, simulated=simulated, weather_source="none", issued=WINDOW[0]
    )


def pixels(png: bytes, tmp_path) -> np.ndarray:
    path = tmp_path / "map.png"
    path.write_bytes(png)
    return matplotlib.image.imread(path)[..., :3]


@pytest.mark.parametrize("lang", sorted(_WORDS))
def test_map_is_drawn_offline_with_all_glyphs(monkeypatch, tmp_path, lang) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the map reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*[Gg]lyph.*")
        image = pixels(drawn(lang), tmp_path)
    assert image.shape == (1000, 1200, 3)


def test_level_colours_and_watermark_show(tmp_path) -> None:
    red = np.array([int(load_ruleset().level_of(3).colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])

    def share(image: np.ndarray) -> float:
        return float((np.abs(image - red).max(axis=2) < 0.02).mean())

    warned, clear = pixels(drawn(), tmp_path), pixels(drawn(rank=0), tmp_path)
    assert share(warned) > 10 * share(clear)
    marked = pixels(drawn(simulated=True), tmp_path)
    assert (np.abs(marked - warned).max(axis=2) > 0.05).mean() > 0.01


def test_shapes_cover_both_countries() -> None:
    assert len(layer("province")) == 31 + 47
    assert len(layer("country")) > 10 and len(layer("land")) == 1
    assert all(shape.is_valid for shape in layer("province"))


def test_unknown_language_is_named() -> None:
    with pytest.raises(InputError, match="language: found fr"):
        drawn("fr")
