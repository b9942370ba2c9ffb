"""Why a rule set applies to a city, or doesn't."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.places.cities import City


@dataclass(frozen=True)
class Choice:
    """A rule set, whether it applies to a city, and why."""

    rules: RuleSet
    applies: bool
    reason: str


def choices(book: RuleBook, city: City, when: datetime, asked_for: Sequence[str] = ()) -> list[Choice]:
    """Return what becomes of each rule set for a city: those that apply first, then those of its country or asked for.

    Parameters
    ----------
    book : RuleBook
    city : City
    when : datetime
        Aware.
    asked_for : sequence of str
        Names of rule sets that the bureau wants in addition to those of the jurisdiction.

    Returns
    -------
    list of Choice
        By name; rule sets of other countries, and those without one that aren't asked for, are left out.

    Raises
    ------
    InputError
        As `RuleBook.of_city`.
    """
    chosen = {rules.id for rules in book.of_city(city, when, asked_for)}
    rest = [r for r in book.sets.values() if r.id not in chosen and (r.country == city.country or r.id in asked_for)]
    return [
        *(Choice(book.rule_set(name), True, _why(book.rule_set(name), city)) for name in sorted(chosen)),
        *(Choice(rules, False, _why_not(rules, city, when, [book.rule_set(n) for n in chosen])) for rules in rest),
    ]


def _why(rules: RuleSet, city: City) -> str:
    if city.id in rules.cities:
        return "names the city"
    if city.region in rules.regions:
        return f"names its region {city.region}"
    return "is asked for by HAZECAST_RULE_SETS" if rules.country is None else f"is for all of {rules.country}"


def _why_not(rules: RuleSet, city: City, when: datetime, chosen: Sequence[RuleSet]) -> str:
    if not rules.in_force(when):
        return f"it is valid from {rules.valid_from or 'the beginning'} until {rules.valid_until or 'further notice'}"
    if rules.country not in (None, city.country):
        return f"it is for {rules.country} alone"
    family = rules.family or rules.id
    before = next((other.id for other in chosen if (other.family or other.id) == family), None)
    named = bool(rules.regions or rules.cities) and city.region not in rules.regions and city.id not in rules.cities
    if named:
        return f"it is for {', '.join((*rules.regions, *rules.cities))}"
    return (
        f"{before}, of the same family, names the city or its region"
        if before
        else "the city is not in its jurisdiction"
    )
