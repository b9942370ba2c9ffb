"""The report of a study as a document that stands alone, HTML or PDF: what was found, tables, figures, method, limits, what was asked."""

from __future__ import annotations

import base64
import html
import math
import tomllib
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazecast.services.research.studies.pictures import drawn

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from hazecast.services.research.studies.asking import Call
    from hazecast.services.research.studies.result import Result

# A page is read, not computed with: longer tables are in the files that --out writes.
LONGEST = 60
_STYLE = (
    "@page{size:A4;margin:15mm}body{font:11pt sans-serif;max-width:190mm;margin:1em auto}img{max-width:100%}"
    "table{border-collapse:collapse;font-size:9pt}td,th{border-bottom:1px solid #999;padding:2pt 6pt;text-align:right}"
    "td:first-child,th:first-child{text-align:left}"
)
# Options that say where the result goes.
_OF_OUTPUT = ("as_json", "out", "report")
_HEADINGS = {"result": "Result", "method": "Method", "limits": "Limits", "asked": "Asked"}
_PACKAGE = "hazecast.services.research.studies"


@dataclass(frozen=True)
class Table:
    """A table as text, and how many rows of it are not shown."""

    name: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int


@dataclass(frozen=True)
class Sheet:
    """All words of a report.

    Attributes
    ----------
    title, description, method, limits : str
        The command, what it does, how, and what it does not tell.
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
        A table of more than 60 rows is cut.
    """
    about = methods().get(call.name, {"method": "", "limits": ""})
    labels, questions = about.get("labels", {}), about.get("asked", {})
    asked = ((name, value) for name, value in call.asked.items() if value is not None and name not in _OF_OUTPUT)
    return Sheet(
        title=f"hazecast study {call.name}",
        description=" ".join(call.description.split()),
        method=about["method"],
        limits=about["limits"],
        result=tuple((labels.get(name, _words(name)), _text(value)) for name, value in result.summary.items()),
        asked=tuple((questions.get(name, _words(name)), _text(value)) for name, value in asked),
        tables=tuple(_table(name, table, labels) for name, table in result.tables.items()),
        figures=tuple(_words(name) for name in result.figures),
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
        *(f"<h2>{html.escape(table.name)}</h2>{_html_table(table)}" for table in sheet.tables),
        *(f"<h2>{html.escape(name)}</h2>{_html_picture(name, pictures[name])}" for name in sheet.figures),
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
        "headings": _HEADINGS,
        "font": FONT,
        "date": f"{made:%Y-%m-%d %H:%M} UTC",
        "more": [f"{table.more} more rows are not shown." if table.more else "" for table in sheet.tables],
        "figures": [{"file": picture_file(name), "name": name} for name in sheet.figures],
    }
    return typeset((files(_PACKAGE) / "report.typ").read_bytes(), data, pictures, made)


def pictures_of(result: Result) -> dict[str, bytes]:
    """Return the figures of a result as PNG, by the names of a sheet's figures."""
    return {_words(name): drawn(figure) for name, figure in result.figures.items()}


def _table(name: str, table: pd.DataFrame, labels: dict[str, str]) -> Table:
    shown = table.reset_index()
    rows = tuple(tuple(_text(one) for one in row) for row in shown.head(LONGEST).itertuples(index=False))
    head = tuple(labels.get(str(one), _words(one)) for one in shown.columns)
    return Table(_words(name), head, rows, max(0, len(shown) - LONGEST))


def _words(name: object) -> str:
    return str(name).replace("_", " ")


def _text(value: Any) -> str:
    """Return a value as text: an estimate with its interval, a list by its members, missing as a dash."""
    if isinstance(value, dict):
        if set(value) == {"value", "low", "high"}:
            return f"{_text(value['value'])} ({_text(value['low'])} to {_text(value['high'])})"
        return "; ".join(f"{_words(name)}: {_text(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(one) for one in value) or "none"
    if isinstance(value, Path):
        return value.name  # a report is given away; where files lie here is nobody's business
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    """Return a number with four digits; no power of ten below a million."""
    short = f"{value:.4g}"
    return f"{value:,.0f}" if "e+" in short and abs(value) < 1e7 else short


def _section(key: str, content: str) -> str:
    return f"<h2>{_HEADINGS[key]}</h2>{content}" if content else ""


def _html_pairs(values: tuple[tuple[str, str], ...]) -> str:
    rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in values)
    return f"<table>{rows}</table>" if rows else ""


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table.head)
    rows = "".join(f"<tr>{''.join(f'<td>{html.escape(one)}</td>' for one in row)}</tr>" for row in table.rows)
    rest = f"<p>{table.more} more rows are not shown.</p>" if table.more else ""
    return f"<table><tr>{head}</tr>{rows}</table>{rest}"


def _html_picture(name: str, picture: bytes) -> str:
    content = base64.b64encode(picture).decode("ascii")
    return f'<img alt="{html.escape(name)}" src="data:image/png;base64,{content}">'
