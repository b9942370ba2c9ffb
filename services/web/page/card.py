"""The card of a city as a picture, for sites that can't show a frame: its air now, its warnings, what is expected."""

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
    """The words of a card: the air now is the colour of its class, and a line; a warning its colour, its marks, and two lines."""

    language: str
    name: str
    tags: str
    now: tuple[str, str] | None
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
        now=_now(here, words),
        warnings=tuple((w.colour, w.marks, w.text.event, w.state) for w in here.warnings[:_MOST]),
        none=words.say("card.none" if known else "warning.none_stale" if snapshot.run else "warning.unknown"),
        forecast=words.say("card.forecast", high=high) if high else words.say("card.no_forecast"),
        foot=f"Hazecast · {words.say('disclaimer')}",
    )


def _now(here: CityView, words: Words) -> tuple[str, str] | None:
    if here.now is None or here.now.pm25 is None:
        return None
    parts = [f"PM2.5 {words.number(here.now.pm25)} {words.say('chart.unit')}"]
    if here.now.index is None:
        return _PAPER, parts[0]
    parts += [words.of(here.now.index), here.now.index_text]
    return here.now.index.colour, " · ".join(filter(None, parts))


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

    line(20, card.name, 46)
    if card.tags:
        write(draw, (_WIDTH - _EDGE, 40), card.tags, 26, language=card.language, anchor="ra", fill="#8a1c1c")
    if card.now is not None:
        colour, said = card.now
        draw.rounded_rectangle((_EDGE, 91, _EDGE + 28, 119), 6, fill=colour, outline="#00000040")
        line(84, said, 26, left=_EDGE + 40)
    y = 132
    for colour, marks, event, span in card.warnings:
        draw.rounded_rectangle((_EDGE, y + 3, _EDGE + 52, y + 55), 10, fill=colour, outline="#00000040")
        write(draw, (_EDGE + 26, y + 29), "!" * marks, 32, language=card.language, anchor="mm", fill=ink(colour))
        line(y, event, 28, left=_EDGE + 68)
        line(y + 34, span, 22, _FAINT, left=_EDGE + 68)
        y += 63
    if not card.warnings:
        line(y, card.none, 32)
    line(326, card.forecast, 24)
    line(360, card.foot, 18, _FAINT)
    return as_png(sheet)
