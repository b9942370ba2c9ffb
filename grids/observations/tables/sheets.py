"""The cells of a table's file, as text with their lines: CSV, Excel, Parquet, HTML and JSON, plain or packed, known by their first bytes."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires
from hazecast.grids.observations.packed import LARGEST, unpacked
from hazecast.grids.observations.tables.blanks import BLANK, blank_rows
from hazecast.grids.observations.tables.encodings import decode
from hazecast.grids.observations.tables.mapping import FilePart
from hazecast.grids.observations.tables.markup import is_markup, tables_in
from hazecast.grids.observations.tables.parts import Read, header_in, one_table
from hazecast.grids.observations.tables.records import is_json, records_in
from hazecast.grids.observations.tables.workbooks import (
    check_workbook,
    counts_from_1904,
    formulas_not_computed,
    refuse_plain_days,
)

SUFFIXES = (
    ".csv", ".csv.gz", ".txt", ".txt.gz", ".tsv", ".tsv.gz", ".xlsx", ".xlsm", ".xls", ".ods", ".parquet", ".json", ".jsonl", ".ndjson",
    ".html", ".htm", ".zip",
)  # fmt: skip
# Kinds of tables, and of archives of them, that are not read.
OTHER_SUFFIXES = (
    ".rar", ".7z", ".tar", ".tgz", ".tar.gz", ".bz2", ".xz", ".zst", ".xlsb", ".et", ".numbers", ".dbf", ".mdb", ".accdb",
    ".dat", ".prn", ".xml", ".feather", ".arrow", ".orc", ".rds", ".sav",
)  # fmt: skip
# What `hazecast` writes beside a delivered table.
_REPORT = ".report.json"
# The extra that installs the readers of Excel and Parquet.
EXTRA = "tables"
_ZIP, _OLE, _PARQUET = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"PAR1"
# Parts of workbooks: .xlsx, .xlsb, .ods.
_WORKBOOK = {"xl/workbook.xml", "xl/workbook.bin", "content.xml", "[Content_Types].xml"}
_MOST_SHEETS = 64
# One thread, and nothing loaded from elsewhere.
_DUCKDB = {
    "threads": 1,
    "memory_limit": "1GB",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_SEPARATORS = (",", ";", "\t", "|", "，")
# Rows by which a separator is told.
_TRIED = 40
# Lines that a quoted remark may take.
_ROW_LINES = 5


Form = Literal["CSV", "Excel", "HTML", "JSON", "Parquet", "SQL"]


@dataclass(frozen=True)
class Sheet:
    """A table's cells.

    Attributes
    ----------
    path : Path
    form : {"CSV", "Excel", "HTML", "JSON", "Parquet", "SQL"}
    rows : list of (int, list of str)
        Line in the file, counted from 1 (of an answer of a database as if it were a file), and its cells without blanks around them; empty lines are left out.
    encoding, separator : str
        Of a CSV file; "" of others.
    notes : tuple of str
        What was taken from what, for a person.
    doubts : tuple of str
        What looks like hours and is not read.
    """

    path: Path
    form: Form
    rows: list[tuple[int, list[str]]]
    encoding: str = ""
    separator: str = ""
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def is_table(path: Path) -> bool:
    """Return whether a file's name is that of a table."""
    name = path.name.lower()
    return name.endswith(SUFFIXES) and not name.endswith(_REPORT) and not name.startswith((".", "~$"))


def read_sheet(path: Path, part: FilePart) -> Sheet:
    """Read the cells of a file.

    Parameters
    ----------
    path : Path
    part : FilePart
        Encoding, separator and sheet, where they are known.

    Returns
    -------
    Sheet

    Raises
    ------
    InputError
        If the file can't be read, is damaged, or is no table.
    MissingExtraError
        If it is Excel or Parquet, and the extra ``tables`` isn't installed.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(str(path), f"{path.stat().st_size} bytes", f"at most {LARGEST}")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), error, "a readable file") from error
    return sheet_of(data, path, part)


def sheet_of(data: bytes, path: Path, part: FilePart) -> Sheet:
    """Return the cells of a file's contents.

    Parameters
    ----------
    data : bytes
    path : Path
        Its name, for errors.
    part : FilePart
        Encoding, separator and sheet, where they are known.

    Returns
    -------
    Sheet

    Raises
    ------
    InputError
        As `read_sheet`.
    """
    data = unpacked(data, str(path))
    if data.startswith(_ZIP) and (archived := _unzipped(data, path, part)) is not None:
        return archived
    if data.startswith((_ZIP, _OLE)):
        return _excel(data, path, part.sheet)
    if data.startswith(_PARQUET):
        return _parquet(data, path)
    text, encoding, why = decode(data, str(path), part.encoding)
    notes = [f"encoding {encoding}: {why}"]
    if broken := text.count("�"):
        notes.append(f"{broken} characters are not {encoding}")
    try:
        if is_markup(text):
            tables = tables_in(text)
            if tables and (part.sheet is None or part.sheet in dict(tables)):
                return _sheet(path, "HTML", one_table(tables, part.sheet, "table"), encoding)
        elif is_json(text):
            return Sheet(path, "JSON", list(enumerate(records_in(text), start=1)), encoding)
    except ValueError as error:
        raise InputError(str(path), error, "a table as HTML or JSON") from error
    separator = part.separator
    if separator is None:
        separator = _separator(text)
        notes.append(f"separator {separator!r}: it divides the rows alike")
    rows = [(line, cells) for line, cells in _lines(text, separator, path) if any(cells)]
    return Sheet(path, "CSV", rows, encoding, separator, tuple(notes))


def _lines(text: str, separator: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    if separator == BLANK:
        yield from blank_rows(text)[0]
        return
    lines = text.splitlines() if '"' in text else None
    try:
        if lines is None:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=csv.QUOTE_NONE)
            for cells in reader:
                yield reader.line_num, [_bare(cell) for cell in cells]
            return
        at = 0
        while at < len(lines):
            number, cells = _quoted(lines, at, separator)
            yield at + 1, [_bare(cell) for cell in cells]
            at += number
    except csv.Error as error:
        raise InputError(str(path), error, "a CSV file") from error


def _bare(cell: str) -> str:
    """Return a cell without blanks around it, and of what keeps zeros before a spreadsheet, ="0101", the text alone."""
    text = cell.strip()
    return text[2:-1].strip() if text.startswith('="') and text.endswith('"') and len(text) > 3 else text


def _quoted(lines: list[str], at: int, separator: str) -> tuple[int, list[str]]:
    """Return how many lines a row takes and its cells; a quote that isn't closed soon is a character like others."""
    quotes = 0
    for number, line in enumerate(lines[at : at + _ROW_LINES], start=1):
        quotes += line.count('"')
        if quotes % 2 == 0:
            return number, next(csv.reader(["\n".join(lines[at : at + number])], delimiter=separator), [])
    return 1, next(csv.reader([lines[at]], delimiter=separator, quoting=csv.QUOTE_NONE), [])


def _separator(text: str) -> str:
    """Return the separator that gives most rows as many cells as the first, and at least two; blanks where no other does."""
    lines = [line for line in text[:100_000].splitlines() if line.strip()][: _TRIED + 1]
    best, most = ",", (0, 0)
    for separator in _SEPARATORS:
        counts = [len(next(csv.reader([line], delimiter=separator), [])) for line in lines]
        several = [count for count in counts if count > 1]
        if several:
            usual = max(set(several), key=several.count)
            # The names are among the rows that count: a decimal comma divides all rows but them.
            head = counts[0] == usual or any(
                counts[n] == usual and counts[n + 1] == usual for n in range(len(counts) - 1)
            )
            rank = (several.count(usual) if head else 0, usual)
            if rank[0] > most[0] or (rank[0] == most[0] and rank[1] > most[1]):
                best, most = separator, rank
    if not most[0] and blank_rows("\n".join(lines))[1]:
        return BLANK
    return best


def _excel(data: bytes, path: Path, wanted: str | None) -> Sheet:
    calamine = requires("python_calamine", EXTRA)
    packed = data.startswith(_ZIP)
    if packed:
        check_workbook(data, str(path))
    from_1904, formulas = packed and counts_from_1904(data), formulas_not_computed(data) if packed else {}
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = list(book.sheet_names)
        if wanted is not None and wanted not in names:
            raise InputError(f"{path}: sheet", wanted, f"one of {', '.join(names)}")
        hidden = _hidden(book) if wanted is None else set()
        parts = [
            (name, _cells(book.get_sheet_by_name(name), formulas.get(name, {})))
            for name in names[:_MOST_SHEETS]
            if wanted in (None, name)
        ]
    except InputError:
        raise
    except BaseException as error:
        # On a damaged workbook the library raises errors of several kinds, and panics, which are no Exception.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise InputError(str(path), error, "a whole Excel file") from error
        raise
    if not parts:
        raise InputError(str(path), "no sheet", "a sheet with a table")
    for name, cells in parts if from_1904 else []:
        refuse_plain_days(cells, f"{path}: sheet {name!r}")
    shown = [(name, cells) for name, cells in parts if name not in hidden] or parts
    read = one_table(shown, wanted, "sheet")
    for name, cells in parts if len(shown) < len(parts) else []:
        filled = [row for row in cells if any(row)]
        if name in hidden and (at := header_in(filled)) is not None and at + 1 < len(filled):
            read.doubts.append(
                f"sheet {name!r} is hidden, and not read: sheet in [file] of a mapping names the one to read"
            )
    return _sheet(path, "Excel", read)


def _hidden(book: Any) -> set[str]:
    """Return the sheets of a workbook that are not shown to who opens it."""
    return {sheet.name for sheet in book.sheets_metadata if "Hidden" in str(sheet.visible)}


def _cells(sheet: Any, formulas: Mapping[tuple[int, int], str]) -> list[list[str]]:
    """Return the cells of a sheet; what is merged over several is in each of them, and a formula without a value is its text.

    A number is not repeated, since it may be a value of one hour, unless it is a name in the first column.
    """
    cells = sheet.to_python(skip_empty_area=False)
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
        if top >= len(cells) or left >= len(cells[top]) or (isinstance(cells[top][left], float) and left > 0):
            continue
        for row in cells[top : bottom + 1]:
            row[left : right + 1] = [cells[top][left]] * len(row[left : right + 1])
    for (row, column), formula in formulas.items():
        if row < len(cells) and column < len(cells[row]):
            cells[row][column] = f"{formula} (a formula that was not computed)"
    return [[cell_text(cell) for cell in row] for row in cells]


def _sheet(path: Path, form: Form, read: Read, encoding: str = "") -> Sheet:
    return Sheet(path, form, read.rows, encoding, "", tuple(read.notes), tuple(read.doubts))


def _unzipped(data: bytes, path: Path, part: FilePart) -> Sheet | None:
    """Return the tables of an archive that is no workbook; None for any other."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [
                e for e in archive.infolist() if not e.is_dir() and is_table(Path(e.filename.rpartition("/")[2]))
            ]
            if _WORKBOOK & set(archive.namelist()) or not entries:
                return None
            if len(entries) > _MOST_SHEETS or sum(entry.file_size for entry in entries) > LARGEST:
                raise InputError(
                    str(path), f"{len(entries)} tables", f"at most {_MOST_SHEETS} of {LARGEST} bytes in all"
                )
            inside = [(entry.filename, archive.read(entry)) for entry in entries]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        if not path.name.lower().endswith(".zip"):
            return None
        raise InputError(str(path), error, "a whole archive without a password") from error
    sheets = [(name, sheet_of(content, path / name, part)) for name, content in inside]
    if len(sheets) == 1:
        only = sheets[0][1]
        return replace(only, path=path, notes=(f"file {sheets[0][0]!r} in the archive", *only.notes))
    parts = [(name, _with_empty_rows(sheet.rows)) for name, sheet in sheets]
    return _sheet(path, "CSV", one_table(parts, None, "file"))


def _with_empty_rows(rows: list[tuple[int, list[str]]]) -> list[list[str]]:
    by_line = dict(rows)
    return [by_line.get(line, []) for line in range(1, max(by_line, default=0) + 1)]


def _parquet(data: bytes, path: Path) -> Sheet:
    duckdb = requires("duckdb", EXTRA)
    # A copy under a plain name: the library takes brackets and stars of a path for patterns.
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "table.parquet"
        copy.write_bytes(data)
        try:
            with duckdb.connect(config=_DUCKDB) as connection:
                found = connection.execute("SELECT COLUMNS(*)::VARCHAR FROM read_parquet(?)", [str(copy)])
                names, values = [column[0] for column in found.description], found.fetchall()
        except duckdb.Error as error:
            raise InputError(str(path), str(error).replace(str(copy), path.name), "a whole Parquet file") from error
    rows = [(line, [(cell or "").strip() for cell in row]) for line, row in enumerate([names, *values], start=1)]
    return Sheet(path, "Parquet", rows)


def cell_text(cell: Any) -> str:
    """Return a cell of Excel or of a database as a CSV file would hold it."""
    if isinstance(cell, bool) or cell is None:
        return "" if cell is None else str(cell)
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        # Days as fractions are off by a few microseconds.
        return (cell + timedelta(seconds=0.5)).replace(microsecond=0).isoformat(sep=" ")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    # Databases give texts of binary collations, and of binary columns, as bytes.
    return (cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)).strip()
