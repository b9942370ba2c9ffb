"""The command that writes the daily bulletin."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hazecast.services.cli.options import DataDir, current_time, settings_of, time_of

EXIT_DEGRADED = 3


class Form(StrEnum):
    """The forms of a bulletin."""

    HTML = "html"
    PDF = "pdf"
    CSV = "csv"
    NC = "nc"
    TXT = "txt"


def bulletin(
    city: Annotated[
        list[str] | None,
        typer.Option("--city", help="Only this city; may be repeated. All that are forecast by default."),
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="All cities of a partner region.")] = None,
    language: Annotated[str, typer.Option("--language", help="zh, ja or en.")] = "zh",
    form: Annotated[list[Form] | None, typer.Option("--format", help="May be repeated; pdf by default.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; made if absent.")] = Path("."),
    at: Annotated[
        str | None, typer.Option("--at", help="What today, yesterday and in force refer to; default now.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write the daily bulletin of the latest forecast issued by then: HTML, PDF, CSV, NetCDF or plain text."""

    from hazecast.grids.errors import InputError
    from hazecast.grids.places.cities import load_registry
    from hazecast.services.core.rules import rule_book
    from hazecast.services.store.store import Store
    from hazecast.services.work.bulletin import Bulletins, region_cities

    if city and region is not None:
        raise InputError("--region", region, "either --city or --region")
    settings, registry = settings_of(data_dir), load_registry()
    book = rule_book(settings)
    store = Store(settings.database_url)
    try:
        store.migrate()
        wanted = region_cities(registry, region) if region is not None else city or []
        now = time_of(at, "--at") or current_time()
        edition = Bulletins(store, settings, registry, book).edition(wanted, language, now)
        out.mkdir(parents=True, exist_ok=True)
        for name in form or [Form.PDF]:
            document = edition.document(name.value)
            path = out / document.name
            part = path.with_name(path.name + ".part")
            part.write_bytes(document.content)
            part.replace(path)
            print(path)
    finally:
        store.close()
    if edition.bulletin.state.degraded or edition.bulletin.state.stale:
        raise typer.Exit(EXIT_DEGRADED)
