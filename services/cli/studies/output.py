"""The result of a study command: tables and figures, as text, JSON or files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazecast.services.cli.studies.options import Output, current_call

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass
class Result:
    """What a study found.

    Attributes
    ----------
    summary : dict of str to Any
        Single values.
    tables : dict of str to pandas.DataFrame
        By the names of their files.
    figures : dict of str to matplotlib.figure.Figure
        By the names of their files.
    """

    summary: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)


def emit(result: Result, output: Output, printed: Sequence[str] = ()) -> None:
    """Print a study's result, and write it where a folder is given.

    Parameters
    ----------
    result : Result
        Summary, tables and figures.
    output : Output
        Format, folder and report.
    printed : sequence of str
        The tables that are printed.
    """
    if output.out is not None:
        _write(result, output.out)
    if output.report is not None:
        _report(result, output.report)
    if output.as_json:
        content = result.summary | {name: _records(result.tables[name]) for name in printed}
        print(_json(content))
        return
    for name, value in result.summary.items():
        print(f"{name}: {_text(value)}")
    for name in printed:
        print(f"\n{name}")
        print(result.tables[name].to_string(float_format=lambda value: f"{value:.4g}", na_rep="-"))
    for written in (output.out, output.report):
        if written is not None:
            print(f"\nwritten to {written}")


def _write(result: Result, out: Path) -> None:
    from hazecast.grids.errors import InputError
    from hazecast.services.cli.studies.pictures import drawn
    from hazecast.services.core.files import atomic_write

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("--out", out, "a folder that can be written to") from error
    for name, table in result.tables.items():
        with atomic_write(out / f"{name}.csv") as part:
            table.to_csv(part)
    for name, figure in result.figures.items():
        with atomic_write(out / f"{name}.png") as part:
            part.write_bytes(drawn(figure))
    with atomic_write(out / "summary.json") as part:
        part.write_text(_json(result.summary) + "\n", encoding="utf-8")


def _report(result: Result, path: Path) -> None:
    from hazecast.grids.errors import InputError
    from hazecast.services.cli.studies.report import as_html, as_pdf, pictures_of, sheet_of
    from hazecast.services.core.clock import utc_now
    from hazecast.services.core.files import atomic_write

    if path.suffix not in (".html", ".pdf"):
        raise InputError("--report", path, "a file name that ends in .html or .pdf")
    sheet, pictures = sheet_of(current_call.get(), result), pictures_of(result)
    as_page = path.suffix == ".html"
    content = as_html(sheet, pictures).encode("utf-8") if as_page else as_pdf(sheet, pictures, utc_now())
    try:
        with atomic_write(path) as part:
            part.write_bytes(content)
    except OSError as error:
        raise InputError("--report", path, "a file that can be written") from error


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, default=str)


def _records(table: pd.DataFrame) -> Any:
    return json.loads(table.reset_index().to_json(orient="records", date_format="iso"))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(part) for part in value) or "none"
    return str(value)
