"""The one-page report of a factory before and after a measure, as HTML that stands alone."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from hazecast.forecast.studies.emissions.factory import Estimate, FactoryChange, Payback

_STYLE = (
    "@page{size:A4;margin:15mm}body{font:11pt sans-serif;max-width:180mm;margin:auto}table{border-collapse:collapse;width:100%}"
    "td,th{border-bottom:1px solid #999;padding:2pt 4pt;text-align:right}td:first-child,th:first-child{text-align:left}"
)


def factory_page(change: FactoryChange, paid: Payback | None = None) -> str:
    """Return the report of a measure.

    Parameters
    ----------
    change : FactoryChange
    paid : Payback, optional
        Left out of the report where not given.

    Returns
    -------
    str
        HTML, one A4 page for up to about twenty runs.
    """
    rows = [
        ("Emission before, kg/t", f"{change.before:.4g}", ""),
        ("Emission after, kg/t", f"{change.after:.4g}", ""),
        _row("Reduction, %", change.reduction, 100),
        _row("Emission avoided, kg a year", change.avoided),
    ]
    if paid is not None:
        rows += [
            _row("Net saving a year", paid.saving),
            _row("Payback, years", paid.years),
            ("Payback with interest, years", _number(paid.discounted_years), ""),
            _row("Cost of a kg avoided", paid.cost_per_kg),
        ]
    runs = [
        (str(name), *(f"{one:.4g}" for one in row))
        for name, row in zip(change.table.index, change.table.to_numpy(), strict=True)
    ]
    unlike = (
        f"<p>Output differs by more than 10 % in: {html.escape(', '.join(change.unlike))}.</p>" if change.unlike else ""
    )
    sure = (
        "The interval excludes no change."
        if change.reduction.low > 0 or change.reduction.high < 0
        else "The interval holds no change: none is shown."
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Before and after</title><style>{_STYLE}</style></head><body>'
        f"<h1>Before and after the measure</h1><p>{change.runs} paired runs. {sure}</p>"
        f"{_table(('', 'estimate', f'{change.confidence:.0%} interval'), rows)}{unlike}"
        f"<h2>Runs, kg/t</h2>{_table(('run', 'before', 'after', 'reduction'), runs)}</body></html>\n"
    )


def _row(name: str, one: Estimate, scale: float = 1.0) -> tuple[str, str, str]:
    return name, _number(one.value * scale), f"{_number(one.low * scale)} to {_number(one.high * scale)}"


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "never"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["".join(f"<th>{html.escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
