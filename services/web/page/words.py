"""What the page says, in Chinese, Japanese and English, and which of them a reader wants."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal

from hazecast.alerts.messages.texts import LANGUAGES, Catalog, Language, catalog

_FOLDER = Path(__file__).with_name("messages")
# Where a browser's wish names none of the three languages.
FALLBACK: Language = "en"


class Words:
    """The page's messages of one language; `catalog` writes times, numbers and lists as the warnings do."""

    def __init__(self, language: Language, messages: Mapping[str, Any]) -> None:
        self.language = language
        self.catalog: Catalog = catalog(language)
        self.messages = messages

    def say(self, key: str, /, **values: object) -> str:
        """Return the message at a dotted key with its values filled in."""
        found: Any = self.messages
        for part in key.split("."):
            found = found[part]
        return str(found).format(**values)

    def of(self, thing: object, attribute: str = "name") -> str:
        """Return the name (or another text) of a city, level or category in this language."""
        return str(getattr(thing, f"{attribute}_{self.language}"))

    def number(self, value: float, decimals: int = 0) -> str:
        """Return a number as the language writes it."""
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        return format_decimal(round(value, decimals), format=pattern, locale=self.catalog.locale)

    def moment(self, time: datetime, zone: str) -> str:
        """Return a time in a zone, without the zone's name."""
        return self.catalog.moment(time, zone)

    def weekday(self, day: date) -> str:
        """Return the short name of a day of the week."""
        return format_date(day, "EEE", locale=self.catalog.locale)

    def day(self, day: date) -> str:
        """Return month and day, short; in English by name, for figures are read both ways."""
        return format_date(day, "MMM d" if self.language == "en" else "M/d", locale=self.catalog.locale)

    def long_day(self, day: date) -> str:
        """Return a date in words."""
        return format_date(day, "long", locale=self.catalog.locale)

    @property
    def script(self) -> dict[str, str]:
        """The messages that the page's scripts need."""
        return {key: str(value) for key, value in self.messages["script"].items()}


@lru_cache
def words(language: Language) -> Words:
    """Return the page's messages of a language."""
    return Words(language, tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8")))


def preferred(accept_language: str, asked: str | None = None) -> Language:
    """Return the language to answer in: the one asked for, else the browser's first wish that is known.

    `accept_language` is the header of RFC 9110, 12.5.4; a range matches by its primary subtag.
    """
    if asked in LANGUAGES:
        return asked
    wishes: list[tuple[float, int, str]] = []
    for number, part in enumerate(accept_language.split(",")):
        tag, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            weight = float(quality)
        except ValueError:
            weight = 0.0
        wishes.append((-weight, number, tag.split("-")[0].lower()))
    for weight, _, tag in sorted(wishes):
        if weight < 0.0 and tag in LANGUAGES:
            return tag
    return FALLBACK
