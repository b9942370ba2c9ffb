"""PDF from a Typst template and data: tagged (PDF/UA-1), one embedded font, the same for the same input."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from hazecast.alerts.maps.options import FONT_FILE
from hazecast.grids.extras import requires

FONT = "Noto Sans CJK JP"


def typeset(template: bytes, data: Mapping[str, Any], pictures: Mapping[str, bytes], made: datetime) -> bytes:
    """Set a document.

    Parameters
    ----------
    template : bytes
        Typst; it reads ``data.json`` and the pictures by `picture_file`.
    data : mapping of str to Any
        For JSON: all words, so that none of them is read as markup.
    pictures : mapping of str to bytes
        PNG by name.
    made : datetime
        Aware; the date that the document carries.

    Returns
    -------
    bytes
        PDF.

    Raises
    ------
    MissingExtraError
        If the extra ``pdf`` is not installed.
    """
    files: dict[str, bytes] = {
        "main.typ": template,
        "data.json": json.dumps(data, ensure_ascii=False).encode("utf-8"),
    }
    # Files held in memory must be text: a picture goes as the list of its bytes.
    files |= {picture_file(name): json.dumps(list(picture)).encode("ascii") for name, picture in pictures.items()}
    document = requires("typst", "pdf").compile(
        files,
        format="pdf",
        font_paths=_fonts(),
        ignore_system_fonts=True,
        pdf_standards=["ua-1"],
        timestamp=int(made.timestamp()),
    )
    return bytes(document)


def picture_file(name: str) -> str:
    """Return the file that a template finds a picture in."""
    return f"{name}.json"


@lru_cache
def _fonts() -> Any:
    return requires("typst", "pdf").Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(Path(FONT_FILE).parent)]
    )
