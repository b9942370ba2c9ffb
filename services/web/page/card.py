"""The warning card of a city as a picture, for sites that can't show a frame."""

from __future__ import annotations

from dataclasses import dataclass

from hazecast.services.web.page.colours import ink
from hazecast.services.web.page.snapshot import Snapshot
from hazecast.services.web.page.view import CityView
from hazecast.services.web.page.words import Words

_WIDTH, _HEIGHT, _EDGE = 720, 400, 32
_INK, _FAINT, _PAPER = "#1c2630", "#55616d", "#ffffff"
_MOST = 3


@dataclass(frozen=True)
class Card:
    """The words of a card: a warning is its colour, its marks, and two lines."""

    language: str
    name: str
    tags: str
    warnings: tuple[tuple[str, int, str, str], ...]
    none: str
    forecast: str
    foot: str


def card_of(snapshot: Snapshot, here: CityView, high: str, words: Words) -> Card:
    """Return the words of a city's card.

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
    Card
    """
    tags = []
    if snapshot.run is not None and snapshot.run.simulated:
        tags.append(words.say("card.simulated"))
    if snapshot.stale:
        tags.append(words.say("card.stale"))
    known = snapshot.run is not None and not snapshot.stale
    return Card(
        language=words.language,
        name=here.name,
        tags=" · ".join(tags),
        warnings=tuple((w.colour, w.marks, w.text.event, w.state) for w in here.warnings[:_MOST]),
        none=words.say("card.none" if known else "warning.none_stale" if snapshot.run else "warning.unknown"),
        forecast=words.say("card.forecast", high=high) if high else words.say("card.no_forecast"),
        foot=f"Hazecast · {words.say('disclaimer')}",
    )


def card_png(card: Card) -> bytes:
    """Draw a card, 720 x 400 pixels, PNG. Loads the drawing libraries."""
    from PIL import Image, ImageDraw

    from hazecast.alerts.maps.canvas import fitted, write
    from hazecast.alerts.maps.sheet import as_png

    sheet = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    draw = ImageDraw.Draw(sheet)

    def line(y: int, text: str, size: int, fill: str = _INK, left: int = _EDGE) -> None:
        fits = fitted(text, size, _WIDTH - _EDGE - left)
        write(draw, (left, y), text, fits, language=card.language, fill=fill)

    line(24, card.name, 48)
    if card.tags:
        write(draw, (_WIDTH - _EDGE, 40), card.tags, 26, language=card.language, anchor="ra", fill="#8a1c1c")
    y = 104
    for colour, marks, event, span in card.warnings:
        draw.rounded_rectangle((_EDGE, y + 4, _EDGE + 52, y + 56), 10, fill=colour, outline="#00000040")
        write(draw, (_EDGE + 26, y + 30), "!" * marks, 32, language=card.language, anchor="mm", fill=ink(colour))
        line(y, event, 28, left=_EDGE + 68)
        line(y + 34, span, 22, _FAINT, left=_EDGE + 68)
        y += 70
    if not card.warnings:
        line(y, card.none, 32)
    line(318, card.forecast, 24)
    line(354, card.foot, 18, _FAINT)
    return as_png(sheet)
