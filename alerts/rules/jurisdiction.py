"""Which rule sets a city gets: those of its jurisdiction that are valid on the day, and those asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from hazecast.alerts.rules.ruleset import RuleSet, load_ruleset, ruleset_names
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City


def rule_sets_of(city: City, when: datetime, asked_for: Sequence[str] = ()) -> list[RuleSet]:
    """Return the rule sets of one city.

    Of a family, the rule set that names the city's region or the city itself goes before the one that
    names none. Rule sets without a country apply only where they are asked for.

    Parameters
    ----------
    city : City
    when : datetime
        Aware; rule sets not valid then are left out.
    asked_for : sequence of str
        Names of rule sets that the bureau wants besides those of the jurisdiction.

    Raises
    ------
    InputError
        If a name that is asked for is unknown, or two rule sets of a family name the same city.
    """
    chosen: dict[str, RuleSet] = {}
    for name in ruleset_names():
        rules = load_ruleset(name)
        if rules.country != city.country or not rules.in_force(when):
            continue
        named = city.region in rules.regions or city.id in rules.cities
        if not named and (rules.regions or rules.cities):
            continue
        family = rules.family or rules.id
        other = chosen.get(family)
        if other is not None and named == _names(other, city):
            raise InputError(
                f"rule sets of {city.id}, family {family}", f"{other.id} and {rules.id}", "one of a family"
            )
        if other is None or named:
            chosen[family] = rules
    wanted = [load_ruleset(name) for name in asked_for]
    return sorted({r.id: r for r in (*chosen.values(), *wanted)}.values(), key=lambda r: r.id)


def _names(rules: RuleSet, city: City) -> bool:
    return city.region in rules.regions or city.id in rules.cities


def by_rule_set(
    cities: Iterable[City], when: datetime, asked_for: Sequence[str] = ()
) -> list[tuple[RuleSet, tuple[str, ...]]]:
    """Return each rule set that any of the cities has, with the ids of those cities, by rule set id."""
    found: dict[str, tuple[RuleSet, list[str]]] = {}
    for city in cities:
        for rules in rule_sets_of(city, when, asked_for):
            found.setdefault(rules.id, (rules, []))[1].append(city.id)
    return [(rules, tuple(sorted(ids))) for _, (rules, ids) in sorted(found.items())]
