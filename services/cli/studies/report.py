"""The report of a study as one HTML page that stands alone: what was asked, what was found, tables and figures."""

from __future__ import annotations

import base64
import html
import io
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from hazecast.services.research.studies.result import Result

# A page is read, not computed with: longer tables are in the files that --out writes.
LONGEST = 60
_STYLE = (
    "@page{size:A4;margin:15mm}body{font:11pt sans-serif;max-width:190mm;margin:1em auto}img{max-width:100%}"
    "table{border-collapse:collapse;font-size:9pt}td,th{border-bottom:1px solid #999;padding:2pt 6pt;text-align:right}"
    "td:first-child,th:first-child{text-align:left}"
)


def report_page(title: str, description: str, asked: dict[str, Any], result: Result) -> str:
    """Return a study's report.

    Parameters
    ----------
    title, description : str
        The command, and what it does.
    asked : dict of str to Any
        Arguments and options of the command.
    result : Result

    Returns
    -------
    str
        HTML without scripts or external resources; a table of more than 60 rows is cut, which is said below it.
    """
    parts = [
        f"<h1>{html.escape(title)}</h1><p>{html.escape(description)}</p>",
        "<h2>Result</h2>" + _pairs(result.summary) if result.summary else "",
        *(f"<h2>{html.escape(name)}</h2>{_table(table)}" for name, table in result.tables.items()),
        *(f"<h2>{html.escape(name)}</h2>{_picture(name, figure)}" for name, figure in result.figures.items()),
        "<h2>Asked</h2>" + _pairs(asked),
    ]
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _pairs(values: dict[str, Any]) -> str:
    rows = (f"<tr><td>{_cell(name)}</td><td>{_cell(value)}</td></tr>" for name, value in values.items())
    return f"<table>{''.join(rows)}</table>"


def _table(table: pd.DataFrame) -> str:
    shown = table.reset_index()
    head = "".join(f"<th>{_cell(str(name))}</th>" for name in shown.columns)
    rows = ("".join(f"<td>{_cell(one)}</td>" for one in row) for row in shown.head(LONGEST).itertuples(index=False))
    rest = f"<p>{len(shown) - LONGEST} more rows are not shown.</p>" if len(shown) > LONGEST else ""
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>{rest}"


def _cell(value: Any) -> str:
    """Return a value as text: an estimate with its interval, a list by its members, missing as a dash."""
    if isinstance(value, dict):
        if set(value) == {"value", "low", "high"}:
            return f"{_cell(value['value'])} ({_cell(value['low'])} to {_cell(value['high'])})"
        return "; ".join(f"{html.escape(str(name))}: {_cell(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_cell(one) for one in value) or "none"
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else html.escape(str(value))


def _picture(name: str, figure: Figure) -> str:
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110, format="png")
    content = base64.b64encode(drawn.getvalue()).decode("ascii")
    return f'<img alt="{html.escape(name)}" src="data:image/png;base64,{content}">'
