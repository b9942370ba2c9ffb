"""The cells of a table's file, as text with their lines: CSV, plain or gzip, Excel and Parquet, known by their first bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires
from hazecast.grids.observations.packed import LARGEST, unpacked
from hazecast.grids.observations.tables.encodings import decode
from hazecast.grids.observations.tables.mapping import FilePart
from hazecast.grids.observations.tables.workbooks import check_workbook

SUFFIXES = (".csv", ".csv.gz", ".txt", ".txt.gz", ".tsv", ".tsv.gz", ".xlsx", ".xlsm", ".xls", ".ods", ".parquet")
# The extra that installs the readers of Excel and Parquet.
EXTRA = "tables"
_ZIP, _OLE, _PARQUET = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"PAR1"
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


@dataclass(frozen=True)
class Sheet:
    """A table's cells.

    Attributes
    ----------
    path : Path
    form : {"CSV", "Excel", "Parquet", "SQL"}
    rows : list of (int, list of str)
        Line in the file, counted from 1 (of an answer of a database as if it were a file), and its cells without blanks around them; empty lines are left out.
    encoding, separator : str
        Of a CSV file; "" of others.
    notes : tuple of str
        What was taken from what, for a person.
    """

    path: Path
    form: Literal["CSV", "Excel", "Parquet", "SQL"]
    rows: list[tuple[int, list[str]]]
    encoding: str = ""
    separator: str = ""
    notes: tuple[str, ...] = ()


def is_table(path: Path) -> bool:
    """Return whether a file's name is that of a table."""
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith((".", "~$"))


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
    if data.startswith((_ZIP, _OLE)):
        return _excel(data, path, part.sheet)
    if data.startswith(_PARQUET):
        return _parquet(data, path)
    text, encoding, why = decode(data, str(path), part.encoding)
    notes = [f"encoding {encoding}: {why}"]
    if broken := text.count("�"):
        notes.append(f"{broken} characters are not {encoding}")
    separator = part.separator
    if separator is None:
        separator = _separator(text)
        notes.append(f"separator {separator!r}: it divides the rows alike")
    rows = [(line, cells) for line, cells in _lines(text, separator, path) if any(cells)]
    return Sheet(path, "CSV", rows, encoding, separator, tuple(notes))


def _lines(text: str, separator: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    lines = text.splitlines() if '"' in text else None
    try:
        if lines is None:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=csv.QUOTE_NONE)
            for cells in reader:
                yield reader.line_num, [cell.strip() for cell in cells]
            return
        at = 0
        while at < len(lines):
            number, cells = _quoted(lines, at, separator)
            yield at + 1, [cell.strip() for cell in cells]
            at += number
    except csv.Error as error:
        raise InputError(str(path), error, "a CSV file") from error


def _quoted(lines: list[str], at: int, separator: str) -> tuple[int, list[str]]:
    """Return how many lines a row takes and its cells; a quote that isn't closed soon is a character like others."""
    quotes = 0
    for number, line in enumerate(lines[at : at + _ROW_LINES], start=1):
        quotes += line.count('"')
        if quotes % 2 == 0:
            return number, next(csv.reader(["\n".join(lines[at : at + number])], delimiter=separator), [])
    return 1, next(csv.reader([lines[at]], delimiter=separator, quoting=csv.QUOTE_NONE), [])


def _separator(text: str) -> str:
    """Return the separator that gives most rows as many cells as the first, and at least two."""
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
    return best


def _excel(data: bytes, path: Path, wanted: str | None) -> Sheet:
    calamine = requires("python_calamine", EXTRA)
    if data.startswith(_ZIP):
        check_workbook(data, str(path))
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = list(book.sheet_names)
        if wanted is not None and wanted not in names:
            raise InputError(f"{path}: sheet", wanted, f"one of {', '.join(names)}")
        cells = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in names[:64]}
    except InputError:
        raise
    except BaseException as error:
        # On a damaged workbook the library raises errors of several kinds, and panics, which are no Exception.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise InputError(str(path), error, "a whole Excel file") from error
        raise
    filled = [name for name in names if name in cells and len(cells[name]) > 1]
    name = wanted or next(iter(filled), names[0] if names else None)
    if name is None:
        raise InputError(str(path), "no sheet", "a sheet with a table")
    rows = [(line, [cell_text(cell) for cell in row]) for line, row in enumerate(cells[name], start=1)]
    notes = [f"sheet {name!r}" + ("" if wanted else ": the first with rows")]
    if others := [other for other in filled if other != name]:
        notes.append(f"sheets not read: {', '.join(others)}")
    return Sheet(path, "Excel", [(line, row) for line, row in rows if any(row)], notes=tuple(notes))


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
    return str(cell).strip()
