"""Stations and their cities: the rules, distances, and city means that never mix sources."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.contract import describe
from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import city_means, distances_km, load_station_cities
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import FLAG_ATTRS, GOOD, MISSING, MODELLED, STUCK

REGISTRY = load_registry()
RULES = load_station_cities(REGISTRY)


def test_every_city_has_a_national_network() -> None:
    given = {city for source in ("cnemc", "soramame") for city in RULES.places[source].values()}
    assert given == set(REGISTRY.cities)
    for source, country in (("cnemc", "CN"), ("soramame", "JP"), ("airnow", "CN")):
        assert {REGISTRY.city(city).country for city in RULES.places[source].values()} == {country}


@pytest.mark.parametrize(
    ("source", "place", "city"),
    [
        ("cnemc", "北京市", "beijing"), ("cnemc", "苏州市", "suzhou"), ("cnemc", "宿州市", None),
        ("soramame", "14川崎市川崎区", "kawasaki"), ("soramame", "13八王子市", "hachioji"),
        ("soramame", "13北区", "tokyo"), ("soramame", "27大阪市北区", None), ("soramame", "13府中市", None),
        ("soramame", "34府中市", None), ("airnow", "Chengdu", None), ("nobody", "北京市", None),
    ],
)  # fmt: skip
def test_places(source, place, city) -> None:
    assert RULES.by_place(source, place) == city


def test_nearest_city_within_the_radius() -> None:
    assert RULES.by_distance(REGISTRY, 35.68, 139.70) == "tokyo"
    assert RULES.by_distance(REGISTRY, 35.54, 139.70) == "kawasaki"
    assert RULES.by_distance(REGISTRY, 43.06, 141.35) is None
    beijing, tianjin = REGISTRY.city("beijing"), REGISTRY.city("tianjin")
    distance = distances_km([tianjin], beijing.latitude, beijing.longitude)[0]
    assert distance == pytest.approx(114, abs=8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("radius_km = 25\n[[rule]]\nsource = 'x'\ncity = 'atlantis'\nplaces = ['a']", "atlantis"),
        ("radius_km = 25\n[[rule]]\nsource = 'x'\ncity = 'beijing'\nplaces = []", "places"),
        ("radius_km = 25\n[[rule]]\nsource = 'x'\ncity = 'beijing'\nplaces = ['a']\nnote = 1", "note"),
        (
            "radius_km = 25\n[[rule]]\nsource = 'x'\ncity = 'beijing'\nplaces = ['a']\n"
            "[[rule]]\nsource = 'x'\ncity = 'tokyo'\nplaces = ['a']",
            "rule 2, places: found a",
        ),
        ("[[rule]]", "radius_km"),
        ("radius_km = ", "TOML"),
    ],
)
def test_broken_rules_are_named(tmp_path, text, message) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_station_cities(REGISTRY, path)


def stations(values: list[list[float]], flags: list[list[int]], **coords: list[object]) -> xr.Dataset:
    array = np.array(values, np.float32)
    dims = ("time", "station")
    dataset = xr.Dataset(
        {"pm25": (dims, array), "pm25_flag": (dims, np.array(flags, np.int8), FLAG_ATTRS)},
        coords={
            "time": np.datetime64("2026-11-24", "ns") + np.arange(len(values)) * np.timedelta64(1, "h"),
            "station": [f"s{n}" for n in range(array.shape[1])],
            "city": ("station", ["beijing"] * array.shape[1]),
        }
        | {name: ("station", value) for name, value in coords.items()},
        attrs={"source": "x"},
    )
    return describe(dataset, "observations")


NAN = float("nan")


def of_beijing(dataset: xr.Dataset) -> tuple[list[float], list[int], list[int]]:
    means = city_means(dataset, "x").sel(city="beijing")
    return means["pm25"].values.tolist(), means["pm25_flag"].values.tolist(), means["pm25_stations"].values.tolist()


def test_mean_of_valid_stations_with_their_number() -> None:
    values, flags, number = of_beijing(
        stations([[10, 20], [10, NAN], [NAN, NAN]], [[0, 0], [0, STUCK], [MISSING, STUCK]])
    )
    np.testing.assert_equal(values, [15, 10, NAN])
    assert flags == [GOOD, GOOD, STUCK] and number == [2, 1, 0]


def test_sources_are_not_mixed_in_an_hour() -> None:
    data = stations([[10, 90, 94], [NAN, 90, 94]], [[0, 0, 0], [1, 0, 0]], rank=[0, 1, 1])
    values, _, number = of_beijing(data)
    assert values == [10, 92] and number == [1, 2]


def test_a_model_stands_in_only_where_nothing_is_measured() -> None:
    measured = stations([[10, 99], [NAN, 99]], [[0, MODELLED], [1, MODELLED]], rank=[1, 0])
    np.testing.assert_equal(of_beijing(measured)[0], [10, NAN])
    assert of_beijing(measured)[1] == [GOOD, MISSING]
    silent = stations([[NAN, 99]], [[1, MODELLED]], rank=[0, 1])
    assert of_beijing(silent) == ([99.0], [MODELLED], [1])


def test_roadside_stations_stay_out() -> None:
    data = stations([[10, 50]], [[0, 0]], siting=["background", "roadside"])
    assert of_beijing(data) == ([10.0], [GOOD], [1])
