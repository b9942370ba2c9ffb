"""Haze areas on a coarse grid: hazy near the hazy city, silent where nothing is known."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import combinations

import numpy as np
import pytest
import shapely
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hazecast.alerts.engine.engine import assess
from hazecast.alerts.engine.window import signal_window
from hazecast.alerts.maps.areas import UNCERTAIN, haze_areas
from hazecast.alerts.maps.polygons import LevelAreas, forecast_areas, level_shapes, polygons, provinces_touched
from hazecast.alerts.messages.warning_texts import haze_bulletin
from hazecast.alerts.rules.book import RuleBook
from hazecast.forecast.sight import Sight
from hazecast.forecast.visibility import visibility
from hazecast.grids.contract import QUANTILES
from hazecast.grids.derived import dew_point
from hazecast.grids.places.cities import load_registry

INIT = datetime(2013, 1, 12, 22, tzinfo=UTC)
RULES = RuleBook.shipped().haze_signal


def make_forecast() -> xr.Dataset:
    cities = ["beijing", "shanghai", "kitakyushu"]
    pm25 = np.tile(np.array([600.0, 15.0, 600.0])[None, :, None], (72, 1, 5))
    return xr.Dataset(
        {
            "pm25": (("lead_time", "city", "quantile"), pm25),
            "relative_humidity": (("lead_time", "city"), np.full((72, 3), 60.0)),
        },
        coords={
            "lead_time": np.arange(1, 73) * np.timedelta64(3600 * 10**9, "ns"),
            "city": cities,
            "quantile": list(QUANTILES),
            "init_time": np.datetime64(INIT.replace(tzinfo=None), "ns"),
        },
        attrs={"simulated": 1, "weather_source": "test"},
    )


@pytest.fixture(scope="module")
def field() -> xr.Dataset:
    return haze_areas(make_forecast(), load_registry(), RULES, signal_window(INIT, RULES), step=0.25)


def test_a_small_area_is_named_with_the_province_that_most_of_it_lies_in() -> None:
    # 20 km wide at Baoding: 0.2 % of Hebei. And one of the Yellow Sea, where no province is.
    small, large, sea = (
        shapely.box(115.36, 38.7, 115.6, 38.9),
        shapely.box(115.0, 38.4, 117.0, 40.5),
        shapely.box(123, 35, 124, 36),
    )
    window = signal_window(INIT, RULES)
    areas = LevelAreas([1, 2, 3], [large - small, small, sea], window, simulated=False, weather_source="none")
    named = [(province.name_en, rank) for province, rank, _ in provinces_touched(areas)]
    assert named == [("Beijing", 1), ("Tianjin", 1), ("Hebei", 1), ("Hebei", 2)]
    of_levels = [feature["properties"]["provinces"] for feature in polygons(areas, RULES)]
    assert [(p["name"]["en"], p["share"]) for p in of_levels[1]] == [("Hebei", 0.002)] and of_levels[2] == []
    text = haze_bulletin(provinces_touched(areas), window, RULES, "en")
    assert (
        "moderate haze is expected in parts of Beijing, Tianjin, and Hebei, with severe haze locally in Hebei" in text
    )


def test_levels_near_and_far(field: xr.Dataset) -> None:
    level = field["level"]
    assert level.dtype == np.int8 and level.dims == ("latitude", "longitude") and level.shape == (161, 221)

    def at(lat: float, lon: float) -> int:
        return int(level.sel(latitude=lat, longitude=lon, method="nearest"))

    registry = load_registry()
    beijing, shanghai = registry.city("beijing"), registry.city("shanghai")
    assert at(beijing.latitude, beijing.longitude) >= 2
    assert at(shanghai.latitude, shanghai.longitude) == 0
    assert at(34.0, 131.0) == -1  # the rule set is not Japan's
    assert at(20.0, 96.0) == -1  # no city near
    assert field.attrs["hours"] == 24 and field.attrs["simulated"] == 1 and field.attrs["cities_left_out"] == 0


@pytest.mark.parametrize(("hours", "levels"), [(5, {1}), (6, {2, 3})])
def test_a_level_of_the_map_persists_as_long_as_that_of_a_warning(hours: int, levels: set[int]) -> None:
    forecast = make_forecast()
    forecast["pm25"][10 + hours :] = 15.0
    forecast["pm25"][:10] = 15.0
    city = load_registry().city("beijing")
    field = haze_areas(
        forecast, load_registry(), RULES, signal_window(INIT, RULES), step=1.0, domain=(38.0, 42.0, 114.0, 118.0)
    )
    at = field["level"].sel(latitude=city.latitude, longitude=city.longitude, method="nearest")
    assert int(at) in levels
    assert assess(forecast, None, load_registry(), RULES, cities=["beijing"])[0].rank in levels


def test_polygons_hold_the_city(field: xr.Dataset) -> None:
    features = polygons(forecast_areas(field), RULES)
    json.dumps(features)
    beijing = load_registry().city("beijing")
    shapes = [shapely.geometry.shape(f["geometry"]) for f in features]
    assert shapes and all(s.is_valid for s in shapes)
    assert min(s.distance(shapely.Point(beijing.longitude, beijing.latitude)) for s in shapes) < 0.5
    properties = features[-1]["properties"]
    assert properties["kind"] == "haze_area" and properties["simulated"] is True and properties["area_km2"] > 1000
    touched = {p["name"]["en"]: p for f in features for p in f["properties"]["provinces"]}
    assert touched["Beijing"]["code"] == "110000" and 0.2 < touched["Beijing"]["share"] <= 1.0
    assert not {"Fukuoka", "Shanghai"} & set(touched)


def test_visibility_and_grade_stand_beside_the_level(field: xr.Dataset) -> None:
    level, grade, seen = (field[name].values for name in ("level", "haze_grade", "visibility"))
    known = level >= 0
    assert np.isfinite(seen[known]).all() and np.isnan(seen[~known]).all() and (grade[~known] == -1).all()
    assert (
        (seen[level == 3] < 5000.0).all()
        and (grade[level == 2] >= 2).all()
        and field["visibility"].attrs["units"] == "m"
    )
    assert float(field["relative_std"].where(field["level"] >= 0).max()) <= UNCERTAIN


def test_the_humidity_of_a_weather_grid_leads_from_city_to_city(field: xr.Dataset) -> None:
    start = np.datetime64("2013-01-13T00:00", "ns")
    coords = {
        "time": start + np.arange(1, 25) * np.timedelta64(1, "h"),
        "latitude": [43.0, 37.0],
        "longitude": [113.4, 119.4],
    }
    dims = ("time", "latitude", "longitude")
    # Damp in the east, dry in the west of Beijing, which has 60 % itself.
    dew = np.broadcast_to([261.0, 274.9], (24, 2, 2))
    weather = xr.Dataset({"t2m": (dims, np.full((24, 2, 2), 275.0)), "d2m": (dims, dew)}, coords=coords)
    led = haze_areas(make_forecast(), load_registry(), RULES, signal_window(INIT, RULES), step=0.5, weather=weather)
    plain = haze_areas(make_forecast(), load_registry(), RULES, signal_window(INIT, RULES), step=0.5)

    def seen(areas: xr.Dataset, lon: float, lat: float = 40.0) -> float:
        return float(areas["visibility"].sel(longitude=lon, latitude=lat))

    assert seen(led, 117.5) < 0.9 * seen(plain, 117.5) and seen(led, 115.5) > 1.04 * seen(plain, 115.5)
    assert seen(led, 116.5) == pytest.approx(seen(plain, 116.5), rel=0.2)
    assert seen(led, 121.0, 31.0) == seen(plain, 121.0, 31.0)  # no grid there


def test_140_km_from_xian_the_map_is_its_region_s_with_the_grid_s_humidity() -> None:
    registry = load_registry()
    ids = list(registry.cities)
    mass = [200.0 if registry.city(c).country == "CN" else 20.0 for c in ids]
    forecast = xr.Dataset(
        {
            "pm25": (("lead_time", "city", "quantile"), np.tile(np.array(mass)[None, :, None], (30, 1, 5))),
            "relative_humidity": (("lead_time", "city"), np.full((30, len(ids)), 60.0)),
        },
        coords={"lead_time": np.arange(1, 31) * np.timedelta64(3600 * 10**9, "ns"), "city": ids,
                "quantile": list(QUANTILES), "init_time": np.datetime64(INIT.replace(tzinfo=None), "ns")},
        attrs={"simulated": 1, "weather_source": "test"},
    )  # fmt: skip
    # Xi'an at 34.26 N, 108.94 E has 60 % in the grid too; a degree and a quarter north of it are 140 km, and damp.
    places = {"latitude": [33.0, 34.3, 35.5, 36.5], "longitude": [107.0, 111.0]}
    times = np.datetime64("2013-01-13T00:00", "ns") + np.arange(1, 25) * np.timedelta64(1, "h")
    moist = np.broadcast_to(np.array([60.0, 60.0, 90.0, 90.0])[:, None], (24, 4, 2))
    warm = np.full(moist.shape, 275.0)
    dew = dew_point(warm, moist)
    weather = xr.Dataset(
        {"t2m": (("time", *places), warm), "d2m": (("time", *places), dew)}, coords={"time": times, **places}
    )
    window, box = signal_window(INIT, RULES), (34.25, 35.5, 108.5, 109.5)
    plain = haze_areas(forecast, registry, RULES, window, step=0.25, domain=box)
    led = haze_areas(forecast, registry, RULES, window, step=0.25, domain=box, weather=weather)
    here, north = ({"latitude": lat, "longitude": 109.0} for lat in (34.25, 35.5))
    assert float(plain["visibility"].sel(north)) == pytest.approx(float(visibility(200.0, 60.0)), rel=0.01)
    assert float(led["visibility"].sel(north)) == pytest.approx(float(visibility(200.0, 90.0)), rel=0.05)
    assert float(led["visibility"].sel(here)) == pytest.approx(float(visibility(200.0, 60.0)), rel=0.05)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), smooth=st.sampled_from([0.0, 0.7, 1.5]), step=st.sampled_from([0.25, 0.5]))
def test_shapes_are_valid_disjoint_whole_and_close_to_their_cells(seed, smooth, step) -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(24, 30)), smooth)
    level = np.digitize(noise, np.quantile(noise, [0.2, 0.5, 0.8, 0.93])).astype(np.int8) - 1
    lats, lons = 30.0 + step * np.arange(24), 110.0 + step * np.arange(30)
    made = xr.Dataset(
        {"level": (("latitude", "longitude"), level)},
        coords={"latitude": lats, "longitude": lons},
        attrs={"step": step},
    )
    ranks, shapes = level_shapes(made)
    for shape in shapes:
        assert shape.is_valid
        assert all(part.area >= 0.5 * step**2 for part in shape.geoms)
        assert all(shapely.Polygon(hole).area >= 0.5 * step**2 for part in shape.geoms for hole in part.interiors)
    for one, other in combinations(shapes, 2):
        assert one.intersection(other).area < 1e-9
    # A shape stays within a cell or so of the cells of its level and those next to it.
    for number, (rank, shape) in enumerate(zip(ranks, shapes, strict=True)):
        cells = boxes(level >= rank, lats, lons, step)
        assert cells.buffer(1.5 * step).contains(shape)
        if smooth == 1.5 and cells.area > 60 * step**2:
            # What is lost are strips a cell or two wide.
            assert abs(sum(s.area for s in shapes[number:]) - cells.area) < 0.4 * cells.area


def boxes(met: np.ndarray, lats: np.ndarray, lons: np.ndarray, step: float) -> shapely.Geometry:
    rows, columns = np.nonzero(met)
    west, south = lons[columns] - step / 2.0, lats[rows] - step / 2.0
    return shapely.union_all(shapely.box(west, south, west + step, south + step))


def levels(level: np.ndarray) -> xr.Dataset:
    return xr.Dataset(
        {"level": (("latitude", "longitude"), level.astype(np.int8))},
        coords={"latitude": 30.0 + np.arange(len(level)), "longitude": 110.0 + np.arange(level.shape[1])},
    )


def test_specks_and_gaps_are_cleaned_and_a_city_wide_area_is_not() -> None:
    for size in (1, 2, 3):
        level = np.zeros((20, 20))
        level[3:15, 3:15] = 2
        level[8 : 8 + size, 8 : 8 + size] = 3
        level[5, 5] = 0
        ranks, shapes = level_shapes(levels(level))
        assert ranks == ([2] if size < 3 else [2, 3])
        assert sum(len(part.interiors) for part in shapes[0].geoms) == (size == 3)


@pytest.mark.parametrize("slope", [0.2, 0.37, 0.8])
def test_an_edge_that_runs_askew_is_a_smooth_contour_and_no_stairs(slope: float) -> None:
    rows, columns = np.mgrid[:30, :40]
    _, shapes = level_shapes(levels(np.where(rows < 4.3 + slope * columns, 1, 0)))
    edge = shapely.get_coordinates(shapely.get_parts(shapes[0])[0].exterior)
    inner = edge[(edge[:, 0] > 114.0) & (edge[:, 0] < 145.0) & (edge[:, 1] > 33.0) & (edge[:, 1] < 55.0)]
    finely = shapely.get_coordinates(shapely.segmentize(shapely.LineString(inner), 0.2))
    off = (finely[:, 1] - 30.0 - (4.3 + slope * (finely[:, 0] - 110.0))) / np.hypot(1.0, slope)
    assert len(inner) > 5 and np.ptp(off) < 0.6
    steps = np.diff(inner, axis=0)
    turn = np.degrees(np.abs((np.diff(np.arctan2(steps[:, 1], steps[:, 0])) + np.pi) % (2 * np.pi) - np.pi))
    assert turn.max() < 45.0  # a stair turns by 90


def test_areas_end_at_the_border_and_where_nothing_is_known() -> None:
    level = np.full((20, 20), -1)
    level[3:17, 3:17] = 1
    border = shapely.box(100.0, 20.0, 120.3, 45.0)
    ranks, (shape,) = level_shapes(levels(level), within=border)
    assert ranks == [1] and border.contains(shape) and shape.bounds[2] == pytest.approx(120.3)
    assert shape.bounds[0] == pytest.approx(112.5, abs=0.2)
    assert level_shapes(levels(np.full((5, 5), -1))) == ([], [])


def test_cities_without_values_are_counted_and_nothing_is_known_without_any() -> None:
    forecast = make_forecast()
    forecast["pm25"][5, 1] = np.nan
    partial = haze_areas(forecast, load_registry(), RULES, signal_window(INIT, RULES), step=2.0)
    assert partial.attrs["cities"] == 2 and partial.attrs["cities_left_out"] == 1
    forecast["pm25"][5] = np.nan
    none = haze_areas(forecast, load_registry(), RULES, signal_window(INIT, RULES), step=2.0)
    assert none.attrs["cities"] == 0 and (none["level"] == -1).all() and none["visibility"].isnull().all()


@pytest.mark.parametrize("shape", [(0.3, 0.6, 1.0, 3.0, 8.0), (0.9, 0.95, 1.0, 1.05, 1.1), (0.2, 0.5, 1.0, 5.5, 12.0)])
def test_the_area_around_a_city_has_the_level_that_the_city_is_warned_of(shape: tuple[float, ...]) -> None:
    forecast = make_forecast()
    # A median below every level: what differs is how far the upper quantiles reach.
    forecast["pm25"][:] = 60.0 * np.array(shape)
    # By shares alone: the visibility of the map is certain.
    rules = RULES.model_copy(update={"calibration": None})
    window = signal_window(INIT, rules)
    assessed = {a.city: a for a in assess(forecast, None, load_registry(), rules, sight=Sight(sites={}, spread=False))}
    level = haze_areas(forecast, load_registry(), rules, window, step=1.0)["level"]
    for name in ("beijing", "shanghai"):
        city = load_registry().city(name)
        here = level.sel(latitude=city.latitude, longitude=city.longitude, method="nearest")
        assert int(here) == assessed[name].rank
    assert (assessed["beijing"].rank > 0) == (shape[3] > 2)
