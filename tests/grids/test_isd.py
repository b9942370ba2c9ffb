"""Weather of NOAA's Integrated Surface Database: raw METARs, decoded records, and the hours of a collection."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from hazecast.forecast.inputs import series_of
from hazecast.grids.contract import WEATHER
from hazecast.grids.derived import station_pressure
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import MonitorData, read_observations
from hazecast.grids.observations.isd import read_isd, with_weather
from hazecast.grids.observations.metar import UNLIMITED, parse_metar
from hazecast.grids.places.cities import load_registry

POSTS = "Site,Parameter,Date (LT),Year,Month,Day,Hour,Raw Conc.,Conc. Unit,Duration,QC Name"


def record(
    time: str, metar: str = "", groups: str = "", *, temperature: str = "-00381", wind: str = "0201N00101"
) -> str:
    """A record with decoded values unlike those of its METAR: position, quality code and type as in ISD."""
    control = f"54511099999{time}4+40080+116585FM-15+0035ZBAA V020"
    mandatory = f"{wind}9999999N0180001N1{temperature}-00791102601"
    remark = f"REMMET{len(metar):03d}{metar};" if metar else ""
    body = f"{control}{mandatory}ADD{groups}{remark}"
    return f"{len(body) - 101:04d}{body}"


def folder(path: Path, *lines: str) -> Path:
    path.mkdir(exist_ok=True)
    with gzip.open(path / "a-2013.gz", "wt", encoding="latin-1") as file:
        file.write("\n".join(lines) + "\n")
    return path


def posts(path: Path, first: str, values: list[float]) -> MonitorData:
    start = np.datetime64(first, "h")
    rows = []
    for number, value in enumerate(values):
        text = str(start + number).replace("T", "-").split("-")
        hour = int(text[3])
        stamp = f"{'-'.join(text[:3])} {hour % 12 or 12:02d}:00 {'AM' if hour < 12 else 'PM'}"
        rows.append(f"Beijing,PM2.5 - Principal,{stamp},{','.join(text)},{value},UG/M3,1 Hr,Valid")
    path.mkdir(exist_ok=True)
    (path / "a.csv").write_text("\n".join([POSTS, *rows]) + "\n")
    return read_observations(path, None)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("METAR ZBAA 010000Z 36003MPS 8000 NSC M09/M19 Q1017 NOSIG", (360, 3, 8000, -9, -19, 1017, "")),
        ("METAR ZBAA 010300Z 01003MPS 330V030 CAVOK M05/M18 Q1018 NOSIG", (10, 3, UNLIMITED, -5, -18, 1018, "")),
        ("METAR COR ZBAA 010300Z VRB01MPS 9999 -RA BR 20/19 Q0998", (np.nan, 1, UNLIMITED, 20, 19, 998, "mist rain")),
        ("SPECI ZBAA 010312Z 00000MPS 0300 R36L/0400U FZFG VV001 M02/M02 Q1030", (0, 0, 300, -2, -2, 1030, "fog")),
        ("METAR RJTT 010300Z 18010G20KT 3000 HZ FEW020 25/ A2992 RMK HZ", (180, 5.14, 3000, 25, np.nan, 1013.2, "haze")),
        ("METAR ZBAA 010300Z 32009MPS 1500 BLDU 15/M05 Q1005 BECMG 9999 NSW", (320, 9, 1500, 15, -5, 1005, "dust")),
        ("METAR ZBAA 010300Z 18002MPS 5000 VCFG RERA TSRASN 01/00 Q1010 TEMPO 0800 FG", (180, 2, 5000, 1, 0, 1010, "rain snow")),
        ("METAR ZBAA 010300Z /////MPS //// ///// Q////", (np.nan,) * 6 + ("",)),
    ],
)  # fmt: skip
def test_reports_of_aerodromes(text, wanted) -> None:
    report = parse_metar(f"MET060{text};EQDQ01")
    assert report is not None
    found = (report.wind_from, report.wind_speed, report.visibility, report.temperature, report.dew_point, report.qnh)
    np.testing.assert_allclose(found, wanted[:6], atol=0.01 if "KT" not in text else 0.1)
    assert " ".join(sorted(report.weather)) == wanted[6]
    assert report.variable_wind == ("VRB" in text)


def test_text_without_a_report() -> None:
    assert parse_metar("SYN076AAXX 01001 54511 32968 70402") is None


def test_the_altimeter_setting_gives_the_pressure_at_the_station() -> None:
    # The standard atmosphere: 1013.25 hPa at sea level is 954.61 hPa at 500 m, 898.75 hPa at 1000 m (ICAO Doc 7488).
    np.testing.assert_allclose(station_pressure(101_325.0, [0.0, 500.0, 1000.0]), [101_325, 95_461, 89_875], atol=1)


def test_metars_are_read_and_the_decoded_part_is_left_alone(tmp_path) -> None:
    metar = "METAR ZBAA 130000Z 27004MPS 1000 BR NSC M03/M06 Q1026 NOSIG"
    station = read_isd(folder(
        tmp_path / "isd",
        record("201301130000", metar, "MW1051"),
        record("201301130030", metar),
        record("201301130200", metar.replace("27004", "VRB01").replace("1000 BR", "CAVOK")),
        record("201301130300"),
    ))  # fmt: skip
    assert station.sizes["time"] == 3 and station["time"].values[0] == np.datetime64("2013-01-13T00")
    first = {name: float(station[name][0]) for name in station}
    assert first == pytest.approx({
        "t2m": 270.15, "d2m": 267.15, "u10": 4.0, "v10": 0.0, "sp": float(station_pressure(102_600, 35)),
        "visibility": 1000, "visibility_at_least": 0,
        "haze": 0, "mist": 1, "fog": 0, "smoke": 0, "dust": 0, "rain": 0, "snow": 0,
    }, abs=0.01)  # fmt: skip
    assert all(np.isnan(station[name][1]) for name in station)
    assert [float(station[name][2]) for name in ("u10", "v10", "visibility", "visibility_at_least")] == [
        0,
        0,
        10_000,
        1,
    ]
    counted = {"between_hours": 1, "missing_hours": 1, "records_without_metar": 1, "variable_wind": 1}
    assert {name: station.attrs[f"count_{name}"] for name in counted} == counted
    assert {name: station[name].attrs["units"] for name in ("t2m", "sp", "visibility")} == {
        "t2m": "K",
        "sp": "Pa",
        "visibility": "m",
    }


def test_decoded_records_where_there_is_no_metar(tmp_path) -> None:
    station = read_isd(folder(
        tmp_path / "isd",
        record("201301130000", groups="MA1102511102181MW1101MW2611"),
        record("201301130100", temperature="-00382", wind="9999C00001", groups="MA1102511999999"),
        record("201301130200", temperature="+99999", wind="9999V00101"),
    ))  # fmt: skip
    np.testing.assert_allclose(station["t2m"], [269.35, np.nan, np.nan], atol=0.01)
    np.testing.assert_allclose(station["sp"], [102_180, station_pressure(102_510, 35), np.nan], atol=1)
    np.testing.assert_allclose(station["u10"], [-np.sin(np.deg2rad(20)), 0, 0], atol=1e-5)
    # 18 km: as a METAR would say, 10 km or more.
    assert station["visibility"].values.tolist() == [10_000] * 3 and (station["visibility_at_least"] == 1).all()
    assert [float(station[name][0]) for name in ("mist", "rain", "snow", "haze")] == [1, 1, 0, 0]
    assert station.attrs["count_suspect_or_erroneous"] == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["No,year,month"], "line 1"),
        ([record("201313130000")], "line 1, time"),
        ([record("201301130030")], "no record at a whole hour"),
        ([], "no record"),
    ],
)
def test_faulty_files_are_named(tmp_path, lines, message) -> None:
    with pytest.raises(InputError, match=message):
        read_isd(folder(tmp_path / "isd", *lines))
    with pytest.raises(InputError, match="a folder"):
        read_isd(tmp_path / "none")


def test_a_citys_weather_from_a_station_nearby(tmp_path) -> None:
    data = posts(tmp_path / "posts", "2013-01-13T08", [300.0, 310.0, 320.0])
    metar = "METAR ZBAA 130000Z 27004MPS 1000 BR NSC M03/M06 Q1026"
    station = read_isd(folder(tmp_path / "isd", record("201301130100", metar)))
    joined = with_weather(data, "beijing", station)
    assert joined.weather is not None
    np.testing.assert_allclose(joined.weather["t2m"].sel(city="beijing"), [np.nan, 270.15, np.nan], atol=0.01)
    series = series_of(joined, load_registry())
    column = list(WEATHER).index("u10")
    np.testing.assert_allclose(series.weather[0, :, column], [np.nan, 4.0, np.nan], atol=1e-5)
    with pytest.raises(InputError, match="without weather of its own"):
        with_weather(joined, "beijing", station)
    with pytest.raises(InputError, match="a city of"):
        with_weather(data, "shanghai", station)
    with pytest.raises(InputError, match="no hour in common"):
        with_weather(data, "beijing", station.assign_coords(time=station["time"] + np.timedelta64(900, "D")))


def test_beijings_airport_as_published(shared_data, tmp_path) -> None:
    with gzip.open(shared_data / "metar-beijing" / "545110-99999-2010.gz", "rt", encoding="latin-1") as lines:
        some = [next(lines).rstrip("\n") for _ in range(60)]
    station = read_isd(folder(tmp_path / "isd", *some))
    # METAR ZBAA 010300Z 01003MPS 330V030 CAVOK M05/M18 Q1017: the decoded part has a SYNOP's -4.3 degC, 15 km.
    at = station.sel(time="2010-01-01T03")
    assert float(at["t2m"]) == pytest.approx(268.15) and float(at["visibility"]) == 10_000
    assert isinstance(station, xr.Dataset) and station.attrs["source"] == "ZBAA, NOAA ISD"
