"""Mapping files: what they say holds, what is wrong in them is named, and any way to write a table gives its values."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.folder import by_station, read_folder
from hazecast.grids.observations.tables.mapping import Mapping, mapping_of, read_mapping, written
from hazecast.grids.places.cities import load_registry

REGISTRY = load_registry()
STATIONS = "code,city\nA1,beijing\nB2,beijing\n"
WHOLE = '[columns]\nsite = "station"\nwhen = "time"\nPM = { is = "pm25", unit = "ug/m3" }\n'


def read(folder: Path, text: str, mapping: str, encoding: str = "utf-8") -> dict[str, pd.DataFrame]:
    (folder / "stations.csv").write_text(STATIONS)
    (folder / "mapping.toml").write_text(mapping, encoding="utf-8")
    (folder / "a.csv").write_bytes(text.encode(encoding))
    return by_station(read_folder(folder, REGISTRY))


@pytest.mark.parametrize(
    ("time", "hour"),
    [
        ("", "2026-01-11T10:00"),
        ('zone = "Asia/Tokyo"', "2026-01-11T09:00"),
        ('zone = "+08:00"\nstamp = "start"', "2026-01-11T11:00"),
        ('zone = "UTC"', "2026-01-11T18:00"),
        ('format = "%Y/%d/%m %H"', "2026-11-01T10:00"),
    ],
)
def test_stamps_as_mapped(tmp_path, time, hour) -> None:
    stamp = "2026/01/11 18" if "format" in time else "2026/01/11 18:00"
    hours = read(tmp_path, f"site,when,PM\nA1,{stamp},50\n", f"[time]\n{time}\n{WHOLE}")["A1"]
    assert hours.index[0] == pd.Timestamp(hour) and hours["pm25"].tolist() == [50.0]


@pytest.mark.parametrize(
    ("form", "stamp", "hour"),
    [
        ("%y-%m-%d %H:%M", "26-01-11 18:00", "2026-01-11T10:00"),
        ("%d/%m/%y %H", "11/01/26 24", "2026-01-11T16:00"),
        ("%y%m%d%H", "26011124", "2026-01-11T16:00"),
        ("%Y%m%d%H", "2026011124", "2026-01-11T16:00"),
        ("%y%m%d%H", "26012418", "2026-01-24T10:00"),
        ("%Y-%m-%d %H:%M CST", "2026-01-11 18:00 CST", "2026-01-11T10:00"),
    ],
)
def test_years_of_two_digits_and_hour_24_by_a_form(tmp_path, form, stamp, hour) -> None:
    hours = read(tmp_path, f"site,when,PM\nA1,{stamp},50\n", f'[time]\nformat = "{form}"\n{WHOLE}')["A1"]
    assert hours.index.tolist() == [pd.Timestamp(hour)] and hours["pm25"].tolist() == [50.0]


@pytest.mark.parametrize(("zone", "hour"), [("JST", 9), ("kst", 9), ("GMT", 18), ("CST", None)])
def test_abbreviations_that_are_one_zone_alone(tmp_path, zone, hour) -> None:
    text, mapping = "site,when,PM\nA1,2026-01-11 18:00,50\n", f'[time]\nzone = "{zone}"\n{WHOLE}'
    if hour is None:
        with pytest.raises(InputError, match=r"'CST'.*Asia/Shanghai"):
            read(tmp_path, text, mapping)
    else:
        assert read(tmp_path, text, mapping)["A1"].index[0] == pd.Timestamp(f"2026-01-11T{hour:02d}:00")


STEPS = """[time]
step_minutes = {minutes}
stamp = "{stamp}"
[columns]
site = "station"
when = "time"
PM = {{ is = "pm25", unit = "mg/m3" }}
rain = {{ is = "precipitation", unit = "mm" }}
speed = {{ is = "wind_speed", unit = "m/s" }}
angle = {{ is = "wind_direction", unit = "degrees" }}
"""


@pytest.mark.parametrize(("minutes", "stamp"), [(10, "end"), (10, "start"), (15, "end"), (30, "start")])
def test_hours_are_made_of_the_steps_that_a_mapping_names(tmp_path, minutes, stamp) -> None:
    steps = 60 // minutes
    ends = pd.date_range("2026-01-11 18:00", periods=2 * steps, freq=f"{minutes}min") + pd.Timedelta(minutes=minutes)
    stamps = ends if stamp == "end" else ends - pd.Timedelta(minutes=minutes)
    rows = [f"A1,{at:%Y-%m-%d %H:%M},{0.05 + n / 1000},0.5,5,{350 if n % 2 else 10}" for n, at in enumerate(stamps)]
    text = "\n".join(["site,when,PM,rain,speed,angle", *rows, rows[0]]) + "\n"
    hours = read(tmp_path, text, STEPS.format(minutes=minutes, stamp=stamp))["A1"]
    assert hours.index.tolist() == [pd.Timestamp("2026-01-11T11:00"), pd.Timestamp("2026-01-11T12:00")]
    np.testing.assert_allclose(hours["pm25"], [50 + (steps - 1) / 2, 50 + steps + (steps - 1) / 2])
    np.testing.assert_allclose(hours["tp"], 0.5 * steps)
    np.testing.assert_allclose(hours["u10"], 0.0, atol=1e-6)
    np.testing.assert_allclose(hours["v10"], -5.0)


def test_an_hour_of_too_few_steps_is_missing_and_named(tmp_path) -> None:
    cells = ["50", "", "50", "50", "50", "56", "50", "", "", "50", "50", "50"]
    at = pd.date_range("2026-01-11 18:10", periods=12, freq="10min")
    rows = [f"A1,{time:%Y-%m-%d %H:%M},{cell}" for time, cell in zip(at, cells, strict=True)]
    (tmp_path / "stations.csv").write_text(STATIONS)
    (tmp_path / "mapping.toml").write_text(f"[time]\nstep_minutes = 10\n{WHOLE}")
    (tmp_path / "a.csv").write_text(
        "\n".join(["site,when,PM", *rows, "A1,2026-01-11 20:05,50", "A1,2026-01-11 18:10,60"])
    )
    data = read_folder(tmp_path, REGISTRY)
    # The first hour lacks a step, which is given twice: it says nothing; the second one's are reported as missing.
    hours = by_station(data)["A1"]["pm25"]
    assert hours.index.tolist() == [pd.Timestamp("2026-01-11T12:00")] and hours.isna().all()
    told = [str(fault) for fault in data.findings.faults]
    assert any("line 14" in text and "a multiple of 10 minutes" in text for text in told)
    assert any("lines" not in text and "50, 60 as pm25 of A1 at 2026-01-11 10:10:00 UTC" in text for text in told)
    assert data.findings.counts["hours_incomplete"] == 2 and any("4 of 6 steps" in text for text in told)


def test_calm_steps_have_no_direction(tmp_path) -> None:
    at = pd.date_range("2026-01-11 18:10", periods=12, freq="10min")
    winds = [(0, 0)] * 3 + [(6, 90)] * 3 + [(0, 0)] * 6
    rows = [f"A1,{time:%Y-%m-%d %H:%M},,,{speed},{angle}" for time, (speed, angle) in zip(at, winds, strict=True)]
    text = "\n".join(["site,when,PM,rain,speed,angle", *rows]) + "\n"
    hours = read(tmp_path, text, STEPS.format(minutes=10, stamp="end"))["A1"]
    np.testing.assert_allclose(hours[["u10", "v10"]], [[-3.0, 0.0], [0.0, 0.0]], atol=1e-6)


def test_opposite_directions_have_no_mean(tmp_path) -> None:
    winds = {"18:30": 90, "19:00": 270, "19:30": 90, "20:00": 90}
    rows = [f"A1,2026-01-11 {at},,,5,{angle}" for at, angle in winds.items()]
    text = "\n".join(["site,when,PM,rain,speed,angle", *rows]) + "\n"
    hours = read(tmp_path, text, STEPS.format(minutes=30, stamp="end"))["A1"]
    np.testing.assert_allclose(hours[["u10", "v10"]], [[np.nan, np.nan], [-5.0, 0.0]], atol=1e-6)


def test_steps_are_not_given_as_starts_and_ends(tmp_path) -> None:
    with pytest.raises(InputError, match="step_minutes for stamps that are the end or the start"):
        read(tmp_path, "site,when,PM\n", f'[time]\nstep_minutes = 10\nstamp = "range"\n{WHOLE}')


def test_marks_sheets_and_stations_as_mapped(tmp_path) -> None:
    mapping = f'[file]\nmissing = ["检修"]\n{WHOLE}[stations]\nA1 = "tokyo"\n'
    (tmp_path / "mapping.toml").write_text(mapping, encoding="utf-8")
    (tmp_path / "a.csv").write_text("site,when,PM\nA1,2026-01-11 18:00,检修\nA1,2026-01-11 19:00,5\n", encoding="utf-8")
    data = read_folder(tmp_path, REGISTRY)
    assert data.stations["A1"].city == "tokyo" and not data.findings.faults and not data.findings.doubts
    assert by_station(data)["A1"]["pm25"].dropna().index.tolist() == [pd.Timestamp("2026-01-11T10:00")]


def test_the_mapping_named_as_the_table_goes_first(tmp_path) -> None:
    below = tmp_path / "2026"
    below.mkdir()
    (tmp_path / "mapping.toml").write_text(WHOLE)
    assert mapping_of(below / "a.csv.gz", tmp_path) == tmp_path / "mapping.toml"
    (below / "a.toml").write_text(WHOLE)
    assert mapping_of(below / "a.csv.gz", tmp_path) == below / "a.toml"
    assert mapping_of(tmp_path.parent / "b.csv", tmp_path.parent) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[columns", "TOML"),
        (WHOLE + "[time]\nzone = 'Mars'\n", "time: found .*an IANA time zone"),
        (WHOLE + "[time]\nstamp = 'middle'\n", "time.stamp: found middle"),
        (WHOLE.replace("ug/m3", "ppb"), "unit of pm25: one of ug/m3, mg/m3"),
        (WHOLE.replace("pm25", "pm26"), "one of station"),
        (WHOLE + "[file]\nseparator = ',,'\n", "file.separator"),
        (WHOLE + "[time]\nformat = '%Y%Y'\n", "time: .*format is one of datetime.strptime"),
        (WHOLE + "[file]\nheader_line = " + "9" * 5_000, "TOML"),
        ("columns = " + "[" * 5_000, "TOML"),
        (WHOLE + "[file]\nencodng = 'gbk'\n", "file.encodng"),
        ('[columns]\nwhen = "time"\n', "at least one quantity"),
        ('[columns]\nwhen = "date"\nPM = { is = "pm25", unit = "ug/m3" }\n', "columns: one of time"),
        ('[columns]\nwhen = "time"\nPM = { is = "pm25", unit = "ug/m3" }\n', "columns: one of station"),
        ('[columns]\nsite = "station"\nwhen = "time"\nPM = "pm25"\n', "PM: a unit"),
        ('[table]\nlayout = "wide"\n[columns]\nwhen = "time"\n', "variable and unit"),
        ('[table]\nlayout = "items"\n[columns]\nwhen = "time"\n', "one of variable"),
        ('[table]\nlayout = "wide"\nvariable = "pm25"\n[columns]\nwhen = "time"\n', "unit of pm25"),
    ],
)
def test_what_is_wrong_in_a_mapping_is_named(tmp_path, text, says) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"mapping\.toml.*{says}"):
        read_mapping(path)


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        (WHOLE + "[file]\nencoding = 'klingon'\n", "encoding: found klingon"),
        (WHOLE + '[file]\nencoding = "\\u0000"\n', "an encoding that Python knows"),
        (WHOLE + "[file]\nheader_line = 9\n", "line 9: found no row"),
        (WHOLE.replace("PM =", "PN ="), "also PN, as mapped"),
        (WHOLE.replace('site = "station"', "") + "[table]\nstation = 'X'\n", "station: found X"),
    ],
)
def test_a_mapping_that_does_not_fit_its_table(tmp_path, mapping, says) -> None:
    with pytest.raises(InputError, match=says):
        read(tmp_path, "site,when,PM\nA1,2026-01-11 18:00,50\n", mapping)


NAMES = st.text("站点时间值ab Cµ.(%)9#'", min_size=1, max_size=6).filter(lambda name: name == name.strip())
VALUES = st.one_of(st.none(), st.integers(0, 9_000).map(lambda tenths: tenths / 10))


@settings(max_examples=20, deadline=None)
@given(
    names=st.lists(NAMES, min_size=3, max_size=3, unique=True).filter(lambda n: not {*n} & {"A1", "B2"}),
    rows=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6),
    encoding=st.sampled_from(["utf-8", "utf-16", "gb18030"]),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    layout=st.sampled_from(["long", "items", "wide"]),
    zone=st.sampled_from(["UTC", "Asia/Tokyo", "+05:30", "stamp"]),
    stamp=st.sampled_from(["end", "start"]),
    unit=st.sampled_from([("ug/m3", 1.0), ("mg/m3", 1_000.0)]),
)
def test_however_a_table_is_written_its_values_are_read(
    names, rows, encoding, separator, decimal, layout, zone, stamp, unit
) -> None:
    if decimal == separator:
        decimal = "."
    station, time, other = names
    first = datetime(2026, 1, 11, 10)
    offset = {"UTC": 0.0, "Asia/Tokyo": 9.0, "+05:30": 5.5, "stamp": -3.0}[zone]

    def cell(value: float | None) -> str:
        return "" if value is None else str(value).replace(".", decimal)

    def local(hour: int) -> str:
        at = first + timedelta(hours=hour + offset - (stamp == "start"))
        return f"{at:%Y-%m-%d %H:%M}" + ("-03:00" if zone == "stamp" else "")

    table = {"layout": layout}
    quantity = {"is": "pm25", "unit": unit[0]}
    columns: dict[str, object] = {time: "time"}
    items = {}
    if layout == "wide":
        lines = [[time, "A1", "B2"], *([local(n), cell(a), cell(b)] for n, (a, b) in enumerate(rows))]
        table |= {"variable": "pm25", "unit": unit[0]}
    else:
        pairs = [(n, code, value) for n, row in enumerate(rows) for code, value in zip(("A1", "B2"), row, strict=True)]
        columns |= {station: "station", other: quantity if layout == "long" else "value"}
        lines = [[station, time, other], *([code, local(n), cell(value)] for n, code, value in pairs)]
        if layout == "items":
            lines = [[*lines[0], "w"], *([*line, "fine"] for line in lines[1:])]
            columns, items = columns | {"w": "variable"}, {"fine": quantity}
    mapping = Mapping.model_validate(
        {
            "file": {"encoding": encoding, "separator": separator, "decimal": decimal},
            "time": {"zone": zone, "stamp": stamp},
            "table": table,
            "columns": columns,
            "items": items,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        found = read(path, "\n".join(separator.join(line) for line in lines) + "\n", written(mapping), encoding)
        assert read_mapping(path / "mapping.toml") == mapping
    for at, code in enumerate(("A1", "B2")):
        hours = found[code]["pm25"].reindex(pd.date_range(first, periods=len(rows), freq="h"))
        expected = [np.nan if row[at] is None else row[at] * unit[1] for row in rows]
        np.testing.assert_allclose(hours, expected, rtol=1e-9)


def test_the_zones_of_the_round_trip_are_what_they_are_taken_for() -> None:
    assert ZoneInfo("Asia/Tokyo").utcoffset(datetime(2026, 1, 11)) == timedelta(hours=9)


def test_an_hour_whose_steps_are_in_two_files_is_made_of_both(tmp_path) -> None:
    """Files of a day from 00:10 to 24:00, as stamps of ends are, or from 00:00 to 23:50: midnight ends an hour of both."""
    (tmp_path / "stations.csv").write_text(STATIONS)
    (tmp_path / "mapping.toml").write_text(f"[time]\nstep_minutes = 10\n{WHOLE}")
    steps = pd.date_range("2026-01-11 23:10", periods=6, freq="10min")
    lines = [f"A1,{time:%Y-%m-%d %H:%M},{value}" for time, value in zip(steps, [40, 40, 40, 40, 40, 100], strict=True)]
    (tmp_path / "0111.csv").write_text("\n".join(["site,when,PM", *lines[:5]]))
    (tmp_path / "0112.csv").write_text("\n".join(["site,when,PM", lines[5]]))
    data = read_folder(tmp_path, REGISTRY)
    hours = by_station(data)["A1"]
    assert hours.index.tolist() == [pd.Timestamp("2026-01-11T16:00")] and hours["pm25"].tolist() == [50.0]
    assert not data.findings.faults and data.findings.counts["values_taken"] == 1


@pytest.mark.parametrize("cell", ["888", "888.0", "８８８", "888.000"])
def test_a_mark_that_is_a_number_is_it_however_written(tmp_path, cell) -> None:
    text = f"site,when,PM\nA1,2026-01-11 18:00,50\nA1,2026-01-11 19:00,{cell}\nA1,2026-01-11 20:00,888.5\n"
    hours = read(tmp_path, text, f'[file]\nmissing = ["888"]\n{WHOLE}')["A1"]["pm25"]
    np.testing.assert_array_equal(hours, [50.0, np.nan, 888.5])


def test_items_are_known_in_any_case_and_width(tmp_path) -> None:
    mapping = """[table]
layout = "items"
[columns]
site = "station"
when = "time"
item = "variable"
value = "value"
[items]
"PM2.5" = { is = "pm25", unit = "ug/m3" }
"""
    text = "site,when,item,value\nA1,2026-01-11 18:00,pm2.5,50\nA1,2026-01-11 19:00,ＰＭ2.5,51\nA1,2026-01-11 19:00,PM1,9\n"
    assert read(tmp_path, text, mapping)["A1"]["pm25"].tolist() == [50.0, 51.0]


@pytest.mark.parametrize("valid", ["true", "True", "TRUE"])
def test_a_truth_value_is_a_flag_in_any_case(tmp_path, valid) -> None:
    """Databases and spreadsheets write them each in their own way; other flags may differ by their case alone."""
    mapping = f'{WHOLE}\nok = {{ is = "flag", valid = ["{valid}", "v"] }}\n'
    rows = [f"A1,2026-01-11 {18 + n}:00,{50 + n},{flag}" for n, flag in enumerate(["True", "TRUE", "v", "false", "V"])]
    hours = read(tmp_path, "\n".join(["site,when,PM,ok", *rows]), mapping)["A1"]["pm25"]
    np.testing.assert_array_equal(hours, [50.0, 51.0, 52.0, np.nan, np.nan])
