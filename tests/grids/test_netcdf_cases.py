"""NetCDF as the world writes it: files that were refused or read wrongly, and files of publishers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.weather.accumulation import rates_of_totals
from hazecast.grids.weather.files import read_weather, read_weather_at_cities, span_of
from hazecast.grids.weather.variables import column_of

BEIJING = load_registry().city("beijing")
START = np.datetime64("2014-02-20T00", "ns")


@pytest.fixture(scope="session")
def cases(shared_data: Path) -> Path:
    return shared_data.parent / "cases" / "weather"


@pytest.mark.parametrize(
    ("file", "times", "init_time"),
    [
        ("ads_forecast_layout.nc", 12, "2014-02-20T00:00:00Z"),
        ("lat_lon_names.nc", 26, None),
        ("longitude_360_repeated.nc", 3, None),
        ("repeated_hours.nc", 26, None),
        ("overlap", 26, None),
        ("zip_named.nc", 26, None),
    ],
)
def test_temperature_at_beijing(cases, file, times, init_time) -> None:
    weather = read_weather_at_cities(cases / file, [BEIJING])
    assert weather.sizes["time"] == times and weather["time"].values[0] == START
    np.testing.assert_allclose(weather["t2m"], 280.0)
    assert weather.attrs.get("init_time") == init_time and weather.attrs["source"] == "unknown source"


@pytest.mark.parametrize("file", ["era5_land_tp.nc", "forecast_tp_since_start.nc"])
def test_totals_become_rates(cases, file) -> None:
    weather = read_weather_at_cities(cases / file, [BEIJING])
    assert np.isnan(weather["tp"].values[0, 0])
    np.testing.assert_allclose(weather["tp"].values[1:], 1.0, atol=1e-3)
    assert set(weather.data_vars) == {"t2m", "tp"}
    assert weather.attrs["source"] == "unknown source" and "left_out" not in weather.attrs


def test_a_day_out_of_totals_since_midnight_is_read_as_in_the_whole(cases) -> None:
    day = (np.datetime64("2014-02-21T00", "ns"), np.datetime64("2014-02-21T01", "ns"))
    np.testing.assert_allclose(read_weather(cases / "era5_land_tp.nc", period=day)["tp"], 1.0, atol=1e-3)


@pytest.mark.parametrize(
    ("file", "variables", "times", "value"),
    [
        ("era5_2t_1.nc", {"t2m"}, 1, 260.20879519),
        ("era5_2t_2.nc", {"t2m"}, 1, 258.57477041),
        ("era5_cds_new_layout.nc", {"u10", "v10"}, 30, -0.02456665),
        ("cams_eac4_ads_layout_surface.nc", {"u10", "v10", "t2m", "d2m"}, 120, 297.9862),
    ],
)
def test_published_files(shared_data, file, variables, times, value) -> None:
    weather = read_weather(shared_data / "published" / "netcdf" / file)
    assert set(weather.data_vars) == variables and weather.sizes["time"] == times
    first = weather["t2m" if "t2m" in variables else "u10"].isel(time=0, latitude=-1)
    # The file's first value, in the north and at its first longitude.
    longitude = {"era5_cds_new_layout.nc": 80.0, "cams_eac4_ads_layout_surface.nc": -163.0}.get(file, 0.0)
    assert float(first.sel(longitude=longitude)) == pytest.approx(value, rel=1e-5)
    assert weather.attrs["source"].startswith("unknown source") and "init_time" not in weather.attrs


def test_a_published_file_without_weather_is_refused_by_name(shared_data) -> None:
    with pytest.raises(InputError, match=r"variables: found \['tc_no', 'tcno2'\]"):
        read_weather(shared_data / "published" / "netcdf" / "cams_eac4_ads_layout_nox.nc")


HOURS = START + np.arange(1, 49).astype("timedelta64[h]")
RAIN = np.where(np.arange(48) % 5 == 0, 0.0, 1.0 + np.arange(48) % 7)


@pytest.mark.parametrize("kind", ["by step", "since start", "since midnight", "every 6 h", "dry"])
def test_a_total_in_any_form_becomes_the_same_rate(kind) -> None:
    rain = np.zeros(48) if kind == "dry" else RAIN
    period = {"since midnight": 24, "every 6 h": 6}.get(kind, 48)
    totals = rain if kind in ("by step", "dry") else rain.reshape(-1, period).cumsum(axis=1).ravel()
    rates, lengths = rates_of_totals(totals[:, None], HOURS, None, "a.nc: tp")
    np.testing.assert_allclose(rates[1:, 0], rain[1:], atol=1e-9)
    np.testing.assert_array_equal(lengths[1:], 1.0)


def test_the_first_total_of_a_forecast_counts_from_its_start() -> None:
    totals = np.array([3.0, 6.0, 12.0])[:, None]
    rates, lengths = rates_of_totals(totals, START + np.array([3, 6, 12]).astype("timedelta64[h]"), START, "a.nc: tp")
    np.testing.assert_array_equal(rates[:, 0], 1.0)
    np.testing.assert_array_equal(lengths, [3.0, 3.0, 6.0])


@pytest.mark.parametrize(
    ("hours", "totals", "reason"),
    [
        ([1, 2, 3], [1.0, 2.0, 4.0], "values that rise throughout 3 times"),
        ([3, 6, 9], [1.0, 0.5, 4.0], "totals at steps of 3 h, of a length that isn't stated"),
        ([1], [2.0], "found one time"),
        (range(5, 20), [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "values that fall once"),
    ],
)
def test_totals_that_may_be_of_several_kinds_are_refused(hours, totals, reason) -> None:
    times = START + np.array(list(hours)).astype("timedelta64[h]")
    with pytest.raises(InputError, match=reason):
        rates_of_totals(np.array(totals, float)[:, None], times, None, "a.nc: tp")


@pytest.mark.parametrize(
    "layout",
    [
        "cfgrib steps",
        "cfgrib single step",
        "several runs",
        "member 0",
        "member 3",
        "members",
        "standard name",
        "no height",
    ],
)
def test_layouts(tmp_path, layout) -> None:
    axes = {"latitude": [30.0, 45.0], "longitude": [110.0, 125.0]}
    hours = np.arange(3).astype("timedelta64[h]").astype("timedelta64[ns]")
    field = np.arange(3.0)[:, None, None] + np.full((3, 2, 2), 280.0)
    plain = xr.Dataset({"t2m": (("time", *axes), field, {"units": "K"})}, coords={"time": START + hours, **axes})
    init: str | None = None
    if layout == "cfgrib steps":
        dataset = plain.rename(time="step").assign_coords(step=hours, time=START, valid_time=("step", START + hours))
        init = "2014-02-20T00:00:00Z"
    elif layout == "cfgrib single step":
        dataset = (
            plain.isel(time=1).drop_vars("time").assign_coords(time=START, step=hours[1], valid_time=START + hours[1])
        )
        init = "2014-02-20T00:00:00Z"
    elif layout == "several runs":
        dataset = plain.rename(time="forecast_reference_time").expand_dims(forecast_period=hours[1:])
    elif layout.startswith("member"):
        numbers = {"member 0": 0, "member 3": 3, "members": [2, 1, 0]}[layout]
        dataset = plain.expand_dims(number=numbers) if layout == "members" else plain.assign_coords(number=numbers)
        if layout == "members":
            dataset = dataset + xr.DataArray([9.0, 5.0, 0.0], dims="number")
            dataset["t2m"].attrs["units"] = "K"
    else:
        dataset = plain.rename(t2m="temp")
        dataset["temp"].attrs["standard_name"] = "air_temperature"
        if layout == "standard name":
            dataset = dataset.assign_coords(height=((), 1.5, {"standard_name": "height", "units": "m"}))
    dataset.to_netcdf(tmp_path / "a.nc")
    refused = {
        "several runs": "3 forecasts, 2014-02-20T00, 2014-02-20T01",
        "member 3": "perturbed members alone",
        "no height": "temp: height: found not stated",
    }
    if layout in refused:
        with pytest.raises(InputError, match=refused[layout]):
            read_weather(tmp_path / "a.nc")
        return
    weather = read_weather(tmp_path / "a.nc")
    expected = [281.0] if layout == "cfgrib single step" else [280.0, 281.0, 282.0]
    np.testing.assert_allclose(weather["t2m"][:, 0, 0], expected)
    assert weather.attrs.get("init_time") == init
    assert weather["time"].values[-1] == START + hours[1 if layout == "cfgrib single step" else 2]
    assert span_of(tmp_path / "a.nc")[1:] == (weather["time"].values[0], weather["time"].values[-1])


@pytest.mark.parametrize(
    ("name", "attrs", "height", "expected"),
    [
        ("tas", {"units": "degC"}, None, ("t2m", 1.0, 273.15, False)),
        ("T", {"standard_name": "air_temperature", "units": "kelvin"}, 2.0, ("t2m", 1.0, 0.0, False)),
        ("T", {"standard_name": "air_temperature", "units": "K"}, 80.0, None),
        ("ps", {"units": "mb"}, None, ("sp", 100.0, 0.0, False)),
        ("tcc", {"units": "percent"}, None, ("tcc", 0.01, 0.0, False)),
        ("pr", {"units": "kg/m2/s", "cell_methods": "area: time: mean"}, None, ("tp", 3600.0, 0.0, False)),
        ("rain", {"standard_name": "precipitation_amount", "units": "kg m**-2"}, None, ("tp", 1.0, 0.0, True)),
        ("ssrd", {"units": "J m**-2"}, None, ("ssrd", 1 / 3600, 0.0, True)),
        ("ssrd", {"units": "W/m\N{SUPERSCRIPT TWO}"}, None, ("ssrd", 1.0, 0.0, False)),
        ("msl", {"units": "Pa"}, None, None),
    ],
)
def test_one_place_decides_what_a_variable_is(name, attrs, height, expected) -> None:
    assert column_of(name, attrs, height) == expected


@pytest.mark.parametrize(
    ("name", "attrs", "reason"),
    [
        ("t2m", {"units": "K", "cell_methods": "time: maximum"}, "t2m: statistic: found maximum"),
        ("t2m", {"units": "K", "GRIB_stepType": "avg"}, "t2m: statistic: found avg"),
        ("tp", {"units": "kg m-2 s-1", "GRIB_stepType": "instant"}, "tp: statistic: found instant"),
        ("sp", {"units": "inHg"}, "sp units: found inHg"),
        ("sp", {}, "sp units: found None"),
    ],
)
def test_another_statistic_or_unit_is_refused_by_name(name, attrs, reason) -> None:
    with pytest.raises(InputError, match=reason):
        column_of(name, attrs, None)


def test_a_name_and_a_height_that_differ_are_refused_by_name() -> None:
    # Where files of 2 and 10 m were joined, one of the heights may be left.
    assert column_of("u10", {"units": "m s-1"}, 2.0) == ("u10", 1.0, 0.0, False)
    with pytest.raises(InputError, match="u10: height: found 100 m; expected 10 m"):
        column_of("u10", {"units": "m s-1"}, 100.0)


def test_wind_at_the_height_of_a_mast_is_not_taken_for_that_of_10_m(tmp_path) -> None:
    names = {"t2m": "K", "u10": "m s-1", "v10": "m s-1"}
    dataset = xr.Dataset(
        {name: (("time", "latitude", "longitude"), np.full((2, 2, 2), 280.0 if name == "t2m" else 9.0), {"units": unit}) for name, unit in names.items()},
        coords={"time": [START, START + np.timedelta64(1, "h")], "latitude": [39.0, 41.0], "longitude": [116.0, 117.0]},
    )  # fmt: skip
    dataset["height"] = ((), 100.0, {"units": "m", "standard_name": "height"})
    for name in ("u10", "v10"):
        dataset[name].attrs["coordinates"] = "height"
    dataset.to_netcdf(tmp_path / "a.nc")
    weather = read_weather(tmp_path / "a.nc")
    assert set(weather.data_vars) == {"t2m"} and "u10: height: found 100 m" in weather.attrs["left_out"]


@pytest.mark.parametrize(("last", "read"), [(280.0, True), (float("nan"), False), (281.0, False)])
def test_a_longitude_with_two_values_is_refused(tmp_path, last, read) -> None:
    """0 and 360 degrees are one meridian."""
    dataset = xr.Dataset(
        {"t2m": (("time", "latitude", "longitude"), [[[280.0, 285.0, last]] * 2] * 2, {"units": "K"})},
        coords={
            "time": [START, START + np.timedelta64(1, "h")],
            "latitude": [50.0, 52.0],
            "longitude": [0.0, 180.0, 360.0],
        },
    )
    dataset.to_netcdf(tmp_path / "a.nc")
    if read:
        assert read_weather(tmp_path / "a.nc")["t2m"].sel(longitude=0.0).values.ravel().tolist() == [280.0] * 4
    else:
        with pytest.raises(InputError, match=r"a\.nc: longitude: found t2m with two values at 0"):
            read_weather(tmp_path / "a.nc")


def test_a_zip_that_is_damaged_or_holds_no_weather_says_so(cases, tmp_path) -> None:
    data = (cases / "zip_named.nc").read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"cut.zip: ZIP archive"):
        read_weather(tmp_path / "cut.zip")
    with pytest.raises(InputError, match="neither GRIB, NetCDF nor an archive by its first bytes"):
        (tmp_path / "a.nc").write_text("<html>")
        read_weather(tmp_path / "a.nc")
