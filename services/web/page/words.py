"""The page's texts in Chinese, Japanese and English, and the language that a reader prefers."""

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
# Where a browser prefers none of the three languages.
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
        """Return the name (or another text) of a city, level or category in this language.

        Parameters
        ----------
        thing : object
            With attributes such as ``name_zh``, ``name_ja`` and ``name_en``.
        attribute : str
            Without the language.

        Returns
        -------
        str
        """
        return str(getattr(thing, f"{attribute}_{self.language}"))

    def number(self, value: float, decimals: int = 0) -> str:
        """Return a number as the language writes it.

        Parameters
        ----------
        value : float
        decimals : int
            Digits after the point.

        Returns
        -------
        str
        """
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        return format_decimal(round(value, decimals), format=pattern, locale=self.catalog.locale)

    def moment(self, time: datetime, zone: str) -> str:
        """Return a time in a zone, without the zone's name.

        Parameters
        ----------
        time : datetime
            Aware.
        zone : str
            IANA name.

        Returns
        -------
        str
        """
        return self.catalog.moment(time, zone)

    def weekday(self, day: date) -> str:
        """Return the short name of a day of the week."""
        return format_date(day, "EEE", locale=self.catalog.locale)

    def day(self, day: date) -> str:
        """Return month and day, short; in English with the month's name, as figures are ambiguous."""
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
    """Return the page's messages of a language; pollutants have the names that all texts of the service give them."""
    messages = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    names = {item: name[0].upper() + name[1:] for item, name in catalog(language).messages["pollutant"].items()}
    return Words(language, messages | {group: messages[group] | names for group in ("layer", "chart")})


def preferred(accept_language: str, requested: str | None = None) -> Language:
    """Return the language to answer in: the one requested, else the browser's most preferred one that is known.

    Parameters
    ----------
    accept_language : str
        The header Accept-Language (RFC 9110, 12.5.4); a range matches by its primary subtag.
    requested : str, optional
        The language that the address names; ignored where it is none of the three.

    Returns
    -------
    {"zh", "ja", "en"}
    """
    if requested in LANGUAGES:
        return requested
    ranges: list[tuple[float, int, str]] = []
    for number, part in enumerate(accept_language.split(",")):
        tag, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            weight = float(quality)
        except ValueError:
            weight = 0.0
        ranges.append((-weight, number, tag.split("-")[0].lower()))
    for weight, _, tag in sorted(ranges):
        if weight < 0.0 and tag in LANGUAGES:
            return tag
    return FALLBACK
