"""Weather readers against files written here in the publishers' real layouts."""

from __future__ import annotations

from pathlib import Path

import eccodes
import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grids.cities import load_registry
from grids.errors import InputError
from grids.gfs import _Message, step_means
from grids.sampling import at_cities
from grids.weather_files import read_weather, to_hourly

LAT, LON = np.arange(42.0, 37.9, -0.5), np.arange(114.0, 119.1, 0.5)
PLANE = 270.0 + LAT[:, None] * 0.5 + LON[None] * 0.1


def write_era5(path: Path, *, new_layout: bool = False, hours: int = 4, units: dict[str, str] | None = None) -> Path:
    """ERA5 as the Climate Data Store writes it: packed 16-bit integers, latitude descending."""
    names = {"t2m": "K", "d2m": "K", "sp": "Pa", "tp": "m", "ssrd": "J m**-2", "blh": "m", "tcc": "(0 - 1)"}
    values = {
        "t2m": PLANE,
        "d2m": PLANE - 5,
        "sp": PLANE * 300,
        "tp": PLANE * 1e-5,
        "ssrd": PLANE * 3600,
        "blh": PLANE,
        "tcc": PLANE / 600,
    }
    with netCDF4.Dataset(path, "w") as file:
        time = "valid_time" if new_layout else "time"
        for dim, size in ((time, hours), ("latitude", LAT.size), ("longitude", LON.size)):
            file.createDimension(dim, size)
        clock = file.createVariable(time, "i8" if new_layout else "i4", (time,))
        clock.units = "seconds since 1970-01-01" if new_layout else "hours since 1900-01-01 00:00:00.0"
        clock.calendar = "proleptic_gregorian" if new_layout else "gregorian"
        clock[:] = [
            netCDF4.date2num(np.datetime64("2014-02-20T00").item(), clock.units) + h * (3600 if new_layout else 1)
            for h in range(hours)
        ]
        for dim, axis in (("latitude", LAT), ("longitude", LON)):
            file.createVariable(dim, "f4", (dim,))[:] = axis
        if new_layout:
            file.createVariable("number", "i8", ())[...] = 0
            file.createVariable("expver", str, (time,))[:] = np.array(["0001"] * hours, object)
        for name, unit in names.items():
            field = np.stack([values[name]] * hours)
            variable = file.createVariable(name, "i2", (time, "latitude", "longitude"), fill_value=-32767)
            variable.scale_factor = float(np.ptp(field) / 65_000)
            variable.add_offset = float(field.mean())
            variable.units = (units or {}).get(name, unit)
            variable[:] = field
    return path


def write_grib(path: Path, messages: list[dict[str, object]], fields: list[np.ndarray]) -> Path:
    """GFS as NOAA writes it: GRIB2 edition, regular grid from north to south, longitudes from 0."""
    with path.open("wb") as file:
        for keys, field in zip(messages, fields, strict=True):
            handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
            grid = {
                "centre": "kwbc", "Ni": LON.size, "Nj": LAT.size, "dataDate": 20140220, "dataTime": 0,
                "latitudeOfFirstGridPointInDegrees": LAT[0], "latitudeOfLastGridPointInDegrees": LAT[-1],
                "longitudeOfFirstGridPointInDegrees": LON[0], "longitudeOfLastGridPointInDegrees": LON[-1],
                "iDirectionIncrementInDegrees": 0.5, "jDirectionIncrementInDegrees": 0.5, "bitsPerValue": 20,
            }  # fmt: skip
            for key, value in (grid | keys).items():
                eccodes.codes_set(handle, key, value.item() if isinstance(value, np.generic) else value)
            eccodes.codes_set_values(handle, field.ravel().astype(float))
            eccodes.codes_write(handle, file)
            eccodes.codes_release(handle)
    return path


def bucket(start: int, end: int, name: str = "tp") -> dict[str, object]:
    statistics = {"tp": 1, "sdswrf": 0}[name]
    codes = {"tp": (0, 1, 8), "sdswrf": (0, 4, 192)}[name]
    return {
        "productDefinitionTemplateNumber": 8, "typeOfStatisticalProcessing": statistics,
        "discipline": codes[0], "parameterCategory": codes[1], "parameterNumber": codes[2],
        "typeOfFirstFixedSurface": 1, "stepType": "accum" if name == "tp" else "avg", "stepRange": f"{start}-{end}",
    }  # fmt: skip


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
        messages.append(_Message("tp", np.datetime64(0, "ns"), start, hour, LAT, LON, value, kind))
        messages.append(
            _Message(
                "tp", np.datetime64(0, "ns"), 0, hour, LAT, LON, np.full((1, 1), sum(rates[:hour])), "accumulation"
            )
        )
    if average:
        messages = messages[::2]
    means = step_means(messages)
    np.testing.assert_allclose([means[h + 1][0, 0] for h in range(len(rates))], rates, atol=1e-9)


def test_three_hourly_steps_are_filled_and_longer_gaps_are_not(tmp_path) -> None:
    messages = [{"shortName": "2t", "step": hour} for hour in (0, 3, 9)]
    grid = to_hourly(read_weather(write_grib(tmp_path / "gfs.grib2", messages, [PLANE, PLANE + 3, PLANE + 9])))
    change = (grid["t2m"] - grid["t2m"][0]).values[:, 0, 0]
    np.testing.assert_allclose(change[:4], [0, 1, 2, 3], atol=0.02)
    assert np.isnan(change[4:9]).all() and change[9] == pytest.approx(9, abs=0.02)
    assert grid.attrs["time_interpolated"] == 1


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
    with pytest.raises(InputError, match="t2m units: found degC"):
        read_weather(write_era5(tmp_path / "era5.nc", units={"t2m": "degC"}))
    with pytest.raises(InputError, match="nothing"):
        read_weather(tmp_path / "nothing.nc")


def test_a_folder_of_files_becomes_one_grid(tmp_path) -> None:
    for hour in (1, 2):
        write_grib(tmp_path / f"gfs.f{hour:03d}.grib2", [{"shortName": "2t", "step": hour}], [PLANE + hour])
    grid = read_weather(tmp_path)
    assert grid.sizes["time"] == 2 and grid.attrs["init_time"] == "2014-02-20T00:00:00Z"
