"""Whole tables of a bureau and their mapping file, for fuzzing."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

from hazecast.grids.extras import requires
from hazecast.grids.observations.tables.mapping import MAPPING_FILE
from hazecast.grids.observations.tables.sheets import EXTRA
from hazecast.grids.observations.tables.stations import STATIONS_FILE
from tests.support.workbooks import write_workbook

NAMES = ("站点编号", "时间", "PM2.5(μg/m³)", "O3(ppb)", "气温(℃)", "湿度(%)", "风速(m/s)", "风向")
_SHEET = "xl/worksheets/sheet1.xml"
_START = datetime(2026, 1, 11, 1)
_MAPPING = """# As a bureau writes it.
[file]
encoding = "utf-8"
separator = ","
decimal = "."
header_line = 1
missing = ["检修", "-"]

[time]
zone = "Asia/Shanghai"
stamp = "end"
format = "%Y-%m-%d %H:%M"

[table]
layout = "long"

[columns]
"站点编号" = "station"
"时间" = "time"
"PM2.5(μg/m³)" = { is = "pm25", unit = "ug/m3" }
"O3(ppb)" = { is = "o3", unit = "ppb" }
"气温(℃)" = { is = "temperature", unit = "degC" }
"湿度(%)" = { is = "relative_humidity", unit = "%" }
"风速(m/s)" = { is = "wind_speed", unit = "m/s" }
"风向" = { is = "wind_direction", unit = "degrees" }
"""
_STATIONS = "code,name,latitude,longitude,city,siting\nA1,奥体中心,39.98,116.40,beijing,background\nB2,路边,39.95,116.45,,roadside\n"


def rows() -> list[list[object]]:
    """Return 20 hours of two stations below their names."""
    found: list[list[object]] = [list(NAMES)]
    for n in range(20):
        time = _START + timedelta(hours=n)
        for station in ("A1", "B2"):
            value = "检修" if n == 7 else 50 + n
            found.append([station, f"{time:%Y-%m-%d %H:%M}", value, 20 + n, -3.5 + n / 4, 40 + n, 1.5, 15 * n])
    return found


def _text() -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in rows())


def write_csv(path: Path) -> None:
    """Write the table as CSV in UTF-8."""
    path.write_text(_text(), encoding="utf-8")


def write_gzip(path: Path) -> None:
    """Write it as CSV in GB 18030, packed."""
    path.write_bytes(gzip.compress(_text().encode("gb18030"), mtime=0))


def write_excel(path: Path) -> None:
    """Write it as an Excel file, stamps as Excel's times."""
    head, *body = rows()
    timed = [[row[0], datetime.fromisoformat(str(row[1])), *row[2:]] for row in body]
    write_workbook(path, {"数据": [head, *timed]})


def write_sheet(path: Path) -> None:
    """Write what an Excel file holds of the table: the sheet as XML."""
    book = path.with_name("whole.xlsx")
    write_excel(book)
    with zipfile.ZipFile(book) as parts:
        path.write_bytes(parts.read(_SHEET))
    book.unlink()


def write_book_around(sheet: Path) -> None:
    """Write an Excel file around a sheet, so that its packing is whole whatever the sheet is."""
    whole, book = sheet.with_name("whole.zip"), sheet.with_name("a.xlsx")
    write_excel(whole)
    with zipfile.ZipFile(whole) as parts, zipfile.ZipFile(book, "w") as made:
        for name in parts.namelist():
            made.writestr(name, sheet.read_bytes() if name == _SHEET else parts.read(name))
    whole.unlink()


def write_page(path: Path) -> None:
    """Write it as HTML."""
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows()]
    path.write_text(f"<html><table><tr>{'</tr><tr>'.join(lines)}</tr></table></html>", encoding="utf-8")


def write_json(path: Path) -> None:
    """Write it as a list of records."""
    names, *body = rows()
    records = [dict(zip(map(str, names), row, strict=True)) for row in body]
    path.write_text(json.dumps({"data": records}, ensure_ascii=False), encoding="utf-8")


def write_parquet(path: Path) -> None:
    """Write it as a Parquet file of texts."""
    duckdb = requires("duckdb", EXTRA)
    source = path.with_name("source.txt")
    write_csv(source)
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT * FROM read_csv('{source}', all_varchar=true)) TO '{path}' (FORMAT parquet)")
    source.unlink()


def write_mapping(path: Path) -> None:
    """Write the mapping of the table."""
    path.write_text(_MAPPING, encoding="utf-8")


def stations_beside(path: Path) -> None:
    """Put the table of stations beside a table, which then tells its mapping itself."""
    path.with_name(STATIONS_FILE).write_text(_STATIONS, encoding="utf-8")


def mapping_beside(path: Path) -> None:
    """Put the stations and the mapping beside a table."""
    stations_beside(path)
    write_mapping(path.with_name(MAPPING_FILE))


def table_beside(path: Path) -> None:
    """Put the stations and a whole table beside a mapping file."""
    stations_beside(path)
    write_csv(path.with_name("hours.csv"))
