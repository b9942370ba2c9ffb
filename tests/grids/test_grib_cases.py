"""GRIB as the world writes it: files that were refused or read wrongly, and files of publishers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.weather.codec import eccodes
from hazecast.grids.weather.files import read_weather, read_weather_at_cities, span_of
from hazecast.grids.weather.timeline import to_hourly
from tests.support.weather_samples import LON as COLUMNS
from tests.support.weather_samples import PLANE, bucket, write_grib
from tests.tools.fuzz.fields import write_grib1

BEIJING = load_registry().city("beijing")


@pytest.fixture(scope="session")
def cases(shared_data: Path) -> Path:
    return shared_data.parent / "cases" / "weather"


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("f072_trpp.grib2", {"sp": 95794.3, "t2m": 284.9033}),
        ("cloud_levels.grib2", {"tcc": 0.64}),
        ("uv_submessages.grib2", {"u10": 5.0, "v10": 7.0}),
        ("edition1_among.grib2", {"t2m": 272.6}),
        ("members.grib2", {"t2m": 272.6}),
        ("scan_j.grib2", {"t2m": 272.6}),
        ("scan_normal.grib2", {"t2m": 272.6}),
        ("jma_1p5m.grib2", {"t2m": 272.6, "u10": 2.0}),
        # 95 % at 272.6 K.
        ("rh_without_dewpoint.grib2", {"t2m": 272.6, "d2m": 271.89, "u10": 2.0}),
        ("cloud_out_of_range.grib2", {"t2m": 272.6}),
        ("two_analyses.grib2", {"t2m": 272.6}),
    ],
)
def test_values_at_beijing(cases, file, values) -> None:
    weather = read_weather_at_cities(cases / file, [BEIJING])
    assert set(weather.data_vars) == set(values)
    for name, value in values.items():
        assert float(weather[name][0, 0]) == pytest.approx(value, rel=5e-5)


def test_total_cloud_is_that_of_the_entire_atmosphere_or_absent(cases) -> None:
    # The mean over the field tells the layers apart.
    assert float(read_weather(cases / "f072_tcc.grib2")["tcc"].mean()) == pytest.approx(0.5823, abs=1e-4)
    assert set(read_weather(cases / "f000_tcc.grib2").data_vars) == {"t2m", "u10", "v10", "sp"}


def test_what_is_left_out_is_named(cases) -> None:
    weather = read_weather_at_cities(cases / "cloud_out_of_range.grib2", [BEIJING])
    assert "message 2: tcc: found 1 values outside, expected 0 to 1" in weather.attrs["left_out"]
    assert "left_out" not in read_weather_at_cities(cases / "members.grib2", [BEIJING]).attrs


def test_two_analyses_are_two_times_and_no_forecast(cases) -> None:
    weather = read_weather(cases / "two_analyses.grib2")
    np.testing.assert_array_equal(weather["time"], np.array(["2014-02-20T00", "2014-02-20T06"], "datetime64[ns]"))
    assert "init_time" not in weather.attrs
    assert span_of(cases / "two_analyses.grib2") == (None, *weather["time"].values)


def test_six_hourly_weather_fills_every_hour_and_says_so(cases) -> None:
    hourly = to_hourly(read_weather_at_cities(cases / "six_hourly", [BEIJING])).isel(time=slice(1, 121))
    assert hourly.sizes["time"] == 120 and all(hourly[name].notnull().all() for name in ("t2m", "u10", "tp", "ssrd"))
    assert hourly.attrs["time_interpolated"] == 1
    assert "linear" in hourly["t2m"].attrs["time_interpolation"]
    assert "mean of its step" in hourly["tp"].attrs["time_interpolation"]
    # The bucket of hours 6 to 12, spread over them.
    assert len(np.unique(hourly["tp"].values[6:12])) == 1


def test_files_are_recognised_by_their_contents(cases) -> None:
    weather = read_weather(cases / "noaa_names")
    assert weather.sizes["time"] == 3 and weather.attrs["init_time"] == "2014-02-20T00:00:00Z"
    assert {"t2m", "d2m", "u10", "v10", "sp", "blh", "tp", "tcc", "ssrd"} <= set(weather.data_vars)


# Published files that hold something of the contract: of it the variables, and the first time.
PUBLISHED = {
    "ecmwf_cfgrib_era5-single-level-scalar-time.grib": ({"t2m"}, "2017-01-01T12"),
    "ecmwf_cfgrib_fields_with_missing_values.grib": ({"t2m"}, "2017-10-18T00"),
    "ecmwf_earthkit_test_padding.grib": ({"t2m"}, "2020-05-13T12"),
    "ecmwf_earthkit_wind_20x20.grib": ({"u10", "v10"}, "2024-05-14T12"),
    "gfs_0p25_small_area.f000": ({"t2m", "d2m", "u10", "v10", "sp", "blh"}, "2020-08-29T06"),
    "gfs_0p25_wind.f000": ({"u10", "v10"}, "2021-06-04T12"),
    "gfs_2p5_f072_edition2.grb": (
        {"t2m", "d2m", "u10", "v10", "sp", "blh", "tp", "tcc", "ssrd"},
        "2011-10-11T00",
    ),
    "gfs_2p5_f120.grib2": ({"t2m", "d2m", "u10", "v10", "sp", "blh", "tp", "tcc", "ssrd"}, "2011-01-15T12"),
    "test_ECMWFMARS_enfo-em_t2m-si10-si100-msp_20240101T00_S03-06.grib": ({"t2m"}, "2024-01-01T03"),
    "test_MODatahub_UM-Global_t2m_20241120T00_S00.grib": ({"t2m"}, "2024-11-20T00"),
    "test_NOAAS3_HRES-GFS_10u_20210509T06_S00.grib": ({"u10"}, "2021-05-09T06"),
    "test_NOAAS3_HRES-GFS_dswrf-dlwrf_20250129T06_S27.grib": ({"ssrd"}, "2025-01-30T09"),
    "test_NOAAS3_HRES-GFS_tcc_20250129T00_S06.grib": ({"tcc"}, "2025-01-29T06"),
}
FIRST = {"2t": "t2m", "10u": "u10", "10v": "v10", "sp": "sp", "2d": "d2m", "sdswrf": "ssrd"}


@pytest.mark.parametrize("file", PUBLISHED)
def test_published_files_are_read_as_eccodes_finds_their_points(shared_data, file) -> None:
    path = shared_data / "published" / "grib" / file
    variables, first = PUBLISHED[file]
    weather = read_weather(path)
    assert {name for name in weather.data_vars if not str(name).endswith("_hours")} == variables
    assert weather["time"].values[0] == np.datetime64(first)
    # The mean of an ensemble's speeds is not that of its wind.
    assert weather.attrs.get("left_out", "").count("wind speed as an ensemble's mean") == (2 if "-em_" in file else 0)
    assert ("left_out" in weather.attrs) == ("-em_" in file)
    checked = 0
    with path.open("rb") as source:
        while (handle := eccodes.codes_grib_new_from_file(source)) is not None:
            name = FIRST.get(eccodes.codes_get(handle, "shortName"))
            if name is not None:
                rows, columns = weather.sizes["latitude"], weather.sizes["longitude"]
                for row, column in ((1, 1), (rows // 2, columns // 3), (rows - 2, columns - 2)):
                    point = weather[name].isel(time=0, latitude=row, longitude=column)
                    near = eccodes.codes_grib_find_nearest(handle, float(point["latitude"]), float(point["longitude"]))
                    if near[0].value != 9999.0:
                        assert float(point) == pytest.approx(near[0].value, rel=1e-5, abs=1e-4)
                        checked += 1
            eccodes.codes_release(handle)
            if checked:
                break
    assert checked or variables == {"tcc"}


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("ecmwf_cfgrib_cfrzr_and_cprat.grib", r"found cpr \(instant\) at surface 0"),
        ("ecmwf_cfgrib_lambert_grid.grib", "nlwrs"),
        ("ecmwf_cfgrib_regular_ll_msl.grib", "prmsl"),
        ("ecmwf_cfgrib_scanning_mode_64.grib", "skt"),
        ("ecmwf_cfgrib_single_gridpoint.grib", "type: found hcmean"),
        # In degrees Celsius, though its header says K.
        ("ecmwf_cfgrib_step_60m.grib", "t2m: found 6 values outside; expected 180 to 340 K"),
        ("ecmwf_cfgrib_tp_on_different_grid_resolutions.grib", "grids: .*one grid"),
        ("ecmwf_earthkit_empty_file.grib", "an empty file"),
        ("ecmwf_earthkit_ens_50.grib", r"z \(instant\) at isobaricInhPa 850"),
        ("ecmwf_earthkit_ll_sn_scanning_mode.grib", "skt"),
        ("ecmwf_open_data_2024-01-01_0h.grib2", "tp, nothing at or over a time"),
        ("ecmwf_open_data_2025-09-12_tprate.grib2", r"tprate \(instant\) at surface 0"),
        ("jma_meps_pressure_levels.grib2", "at isobaricInhPa 975"),
        ("test_CEDAFTP_UM-Global_ssrd_20241105T00_S01-03.grib", r"swavr \(instant\)"),
        ("test_CEDAFTP_UM-Global_u_20241105T00_S01-03_AreaC.grib", "heightAboveGroundHighPrecision 1000"),
        ("test_ECMWFMARS_enfo-es_t2m-si10-si100-msp_20240101T00_S03-06.grib", "type: found es"),
        ("test_ECMWFRealtime_HRES-IFS_10u_20241104T00_S60.grib", "grids: .*one grid"),
        ("test_MODatahub_UM-Global_u10_20241120T00_S17.grib", r"unknown \(instant\) at heightAboveGround 10"),
        ("test_NOAAS3_HRES-GFS_aptmp_20210509T06_S00.grib", "aptmp"),
    ],
)
def test_published_files_that_hold_nothing_of_use_are_refused_by_name(shared_data, file, reason) -> None:
    with pytest.raises(InputError, match=reason):
        read_weather(shared_data / "published" / "grib" / file)


def test_rows_that_alternate_are_turned(shared_data) -> None:
    # eccodes' own iterator doesn't turn them; neighbouring rows then differ by 5 K.
    field = read_weather(shared_data / "published" / "grib" / "ecmwf_cfgrib_alternate-scanning.grib")["t2m"][0]
    assert float(np.abs(field.diff("latitude")).mean()) == pytest.approx(0.58, abs=0.01)


def test_each_city_is_read_from_the_area_that_holds_it(shared_data) -> None:
    london = BEIJING.model_copy(update={"id": "london", "latitude": 51.5, "longitude": -0.1})
    delhi = BEIJING.model_copy(update={"id": "delhi", "latitude": 28.6, "longitude": 77.2})
    file = "test_ECMWFRealtime_HRES-IFS_ssrd_20241104T00_S60.grib"
    weather = read_weather_at_cities(shared_data / "published" / "grib" / file, [london, delhi, BEIJING])
    assert weather.attrs["places_outside"] == "beijing" and weather.attrs["source"] == "IFS"
    values = weather["ssrd"].values[0]
    # Totals over 60 h of 5 to 70 MJ m-2.
    assert 15 < values[0] < 100 < values[1] < 330 and np.isnan(values[2])
    assert float(weather["ssrd_step_hours"][0]) == 60


@pytest.mark.parametrize("damage", ["middle", "end", "garbage between"])
def test_a_damaged_message_costs_only_itself(tmp_path, damage) -> None:
    steps = [{"shortName": "2t", "step": hour} for hour in (0, 1, 2)]
    path = write_grib(tmp_path / "gfs.grib2", steps, [PLANE, PLANE + 1, PLANE + 2])
    data = path.read_bytes()
    size = len(data) // 3
    if damage == "middle":
        data = data[: size + 8] + (99).to_bytes(8) + data[size + 16 :]
    elif damage == "end":
        data = data[:-10]
    else:
        data = data[:size] + b"\x00GRI 7777" + data[size:]
    path.write_bytes(data)
    weather = read_weather(path)
    hours = ((weather["time"] - weather["time"][0]) / np.timedelta64(1, "h")).values.tolist()
    assert hours == {"middle": [0, 2], "end": [0, 1], "garbage between": [0, 1, 2]}[damage]
    said = {"middle": "message 2 of 99 bytes has no end there", "end": "is cut off", "garbage between": ""}[damage]
    assert said in weather.attrs.get("left_out", "") and bool(said) is ("left_out" in weather.attrs)
    np.testing.assert_allclose(weather["t2m"][-1], PLANE[::-1] + hours[-1], atol=0.01)


@pytest.mark.parametrize(
    ("flags", "order"),
    [
        ({"iScansNegatively": 1}, lambda field: field[:, ::-1]),
        ({"jPointsAreConsecutive": 1}, lambda field: field.T),
        (
            {"alternativeRowScanning": 1},
            lambda field: np.where(np.arange(len(field))[:, None] % 2, field[:, ::-1], field),
        ),
        ({"jScansPositively": 1}, lambda field: field[::-1]),
    ],
)
def test_every_order_of_values_gives_the_same_field(tmp_path, flags, order) -> None:
    keys: dict[str, object] = {"shortName": "2t", "step": 1} | flags
    if "iScansNegatively" in flags:
        keys |= {"longitudeOfFirstGridPointInDegrees": 119.0, "longitudeOfLastGridPointInDegrees": 114.0}
    if "jScansPositively" in flags:
        keys |= {"latitudeOfFirstGridPointInDegrees": 38.0, "latitudeOfLastGridPointInDegrees": 42.0}
    weather = read_weather(write_grib(tmp_path / "a.grib2", [keys], [np.ascontiguousarray(order(PLANE))]))
    np.testing.assert_allclose(weather["t2m"][0], PLANE[::-1], atol=0.01)
    assert weather["longitude"].values[0] == 114.0 and weather["latitude"].values[0] == 38.0


def test_an_instant_rate_is_not_taken_for_an_amount_and_a_maximum_not_for_an_instant(tmp_path) -> None:
    rate = {"discipline": 0, "parameterCategory": 1, "parameterNumber": 7, "typeOfFirstFixedSurface": 1, "step": 3}
    warmest = bucket(0, 3) | {
        "parameterCategory": 0, "parameterNumber": 0, "typeOfStatisticalProcessing": 2, "stepType": "max",
        "typeOfFirstFixedSurface": 103, "scaledValueOfFirstFixedSurface": 2, "scaleFactorOfFirstFixedSurface": 0,
    }  # fmt: skip
    messages = [rate, warmest, {"shortName": "10u", "step": 3}]
    path = write_grib(tmp_path / "a.grib2", messages, [PLANE * 1e-6, PLANE + 9, PLANE - 300])
    assert set(read_weather(path).data_vars) == {"u10"}


def test_messages_of_two_forecasts_or_with_two_values_are_refused(tmp_path) -> None:
    later = {"shortName": "2t", "step": 3, "dataTime": 600}
    path = write_grib(tmp_path / "a.grib2", [{"shortName": "2t", "step": 3}, later], [PLANE, PLANE])
    with pytest.raises(InputError, match="2 forecast runs: 2014-02-20T00:00Z, 2014-02-20T06:00Z"):
        read_weather(path)
    path = write_grib(tmp_path / "b.grib2", [{"shortName": "2t", "step": 3}] * 2, [PLANE, PLANE + 5])
    with pytest.raises(InputError, match="t2m at 2014-02-20T03.*two values, 302.4 and 307.4"):
        read_weather(path)


@pytest.mark.parametrize(("template", "kind"), [(5, "a probability"), (6, "a percentile"), (9, "a probability")])
def test_a_probability_or_a_percentile_is_not_taken_for_the_wind(tmp_path, template, kind) -> None:
    wind = {"shortName": "10u", "step": 3}
    odd = {"productDefinitionTemplateNumber": template, "parameterCategory": 2, "parameterNumber": 3}
    weather = read_weather(write_grib(tmp_path / "a.grib2", [wind, wind | odd], [PLANE * 0.01, PLANE * 0.002]))
    assert set(weather.data_vars) == {"u10"} and f"template 4.{template}, {kind}" in weather.attrs["left_out"]


@pytest.mark.parametrize(
    ("keys", "time"),
    [
        ({"step": 3, "scaleFactorOfFirstFixedSurface": 2, "scaledValueOfFirstFixedSurface": 200}, "2014-02-20T03:00"),
        ({"indicatorOfUnitOfTimeRange": 0, "forecastTime": 90}, "2014-02-20T01:30"),
        ({"indicatorOfUnitOfTimeRange": 13, "forecastTime": 7200}, "2014-02-20T02:00"),
        ({"indicatorOfUnitOfTimeRange": 10, "forecastTime": 2}, "2014-02-20T06:00"),
    ],
)
def test_levels_in_centimetres_and_steps_in_any_unit(tmp_path, keys, time) -> None:
    weather = read_weather(write_grib(tmp_path / "a.grib2", [{"shortName": "2t"} | keys], [PLANE]))
    assert weather["time"].values.tolist() == [np.datetime64(time, "ns").item()]
    np.testing.assert_allclose(weather["t2m"][0], PLANE[::-1], atol=0.01)


def test_a_total_that_falls_has_no_rate_where_it_falls(tmp_path) -> None:
    rain = np.full(PLANE.shape, 9.0)
    fallen = np.where(COLUMNS[None] < 116.0, 3.0, 12.0) + np.zeros(PLANE.shape)
    messages = [{"shortName": "2t", "step": hour} for hour in (3, 6)] + [bucket(0, 3), bucket(0, 6)]
    weather = read_weather(write_grib(tmp_path / "a.grib2", messages, [PLANE, PLANE, rain, fallen]))
    np.testing.assert_allclose(weather["tp"].sel(longitude=118.0)[:, 0], [3.0, 1.0], atol=1e-3)
    assert np.isnan(weather["tp"].sel(longitude=115.0)[1]).all() and np.isfinite(weather["tp"][0]).all()


def test_perturbed_members_alone_are_refused(tmp_path) -> None:
    member = {"productDefinitionTemplateNumber": 1, "typeOfEnsembleForecast": 3, "numberOfForecastsInEnsemble": 3}
    messages = [{"shortName": "2t", "step": 3} | member | {"perturbationNumber": number} for number in (1, 2)]
    path = write_grib(tmp_path / "a.grib2", messages, [PLANE, PLANE + 1])
    with pytest.raises(InputError, match="2 fields of perturbed members, no control"):
        read_weather(path)


def test_a_list_in_a_header_of_edition_1_that_reaches_over_its_section_costs_the_message(tmp_path) -> None:
    # Octet 5 of section 2: where lists of numbers begin, 255 for none.
    path = write_grib1(tmp_path / "a.grib")
    data = path.read_bytes()
    path.write_bytes(data[:64] + b"\xf7" + data[65:])
    weather = read_weather(path)
    assert weather["time"].values.tolist() == [np.datetime64("2014-02-20T03", "ns").item()]
    assert "message 1: found a header whose parts are longer than its sections" in weather.attrs["left_out"]


@pytest.mark.parametrize(("octet", "section"), [(8, 1), (60, 2), (92, 4)])
def test_a_section_of_edition_1_that_reaches_over_its_message_costs_the_message(tmp_path, octet, section) -> None:
    # eccodes reads on behind the message, and crashes.
    path = write_grib1(tmp_path / "a.grib")
    data = path.read_bytes()
    path.write_bytes(data[: octet + 1] + b"\x70" + data[octet + 2 :])
    weather = read_weather(path)
    assert weather["time"].values.tolist() == [np.datetime64("2014-02-20T03", "ns").item()]
    assert f"message 1: section {section} of 28" in weather.attrs["left_out"]
    np.testing.assert_allclose(weather["t2m"][0], PLANE[::-1], atol=0.01)
