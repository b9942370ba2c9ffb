"""Warnings in words: event, headline, description and guidance in each language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from babel.numbers import format_decimal

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.geography.city_areas import CITY_RADIUS_KM, city_area
from hazecast.alerts.geography.shapes import Province, current
from hazecast.alerts.messages.causes import Causes
from hazecast.alerts.messages.day_texts import days_sentences, of_days
from hazecast.alerts.messages.texts import BEIJING, Catalog, catalog
from hazecast.alerts.rules.criteria import HOURLY
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.alerts.rules.severity import Severity, severity
from hazecast.grids.places.cities import City

AUDIENCES = ("public", "schools", "outdoor_workers", "industry")


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
        As from `hazecast.alerts.messages.causes.causes`; the description names those that are known.

    Returns
    -------
    Text

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
        # An index or a guideline is no warning of its own: its level alone does not name what it is a level of.
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
    """Return what to do, by audience.

    Parameters
    ----------
    ruleset : RuleSet
    warning : HazeWarning
    language : {"zh", "ja", "en"}

    Returns
    -------
    dict of str to str
        By audience, see `AUDIENCES`; for a lift one line for all.

    Raises
    ------
    InputError
        If the language or the level is not known.
    """
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


def haze_bulletin(
    touched: Sequence[tuple[Province, int, float]],
    window: tuple[datetime, datetime],
    ruleset: RuleSet,
    language: str,
    *,
    most: int = 12,
    warned: bool = False,
) -> str:
    """Return the haze forecast of a window in the CMA's manner: provinces by grade, the lowest first.

    Parameters
    ----------
    touched : sequence of (Province, int, float)
        Provinces, the rank that touches each and its share of the province, as from
        `hazecast.alerts.maps.polygons.provinces_touched`. A province may occur once for each rank.
    window : tuple of datetime
        Start and end, aware.
    ruleset : RuleSet
        Gives the names of the grades.
    language : {"zh", "ja", "en"}
    most : int
        How many provinces a grade may name: those with the largest shares.
    warned : bool
        Whether these are the areas of warnings in force: none is then no forecast of clean air.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If the language is not known.
    """
    words = catalog(language)
    span = words.span(*window, BEIJING)
    found: list[str] = []
    for level in ruleset.levels:
        if not any(rank == level.rank for _, rank, _ in touched):
            continue
        # The first clause names every province that this grade or a higher one touches.
        ranks = [t for t in touched if t[1] == level.rank or (t[1] > level.rank and not found)]
        shares: dict[str, float] = {}
        for province, _, share in ranks:
            name = str(getattr(province, f"name_{language}"))
            shares[name] = shares.get(name, 0.0) + share
        names = sorted(shares, key=lambda n: (-shares[n], n))[:most]
        found.append(
            words.say(
                "bulletin.more" if found else "bulletin.first",
                span=span,
                areas=words.places(names),
                haze=getattr(level, f"haze_{language}"),
            )
        )
    if not found:
        return words.say("bulletin.unwarned" if warned else "bulletin.none", span=span)
    return "".join(found) + words.say("bulletin.end")


def _area(city: City, words: Catalog) -> str:
    """Return what the polygon of a city's warnings is."""
    name, area = getattr(city, f"name_{words.language}"), city_area(city)
    if area.kind == "own":
        return str(current().areas[city.id].names.get(words.language, name))
    if area.kind == "municipality":
        return words.say("area.municipality", city=name)
    radius = words.metres(1000.0 * CITY_RADIUS_KM)
    province = next((p for p in current().provinces if (p.country, p.code) == (city.country, city.province_code)), None)
    if province is None or city.code == city.province_code:
        return words.say("area.alone", city=name, radius=radius)
    key = "area.nearest" if area.cut else "area.around"
    return words.say(key, city=name, radius=radius, province=getattr(province, f"name_{words.language}"))


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
    # What was observed on days before is no proof of now, where the warning begins later.
    observed = warning.onset <= warning.issued and any(e.basis == "observed" for e in warning.evidence)
    kind = "lift" if warning.kind == "lift" else "met" if not values["haze"] else "observed" if observed else "forecast"
    sentences = [words.say(f"expect.{kind}", **values), *_extent(warning, city, words), *_weather(why, words)]
    rules = getattr(ruleset, f"name_{words.language}")
    sentences.append(words.say("note.source", rules=rules, version=ruleset.version))
    if warning.simulated:
        sentences.append(words.say("note.simulated"))
    return _joined([s[0].upper() + s[1:] for s in sentences], words)


def _extent(warning: HazeWarning, city: City, words: Catalog) -> list[str]:
    """Return sentences on duration, worst values and probability."""
    found = []
    tested = {name for e in warning.evidence for name in e.values}
    hours = [e for e in warning.evidence if e.basis == "forecast"]
    if hours and tested <= set(HOURLY):
        found.append(words.count("expect.hours", len(hours)))
    mass = [e for e in warning.evidence if e.pm25 is not None]
    seen = [e.visibility for e in warning.evidence if e.visibility is not None]
    if mass and seen and tested <= set(HOURLY):
        worst = max(mass, key=lambda e: (e.level, e.pm25))
        found.append(
            words.say(
                "expect.worst",
                pm25=words.number(round(max(e.pm25 or 0.0 for e in mass))),
                visibility=words.metres(min(seen)),
                # The stamp ends its hour; the hour is named by its start.
                moment=words.moment(worst.time - timedelta(hours=1), city.time_zone),
            )
        )
    elif of_days(warning):
        found += days_sentences(warning, city, words)
    else:
        found += [_peak(warning, name, words) for name in sorted(tested - {"relative_humidity", "visibility"})]
    # For a lift it is the probability that the level remains, which would mislead.
    if warning.probability is not None and warning.kind != "lift":
        found.append(words.say("expect.probability", percent=words.percent(round(warning.probability, 2))))
    return found


def _peak(warning: HazeWarning, name: str, words: Catalog) -> str:
    """Return a sentence on the highest of a tested value; `name` as in `Evidence.values`."""
    highest = max(e.values[name] for e in warning.evidence if name in e.values)
    known = name if name in words.messages["expect"]["value"] else "pm25_mean" if name.startswith("pm25_") else None
    if known is None:
        return words.say("expect.value.other", name=name, value=words.number(highest))
    value = (
        format_decimal(highest, format="0.00", locale=words.locale) if name == "ox" else words.number(round(highest))
    )
    return words.say(f"expect.value.{known}", value=value)


def _weather(why: Causes, words: Catalog) -> list[str]:
    """Return a sentence on the weather of the hours, of what is known to hold; none where nothing is."""
    found = []
    if why.calm is not None:
        found.append(words.say("weather.calm", wind=words.number(why.calm)))
    if why.wind is not None:
        direction, speed = why.wind
        found.append(words.say("weather.wind", direction=words.say(f"direction.{direction}"), wind=words.number(speed)))
    if why.shallow is not None:
        found.append(words.say("weather.shallow", height=words.metres(why.shallow)))
    if why.humid is not None:
        found.append(words.say("weather.humid", humidity=words.percent(why.humid / 100.0)))
    return [words.say("weather.lead", weather=words.say("weather.separator").join(found))] if found else []


def _joined(sentences: Sequence[str], words: Catalog) -> str:
    return (" " if words.language == "en" else "").join(sentences)
