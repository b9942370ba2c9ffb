"""What a warning says of its state and its values: what has begun as observed or in force, what is to come as expected.

A sentence that expects something names no time before the message was issued. Values are rounded without crossing a
threshold of their rule set.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from hazecast.alerts.engine.day_evidence import condition_shown, of_days
from hazecast.alerts.engine.warning import Evidence, HazeWarning
from hazecast.alerts.messages.causes import Seen
from hazecast.alerts.messages.day_texts import days_sentences
from hazecast.alerts.messages.rounding import Bound, bounds_of
from hazecast.alerts.messages.texts import Catalog
from hazecast.alerts.rules.criteria import HOURLY
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.indices import ozone_ppm
from hazecast.grids.places.cities import City

# Older than this, an observation is not what "is" there: the age up to which the haze signal raises by one.
_NOW = timedelta(hours=3)
# Of a hundred scenarios the most that is said of a forecast.
_MOST = 0.99
# Oxidant is published in thousandths of a ppm, and compared so; other values are written in whole numbers.
_OX_DECIMALS = 3


def state_sentences(warning: HazeWarning, ruleset: RuleSet, city: City, words: Catalog) -> list[str]:
    """Return what is there or expected, from when until when.

    Parameters
    ----------
    warning : HazeWarning
        No lift.
    ruleset : RuleSet
        The warning's own.
    city : City
    words : Catalog

    Returns
    -------
    list of str
    """
    level = ruleset.level_of(warning.level)
    values = {
        "area": getattr(city, f"name_{words.language}"),
        "level": getattr(level, f"name_{words.language}"),
        "haze": _haze(warning, ruleset, words),
        "zone": words.zone(city.time_zone, warning.expires),
        "span": words.span(warning.onset, warning.expires, city.time_zone),
        "since": words.minute(min(warning.level_since or warning.issued, warning.issued), city.time_zone),
        "until": words.minute(warning.expires, city.time_zone),
    }
    of, sure = "haze" if values["haze"] else "level", "likely" if warning.is_likely else "may"
    seen = warning.observed_now and any(
        e.basis == "observed" and warning.run_init_time - e.time <= _NOW for e in warning.evidence
    )
    coming = [e for e in warning.evidence if _is_coming(e, warning)]
    new = (warning.level_since or warning.issued) >= warning.run_init_time
    if warning.onset > warning.issued or (new and coming and not seen):
        values["span"] = words.span(max(warning.onset, warning.issued), warning.expires, city.time_zone)
        return [words.say(f"expect.{sure}.{of}", **values)]
    found = [words.say(f"seen.{of}", **values)] if seen else []
    found.append(words.say("seen.in_force", **values))
    if coming:
        values["span"] = words.span(*_ahead(coming, warning), city.time_zone)
        found.append(words.say(f"expect.{sure}.{of}", **values))
    return found


def _haze(warning: HazeWarning, ruleset: RuleSet, words: Catalog) -> str:
    """Return what a level warns of: the word of the condition that its days show, where it has one, else the level's."""
    name = f"haze_{words.language}"
    own = getattr(condition_shown(warning.evidence, ruleset), name) if of_days(warning.evidence) else ""
    return str(own or getattr(ruleset.level_of(warning.level), name))


def value_sentences(warning: HazeWarning, ruleset: RuleSet, city: City, words: Catalog) -> list[str]:
    """Return for how long a level is met, the worst values observed and expected, and how probable it is.

    Parameters
    ----------
    warning : HazeWarning
        No lift.
    ruleset : RuleSet
        The warning's own: values are not rounded across its thresholds.
    city : City
    words : Catalog

    Returns
    -------
    list of str
    """
    tested = {name for e in warning.evidence for name in e.values}
    coming = [e for e in warning.evidence if _is_coming(e, warning)]
    seen = [e for e in warning.evidence if e.basis == "observed"]
    found: list[str] = []
    if of_days(warning.evidence):
        found += days_sentences(warning, ruleset, city, words, bounds(ruleset, "aqi_24h"))
    elif tested <= set(HOURLY):
        found += _hours(seen, "seen.worst", ruleset, city, words)
        if coming:
            found.append(words.count("expect.hours", len(coming)))
        found += _hours(coming, "expect.worst", ruleset, city, words)
    else:
        names = sorted(tested - {"relative_humidity", "visibility"})
        found += [s for name in names for s in _peak(seen, "seen", name, ruleset, words)]
        found += [s for name in names for s in _peak(coming, "expect", name, ruleset, words)]
    if warning.probability is not None and coming:
        found.append(_chance(warning.probability, ruleset, words))
    return found


def lift_sentences(warning: HazeWarning, ruleset: RuleSet, city: City, words: Catalog, seen: Seen | None) -> list[str]:
    """Return that a warning was lifted, why, and what was last observed.

    Parameters
    ----------
    warning : HazeWarning
        A lift.
    ruleset : RuleSet
        The warning's own.
    city : City
    words : Catalog
    seen : Seen or None
        What was last observed, if it is known.

    Returns
    -------
    list of str
    """
    level = ruleset.level_of(warning.level)
    lifted = words.say(
        "seen.lifted",
        area=getattr(city, f"name_{words.language}"),
        level=getattr(level, f"name_{words.language}"),
        moment=words.minute(warning.issued, city.time_zone),
        zone=words.zone(city.time_zone, warning.issued),
    )
    why = words.say("seen.improved" if ruleset.life.lift == "observed" else "expect.no_longer")
    return [lifted, why, *_last_observed(seen, ruleset, city, words)]


def bounds(ruleset: RuleSet, name: str) -> tuple[Bound, ...]:
    """Return the thresholds of a rule set that a value of evidence is compared with.

    Parameters
    ----------
    ruleset : RuleSet
    name : str
        As in `hazecast.alerts.engine.warning.Evidence.values`; a mean of PM2.5 over some hours is ``pm25_05_07``.

    Returns
    -------
    tuple of (float, str)
    """
    own = "pm25" if name.startswith("pm25") else name
    return bounds_of(t for t in ruleset.tests if t.variable == name or (own == "pm25" and t.variable.startswith(own)))


def _chance(probability: float, ruleset: RuleSet, words: Catalog) -> str:
    """Return how probable a level is. Without curves it is the share of the scenarios, and is called so.

    Neither says more than a hundred scenarios can: what all of them meet is not certain.
    """
    kind, above = "probability" if ruleset.calibration else "share", probability > _MOST
    percent = words.percent(_MOST if above else max(round(probability, 2), 0.01))
    return words.say(f"expect.{kind}.{'above' if above else 'about'}", percent=percent)


def _ahead(coming: Sequence[Evidence], warning: HazeWarning) -> tuple[datetime, datetime]:
    """Return from when until when a level is expected: the hours that meet it, or all that is left of its validity."""
    if not all(set(e.values) <= set(HOURLY) and e.observed_hours is None for e in coming):
        return warning.issued, warning.expires
    first, last = min(e.time for e in coming), max(e.time for e in coming)
    return max(first - timedelta(hours=1), warning.issued), last


def _is_coming(evidence: Evidence, warning: HazeWarning) -> bool:
    return evidence.basis == "forecast" and evidence.time > warning.issued


def _hours(evidence: Sequence[Evidence], key: str, ruleset: RuleSet, city: City, words: Catalog) -> list[str]:
    """Return a sentence on the worst of some hours; none where PM2.5 or visibility is not known."""
    mass = [e for e in evidence if e.pm25 is not None]
    sight = [e.visibility for e in evidence if e.visibility is not None]
    if not mass or not sight:
        return []
    worst = max(mass, key=lambda e: (e.level, e.pm25))
    return [
        words.say(
            key,
            pm25=words.rounded(max(e.pm25 or 0.0 for e in mass), 1.0, bounds(ruleset, "pm25")),
            visibility=words.metres(min(sight), bounds(ruleset, "visibility")),
            moment=words.moment(worst.time, city.time_zone),
        )
    ]


def _peak(evidence: Sequence[Evidence], form: str, name: str, ruleset: RuleSet, words: Catalog) -> list[str]:
    """Return a sentence on the highest of a tested value; `name` as in `Evidence.values`."""
    values = [e.values[name] for e in evidence if name in e.values]
    if not values:
        return []
    known = name if name in words.messages[form]["value"] else "pm25_mean" if name.startswith("pm25_") else "other"
    value = _written(max(values), name, ruleset, words)
    return [words.say(f"{form}.value.{known}", name=name, value=value)]


def _last_observed(seen: Seen | None, ruleset: RuleSet, city: City, words: Catalog) -> list[str]:
    ozone = {test.variable for test in ruleset.tests} <= {"ox", "o3_mda8_day"}
    value = None if seen is None else seen.o3 if ozone else seen.pm25
    if seen is None or value is None:
        return []
    moment = words.moment(seen.time, city.time_zone)
    if not ozone:
        return [words.say("seen.pm25", moment=moment, value=_written(value, "pm25", ruleset, words))]
    # As the rule set's own criterion is computed.
    given = ruleset.reference_state
    state = {} if given is None else {"temperature": given.temperature, "pressure": given.pressure}
    written = _written(float(ozone_ppm(value, **state)), "ox", ruleset, words)
    return [words.say("seen.ox", moment=moment, value=written)]


def _written(value: float, name: str, ruleset: RuleSet, words: Catalog) -> str:
    decimals = _OX_DECIMALS if name == "ox" else 0
    return words.rounded(value, 10.0**-decimals, bounds(ruleset, name), decimals)
