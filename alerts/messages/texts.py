"""The templates of Chinese, Japanese and English texts, ``messages/*.toml``, and how each language writes values.

Times are the city's own, numbers and plurals follow the language's rules (Unicode CLDR, through Babel).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

from hazecast.alerts.messages.languages import LANGUAGES as LANGUAGES
from hazecast.alerts.messages.languages import Language as Language
from hazecast.alerts.messages.rounding import Bound, rounded
from hazecast.forecast.haze_grades import GRADE_BOUNDS
from hazecast.grids.errors import InputError

# The time zone of bulletins and maps, which cover more than one.
BEIJING = "Asia/Shanghai"
_GRADES: tuple[Bound, ...] = tuple((bound, "lt") for bound in GRADE_BOUNDS)
_FOLDER = Path(__file__).parent
# How the weather sources that are no provider's name begin.
_WEATHER_SOURCES = {"none": "none", "observed weather": "observed", "SIMULATED": "simulated"}


class Catalog:
    """The templates of one language, and its way of writing times, numbers and lists."""

    def __init__(self, language: Language, messages: Mapping[str, Any]) -> None:
        self.language = language
        self.tag = str(messages["language"])
        self.locale = Locale.parse(messages["locale"])
        self.messages = messages

    def say(self, key: str, /, **values: object) -> str:
        """Return the message at a dotted key with its values filled in."""
        found: Any = self.messages
        for part in key.split("."):
            found = found[part]
        return str(found).format(**values)

    def count(self, key: str, n: int) -> str:
        """Return the message of a key in the plural form of `n`.

        Parameters
        ----------
        key : str
            Dotted; of a table of plural forms (CLDR).
        n : int

        Returns
        -------
        str
        """
        forms = self.messages
        for part in key.split("."):
            forms = forms[part]
        form = self.locale.plural_form(n)
        return str(forms.get(form, forms["other"])).format(n=self.number(n))

    def number(self, value: float) -> str:
        """Return a number as the language writes it, with at most one decimal."""
        return format_decimal(value, format="#,##0.#", locale=self.locale)

    def percent(self, share: float) -> str:
        """Return a share of 1 in whole percent."""
        return format_percent(share, locale=self.locale)

    def rounded(self, value: float, step: float = 1.0, bounds: Sequence[Bound] = (), decimals: int = 0) -> str:
        """Return a number rounded so that it stays on its side of the bounds.

        Parameters
        ----------
        value : float
        step : float
            What it is rounded to where no bound is near.
        bounds : sequence of (float, str)
            See `hazecast.alerts.messages.rounding.rounded`.
        decimals : int
            How many are written at least.

        Returns
        -------
        str
        """
        found = rounded(value, step, bounds)
        pattern = "#,##0." + "0" * decimals + "#" * max(0, found.decimals - decimals)
        return format_decimal(found.value, format=pattern.rstrip("."), locale=self.locale)

    def metres(self, value: float, bounds: Sequence[Bound] = _GRADES) -> str:
        """Return a length, metres below 1 km, rounded to the precision of a forecast.

        Parameters
        ----------
        value : float
            m.
        bounds : sequence of (float, str)
            What it may not be rounded across; by default the bounds of the haze grades.

        Returns
        -------
        str
        """
        if value < 1000.0:
            short = rounded(value, 50.0, bounds)
            if short.value < 1000.0:
                return format_unit(max(50.0, short.value), "length-meter", "short", locale=self.locale)
        long = rounded(value, 100.0 if value < 9950.0 else 1000.0, bounds)
        # Three decimals more than the metres had.
        kilometres = round(long.value / 1000.0, long.decimals + 3)
        pattern = "#,##0." + "#" * (long.decimals + 3)
        return format_unit(kilometres, "length-kilometer", "short", pattern, locale=self.locale)

    def places(self, names: Sequence[str]) -> str:
        """Return a list of names joined as the language joins them."""
        return format_list(names, locale=self.locale)

    def zone(self, zone: str, at: datetime) -> str:
        """Return the name of a time zone.

        Parameters
        ----------
        zone : str
            IANA name.
        at : datetime
            Aware; when the offset is taken.

        Returns
        -------
        str
            The UTC offset where the templates give no name.
        """
        names: Mapping[str, str] = self.messages["time"]["zone"]
        return names.get(zone, "UTC" + at.astimezone(ZoneInfo(zone)).isoformat()[-6:])

    def moment(self, time: datetime, zone: str) -> str:
        """Return a time in a zone.

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
        return self._time(time, zone, "moment")

    def minute(self, time: datetime, zone: str) -> str:
        """Return a time in a zone, with the minute where it is not on the hour.

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
        return self._time(time, zone, "minute" if time.minute else "moment")

    def span(self, start: datetime, end: datetime, zone: str) -> str:
        """Return a window in a zone; the month, and the day, are written once where they are the same.

        Parameters
        ----------
        start, end : datetime
            Aware.
        zone : str
            IANA name.

        Returns
        -------
        str
        """
        first, last = (t.astimezone(ZoneInfo(zone)) for t in (start, end))
        if first.date() == last.date():
            # In English the date comes last: it is the start that goes without.
            patterns = ("same_day", "moment") if self.language == "en" else ("moment", "same_day")
        else:
            patterns = ("moment", "same_month" if (first.year, first.month) == (last.year, last.month) else "moment")
        written = [self._time(t, zone, pattern) for t, pattern in zip((start, end), patterns, strict=True)]
        return self.say("time.span", start=written[0], end=written[1])

    def stamp(self, time: datetime, zone: str) -> str:
        """Return a time in a zone with its year.

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
        return format_datetime(time.astimezone(ZoneInfo(zone)), self.messages["daily"]["stamp"], locale=self.locale)

    def date(self, day: date, *, full: bool = False) -> str:
        """Return a calendar day with its day of the week.

        Parameters
        ----------
        day : date
        full : bool
            Whether to add the year.

        Returns
        -------
        str
        """
        return format_date(day, self.messages["daily"]["date" if full else "day"], locale=self.locale)

    def weather(self, source: str) -> str:
        """Return the weather source of a forecast in words; a provider's name is returned unchanged."""
        for start, key in _WEATHER_SOURCES.items():
            if source.startswith(start):
                return self.say(f"daily.weather.{key}")
        return source

    def _time(self, time: datetime, zone: str, pattern: str) -> str:
        return format_datetime(time.astimezone(ZoneInfo(zone)), self.messages["time"][pattern], locale=self.locale)


@lru_cache
def catalog(language: str) -> Catalog:
    """Return the templates of a language.

    Raises
    ------
    InputError
        If the language is not known.
    """
    for known in LANGUAGES:
        if known == language:
            return Catalog(known, tomllib.loads((_FOLDER / f"{known}.toml").read_text(encoding="utf-8")))
    raise InputError("language", language, f"one of {sorted(LANGUAGES)}")
