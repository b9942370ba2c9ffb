"""Plain tables whose columns are divided by blanks alone, one or several."""

from __future__ import annotations

import re

BLANK = " "
# A date and the time of day behind it are one cell where the names say so.
_STAMP = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2})[ \t]+(\d{1,2}:\d{2})")
_HELD = "\0"
# Share of the rows that must have as many cells as the names: prose has not.
_ALIKE, _FEWEST_ROWS = 0.9, 2


def blank_rows(text: str) -> tuple[list[tuple[int, list[str]]], bool]:
    """Divide lines at their blanks.

    Parameters
    ----------
    text : str

    Returns
    -------
    rows : list of (int, list of str)
        Number and cells of each line that isn't empty, from 1.
    alike : bool
        Whether nearly all have as many cells as the first, at least two.
    """
    apart = _rows(text)
    together = _rows(_STAMP.sub(rf"\1{_HELD}\2", text))
    rows = max((apart, together), key=_alike)
    return rows, len(rows) > _FEWEST_ROWS and len(rows[0][1]) > 1 and _alike(rows) >= _ALIKE


def _rows(text: str) -> list[tuple[int, list[str]]]:
    lines = ((number, line.split()) for number, line in enumerate(text.splitlines(), start=1))
    return [(number, [cell.replace(_HELD, BLANK) for cell in cells]) for number, cells in lines if cells]


def _alike(rows: list[tuple[int, list[str]]]) -> float:
    return sum(len(cells) == len(rows[0][1]) for _, cells in rows[1:]) / max(len(rows) - 1, 1) if rows else 0.0
