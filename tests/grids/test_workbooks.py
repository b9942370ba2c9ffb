"""Excel files that would take all memory, or end the process, are refused by name."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.folder import by_station, read_folder
from hazecast.grids.observations.tables.mapping import FilePart
from hazecast.grids.observations.tables.sheets import read_sheet
from hazecast.grids.places.cities import load_registry
from tests.support.workbooks import write_workbook

pytestmark = pytest.mark.skipif(find_spec("python_calamine") is None, reason="needs the extra tables")
SHEET = "xl/worksheets/sheet1.xml"


def book(folder: Path, change: Callable[[str], str], name: str = SHEET) -> Path:
    """Write a workbook of some hours with its sheet changed."""
    whole, path = folder / "whole.zip", folder / "a.xlsx"
    write_workbook(whole, {"s": [["time", "pm25"], *([datetime(2026, 1, 11, hour), 50 + hour] for hour in range(9))]})
    with zipfile.ZipFile(whole) as parts, zipfile.ZipFile(path, "w") as made:
        for part in parts.namelist():
            text = parts.read(part).decode()
            made.writestr(name if part == SHEET else part, change(text) if part == SHEET else text)
    return path


def test_a_whole_workbook_is_read(tmp_path) -> None:
    assert len(read_sheet(book(tmp_path, lambda xml: xml), FilePart()).rows) == 10
    last = book(tmp_path, lambda xml: xml.replace('r="A3"', 'r="A100000"').replace('<row r="3"', '<row r="100000"'))
    assert read_sheet(last, FilePart()).rows[-1][0] <= 100_000


@pytest.mark.parametrize(
    ("change", "says"),
    [
        # Laid out, one cell in the last corner takes half a terabyte.
        (lambda xml: xml.replace('r="B3"', 'r="XFD1048576"'), "cells up to row 1048576 and column 16384"),
        (lambda xml: xml.replace('<row r="3"', "<row r='999999999'"), "cells up to row 999999999"),
        (lambda xml: xml.replace('r="B3"', 'r=""'), "a whole Excel file"),
    ],
)  # fmt: skip
def test_a_workbook_that_cannot_be_laid_out_is_refused(tmp_path, change, says) -> None:
    with pytest.raises(InputError, match=rf"a\.xlsx.*{says}"):
        read_sheet(book(tmp_path, change), FilePart())


@pytest.mark.parametrize(("rows", "cells", "read"), [(3, 2, True), (1_000_000, 1_000, False)])
def test_a_workbook_of_repeated_cells(tmp_path, rows, cells, read) -> None:
    """A row and a cell are written once with how often they come; what is empty at the end takes nothing."""
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    end = '<table:table-row table:number-rows-repeated="1000000"><table:table-cell table:number-columns-repeated="16384"/>'
    head = '<table:table-row><table:table-cell office:value-type="string"><text:p>time</text:p></table:table-cell></table:table-row>'
    row = (
        f'<table:table-row table:number-rows-repeated="{rows}"><table:table-cell table:number-columns-repeated="{cells}" office:value-type="float"'
        ' office:value="1"><text:p>1</text:p></table:table-cell></table:table-row>'
    )
    path = tmp_path / "a.ods"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        made.writestr(
            "META-INF/manifest.xml",
            '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
        made.writestr(
            "content.xml",
            f'<?xml version="1.0"?><office:document-content {names}><office:body><office:spreadsheet><table:table table:name="s">'
            f"{head}{row}{end}</table:table-row></table:table></office:spreadsheet></office:body></office:document-content>",
        )
    if read:
        assert len(read_sheet(path, FilePart()).rows) == 4
    else:
        with pytest.raises(InputError, match="cells up to row 1000001 and column 1000"):
            read_sheet(path, FilePart())


def test_a_panic_of_the_reader_is_a_damaged_file(tmp_path) -> None:
    def far_past(xml: str) -> str:
        start = xml.index('r="A2" s="1"><v>') + len('r="A2" s="1"><v>')
        return xml[:start] + "-1e300" + xml[xml.index("</v>", start) :]

    with pytest.raises(InputError, match=r"a\.xlsx: found .*out of bounds"):
        read_sheet(book(tmp_path, far_past), FilePart())


def test_a_binary_workbook_and_a_damaged_archive_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="one saved as .xlsx"):
        read_sheet(book(tmp_path, lambda xml: xml, "xl/workbook.bin"), FilePart())
    path = book(tmp_path, lambda xml: xml)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="a whole Excel file"):
        read_sheet(path, FilePart())


def from_1904(folder: Path, times: list[object]) -> Path:
    whole, path = folder / "whole.zip", folder / "mac.xlsx"
    write_workbook(whole, {"s": [["time", "pm25"], *([time, 50.0] for time in times)]})
    with zipfile.ZipFile(whole) as parts, zipfile.ZipFile(path, "w") as made:
        for part in parts.namelist():
            text = parts.read(part).decode()
            made.writestr(part, text.replace("<sheets>", '<workbookPr date1904="1"/><sheets>'))
    return path


def test_days_since_1904_are_dates_or_refused(tmp_path) -> None:
    # 2026-01-11 18:00 as the days since 1904, which the helper counts from 1900.
    shown = from_1904(tmp_path, [datetime(2022, 1, 10, 18)])
    assert read_sheet(shown, FilePart()).rows[1][1][0] == "2026-01-11 18:00:00"
    with pytest.raises(InputError, match=r"sheet 's': found 44571.75 in a workbook that counts days from 1904"):
        read_sheet(from_1904(tmp_path, [44571.75]), FilePart())


def stations_book(
    folder: Path, change: Callable[[str], str], sheets: dict[str, int], workbook: tuple[str, str]
) -> Path:
    """Write a workbook of two hours of A1 in each sheet, from the value named, with its sheets and its workbook changed."""
    whole, path = folder / "whole.part", folder / "a.xlsx"
    (folder / "stations.csv").write_text("code,city\nA1,beijing\n")
    head = ["station", "time", "pm25", "o3(ug/m3)"]
    hours = [datetime(2026, 1, 15, 9), datetime(2026, 1, 15, 10)]
    rows = {name: [head, *(["A1", at, first + n, 7] for n, at in enumerate(hours))] for name, first in sheets.items()}
    write_workbook(whole, rows)
    with zipfile.ZipFile(whole) as parts, zipfile.ZipFile(path, "w") as made:
        for part in parts.namelist():
            text = parts.read(part).decode()
            text = text.replace(*workbook) if part == "xl/workbook.xml" else text
            made.writestr(part, change(text) if "/sheet" in part else text)
    return path


COMPUTE = ("</sheets>", '</sheets><calcPr calcId="124519" fullCalcOnLoad="1"/>')


@pytest.mark.parametrize(
    ("cell", "workbook", "found"),
    [
        # As openpyxl writes a formula, which it does not compute; with a prefix, as others do.
        ('<c r="C3"><f>AVERAGE(C2,C4)</f><v></v></c>', COMPUTE, "=AVERAGE(C2,C4)"),
        ('<c r="C3"><f>C2&amp;""</f><v /></c>', COMPUTE, '=C2&""'),
        ('<c r="C3" t="n"><f t="shared" si="0"/></c>', COMPUTE, "="),
        # XlsxWriter writes a zero.
        ('<c r="C3"><f>C2+1</f><v>0</v></c>', COMPUTE, "=C2+1"),
        # A zero that was computed, and an empty text that was.
        ('<c r="C3"><f>C2-40</f><v>0</v></c>', ("", ""), None),
        ('<c r="C3" t="str"><f>IF(C2&gt;40,C2,"")</f><v></v></c>', ("", ""), None),
    ],
)  # fmt: skip
def test_a_formula_that_was_not_computed_is_no_missing_value(tmp_path, cell, workbook, found) -> None:
    path = stations_book(tmp_path, lambda xml: xml.replace('<c r="C3"><v>41</v></c>', cell), {"数据": 40}, workbook)
    data = read_folder(tmp_path, load_registry())
    hours = by_station(data)["A1"]
    assert hours["pm25"].iloc[0] == 40.0 and hours["o3"].tolist() == [7.0, 7.0]
    if found is None:
        assert not data.findings.faults and (hours["pm25"].iloc[1] == 0.0 or data.findings.counts["cells_missing"] == 1)
    else:
        assert data.findings.counts["cells_not_numbers"] == 1
        expected = f"{path}: line 3, pm25: found {found} (a formula that was not computed); expected a number"
        assert str(data.findings.faults[0]).startswith(expected)


def test_a_hidden_sheet_is_not_read_and_is_said(tmp_path) -> None:
    """The sheet of an earlier version, hidden and before the one that is shown."""
    hide = ('<sheet name="old"', '<sheet name="old" state="hidden"')
    stations_book(tmp_path, lambda xml: xml, {"old": 90, "data": 40}, hide)
    data = read_folder(tmp_path, load_registry())
    assert by_station(data)["A1"]["pm25"].tolist() == [40.0, 41.0]
    assert any("a.xlsx: sheet 'old' is hidden, and not read" in doubt for doubt in data.findings.doubts)
    # A mapping that names it reads it.
    mapping = (
        '[file]\nsheet = "old"\n[columns]\nstation = "station"\ntime = "time"\npm25 = { is = "pm25", unit = "ug/m3" }\n'
    )
    (tmp_path / "mapping.toml").write_text(mapping)
    named = read_folder(tmp_path, load_registry())
    assert by_station(named)["A1"]["pm25"].tolist() == [90.0, 91.0] and not named.findings.doubts
