"""Grids that are regular in a projection: WRF's output, and files with latitude and longitude on two axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.derived import relative_humidity
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.weather.files import read_weather, read_weather_at_cities, span_of

CITIES = [load_registry().city(name) for name in ("beijing", "tianjin")]
START = np.datetime64("2014-02-20T00", "ns")
TURN = np.radians(25.0)
HOURS = 4


def turned_axes() -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude of a grid of 0.1 degree around Beijing that is turned."""
    y, x = np.meshgrid(np.arange(-2.0, 2.0, 0.1), np.arange(-2.2, 2.2, 0.1), indexing="ij")
    latitude = 39.5 + x * np.sin(TURN) + y * np.cos(TURN)
    longitude = 116.8 + (x * np.cos(TURN) - y * np.sin(TURN)) / np.cos(np.radians(39.5))
    return latitude, longitude


def plane(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    return 280.0 + (latitude - 39.9) + 0.5 * (longitude - 116.4)


def write_wrf(path: Path, **changes: object) -> Path:
    latitude, longitude = turned_axes()
    dims = ("Time", "south_north", "west_east")
    hours = np.arange(HOURS)

    def of(values: np.ndarray | float, each: np.ndarray | float = 0.0) -> tuple[tuple[str, ...], np.ndarray]:
        grown = np.broadcast_to(np.asarray(each, float), (HOURS,))[:, None, None]
        return dims, (np.broadcast_to(values, latitude.shape)[None] + grown).astype(np.float32)

    east, north = 3.0, 4.0
    dataset = xr.Dataset(
        {
            "Times": ("Time", np.array([f"2014-02-20_{h:02d}:00:00" for h in hours], "S19")),
            "T2": of(plane(latitude, longitude)), "Q2": of(0.002), "PSFC": of(100_000.0), "PBLH": of(400.0), "SWDOWN": of(0.0, 50.0 * hours),
            "U10": of(east * np.cos(TURN) + north * np.sin(TURN)), "V10": of(north * np.cos(TURN) - east * np.sin(TURN)),
            "COSALPHA": of(np.cos(TURN)), "SINALPHA": of(np.sin(TURN)), "RAINC": of(0.0, 0.5 * hours), "RAINNC": of(0.0, 1.5 * hours),
            "XLAT": of(latitude), "XLONG": of(longitude),
        },
        attrs={"TITLE": " OUTPUT FROM WRF V4.5 MODEL", "MAP_PROJ": 1, "START_DATE": "2014-02-20_00:00:00"},
    )  # fmt: skip
    dataset["XLAT"].attrs["units"], dataset["XLONG"].attrs["units"] = "degree_north", "degree_east"
    dataset.assign(changes).set_coords(["XLAT", "XLONG"]).to_netcdf(path)  # type: ignore[arg-type]
    return path


def test_wrf_at_the_cities(tmp_path) -> None:
    path = write_wrf(tmp_path / "wrfout_d01_2014-02-20_00:00:00")
    weather = read_weather_at_cities(path, CITIES)
    for number, city in enumerate(CITIES):
        expected = plane(np.array(city.latitude), np.array(city.longitude))
        np.testing.assert_allclose(weather["t2m"].values[:, number], expected, atol=0.01)
    np.testing.assert_allclose(weather["u10"], 3.0, atol=1e-4)
    np.testing.assert_allclose(weather["v10"], 4.0, atol=1e-4)
    np.testing.assert_allclose(weather["tp"].values[1:], 2.0, atol=1e-4)
    np.testing.assert_allclose(weather["ssrd"].values[:, 0], [0.0, 50.0, 100.0, 150.0], atol=1e-3)
    # 0.002 kg kg-1 at 1000 hPa is 3.2 hPa of water vapour.
    humidity = relative_humidity(weather["t2m"].values, weather["d2m"].values)
    np.testing.assert_allclose(humidity[0, 0], 100.0 * 3.205 / 9.93, rtol=0.02)
    assert weather.attrs["init_time"] == "2014-02-20T00:00:00Z" and weather.attrs["source"] == "WRF V4.5 MODEL"
    assert span_of(path) == (START, START, START + np.timedelta64(HOURS - 1, "h"))


def test_a_city_outside_the_points_has_no_value(tmp_path) -> None:
    grid = read_weather(write_wrf(tmp_path / "wrf.nc"))
    corner = grid["t2m"].isel(time=0, latitude=0, longitude=0)
    assert np.isnan(corner) and np.isfinite(grid["t2m"]).mean() > 0.5
    with pytest.raises(InputError, match="expected a place within"):
        read_weather_at_cities(tmp_path / "wrf.nc", [load_registry().city("tokyo")])


def write_named(path: Path, **attrs: str) -> Path:
    latitude, longitude = turned_axes()
    shape = ("time", "y", "x")
    xr.Dataset(
        {
            "t2m": (shape, np.stack([plane(latitude, longitude)] * 2), {"units": "K"}),
            "u10": (shape, np.full((2, *latitude.shape), 3.0), {"units": "m s-1", **attrs}),
        },
        coords={
            "time": START + np.arange(2) * np.timedelta64(1, "h"),
            "lat": (("y", "x"), latitude, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": (("y", "x"), longitude, {"units": "degrees_east", "standard_name": "longitude"}),
        },
    ).to_netcdf(path)
    return path


def test_a_wind_that_may_be_along_the_grid_is_refused_by_name(tmp_path) -> None:
    weather = read_weather_at_cities(write_named(tmp_path / "rotated.nc"), CITIES)
    assert (
        "u10" not in weather and "u10 units: found m s-1 along the axes of the projection" in weather.attrs["left_out"]
    )
    assert np.isfinite(weather["t2m"]).all()
    stated = read_weather_at_cities(write_named(tmp_path / "true.nc", standard_name="eastward_wind"), CITIES)
    np.testing.assert_allclose(stated["u10"], 3.0, atol=1e-5)


def test_a_valid_range_of_packed_values_is_used_once(tmp_path) -> None:
    with xr.open_dataset(write_named(tmp_path / "plain.nc")) as plain:
        dataset = plain.load()
    dataset["t2m"][1] = 340.0
    # 200 to 325 K: what is packed as 0 to 250.
    dataset["t2m"].attrs["valid_range"] = np.array([0, 250], np.int16)
    dataset["t2m"].encoding = {"dtype": "int16", "scale_factor": 0.5, "add_offset": 200.0, "_FillValue": -1}
    dataset.to_netcdf(tmp_path / "packed.nc")
    found = read_weather_at_cities(tmp_path / "packed.nc", CITIES)["t2m"]
    expected = [plane(np.array(city.latitude), np.array(city.longitude)) for city in CITIES]
    np.testing.assert_allclose(found[0], expected, atol=0.3)
    assert np.isnan(found[1]).all()


def test_a_grid_that_moves_or_has_no_triangle_is_named(tmp_path) -> None:
    latitude, _ = turned_axes()
    moving = np.stack([latitude + 0.1 * n for n in range(HOURS)]).astype(np.float32)
    path = write_wrf(
        tmp_path / "nest.nc", XLAT=(("Time", "south_north", "west_east"), moving, {"units": "degree_north"})
    )
    with pytest.raises(InputError, match="XLAT: found it changes along Time"):
        read_weather(path)
    flat = np.zeros((HOURS, *latitude.shape), np.float32)
    path = write_wrf(tmp_path / "flat.nc", XLAT=(("Time", "south_north", "west_east"), flat, {"units": "degree_north"}))
    with pytest.raises(InputError, match="points of a grid"):
        read_weather(path)
