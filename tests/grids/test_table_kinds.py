"""Tables as others write them: read to the values that they hold, or refused by name."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.examine import Examined, examine
from hazecast.grids.observations.tables.folder import by_station, read_folder
from hazecast.grids.observations.tables.hours_across import hours_in
from hazecast.grids.observations.tables.looked_at import Hints
from hazecast.grids.observations.tables.mapping import read_mapping, written
from hazecast.grids.observations.tables.written_stamps import UnreadableError, are_ranges, parse_range, parse_stamp
from hazecast.grids.places.cities import load_registry

REGISTRY = load_registry()
# 9 to 14 h in Beijing.
HOURS = range(9, 15)
ENDS = pd.date_range("2026-01-15T01:00", periods=6, freq="h")


def put(folder: Path, text: str, name: str = "a.csv") -> Path:
    (folder / "stations.csv").write_text("code,city\nA1,beijing\nB2,tianjin\n")
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def rows(form: str) -> str:
    """Rows of both stations; in a form are the hour h, of twelve t with its half, the next n and the value v."""
    return "".join(
        form.format(
            s=station,
            h=hour,
            n=hour + 1,
            t=hour if hour <= 12 else hour - 12,
            half="AM" if hour < 12 else "PM",
            east="上午" if hour < 12 else "下午",
            v=value,
            epoch=1768438800 + 3600 * (hour - 9),
            utc=hour - 8,
        )
        + "\n"
        for value, hour in enumerate(HOURS, start=40)
        for station in ("A1", "B2")
    )


@pytest.mark.parametrize(
    ("header", "form", "later"),
    [
        ("station,time,pm25", "{s},01/15/2026 {t}:00 {half},{v}", 0),
        ("station,time,pm25", "{s},01/15/2026 {t}:00{half},{v}", 0),
        ("station,time,pm25", "{s},2026-01-15 {t:02d}:00:00 {half},{v}", 0),
        ("station,time,pm25", "{s},2026/1/15 {east}{t}:00,{v}", 0),
        ("station,date,hour,pm25", "{s},2026/1/15,{t}:00 {half},{v}", 0),
        ("station,time,pm25", "{s},15-Jan-2026 {h}:00,{v}", 0),
        ("station,time,pm25", '{s},"January 15, 2026 {t}:00 {half}",{v}', 0),
        ("station,time,pm25", '{s},"Thu, 15 Jan 2026 {utc:02d}:00:00 GMT",{v}', 0),
        ("station,time,pm25", "{s},2026-01-15 {h}:00 UTC+8,{v}", 0),
        ("station,time,pm25", "{s},2026-01-15 {n}:00 JST,{v}", 0),
        ("station,time,pm25", "{s},{epoch},{v}", 0),
        ("station,timestamp,pm25", "{s},{epoch}000,{v}", 0),
        ("station,time,pm25", "{s},2026-01-15 {h:02d}:00-{n:02d}:00,{v}", 1),
        ("station,time,pm25", "{s},2026-01-15 {h}时至{n}时,{v}", 1),
        ("station,date,hour,pm25", "{s},2026-01-15,{h:02d}:00~{n:02d}:00,{v}", 1),
        ("From Date,To Date,Station,PM2.5 (ug/m3)", "15-01-2026 {h}:00,15-01-2026 {n}:00,{s},{v}", 1),
        ("station,开始时间,PM2.5", "{s},2026-01-15 {h}:00,{v}", 1),
        ("location_id,location,datetime,lat,lon,parameter,units,value", "{s},x,2026-01-15T{h:02d}:00:00+08:00,39,116,pm25,µg/m³,{v}", 0),
        ("Site Num,Parameter Name,Date GMT,Time GMT,Sample Measurement,Units of Measure",
         "{s},PM2.5 - Local Conditions,2026-01-15,{utc:02d}:00,{v},Micrograms/cubic meter (LC)", 1),
        ("station,time,PM2.5\n,,µg/m³", "{s},2026-01-15 {h}:00,{v}", 0),
    ],
)  # fmt: skip
def test_each_kind_gives_its_values(tmp_path, header, form, later) -> None:
    put(tmp_path, f"{header}\n{rows(form)}")
    for code in ("A1", "B2"):
        hours = by_station(read_folder(tmp_path, REGISTRY))[code]["pm25"]
        assert hours.index.tolist() == (ENDS + timedelta(hours=later)).tolist()
        assert hours.tolist() == [40.0, 41.0, 42.0, 43.0, 44.0, 45.0]


@pytest.mark.parametrize("first", [0, 1])
def test_a_column_an_hour(tmp_path, first) -> None:
    names = ",".join(f"{hour:02d}時" for hour in range(first, first + 24))
    values = ",".join(str(30 + hour) for hour in range(24))
    path = put(tmp_path, f"測定局コード,測定年月日,測定項目,{names}\nA1,20260115,PM2.5,{values}\n")
    hours = by_station(read_folder(tmp_path, REGISTRY))["A1"]["pm25"]
    assert hours.index[0] == pd.Timestamp("2026-01-14T16:00") + timedelta(hours=first)
    assert hours.tolist() == [30.0 + hour for hour in range(24)]
    found = examine(path, REGISTRY)
    # Whether 0 to 23 begin or end hours is not told by them.
    assert any("0 to 23" in doubt for doubt in found.findings.doubts) == (first == 0)
    same_by_its_mapping(tmp_path, path, found)


def same_by_its_mapping(folder: Path, path: Path, found: Examined) -> None:
    (folder / "mapping.toml").write_text(written(found.mapping), encoding="utf-8")
    assert read_mapping(folder / "mapping.toml") == found.mapping
    pd.testing.assert_frame_equal(examine(path, REGISTRY).values, found.values)


def test_a_column_an_hour_of_what_the_file_name_says(tmp_path) -> None:
    names = ",".join(str(hour) for hour in range(1, 25))
    path = put(tmp_path, f"station,date,{names}\nA1,2026-01-15,{','.join(['7'] * 24)}\n", "pm25_2026.csv")
    found = examine(path, REGISTRY)
    assert found.values["quantity"].unique().tolist() == ["pm25"] and len(found.values) == 24
    same_by_its_mapping(tmp_path, path, found)
    path.rename(tmp_path / "b.csv")
    (tmp_path / "mapping.toml").unlink()
    with pytest.raises(InputError, match="at least one quantity"):
        examine(tmp_path / "b.csv", REGISTRY)
    assert len(examine(tmp_path / "b.csv", REGISTRY, hints=Hints(variable="pm25", unit="ug/m3")).values) == 24


def test_stations_named_as_hours_are_stations() -> None:
    assert hours_in(["date", *map(str, range(23))]) is None


@pytest.mark.parametrize(
    ("header", "form", "says"),
    [
        ("station,time,pm25,pm25", "{s},2026-01-15 {h}:00,{v},{n}", r"columns 'pm25': found 10 and 40"),
        ("station,start,end,pm25", "{s},2026-01-15 {h}:00,2026-01-16 {h}:00,{v}", "rows of an hour"),
        ("station,time,pm25", "{s},2026-01-15 {h}:00 CST,{v}", 'zone = "Asia/Shanghai" in a mapping'),
        ("station,time,pm25", "{s},01/02/2026 {t}:00 {half},{v}", "day and month"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_by_name(tmp_path, header, form, says) -> None:
    path = put(tmp_path, f"{header}\n{rows(form)}")
    try:
        found = examine(path, REGISTRY)
    except InputError as error:
        assert says in str(error).replace("\\", "") or pytest.fail(str(error))
    else:
        assert found.values.empty and says in str(found.findings.faults[0])


def test_means_of_ten_minutes_are_no_hours(tmp_path) -> None:
    text = "".join(f"A1,2026-01-15 {hour:02d}:{minute:02d},5\n" for hour in HOURS for minute in range(0, 60, 10))
    with pytest.raises(InputError, match="30 of 36 stamps within hours; expected hourly values"):
        examine(put(tmp_path, f"station,time,pm25\n{text}"), REGISTRY)


def test_flags_cost_their_values_once_a_mapping_says_which(tmp_path) -> None:
    text = "station,time,pm25,pm25_flag,o3(ug/m3)\nA1,2026-01-15 09:00,40,N,7\nA1,2026-01-15 10:00,900,H,8\n"
    path = put(tmp_path, text)
    found = examine(path, REGISTRY)
    assert any("pm25_flag" in doubt for doubt in found.findings.doubts)
    mapping = written(found.mapping) + '"pm25_flag" = { is = "flag", of = "pm25", valid = ["N"] }\n'
    (tmp_path / "mapping.toml").write_text(mapping)
    assert 'valid = ["N"]' in written(read_mapping(tmp_path / "mapping.toml"))
    told = examine(path, REGISTRY)
    assert told.findings.counts["cells_flagged"] == 1 and not told.findings.faults
    hours = by_station(read_folder(tmp_path, REGISTRY))["A1"]
    np.testing.assert_array_equal(hours[["pm25", "o3"]], [[40.0, 7.0], [np.nan, 8.0]])


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ('{ is = "flag" }', "valid"),
        ('{ is = "flag", of = "pm10", valid = ["N"] }', "of names the column"),
        ('{ is = "pm25", unit = "ug/m3", valid = ["N"] }', "valid"),
    ],
)
def test_a_flag_that_says_too_little_is_refused(tmp_path, column, says) -> None:
    text = f'[columns]\nstation = "station"\ntime = "time"\npm25 = {{ is = "pm25", unit = "ug/m3" }}\nflag = {column}\n'
    (tmp_path / "mapping.toml").write_text(text)
    with pytest.raises(InputError, match=says):
        read_mapping(tmp_path / "mapping.toml")


@given(st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)))
def test_an_hour_is_the_same_however_it_is_written(time) -> None:
    start = time.replace(minute=0, second=0, microsecond=0)
    forms = [
        "%Y-%m-%d %I:%M %p",
        "%d-%b-%Y %H:%M",
        "%b %d, %Y %I %p",
        "%Y%m%d%H",
        "%d.%m.%Y %H:%M",
        "%a, %d %b %Y %H:%M:%S",
    ]
    assert {parse_stamp(start.strftime(form)).local for form in forms} == {start}
    end = start + timedelta(hours=1)
    assert parse_range(f"{start:%Y-%m-%d %H:%M}-{end:%H:%M}").local == start
    assert parse_range(f"{start:%Y-%m-%d %H:%M} - {end:%Y-%m-%d %H:%M}").local == start
    assert not are_ranges([f"{start:%Y-%m-%d %H:%M}{offset}" for offset in ("-03:00", "+08:00")])
    for wrong in (f"{start:%Y-%m-%d %H:%M}-{end + timedelta(hours=2):%H:%M}", f"{start:%Y-%m-%d %H:%M}"):
        with pytest.raises(UnreadableError):
            parse_range(wrong)


def test_numbers_of_points_are_no_degrees(tmp_path) -> None:
    """Sixteen points by their numbers, as networks of Japan write them: 4 is east."""
    text = "".join(f"{{s}},2026-01-15 {hour}:00,{40 + n},{code},2\n" for n, (hour, code) in enumerate(zip(HOURS, [4, 16, 12, 0, 8, 2], strict=True)))  # fmt: skip
    path = put(tmp_path, "測定局コード,日時,PM2.5,風向,風速(m/s)\n" + text.replace("{s}", "A1"))
    found = examine(path, REGISTRY)
    assert "wind_direction" not in set(found.values["quantity"]) and len(found.values) == 12
    assert any("'風向' is not used: whole numbers up to 16" in doubt for doubt in found.findings.doubts)
    path.write_text(path.read_text().replace(",16,", ",270,"))
    assert 270.0 in examine(path, REGISTRY).values["value"].tolist()


def test_the_time_of_measurement_goes_before_that_of_publication(tmp_path) -> None:
    form = "{s},2026-01-15 {n}:00,2026-01-15 {h}:00,{v}"
    found = examine(put(tmp_path, f"站点编号,发布时间,监测时间,PM2.5\n{rows(form)}"), REGISTRY)
    assert found.values["time"].unique().tolist() == ENDS.tolist()
    assert any("'发布时间' is not used" in doubt for doubt in found.findings.doubts)
    form = form.replace("2026-01-15 {h}:00,", "")
    assert len(examine(put(tmp_path, f"站点编号,发布时间,PM2.5\n{rows(form)}"), REGISTRY).values) == 12


def test_of_two_columns_of_stations_the_one_with_known_codes_is_taken(tmp_path) -> None:
    found = examine(put(tmp_path, f"site,code,time,pm25\n{rows('Park,{s},2026-01-15 {h}:00,{v}')}"), REGISTRY)
    assert len(found.values) == 12 and any("'site' is not used" in doubt for doubt in found.findings.doubts)


@pytest.mark.parametrize("below", ["station,time,pm10", "station,time,pm10,pm25", "site,time,pm25"])
def test_rows_below_other_names_are_not_read_as_those_above(tmp_path, below) -> None:
    """Two exports in one file, the second with other columns."""
    other = "".join(f"A1,2026-01-15 {hour}:00,900{',901' * (below.count(',') - 2)}\n" for hour in (20, 21))
    path = put(tmp_path, f"station,time,pm25\n{rows('{s},2026-01-15 {h}:00,{v}')}{below}\n{other}")
    found = examine(path, REGISTRY)
    assert found.values["value"].max() == 45.0 and len(found.values) == 12
    assert found.findings.counts["rows_below_other_names"] == 3
    assert f"line 14: found {below}; expected the names of the table; 3 rows are not read" in str(
        found.findings.faults[0]
    )


@pytest.mark.parametrize(("step", "said"), [(8, True), (3, True), (1, False)])
def test_steps_of_several_hours_are_said(tmp_path, step, said) -> None:
    text = "".join(f"A1,2026-01-{15 + n // 24} {n % 24}:00,{n}\n" for n in range(0, 48, step))
    found = examine(put(tmp_path, f"station,time,pm25\n{text}"), REGISTRY)
    assert len(found.values) == 48 // step
    assert any(f"times at least {step} h apart" in doubt for doubt in found.findings.doubts) == said


def test_names_of_stations_with_other_blanks(tmp_path) -> None:
    path = put(tmp_path, "Station Name,time,pm25\nDongcheng  Park,2026-01-15 9:00,40\n")
    (tmp_path / "stations.csv").write_text("code,name,city\nA1,Dongcheng Park,beijing\n")
    assert examine(path, REGISTRY).values["station"].tolist() == ["A1"]


WIDE = "time,A1,B2\n{units}" + "".join(
    f"2026-01-15 {hour}:00,{value},{value}\n" for value, hour in enumerate(HOURS, 40)
)


def long(name: str, more: str = "", cells: str = "") -> str:
    return f"station,time,{name}{more}\n" + rows("{s},2026-01-15 {h}:00,{v}" + cells)


@pytest.mark.parametrize(
    ("name", "text", "units"),
    [
        # A row of units of a table with a column a station.
        ("o3.csv", WIDE.format(units=",ppb,ppb\n"), {"o3": "ppb"}),
        ("pm10.csv", WIDE.format(units=",mg/m3,mg/m3\n"), {"pm10": "mg/m3"}),
        ("o3.csv", WIDE.format(units=",ppb,ug/m3\n"), "its unit is ppb and ug/m3"),
        ("o3.csv", WIDE.format(units=""), {"o3": "ug/m3"}),
        # The same over or beside stations that have a column for each quantity.
        ("a.csv", "time,A1_o3,B2_o3\n,ppb,ppb\n" + WIDE.format(units="").partition("\n")[2], {"o3": "ppb"}),
        ("a.csv", "time,A1,B2\n,o3,o3\n单位,ppb,ppb\n" + WIDE.format(units="").partition("\n")[2], {"o3": "ppb"}),
        ("a.csv", "time,A1_o3,B2_o3\n,ppb,ug/m3\n" + WIDE.format(units="").partition("\n")[2], "its unit is ppb and ug/m3"),
        # The file's name.
        ("o3_ppb_2026.csv", WIDE.format(units=""), {"o3": "ppb"}),
        ("O3(ppb).csv", WIDE.format(units=""), {"o3": "ppb"}),
        # A column of units, of all quantities or of one.
        ("a.csv", long("o3", ",unit", ",ppb"), {"o3": "ppb"}),
        ("a.csv", long("pm25", ",单位", ",mg/m³"), {"pm25": "mg/m3"}),
        ("a.csv", long("o3", ",o3_unit,pm25,pm25_unit", ",ppb,7,ug/m3"), {"o3": "ppb", "pm25": "ug/m3"}),
        ("a.csv", long("o3", ",unit", ",ppb") + "A1,2026-01-15 20:00,60,ppm\n", "its unit is ppb and ppm"),
        # The name of a column of values, and a row of units below it.
        ("a.csv", long("item", ",value(mg/m³)", "").replace(",4", ",PM2.5,4"), {"pm25": "mg/m3"}),
        ("a.csv", long("item", ",value", "").replace(",4", ",O3,4").replace("value\n", "value\n,,,ppb\n"), {"o3": "ppb"}),
        # Lines around the table.
        ("a.csv", "臭氧监测数据 单位：ppb,,\n" + long("o3"), {"o3": "ppb"}),
        ("a.csv", long("o3") + "unit: ppb,,\n", {"o3": "ppb"}),
        ("a.csv", "单位：μg/m³（CO为mg/m³）,,\n" + long("o3", ",pm25", ",7"), {"pm25": "ug/m3"}),
        ("a.csv", "单位：mg/m³,,\n" + long("pm25"), {"pm25": "mg/m3"}),
        ("a.csv", "单位：μg/m³,,\n" + long("pm25"), {"pm25": "ug/m3"}),
    ],
)  # fmt: skip
def test_a_unit_that_is_stated_anywhere_is_the_unit(tmp_path, name, text, units) -> None:
    path = put(tmp_path, text, name)
    try:
        found = examine(path, REGISTRY)
    except InputError as error:
        assert isinstance(units, str) and units in str(error)
        return
    values = found.values
    assert dict(zip(values["quantity"], values["unit"], strict=True)) == units
    assert values["value"][values["quantity"] == next(iter(units))].min() in (40.0, 7.0)
    same_by_its_mapping(tmp_path, path, found)


@pytest.mark.parametrize(
    "name", ["pm25_24h.csv", "o3_8h.csv", "pm25_iaqi.csv", "PM2.5日均值_2026.csv", "pm25_forecast.csv", "o3_max.csv"]
)
def test_a_file_of_another_statistic_is_not_taken_for_hours(tmp_path, name) -> None:
    path = put(tmp_path, WIDE.format(units=""), name)
    with pytest.raises(InputError, match="what the values of a table with a column a station are"):
        examine(path, REGISTRY)
    assert len(examine(path, REGISTRY, hints=Hints(variable="pm25", unit="ug/m3")).values) == 12


UTC = "station,time,{more}pm25\n" + rows("{s},2026-01-15 {utc:02d}:00,{{cell}}{v}")


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        (UTC.format(more="timezone,", cell="UTC,"), ""),
        (UTC.format(more="时区,", cell="+00:00,"), ""),
        ("时间均为UTC,,\n" + UTC.format(more="", cell=""), ""),
        (UTC.format(more="timezone,", cell="UTC,") + "A1,2026-01-15 20:00,JST,9\n", "JST, UTC is no one time zone"),
        (UTC.format(more="timezone,", cell="local,"), "local is no one time zone"),
    ],
)
def test_a_zone_beside_the_stamps_is_theirs(tmp_path, text, doubt) -> None:
    path = put(tmp_path, text)
    found = examine(path, REGISTRY)
    if doubt:
        assert any(doubt in one for one in found.findings.doubts)
    else:
        assert found.values["time"].unique().tolist() == ENDS.tolist() and not found.findings.doubts
        same_by_its_mapping(tmp_path, path, found)


@pytest.mark.parametrize(
    ("name", "usual", "other", "said"),
    [
        ("flag", "N", "H", "may flag values"),
        ("Qualifier", "", "IT", "may flag values"),
        ("PM2.5_mark", "", "#", "may flag values"),
        ("数据类型", "小时值", "日均值", "says '日均值'"),
        ("averagingTime", "1 hour", "24 hours", "says '24 hours'"),
        ("remark", "a", "b", ""),
    ],
)
def test_what_the_last_row_says_is_said(tmp_path, name, usual, other, said) -> None:
    hours = pd.date_range("2025-01-01", periods=2_100, freq="h")
    lines = [f"A1,{hour:%Y-%m-%d %H}:00,40,{usual}" for hour in hours[:-1]]
    text = "\n".join([f"station,time(UTC),pm25,{name}", *lines, f"A1,{hours[-1]:%Y-%m-%d %H}:00,40,{other}"])
    doubts = examine(put(tmp_path, text), REGISTRY).findings.doubts
    assert any(said in doubt and name in doubt for doubt in doubts) if said else not doubts


def test_numbers_that_became_fractions(tmp_path) -> None:
    for stamp in ("2026011509.0", "1768438800.0"):
        found = examine(put(tmp_path, f"station,time,pm25\nA1,{stamp},40\n"), REGISTRY)
        assert found.values["time"].tolist() == [ENDS[0]]


def test_an_item_that_comes_late_is_read(tmp_path) -> None:
    """A table ordered by its items: those of ozone begin after the first two thousand rows."""
    hours = pd.date_range("2025-01-01", periods=2_100, freq="h")
    lines = [f"A1,{hour:%Y-%m-%d %H}:00,{item},{n % 50 + 1}" for item in ("PM2.5", "O3(ppb)") for n, hour in enumerate(hours)]  # fmt: skip
    found = examine(put(tmp_path, "\n".join(["station,time(UTC),item,value", *lines])), REGISTRY)
    assert found.values.groupby("quantity").size().to_dict() == {"o3": 2_100, "pm25": 2_100}


def test_units_of_items_over_stations_are_told_by_their_values(tmp_path) -> None:
    """Carbon monoxide by its name alone would be in ug/m3."""
    lines = [f"20260115,{hour},{item},{value},{value}" for hour in HOURS for item, value in (("pm25", 40), ("co", 0.6))]
    found = examine(put(tmp_path, "\n".join(["date,hour,type,A1,B2", *lines])), REGISTRY)
    assert set(found.values["quantity"]) == {"pm25"}
    assert any("item 'co' is not used" in doubt and "hardly in ug/m3" in doubt for doubt in found.findings.doubts)


@pytest.mark.parametrize("station", ["A1", "both"])
def test_hour_0_behind_hour_23_of_its_day_is_said(tmp_path, station) -> None:
    codes = ["A1"] if station == "A1" else ["A1", "B2"]
    written = [(15, hour) for hour in (*range(1, 24), 0)] + [(16, hour) for hour in (*range(1, 24), 0)]
    text = "".join(f"{code},2026-01-{day} {hour:02d}:00,7\n" for day, hour in written for code in codes)
    doubts = examine(put(tmp_path, f"station,time(UTC+8),pm25\n{text}"), REGISTRY).findings.doubts
    line = 1 + 23 * len(codes) + 1
    assert len(doubts) == 1 and f"line {line}: hour 0 behind hour 23" in doubts[0]
    # In order, reversed, or in no order nothing is said.
    for order in (sorted(written), sorted(written, reverse=True), sorted(written, key=lambda at: at[1] * 7 % 24)):
        text = "".join(f"{code},2026-01-{day} {hour:02d}:00,7\n" for day, hour in order for code in codes)
        assert not examine(put(tmp_path, f"station,time(UTC+8),pm25\n{text}"), REGISTRY).findings.doubts


def test_items_of_a_day_one_after_the_other_are_in_order(tmp_path) -> None:
    lines = [f"A1,2026-01-15 {hour:02d}:00,{item},7" for item in ("PM2.5", "PM10", "O3(ug/m3)") for hour in range(24)]
    path = put(tmp_path, "\n".join(["station,time(UTC+8),item,value", *lines]))
    assert not examine(path, REGISTRY).findings.doubts


def test_files_of_other_kinds_are_named(tmp_path) -> None:
    put(tmp_path, long("pm25"))
    for name in ("2026-02.rar", "b.XLSB", "readme.md", ".hidden.rar"):
        (tmp_path / name).write_bytes(b"x")
    findings = read_folder(tmp_path, REGISTRY).findings
    assert findings.counts["files_of_other_kinds"] == 2
    assert sorted(fault.found for fault in findings.faults) == [".XLSB", ".rar"]
