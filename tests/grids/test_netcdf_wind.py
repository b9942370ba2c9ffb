"""Wind that a file gives as speed and direction: its components are what is interpolated, never an angle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.weather.files import read_weather, read_weather_at_cities
from hazecast.grids.weather.timeline import to_hourly

BEIJING = load_registry().city("beijing")
START = np.datetime64("2014-02-20T00", "ns")
AXES = {"latitude": [39.0, 41.0], "longitude": [116.0, 117.0]}
FROM, TO = "wind_from_direction", "wind_to_direction"


def wind(speed: object, angle: object, *, kind: str = FROM, step: int = 3, **attrs: object) -> xr.Dataset:
    """Speed and direction at 10 m by CF's standard names, the same everywhere or by place."""
    speed, angle = (np.asarray(one, float) for one in (speed, angle))
    shape = (len(speed), 2, 2)
    times = START + (step * np.arange(len(speed))).astype("timedelta64[h]")
    fields = [
        np.broadcast_to(one.reshape(-1, *[1] * (3 - one.ndim)) if one.ndim == 1 else one, shape)
        for one in (speed, angle)
    ]
    dims = ("time", *AXES)
    return xr.Dataset(
        {
            "ws": (dims, fields[0], {"standard_name": "wind_speed", "units": "m s-1"} | attrs),
            "wd": (dims, fields[1], {"standard_name": kind, "units": "degree"}),
        },
        coords={"time": times, **AXES, "height": ((), 10.0, {"standard_name": "height", "units": "m"})},
    )


def written(dataset: xr.Dataset, folder: Path) -> Path:
    dataset.to_netcdf(folder / "a.nc")
    return folder / "a.nc"


@pytest.mark.parametrize(
    ("kind", "angle", "u10", "v10"),
    [(FROM, 270.0, 5.0, 0.0), (FROM, 0.0, 0.0, -5.0), (FROM, 225.0, 3.5355, 3.5355), (TO, 90.0, 5.0, 0.0), (TO, 225.0, -3.5355, -3.5355)],
)  # fmt: skip
def test_components_by_where_the_wind_comes_from_or_goes_to(tmp_path, kind, angle, u10, v10) -> None:
    weather = read_weather(written(wind([5.0], [angle], kind=kind), tmp_path))
    assert set(weather.data_vars) == {"u10", "v10"} and "left_out" not in weather.attrs
    np.testing.assert_allclose([weather["u10"][0], weather["v10"][0]], [[[u10] * 2] * 2, [[v10] * 2] * 2], atol=1e-4)


def test_between_places_and_between_times_no_angle_is_interpolated(tmp_path) -> None:
    # From 350 and from 10 degrees: the mean of the angles would be a wind from the south.
    angles = np.array([[[350.0, 10.0], [350.0, 10.0]]])
    middle = BEIJING.model_copy(update={"latitude": 40.0, "longitude": 116.5})
    weather = read_weather_at_cities(written(wind([5.0], angles), tmp_path), [middle])
    np.testing.assert_allclose(weather["u10"][0, 0], 0.0, atol=1e-5)
    np.testing.assert_allclose(weather["v10"][0, 0], -5.0 * np.cos(np.radians(10.0)), rtol=1e-5)
    turning = read_weather_at_cities(written(wind([5.0, 5.0], [350.0, 10.0], step=2), tmp_path), [middle])
    at_one = to_hourly(turning).isel(time=1, city=0)
    assert float(at_one["v10"]) < -4.9 and abs(float(at_one["u10"])) < 1e-4


def test_a_calm_without_a_direction_is_a_calm_and_without_either_nothing(tmp_path) -> None:
    weather = read_weather(written(wind([0.0, 3.0, np.nan], [np.nan, np.nan, 90.0]), tmp_path))
    np.testing.assert_array_equal(weather["u10"][:, 0, 0], [0.0, np.nan, np.nan])


def test_a_range_that_is_valid_for_a_speed_is_none_of_its_components(tmp_path) -> None:
    weather = read_weather(written(wind([5.0, 200.0], [90.0, 90.0], valid_min=0.0, valid_max=100.0), tmp_path))
    np.testing.assert_allclose(weather["u10"][:, 0, 0], [-5.0, np.nan])


def test_knots_radians_and_names_that_tell_the_height(tmp_path) -> None:
    dataset = wind([10.0], [np.pi / 2]).drop_vars("height").rename(ws="si10", wd="wdir10")
    dataset["si10"].attrs, dataset["wdir10"].attrs = {"units": "kn"}, {"units": "rad"}
    weather = read_weather(written(dataset, tmp_path))
    np.testing.assert_allclose(weather["u10"], -5.1444, rtol=1e-4)


def test_components_of_the_file_itself_come_first(tmp_path) -> None:
    dataset = wind([5.0], [90.0])
    for name in ("u10", "v10"):
        dataset[name] = dataset["ws"].copy(data=np.full((1, 2, 2), 1.0)).drop_attrs().assign_attrs(units="m s-1")
    weather = read_weather(written(dataset, tmp_path))
    np.testing.assert_array_equal(weather["u10"], 1.0)
    assert "left_out" not in weather.attrs


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.drop_vars("wd"), "wind: found ws alone"),
        (lambda d: d.drop_vars("height"), "ws: height: found not stated"),
        (lambda d: d.assign(wd=d["wd"].drop_attrs().assign_attrs(standard_name=FROM)), "wd units: found None"),
        (lambda d: d.assign(wd=(d["wd"].dims, d["wd"].values + 900.0, d["wd"].attrs)), "wd: found 4 values outside"),
        (lambda d: d.assign(ws=(d["ws"].dims, -d["ws"].values, d["ws"].attrs)), "ws: found 4 values below 0"),
        (lambda d: d.assign(ws=d["ws"].assign_attrs(cell_methods="time: mean")), "ws: statistic: found mean"),
    ],
)
def test_what_cannot_be_used_is_left_out_by_name(tmp_path, change, reason) -> None:
    dataset = change(wind([5.0], [90.0]))
    dataset["t2m"] = (dataset["ws"].dims, np.full((1, 2, 2), 280.0), {"units": "K"})
    weather = read_weather(written(dataset, tmp_path))
    assert set(weather.data_vars) == {"t2m"} and reason in weather.attrs["left_out"]
    with pytest.raises(InputError, match=reason):
        read_weather(written(dataset.drop_vars("t2m"), tmp_path))


def test_wind_at_another_height_is_not_taken_for_that_at_ten_metres(tmp_path) -> None:
    high = wind([12.0], [90.0]).assign_coords(height=((), 100.0, {"standard_name": "height"}))
    with pytest.raises(InputError, match="variables"):
        read_weather(written(high, tmp_path))
    # Two heights in a file: the attribute `coordinates` says whose each is.
    low = wind([5.0], [90.0]).rename(height="height_2", ws="ws_low", wd="wd_low")
    both = xr.merge([high.rename(height="height_3", ws="ws_high", wd="wd_high"), low])
    for name in both.data_vars:
        both[name].encoding["coordinates"] = "height_2" if "low" in str(name) else "height_3"
    weather = read_weather(written(both, tmp_path))
    np.testing.assert_allclose(weather["u10"], -5.0, rtol=1e-6)


def test_on_a_turned_grid_the_direction_is_that_of_true_north(tmp_path) -> None:
    y, x = np.meshgrid(np.arange(-1.0, 1.1, 0.2), np.arange(-1.0, 1.1, 0.2), indexing="ij")
    latitude, longitude = 39.9 + 0.9 * y + 0.4 * x, 116.4 + (0.9 * x - 0.4 * y) / 0.767
    shape = (1, *latitude.shape)
    dims = ("time", "y", "x")
    dataset = xr.Dataset(
        {
            "ws": (dims, np.full(shape, 5.0), {"standard_name": "wind_speed", "units": "m/s"}),
            "wd": (dims, np.where(longitude > 116.4, 350.0, 10.0)[None], {"standard_name": FROM, "units": "degrees"}),
        },
        coords={
            "time": [START], "height": ((), 10.0, {"standard_name": "height"}),
            "lat": (dims[1:], latitude, {"units": "degrees_north"}), "lon": (dims[1:], longitude, {"units": "degrees_east"}),
        },
    )  # fmt: skip
    weather = read_weather_at_cities(written(dataset, tmp_path), [BEIJING])
    assert float(weather["v10"][0, 0]) == pytest.approx(-4.92, abs=0.02) and abs(float(weather["u10"][0, 0])) < 0.9


def test_a_grid_elsewhere_is_refused_by_its_file(tmp_path) -> None:
    elsewhere = wind([3.0, 3.0], [90.0, 90.0]).assign_coords(longitude=[16.0, 17.0])
    elsewhere.to_netcdf(tmp_path / "europe.nc")
    with pytest.raises(InputError, match=r"europe.nc: city beijing: .*within 39 to 41 N, 16 to 17 E"):
        read_weather_at_cities(tmp_path / "europe.nc", [BEIJING])
