"""Warnings in words: Chinese, Japanese and English, from the templates in ``messages/*.toml``.

Times are the city's own, numbers and plurals follow the language's rules (Unicode CLDR, through Babel).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.geography.shapes import CITY_RADIUS_KM, Province, provinces
from hazecast.alerts.messages.causes import Causes
from hazecast.alerts.rules.criteria import HOURLY
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.alerts.rules.severity import Severity, severity
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City

Language = Literal["zh", "ja", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
AUDIENCES = ("public", "schools", "outdoor_workers", "industry")
# The clock of bulletins and maps, which cover more than one zone.
BEIJING = "Asia/Shanghai"
_FOLDER = Path(__file__).parent
# How the weather sources that are no provider's name begin.
_WEATHER_SOURCES = {"none": "none", "observed weather": "observed", "SIMULATED": "simulated"}


@dataclass(frozen=True)
class Text:
    """A warning in one language. `language` is its tag (BCP 47), `advice` the guidance by audience."""

    language: str
    event: str
    area: str
    headline: str
    description: str
    advice: dict[str, str]
    instruction: str


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
        """Return the message of a key in the plural form of `n`."""
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

    def metres(self, value: float) -> str:
        """Return a length, metres below 1 km, rounded to what a forecast can say."""
        # 950 m and more would round to "1,000 m".
        if value < 950.0:
            return format_unit(max(50.0, 50.0 * round(value / 50.0)), "length-meter", "short", locale=self.locale)
        kilometres = value / 1000.0
        rounded = round(kilometres, 1) if kilometres < 9.95 else round(kilometres)
        return format_unit(rounded, "length-kilometer", "short", locale=self.locale)

    def places(self, names: Sequence[str]) -> str:
        """Return a list of names joined as the language joins them."""
        return format_list(names, locale=self.locale)

    def zone(self, zone: str, at: datetime) -> str:
        """Return the name of a time zone, its offset where it has none here."""
        names: Mapping[str, str] = self.messages["time"]["zone"]
        return names.get(zone, "UTC" + at.astimezone(ZoneInfo(zone)).isoformat()[-6:])

    def moment(self, time: datetime, zone: str) -> str:
        """Return a time in a zone."""
        return self._time(time, zone, "moment")

    def span(self, start: datetime, end: datetime, zone: str) -> str:
        """Return a window in a zone; the month, and the day, are said once where they are the same."""
        first, last = (t.astimezone(ZoneInfo(zone)) for t in (start, end))
        if first.date() == last.date():
            # In English the date comes last: it is the start that goes without.
            patterns = ("same_day", "moment") if self.language == "en" else ("moment", "same_day")
        else:
            patterns = ("moment", "same_month" if (first.year, first.month) == (last.year, last.month) else "moment")
        said = [self._time(t, zone, pattern) for t, pattern in zip((start, end), patterns, strict=True)]
        return self.say("time.span", start=said[0], end=said[1])

    def stamp(self, time: datetime, zone: str) -> str:
        """Return a time in a zone with its year."""
        return format_datetime(time.astimezone(ZoneInfo(zone)), self.messages["daily"]["stamp"], locale=self.locale)

    def date(self, day: date, *, full: bool = False) -> str:
        """Return a calendar day with its day of the week; `full` with the year."""
        return format_date(day, self.messages["daily"]["date" if full else "day"], locale=self.locale)

    def weather(self, source: str) -> str:
        """Return the weather source of a forecast in words; what is no word of ours, a provider's name, as it is."""
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


def compose(warning: HazeWarning, ruleset: RuleSet, city: City, language: str, *, why: Causes | None = None) -> Text:
    """Return a warning in words.

    Parameters
    ----------
    warning : HazeWarning
    ruleset : RuleSet
        The warning's own; names of levels and haze come from it.
    city : City
        Gives the names and the time zone.
    language : {"zh", "ja", "en"}
    why : Causes, optional
        As from `hazecast.alerts.messages.causes.causes`; nothing is said of what it lacks.

    Raises
    ------
    InputError
        If the language or the warning's level is not known.
    """
    words = catalog(language)
    level = ruleset.level_of(warning.level)
    name = str(getattr(city, f"name_{language}"))
    level_name = str(getattr(level, f"name_{language}"))
    if ruleset.country is None:
        # An index or a guideline is no warning of its own: its level alone would not say of what.
        level_name = f"{getattr(ruleset, f'name_{language}')} ({level_name})"
    headline = words.say(f"headline.{warning.kind}", area=name, level=level_name)
    if warning.simulated:
        headline = words.say("headline.simulated", headline=headline)
    advice = guidance(ruleset, warning, language)
    return Text(
        language=words.tag,
        event=level_name,
        area=_area(city, words),
        headline=headline,
        description=_description(warning, ruleset, city, words, why or Causes()),
        advice=advice,
        instruction="\n".join(
            words.say("audience.line", audience=words.say(f"audience.{who}"), advice=line) if who != "all" else line
            for who, line in advice.items()
        ),
    )


def guidance(ruleset: RuleSet, warning: HazeWarning, language: str) -> dict[str, str]:
    """Return what to do, by audience; for a lift one line for all."""
    words = catalog(language)
    if warning.kind == "lift":
        return {"all": words.say("guidance.lifted.all")}
    known: Mapping[str, Mapping[str, str]] = words.messages["guidance"][guidance_family(ruleset)]
    tiers: dict[Severity, tuple[str, ...]] = {
        "Extreme": ("extreme", "severe"),
        "Severe": ("severe",),
        "Moderate": ("moderate",),
        "Minor": ("moderate",),
    }
    chosen = next(tier for tier in tiers[severity(ruleset, warning.level)] if tier in known)
    return {who: str(known[chosen][who]) for who in AUDIENCES}


def guidance_family(ruleset: RuleSet) -> str:
    """Return which guidance fits a rule set: China's for haze and heavy pollution, else by its pollutant."""
    if ruleset.country == "CN":
        return "haze"
    return "ozone" if {test.variable for test in ruleset.tests} <= {"ox", "o3_mda8_day"} else "particles"


def bulletin(
    touched: Sequence[tuple[Province, int, float]],
    window: tuple[datetime, datetime],
    ruleset: RuleSet,
    language: str,
    *,
    most: int = 12,
) -> str:
    """Return the haze forecast of a window in the CMA's manner: provinces by grade, the lowest first.

    Parameters
    ----------
    touched : sequence of (Province, int, float)
        Provinces, the rank that touches each and its share of the province, as from
        `hazecast.alerts.maps.areas.provinces_touched`. A province may come once for each rank.
    window : tuple of datetime
    ruleset : RuleSet
    language : {"zh", "ja", "en"}
    most : int
        How many provinces a grade may name: those with the largest shares.
    """
    words = catalog(language)
    span = words.span(*window, BEIJING)
    said: list[str] = []
    for level in ruleset.levels:
        if not any(rank == level.rank for _, rank, _ in touched):
            continue
        # The first clause names every province that this grade or a higher one touches.
        ranks = [t for t in touched if t[1] == level.rank or (t[1] > level.rank and not said)]
        shares: dict[str, float] = {}
        for province, _, share in ranks:
            name = str(getattr(province, f"name_{language}"))
            shares[name] = shares.get(name, 0.0) + share
        names = sorted(shares, key=lambda n: (-shares[n], n))[:most]
        said.append(
            words.say(
                "bulletin.more" if said else "bulletin.first",
                span=span,
                areas=words.places(names),
                haze=getattr(level, f"haze_{language}"),
            )
        )
    return "".join(said) + words.say("bulletin.end") if said else words.say("bulletin.none", span=span)


def _area(city: City, words: Catalog) -> str:
    name = getattr(city, f"name_{words.language}")
    radius = words.metres(1000.0 * CITY_RADIUS_KM)
    for province in provinces():
        if (province.country, province.code) == (city.country, city.province_code):
            within = getattr(province, f"name_{words.language}")
            return words.say("area.around", city=name, radius=radius, province=within)
    return words.say("area.alone", city=name, radius=radius)


def _description(warning: HazeWarning, ruleset: RuleSet, city: City, words: Catalog, why: Causes) -> str:
    level = ruleset.level_of(warning.level)
    values = {
        "area": getattr(city, f"name_{words.language}"),
        "level": getattr(level, f"name_{words.language}"),
        "haze": getattr(level, f"haze_{words.language}", None),
        "zone": words.zone(city.time_zone, warning.onset),
        "span": words.span(warning.onset, warning.expires, city.time_zone),
        "moment": words.moment(warning.issued, city.time_zone),
    }
    observed = any(e.basis == "observed" for e in warning.evidence)
    kind = "lift" if warning.kind == "lift" else "met" if not values["haze"] else "observed" if observed else "forecast"
    sentences = [words.say(f"expect.{kind}", **values), *_extent(warning, city, words), *_reasons(why, words)]
    rules = getattr(ruleset, f"name_{words.language}")
    sentences.append(words.say("note.source", rules=rules, version=ruleset.version))
    if warning.simulated:
        sentences.append(words.say("note.simulated"))
    return _joined([s[0].upper() + s[1:] for s in sentences], words)


def _extent(warning: HazeWarning, city: City, words: Catalog) -> list[str]:
    """Say how long, how bad and how likely."""
    said = []
    tested = {name for e in warning.evidence for name in e.values}
    hours = [e for e in warning.evidence if e.basis == "forecast"]
    if hours and tested <= set(HOURLY):
        said.append(words.count("expect.hours", len(hours)))
    mass = [e for e in warning.evidence if e.pm25 is not None]
    seen = [e.visibility for e in warning.evidence if e.visibility is not None]
    if mass and seen and tested <= set(HOURLY):
        worst = max(mass, key=lambda e: (e.level, e.pm25))
        said.append(
            words.say(
                "expect.worst",
                pm25=words.number(round(max(e.pm25 or 0.0 for e in mass))),
                visibility=words.metres(min(seen)),
                # The stamp ends its hour; the hour is named by its start.
                moment=words.moment(worst.time - timedelta(hours=1), city.time_zone),
            )
        )
    else:
        said += [_peak(warning, name, words) for name in sorted(tested - {"relative_humidity", "visibility"})]
    # For a lift it is the probability of staying, which would confuse more than it tells.
    if warning.probability is not None and warning.kind != "lift":
        said.append(words.say("expect.probability", percent=words.percent(round(warning.probability, 2))))
    return said


def _peak(warning: HazeWarning, name: str, words: Catalog) -> str:
    """Say the highest of a value that was tested; `name` as in `Evidence.values`."""
    highest = max(e.values[name] for e in warning.evidence if name in e.values)
    known = name if name in words.messages["expect"]["value"] else "pm25_mean" if name.startswith("pm25_") else None
    if known is None:
        return words.say("expect.value.other", name=name, value=words.number(highest))
    value = (
        format_decimal(highest, format="0.00", locale=words.locale) if name == "ox" else words.number(round(highest))
    )
    return words.say(f"expect.value.{known}", value=value)


def _reasons(why: Causes, words: Catalog) -> list[str]:
    causes = []
    if why.wind is not None:
        causes.append(words.say("why.calm", wind=words.number(why.wind)))
    if why.height is not None:
        causes.append(words.say("why.shallow", height=words.metres(why.height)))
    if why.direction is not None and why.upwind:
        places = words.places([getattr(c, f"name_{words.language}") for c in why.upwind])
        causes.append(words.say("why.transport", direction=words.say(f"direction.{why.direction}"), places=places))
    if why.humidity is not None:
        causes.append(words.say("why.humid", humidity=words.percent(why.humidity / 100.0)))
    said = [words.say("why.lead", causes=words.say("why.separator").join(causes))] if causes else []
    if why.transport is not None:
        share, low, high = (words.percent(round(part, 2)) for part in why.transport)
        said.append(words.say("why.share", share=share, low=low, high=high))
    return said


def _joined(sentences: Sequence[str], words: Catalog) -> str:
    return (" " if words.language == "en" else "").join(sentences)
