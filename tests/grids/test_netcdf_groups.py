"""NetCDF variables in groups and Zarr stores in archives, and what attributes say against names: each kind by itself."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.weather.files import read_weather, span_of
from tests.support.netcdf_columns import LAT, START, column, hours

needs_zarr = pytest.mark.skipif(find_spec("zarr") is None, reason="needs the extra archive")
TEMPERATURE = column([280.0, 281.0], hours(0, 1), "t2m", "K")
WIND = column([3.0, 4.0], hours(1, 2), "u10", "m s-1")
AXES = ["time", "latitude", "longitude"]


def warmer(by: float) -> xr.Dataset:
    return TEMPERATURE.assign(t2m=(TEMPERATURE["t2m"] + by).assign_attrs(units="K"))


def grouped(path: Path, **groups: xr.Dataset) -> Path:
    for number, (name, dataset) in enumerate(groups.items()):
        group = None if name == "root" else name.replace("__", "/")
        dataset.to_netcdf(path, group=group, mode="a" if number else "w")
    return path


@pytest.mark.parametrize(
    "groups",
    [
        {"temperature": TEMPERATURE, "wind": WIND},
        {"forecast__surface": TEMPERATURE, "forecast__wind": WIND},
        {"root": TEMPERATURE, "wind": WIND},
        {"root": TEMPERATURE[AXES], "surface": TEMPERATURE.drop_vars(AXES), "wind": WIND},
        {"surface": TEMPERATURE, "wind": WIND, "notes": xr.Dataset({"station": ("place", [1, 2])})},
    ],
    ids=["a variable a group", "deeper", "beside the root", "axes in the root", "a group of something else"],
)
def test_groups_that_hold_one_kind_each_are_one_forecast(tmp_path, groups) -> None:
    weather = read_weather(grouped(tmp_path / "a.nc", **groups))
    assert set(weather.data_vars) == {"t2m", "u10"} and "left_out" not in weather.attrs
    np.testing.assert_allclose(weather["t2m"][:, 0, 0], [280.0, 281.0, np.nan])
    np.testing.assert_allclose(weather["u10"][:, 0, 0], [np.nan, 3.0, 4.0])
    assert span_of(tmp_path / "a.nc") == (None, START, hours(2)[0])


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ({"a": TEMPERATURE, "b": warmer(5.0)}, "found two values, 280 and 285"),
        ({"member_0": TEMPERATURE, "member_1": warmer(1.0)}, "group member_0: found member_0"),
        ({"root": TEMPERATURE, "stats__spread": WIND}, "group stats/spread: found stats"),
        ({"a": TEMPERATURE.assign(t2m=TEMPERATURE["t2m"].assign_attrs(units="C9"))}, "C9"),
    ],
)
def test_groups_that_may_be_read_in_two_ways_are_refused_by_name(tmp_path, groups, says) -> None:
    with pytest.raises(InputError, match=says):
        read_weather(grouped(tmp_path / "a.nc", **groups))


def zipped(store: Path, archive: Path, above: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as target:
        for file in sorted(store.rglob("*")):
            target.write(file, file.relative_to(above))
    return archive


PACKED: dict[str, Callable[[Path, Path], Path]] = {
    "its files": lambda store, path: zipped(store, path / "a.zarr.zip", store),
    "its folder": lambda store, path: zipped(store, path / "b.zip", store.parent),
    "tar": lambda store, path: tarred(store, path / "c.tar"),
}


def tarred(store: Path, archive: Path) -> Path:
    with tarfile.open(archive, "w") as target:
        target.add(store, "data/forecast.zarr")
    return archive


@needs_zarr
@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("form", [2, 3])
def test_a_zarr_store_in_an_archive(tmp_path, form, packed) -> None:
    store = tmp_path / "store" / "weather.zarr"
    TEMPERATURE.to_zarr(store, zarr_format=form, consolidated=form == 2)
    weather = read_weather(PACKED[packed](store, tmp_path))
    np.testing.assert_allclose(weather["t2m"][:, 0, 0], [280.0, 281.0])


@needs_zarr
def test_groups_of_a_zarr_store(tmp_path) -> None:
    TEMPERATURE.to_zarr(tmp_path / "a.zarr", group="surface", consolidated=False)
    WIND.to_zarr(tmp_path / "a.zarr", group="wind", mode="a", consolidated=False)
    weather = read_weather(tmp_path / "a.zarr")
    assert set(weather.data_vars) == {"t2m", "u10"}


def test_an_archive_whose_store_leads_out_of_its_folder_is_refused(tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("zarr.json", "{}")
        archive.writestr("t2m/../../../c/0", "x")
    with pytest.raises(InputError, match="found a way out of its folder"):
        read_weather(tmp_path / "a.zip")


def with_attrs(name: str, **attrs: str) -> xr.Dataset:
    dataset = TEMPERATURE.copy(deep=True)
    dataset[name].attrs.update(attrs)
    return dataset


@pytest.mark.parametrize(
    ("dataset", "says"),
    [
        (with_attrs("time", time_zone="UTC+8"), r"time time_zone: found UTC\+8; expected times in UTC"),
        (with_attrs("time", long_name="Beijing time"), "time long_name: found Beijing time"),
        (with_attrs("time", long_name="北京时"), "time long_name: found 北京时"),
        (with_attrs("time", description="valid time (JST)"), "time description: found"),
        (TEMPERATURE.assign_attrs(time_zone="Asia/Shanghai"), "a.nc: time_zone: found Asia/Shanghai"),
        (
            TEMPERATURE.assign_coords(latitude=("latitude", np.radians(LAT), {"units": "radians"})),
            "latitude units: found radians; expected degrees",
        ),
        (TEMPERATURE.assign_coords(latitude=[42.0, 42.0, 38.0]), "latitude: found 42 more than once"),
        (with_attrs("t2m", standard_name="soil_temperature"), "t2m: standard_name: found soil_temperature"),
        (with_attrs("t2m", standard_name="dew_point_temperature"), "t2m: standard_name: found dew_point_temperature"),
        (
            column([101325.0], hours(0), "ps", "Pa", standard_name="air_pressure_at_sea_level"),
            "ps: standard_name: found air_pressure_at_sea_level",
        ),
        (
            column([0.1], hours(0), "pr", "mm h-1", standard_name="convective_precipitation_flux"),
            "pr: standard_name: found convective_precipitation_flux",
        ),
    ],
)
def test_attributes_that_contradict_units_and_names_are_refused_by_name(tmp_path, dataset, says) -> None:
    dataset.to_netcdf(tmp_path / "a.nc")
    with pytest.raises(InputError, match=says):
        read_weather(tmp_path / "a.nc")


@pytest.mark.parametrize("units", ["hours since 2014-02-20", "days since 2014-2-20", "hours since 2014-02-20 00:00"])
def test_the_end_of_a_date_is_no_offset(tmp_path, units) -> None:
    attrs = {"units": units, "long_name": "Beijing time"}
    TEMPERATURE.assign_coords(time=("time", [0, 1], attrs)).to_netcdf(tmp_path / "a.nc")
    with pytest.raises(InputError, match="time long_name: found Beijing time"):
        read_weather(tmp_path / "a.nc")


@pytest.mark.parametrize("zone", ["UTC", "GMT", "Z", "+00:00", "UTC+0", "Etc/UTC", "Coordinated Universal Time"])
def test_utc_in_words_is_utc(tmp_path, zone) -> None:
    with_attrs("time", timezone=zone, long_name="time (UTC)").to_netcdf(tmp_path / "a.nc")
    assert read_weather(tmp_path / "a.nc")["time"].values[0] == START


@pytest.mark.parametrize("since", ["2014-02-20 08:00:00 +08:00", "2014-2-20 8:0:0 +8", "2014-02-20T08:00+0800"])
def test_an_offset_in_the_units_counts_whatever_words_say(tmp_path, since) -> None:
    units = {"units": f"hours since {since}", "long_name": "Beijing time"}
    TEMPERATURE.assign_coords(time=("time", [0, 1], units)).to_netcdf(tmp_path / "a.nc")
    assert read_weather(tmp_path / "a.nc")["time"].values[0] == START


@pytest.mark.parametrize(
    ("standard", "units", "heights", "name"),
    [
        ("air_temperature", "K", [80.0, 2.0], "t2m"),
        ("eastward_wind", "m s-1", [10.0, 80.0, 100.0], "u10"),
    ],
)
def test_of_several_heights_above_ground_that_of_the_contract_is_taken(
    tmp_path, standard, units, heights, name
) -> None:
    values = {"t2m": 280.0, "u10": 5.0}[name]
    levels = [column([values + (h not in (2.0, 10.0)) * h / 10], hours(0), "x", units) for h in heights]
    dataset = xr.concat(levels, dim="height").assign_coords(height=("height", heights, {"units": "m"}))
    dataset["x"].attrs = {"units": units, "standard_name": standard}
    dataset.to_netcdf(tmp_path / "a.nc")
    np.testing.assert_allclose(read_weather(tmp_path / "a.nc")[name], values)


@pytest.mark.parametrize(
    ("height", "units", "read"),
    [(2.0, "m", True), (200.0, "cm", True), (2.0, "m above ground", True), (2.0, "km", False)],
)
def test_a_height_is_in_its_unit(tmp_path, height, units, read) -> None:
    attrs = {"units": units, "standard_name": "height"}
    dataset = TEMPERATURE.rename(t2m="x").assign_coords(height=((), height, attrs))
    dataset["x"].attrs["standard_name"] = "air_temperature"
    dataset.to_netcdf(tmp_path / "a.nc")
    if read:
        assert "t2m" in read_weather(tmp_path / "a.nc")
    else:
        with pytest.raises(InputError, match="variables: found"):
            read_weather(tmp_path / "a.nc")


def test_latitude_and_longitude_along_axes_of_other_names(tmp_path) -> None:
    plain = TEMPERATURE.drop_vars(["latitude", "longitude"]).rename(latitude="y", longitude="x")
    plain = plain.assign_coords(lat=("y", LAT), lon=("x", TEMPERATURE["longitude"].values))
    plain.assign(t2m=plain["t2m"] + plain["lat"] / 10).assign(t2m=lambda d: d["t2m"].assign_attrs(units="K")).to_netcdf(
        tmp_path / "a.nc"
    )
    weather = read_weather(tmp_path / "a.nc")
    np.testing.assert_allclose(weather["t2m"][0, :, 0], [283.8, 283.9, 284.2], rtol=1e-6)


@pytest.mark.parametrize("units", ["mps", "ms-1", "meter/sec", "meters/second", "metres per second", "m.s-1"])
def test_metres_per_second(tmp_path, units) -> None:
    column([5.0], hours(0), "v10", units).to_netcdf(tmp_path / "a.nc")
    np.testing.assert_allclose(read_weather(tmp_path / "a.nc")["v10"], 5.0)
