"""Readers of further collections: hours, units, missing values, and every fault counted."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hazecast.forecast.inputs import series_of
from hazecast.grids.derived import dew_point
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import MonitorData, read_observations
from hazecast.grids.places.cities import load_registry

POSTS = (
    "Site,Parameter,Date (LT),Year,Month,Day,Hour,NowCast Conc.,AQI,AQI Category,Raw Conc.,Conc. Unit,Duration,QC Name"
)
HONG_KONG = "DATE,HOUR,STATION,CO,FSP,NO2,NOX,O3,RSP,SO2"
SEOUL = ",일시,초미세먼지,미세먼지,오존,이산화탄소,일산화탄소,아황산가스"
TAIWAN = "time,AMB_TEMP,CO,NO,NO2,O3,PM10,PM2.5,RAINFALL,RH,SO2,WIND_DIREC,WIND_SPEED"
ITEMS = ["AMB_TEMP", "CO", "NO2", "O3", "PM10", "PM2.5", "RAINFALL", "RH", "SO2", "WIND_DIREC", "WIND_SPEED"]


def post_row(
    stamp: str, value: object = 50.0, qc: str = "Valid", site: str = "Shanghai", duration: str = "1 Hr"
) -> str:
    time = pd.to_datetime(stamp, format="%Y-%m-%d %I:%M %p")
    parts = f"{time:%Y,%m,%d,%H}"
    return f"{site},PM2.5 - Principal,{stamp},{parts},40.0,112,Moderate,{value},UG/M3,{duration},{qc}"


def write(folder: Path, name: str, header: str, rows: list[str]) -> Path:
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder


def at(data: MonitorData, name: str, time: str, city: str) -> float:
    return float(data.observations[name].sel(time=time, city=city))


def test_us_posts_use_valid_rows_alone_and_join_the_years_of_a_city(tmp_path) -> None:
    first = [
        post_row("2019-12-31 11:00 PM", 41),
        post_row("2020-01-01 12:00 AM", 42),
        post_row("2019-12-31 12:00 PM", -999.0, "Missing"),
        post_row("2019-12-31 01:00 PM", 985.0, "Invalid"),
        post_row("2019-12-31 02:00 PM", 33.0, duration="24 Hr"),
    ]
    write(tmp_path, "a.csv", POSTS, first)
    write(tmp_path, "b.csv", POSTS, [post_row("2020-01-01 12:00 AM", 99), post_row("2020-01-01 01:00 AM", 43)])
    data = read_observations(tmp_path, load_registry())
    assert data.observations["time"].values[0] == np.datetime64("2019-12-31T04:00")  # noon in Shanghai
    values = data.observations["pm25"].sel(city="shanghai").values
    assert np.isnan(values[:2]).all() and values[-3:].tolist() == [41.0, 42.0, 43.0]
    wanted = {"qc_missing": 1, "qc_invalid": 1, "other_rows": 1, "duplicate_rows": 1}
    assert {name: data.counts[name] for name in wanted} == wanted
    assert data.weather is None and data.station_weather is None
    series = series_of(data, load_registry())
    assert series.places.tolist() == ["shanghai"] and np.isnan(series.weather).all()


def test_the_hour_that_us_summer_time_took_is_put_back(tmp_path) -> None:
    stamps = ["2013-03-10 01:00 AM", "2013-03-10 03:00 AM", "2013-03-10 03:00 AM", "2013-03-10 04:00 AM"]
    rows = [post_row(stamp, value) for stamp, value in zip(stamps, [115, 175, 167, 107], strict=True)]
    data = read_observations(write(tmp_path, "a.csv", POSTS, rows), load_registry())
    assert data.observations["pm25"].values.ravel().tolist() == [115, 175, 167, 107]
    assert data.counts["us_summer_time"] == 1 and data.counts["duplicate_rows"] == 0


def test_hong_kong_below_its_remarks(tmp_path) -> None:
    rows = ["31/12/2017,24,CENTRAL,56,23,47,71,61,42,2", "1/1/2018,01,CENTRAL,N.A.,0,32,39,N.A.,36,1"]
    remarks = "\ufeffRemarks:\n1. All in ug/m3, except CO\n4. FSP = Fine, Suspended\n\n" + HONG_KONG
    data = read_observations(write(tmp_path, "x.csv", remarks, rows), None)
    assert data.observations["time"].values[0] == np.datetime64("2017-12-31T16:00")  # midnight, the end of hour 24
    station = data.stations.sel(station="hongkong_central")
    assert {n: float(station[n][0]) for n in ("pm25", "o3", "pm10", "no2", "so2", "co")} == pytest.approx(
        {"pm25": 23, "o3": 61, "pm10": 42, "no2": 47, "so2": 2, "co": 560}
    )
    assert station["pm25"][1] == 0 and np.isnan(station["co"][1])


def test_a_roadside_station_is_a_place_but_no_part_of_its_citys_mean(tmp_path) -> None:
    rows = ["1/1/2017,01,CENTRAL,56,23,47,71,61,42,2", "1/1/2017,01,TUNG CHUNG,56,11,47,71,61,42,2"]
    data = read_observations(write(tmp_path, "x.csv", HONG_KONG, rows), None)
    assert at(data, "pm25", "2016-12-31T17", "hongkong") == 11
    series = series_of(data, load_registry())
    assert series.places.tolist() == ["hongkong_central", "hongkong_tung_chung", "hongkong"]
    assert series.observations[:, 0, 0].tolist() == [23, 11, 11] and series.area.tolist() == [0, 0, 0]


def test_seoul_in_ppm_with_nitrogen_dioxide_called_carbon_dioxide(tmp_path) -> None:
    rows = ["0,2018-01-01 23:00,21,40,0.02,0.05,0.8,0.005", "1,2018-01-01 24:00,24,43,-,0.05,0.8,0.005"]
    data = read_observations(write(tmp_path, "x.csv", SEOUL, rows), None)
    assert data.observations["time"].values[-1] == np.datetime64("2018-01-01T15:00")
    row = {n: at(data, n, "2018-01-01T14", "seoul") for n in ("pm25", "o3", "pm10", "no2", "so2", "co")}
    assert row == pytest.approx(
        {"pm25": 21, "o3": 39.24, "pm10": 40, "no2": 94.02, "so2": 13.09, "co": 915.9}, rel=1e-3
    )
    assert series_of(data, load_registry()).utc_offset.tolist() == [9]
    with pytest.raises(InputError, match="이산화탄소.*410"):
        read_observations(write(tmp_path, "x.csv", SEOUL, [rows[0].replace("0.05", "410")]), None)


def test_taiwan_at_the_end_of_its_hours_with_the_weather_of_the_station(tmp_path) -> None:
    rows = [
        "2013-01-01 00:00:00,20.0,0.40,1,10,20,37,23,,50,1,90,2",
        "2013-01-01 01:00:00,20.0,0.40,1,10,-0.3,37,24,0.4,3,1,361,2",
        "2013-01-01 02:00:00,-9.5,0.40,1,10,20,37,25,,50,1,270,2",
        "2013-01-01 03:00:00,,,,,,,,,,,,",
    ]
    data = read_observations(write(tmp_path, "kinmen.csv", TAIWAN, rows), None)
    assert data.observations["time"].values[0] == np.datetime64("2012-12-31T17:00")
    assert at(data, "o3", "2012-12-31T17", "kinmen") == pytest.approx(39.24, rel=1e-3)
    assert at(data, "co", "2012-12-31T17", "kinmen") == pytest.approx(458, rel=1e-3)
    weather = {n: data.weather[n].values[:, 0] for n in ("t2m", "d2m", "u10", "v10", "tp")}
    np.testing.assert_allclose(weather["t2m"], [293.15, 293.15, np.nan, np.nan], atol=1e-3)
    np.testing.assert_allclose(weather["d2m"], [dew_point(293.15, 50.0), np.nan, np.nan, np.nan], atol=1e-3)
    np.testing.assert_allclose(weather["u10"], [-2, np.nan, 2, np.nan], atol=1e-5)
    np.testing.assert_allclose(weather["tp"], [0, 0.4, 0, np.nan], atol=1e-6)
    # A direction above 360, a humidity below 5, a fall of the temperature by 30 K; ozone within noise below zero is zero.
    assert data.counts["impossible_weather"] == 3 and data.counts["negative"] == 1
    assert at(data, "o3", "2012-12-31T18", "kinmen") == 0
    assert series_of(data, load_registry()).places.tolist() == ["kinmen"]


def test_taiwan_as_published(tmp_path) -> None:
    rows = [f"2014/1/{day},Puzi,{item}," + ",".join(["10"] * 24) for day in (1, 2) for item in ITEMS]
    rows[6] = "2014/1/1,Puzi,RAINFALL," + ",".join(["NR"] * 23 + ["1.5"])
    rows[5] = "2014/1/1,Puzi,PM2.5," + ",".join(["12*", "x", "7", ""] + ["20", "21"] * 10)
    header = "date,observatory,item," + ",".join(map(str, range(24)))
    chinese = "日期,測站,測項," + ",".join(f"{hour:02d}" for hour in range(24))
    for text in (header, chinese):
        data = read_observations(write(tmp_path, "x.csv", text, rows), None)
        pm25 = data.observations["pm25"].sel(city="puzi").values
        np.testing.assert_array_equal(pm25[:6], [np.nan, np.nan, 7, np.nan, 20, 21])
        assert data.observations["time"].values[0] == np.datetime64("2013-12-31T17:00")
        assert data.weather["tp"].values[[0, 22, 23], 0].tolist() == [0, 0, 1.5]
        assert data.counts["marked_invalid"] == 2


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (POSTS, [post_row("2013-03-10 01:00 AM", site="Atlantis")], "Site: found Atlantis"),
        (POSTS, [post_row("2013-03-10 01:00 AM").replace("2013,03,10,01", "2013,03,10,02")], r"Date \(LT\)"),
        (POSTS, [post_row("2013-03-10 01:00 AM").replace("Principal,2013-03-10", "Principal,2013-13-10")], "row 0"),
        (POSTS, [post_row("2013-03-10 01:00 AM").replace("UG/M3", "PPM")], "units of pm25"),
        (HONG_KONG, ["1/1/2017,25,CENTRAL,56,23,47,71,61,42,2"], "HOUR: found 25"),
        (HONG_KONG, ["1/1/2017,01,CENTRAL,56,*,47,71,61,42,2"], "FSP.*"),
        (SEOUL, ["0,2018-01-01 00:00,21,40,0.02,0.05,0.8,0.005"], "일시.*00:00"),
        (TAIWAN, ["2013-01-01 00:30:00,20.0,0.40,1,10,20,37,23,,50,1,90,2"], "whole hours"),
        ("date,observatory,item,0,1", ["2014/1/1,Puzi,RH,1,2"], "hours 0 to 23"),
    ],
)
def test_faulty_cells_are_named(tmp_path, header, rows, message) -> None:
    with pytest.raises(InputError, match=message):
        read_observations(write(tmp_path, "kinmen.csv", header, rows), None)


def test_networks_that_report_differently_need_folders_of_their_own(tmp_path) -> None:
    write(tmp_path, "a.csv", POSTS, [post_row("2013-03-10 01:00 AM")])
    five = "year,month,day,hour,PM_US Post,DEWP,HUMI,PRES,TEMP,cbwd,Iws,precipitation"
    write(tmp_path, "shanghai.csv", five, ["2013,1,12,8,250,-10,80,1025,-7,NE,1.8,0"])
    with pytest.raises(InputError, match="five-cities.*us-posts.*report alike"):
        read_observations(tmp_path, None)


def head(source: Path, folder: Path, lines: int) -> Path:
    with gzip.open(source, "rt", encoding="utf-8") as text:
        (folder / source.name.removesuffix(".gz")).write_text("".join(next(text) for _ in range(lines)), "utf-8")
    return folder


# Each with a row as it stands in the file.
@pytest.mark.parametrize(
    ("file", "time", "city", "wanted"),
    [
        # Beijing,...,2013-01-12 08:00 AM,...,278.0,UG/M3,1 Hr,Valid
        ("us-posts/Beijing_PM2.5_2013_YTD.csv.gz", "2013-01-12T00", "beijing", {"pm25": 278.0}),
        # 1/1/2017,24,TUNG CHUNG,68,30,46,90,1,41,8
        ("hongkong/tung_chung_hourly_2017.csv.gz", "2017-01-01T16", "hongkong",
         {"pm25": 30.0, "pm10": 41.0, "no2": 46.0, "o3": 1.0, "so2": 8.0, "co": 680.0}),
        # 23,2018-01-01 24:00,24,43,0.002,0.05,0.8,0.006
        ("seoul/seoul_hourly_2018_2020.csv.gz", "2018-01-01T15", "seoul",
         {"pm25": 24.0, "pm10": 43.0, "o3": 3.92, "no2": 94.0, "co": 916.0, "so2": 15.7}),
        # 2013-01-01 12:00:00,14.0,0.56,20.0,28.0,4.9,37.0,23.0,0.4,97.0,3.7,65.0,1.1
        ("taiwan/xizhi.csv.gz", "2013-01-01T05", "xizhi",
         {"pm25": 23.0, "pm10": 37.0, "o3": 9.62, "no2": 52.6, "so2": 9.69, "co": 641.0}),
        # 2014/1/1,Fengyuan,PM2.5,26,39,...
        ("published/fengyuan_2014.csv.gz", "2013-12-31T17", "fengyuan", {"pm25": 26.0, "o3": 31.4, "pm10": 56.0}),
    ],
)  # fmt: skip
def test_a_row_of_each_collection_as_published(shared_data, tmp_path, file, time, city, wanted) -> None:
    data = read_observations(head(shared_data / file, tmp_path, 361), None)
    assert {name: at(data, name, time, city) for name in wanted} == pytest.approx(wanted, rel=2e-3)


def test_rows_that_name_no_station_are_counted_and_a_file_of_them_is_refused(tmp_path) -> None:
    rows = ["1/1/2018,01,CENTRAL,56,23,47,71,61,42,2", "1/1/2018,02,,56,99,47,71,61,42,2"]
    data = read_observations(write(tmp_path, "x.csv", HONG_KONG, rows), None)
    assert data.counts["rows_without_name"] == 1 and data.stations["pm25_raw"].values.ravel().tolist() == [23.0]
    with pytest.raises(InputError, match=r"x.csv: column STATION: found no name in 1 rows"):
        read_observations(write(tmp_path, "x.csv", HONG_KONG, ["1/1/2"]), None)
