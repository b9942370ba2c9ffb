"""Layout of a bulletin: HTML, plain text and PDF."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from hazecast.alerts.bulletin.forms import BulletinText, Figure
from hazecast.alerts.bulletin.typeset import FONT, picture_file, typeset

_FOLDER = Path(__file__).parent / "templates"
# The reader's own fonts, of the right script for each language.
_FAMILIES = {
    "zh-CN": "'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif",
    "ja-JP": "'Hiragino Sans', 'Yu Gothic', Meiryo, 'Noto Sans CJK JP', sans-serif",
    "en-US": "-apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif",
}
# Pictures are drawn for twice the resolution or for print; no wider than the page.
_WIDEST = 780


@lru_cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=False,
        keep_trailing_newline=True,
    )


def as_data_uri(picture: bytes) -> str:
    """Return a PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")


def as_html(view: BulletinText, pictures: Mapping[str, bytes], source: Callable[[str], str] | None = None) -> bytes:
    """Lay a bulletin out as one HTML page without scripts or external resources.

    Parameters
    ----------
    view : BulletinText
    pictures : mapping of str to bytes
        PNG by name.
    source : callable, optional
        Gives the address of a picture by its name, for mail ("cid:..."): many mail readers don't show
        pictures that the page itself holds, which is the default.

    Returns
    -------
    bytes
        UTF-8.
    """

    from PIL import Image

    def width(name: str) -> int:
        with Image.open(io.BytesIO(pictures[name])) as picture:
            return min(_WIDEST, picture.width)

    page = _templates().get_template("bulletin.html.j2")
    text = page.render(
        v=view,
        source=source or (lambda name: as_data_uri(pictures[name])),
        width=width,
        # Inside <style> nothing is escaped as HTML; both are texts of ours.
        fonts=Markup(_FAMILIES[view.language]),  # noqa: S704
        short=Markup(json.dumps(" · ".join(banner.short for banner in view.banners), ensure_ascii=False)),  # noqa: S704
    )
    return text.encode("utf-8")


def as_text(view: BulletinText) -> str:
    """Lay a bulletin out as plain text, for the text part of a mail."""
    return _templates().get_template("bulletin.txt.j2").render(v=view)


def as_pdf(view: BulletinText, pictures: Mapping[str, bytes], made: datetime) -> bytes:
    """Lay a bulletin out on A4 as tagged PDF (PDF/UA-1), its font embedded.

    Parameters
    ----------
    view : BulletinText
    pictures : mapping of str to bytes
        PNG by name.
    made : datetime
        Aware; the date that the document carries.

    Returns
    -------
    bytes
        The same for the same input.

    Raises
    ------
    MissingExtraError
        If the extra ``pdf`` is not installed.
    """
    return typeset((_FOLDER / "bulletin.typ").read_bytes(), _data(view), pictures, made)


def _data(view: BulletinText) -> dict[str, Any]:
    data = asdict(view)
    language, region = view.language.split("-")
    marks = "".join(f"[{banner.short}] " for banner in view.banners)
    data |= {
        "lang": language,
        "region": region,
        "font": FONT,
        "author": "Hazecast",
        "document_title": f"{marks}{view.title}, {view.subtitle}",
    }
    if view.map is not None:
        data["map"] = _figure(view.map)
    for section, given in zip(data["sections"], view.sections, strict=True):
        section["figures"] = [_figure(figure) for figure in given.figures]
    return data


def _figure(figure: Figure) -> dict[str, str]:
    return {"file": picture_file(figure.name), "alt": figure.alt}
