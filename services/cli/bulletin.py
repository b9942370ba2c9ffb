"""``hazecast bulletin``: write the daily bulletin."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hazecast.services.cli import exits
from hazecast.services.cli.options import DataDir, Language, city_ids, current_time, open_store, settings_of, time_of
from hazecast.services.cli.output import write_file

app = typer.Typer()


class Form(StrEnum):
    """The forms of a bulletin."""

    HTML = "html"
    PDF = "pdf"
    CSV = "csv"
    NC = "nc"
    TXT = "txt"


@app.command()
def bulletin(
    city: Annotated[
        list[str] | None,
        typer.Option(
            "--city", autocompletion=city_ids, help="Only this city; may be repeated. All that are forecast by default."
        ),
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="All cities of a partner region.")] = None,
    language: Language = "zh",
    form: Annotated[list[Form] | None, typer.Option("--format", help="May be repeated; pdf by default.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; created if absent.")] = Path("."),
    at: Annotated[
        str | None, typer.Option("--at", help="The time that today, yesterday and in force refer to; default now.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write the daily bulletin of the latest forecast issued by --at: HTML, PDF, CSV, NetCDF or plain text."""
    from hazecast.grids.errors import InputError
    from hazecast.services.core.places import city_registry
    from hazecast.services.core.rules import rule_book
    from hazecast.services.core.shapes import use_shapes
    from hazecast.services.work.bulletin import Bulletins, region_cities

    if city and region is not None:
        raise InputError("--region", region, "either --city or --region")
    settings = settings_of(data_dir)
    registry = city_registry(settings)
    book = rule_book(settings)
    use_shapes(settings)
    with open_store(settings) as store:
        wanted = region_cities(registry, region) if region is not None else city or []
        now = time_of(at, "--at") or current_time()
        edition = Bulletins(store, settings, registry, book).edition(wanted, language, now)
        out.mkdir(parents=True, exist_ok=True)
        for name in form or [Form.PDF]:
            document = edition.document(name.value)
            write_file(out / document.name, document.content)
    if edition.bulletin.state.degraded or edition.bulletin.state.stale:
        raise typer.Exit(exits.DEGRADED)
