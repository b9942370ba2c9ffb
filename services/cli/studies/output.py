"""What every study command gives: tables and figures, as text, JSON or files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for tables (CSV), figures (PNG) and summary.json.")]
Table = Annotated[Path, typer.Argument(help="CSV file.")]


def emit(
    summary: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, Figure],
    *,
    as_json: bool,
    out: Path | None,
    shown: tuple[str, ...],
) -> None:
    """Print a study's result, and write it where a folder is given.

    Parameters
    ----------
    summary : mapping of str to Any
        Single values.
    tables, figures : mapping
        By the names of their files.
    as_json : bool
    out : Path or None
    shown : tuple of str
        The tables that are printed.
    """
    if out is not None:
        _write(summary, tables, figures, out)
    if as_json:
        printed = dict(summary) | {name: _records(tables[name]) for name in shown}
        print(json.dumps(printed, indent=2, ensure_ascii=False, default=str))
        return
    for name, value in summary.items():
        print(f"{name}: {_text(value)}")
    for name in shown:
        print(f"\n{name}")
        print(tables[name].to_string(float_format=lambda value: f"{value:.4g}", na_rep="-"))
    if out is not None:
        print(f"\nwritten to {out}")


def _write(
    summary: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], figures: Mapping[str, Figure], out: Path
) -> None:
    from hazecast.grids.errors import InputError

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("--out", out, "a folder that can be written to") from error
    for name, table in tables.items():
        partial = out / f".{name}.csv.partial"
        table.to_csv(partial)
        os.replace(partial, out / f"{name}.csv")
    for name, figure in figures.items():
        figure.savefig(out / f"{name}.png", dpi=110)
    (out / "summary.json").write_text(
        json.dumps(dict(summary), indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8"
    )


def _records(table: pd.DataFrame) -> Any:
    return json.loads(table.reset_index().to_json(orient="records", date_format="iso"))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(part) for part in value) or "none"
    return str(value)
