"""Pages of a stored bulletin as one picture, such as docs/images/bulletin.png: to be looked at."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from hazecast.alerts.bulletin import render
from hazecast.grids.times import parse_time
from hazecast.services.core.settings import Settings
from hazecast.services.work.bulletin_edition import Edition
from hazecast.services.work.native_work import edition_of

GAP = 12


def pages_of(edition: Edition, made: datetime, ppi: float) -> list[Image.Image]:
    """Return the pages of the PDF, drawn by what typesets it."""
    import typst

    original = typst.compile

    def as_png(files: Any, **given: Any) -> list[bytes]:
        kept = {name: value for name, value in given.items() if name not in ("format", "pdf_standards", "timestamp")}
        found = original(files, format="png", ppi=ppi, **kept)
        drawn.extend([found] if isinstance(found, bytes) else found)
        return [b""]

    drawn: list[bytes] = []
    typst.compile = as_png
    try:
        render.as_pdf(edition.view, edition.pictures, made)
    except TypeError:
        pass  # of PNGs there is no one document
    finally:
        typst.compile = original
    return [Image.open(io.BytesIO(page)).convert("RGB") for page in drawn]


def main(
    out: Annotated[Path, typer.Argument(help="PNG to write.")],
    at: Annotated[str, typer.Option("--at")],
    city: Annotated[list[str] | None, typer.Option("--city")] = None,
    language: Annotated[str, typer.Option("--language")] = "en",
    most: Annotated[int, typer.Option("--pages", help="How many pages at most.")] = 3,
    ppi: Annotated[float, typer.Option("--ppi")] = 65.0,
) -> None:
    """Draw the first pages of the bulletin of the store in HAZECAST_DATA_DIR side by side."""
    now = parse_time(at, "--at")
    pages = pages_of(edition_of(Settings(), city or [], language, now), now, ppi)[:most]
    width = sum(page.width for page in pages) + GAP * (len(pages) + 1)
    sheet = Image.new("RGB", (width, max(page.height for page in pages) + 2 * GAP), "#d0d4d8")
    x = GAP
    for page in pages:
        sheet.paste(page, (x, GAP))
        x += page.width + GAP
    # Few pixels have the colours of letters in coloured cells: a palette by frequency would lose them.
    sheet.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(out, optimize=True)
    print(out, sheet.size)


if __name__ == "__main__":
    typer.run(main)
