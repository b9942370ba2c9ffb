"""Warnings in words: event, headline, description and guidance in each language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hazecast.alerts.engine.warning import HazeWarning, Wording
from hazecast.alerts.geography.city_areas import CITY_RADIUS_KM, city_area
from hazecast.alerts.geography.shapes import Province, current
from hazecast.alerts.messages.causes import CALM, SHALLOW, Causes
from hazecast.alerts.messages.declared_texts import declared_sentences, is_declared
from hazecast.alerts.messages.state_texts import lift_sentences, state_sentences, value_sentences
from hazecast.alerts.messages.texts import BEIJING, Catalog, catalog
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.alerts.rules.severity import Severity, severity
from hazecast.grids.places.cities import City, Registry

AUDIENCES = ("public", "schools", "outdoor_workers", "industry")


@dataclass(frozen=True)
class Text:
    """A warning in one language.

    `language` is its tag (BCP 47), `advice` the guidance by audience; `comment` is what the description says of the
    weather, empty for nothing.
    """

    language: str
    event: str
    area: str
    headline: str
    description: str
    comment: str
    advice: dict[str, str]
    instruction: str


def compose(
    warning: HazeWarning,
    ruleset: RuleSet,
    city: City,
    language: str,
    *,
    why: Causes | None = None,
    registry: Registry | None = None,
) -> Text:
    """Return a warning in words: the engine's, but for the comment and the advice where a person edited them.

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
    registry : Registry, optional
        The city's own, for its area; see `hazecast.alerts.geography.city_areas.city_area`.

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
    kind = "declared" if warning.kind in ("issue", "upgrade") and is_declared(warning) else warning.kind
    headline = words.say(f"headline.{kind}", area=name, level=level_name)
    if warning.simulated:
        headline = words.say("headline.simulated", headline=headline)
    edited = next((one for name, one in warning.wording.items() if name == language), Wording())
    comment = _weather(why or Causes(), words) if edited.comment is None else edited.comment
    advice = guidance(ruleset, warning, language)
    instruction = _instruction(advice, words)
    if edited.instruction is not None:
        advice, instruction = _by_audience(edited.instruction, words), edited.instruction
    return Text(
        language=words.tag,
        event=level_name,
        area=_area(city, words, registry),
        headline=headline,
        description=_description(warning, ruleset, city, words, why or Causes(), comment),
        comment=comment,
        advice=advice,
        instruction=instruction,
    )


def _instruction(advice: Mapping[str, str], words: Catalog) -> str:
    return "\n".join(_lead(who, words) + line for who, line in advice.items())


def _lead(who: str, words: Catalog) -> str:
    """Return how a line to an audience begins; that to all has no such beginning."""
    return "" if who == "all" else words.say("audience.line", audience=words.say(f"audience.{who}"), advice="")


def _by_audience(instruction: str, words: Catalog) -> dict[str, str]:
    """Return edited advice by audience: a line that begins as the engine's lines do is for that audience, others for all."""
    found: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, instruction.split("\n"))):
        who = next((one for one in AUDIENCES if line.startswith(_lead(one, words))), "all")
        found.setdefault(who, []).append(line.removeprefix(_lead(who, words)))
    return {who: "\n".join(lines) for who, lines in found.items()}


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
    warned: bool = False,
) -> str:
    """Return the haze forecast of a window in the CMA's manner.

    The first clause names every province that is touched, with the lowest grade found; each that follows names those of
    them that reach a higher grade, each province once, by its highest.

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
    # Readers in Japan would take it for their own time.
    when = {"span": words.span(*window, BEIJING), "zone": words.zone(BEIJING, window[0])}
    highest: dict[tuple[str, str], int] = {}
    names: dict[tuple[str, str], str] = {}
    for province, rank, _ in touched:
        key = (province.country, province.code)
        highest[key] = max(rank, highest.get(key, 0))
        names[key] = str(getattr(province, f"name_{language}"))
    if not highest:
        return words.say("bulletin.unwarned" if warned else "bulletin.none", **when)
    # In the order of the official codes, as the CMA's texts go through the provinces.
    order = sorted(highest)
    lowest = min(rank for _, rank, _ in touched)
    clauses = {lowest: order} | {
        rank: [key for key in order if highest[key] == rank] for rank in sorted(set(highest.values())) if rank > lowest
    }
    forms = ["first", "more", *["further"] * len(clauses)]
    return "".join(
        words.say(
            f"bulletin.{form}",
            **when,
            areas=words.places([names[key] for key in keys]),
            haze=getattr(ruleset.level_of(rank), f"haze_{language}"),
        )
        for form, (rank, keys) in zip(forms, clauses.items(), strict=False)
    ) + words.say("bulletin.end")


def _area(city: City, words: Catalog, registry: Registry | None) -> str:
    """Return what the polygon of a city's warnings is."""
    name, area = getattr(city, f"name_{words.language}"), city_area(city, registry)
    if area.kind == "municipality":
        return words.say("area.municipality", city=name)
    if area.kind == "own":
        return words.say("area.own", city=name)
    radius = words.metres(1000.0 * CITY_RADIUS_KM)
    province = next((p for p in current().provinces if (p.country, p.code) == (city.country, city.province_code)), None)
    if province is None or city.code == city.province_code:
        return words.say("area.alone", city=name, radius=radius)
    key = "area.nearest" if area.cut else "area.around"
    return words.say(key, city=name, radius=radius, province=getattr(province, f"name_{words.language}"))


def _description(warning: HazeWarning, ruleset: RuleSet, city: City, words: Catalog, why: Causes, comment: str) -> str:
    if warning.kind == "lift":
        sentences = lift_sentences(warning, ruleset, city, words, why.seen)
    elif is_declared(warning):
        level = getattr(ruleset.level_of(warning.level), f"name_{words.language}")
        sentences = declared_sentences(warning, level, city, words)
    else:
        state = state_sentences(warning, ruleset, city, words)
        sentences = [*state, *value_sentences(warning, ruleset, city, words)]
    rules = getattr(ruleset, f"name_{words.language}")
    sentences = [*sentences, *([comment] if comment else [])]
    sentences.append(words.say("note.source", rules=rules, version=ruleset.version))
    if warning.simulated:
        sentences.append(words.say("note.simulated"))
    return _joined([s[0].upper() + s[1:] for s in sentences], words)


def _weather(why: Causes, words: Catalog) -> str:
    """Return a sentence on the weather of the hours, of what is known to hold; empty where nothing is."""
    found = []
    if why.calm is not None:
        found.append(words.say("weather.calm", wind=words.rounded(why.calm, 0.1, ((CALM, "lt"),))))
    if why.wind is not None:
        direction, speed = why.wind
        found.append(words.say("weather.wind", direction=words.say(f"direction.{direction}"), wind=words.number(speed)))
    if why.shallow is not None:
        found.append(words.say("weather.shallow", height=words.metres(why.shallow, ((SHALLOW, "lt"),))))
    if why.humid is not None:
        found.append(words.say("weather.humid", humidity=words.percent(why.humid / 100.0)))
    if not found:
        return ""
    sentence = words.say("weather.lead", weather=words.say("weather.separator").join(found))
    return sentence[0].upper() + sentence[1:]


def _joined(sentences: Sequence[str], words: Catalog) -> str:
    return (" " if words.language == "en" else "").join(sentences)
