"""Tables in the shapes that platforms and offices write: markup, JSON, archives, workbooks of several sheets, two rows of names."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables import markup
from hazecast.grids.observations.tables.examine import examine
from hazecast.grids.observations.tables.folder import TableData, by_station, read_folder
from hazecast.grids.observations.tables.mapping import read_mapping, written
from hazecast.grids.observations.tables.markup import tables_in
from hazecast.grids.places.cities import load_registry
from tests.support.workbooks import write_workbook

REGISTRY = load_registry()
ENDS = pd.date_range("2026-01-15T01:00", periods=4, freq="h")
# 9 to 12 h in Beijing.
HOURS = [(9, 40), (10, 41), (11, 42), (12, 43)]
NAMES = ["站点编号", "时间", "PM2.5"]
RECORDS = [[station, f"2026-01-15 {hour:02d}:00", value] for hour, value in HOURS for station in ("A1", "B2")]
CSV = "".join(",".join(map(str, row)) + "\n" for row in [NAMES, *RECORDS])
needs_excel = pytest.mark.skipif(importlib.util.find_spec("python_calamine") is None, reason="needs the extra tables")


def put(folder: Path, content: str | bytes, name: str = "a.csv") -> Path:
    (folder / "stations.csv").write_text("code,city\nA1,beijing\nB2,tianjin\n")
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def values(folder: Path, quantity: str = "pm25", hours: int = 4) -> TableData:
    """Check that both stations have the values of the four hours, and return all that was read."""
    data = read_folder(folder, REGISTRY)
    for code in ("A1", "B2"):
        own = by_station(data)[code][quantity].dropna()
        assert own.index.tolist() == ENDS[:hours].tolist() and own.tolist() == [40.0, 41.0, 42.0, 43.0][:hours]
    return data


def same_by_its_mapping(folder: Path, path: Path) -> None:
    found = examine(path, REGISTRY)
    (folder / "mapping.toml").write_text(written(found.mapping), encoding="utf-8")
    assert read_mapping(folder / "mapping.toml") == found.mapping
    pd.testing.assert_frame_equal(examine(path, REGISTRY).values, found.values)


def cells(tag: str, row: list[object]) -> str:
    return "".join(f"<{tag}>{value}</{tag}>" for value in row)


HTML = (
    "<html><head><meta charset='gb2312'></head><body><table><caption>监测数据</caption>"
    + "".join(f"<tr>{cells('td', row)}</tr>" for row in [NAMES, *RECORDS])
    + "</table></body></html>"
)
XML = (
    '<?xml version="1.0"?><Workbook xmlns:ss="urn:x"><Worksheet ss:Name="数据"><Table>'
    + "".join(
        "<Row>" + "".join(f'<Cell><Data ss:Type="String">{value}</Data></Cell>' for value in row) + "</Row>"
        for row in [NAMES, *RECORDS]
    )
    + "</Table></Worksheet></Workbook>"
)
LINES = "\n".join(json.dumps(dict(zip(NAMES, row, strict=True))) for row in RECORDS)
DOCUMENT = json.dumps({"code": 0, "data": {"rows": [dict(zip(NAMES, row, strict=True)) for row in RECORDS]}})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.xls", HTML),
        ("a.xls", HTML.encode("gb18030")),
        ("a.html", HTML),
        ("a.xls", XML),
        ("a.xls", CSV.replace(",", "\t").encode("utf-16")),
        ("a.json", DOCUMENT),
        ("a.jsonl", LINES),
        ("a.txt", LINES),
        ("a.txt", CSV.replace(",", "   ")),
        ("a.txt", CSV.replace(",", "   ").replace("\n", "\r")),
        ("a.txt", CSV.replace("时间", "日期,时间").replace(",", " ").replace("-15 ", "-15  ")),
        ("a.txt", CSV.replace("时间", "日期 时间").replace(",", "  ")),
        ("a.csv", CSV.encode("utf-16-le")),
        ("a.csv", CSV.encode("utf-32")),
        ("a.csv", CSV.replace("2026-01-15 ", "２０２６－０１－１５　").replace(":", "：")),
        ("a.csv", "".join(f'="{s}",="{t}",{v}\n' for s, t, v in [NAMES, *RECORDS])),
        ("a.csv", CSV.replace("站点编号,时间,PM2.5", "측정소코드,측정일시,초미세먼지(㎍/㎥)").encode("cp949")),
        ("a.csv", CSV.replace("时间,PM2.5", '时间,"PM2.5\n(μg/m³)"')),
        ("a.csv", CSV.replace("时间,PM2.5", "时间,PM2.5(μg/m³)[1時間値]")),
        ("a.csv", CSV.replace("时间,PM2.5", "时间,细颗粒物(PM2.5)小时浓度(μg/m³)")),
    ],
)
def test_each_shape_gives_its_values(tmp_path, name, content) -> None:
    path = put(tmp_path, content, name)
    values(tmp_path)
    same_by_its_mapping(tmp_path, path)


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("測定局コード,日時,PM2.5", "{s},令和8年1月15日{h}時,{v}"),
        ("測定局コード,日時,PM2.5", "{s},R08/01/15 {h}:00,{v}"),
        ("測定局コード,年,月,日,時,PM2.5", "{s},令和8年,1月,15日,{h}時,{v}"),
        ("測站代碼,日期,時間,PM2.5", "{s},民國115年1月15日,{h}:00,{v}"),
        ("站点编号,时间,PM2.5", "{s},2026年1月15日 星期四 {h}:00,{v}"),
        ("測定局コード,日時,PM2.5", "{s},2026/01/15(木) {h}:00,{v}"),
        # A spreadsheet's days since 1899-12-30.
        ("station,time,pm25", "{s},{days:.6f},{v}"),
    ],
)
def test_stamps_of_offices(tmp_path, header, form) -> None:
    rows = [form.format(s=s, h=h, v=v, days=46_037 + h / 24) for h, v in HOURS for s in ("A1", "B2")]
    path = put(tmp_path, "\n".join([header, *rows]))
    values(tmp_path)
    same_by_its_mapping(tmp_path, path)


@pytest.mark.parametrize("other", ["24小时平均", "IAQI", "日均值", "max", "8h"])
@pytest.mark.parametrize("hourly", ["PM2.5(1小时平均)", "PM2.5", None])
def test_another_statistic_in_brackets_is_not_taken_for_the_hour(tmp_path, other, hourly) -> None:
    rows = [f"{s},2026-01-15 {h}:00,99,{v}" for h, v in HOURS for s in ("A1", "B2")]
    put(tmp_path, "\n".join([f"站点编号,时间,PM2.5({other}),{hourly or '备注'}", *rows]))
    if hourly is None:
        with pytest.raises(InputError, match=f"'{other.lower()}' is none of ug/m3, mg/m3"):
            read_folder(tmp_path, REGISTRY)
    else:
        assert not any(other in doubt for doubt in values(tmp_path).findings.doubts)


@pytest.mark.parametrize(
    ("separator", "cell", "value"),
    [
        (",", '"1,040"', 1040.0), (",", '"12,5"', 12.5), (";", "1.040,5", 1040.5), (";", "12,5", 12.5), (";", "1.234.040,5", 1234040.5),
        (",", "４５．５", 45.5),
    ],
)  # fmt: skip
def test_marks_of_thousands_and_decimals(tmp_path, separator, cell, value) -> None:
    rows = [separator.join([s, f"2026-01-15 {h}:00", cell]) for h, _ in HOURS for s in ("A1", "B2")]
    put(tmp_path, "\n".join([separator.join(["station", "time", "CO (ug/m3)"]), *rows]))
    assert by_station(read_folder(tmp_path, REGISTRY))["A1"]["co"].tolist() == [value] * 4


def test_a_number_that_may_be_two_is_left_out_and_named(tmp_path) -> None:
    rows = [f"{s};2026-01-15 {h}:00;{'1.040' if h == 9 else '12,5'}" for h, _ in HOURS for s in ("A1", "B2")]
    put(tmp_path, "\n".join(["station;time;CO (ug/m3)", *rows]))
    (tmp_path / "mapping.toml").write_text(
        '[file]\ndecimal = ","\n[columns]\nstation = "station"\ntime = "time"\n"CO (ug/m3)" = { is = "co", unit = "ug/m3" }\n'
    )
    assert read_folder(tmp_path, REGISTRY).findings.counts["cells_not_numbers"] == 2


def test_an_archive_of_tables_is_read_whole(tmp_path) -> None:
    lines = CSV.splitlines()
    put(tmp_path, b"")
    (tmp_path / "a.csv").unlink()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("day/one.csv", "\n".join(lines[:5]))
        archive.writestr("day/two.csv", "\n".join([lines[0], *lines[5:]]))
    values(tmp_path)


SIDE_BY_SIDE = "\n".join(f"2026-01-15 {hour}:00,{value},7,{value},7" for hour, value in HOURS)


@pytest.mark.parametrize(
    "names",
    [
        "时间,A1,,B2,\n,PM2.5,PM10,PM2.5,PM10",
        ",A1,,B2,\n时间,PM2.5,PM10,PM2.5,PM10",
        "时间,PM2.5,PM10,PM2.5,PM10\n,A1,A1,B2,B2",
        "时间,A1_PM2.5(μg/m³),A1_PM10(μg/m³),B2_PM2.5(μg/m³),B2_PM10(μg/m³)",
        "时间,PM2.5 A1,PM10 A1,PM2.5 B2,PM10 B2",
        "时间,A1,,B2,\n,PM2.5,PM10,PM2.5,PM10\n,μg/m³,μg/m³,μg/m³,μg/m³",
    ],
)
def test_a_column_for_each_quantity_of_each_station(tmp_path, names) -> None:
    path = put(tmp_path, f"{names}\n{SIDE_BY_SIDE}\n")
    assert by_station(values(tmp_path))["B2"]["pm10"].tolist() == [7.0] * 4
    same_by_its_mapping(tmp_path, path)


def test_headings_over_names_say_nothing(tmp_path) -> None:
    rows = [f"{s},2026-01-15 {h}:00,{v},7" for h, v in HOURS for s in ("A1", "B2")]
    path = put(tmp_path, "\n".join(["站点编号,时间,污染物,", ",,PM2.5,PM10", *rows]))
    values(tmp_path)
    same_by_its_mapping(tmp_path, path)


@needs_excel
def test_sheets_with_the_same_names_are_one_table_and_others_are_said(tmp_path) -> None:
    put(tmp_path, b"")
    (tmp_path / "a.csv").unlink()
    sheets = {
        "说明": [["本表为小时数据"], ["未经审核"]],
        "1月": [["2026年"], NAMES, *RECORDS[:4]],
        "2月": [NAMES, *RECORDS[4:]],
        "日均": [["站点编号", "日期", "PM2.5"], ["A1", "2026-01-15", 41]],
    }
    path = write_workbook(tmp_path / "a.xlsx", sheets)
    findings = values(tmp_path).findings
    assert any("sheet '日均' is not read" in doubt for doubt in findings.doubts)
    # The second sheet's first row of values, below the lines of the first.
    assert "sheet '2月': the same names, read after it; its lines from 8 on" in findings.notes
    same_by_its_mapping(tmp_path, path)


@needs_excel
def test_a_sheet_a_station(tmp_path) -> None:
    put(tmp_path, b"")
    (tmp_path / "a.csv").unlink()
    rows = [[datetime(2026, 1, 15, hour), value] for hour, value in HOURS]
    path = write_workbook(tmp_path / "a.xlsx", {"A1": [["时间", "PM2.5"], *rows], "B2": [["时间", "PM2.5"], *rows]})
    values(tmp_path)
    same_by_its_mapping(tmp_path, path)


@needs_excel
@pytest.mark.parametrize("wide", [True, False])
def test_a_sheet_a_quantity(tmp_path, wide) -> None:
    """Under the name of one of them too: what a sheet is called goes before what the file is."""
    stamps = [datetime(2026, 1, 15, hour) for hour, _ in HOURS]
    sheets: dict[str, list[list[object]]] = {}
    for name, more in (("PM2.5", 0), ("PM10", 100)):
        if wide:
            sheets[name] = [
                ["时间", "A1", "B2"],
                *([t, v + more, v + more] for t, (_, v) in zip(stamps, HOURS, strict=True)),
            ]
        else:
            own = [[s, t, v + more] for t, (_, v) in zip(stamps, HOURS, strict=True) for s in ("A1", "B2")]
            sheets[name] = [["站点编号", "时间", "浓度"], *own]
    (tmp_path / "stations.csv").write_text("code,city\nA1,beijing\nB2,tianjin\n")
    path = write_workbook(tmp_path / "pm25.xlsx", sheets)
    data = values(tmp_path)
    assert by_station(data)["B2"]["pm10"].tolist() == [140.0, 141.0, 142.0, 143.0] and not data.findings.faults
    same_by_its_mapping(tmp_path, path)


def test_a_file_a_station_or_a_quantity_in_an_archive(tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("data/A1.csv", "data/B2.csv"):
            archive.writestr(name, "时间,PM2.5\n" + "".join(f"2026-01-15 {hour}:00,{value}\n" for hour, value in HOURS))
    put(tmp_path, (tmp_path / "a.zip").read_bytes(), "a.zip")
    values(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, more in (("PM2.5.csv", 0), ("PM10.csv", 9)):
            rows = "".join(f"2026-01-15 {hour}:00,{value + more},{value + more}\n" for hour, value in HOURS)
            archive.writestr(name, f"时间,A1,B2\n{rows}")
    assert by_station(values(tmp_path))["A1"]["pm10"].tolist() == [49.0, 50.0, 51.0, 52.0]


@needs_excel
def test_what_is_merged_over_rows_is_in_each_of_them_but_no_value_is(tmp_path) -> None:
    put(tmp_path, b"")
    (tmp_path / "a.csv").unlink()
    rows: list[list[object]] = [["站点编号", "日期", "小时", "PM2.5"]]
    for station in ("A1", "B2"):
        rows += [[station if n == 0 else "", "2026-01-15" if n == 0 else "", h, v] for n, (h, v) in enumerate(HOURS)]
    whole, path = write_workbook(tmp_path / "whole.zip", {"数据": rows}), tmp_path / "a.xlsx"
    merged = "".join(f'<mergeCell ref="{place}"/>' for place in ("A2:A5", "A6:A9", "B2:B5", "B6:B9", "D5:D6"))
    with zipfile.ZipFile(whole) as parts, zipfile.ZipFile(path, "w") as changed:
        for name in parts.namelist():
            content = parts.read(name).replace(
                b"</sheetData>", f"</sheetData><mergeCells>{merged}</mergeCells>".encode()
            )
            changed.writestr(name, content)
    whole.unlink()
    values(tmp_path)


def test_cells_of_markup_reach_over_rows_and_columns(monkeypatch) -> None:
    html = "<table><tr><td rowspan=3>a<td colspan=2>b</tr><tr><td>c<td rowspan=2>d<tr><td>e</table>"
    assert tables_in(html) == [("1", [["a", "b", "b"], ["a", "c", "d"], ["a", "e", "d"]])]
    xml = '<Worksheet ss:Name="s"><Table><Row ss:Index="2"><Cell ss:Index="2" ss:MergeDown="1"><Data>x</Data></Cell></Row><Row/></Table>'
    assert tables_in(xml) == [("s", [[], ["", "x"], ["", "x"]])]
    monkeypatch.setattr(markup, "_MOST_CELLS", 5_000)
    with pytest.raises(ValueError, match="more than 5000 cells"):
        tables_in(f"<table>{'<tr><td colspan=999>x' * 11}</table>")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"status": "maintenance"}', "a time or date among them"),
        ('[{"time": 1}', "a table as HTML or JSON"),
        ("[" * 100_000, "expected"),
        ("<html><body>Login</body></html>", "a time or date among them"),
        ("The platform is closed today.\nPlease come back\nat nine o'clock, thank you\n", "a time or date among them"),
    ],
)
def test_what_holds_no_records_is_refused_by_name(tmp_path, content, says) -> None:
    put(tmp_path, content, "a.json")
    with pytest.raises(InputError, match=rf"a\.json.*{says}"):
        read_folder(tmp_path, REGISTRY)


@pytest.mark.parametrize(
    ("name", "cells"),
    [("PM2.5", ["0.040", "0.041", "0.045"]), ("o3", ["0.031", "0.002", "0.020"]), ("co", ["0.8", "1.1", "0.4"]), ("PM10", ["0.09", "0.1", "0.2"])],
)  # fmt: skip
def test_a_unit_is_not_taken_where_the_values_cannot_be_in_it(tmp_path, name, cells) -> None:
    rows = [f"A1,2026-01-15 {hour}:00,{cell}" for hour, cell in zip((9, 10, 11), cells, strict=True)]
    put(tmp_path, "\n".join([f"station,time,{name}", *rows]))
    with pytest.raises(InputError, match=f"column '{name}' is not used: .* hardly in ug/m3"):
        read_folder(tmp_path, REGISTRY)


@pytest.mark.parametrize("days", [range(10, 13), range(10, 20)])
def test_means_of_days_stamped_at_midnight_are_no_hours(tmp_path, days) -> None:
    put(tmp_path, "\n".join(["station,time,pm25", *(f"A1,2026-01-{day} 00:00:00,{40 + day}" for day in days)]))
    if len(days) < 4:
        assert len(by_station(read_folder(tmp_path, REGISTRY))["A1"]) == 3
        return
    with pytest.raises(InputError, match=r"a\.csv: found 10 times, whole days apart; expected hourly values"):
        read_folder(tmp_path, REGISTRY)


@pytest.mark.parametrize("mark", ["-999", "\N{MINUS SIGN}999", "\uff0d\uff19\uff19\uff19", "Ｎ／Ａ"])
def test_marks_of_missing_values_are_known_in_any_width(tmp_path, mark) -> None:
    rows = [f"A1,2026-01-15 {hour}:00,{value},{mark}" for hour, value in HOURS]
    put(tmp_path, "\n".join(["station,time,pm25,temp(C)", *rows]))
    data = read_folder(tmp_path, REGISTRY)
    assert data.findings.counts["cells_missing"] == len(rows) and not data.findings.faults


def test_codes_in_other_case_or_without_their_zeros(tmp_path) -> None:
    rows = [f"{s},2026-01-15 {hour}:00,{value},−3" for hour, value in HOURS for s in ("a1", "101")]
    put(tmp_path, "\n".join(["station,time,pm25,temp(C)", *rows, "102,2026-01-15 09:00,1,1"]))
    (tmp_path / "stations.csv").write_text(
        "code,city\nA1,beijing\n0101,tianjin\n102,beijing\n0102,tianjin\n00102,beijing\n"
    )
    data = read_folder(tmp_path, REGISTRY)
    hours = by_station(data)
    assert hours["A1"]["pm25"].tolist() == hours["0101"]["pm25"].tolist() == [40.0, 41.0, 42.0, 43.0]
    assert hours["A1"]["t2m"].tolist() == [270.15] * 4
    # Its own code comes first; 2 of 3 that differ in zeros alone are never guessed.
    assert hours["102"]["pm25"].tolist() == [1.0] and "0102" not in hours
