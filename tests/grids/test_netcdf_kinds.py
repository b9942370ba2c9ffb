"""Kinds of NetCDF that read wrongly without a word, or not at all: steps by bounds, zones of time, fractions, units, levels."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.weather.accumulation import rates_of_totals
from hazecast.grids.weather.files import read_weather, read_weather_at_cities, span_of
from hazecast.grids.weather.timeline import to_hourly
from tests.support.netcdf_columns import LAT, LON, START, column, hours

BEIJING = load_registry().city("beijing")


def bounded(dataset: xr.Dataset, begins: np.ndarray, ends: np.ndarray) -> xr.Dataset:
    dataset["time"].attrs["bounds"] = "time_bnds"
    dataset["time"].encoding["units"] = "minutes since 2014-02-20 00:00:00"
    return dataset.assign(time_bnds=(("time", "bnds"), np.stack([begins, ends], axis=1)))


def at_beijing(dataset: xr.Dataset, path: Path) -> xr.Dataset:
    dataset.to_netcdf(path / "a.nc")
    return read_weather_at_cities(path / "a.nc", [BEIJING]).isel(city=0)


@pytest.mark.parametrize("amounts", [[3.0, 6.0, 3.0, 6.0], [3.0, 6.0, 9.0, 12.0]])
def test_sums_over_bounds_are_of_those_hours_also_where_they_rise_throughout(tmp_path, amounts) -> None:
    ends = hours(3, 6, 9, 12)
    rain = column(amounts, ends, "tp", "mm", cell_methods="time: sum")
    weather = at_beijing(bounded(rain, ends - np.timedelta64(3, "h"), ends), tmp_path)
    np.testing.assert_allclose(weather["tp"], np.array(amounts) / 3)
    np.testing.assert_array_equal(weather["tp_step_hours"], 3.0)
    every_hour = to_hourly(read_weather_at_cities(tmp_path / "a.nc", [BEIJING]))
    np.testing.assert_allclose(every_hour["tp"].sel(time=hours(4, 5, 6)).isel(city=0), amounts[1] / 3)


def test_bounds_since_the_start_say_no_more_than_the_values(tmp_path) -> None:
    ends = hours(*range(1, 31))
    rain = column([2.0 * n for n in range(1, 31)], ends, "tp", "mm", cell_methods="time: sum")
    weather = at_beijing(bounded(rain, np.full(30, START), ends), tmp_path)
    np.testing.assert_allclose(weather["tp"].values[1:], 2.0)


def test_a_mean_stamped_in_the_middle_counts_for_its_own_hours(tmp_path) -> None:
    middle, half = hours(1.5, 4.5, 7.5), np.timedelta64(90, "m")
    flux = column([1 / 3600, 2 / 3600, 0.0], middle, "pr", "kg m-2 s-1", cell_methods="area: time: mean")
    weather = at_beijing(bounded(flux, middle - half, middle + half), tmp_path)
    np.testing.assert_array_equal(weather["time"], hours(3, 6, 9))
    np.testing.assert_allclose(weather["tp"], [1.0, 2.0, 0.0], rtol=1e-6)
    assert span_of(tmp_path / "a.nc")[1:] == (hours(3)[0], hours(9)[0])
    day = read_weather(tmp_path / "a.nc", period=(hours(6)[0], hours(9)[0]))
    np.testing.assert_allclose(day["tp"][:, 0, 0], [2.0, 0.0], rtol=1e-6)


def test_means_over_hours_that_end_beside_the_stamps_of_instants_have_times_of_their_own(tmp_path) -> None:
    middle, half = hours(1.5, 4.5), np.timedelta64(90, "m")
    both = xr.merge([
        column([280.0, 281.0], middle, "t2m", "K"),
        column([1.0, 2.0], middle, "pr", "mm h-1", cell_methods="time: mean"),
    ])  # fmt: skip
    weather = at_beijing(bounded(both, middle - half, middle + half), tmp_path)
    np.testing.assert_array_equal(weather["time"], hours(1.5, 3, 4.5, 6))
    np.testing.assert_allclose(weather["t2m"], [280.0, np.nan, 281.0, np.nan])
    np.testing.assert_allclose(weather["tp"], [np.nan, 1.0, np.nan, 2.0])
    assert span_of(tmp_path / "a.nc")[1:] == (hours(1.5)[0], hours(6)[0]) and "left_out" not in weather.attrs
    every_hour = to_hourly(read_weather_at_cities(tmp_path / "a.nc", [BEIJING])).isel(city=0)
    np.testing.assert_allclose(every_hour["tp"], [1.0, 1.0, 2.0, 2.0, 2.0])
    np.testing.assert_allclose(every_hour["t2m"][:3], [280.0 + n / 6 for n in (1, 3, 5)], rtol=1e-6)


def test_two_falls_three_hours_apart_are_weather_unless_buckets_begin_there() -> None:
    rain = np.array([1.0, 2.0, 0.0, 1.0, 1.0, 0.0])[:, None]
    rates, _ = rates_of_totals(rain, hours(*range(6)), None, "a.nc: tp")
    np.testing.assert_array_equal(rates, rain)
    totals = np.array([1.0, 2.0, 3.0] * 3)[:, None]
    rates, _ = rates_of_totals(totals, hours(*range(1, 10)), None, "a.nc: tp")
    np.testing.assert_array_equal(rates[1:], 1.0)


@pytest.mark.parametrize(
    ("units", "first"),
    [
        ("hours since 2014-02-20 00:00:00", "2014-02-20T00"),
        ("hours since 2014-2-20", "2014-02-20T00"),
        ("hours since 2014-02-20T00:00:00Z", "2014-02-20T00"),
        ("hours since 2014-02-20 00:00:0.0 UTC", "2014-02-20T00"),
        ("hours since 2014-02-20 00:00:00 +08:00", "2014-02-19T16"),
        ("hours since 2014-02-20 00:00:00 +8", "2014-02-19T16"),
        ("hours since 2014-02-20 00:00:00 +0900", "2014-02-19T15"),
        ("hours since 2014-02-20 00:00:00 JST", None),
        ("hours since 2014-02-20 00:00:00 LST", None),
        ("hours since 2014-02-20 00:00:00 UTC+8", None),
        ("hours since 2014-02-20 00:00:00 Asia/Shanghai", None),
    ],
)
def test_a_zone_that_is_not_known_is_not_taken_for_utc(tmp_path, units, first) -> None:
    plain = column([280.0, 281.0], hours(0, 1), "t2m", "K")
    dataset = plain.assign_coords(time=("time", [0, 1], {"units": units, "calendar": "standard"}))
    if first is None:
        with pytest.raises(InputError, match=f"time units: found {units}".replace("+", r"\+")):
            at_beijing(dataset, tmp_path)
    else:
        assert at_beijing(dataset, tmp_path)["time"].values[0] == np.datetime64(first)


def test_humidity_as_a_fraction_that_is_called_per_cent_is_left_out_and_named(tmp_path) -> None:
    both = xr.merge([column([280.0], hours(0), "t2m", "K"), column([0.6], hours(0), "2r", "%")])
    weather = at_beijing(both, tmp_path)
    assert set(weather.data_vars) == {"t2m"} and "at most 0.6 %" in weather.attrs["left_out"]
    both["2r"].attrs["units"] = "1"
    np.testing.assert_allclose(at_beijing(both, tmp_path)["d2m"], 272.9, atol=0.2)


@pytest.mark.parametrize(
    ("name", "units", "value", "expected"),
    [
        ("pr", "mm/day", 24.0, 1.0),
        ("tp", "mm d-1", 12.0, 0.5),
        ("u10", "knots", 10.0, 5.144),
        ("v10", "km/h", 36.0, 10.0),
    ],
)
def test_further_units(tmp_path, name, units, value, expected) -> None:
    weather = at_beijing(column([value, value], hours(0, 1), name, units), tmp_path)
    np.testing.assert_allclose(weather["tp" if name in ("pr", "tp") else name], expected, rtol=1e-3)


def test_temperature_on_levels_beside_that_of_two_metres_costs_nothing(tmp_path) -> None:
    dataset = column([280.0], hours(0), "t2m", "K")
    levels = np.full((1, 2, LAT.size, LON.size), 250.0)
    attrs = {"units": "K", "standard_name": "air_temperature"}
    dataset["t"] = (("time", "level", "latitude", "longitude"), levels, attrs)
    weather = at_beijing(dataset, tmp_path)
    assert float(weather["t2m"][0]) == 280.0 and "left_out" not in weather.attrs
    with pytest.raises(InputError, match="height"):
        at_beijing(dataset[["t"]], tmp_path)


def test_totals_by_a_step_of_cfgrib_and_three_hourly_since_midnight(tmp_path) -> None:
    steps = np.array([3, 6, 9]).astype("timedelta64[h]").astype("timedelta64[ns]")
    rain = column([3.0, 9.0, 18.0], steps, "tp", "kg m**-2", GRIB_stepType="accum").rename(time="step")
    weather = at_beijing(rain.assign_coords(time=START, valid_time=("step", START + steps), number=0), tmp_path)
    np.testing.assert_allclose(weather["tp"], [1.0, 2.0, 3.0])
    assert weather.attrs["init_time"] == "2014-02-20T00:00:00Z"
    since = [float(h % 24 or 24) for h in range(3, 49, 3)]
    weather = at_beijing(column(since, hours(*range(3, 49, 3)), "tp", "mm"), tmp_path)
    np.testing.assert_allclose(weather["tp"].values[1:], 1.0)


def test_ensembles_without_a_control_are_refused_and_the_control_is_found_wherever_it_stands(tmp_path) -> None:
    plain = column([280.0], hours(0), "t2m", "K")
    members = xr.concat([plain + n for n in (5.0, 9.0, 0.0)], dim="number")
    members["t2m"].attrs = plain["t2m"].attrs
    assert float(at_beijing(members.assign_coords(number=[1, 2, 0]), tmp_path)["t2m"][0]) == 280.0
    for numbers in ([1, 2, 3], None):
        with pytest.raises(InputError, match="number"):
            at_beijing(members if numbers is None else members.assign_coords(number=numbers), tmp_path)
    with pytest.raises(InputError, match="ensemble"):
        at_beijing(members.rename(number="ensemble"), tmp_path)


def test_quantiles_and_spreads_are_not_taken_for_values(tmp_path) -> None:
    wind = column([5.0], hours(0), "u10", "m s-1")
    odd = {"quantile": wind.assign_coords(quantile=0.9), "percentile": wind.expand_dims(percentile=[90])}
    for axis, dataset in odd.items():
        with pytest.raises(InputError, match=f"axis {axis}"):
            at_beijing(dataset, tmp_path)
    wind["u10"].attrs["cell_methods"] = "realization: standard_deviation"
    with pytest.raises(InputError, match="statistic over members: found standard_deviation"):
        at_beijing(wind, tmp_path)
    wind["u10"].attrs["cell_methods"] = "time: point realization: mean"
    assert float(at_beijing(wind, tmp_path)["u10"][0]) == 5.0


def test_a_zip_of_several_members_is_one_forecast(tmp_path) -> None:
    column([280.0, 281.0, 282.0, 283.0], hours(0, 1, 2, 3), "t2m", "K").to_netcdf(tmp_path / "instant.nc")
    column([1.0, 1.0, 1.0, 0.0], hours(0, 1, 2, 3), "tp", "mm", cell_methods="time: sum").to_netcdf(
        tmp_path / "accum.nc"
    )
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for name in ("instant.nc", "accum.nc"):
            archive.write(tmp_path / name, f"data/{name}")
        archive.writestr("README.txt", "not weather")
    weather = read_weather_at_cities(tmp_path / "both.zip", [BEIJING])
    np.testing.assert_allclose(weather["t2m"][:, 0], [280.0, 281.0, 282.0, 283.0])
    np.testing.assert_allclose(weather["tp"][:, 0], [1.0, 1.0, 1.0, 0.0])
