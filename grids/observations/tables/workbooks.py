"""Excel files before they are read: the reader lays out every cell up to the last, so a file of a few kB could take all memory."""

from __future__ import annotations

import io
import re
import zipfile
import zlib

from hazecast.grids.errors import InputError
from hazecast.grids.observations.packed import LARGEST

# Rows times columns of a sheet: half a gigabyte in the reader.
_MOST_CELLS = 10_000_000
_PLACE = re.compile(rb"""\br=["']([A-Za-z]{0,3})(\d{1,9})["']""")
_SHEET = b"sheetData"


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


def _check_sheet(xml: bytes, where: str) -> None:
    if _SHEET not in xml:
        return
    last, columns = 0, {b"A"}
    for place in _PLACE.finditer(xml):
        last = max(last, int(place[2]))
        columns.add(place[1].upper() or b"A")
    width = max(_number_of(column) for column in columns)
    if last * width > _MOST_CELLS:
        raise InputError(where, f"cells up to row {last} and column {width}", f"at most {_MOST_CELLS} in a rectangle")


def _number_of(column: bytes) -> int:
    number = 0
    for letter in column:
        number = number * 26 + letter - ord("A") + 1
    return number
