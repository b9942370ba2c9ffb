"""A bureau's own tables: the cases that were refused or read wrongly, each kind by itself, and what is asked for."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import read_observations
from hazecast.grids.observations.tables.encodings import decode
from hazecast.grids.observations.tables.folder import TableData, by_station, read_folder
from hazecast.grids.observations.tables.names import named
from hazecast.grids.observations.tables.stamps import parse_parts
from hazecast.grids.observations.tables.written_stamps import UnreadableError, parse_stamp
from hazecast.grids.places.cities import load_registry
from tests.support.workbooks import write_workbook

REGISTRY = load_registry()
STATIONS = "code,name,latitude,longitude,city\nA1,Alpha,39.90,116.40,beijing\nB2,Beta,39.95,116.45,beijing\n"
FIRST = pd.Timestamp("2026-01-11T10:00")
HOURS = pd.date_range(FIRST, periods=72, freq="h")
RAMP = np.arange(50.0, 122.0)
needs_excel = pytest.mark.skipif(find_spec("python_calamine") is None, reason="needs the extra tables")
needs_parquet = pytest.mark.skipif(find_spec("duckdb") is None, reason="needs the extra tables")


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> Path:
    return shared_data.parent / "cases" / "tables"


def read(folder: Path) -> TableData:
    return read_folder(folder, REGISTRY)


def table(tmp_path: Path, text: str | bytes, name: str = "a.csv", stations: str = STATIONS, mapping: str = "") -> Path:
    """Write a folder of one table and its stations."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if stations:
        (tmp_path / "stations.csv").write_text(stations)
    if mapping:
        (tmp_path / "mapping.toml").write_text(mapping)
    return tmp_path


def pm25(data: TableData, code: str = "A1") -> pd.Series:
    return by_station(data)[code]["pm25"]


@pytest.mark.parametrize(
    "case",
    [
        "csv_good", "csv_chinese_header", "csv_gbk", "csv_gz", "csv_no_offset", "csv_shift_jis", "csv_upper_PM25",
        "csv_upper_header",
    ],
)  # fmt: skip
def test_cases_that_hold_the_same_hours(cases, case) -> None:
    data = read(cases / case)
    for code in ("A1", "B2"):
        hours = pm25(data, code)
        assert list(hours.index) == list(HOURS)
        np.testing.assert_allclose(hours, RAMP)
    assert not data.findings.faults
    assert [*map(str, data.findings.doubts)] == (
        ["a.csv: the stamps state no time zone: Asia/Shanghai, that of each station's city, is taken"]
        if case == "csv_no_offset"
        else []
    )


@pytest.mark.parametrize(
    ("case", "line", "lost", "kind", "says"),
    [
        ("csv_one_bad_value", 22, 20, "cells_not_numbers", "pm25: found <5; expected a number"),
        ("csv_one_cut_row", 32, 30, "rows_cut_or_too_long", "found 1 cells; expected 3"),
        ("csv_one_extra_cell", 32, 30, "rows_cut_or_too_long", "found 4 cells; expected 3"),
        ("csv_one_unknown_station", 22, 20, "rows_of_unknown_stations", "station: found ZZ; expected a station"),
        # 24:00 of the 13th is 00:00 of the 14th, which another row gives with another value: neither is taken.
        ("csv_hour_24", 146, 54, "values_that_differ", "found 104, 55 as pm25 of A1 at 2026-01-13 16:00:00 UTC"),
    ],
)
def test_what_is_wrong_costs_only_itself_and_is_named(cases, case, line, lost, kind, says) -> None:
    data = read(cases / case)
    hours = pm25(data).reindex(HOURS)
    assert [*np.flatnonzero(hours.isna())] == [lost]
    np.testing.assert_allclose(hours.dropna(), np.delete(RAMP, lost))
    np.testing.assert_allclose(pm25(data, "B2"), RAMP)
    assert data.findings.counts[kind] == 1
    (fault,) = data.findings.faults
    assert f"a.csv: line {line}" in str(fault) and says in str(fault)


def test_marks_of_missing_values(cases) -> None:
    # Of each ten values nine are marks.
    data = read(cases / "csv_marks")
    assert pm25(data).dropna().index.tolist() == [FIRST + pd.Timedelta(hours=h) for h in range(9, 72, 10)]
    assert data.findings.counts["cells_missing"] == 130 and not data.findings.faults
    data = read(cases / "csv_minus999")
    assert pm25(data).isna().all() and not data.findings.faults


def test_decimal_commas(cases) -> None:
    np.testing.assert_allclose(pm25(read(cases / "csv_semicolon_comma_decimal")), RAMP + 0.5)


def test_repeated_hours_that_differ_are_left_out_and_named(cases) -> None:
    data = read(cases / "csv_duplicates_differ")
    assert data.values.empty and data.findings.counts["values_that_differ"] == 144
    assert "line 2 and" in str(data.findings.faults[0]) and "found 50, 999" in str(data.findings.faults[0])
    with pytest.raises(InputError, match=r"no value \(.*found 50, 999 as pm25 of A1"):
        read_observations(cases / "csv_duplicates_differ", REGISTRY)


def test_a_wide_table_must_say_what_it_holds(cases, tmp_path) -> None:
    with pytest.raises(InputError, match="a table with a column a station"):
        read(cases / "csv_wide")
    text = (cases / "csv_wide" / "a.csv").read_bytes()
    for name, mapping in [
        ("pm25_202601.csv", ""),
        ("a.csv", '[table]\nlayout="wide"\nvariable="pm25"\nunit="ug/m3"\n[columns]\ntime="time"\n'),
    ]:
        data = read(table(tmp_path / name[:2], text, name, mapping=mapping))
        assert set(pm25(data)) == {50.0} and set(pm25(data, "B2")) == {60.0} and pm25(data).index[0] == FIRST
    # Codes of columns may differ in case, as those of rows.
    data = read(table(tmp_path / "case", text.replace(b"A1", b"a1"), "a.csv", mapping=mapping))
    assert set(pm25(data)) == {50.0} and not data.findings.faults


def test_nothing_today_and_nothing_at_all(cases) -> None:
    data = read(cases / "csv_empty_today")
    assert data.values.empty and "no row below the header" in str(data.findings.faults[0])
    with pytest.raises(InputError, match="no value"):
        read_observations(cases / "csv_empty_today", REGISTRY)
    with pytest.raises(InputError, match=r"found only stations\.csv; expected tables"):
        read(cases / "csv_subfolder_only")


@needs_excel
def test_a_damaged_workbook_is_refused_by_name(cases) -> None:
    with pytest.raises(InputError, match=r"a\.xlsx.*expected a whole Excel file"):
        read(cases / "csv_xlsx")


def test_files_below_are_read_and_a_bad_one_costs_only_itself(tmp_path) -> None:
    table(tmp_path, "station,time,pm25\nA1,2026-01-11T18:00+08:00,50\n", "2026/01/a.csv")
    table(tmp_path, b"\x1f\x8b\x08damaged", "2026/02/b.csv.gz")
    table(tmp_path, "station,time,pm25\nA1,2026-01-11T19:00+08:00,51\n", ".hidden/c.csv")
    data = read(tmp_path)
    assert pm25(data).tolist() == [50.0] and data.findings.counts["files_refused"] == 1
    assert "b.csv.gz" in str(data.findings.faults[0])


# The hours of 2026-01-11 at Beijing, by their end: 18:00 and 24:00 local.
TWO = [pd.Timestamp("2026-01-11T10:00"), pd.Timestamp("2026-01-11T16:00")]


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("站点名称,监测时间,PM2.5(μg/m³)", ["Alpha,2026年1月11日 18时,50", "Alpha,2026年1月11日 24时,60"]),
        ("測定局コード,測定日,時,微小粒子状物質", ["A1,2026/1/11,18,50", "A1,2026/1/11,24,60"]),
        ("STATION,YEAR,MONTH,DAY,HOUR,PM2_5", ["A1,2026,1,11,18,50", "A1,2026,1,11,24,60"]),
        ("Station ID,Date,Time,PM2.5 [ug/m3]", ["A1,2026-01-11,18:00,50", "A1,2026-01-11,24:00,60"]),
        ("id,date,pm2.5_ugm3", ["A1,2026-01-11 18:00:00,50", "A1,2026-01-12 00:00:00,60"]),
        ("code,timestamp,pm25", ["A1,2026011118,50", "A1,2026011124,60"]),
        ("site,datetime,PM2.5(mg/m3)", ["A1,11.01.2026 18:00,0.05", "A1,12.01.2026 00:00,0.06"]),
        ("site,time,PM2.5", ["A1,13/01/2026 00:00,", "A1,11/01/2026 18:00,50", "A1,12/01/2026 00:00,60"]),
        (
            "site,time,parameter,value,unit",
            ["A1,2026-01-11T10:00Z,pm25,50,µg/m³", "A1,2026-01-11T16:00Z,pm25,60,ug/m3"],
        ),
        ("date,hour,type,A1,B2", ["20260111,18,PM2.5,50,1", "20260111,18,AQI,7,7", "20260111,24,PM2.5,60,2"]),
    ],
)
def test_headers_and_stamps_of_the_world(tmp_path, header, rows) -> None:
    data = read(table(tmp_path, "\n".join([header, *rows]) + "\n"))
    hours = pm25(data).dropna()
    assert hours.index.tolist() == TWO
    np.testing.assert_allclose(hours, [50.0, 60.0])
    assert not data.findings.faults


@pytest.mark.parametrize("encoding", ["gb18030", "cp932", "big5", "euc_jp", "utf-16", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_and_separators(tmp_path, encoding, separator) -> None:
    name = {
        "gb18030": "万寿西宫",
        "cp932": "小倉北区役所",
        "big5": "萬華測站",
        "euc_jp": "北九州観測局",
        "cp1252": "Größe",
    }
    rows = [["station", "time", "pm25"], [name.get(encoding, "门司"), "2026-01-11T18:00+08:00", "50.5"]]
    stations = f"code,city\n{rows[1][0]},beijing\n".encode(encoding)
    text = "\n".join(separator.join(row) for row in rows).encode(encoding)
    (tmp_path / "stations.csv").write_bytes(stations)
    data = read(table(tmp_path, text, stations=""))
    assert pm25(data, rows[1][0]).tolist() == [50.5]


def test_remarks_above_the_header_and_an_open_quote(tmp_path) -> None:
    text = (
        "某市环境监测中心,,\n导出时间：2026-01-12,,\n站点编号,时间,PM2.5\n"
        'A1,2026-01-11 18:00,"50"\nA1,2026-01-11 19:00,"51\nA1,2026-01-11 20:00,52\n'
    )
    data = read(table(tmp_path, text))
    assert pm25(data).dropna().tolist() == [50.0, 52.0]
    assert 'line 5, PM2.5: found "51' in str(data.findings.faults[0])


@needs_excel
def test_excel_with_times_as_numbers(tmp_path) -> None:
    rows = [["站点编号", "时间", "PM2.5", "气温(℃)"]]
    rows += [["A1", datetime(2026, 1, 11, 18) + timedelta(hours=h), 50.0 + h, -5.5] for h in range(5)]
    (tmp_path / "stations.csv").write_text(STATIONS)
    write_workbook(tmp_path / "a.xlsx", {"说明": [["x"]], "数据": rows})
    hours = by_station(read(tmp_path))["A1"]
    assert hours["pm25"].tolist() == [50, 51, 52, 53, 54] and hours.index[0] == FIRST
    np.testing.assert_allclose(hours["t2m"], 267.65)


@needs_parquet
def test_parquet(tmp_path) -> None:
    import duckdb

    (tmp_path / "stations.csv").write_text(STATIONS)
    duckdb.sql(
        "SELECT 'A1' AS station, TIMESTAMP '2026-01-11 18:00:00' + to_hours(n::INT) AS time, 50.25 + n AS pm25 FROM range(3) t(n)"
    ).write_parquet(str(tmp_path / "a[1].parquet"))
    assert pm25(read(tmp_path)).tolist() == [50.25, 51.25, 52.25]
    table(tmp_path, b"PAR1 damaged PAR1", "b.parquet")
    assert "b.parquet" in str(read(tmp_path).findings.faults[0])


def test_weather_and_visibility_in_the_units_of_the_contract(tmp_path) -> None:
    header = "station,time,pm25,湿度(%),气温(℃),风速(m/s),风向,气压,能见度(km),降水量(mm)"
    rows = [
        "A1,2026-01-11T18:00+08:00,50,80,-3,2,西北,1020.5,1.5,0",
        "B2,2026-01-11T18:00+08:00,60,60,-1,0,静风,1020.5,2.5,0",
    ]
    rows += [
        "A1,2026-01-11T19:00+08:00,50,80,-3,2,90,1020.5,1.5,0.4",
        "B2,2026-01-11T19:00+08:00,60,160,-1,0,,1020.5,,0",
    ]
    folder = table(tmp_path, "\n".join([header, *rows]) + "\n")
    found = read_observations(folder, REGISTRY)
    here = found.observations.sel(city="beijing")
    np.testing.assert_allclose(here["relative_humidity"], [70.0, 80.0])
    np.testing.assert_allclose(here["visibility"], [2000.0, np.nan])
    weather = found.weather.sel(city="beijing")
    np.testing.assert_allclose(weather["t2m"], 271.15, rtol=1e-6)
    np.testing.assert_allclose(weather["sp"], 102_050.0)
    np.testing.assert_allclose(weather["u10"], [np.sqrt(2) / 2, -1.0], rtol=1e-6)
    np.testing.assert_allclose(weather["v10"], [-np.sqrt(2) / 2, 0.0], atol=1e-6)
    assert found.doubts == () and [str(f.found) for f in found.faults] == ["160"]
    np.testing.assert_allclose(here["pm25"], 55.0)


def test_speeds_without_a_direction_are_counted(tmp_path) -> None:
    rows = ["A1,2026-01-11T18:00+08:00,50,2,90", "A1,2026-01-11T19:00+08:00,50,2,", "A1,2026-01-11T20:00+08:00,50,0,"]
    rows += ["A1,2026-01-11T21:00+08:00,50,,180"]
    folder = table(tmp_path, "\n".join(["station,time,pm25,风速(m/s),风向(°)", *rows]) + "\n")
    found = read_observations(folder, REGISTRY)
    assert found.weather.sel(city="beijing")["u10"].isnull().values.tolist() == [False, True, False, True]
    assert found.counts["winds_incomplete"] == 2


@pytest.mark.parametrize(
    ("header", "cells", "doubt"),
    [
        ("O3", "80", "column 'O3' is not used: the unit is not stated; one of ug/m3, mg/m3, ppb, pphm, ppm"),
        ("气温", "-3", "column '气温' is taken in degC"),
        ("WS", "3", "column 'WS' is taken in m/s"),
        ("能见度", "12", "column '能见度' is taken in km"),
        ("visibility", "12000", "column 'visibility' is taken in m"),
        ("湿度(ppm)", "3", "its unit is ppm; one of %, 1"),
    ],
)
def test_a_unit_that_is_not_stated_is_said_or_asked_for(tmp_path, header, cells, doubt) -> None:
    data = read(table(tmp_path, f"station,time,pm25,{header}\nA1,2026-01-11T18:00+08:00,50,{cells}\n"))
    assert doubt in data.findings.doubts[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("station,time,pm25\nA1,01/02/2026 18:00,5\n", "day and month can't be told apart"),
        ("A1,2026-01-11T18:00+08:00,50\n", "names of columns"),
        ("station,time\nA1,2026-01-11T18:00+08:00\n", "at least one quantity"),
        ("time,pm25\n2026-01-11T18:00+08:00,50\n", "one of station"),
        ("station,time,O3\nA1,2026-01-11T18:00+08:00,50\n", "the unit is not stated"),
        ("", "an empty file"),
        ("\0\0\0\0", "bytes of zero"),
    ],
)
def test_what_is_not_told_is_asked_for(tmp_path, text, says) -> None:
    with pytest.raises(InputError, match=says):
        read(table(tmp_path, text))


@pytest.mark.parametrize(
    ("stamp", "says"),
    [
        ("2026-01-11T18:30+08:00", "a whole hour"),
        ("2026-02-30T18:00+08:00", "that exist"),
        ("2026-01-11T25:00+08:00", "that exist"),
        ("1026-01-11T18:00+08:00", "a year from"),
        ("2126-01-11T18:00+08:00", "a year from"),
        ("1980-01-11T18:00+08:00", "within 20 years"),
        ("2026-01-11T18:00+88:00", "an offset of at most"),
        ("yesterday", "a date and hour"),
        ("2026-01-11 18:00 CST", 'or format = "%Y-%m-%d %H:%M CST" and zone = "Asia/Shanghai" in a mapping'),
        ("", "found nothing"),
    ],
)
def test_a_bad_stamp_costs_its_row(tmp_path, stamp, says) -> None:
    good = "A1,2026-01-11T18:00+08:00,50\nA1,2026-01-11T19:00+08:00,51\n"
    data = read(table(tmp_path, f"station,time,pm25\n{good}A1,{stamp},52\n"))
    assert pm25(data).tolist() == [50.0, 51.0]
    assert "a.csv: line 4" in str(data.findings.faults[0]) and says in str(data.findings.faults[0])


def test_the_hour_that_occurs_twice_needs_its_offset() -> None:
    assert parse_stamp("2026-01-13 24:00").local == datetime(2026, 1, 14)
    assert parse_parts(["2026-01-13", "7"]).local == datetime(2026, 1, 13, 7)
    with pytest.raises(UnreadableError):
        parse_stamp("13/01/2026 07:00")


def test_a_bad_station_costs_its_rows(tmp_path) -> None:
    stations = STATIONS + "C3,Gamma,39.9,116.4,atlantis\nA1,Again,39.9,116.4,beijing\nD4,Delta,99,116.4,\n"
    data = read(
        table(
            tmp_path,
            "station,time,pm25\nA1,2026-01-11T18:00+08:00,50\nC3,2026-01-11T18:00+08:00,9\n",
            stations=stations,
        )
    )
    assert pm25(data).tolist() == [50.0] and data.findings.counts["stations_refused"] == 3
    assert "line 4, city: found atlantis" in str(data.findings.faults[0])
    with pytest.raises(InputError, match=r"stations\.csv: columns"):
        read(table(tmp_path, "station,time,pm25\n", stations="code,name\nA1,x\n"))


def test_values_in_two_files_are_one_series(tmp_path) -> None:
    table(tmp_path, "station,time,pm25\nA1,2026-01-11T18:00+08:00,50\nA1,2026-01-11T19:00+08:00,-999\n")
    data = read(
        table(
            tmp_path,
            gzip.compress(b"station,time,pm25\nA1,2026-01-11T18:00+08:00,50\nA1,2026-01-11T11:00Z,51\n"),
            "b.csv.gz",
        )
    )
    assert pm25(data).tolist() == [50.0, 51.0] and data.findings.counts["values_repeated"] == 1
    assert not data.findings.faults


def test_names_of_means_over_longer_times_are_not_those_of_hours() -> None:
    assert named("PM2.5_24h") is None and named("O3_8h") is None and named("AQI") is None
    assert named("PM2.5小时浓度").meaning == "pm25"


def test_one_damaged_character_costs_itself() -> None:
    data = "站点编号,时间,PM2.5,备注\n".encode() * 30
    assert decode(data[:40] + b"\xff" + data[41:], "x")[1] == "utf-8"


@pytest.mark.parametrize("stamp", ["0001-01-01 01:00", "9999-12-31 24:00", "9999-12-31 23:00"])
@pytest.mark.parametrize("form", ["", "%Y-%m-%d %H:%M"])
def test_a_stamp_at_the_end_of_all_times_costs_its_row_alone(tmp_path, stamp, form) -> None:
    rows = "".join(f"A1,2026-01-11 {hour:02d}:00,{50 + hour}\n" for hour in range(10))
    mapping = (
        f'[time]\nzone = "Asia/Shanghai"\nformat = "{form}"\n[columns]\nstation = "station"\ntime = "time"\n'
        'pm25 = { is = "pm25", unit = "ug/m3" }\n'
    )
    text = f"station,time,pm25\n{rows}A1,{stamp},99\n"
    data = read(table(tmp_path, text, mapping=mapping if form else ""))
    assert len(pm25(data)) == 10 and stamp in str(data.findings.faults[0])


@pytest.mark.parametrize(
    ("column", "ends"),
    [("time(UTC)", 18), ("Time (UTC+8)", 10), ("日時(JST)", 9), ("时间(北京时间)", 10), ("time (GMT)", 18)],
)
def test_a_zone_in_the_name_of_the_column_of_time_is_used(tmp_path, column, ends) -> None:
    folder = table(tmp_path, f"station,{column},pm25\nA1,2026-01-11 18:00,50\n")
    data = read(folder)
    assert pm25(data).index.tolist() == [pd.Timestamp("2026-01-11") + pd.Timedelta(hours=ends)]
    assert not any("time zone" in str(doubt) for doubt in data.findings.doubts)


@needs_parquet
def test_parquet_with_stamps_that_know_their_zone(tmp_path) -> None:
    import duckdb

    (tmp_path / "stations.csv").write_text(STATIONS)
    duckdb.sql(
        "SELECT 'A1' AS station, TIMESTAMPTZ '2026-01-11 18:00:00+08' + to_hours(n::INT) AS time, 50.25 + n AS pm25 FROM range(3) t(n)"
    ).write_parquet(str(tmp_path / "a.parquet"))
    found = pm25(read(tmp_path))
    assert found.tolist() == [50.25, 51.25, 52.25] and found.index[0] == FIRST


def test_a_table_without_any_pollutant_is_refused_by_what_it_has(tmp_path) -> None:
    rows = "".join(f"A1,{time:%Y-%m-%d %H:%M},{20 + n % 5},{50 + n % 9}\n" for n, time in enumerate(HOURS))
    folder = table(tmp_path, "station,time,temperature (degC),humidity (%)\n" + rows)
    with pytest.raises(InputError, match="columns: found relative_humidity; expected any of pm25"):
        read_observations(folder, REGISTRY)
