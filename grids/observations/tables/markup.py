"""Tables in HTML and in the XML that Excel 2003 saved: what platforms deliver under the name ``.xls``."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import NamedTuple

_ROWS, _CELLS = frozenset({"tr", "row"}), frozenset({"td", "th", "cell"})
_TABLES = frozenset({"table", "worksheet"})
# Rows and columns of a cell's place or size, and all cells of a table: more is an attack.
_FARTHEST, _MOST_CELLS = 1_000_000, 10_000_000

Rows = list[list[str]]


class _Cell(NamedTuple):
    """A cell: its column from 1, 0 for the next one that is free, and over how many columns and rows it reaches."""

    text: str
    column: int
    wide: int
    high: int


def is_markup(text: str) -> bool:
    """Return whether a text is HTML or XML that holds a table."""
    return text[:1_000].lstrip("\ufeff \r\n\t").startswith("<") and "table" in text[:200_000].lower()


def tables_in(text: str) -> list[tuple[str, Rows]]:
    """Return the tables of HTML, or the sheets of a workbook in XML.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of (str, list of list of str)
        The name of each, or its number from 1, and its rows; what reaches over several rows or columns is in each of them.

    Raises
    ------
    ValueError
        If it reaches over more cells than a table may have.

    Examples
    --------
    >>> tables_in("<table><tr><th rowspan=2>A1<td>1<tr><td>2</table>")
    [('1', [['A1', '1'], ['A1', '2']])]
    """
    reader = _Reader()
    reader.feed(text)
    reader.close()
    reader.end_cell()
    return [(name or str(number), _laid_out(rows)) for number, (name, rows) in enumerate(reader.tables, 1) if rows]


class _Reader(HTMLParser):
    """Collects the cells of tables; the prefixes of tags and attributes are passed over."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[tuple[str, list[tuple[int, list[_Cell]]]]] = []
        self._text: list[str] | None = None
        self._place = _Cell("", 0, 1, 1)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name, own = tag.rpartition(":")[2], {key.rpartition(":")[2]: value for key, value in attrs}
        if name in _TABLES:
            self.end_cell()
            # A sheet holds a table, and is named: they are one.
            if name == "worksheet" or not (self.tables and self.tables[-1][0] and not self.tables[-1][1]):
                self.tables.append((own.get("name") or "", []))
        elif name in _ROWS and self.tables:
            self.end_cell()
            self.tables[-1][1].append((_number(own.get("index"), 0), []))
        elif name in _CELLS and self.tables and self.tables[-1][1]:
            self.end_cell()
            if name == "cell":
                wide, high = _number(own.get("mergeacross"), 0) + 1, _number(own.get("mergedown"), 0) + 1
            else:
                wide, high = _number(own.get("colspan"), 1), _number(own.get("rowspan"), 1)
            self._place = _Cell("", _number(own.get("index"), 0), max(wide, 1), max(high, 1))
            self._text = []
        elif name == "br" and self._text is not None:
            self._text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag.rpartition(":")[2] in _CELLS | _ROWS | _TABLES:
            self.end_cell()

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def end_cell(self) -> None:
        """Keep the cell that is being read."""
        if self._text is not None:
            self.tables[-1][1][-1][1].append(self._place._replace(text=" ".join("".join(self._text).split())))
            self._text = None


def _laid_out(rows: list[tuple[int, list[_Cell]]]) -> Rows:
    result: Rows = []
    # What reaches down from earlier rows: by column, the text and up to which row.
    above: dict[int, tuple[str, int]] = {}
    size = 0
    for index, cells in rows:
        result += [[] for _ in range(index - 1 - len(result))]
        number, row = len(result), dict[int, str]()
        for column, (text, last) in above.items():
            if number <= last:
                row[column] = text
        column = 0
        for cell in cells:
            column = cell.column - 1 if cell.column else column
            while column in row:
                column += 1
            size += cell.wide + cell.high
            if size > _MOST_CELLS or len(result) * (column + cell.wide) > _MOST_CELLS:
                raise ValueError(f"more than {_MOST_CELLS} cells")
            for _ in range(cell.wide):
                row[column] = cell.text
                if cell.high > 1:
                    above[column] = cell.text, number + cell.high - 1
                column += 1
        result.append([row.get(at, "") for at in range(max(row, default=-1) + 1)])
    return result


def _number(text: str | None, otherwise: int) -> int:
    return min(int(text), _FARTHEST) if text is not None and text.isdecimal() and len(text) < 10 else otherwise
