"""``hazecast observations``: a bureau's own tables before they are used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hazecast.services.cli import exits
from hazecast.services.cli.options import AsJson, settings_of
from hazecast.services.cli.output import print_json, write_file

if TYPE_CHECKING:
    from hazecast.grids.observations.tables.examine import Examined

app = typer.Typer(help="A bureau's own tables.", no_args_is_help=True)

_SHOWN = 20


@app.callback()
def observations() -> None:
    """A bureau's own tables."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A table: CSV, gzip, Excel or Parquet.")],
    write: Annotated[
        Path | None, typer.Option("--write", help="Write the mapping here, such as mapping.toml beside the table.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option("--mapping", help="Read the table by this mapping file.")] = None,
    variable: Annotated[str, typer.Option("--variable", help="What a table with a column a station holds.")] = "",
    unit: Annotated[str, typer.Option("--unit", help="Its unit.")] = "",
    zone: Annotated[str, typer.Option("--zone", help="Time zone of stamps without an offset: a name or +08:00.")] = "",
    stamp: Annotated[
        Literal["end", "start"] | None, typer.Option("--stamp", help="Whether stamps end or start their hour.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how a table is understood and what would be taken of it; write the mapping file that says so."""
    from hazecast.grids.observations.tables.examine import examine
    from hazecast.grids.observations.tables.looked_at import Hints
    from hazecast.grids.observations.tables.mapping import written
    from hazecast.services.core.places import city_registry

    said = Hints(variable, unit, zone, stamp or "")
    hints = None if said == Hints() else said
    found = examine(file, city_registry(settings_of(None)), hints=hints, mapping=mapping, guessed=write is not None)
    print_json(as_dict(found)) if as_json else print(as_text(found))
    if write is not None:
        notes = (
            f"How to read {file.name} and tables like it.",
            *(f"Assumed: {doubt}" for doubt in found.findings.doubts),
        )
        write_file(write, written(found.mapping, notes).encode())
    if found.findings.doubts or found.findings.faults:
        raise typer.Exit(exits.DEGRADED)


def as_dict(found: Examined) -> dict[str, Any]:
    """Return what was found in a table as JSON values."""
    stations = found.stations
    used = sorted(found.values["station"].unique())
    return {
        "file": str(found.sheet.path),
        "format": found.sheet.form,
        "understood": found.findings.notes,
        "assumed": found.findings.doubts,
        "stations": {
            "matched": used if stations is not None else [],
            "unknown_rows": found.findings.counts["rows_of_unknown_stations"],
            "silent": [] if stations is None else sorted(set(stations.by_code) - set(used)),
        },
        "counts": {name: number for name, number in sorted(found.findings.counts.items()) if number},
        "left_out": [str(fault) for fault in found.findings.faults],
        "first": None if found.values.empty else f"{found.values['time'].min()} UTC",
        "last": None if found.values.empty else f"{found.values['time'].max()} UTC",
        "mapping": found.mapping.model_dump(by_alias=True, exclude_none=True),
    }


def as_text(found: Examined) -> str:
    """Return what was found in a table as text.

    Parameters
    ----------
    found : Examined

    Returns
    -------
    str
        Lines without a line end at the end.
    """
    told = as_dict(found)
    lines = [f"{told['file']}: {told['format']}", *(f"  {note}" for note in told["understood"])]
    lines += [f"  assumed: {doubt}" for doubt in told["assumed"]]
    stations = told["stations"]
    if found.stations is not None:
        lines.append(f"stations matched: {len(stations['matched'])} ({_listed(stations['matched'])})")
        if stations["silent"]:
            lines.append(f"stations without a value here: {len(stations['silent'])} ({_listed(stations['silent'])})")
    if told["first"] is not None:
        lines.append(f"hours: {told['first']} to {told['last']}, by their end")
    lines.append(
        "counts: " + ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in told["counts"].items())
    )
    lines += [f"left out: {fault}" for fault in told["left_out"][:_SHOWN]]
    if len(told["left_out"]) > _SHOWN:
        lines.append(f"left out: {len(told['left_out']) - _SHOWN} more are named with --json")
    return "\n".join(lines)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
