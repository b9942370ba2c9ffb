"""The parts of a bulletin in words, as the pages lay them out."""

from __future__ import annotations

from dataclasses import dataclass


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
    """A picture by its name, with the words that stand for it."""

    name: str
    alt: str


@dataclass(frozen=True)
class Banner:
    """What must be known first: its kind, the text, the same in short, and details."""

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
class Said:
    """A warning in words."""

    headline: str
    text: str
    colour: str


@dataclass(frozen=True)
class Section:
    """One city."""

    name: str
    notices: tuple[Said, ...]
    table: Table
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class View:
    """The words of a bulletin. `language` is a tag of BCP 47; `headings` are by name, as in the messages."""

    language: str
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
