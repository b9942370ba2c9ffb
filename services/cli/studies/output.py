"""The result of a study command: tables and figures, as text, JSON or files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hazecast.services.cli.studies.options import Output, current_call
from hazecast.services.research.studies.result import Result, plain, records


def emit(result: Result, output: Output) -> None:
    """Print a study's result, and write it where a folder is given.

    Parameters
    ----------
    result : Result
        Summary, tables and figures.
    output : Output
        Format, folder and report.
    """
    if output.out is not None:
        _write(result, output.out)
    if output.report is not None:
        _report(result, output.report)
    if output.as_json:
        content = result.summary | {name: records(result.tables[name]) for name in result.printed}
        print(_json(content))
        return
    for name, value in result.summary.items():
        print(f"{name}: {_text(value)}")
    for name in result.printed:
        print(f"\n{name}")
        print(result.tables[name].to_string(float_format=lambda value: f"{value:.4g}", na_rep="-"))
    for written in (output.out, output.report):
        if written is not None:
            print(f"\nwritten to {written}")


def _write(result: Result, out: Path) -> None:
    from hazecast.grids.errors import InputError
    from hazecast.services.core.files import atomic_write
    from hazecast.services.research.studies.pictures import drawn

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
    from hazecast.services.core.clock import utc_now
    from hazecast.services.core.files import atomic_write
    from hazecast.services.research.studies.report import as_html, as_pdf, pictures_of, sheet_of

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
    return json.dumps(plain(content), indent=2, ensure_ascii=False)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(part) for part in value) or "none"
    return str(value)
