"""Excel files before they are read: the reader lays out every cell up to the last, so a file of a few kB could take all memory."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from html import unescape

from hazecast.grids.errors import InputError
from hazecast.grids.observations.packed import LARGEST
from hazecast.grids.observations.tables.written_stamps import DAYS

# Rows times columns of a sheet: half a gigabyte in the reader.
_MOST_CELLS = 10_000_000
_PLACE = re.compile(rb"""\br=["']([A-Za-z]{0,3})(\d{1,9})["']""")
_SHEET = b"sheetData"
_OPEN_ROW, _OPEN_VALUE = b"<table:table-row", b"office:value"
_FROM_1904 = re.compile(rb"""\bdate1904=["'](?:1|true)["']""")
# Sheets of a workbook by their names, and the parts that they are; a formula with what was computed of it.
_SHEETS = re.compile(rb"""<(?:\w+:)?sheet\b[^>]*>""")
_RELATIONS = re.compile(rb"""<(?:\w+:)?Relationship\b[^>]*>""")
_FORMULA = re.compile(
    rb"""<(?:\w+:)?c\b([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>([^<]*)</(?:\w+:)?f>)\s*"""
    rb"""(?:<(?:\w+:)?v\b[^>]*/>|<(?:\w+:)?v\b[^>]*>([^<]*)</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"""
)
_TO_COMPUTE = re.compile(rb"""\bfullCalcOnLoad=["'](?:1|true)["']""")
_REPEATED = re.compile(rb"""-repeated=["'](\d{1,9})["']""")


def check_workbook(data: bytes, where: str) -> None:
    """Refuse a packed workbook whose sheets are too large to be laid out.

    Parameters
    ----------
    data : bytes
        A ZIP archive.
    where : str
        The file, for errors.

    Raises
    ------
    InputError
        If it isn't whole, is no .xlsx or .ods, or is too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            size = sum(part.file_size for part in parts.infolist())
            if size > LARGEST:
                raise InputError(where, f"{size} bytes unpacked", f"at most {LARGEST}")
            if "xl/workbook.bin" in parts.namelist():
                raise InputError(where, "a binary workbook (.xlsb)", "one saved as .xlsx")
            for part in parts.infolist():
                if part.filename.endswith(".xml"):
                    _check_sheet(parts.read(part), f"{where}: {part.filename}")
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(where, error, "a whole Excel file") from error


def counts_from_1904(data: bytes) -> bool:
    """Return whether a packed workbook counts its days from 1904, as Excel for the Macintosh did (ISO/IEC 29500-1, 18.17.4.1)."""
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        return "xl/workbook.xml" in parts.namelist() and bool(_FROM_1904.search(parts.read("xl/workbook.xml")))


def formulas_not_computed(data: bytes) -> dict[str, dict[tuple[int, int], str]]:
    """Return the formulas of a packed workbook that hold no value, as programs write them that compute none.

    Parameters
    ----------
    data : bytes
        An archive that `check_workbook` has passed.

    Returns
    -------
    dict of str to dict of (int, int) to str
        By sheet, and by row and column from 0. A zero is no value where the workbook says that all is to be computed when it is
        opened (ISO/IEC 29500-1, 18.2.2): XlsxWriter writes it for every formula.
    """
    found: dict[str, dict[tuple[int, int], str]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        for name, part, empty in _sheets_of(parts):
            for cell in _FORMULA.finditer(parts.read(part)):
                # The value of a text may be an empty one.
                if (cell[3] or b"").strip() not in empty or _attribute(cell[1], "t") == "str":
                    continue
                place = _PLACE.search(b" " + cell[1])
                if place is not None:
                    at = int(place[2]) - 1, _number_of(place[1].upper()) - 1
                    found.setdefault(name, {})[at] = "=" + unescape((cell[2] or b"").decode(errors="replace"))
    return found


def _sheets_of(parts: zipfile.ZipFile) -> list[tuple[str, str, tuple[bytes, ...]]]:
    """Return the sheets of a .xlsx: name, part, and what stands in formulas that were not computed."""
    book, relations = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
    if not {book, relations} <= set(parts.namelist()):
        return []
    whole = parts.read(book)
    empty = (b"", b"0") if _TO_COMPUTE.search(whole) else (b"",)
    targets = {
        _attribute(one, "Id"): posixpath.normpath(posixpath.join("/xl", _attribute(one, "Target"))).lstrip("/")
        for one in _RELATIONS.findall(parts.read(relations))
    }
    sheets = [(_attribute(one, "name"), targets.get(_attribute(one, "id"), "")) for one in _SHEETS.findall(whole)]
    return [(name, part, empty) for name, part in sheets if part in parts.namelist()]


def _attribute(tag: bytes, name: str) -> str:
    """Return an attribute of a tag, whatever the prefix of its name; "" without it."""
    found = re.search(rb"""(?:^|[\s:])%s\s*=\s*(?:"([^"]*)"|'([^']*)')""" % name.encode(), tag)
    return unescape((found[1] or found[2] or b"").decode(errors="replace")) if found else ""


def refuse_plain_days(cells: list[list[str]], where: str) -> None:
    """Refuse the sheet of a workbook that counts from 1904 if a column holds days as numbers that are not shown as dates.

    Parameters
    ----------
    cells : list of list of str
        Rows.
    where : str
        File and sheet, for errors.

    Raises
    ------
    InputError
        If one does: such numbers are taken for days since 1899-12-30.
    """
    for row in cells:
        found = next((cell for cell in row if DAYS.fullmatch(cell)), None)
        if found is not None:
            raise InputError(where, f"{found} in a workbook that counts days from 1904", "days shown as dates")


def _check_sheet(xml: bytes, where: str) -> None:
    if _SHEET in xml:
        last, width = _corner(xml)
    elif _OPEN_ROW in xml:
        last, width = _open_corner(xml)
    else:
        return
    if last * width > _MOST_CELLS:
        raise InputError(where, f"cells up to row {last} and column {width}", f"at most {_MOST_CELLS} in a rectangle")


def _corner(xml: bytes) -> tuple[int, int]:
    """Return the last row and column that the cells of .xlsx name."""
    last, columns = 0, {b"A"}
    for place in _PLACE.finditer(xml):
        last = max(last, int(place[2]))
        columns.add(place[1].upper() or b"A")
    return last, max(_number_of(column) for column in columns)


def _open_corner(xml: bytes) -> tuple[int, int]:
    """Return the rows and columns up to the last value of .ods, which writes rows and cells that repeat once."""
    last = rows = width = 0
    for row in xml.split(_OPEN_ROW)[1:]:
        head, _, cells = row.partition(b">")
        rows += _repeated(head)
        if _OPEN_VALUE in cells:
            last = rows
            width = max(width, sum(_repeated(cell) for cell in cells.rpartition(_OPEN_VALUE)[0].split(b"<")[1:]))
    return last, width


def _repeated(tag: bytes) -> int:
    found = _REPEATED.search(tag)
    return int(found[1]) if found else 1


def _number_of(column: bytes) -> int:
    number = 0
    for letter in column:
        number = number * 26 + letter - ord("A") + 1
    return number
