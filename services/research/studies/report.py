"""The report of a study as a document that stands alone, HTML or PDF: what was found, tables, figures, method, limits, what was asked."""

from __future__ import annotations

import base64
import html
import tomllib
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from hazecast.services.research.studies.pictures import drawn
from hazecast.services.research.studies.report_text import column, is_text, said, words

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from hazecast.services.research.studies.asking import Call
    from hazecast.services.research.studies.result import Result

# A page is read, not computed with: of a longer table only the beginning is shown, after all else.
LONGEST, _EXTRACT = 60, 12
# From more columns on those without any value are left out, and named.
_WIDE = 8
# Longer words are broken into lines.
_SENTENCE = 24
# Names in other languages, and colours, beside the English name.
_FOR_OTHERS = ("name_zh", "name_ja", "colour")
_STYLE = (
    "@page{size:A4;margin:15mm}body{font:11pt sans-serif;max-width:190mm;margin:1em auto}img{max-width:100%}"
    "table{border-collapse:collapse;font-size:9pt}td,th{border-bottom:1px solid #999;padding:2pt 6pt;text-align:right}"
    "td:first-child,th:first-child,.left{text-align:left}"
)
# Options that say where the result goes.
_OF_OUTPUT = ("as_json", "out", "report")
_HEADINGS = {"result": "Result", "method": "Method", "limits": "Limits", "asked": "Asked"}
_PACKAGE = "hazecast.services.research.studies"


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes
    ----------
    name : str
    head : tuple of str
    rows : tuple of tuple of str
    left : tuple of bool
        Which columns are words.
    note : str
        What is not shown.
    extract : bool
        Whether it is too long to be shown as a whole.
    """

    name: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[bool, ...]
    note: str
    extract: bool


@dataclass(frozen=True)
class Sheet:
    """All words of a report.

    Attributes
    ----------
    title, description, method, limits : str
        What was studied, what the study does, how, and what it does not tell.
    result, asked : tuple of (name, value)
        Single values, and the arguments and options of the command.
    tables : tuple of Table
    figures : tuple of str
        Their names, in order.
    """

    title: str
    description: str
    method: str
    limits: str
    result: tuple[tuple[str, str], ...]
    asked: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    figures: tuple[str, ...]


@lru_cache
def methods() -> dict[str, dict[str, Any]]:
    """Return ``method`` and ``limits`` of each study by its command, words for names in ``labels`` and ``asked``."""
    return tomllib.loads((files(_PACKAGE) / "methods.toml").read_text(encoding="utf-8"))


def sheet_of(call: Call, result: Result) -> Sheet:
    """Return the words of a report.

    Parameters
    ----------
    call : Call
        The command and what it was asked.
    result : Result
        What it found.

    Returns
    -------
    Sheet
        Of a table of more than 60 rows the beginning.
    """
    about = methods().get(call.name, {"method": "", "limits": ""})
    labels, questions = about.get("labels", {}), about.get("asked", {})
    asked = ((name, value) for name, value in call.asked.items() if value is not None and name not in _OF_OUTPUT)
    return Sheet(
        title=about.get("title", words(call.name)),
        description=" ".join(call.description.split()),
        method=about["method"],
        limits=about["limits"],
        result=tuple((labels.get(name, words(name)), said(value, labels)) for name, value in result.summary.items()),
        asked=(
            ("study", f"hazecast study {call.name}"),
            *((questions.get(name, words(name)), said(value)) for name, value in asked),
        ),
        tables=tuple(_table(name, table, labels) for name, table in result.tables.items()),
        figures=tuple(words(name) for name in result.figures),
    )


def as_html(sheet: Sheet, pictures: dict[str, bytes]) -> str:
    """Lay a report out as one HTML page without scripts or external resources.

    Parameters
    ----------
    sheet : Sheet
    pictures : dict of str to bytes
        PNG by the names of the sheet's figures.

    Returns
    -------
    str
    """
    parts = [
        f"<h1>{html.escape(sheet.title)}</h1><p>{html.escape(sheet.description)}</p>",
        _section("result", _html_pairs(sheet.result)),
        *(f"<h2>{html.escape(table.name)}</h2>{_html_table(table)}" for table in sheet.tables if not table.extract),
        *(f"<h2>{html.escape(name)}</h2>{_html_picture(name, pictures[name])}" for name in sheet.figures),
        *(f"<h2>{html.escape(table.name)}</h2>{_html_table(table)}" for table in sheet.tables if table.extract),
        _section("method", f"<p>{html.escape(sheet.method)}</p>" if sheet.method else ""),
        _section("limits", f"<p>{html.escape(sheet.limits)}</p>" if sheet.limits else ""),
        _section("asked", _html_pairs(sheet.asked)),
    ]
    head = f'<meta charset="utf-8"><title>{html.escape(sheet.title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def as_pdf(sheet: Sheet, pictures: dict[str, bytes], made: datetime) -> bytes:
    """Lay a report out on A4 as tagged PDF (PDF/UA-1), its font embedded.

    Parameters
    ----------
    sheet : Sheet
    pictures : dict of str to bytes
        PNG by the names of the sheet's figures.
    made : datetime
        Aware; the date that the document carries.

    Returns
    -------
    bytes
        The same for the same input.

    Raises
    ------
    MissingExtraError
        If the extra ``pdf`` is not installed.
    """
    from hazecast.alerts.bulletin.typeset import FONT, picture_file, typeset

    data = asdict(sheet) | {
        "tables": [asdict(table) | {"widths": _widths(table)} for table in sheet.tables],
        "headings": _HEADINGS,
        "font": FONT,
        "date": f"{made:%Y-%m-%d %H:%M} UTC",
        "figures": [{"file": picture_file(name), "name": name} for name in sheet.figures],
    }
    return typeset((files(_PACKAGE) / "report.typ").read_bytes(), data, pictures, made)


def _widths(table: Table) -> list[str]:
    """Return which columns take the room that they need, which a share of the rest, and which, of sentences, three."""
    longest = [max(map(len, cells), default=0) for cells in zip(*table.rows, strict=True)] or [0] * len(table.head)
    return [
        "sentence" if left and long > _SENTENCE else "own" if number == 0 else "share"
        for number, (left, long) in enumerate(zip(table.left, longest, strict=True))
    ]


def pictures_of(result: Result) -> dict[str, bytes]:
    """Return the figures of a result as PNG, by the names of a sheet's figures."""
    return {words(name): drawn(figure) for name, figure in result.figures.items()}


def _table(name: str, table: pd.DataFrame, labels: dict[str, str]) -> Table:
    # Tables that were turned hold numbers as objects.
    shown = table.reset_index().infer_objects()
    shown = shown[[one for one in shown.columns if not ("name_en" in shown and str(one) in _FOR_OTHERS)]]
    empty = [one for one in shown.columns if shown.shape[1] > _WIDE and shown[one].isna().all()]
    shown = shown.drop(columns=empty)
    rows = LONGEST if len(shown) <= LONGEST else _EXTRACT
    cells = [column(shown.iloc[:rows, number], labels) for number in range(shown.shape[1])]
    unnamed = table.index.nlevels == 1 and table.index.name is None
    head = tuple(
        "" if unnamed and number == 0 else labels.get(str(one), words(one)) for number, one in enumerate(shown.columns)
    )
    left = tuple(number == 0 or is_text(shown.iloc[:, number]) for number in range(shown.shape[1]))
    notes = (
        [f"{len(shown) - rows:,} more rows are not shown: they are in the study's tables."] if len(shown) > rows else []
    )
    notes += [f"Without any value: {', '.join(labels.get(str(one), words(one)) for one in empty)}."] if empty else []
    return Table(
        labels.get(f"table {name}", labels.get(name, words(name))),
        head,
        tuple(zip(*cells, strict=True)),
        left,
        " ".join(notes),
        len(shown) > rows,
    )


def _section(key: str, content: str) -> str:
    return f"<h2>{_HEADINGS[key]}</h2>{content}" if content else ""


def _html_pairs(values: tuple[tuple[str, str], ...]) -> str:
    rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in values)
    return f"<table>{rows}</table>" if rows else ""


def _html_table(table: Table) -> str:
    def row(cells: tuple[str, ...], kind: str) -> str:
        marks = (" class=left" if left else "" for left in table.left)
        return "".join(f"<{kind}{mark}>{html.escape(one)}</{kind}>" for one, mark in zip(cells, marks, strict=True))

    rows = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in table.rows)
    note = f"<p>{html.escape(table.note)}</p>" if table.note else ""
    return f"<table><tr>{row(table.head, 'th')}</tr>{rows}</table>{note}"


def _html_picture(name: str, picture: bytes) -> str:
    content = base64.b64encode(picture).decode("ascii")
    return f'<img alt="{html.escape(name)}" src="data:image/png;base64,{content}">'
