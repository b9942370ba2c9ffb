"""GRIB in the style of further publishers, plain and packed: read with the number that was written, or refused by name."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.weather import grib_scattered
from hazecast.grids.weather.codec import eccodes
from hazecast.grids.weather.files import read_weather, read_weather_at_cities, span_of
from hazecast.grids.weather.regular_grid import Box
from hazecast.grids.weather.sampling import at_cities
from tests.support.weather_samples import LAT, LON, PLANE, write_grib

BEIJING = load_registry().city("beijing")
ONES = np.ones(PLANE.shape)
# PLANE is exact between its points.
AT_BEIJING = 270.0 + 0.5 * BEIJING.latitude + 0.1 * BEIJING.longitude
PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def total(end: int, number: int = 52, *, category: int = 1, start: int = 0) -> dict[str, object]:
    """An accumulation at the ground."""
    return {
        "productDefinitionTemplateNumber": 8, "discipline": 0, "parameterCategory": category, "parameterNumber": number,
        "typeOfFirstFixedSurface": 1, "typeOfStatisticalProcessing": 1, "stepType": "accum", "stepRange": f"{start}-{end}",
    }  # fmt: skip


def at_beijing(path: Path) -> dict[str, list[float]]:
    weather = read_weather_at_cities(path, [BEIJING]).isel(city=0)
    return {str(name): weather[name].values.round(2).tolist() for name in weather.data_vars}


def test_an_ensemble_of_ecmwf_s_open_data_in_ccsds_packing(tmp_path) -> None:
    # Perturbed members come first in its files.
    keys = {
        "centre": "ecmf",
        "packingType": "grid_ccsds",
        "productDefinitionTemplateNumber": 1,
        "numberOfForecastsInEnsemble": 51,
        "shortName": "2t",
        "step": 3,
    }
    perturbed = [keys | {"typeOfEnsembleForecast": 3, "perturbationNumber": number} for number in (1, 2)]
    control = keys | {"typeOfEnsembleForecast": 1, "perturbationNumber": 0}
    path = write_grib(tmp_path / "ef.grib2", [*perturbed, control], [PLANE + 5, PLANE + 9, PLANE])
    assert at_beijing(path)["t2m"] == [pytest.approx(AT_BEIJING, abs=0.01)]


@pytest.mark.parametrize("ending", PACKERS)
def test_a_run_of_icon_packed_field_by_field(tmp_path, ending) -> None:
    keys: dict[str, object] = {
        "centre": "edzw",
        "jScansPositively": 1,
        "latitudeOfFirstGridPointInDegrees": 38.0,
        "latitudeOfLastGridPointInDegrees": 42.0,
    }
    fields = {
        "T_2M_001": ({"shortName": "2t", "step": 1}, PLANE[::-1]), "T_2M_002": ({"shortName": "2t", "step": 2}, PLANE[::-1] + 1),
        "TOT_PREC_001": (total(1), 1.5 * ONES), "TOT_PREC_002": (total(2), 4.0 * ONES),
        "RELHUM_2M_001": ({"shortName": "2r", "step": 1}, 60.0 * ONES),
    }  # fmt: skip
    for name, (own, field) in fields.items():
        plain = write_grib(tmp_path / "plain", [own | keys], [field])
        (tmp_path / f"icon-eu_{name}.grib2.{ending}").write_bytes(PACKERS[ending](plain.read_bytes()))
        plain.unlink()
    # Buckets since the start reach over the files.
    found = at_beijing(tmp_path)
    assert found["t2m"] == pytest.approx([AT_BEIJING, AT_BEIJING + 1], abs=0.01) and found["tp"] == [1.5, 2.5]
    assert "d2m" in found and read_weather(tmp_path).attrs["source"] == "German Weather Service"
    assert span_of(tmp_path / f"icon-eu_TOT_PREC_002.grib2.{ending}")[2] == np.datetime64("2014-02-20T02")


@pytest.mark.parametrize("ending", PACKERS)
def test_a_packed_file_that_is_cut_off_is_named(tmp_path, ending) -> None:
    plain = write_grib(tmp_path / "plain", [{"shortName": "2t", "step": 1}], [PLANE])
    packed = PACKERS[ending](plain.read_bytes())
    plain.unlink()
    (tmp_path / f"a.grib2.{ending}").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=rf"a.grib2.{ending}: packed file"):
        read_weather(tmp_path)


def test_names_in_errors_are_those_of_the_archive(tmp_path) -> None:
    plain = write_grib(tmp_path / "hot.grib2", [{"shortName": "2t", "step": 1}], [PLANE * 2])
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as archive:
        archive.writestr("fields/hot.grib2.gz", gzip.compress(plain.read_bytes()))
    with pytest.raises(InputError, match=r"run.zip/hot.grib2.gz/hot.grib2: .*message 1: t2m: found 99 values outside"):
        read_weather(tmp_path / "run.zip")


def test_archives_in_archives_are_not_followed_for_ever(tmp_path) -> None:
    data = write_grib(tmp_path / "plain", [{"shortName": "2t", "step": 1}], [PLANE]).read_bytes()
    for _ in range(5):
        data = gzip.compress(data)
    (tmp_path / "a.gz").write_bytes(data)
    with pytest.raises(InputError, match="archives in archives, 3 deep"):
        read_weather(tmp_path / "a.gz")


def test_several_time_ranges_in_a_file_of_arpege(tmp_path) -> None:
    own = {"centre": "lfpw"}
    steps = [{"shortName": "2t", "step": step} | own for step in (0, 3, 6)]
    rain = [total(end) | own for end in (3, 6)] + [total(6, start=3) | own]
    path = write_grib(
        tmp_path / "SP1.grib2", steps + rain, [PLANE, PLANE + 1, PLANE + 2, 3.0 * ONES, 9.0 * ONES, 6.0 * ONES]
    )
    found = at_beijing(path)
    assert found["t2m"] == pytest.approx([AT_BEIJING + n for n in (0, 1, 2)], abs=0.01)
    assert found["tp"][1:] == [1.0, 2.0] and found["tp_step_hours"][1:] == [3.0, 3.0]


METRES = {
    "LaDInDegrees": 38.0,
    "DxInMetres": 60_000,
    "DyInMetres": 60_000,
    "jScansPositively": 1,
    "shapeOfTheEarth": 6,
    "Nx": 40,
    "Ny": 30,
}
ELSEWISE: dict[str, dict[str, object]] = {
    # As KMA's LDAPS and NCEP's HRRR, NCEP's polar grids, the COSMO models, and ECMWF's own grids.
    "lambert": METRES | {
        "latitudeOfFirstGridPointInDegrees": 30.0, "longitudeOfFirstGridPointInDegrees": 105.0, "LoVInDegrees": 126.0,
        "Latin1InDegrees": 30.0, "Latin2InDegrees": 60.0,
    },
    "polar_stereographic": METRES | {
        "latitudeOfFirstGridPointInDegrees": 30.0, "longitudeOfFirstGridPointInDegrees": 108.0, "orientationOfTheGridInDegrees": 126.0,
    },
    "rotated_ll": {
        "Ni": 41, "Nj": 41, "latitudeOfFirstGridPointInDegrees": -10.0, "latitudeOfLastGridPointInDegrees": 10.0,
        "longitudeOfFirstGridPointInDegrees": -10.0, "longitudeOfLastGridPointInDegrees": 10.0, "iDirectionIncrementInDegrees": 0.5,
        "jDirectionIncrementInDegrees": 0.5, "latitudeOfSouthernPoleInDegrees": -50.0, "longitudeOfSouthernPoleInDegrees": 120.0,
        "jScansPositively": 1,
    },
    "reduced_gg": {},
}  # fmt: skip


def on_grid(kind: str, name: str, value: Callable[..., np.ndarray], *, along: bool = False) -> bytes:
    """A field on such a grid, by latitude, longitude and how far the grid's x axis is turned from east."""
    handle = eccodes.codes_grib_new_from_samples("reduced_gg_sfc_grib2" if kind == "reduced_gg" else "GRIB2")
    keys = {"gridType": kind} if kind != "reduced_gg" else {}
    for key, own in {**keys, "dataDate": 20140220, "dataTime": 0, **ELSEWISE[kind], "shortName": name}.items():
        eccodes.codes_set(handle, key, own)
    shape = [int(own) for key, own in ELSEWISE[kind].items() if key in ("Nx", "Ny", "Ni", "Nj")][::-1]
    if shape:
        eccodes.codes_set(handle, "numberOfDataPoints", shape[0] * shape[1])
        flags = eccodes.codes_get_long(handle, "resolutionAndComponentFlags")
        eccodes.codes_set(handle, "resolutionAndComponentFlags", flags | 8 if along else flags & ~8)
    eccodes.codes_set_values(handle, np.zeros(eccodes.codes_get_long(handle, "numberOfDataPoints")))
    latitude, longitude = (eccodes.codes_get_array(handle, key) for key in ("latitudes", "longitudes"))
    turned = np.zeros(latitude.size)
    if along:
        north, east = (np.gradient(axis.reshape(shape), axis=1).ravel() for axis in (latitude, longitude))
        turned = np.arctan2(north, east * np.cos(np.radians(latitude)))
    eccodes.codes_set(handle, "bitsPerValue", 20)
    eccodes.codes_set_values(handle, value(latitude, longitude, turned) + 0.0 * latitude)
    message: bytes = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return message


@pytest.mark.parametrize("kind", ELSEWISE)
def test_grids_of_projections_and_gaussian_grids(tmp_path, kind) -> None:
    warm = on_grid(kind, "2t", lambda latitude, longitude, _: 270.0 + 0.5 * latitude + 0.1 * (longitude % 360.0))
    path = tmp_path / "a.grib2"
    path.write_bytes(warm)
    coarse = 0.3 if kind == "reduced_gg" else 0.02
    assert at_beijing(path)["t2m"] == [pytest.approx(AT_BEIJING, abs=coarse)]
    grid = read_weather(path, box=Box(33.0, 46.0, 109.0, 124.0))
    assert float(at_cities(grid, [BEIJING])["t2m"][0, 0]) == pytest.approx(AT_BEIJING, abs=coarse)
    assert span_of(path)[1] == np.datetime64("2014-02-20")


@pytest.mark.parametrize("kind", [kind for kind in ELSEWISE if kind != "reduced_gg"])
@pytest.mark.parametrize("along", [False, True])
def test_a_wind_along_the_axes_of_a_projection_is_turned_east_and_north(tmp_path, kind, along) -> None:
    # 3 m/s to the east and 4 to the north everywhere.
    u = on_grid(kind, "10u", lambda _, __, turned: 3.0 * np.cos(turned) + 4.0 * np.sin(turned), along=along)
    v = on_grid(kind, "10v", lambda _, __, turned: 4.0 * np.cos(turned) - 3.0 * np.sin(turned), along=along)
    path = tmp_path / "a.grib2"
    path.write_bytes(u + v)
    found = at_beijing(path)
    assert found["u10"] == [pytest.approx(3.0, abs=0.03)] and found["v10"] == [pytest.approx(4.0, abs=0.03)]
    path.write_bytes(u + on_grid(kind, "2t", lambda *_: np.array(280.0)))
    alone = read_weather_at_cities(path, [BEIJING])
    assert ("u10" not in alone and "wind: found u10 alone" in alone.attrs["left_out"]) == along


def test_an_angle_without_a_value_is_refused_before_it_is_counted_down(tmp_path) -> None:
    content = bytearray(on_grid("lambert", "2t", lambda *_: np.array(280.0)))
    # Section 3 is behind section 0, of 16 octets, and section 1, of 21: LoV in its octets 52 to 55.
    content[16 + 21 + 51 : 16 + 21 + 55] = b"\xff" * 4
    (tmp_path / "a.grib2").write_bytes(content)
    with pytest.raises(InputError, match=r"LoVInDegrees: found 4294.967295; expected at most 720"):
        read_weather(tmp_path / "a.grib2")


def test_a_damaged_field_is_named_by_its_own_file(tmp_path) -> None:
    whole, cut = tmp_path / "whole.grib2", tmp_path / "cut.grib2"
    whole.write_bytes(on_grid("lambert", "2t", lambda *_: np.array(280.0)))
    read_weather(whole)
    # The number of values, octets 6 to 9 of section 5, which begins with its length of 21 and its number.
    content = whole.read_bytes()
    at = content.index(b"\x00\x00\x00\x15\x05") + 5
    cut.write_bytes(content[:at] + (1199).to_bytes(4) + content[at + 4 :])
    with pytest.raises(InputError, match=r"cut\.grib2: message 1: found 1199 values, not one for each of 1200 points"):
        read_weather(cut)


def test_spectral_fields_and_too_many_points_are_refused_by_name(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.grib2"
    path.write_bytes(on_grid("lambert", "2t", lambda *_: np.array(280.0)))
    monkeypatch.setattr(grib_scattered, "_MOST_POINTS", 1_000)
    monkeypatch.setattr(grib_scattered, "_grids", grib_scattered.OrderedDict())
    with pytest.raises(InputError, match="lambert: found 1200 points; expected 3 to 1000"):
        read_weather(path)
    handle = eccodes.codes_grib_new_from_samples("sh_sfc_grib2")
    eccodes.codes_set(handle, "shortName", "2t")
    path.write_bytes(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    with pytest.raises(InputError, match="gridType: found sh; expected regular_ll or one of"):
        read_weather(path)


def test_an_analysis_of_ncep_in_edition_1(tmp_path) -> None:
    grid = {
        "centre": "kwbc", "generatingProcessIdentifier": 81, "table2Version": 2, "Ni": LON.size, "Nj": LAT.size,
        "dataDate": 20140220, "dataTime": 600, "latitudeOfFirstGridPointInDegrees": LAT[0], "bitsPerValue": 16,
        "latitudeOfLastGridPointInDegrees": LAT[-1], "longitudeOfFirstGridPointInDegrees": LON[0],
        "longitudeOfLastGridPointInDegrees": LON[-1], "iDirectionIncrementInDegrees": 0.5, "jDirectionIncrementInDegrees": 0.5,
    }  # fmt: skip
    # Code table 2: parameter, then table 3: type of level, level.
    messages = [
        (11, 105, 2, PLANE), (52, 105, 2, 60 * ONES), (33, 105, 10, 3 * ONES), (34, 105, 10, -4 * ONES), (1, 1, 0, 98_000 * ONES),
        (11, 100, 850, PLANE - 20), (33, 100, 850, 20 * ONES), (71, 200, 0, 50 * ONES), (71, 214, 0, 90 * ONES), (221, 1, 0, 500 * ONES),
    ]  # fmt: skip
    with (tmp_path / "fnl_20140220_06_00.grib1").open("wb") as file:
        for number, surface, level, field in messages:
            handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib1")
            own = grid | {"indicatorOfParameter": number, "indicatorOfTypeOfLevel": surface, "level": level}
            for key, value in own.items():
                eccodes.codes_set(handle, key, value.item() if isinstance(value, np.generic) else value)
            eccodes.codes_set_values(handle, field.ravel().astype(float))
            eccodes.codes_write(handle, file)
            eccodes.codes_release(handle)
    weather = read_weather_at_cities(tmp_path / "fnl_20140220_06_00.grib1", [BEIJING]).isel(city=0, time=0)
    expected = {"t2m": AT_BEIJING, "u10": 3.0, "v10": -4.0, "sp": 98_000.0, "tcc": 0.5, "blh": 500.0}
    assert {name: float(weather[name]) for name in expected} == pytest.approx(expected, abs=0.01)
    assert (
        "d2m" in weather
        and weather["time"].values == np.datetime64("2014-02-20T06")
        and "init_time" not in weather.attrs
    )
    assert weather.attrs["source"] == "GFS" and "left_out" not in weather.attrs


SPEED: dict[str, object] = {
    "discipline": 0, "parameterCategory": 2, "parameterNumber": 1, "typeOfFirstFixedSurface": 103,
    "scaledValueOfFirstFixedSurface": 10, "scaleFactorOfFirstFixedSurface": 0,
}  # fmt: skip
ANGLE = SPEED | {"parameterNumber": 0}


def test_wind_as_speed_and_direction(tmp_path) -> None:
    # 350 and 10 degrees side by side: their mean is north, not south.
    angles = np.where(np.arange(LON.size) % 2, 10.0, 350.0) * ONES
    north = write_grib(tmp_path / "a.grib2", [SPEED, ANGLE], [5 * ONES, angles])
    wind = read_weather_at_cities(north, [BEIJING]).isel(city=0, time=0)
    assert (
        float(wind["v10"]) == pytest.approx(-5.0 * np.cos(np.radians(10.0)), abs=0.01) and abs(float(wind["u10"])) < 1.0
    )
    mixed = [SPEED | {"step": hour} for hour in (3, 6)] + [ANGLE | {"step": hour} for hour in (3, 6)]
    path = write_grib(tmp_path / "b.grib2", mixed, [5 * ONES, 4 * ONES, 270 * ONES, 180 * ONES])
    found = at_beijing(path)
    assert (found["u10"], found["v10"]) == ([5.0, 0.0], [0.0, 4.0])


@pytest.mark.parametrize(
    ("keys", "fields", "found"),
    [
        # Components come first; a calm needs no direction.
        (
            [SPEED, ANGLE, {"shortName": "10u"}, {"shortName": "10v"}],
            [5.0, 90.0, 1.0, 2.0],
            {"u10": [1.0], "v10": [2.0]},
        ),
        ([SPEED, ANGLE | {"bitmapPresent": 1, "missingValue": 9999.0}], [0.0, 9999.0], {"u10": [0.0], "v10": [0.0]}),
        ([SPEED, {"shortName": "2t"}], [5.0, 280.0], {"t2m": [280.0]}),
        ([SPEED, ANGLE, {"shortName": "2t"}], [5.0, 999.0, 280.0], {"t2m": [280.0]}),
        (
            [SPEED | {"scaledValueOfFirstFixedSurface": 100}, ANGLE, {"shortName": "2t"}],
            [5.0, 90.0, 280.0],
            {"t2m": [280.0]},
        ),
    ],
)
def test_winds_that_need_no_direction_or_lack_one(tmp_path, keys, fields, found) -> None:
    path = write_grib(tmp_path / "a.grib2", keys, [value * ONES for value in fields])
    assert at_beijing(path) == found
    left_out = str(read_weather(path).attrs.get("left_out", ""))
    assert ("wind" in left_out or "-360 to 360 degrees" in left_out) == ("t2m" in found)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_run_in_a_tar_archive(tmp_path, mode) -> None:
    names = [write_grib(tmp_path / f"f{step:03d}", [{"shortName": "2t", "step": step}], [PLANE]) for step in (0, 3)]
    path = tmp_path / "run.tar"
    with tarfile.open(path, mode) as archive:
        for name in names:
            archive.add(name, f"run/{name.name}")
    assert at_beijing(path)["t2m"] == [pytest.approx(AT_BEIJING, abs=0.01)] * 2
    path.write_bytes(path.read_bytes()[:700] if mode == "w" else path.read_bytes()[:-20])
    with pytest.raises(InputError, match="a whole"):
        read_weather(path)


NEAR_GROUND: dict[str, object] = SPEED | {
    "parameterCategory": 0,
    "parameterNumber": 0,
    "scaledValueOfFirstFixedSurface": 2,
}


def test_specific_humidity_with_the_pressure_where_there_is_no_dew_point(tmp_path) -> None:
    specific = NEAR_GROUND | {"parameterCategory": 1}
    pressure = {"discipline": 0, "parameterCategory": 3, "parameterNumber": 0, "typeOfFirstFixedSurface": 1}
    path = write_grib(tmp_path / "a.grib2", [NEAR_GROUND, specific, pressure], [290 * ONES, 0.01 * ONES, 1e5 * ONES])
    # 0.01 kg kg-1 at 1000 hPa: 15.97 hPa of vapour, saturated at 14.0 degC.
    assert at_beijing(path)["d2m"] == [pytest.approx(287.15, abs=0.1)]
    assert read_weather(path).attrs["derived_variables"] == "d2m"
    relative = NEAR_GROUND | {"parameterCategory": 1, "parameterNumber": 1}
    keys, values = [NEAR_GROUND, specific, pressure, relative], [290.0, 0.01, 1e5, 100.0]
    both = write_grib(tmp_path / "b.grib2", keys, [value * ONES for value in values])
    assert at_beijing(both)["d2m"] == [pytest.approx(290.0, abs=0.01)]


def test_a_layer_from_two_metres_up_is_not_the_air_at_two_metres(tmp_path) -> None:
    layer = NEAR_GROUND | {
        "typeOfSecondFixedSurface": 103,
        "scaledValueOfSecondFixedSurface": 10,
        "scaleFactorOfSecondFixedSurface": 0,
    }
    with pytest.raises(InputError, match="heightAboveGroundLayer"):
        read_weather(write_grib(tmp_path / "a.grib2", [layer], [PLANE]))


def test_icon_s_own_triangular_grid_is_refused_by_name(tmp_path) -> None:
    # Grid definition template 3.101: the positions of its cells are in a file of their own.
    handle = eccodes.codes_grib_new_from_samples("GRIB2")
    for key, own in {"gridType": "unstructured_grid", "shortName": "2t"}.items():
        eccodes.codes_set(handle, key, own)
    path = tmp_path / "icon_native.grib2"
    path.write_bytes(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    with pytest.raises(InputError, match=r"gridType: found unstructured_grid; expected regular_ll or one of"):
        read_weather(path)
    with pytest.raises(InputError, match=r"unstructured_grid"):
        span_of(path)
