"""Tables of laboratory samples as CSV: one row a sample, one column a quantity.

Errors name the line and column of the faulty cell in the file, where it has to be corrected.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from hazecast.grids.errors import InputError
from hazecast.grids.observations.column_units import bare_amounts, bare_names
from hazecast.grids.observations.packed import unpacked

MISSING = ("", "NA", "NaN", "nan", "N/A", "-")
# What many files have in place of a missing value. Taken as a number it would decide a study by itself.
MARKS = (-999.0, -9999.0)


def read_samples(
    path: Path,
    *,
    index: str | None = None,
    times: bool = False,
    offset: bool = False,
    marks: bool = False,
    unit: str | None = None,
    one_unit: bool = False,
    units: Mapping[str, str] | None = None,
    alike: Sequence[Sequence[str]] = (),
) -> pd.DataFrame:
    """Read a CSV table of numbers whose first column names the samples.

    Parameters
    ----------
    path : Path
        UTF-8, separated by commas, or by tabs where the header has them; one header line; may be compressed (gzip).
        Lines that begin with ``#`` are comments, and must not look like rows; those of empty cells, as spreadsheets leave them, are passed over.
    index : str, optional
        Name that the first column must have.
    times : bool
        Whether the first column holds ISO 8601 times; a table of times is sorted.
    offset : bool
        Whether these times have to tell their offset; without one they are UTC.
    marks : bool
        Whether `MARKS` are numbers, for a caller that knows them.
    unit : str, optional
        Unit of all columns of amounts, where their headers tell one in brackets.
    one_unit : bool
        Whether all columns whose headers tell a unit of an amount have to tell the same one, whichever.
    units : mapping of str to str, optional
        Unit that a column of that name has to be in, where its header tells one.
    alike : sequence of sequences of str
        Columns of those names that have to be in one unit, where their headers tell theirs.

    Returns
    -------
    pandas.DataFrame
        Floats (sample, quantity), NaN where a cell is empty or one of `MISSING`.

    Raises
    ------
    InputError
        With line and column, if the file can't be read, a row has another number of cells than the
        header, a cell is not a number or is one of `MARKS`, or a sample or column appears twice; also for another unit.
    """
    lines = _lines(path)
    (at, header), rows = lines[0], lines[1:]
    where, known = f"{path}, line {at}", {*(units or {}), *(name for group in alike for name in group)}
    first, *names = bare_names(where, [name.strip() for name in header], known, units or {}, alike)
    if unit is not None or one_unit:
        names = bare_amounts(where, names, unit)
    names = [first, *names]
    _check_header(path, at, names, index)
    if not rows:
        raise InputError(f"{path}: rows", 0, "at least one sample below the header")
    labels: list[str] = []
    values = np.full((len(rows), len(names) - 1), np.nan)
    for number, (line, cells) in enumerate(rows):
        if len(cells) != len(names):
            raise InputError(f"{path}, line {line}", f"{len(cells)} cells", f"{len(names)}, as the header has")
        labels.append(cells[0].strip())
        for column, cell in enumerate(cells[1:]):
            values[number, column] = _number(path, line, names[column + 1], cell.strip(), marks)
    positions = [line for line, _ in rows]
    table = pd.DataFrame(values, columns=names[1:], index=_index(path, positions, names[0], labels, times, offset))
    return table.sort_index() if times else table


def read_labelled(
    path: Path,
    text: Sequence[str],
    numbers: Sequence[str],
    *,
    units: Mapping[str, str] | None = None,
    alike: Sequence[Sequence[str]] = (),
    once: str | None = None,
) -> pd.DataFrame:
    """Read named text and number columns of a CSV table.

    Parameters
    ----------
    path : Path
        As `read_samples`.
    text, numbers : sequence of str
        Required columns; a name that ends in ``?`` is optional. Other columns are ignored. The header may tell a unit behind a name, in
        brackets.
    units : mapping of str to str, optional
        Unit that a column has to be in, where its header tells one.
    alike : sequence of sequences of str
        Columns that have to be in one unit, where their headers tell theirs.
    once : str, optional
        Text column whose names no two rows may share.

    Returns
    -------
    pandas.DataFrame
        In the order of the file, indexed by line number.

    Raises
    ------
    InputError
        As `read_samples`; also for an empty text cell and an infinite number.
    """
    lines = _lines(path)
    (at, header), rows = lines[0], lines[1:]
    known = [name.removesuffix("?") for name in (*text, *numbers)]
    names = bare_names(f"{path}, line {at}", [name.strip() for name in header], known, units or {}, alike)
    _check_header(path, at, names, None)
    wanted: dict[str, bool] = {name.removesuffix("?"): name in numbers for name in (*text, *numbers)}
    missing = [name for name in (*text, *numbers) if not name.endswith("?") and name not in names]
    if missing:
        raise InputError(f"{path}, line {at}", f"columns {', '.join(names)}", f"also {', '.join(missing)}")
    found: dict[str, list[str | float]] = {name: [] for name in wanted if name in names}
    for line, cells in rows:
        if len(cells) != len(names):
            raise InputError(f"{path}, line {line}", f"{len(cells)} cells", f"{len(names)}, as the header has")
        for name, column in found.items():
            cell = cells[names.index(name)].strip()
            if not wanted[name] and not cell:
                raise InputError(f"{path}, line {line}, column {name}", "nothing", "a name")
            if name == once and cell in column:
                raise InputError(f"{path}, line {line}, column {name}", cell, "a name that no other row has")
            column.append(_number(path, line, name, cell) if wanted[name] else cell)
    if not rows:
        raise InputError(f"{path}: rows", 0, "at least one row below the header")
    return pd.DataFrame(found, index=pd.Index([line for line, _ in rows], name="line"))


def column_names(path: Path) -> list[str]:
    """Return the names of a CSV table's columns; raise `InputError` as `read_samples` does for its header."""
    at, header = _lines(path)[0]
    names = [name.strip() for name in header]
    _check_header(path, at, names, None)
    return names


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    try:
        text = unpacked(path.read_bytes(), str(path)).decode("utf-8-sig")
        # EPA's files are separated by tabs.
        first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if "\t" in first else ",")
        rows = [(reader.line_num, cells) for cells in reader]
    except (OSError, InputError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(str(path), error, "a readable CSV file in UTF-8") from error
    found = [(line, cells) for line, cells in rows if any(map(str.strip, cells)) and not cells[0].startswith("#")]
    if not found:
        raise InputError(str(path), "an empty file", "a header line and samples below it")
    begins, header = found[0]
    for line, cells in rows:
        # A stack or a sample may be called `#1`: its row would be lost without a word.
        if line > begins and cells and cells[0].startswith("#") and len(cells) == len(header):
            raise InputError(
                f"{path}, line {line}",
                f"{cells[0]!r} with as many cells as the header",
                "a name that does not begin with #, or a comment without such cells",
            )
    return found


def _check_header(path: Path, line: int, names: list[str], index: str | None) -> None:
    if len(names) < 2:
        raise InputError(f"{path}, line {line}", f"one column, {names[0]!r}", "at least two, separated by commas")
    if index is not None and names[0] != index:
        raise InputError(f"{path}, line {line}, column 1", names[0], index)
    for number, name in enumerate(names):
        if not name:
            raise InputError(f"{path}, line {line}, column {number + 1}", "no name", "a name for each column")
        if name in names[:number]:
            raise InputError(f"{path}, line {line}", f"column {name} twice", "each name once")


def _number(path: Path, line: int, column: str, cell: str, marks: bool = False) -> float:
    if cell in MISSING:
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        raise InputError(f"{path}, line {line}, column {column}", cell, "a number, or NA where missing") from None
    if not np.isfinite(value):
        raise InputError(f"{path}, line {line}, column {column}", cell, "a finite number")
    if value in MARKS and not marks:
        raise InputError(
            f"{path}, line {line}, column {column}", cell, "a number, or NA where it marks a missing value"
        )
    return value


def _index(path: Path, positions: list[int], name: str, labels: list[str], times: bool, offset: bool) -> pd.Index:
    seen: set[str] = set()
    for line, label in zip(positions, labels, strict=True):
        if not label or label in seen:
            raise InputError(f"{path}, line {line}, column {name}", label or "nothing", "a name that no other row has")
        seen.add(label)
    if not times:
        return pd.Index(labels, name=name)
    return _times(path, positions, name, labels, offset)


def _times(path: Path, positions: list[int], name: str, labels: list[str], offset: bool) -> pd.DatetimeIndex:
    """Return times as naive UTC; of a day and a month in another order than ISO 8601 has, which is which is not guessed."""
    parsed: list[datetime] = []
    for line, label in zip(positions, labels, strict=True):
        try:
            time = datetime.fromisoformat(label)
        except ValueError:
            raise InputError(f"{path}, line {line}, column {name}", label, "an ISO 8601 date or time") from None
        if parsed and (time.tzinfo is None) != (parsed[0].tzinfo is None):
            raise InputError(
                f"{path}, line {line}, column {name}", label, "times with offset, or times without, not both"
            )
        if time.tzinfo is None and offset:
            raise InputError(
                f"{path}, line {line}, column {name}", label, "a time with its offset, as 2024-01-01T01:00+08:00"
            )
        parsed.append(time)
    # In summer and in winter a place has two offsets.
    index = pd.DatetimeIndex(pd.to_datetime(parsed, utc=True).tz_localize(None), name=name)
    twice = index.duplicated()
    if twice.any():
        at = int(twice.argmax())
        raise InputError(f"{path}, line {positions[at]}, column {name}", labels[at], "a time that no other row has")
    return index
