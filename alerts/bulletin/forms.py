"""The parts of a bulletin in words, as the templates of HTML, text and PDF use them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, a second line, its colour and that of its letters."""

    text: str
    sub: str = ""
    colour: str = ""
    ink: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names it."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A picture by its name, with its alternative text."""

    name: str
    alt: str


@dataclass(frozen=True)
class Banner:
    """A notice above everything else: its kind, the text, a short form, and details."""

    kind: str
    text: str
    short: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Guide:
    """What to do at some levels: pairs of audience and advice."""

    title: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class NoticeText:
    """A warning in words."""

    headline: str
    text: str
    colour: str


@dataclass(frozen=True)
class Section:
    """One city."""

    name: str
    notices: tuple[NoticeText, ...]
    table: Table
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Imprint:
    """What a bureau prints on its bulletins besides their content.

    `numbered_from` is the day of the issue numbered 1, one issue a day, or "year": from each 1 January on.
    """

    letterhead: str | None = None
    signatory: str | None = None
    numbered_from: date | Literal["year"] | None = None

    def number(self, day: date) -> int | None:
        """Return the number of the issue of a day; None without numbers, and before the first issue."""
        if self.numbered_from is None:
            return None
        first = date(day.year, 1, 1) if self.numbered_from == "year" else self.numbered_from
        count = (day - first).days + 1
        return count if count > 0 else None


@dataclass(frozen=True)
class BulletinText:
    """A bulletin in words. `language` is a tag of BCP 47; `headings` are by name, as in the messages.

    `letterhead`, `number` and `signed` are empty where the bureau has set none.
    """

    language: str
    letterhead: str
    number: str
    signed: str
    title: str
    date: str
    subtitle: str
    issued: str
    banners: tuple[Banner, ...]
    headings: dict[str, str]
    summary: tuple[str, ...]
    warnings: Table | None
    guides: tuple[Guide, ...]
    overview: Table | None
    map_text: str
    map: Figure | None
    check: Table | None
    check_text: tuple[str, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    official: str
    page: str


def ink_on(colour: str) -> str:
    """Return black or white, whichever stands out more from a colour (WCAG 2.1, relative luminance)."""
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return "#000000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#FFFFFF"
