"""Weather readers against files written here in the publishers' real layouts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.weather.files import read_weather, read_weather_at_cities
from hazecast.grids.weather.grib import read_grib, read_grib_at_cities, step_means
from hazecast.grids.weather.grib_messages import Message
from hazecast.grids.weather.regular_grid import Box, Corners, Crop, RegularGrid
from hazecast.grids.weather.sampling import at_cities
from tests.support.weather_samples import LAT, LON, PLANE, bucket, write_era5, write_grib


@pytest.mark.parametrize("new_layout", [False, True])
def test_era5_values_units_and_times(tmp_path, new_layout) -> None:
    grid = read_weather(write_era5(tmp_path / "era5.nc", new_layout=new_layout))
    assert (np.diff(grid["latitude"]) > 0).all()
    np.testing.assert_allclose(grid["t2m"][0], PLANE[::-1], atol=0.001)
    np.testing.assert_allclose(grid["tp"][0], PLANE[::-1] * 0.01, rtol=1e-3)
    np.testing.assert_allclose(grid["ssrd"][0], PLANE[::-1], rtol=1e-3)
    assert grid["tp"].attrs["units"] == "mm h-1" and grid["ssrd"].attrs["units"] == "W m-2"
    assert grid["time"].values[3] == np.datetime64("2014-02-20T03")
    assert "u10" not in grid


def test_bilinear_sampling_of_a_plane_is_exact(tmp_path) -> None:
    beijing = load_registry().city("beijing")
    sampled = at_cities(read_weather(write_era5(tmp_path / "era5.nc")), [beijing])
    expected = 270.0 + beijing.latitude * 0.5 + beijing.longitude * 0.1
    np.testing.assert_allclose(sampled["t2m"][:, 0], expected, atol=0.002)
    with pytest.raises(InputError, match="tokyo"):
        at_cities(read_weather(tmp_path / "era5.nc"), [load_registry().city("tokyo")])


def test_gfs_instant_fields_and_buckets(tmp_path) -> None:
    instant = [{"shortName": "2t", "step": hour} for hour in (1, 2, 3)]
    rain = [bucket(0, 1), bucket(0, 2), bucket(0, 3), bucket(0, 3, "sdswrf"), bucket(0, 2, "sdswrf")]
    ones = np.ones(PLANE.shape)
    fields = [PLANE, PLANE + 1, PLANE + 2, 1 * ones, 4 * ones, 4 * ones, 40 * ones, 30 * ones]
    grid = read_weather(write_grib(tmp_path / "gfs.grib2", instant + rain, fields))
    assert grid.attrs["init_time"] == "2014-02-20T00:00:00Z" and grid.attrs["source"] == "GFS"
    np.testing.assert_allclose(grid["t2m"][1], PLANE[::-1] + 1, atol=0.01)
    np.testing.assert_allclose(grid["tp"][:, 0, 0], [1, 3, 0], atol=0.001)
    np.testing.assert_allclose(grid["ssrd"][:, 0, 0], [np.nan, 30, 60], atol=0.01)
    assert grid["time"].values[0] == np.datetime64("2014-02-20T01")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 50), min_size=1, max_size=18), st.booleans())
def test_rates_come_back_from_six_hour_buckets(rates: list[float], average: bool) -> None:
    messages = []
    for hour in range(1, len(rates) + 1):
        start = (hour - 1) // 6 * 6
        total = np.full((1, 1), sum(rates[start:hour]))
        kind = "average" if average else "accumulation"
        value = total / (hour - start) if average else total
        messages.append(Message("tp", np.datetime64(0, "ns"), start, hour, value, kind))
        since_start = np.full((1, 1), sum(rates[:hour]))
        messages.append(Message("tp", np.datetime64(0, "ns"), 0, hour, since_start, "accumulation"))
    if average:
        messages = messages[::2]
    means = step_means(messages)
    np.testing.assert_allclose([means[h + 1][0][0, 0] for h in range(len(rates))], rates, atol=1e-9)
    assert {length for _, length in means.values()} == {1.0}


@pytest.mark.parametrize("kind", ["nc", "grib2"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_truncated_files_are_named(tmp_path, kind, share) -> None:
    if kind == "nc":
        path = write_era5(tmp_path / "weather.nc")
    else:
        path = write_grib(tmp_path / "weather.grib2", [{"shortName": "2t", "step": 1}], [PLANE])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputError, match="weather"):
        read_weather(path)


def test_wrong_units_and_absent_files_are_named(tmp_path) -> None:
    grid = read_weather(write_era5(tmp_path / "era5.nc", units={"t2m": "furlong", "d2m": "degC"}))
    assert "t2m units: found furlong" in grid.attrs["left_out"] and "d2m: found" in grid.attrs["left_out"]
    assert "t2m" not in grid and "d2m" not in grid and "sp" in grid
    with pytest.raises(InputError, match="t2m units: found furlong"):
        read_weather(write_era5(tmp_path / "t2m.nc", units={"t2m": "furlong"}, only={"t2m"}))
    with pytest.raises(InputError, match="nothing"):
        read_weather(tmp_path / "nothing.nc")


def test_a_folder_of_files_becomes_one_grid(tmp_path) -> None:
    for hour in (1, 2):
        write_grib(tmp_path / f"gfs.f{hour:03d}.grib2", [{"shortName": "2t", "step": hour}], [PLANE + hour])
    grid = read_weather(tmp_path)
    assert grid.sizes["time"] == 2 and grid.attrs["init_time"] == "2014-02-20T00:00:00Z"


def test_buckets_reach_over_the_files_of_a_run(tmp_path) -> None:
    # NOAA publishes a file for each step; the bucket of f002 starts at 0 h like that of f001.
    for hour in (1, 2):
        field = 1.5**hour * np.ones(PLANE.shape)
        write_grib(tmp_path / f"gfs.f{hour:03d}.grib2", [bucket(0, hour)], [field])
    np.testing.assert_allclose(read_weather(tmp_path)["tp"][:, 0, 0], [1.5, 0.75], atol=1e-3)
    cities = [load_registry().city("beijing")]
    np.testing.assert_allclose(read_weather_at_cities(tmp_path, cities)["tp"][:, 0], [1.5, 0.75], atol=1e-3)


def test_a_file_at_cities_is_the_grid_sampled_at_cities(tmp_path) -> None:
    messages = [{"shortName": "2t", "step": 1}, {"shortName": "2t", "step": 2}, {"shortName": "2r", "step": 2}]
    rain = [bucket(0, 1), bucket(0, 2), bucket(0, 2, "sdswrf")]
    fields = [PLANE, PLANE + 1, 0 * PLANE + 60, PLANE - 250, 2.5 * (PLANE - 250), PLANE]
    path = write_grib(tmp_path / "gfs.grib2", messages + rain, fields)
    cities = [load_registry().city(name) for name in ("beijing", "tianjin")]
    direct, sampled = read_grib_at_cities(path, cities), at_cities(read_weather(path), cities)
    assert list(direct.data_vars) == list(sampled.data_vars) and direct.attrs == sampled.attrs
    for name in sampled:
        np.testing.assert_allclose(direct[name], sampled[name], rtol=1e-5)
    with pytest.raises(InputError, match="gfs.grib2: message 1: city tokyo"):
        read_grib_at_cities(path, [load_registry().city("tokyo")])


def test_a_missing_corner_is_missing_at_the_city(tmp_path) -> None:
    holed = PLANE.copy()
    holed[LAT.tolist().index(40.0), LON.tolist().index(116.5)] = 9999.0
    path = write_grib(tmp_path / "gfs.grib2", [{"shortName": "2t", "step": 1, "bitmapPresent": 1}], [holed])
    cities = [load_registry().city(name) for name in ("beijing", "shijiazhuang")]
    np.testing.assert_array_equal(np.isnan(read_grib_at_cities(path, cities)["t2m"][0]), [True, False])
    assert int(read_grib(path)["t2m"].isnull().sum()) == 1


def test_a_box_is_the_same_part_of_the_grid(tmp_path) -> None:
    path = write_grib(tmp_path / "gfs.grib2", [{"shortName": "2t", "step": 1}], [PLANE])
    part = read_grib(path, Box(39.0, 41.0, 115.0, 117.5))
    whole = read_grib(path).sel(latitude=slice(41, 39), longitude=slice(115, 117.5))
    np.testing.assert_array_equal(part["t2m"], whole["t2m"])
    assert part["longitude"].values[0] == 115.0 and part["latitude"].values[0] == 41.0
    with pytest.raises(InputError, match="gfs.grib2: message 1: grid"):
        read_grib(path, Box(10.0, 20.0, 115.0, 117.0))


@settings(deadline=None)
@given(st.floats(-90, 90), st.floats(-180, 180), st.sampled_from([0.0, -180.0, 0.5]))
def test_the_whole_globe_has_no_seam(latitude: float, longitude: float, first: float) -> None:
    globe = RegularGrid(90.0, -2.5, 73, first, 2.5, 144)
    rows, columns = np.meshgrid(globe.latitude, globe.longitude, indexing="ij")
    field = rows + 10 * np.cos(np.radians(columns))
    city = load_registry().city("beijing").model_copy(update={"latitude": latitude, "longitude": longitude})
    value = Corners(globe, [city], "test")(field.ravel(), None)[0]
    assert value == pytest.approx(latitude + 10 * np.cos(np.radians(longitude)), abs=0.01)


def test_a_box_may_cross_the_seam() -> None:
    globe = RegularGrid(90.0, -2.5, 73, 0.0, 2.5, 144)
    crop = Crop(globe, Box(-10.0, 10.0, -20.0, 20.0), "test")
    _, columns = np.meshgrid(globe.latitude, globe.longitude, indexing="ij")
    np.testing.assert_array_equal(crop.longitude, np.arange(-20, 20.1, 2.5))
    np.testing.assert_array_equal(crop(columns.ravel(), None)[0] % 360, crop.longitude % 360)


def test_cloud_cover_averaged_over_a_bucket_is_not_taken_for_an_instant(tmp_path) -> None:
    cloud = {"discipline": 0, "parameterCategory": 6, "parameterNumber": 1, "typeOfFirstFixedSurface": 10}
    mean = bucket(0, 3, "sdswrf") | cloud
    path = write_grib(
        tmp_path / "gfs.grib2", [cloud | {"step": 3}, mean], [np.full(PLANE.shape, 40.0), np.full(PLANE.shape, 90.0)]
    )
    np.testing.assert_allclose(read_grib(path)["tcc"], 0.4, atol=1e-3)


@pytest.mark.parametrize(
    ("keys", "field", "message"),
    [
        ({}, PLANE * 2, "gfs.grib2: message 1: t2m: found 99 values outside; expected 180 to 340 K"),
        ({"latitudeOfFirstGridPointInDegrees": 95.0}, PLANE, "gfs.grib2: message 1: grid: .*on a globe"),
        ({"forecastTime": 99_999}, PLANE, "gfs.grib2: message 1: found step 99999"),
    ],
)
def test_damaged_values_and_headers_are_named(tmp_path, keys, field, message) -> None:
    path = write_grib(tmp_path / "gfs.grib2", [{"shortName": "2t", "step": 1} | keys], [field])
    with pytest.raises(InputError, match=message):
        read_grib(path)


def test_a_hair_outside_the_limits_is_packing(tmp_path) -> None:
    cloud = {"discipline": 0, "parameterCategory": 6, "parameterNumber": 1, "typeOfFirstFixedSurface": 10, "step": 1}
    path = write_grib(tmp_path / "gfs.grib2", [cloud], [np.linspace(-0.3, 100.4, PLANE.size).reshape(PLANE.shape)])
    cover = read_grib(path)["tcc"]
    assert float(cover.min()) == 0 and float(cover.max()) == 1
