"""The warning card of a city as a picture, for sites that can't show a frame."""

from __future__ import annotations

from PIL import Image, ImageDraw

from hazecast.alerts.maps.canvas import fitted, write
from hazecast.alerts.maps.sheet import as_png
from hazecast.services.web.page.colours import ink
from hazecast.services.web.page.snapshot import Snapshot
from hazecast.services.web.page.view import CityView
from hazecast.services.web.page.words import Words

_WIDTH, _HEIGHT, _EDGE = 720, 400, 32
_INK, _FAINT, _PAPER = "#1c2630", "#55616d", "#ffffff"
_MOST = 3


def card_png(snapshot: Snapshot, here: CityView, high: str, words: Words) -> bytes:
    """Return the card, 720 x 400 pixels, PNG.

    Parameters
    ----------
    snapshot : Snapshot
    here : CityView
    high : str
        Highest median PM2.5 of the 24 h after the init time as written; empty where there is no current forecast.
    words : Words
        Of the language to write in.

    Returns
    -------
    bytes
    """
    sheet = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    draw = ImageDraw.Draw(sheet)

    def line(y: int, text: str, size: int, fill: str = _INK, left: int = _EDGE) -> None:
        fits = fitted(text, size, _WIDTH - _EDGE - left)
        write(draw, (left, y), text, fits, language=words.language, fill=fill)

    line(24, here.name, 48)
    tags = []
    if snapshot.run is not None and snapshot.run.simulated:
        tags.append(words.say("card.simulated"))
    if snapshot.stale:
        tags.append(words.say("card.stale"))
    if tags:
        write(draw, (_WIDTH - _EDGE, 40), " · ".join(tags), 26, language=words.language, anchor="ra", fill="#8a1c1c")
    y = 104
    for warned in here.warnings[:_MOST]:
        draw.rounded_rectangle((_EDGE, y + 4, _EDGE + 52, y + 56), 10, fill=warned.colour, outline="#00000040")
        write(
            draw, (_EDGE + 26, y + 30), "!" * warned.marks, 32, language=words.language, anchor="mm",
            fill=ink(warned.colour),
        )  # fmt: skip
        line(y, warned.text.event, 28, left=_EDGE + 68)
        line(y + 34, warned.span, 22, _FAINT, left=_EDGE + 68)
        y += 70
    if not here.warnings:
        known = snapshot.run is not None and not snapshot.stale
        line(y, words.say("card.none") if known else words.say("warning.none_stale"), 32)
    line(318, words.say("card.forecast", high=high) if high else words.say("card.no_forecast"), 24)
    line(354, f"Hazecast · {words.say('disclaimer')}", 18, _FAINT)
    return as_png(sheet)
