"""NetCDF in the style of further publishers: read with the number that was written, or refused by name."""

from __future__ import annotations

import zipfile
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from hazecast.grids.derived import dew_point, dew_point_of_mixing_ratio
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.weather.files import read_weather, read_weather_at_cities
from hazecast.grids.weather.sampling import at_cities
from hazecast.grids.weather.timeline import to_hourly
from hazecast.grids.weather.variables import column_of

BEIJING = load_registry().city("beijing")
START = np.datetime64("2014-02-20T00", "ns")
AXES = {"latitude": [42.0, 39.0, 38.0], "longitude": [114.0, 116.0, 118.0]}


def field(*values: float) -> tuple[tuple[str, ...], np.ndarray]:
    return ("time", *AXES), np.tile(np.array(values)[:, None, None], (1, 3, 3))


def hours(*ends: float) -> np.ndarray:
    return np.asarray(START + (np.array(ends) * 3600).astype("timedelta64[s]").astype("timedelta64[ns]"))


def of(times: np.ndarray, **variables: tuple[str, list[float]]) -> xr.Dataset:
    """Variables that are the same everywhere, each with its unit."""
    data = {name: (*field(*values), {"units": units}) for name, (units, values) in variables.items()}
    return xr.Dataset(data, coords={"time": times, **AXES})


def at_beijing(dataset: xr.Dataset, folder: Path) -> xr.Dataset:
    dataset.to_netcdf(folder / "a.nc")
    return read_weather_at_cities(folder / "a.nc", [BEIJING]).isel(city=0)


def test_era5_and_era5t_in_one_file_in_both_layouts(tmp_path) -> None:
    old = xr.concat(
        [of(hours(0, 1, 2), t2m=("K", v)) for v in ([280.0, 281.0, np.nan], [np.nan, 299.0, 282.0])], "expver"
    )
    for versions, reordered in (([1, 5], old), ([5, 1], old.isel(expver=[1, 0]))):
        weather = at_beijing(reordered.assign_coords(expver=versions), tmp_path)
        # Of an hour that both hold ERA5's own counts.
        np.testing.assert_allclose(weather["t2m"], [280.0, 281.0, 282.0])
    new = of(hours(0, 1), t2m=("K", [280.0, 281.0])).rename(time="valid_time")
    new = new.assign_coords(expver=("valid_time", ["0001", "0005"]), number=0)
    np.testing.assert_allclose(at_beijing(new, tmp_path)["t2m"], [280.0, 281.0])


def test_model_levels_beside_the_surface_in_a_zip_of_cams_cost_nothing(tmp_path) -> None:
    period = {"forecast_period": hours(0, 3) - START, "forecast_reference_time": [START]}
    surface = (
        of(hours(0, 3), t2m=("K", [280.0, 283.0]))
        .rename(time="forecast_period")
        .assign_coords(forecast_period=period["forecast_period"])
    )
    surface = surface.expand_dims(forecast_reference_time=period["forecast_reference_time"])
    levels = surface.rename(t2m="t").expand_dims(model_level=[137.0])
    levels["t"].attrs["standard_name"] = "air_temperature"
    (surface).to_netcdf(tmp_path / "data_sfc.nc")
    (levels - 5.0).assign(t=(levels["t"] - 5.0).assign_attrs(levels["t"].attrs)).to_netcdf(tmp_path / "data_mlev.nc")
    with zipfile.ZipFile(tmp_path / "cams.zip", "w") as archive:
        for name in ("data_mlev.nc", "data_sfc.nc"):
            archive.write(tmp_path / name, name)
    weather = read_weather_at_cities(tmp_path / "cams.zip", [BEIJING])
    np.testing.assert_allclose(weather["t2m"][:, 0], [280.0, 283.0])
    assert weather.attrs["init_time"] == "2014-02-20T00:00:00Z" and "left_out" not in weather.attrs
    with pytest.raises(InputError, match="data_mlev.nc: found t: height: found not stated"):
        read_weather(tmp_path / "data_mlev.nc")


def test_the_msm_as_kyoto_university_publishes_it(tmp_path) -> None:
    units = {
        "psea": "Pa",
        "sp": "Pa",
        "u": "m/s",
        "v": "m/s",
        "temp": "K",
        "rh": "%",
        "r1h": "mm/h",
        "ncld": "%",
        "dswrf": "W/m^2",
    }
    values = {
        "psea": 1e5,
        "sp": 98_000.0,
        "u": 3.0,
        "v": -4.0,
        "temp": 280.0,
        "rh": 60.0,
        "r1h": 2.0,
        "ncld": 50.0,
        "dswrf": 300.0,
    }
    names = {"u": "eastward_wind", "v": "northward_wind", "temp": "air_temperature", "rh": "relative_humidity"}
    with netCDF4.Dataset(tmp_path / "0220.nc", "w", format="NETCDF3_CLASSIC") as file:
        for dim, axis, unit in (
            ("lon", AXES["longitude"], "degrees_east"),
            ("lat", AXES["latitude"], "degrees_north"),
            ("time", [0, 3], "hours since 2014-02-20 00:00:00+00:00"),
        ):
            file.createDimension(dim, len(axis))
            file.createVariable(dim, "f4", (dim,)).units = unit
            file[dim][:] = axis
        for name, unit in units.items():
            packed = file.createVariable(name, "i2", ("time", "lat", "lon"))
            packed.scale_factor, packed.add_offset, packed.units = abs(values[name]) / 1000 or 1.0, values[name], unit
            if name in names:
                packed.standard_name = names[name]
            packed[:] = np.full((2, 3, 3), values[name])
    weather = read_weather_at_cities(tmp_path / "0220.nc", [BEIJING]).isel(city=0)
    expected = {"t2m": 280.0, "u10": 3.0, "v10": -4.0, "sp": 98_000.0, "tcc": 0.5, "tp": 2.0, "ssrd": 300.0}
    for name, value in expected.items():
        np.testing.assert_allclose(weather[name], value, rtol=1e-5)
    np.testing.assert_allclose(weather["d2m"], dew_point(280.0, 60.0), rtol=1e-5)
    # Of the three hours between two files' times one alone is known.
    assert to_hourly(weather)["tp"].notnull().values.tolist() == [True, False, False, True]


def test_an_upper_air_file_of_the_msm_is_refused_by_name(tmp_path) -> None:
    levels = of(hours(0, 3), temp=("K", [250.0, 250.0]), u=("m/s", [20.0, 20.0])).expand_dims(p=[500.0, 850.0])
    levels["temp"].attrs["standard_name"], levels["u"].attrs["standard_name"] = "air_temperature", "eastward_wind"
    with pytest.raises(InputError, match="temp: height: found not stated"):
        at_beijing(levels, tmp_path)


def merra(**variables: tuple[str, list[float]]) -> xr.Dataset:
    dataset = of(hours(0.5, 1.5, 2.5), **variables).rename(latitude="lat", longitude="lon")
    dataset.attrs = {"Title": "MERRA2 tavg1_2d_slv_Nx: 2d,1-Hourly,Time-Averaged,Single-Level,Assimilation"}
    dataset["time"].encoding["units"] = "minutes since 2014-02-20 00:30:00"
    return dataset


def test_merra_2_means_over_the_hour_around_their_stamp(tmp_path) -> None:
    dataset = merra(
        T2M=("K", [280.0, 281.0, 282.0]), QV2M=("kg kg-1", [0.004] * 3), PS=("Pa", [1e5] * 3), U10M=("m s-1", [3.0] * 3),
        V10M=("m s-1", [4.0] * 3), PRECTOT=("kg m-2 s-1", [9.0] * 3), PRECTOTCORR=("kg m-2 s-1", [1 / 3600, 2 / 3600, 0.0]),
        SWGDN=("W m-2", [10.0, 20.0, 30.0]), PBLH=("m", [500.0] * 3),
    )  # fmt: skip
    weather = at_beijing(dataset, tmp_path)
    assert weather.attrs["source"] == "MERRA-2" and "left_out" not in weather.attrs
    hourly = to_hourly(read_weather_at_cities(tmp_path / "a.nc", [BEIJING])).isel(city=0)
    np.testing.assert_array_equal(hourly["time"], hours(1, 2, 3))
    np.testing.assert_allclose(hourly["t2m"], [280.5, 281.5, np.nan])
    np.testing.assert_allclose(hourly["tp"], [1.0, 2.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(hourly["ssrd"], [10.0, 20.0, 30.0])
    for name, value in {"u10": 3.0, "v10": 4.0, "sp": 1e5, "blh": 500.0}.items():
        np.testing.assert_allclose(hourly[name][:2], value)
    np.testing.assert_allclose(hourly["d2m"][:2], dew_point_of_mixing_ratio(0.004 / 0.996, 1e5), rtol=1e-6)


def test_means_at_half_past_of_an_unknown_publisher_are_refused_by_name(tmp_path) -> None:
    dataset = merra(T2M=("K", [280.0] * 3), rsds=("W m-2", [10.0] * 3)).drop_attrs(deep=False)
    weather = at_beijing(dataset, tmp_path)
    assert (
        "ssrd" not in weather and "rsds: found means at 2014-02-20T00:30Z without bounds" in weather.attrs["left_out"]
    )


def test_heights_that_belong_to_one_variable_each(tmp_path) -> None:
    # As DWD's ICON, or a merger of CMIP files: an axis of one height for each.
    warm = of(hours(0), T_2M=("K", [280.0])).expand_dims(height_2=[2.0])
    wind = of(hours(0), U_10M=("m s-1", [3.0]), V_10M=("m s-1", [4.0])).expand_dims(height_3=[10.0])
    dataset = xr.merge([warm, wind])
    for name, standard in {"T_2M": "air_temperature", "U_10M": "eastward_wind", "V_10M": "northward_wind"}.items():
        dataset[name].attrs["standard_name"] = standard
    for name in ("height_2", "height_3"):
        dataset[name].attrs.update(standard_name="height", units="m")
    weather = at_beijing(dataset, tmp_path)
    assert {name: float(weather[name][0]) for name in weather.data_vars} == {"t2m": 280.0, "u10": 3.0, "v10": 4.0}
    # A temperature on a level beside a height that is another's.
    upper = of(hours(0), t=("K", [250.0])).expand_dims(level=[850.0])
    upper["t"].attrs["standard_name"] = "air_temperature"
    other = dataset[["T_2M"]].rename(T_2M="other").drop_attrs(deep=True)
    other["height_2"].attrs["standard_name"] = "height"
    with pytest.raises(InputError, match="t: height: found not stated"):
        at_beijing(xr.merge([upper, other]), tmp_path)


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "julian"])
def test_calendars_without_real_dates_are_refused_by_name(tmp_path, calendar) -> None:
    dataset = of(hours(0, 1), t2m=("K", [280.0, 281.0]))
    clock = {"units": "hours since 2014-02-20", "calendar": calendar}
    with pytest.raises(InputError, match=f"time calendar: found {calendar}"):
        at_beijing(dataset.assign_coords(time=("time", [0, 1], clock)), tmp_path)


def days(numbers: np.ndarray) -> xr.Dataset:
    dataset = of(hours(0, 1, 2), t2m=("K", [280.0, 281.0, 282.0]), pr=("mm h-1", [0.0, 1.0, 2.0]))
    return dataset.assign_coords(time=("time", numbers, {"units": "days since 1900-01-01"}))


@pytest.mark.parametrize("digits", [4, None])
def test_days_as_rounded_numbers_are_whole_minutes_again(tmp_path, digits) -> None:
    numbers = 41_688.0 + np.arange(3) / 24
    weather = at_beijing(days(numbers if digits is None else np.round(numbers, digits)), tmp_path)
    np.testing.assert_array_equal(weather["time"], hours(0, 1, 2))


def test_days_in_single_precision_are_hours_or_refused(tmp_path) -> None:
    weather = at_beijing(days((41_688.0 + np.arange(3) / 24).astype(np.float32)), tmp_path)
    np.testing.assert_array_equal(weather["time"], hours(0, 1, 2))
    with pytest.raises(InputError, match="time: found float32 of days since 1900-01-01, exact to 338 s"):
        at_beijing(days((41_688.0 + np.arange(3) / 96).astype(np.float32)), tmp_path)


def test_a_time_that_is_missing_is_named(tmp_path) -> None:
    dataset = days(np.array([41_688.0, np.nan, 41_688.1]))
    dataset["time"].encoding["_FillValue"] = -1.0
    with pytest.raises(InputError, match="time: found 1 of 3 missing"):
        at_beijing(dataset, tmp_path)


@pytest.mark.parametrize("kind", ["_FillValue", "missing_value", "both", "undeclared", "valid_range"])
def test_marks_of_missing_values(tmp_path, kind) -> None:
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        for dim, axis, unit in (
            ("time", [0, 1], "hours since 2014-02-20"),
            ("lat", AXES["latitude"], "degrees_north"),
            ("lon", AXES["longitude"], "degrees_east"),
        ):
            file.createDimension(dim, len(axis))
            file.createVariable(dim, "f8", (dim,)).units = unit
            file[dim][:] = axis
        marks = {"_FillValue": -32767, "both": -32767, "missing_value": None, "undeclared": None, "valid_range": None}
        packed = file.createVariable("t2m", "i2", ("time", "lat", "lon"), fill_value=marks[kind])
        packed.set_auto_maskandscale(False)
        packed.units, packed.scale_factor, packed.add_offset = "K", 0.01, 280.0
        if kind in ("missing_value", "both"):
            packed.missing_value = np.int16(-32767 if kind == "missing_value" else -32766)
        if kind == "valid_range":
            packed.valid_range = np.array([-10_000, 10_000], np.int16)
        packed[:] = np.stack([np.full((3, 3), 150), np.full((3, 3), -32767)])
        if kind == "both":
            packed[1, 0] = -32766
    if kind == "undeclared":
        with pytest.raises(InputError, match="t2m: found 9 values outside; expected 180 to 340 K"):
            read_weather(tmp_path / "a.nc")
        return
    weather = read_weather(tmp_path / "a.nc")
    np.testing.assert_allclose(weather["t2m"][0], 281.5, rtol=1e-6)
    assert np.isnan(weather["t2m"][1]).all()


def test_a_valid_range_of_unsigned_bytes(tmp_path) -> None:
    dataset = of(hours(0, 1), t2m=("K", [200, 255]))
    # Of 0.5 K from 200 K: 0 to 250, as the signed bytes of NetCDF 3.
    dataset["t2m"] = dataset["t2m"].astype(np.uint8).astype(np.int8)
    dataset["t2m"].attrs |= {"_Unsigned": "true", "scale_factor": [0.5], "add_offset": [200.0]}
    dataset["t2m"].attrs["valid_range"] = np.array([0, 250], np.uint8).view(np.int8)
    np.testing.assert_allclose(at_beijing(dataset, tmp_path)["t2m"], [300.0, np.nan])


@pytest.mark.parametrize(
    ("name", "units", "value", "expected"),
    [
        ("sp", "hPa", 980.0, 98_000.0), ("sp", "mb", 980.0, 98_000.0), ("sp", "millibars", 980.0, 98_000.0), ("sp", "kPa", 98.0, 98_000.0),
        ("t2m", "degC", 7.0, 280.15), ("t2m", "deg C", 7.0, 280.15), ("t2m", "\N{DEGREE SIGN}C", 7.0, 280.15),
        ("t2m", "degF", 44.6, 280.15), ("t2m", "Kelvin", 280.0, 280.0), ("u10", "m s**-1", 3.0, 3.0),
        ("u10", "m s^-1", 3.0, 3.0), ("u10", "kn", 10.0, 5.1444), ("tcc", "(0 - 1)", 0.5, 0.5), ("tcc", "%", 50.0, 0.5),
        ("tp", "kg m-2 s-1", 1 / 3600, 1.0), ("tp", "kg m^-2 s^-1", 1 / 3600, 1.0), ("tp", "mm/hr", 1.0, 1.0),
        ("t2m", "Degree C", 7.0, 280.15), ("t2m", "\N{DEGREE CELSIUS}", 7.0, 280.15), ("t2m", "degrees_Kelvin", 280.0, 280.0),
        ("u10", "m.s-1", 3.0, 3.0), ("u10", "meters per second", 3.0, 3.0), ("v10", "mph", 10.0, 4.4704), ("v10", "cm/s", 10.0, 0.1),
        ("tp", "m/hour", 1e-3, 1.0), ("tp", "kg m-2 h-1", 1.0, 1.0), ("tcc", "oktas", 4.0, 0.5), ("ssrd", "J m-2 s-1", 100.0, 100.0),
        ("tp", "mm hour-1", 1.0, 1.0), ("blh", "metres", 500.0, 500.0), ("ssrd", "W m^-2", 100.0, 100.0),
    ],
)  # fmt: skip
def test_ways_to_write_a_unit(name, units, value, expected) -> None:
    column = column_of(name, {"units": units}, None)
    assert column is not None and not column.total
    assert column.name == name and value * column.factor + column.offset == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("units", "factor"), [("m", 1e-3), ("mm", 1.0), ("kg m-2", 1.0)])
def test_hourly_amounts_of_rain(tmp_path, units, factor) -> None:
    rain = [1.0, 0.0, 2.0, 0.5]
    weather = at_beijing(of(hours(1, 2, 3, 4), tp=(units, [one * factor for one in rain])), tmp_path)
    np.testing.assert_allclose(weather["tp"], rain, rtol=1e-5)


def around(longitude: list[float]) -> xr.Dataset:
    dataset = of(hours(0), t2m=("K", [280.0])).isel(longitude=[0] * len(longitude)).assign_coords(longitude=longitude)
    return dataset.assign(t2m=dataset["t2m"] + dataset["longitude"] % 360.0 / 100.0)


@pytest.mark.parametrize(
    ("longitude", "place", "expected"),
    [
        ([170.0, 175.0, 180.0, 185.0], 178.0, 281.78), ([170.0, 175.0, -180.0, -175.0], -178.0, 281.82),
        ([350.0, 355.0, 360.0, 365.0], 352.0, 283.52), ([-10.0, -5.0], -8.0, 283.52), ([170.0, 175.0, 180.0, 185.0], 116.4, None),
        ([350.0, 355.0, 0.0, 5.0], 116.4, None),
    ],
)  # fmt: skip
def test_grids_across_the_seams_of_longitude(tmp_path, longitude, place, expected) -> None:
    city = BEIJING.model_copy(update={"longitude": place if place <= 180.0 else place - 360.0})
    around(longitude).to_netcdf(tmp_path / "a.nc")
    if expected is None:
        # Not a value from both edges of the grid, though the place lies between them by number.
        with pytest.raises(InputError, match="a place within"):
            read_weather_at_cities(tmp_path / "a.nc", [city])
        return
    assert float(read_weather_at_cities(tmp_path / "a.nc", [city])["t2m"][0, 0]) == pytest.approx(expected, abs=1e-3)
    assert float(at_cities(read_weather(tmp_path / "a.nc"), [city])["t2m"][0, 0]) == pytest.approx(expected, abs=1e-3)


def test_one_point_is_no_grid(tmp_path) -> None:
    point = of(hours(0), t2m=("K", [280.0])).isel(latitude=[1], longitude=[1])
    with pytest.raises(InputError, match="latitude: found 1 value; expected two or more"):
        at_beijing(point, tmp_path)
    with pytest.raises(InputError, match=r"latitude: found latitude on \(\)"):
        at_beijing(point.squeeze(["latitude", "longitude"]), tmp_path)


def test_times_in_any_order_and_twice(tmp_path) -> None:
    weather = at_beijing(of(hours(2, 0, 1, 1), t2m=("K", [282.0, 280.0, 281.0, 281.0])), tmp_path)
    np.testing.assert_array_equal(weather["time"], hours(0, 1, 2))
    np.testing.assert_allclose(weather["t2m"], [280.0, 281.0, 282.0])
    with pytest.raises(InputError, match=r"t2m at 2014-02-20T01:00Z: found two values, 281 and 285"):
        at_beijing(of(hours(1, 0, 1), t2m=("K", [281.0, 280.0, 285.0])), tmp_path)


def test_two_files_on_one_grid_in_two_precisions_and_on_two_grids(tmp_path) -> None:
    first, second = of(hours(0), t2m=("K", [280.0])), of(hours(1), t2m=("K", [281.0]))
    first["latitude"] = first["latitude"] + 0.1
    first.to_netcdf(tmp_path / "a.nc")
    single = {"latitude": (np.array(AXES["latitude"]) + 0.1).astype(np.float32)}
    second.assign_coords(single).to_netcdf(tmp_path / "b.nc")
    np.testing.assert_allclose(read_weather(tmp_path)["t2m"][:, 0, 0], [280.0, 281.0])
    second.to_netcdf(tmp_path / "b.nc")
    with pytest.raises(InputError, match="latitude: found several grids"):
        read_weather(tmp_path)


def test_names_that_wgrib2_gives(tmp_path) -> None:
    dataset = of(
        hours(0), TMP_2maboveground=("K", [280.0]), DPT_2maboveground=("K", [275.0]), PRES_surface=("Pa", [98_000.0]),
        UGRD_10maboveground=("m/s", [3.0]), VGRD_10maboveground=("m/s", [4.0]), HPBL_surface=("m", [500.0]),
    )  # fmt: skip
    weather = at_beijing(dataset, tmp_path)
    expected = {"t2m": 280.0, "d2m": 275.0, "sp": 98_000.0, "u10": 3.0, "v10": 4.0, "blh": 500.0}
    assert {name: float(weather[name][0]) for name in weather.data_vars} == expected


def test_monthly_means_of_merra_2_are_not_taken_for_hours(tmp_path) -> None:
    dataset = merra(T2M=("K", [280.0] * 3))
    dataset.attrs["Title"] += ",Single-Level Diagnostics Monthly Mean"
    with pytest.raises(InputError, match="Title: found MERRA2 tavg1.*Monthly Mean; expected an hourly"):
        at_beijing(dataset, tmp_path)


def test_era5_as_zarr_for_machine_learning(tmp_path) -> None:
    names = {
        "2m_temperature": ("K", [280.0] * 3), "2m_dewpoint_temperature": ("K", [275.0] * 3), "surface_pressure": ("Pa", [98_000.0] * 3),
        "10m_u_component_of_wind": ("m s**-1", [3.0] * 3), "10m_v_component_of_wind": ("m s**-1", [4.0] * 3),
        "boundary_layer_height": ("m", [500.0] * 3), "total_cloud_cover": ("(0 - 1)", [0.5] * 3), "total_precipitation": ("m", [0.001, 0.0, 0.002]),
    }  # fmt: skip
    weather = at_beijing(of(hours(1, 2, 3), **names), tmp_path)
    expected = {"t2m": 280.0, "d2m": 275.0, "sp": 98_000.0, "u10": 3.0, "v10": 4.0, "blh": 500.0, "tcc": 0.5, "tp": 1.0}
    assert {name: float(weather[name][0]) for name in weather.data_vars} == pytest.approx(expected)


def test_a_reference_time_without_periods_makes_a_forecast(tmp_path) -> None:
    dataset = of(hours(3, 6), t2m=("K", [280.0, 281.0]))
    attrs = {"standard_name": "forecast_reference_time"}
    weather = at_beijing(dataset.assign_coords(issued=((), START, attrs)), tmp_path)
    assert weather.attrs["init_time"] == "2014-02-20T00:00:00Z"
    analyses = at_beijing(dataset.assign_coords(issued=("time", hours(3, 6), attrs)), tmp_path)
    assert "init_time" not in analyses.attrs
    with pytest.raises(InputError, match="issued: found several forecasts, 2014-02-20T00, 2014-02-20T03"):
        at_beijing(dataset.assign_coords(issued=("time", hours(0, 3), attrs)), tmp_path)


def test_cloud_as_a_fraction_that_is_called_per_cent_is_left_out_and_named(tmp_path) -> None:
    weather = at_beijing(of(hours(0), t2m=("K", [280.0]), tcc=("%", [0.8])), tmp_path)
    assert "tcc" not in weather and "tcc: found values of at most 0.8 %" in weather.attrs["left_out"]


def test_times_as_texts(tmp_path) -> None:
    dataset = of(hours(0, 1, 2), t2m=("K", [280.0, 281.0, 282.0]))
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d_%H:%M:%S", "%Y-%m-%d %H:%MZ"):
        texts = dataset.indexes["time"].strftime(form).to_numpy(object)
        np.testing.assert_array_equal(at_beijing(dataset.assign_coords(time=texts), tmp_path)["time"], hours(0, 1, 2))
    east = [f"2014-02-20 {hour:02d}:00:00+08:00" for hour in (8, 9, 10)]
    np.testing.assert_array_equal(at_beijing(dataset.assign_coords(time=east), tmp_path)["time"], hours(0, 1, 2))
    with pytest.raises(InputError, match="expected dates"):
        at_beijing(dataset.assign_coords(time=["20 Feb", "21 Feb", "22 Feb"]), tmp_path)


def test_totals_of_radiation_in_larger_units(tmp_path) -> None:
    for units, factor in (("kJ m-2", 3.6), ("MJ m-2", 0.0036), ("Wh m-2", 1.0)):
        weather = at_beijing(
            of(hours(1, 2, 3, 4), ssrd=(units, [value * factor for value in (100, 0, 200, 50)])), tmp_path
        )
        np.testing.assert_allclose(weather["ssrd"], [100.0, 0.0, 200.0, 50.0], rtol=1e-5)


def test_a_sky_with_one_okta_is_no_fraction_called_otherwise(tmp_path) -> None:
    weather = at_beijing(of(hours(0, 1), tcc=("okta", [1.0, 0.0])), tmp_path)
    np.testing.assert_allclose(weather["tcc"], [0.125, 0.0])
