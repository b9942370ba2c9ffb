"""The days of an episode in words: what the criterion counts, so that a reader can check it against the level."""

from __future__ import annotations

from collections.abc import Sequence

from hazecast.alerts.engine.day_evidence import condition_shown, days_of, highest_shown
from hazecast.alerts.engine.warning import Evidence, HazeWarning
from hazecast.alerts.messages.rounding import Bound
from hazecast.alerts.messages.texts import Catalog
from hazecast.alerts.rules.criteria import Clause
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.places.cities import City


def days_sentences(
    warning: HazeWarning, ruleset: RuleSet, city: City, words: Catalog, bounds: Sequence[Bound] = ()
) -> list[str]:
    """Return the days that each clause of the criterion counts, what of them was observed, and the highest to come.

    Where the same days would meet a higher level, which was not likely enough to be raised, it says so.

    Parameters
    ----------
    warning : HazeWarning
        Its evidence is of days, see `hazecast.alerts.engine.day_evidence.of_days`.
    ruleset : RuleSet
        The warning's own.
    city : City
        Gives the time zone.
    words : Catalog
    bounds : sequence of (float, str)
        Thresholds of the AQI that no value is rounded across.

    Returns
    -------
    list of str
    """
    condition = condition_shown(warning.evidence, ruleset)
    found = [
        _clause(warning.evidence, clause, city, words, bounds)
        for clause in condition.clauses
        if days_of(warning.evidence, clause)
    ]
    # Messages of earlier versions have calendar days besides, some of which count for nothing and have no such value.
    coming = [e.values["aqi_24h"] for e in warning.evidence if e.basis == "forecast" and "aqi_24h" in e.values]
    if coming:
        found.append(words.say("expect.value.aqi_24h", value=words.rounded(max(coming), 1.0, bounds)))
    rank = highest_shown(warning.evidence, ruleset)
    amended = warning.approval is not None and warning.approval.amended
    if rank > ruleset.level_of(warning.level).rank and not amended:
        level = getattr(ruleset.level_of(rank), f"name_{words.language}")
        found.append(words.say("expect.days.beyond", level=level))
    return found


def _clause(evidence: Sequence[Evidence], clause: Clause, city: City, words: Catalog, bounds: Sequence[Bound]) -> str:
    counted = days_of(evidence, clause)
    test = clause.tests[0]
    days = words.say("expect.days.separator").join(_day(e, city, words, bounds) for e in counted)
    bound = words.say(f"expect.days.{test.comparator}", value=words.number(test.value))
    return words.say("expect.days.lead", bound=bound, n=words.number(len(counted)), days=days)


def _day(day: Evidence, city: City, words: Catalog, bounds: Sequence[Bound]) -> str:
    form = "observed" if day.basis == "observed" else "running" if day.observed_hours else "forecast"
    return words.say(
        f"expect.days.{form}",
        moment=words.moment(day.time, city.time_zone),
        value=words.rounded(day.values["aqi_24h"], 1.0, bounds),
        n=words.number(day.observed_hours or 0),
    )
