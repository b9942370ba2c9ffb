"""The rule sets that a service knows, and which of them apply to a city."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from hazecast.alerts.rules.parsing import parse_ruleset, ruleset_files
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.spelling import suggestion

HAZE_SIGNAL = "cma_haze"


@dataclass(frozen=True, eq=False)
class RuleBook:
    """The rule sets that a service knows: those shipped with Hazecast, and a bureau's own.

    A book never changes. It is built once and handed down, so services with different books can share a
    process. Books are compared by identity, so that one can be part of a cache's key.

    Attributes
    ----------
    sets : mapping of str to RuleSet
        By name, in alphabetical order.

    Examples
    --------
    >>> book = RuleBook.shipped()
    >>> book.rule_set("jp_pm25").country
    'JP'
    >>> [level.id for level in book.haze_signal.levels]
    ['yellow', 'orange', 'red']
    """

    sets: Mapping[str, RuleSet]

    @classmethod
    def shipped(cls) -> RuleBook:
        """Return the book of the shipped rule sets alone; the same object at each call."""
        return _shipped()

    @classmethod
    def with_folder(cls, folder: Path) -> RuleBook:
        """Return the book of the shipped rule sets and a bureau's own.

        Parameters
        ----------
        folder : Path
            Holds one TOML file for each rule set, named after its id; one that has the name of a shipped rule
            set replaces it.

        Returns
        -------
        RuleBook

        Raises
        ------
        InputError
            If the folder does not exist, or one of its files is no rule set or is not named after its id.
        """
        sets = {}
        for name, path in ruleset_files(folder).items():
            sets[name] = parse_ruleset(path.read_text(encoding="utf-8"), path.name, folder)
            if sets[name].id != name:
                raise InputError(f"{path.name}: id", sets[name].id, f"the file's own name, {name}")
        return cls(MappingProxyType(sets))

    @property
    def haze_signal(self) -> RuleSet:
        """China's haze signal, which the maps and areas of haze are drawn for."""
        return self.rule_set(HAZE_SIGNAL)

    def rule_set(self, name: str) -> RuleSet:
        """Return a rule set by its name.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        if name not in self.sets:
            raise InputError("rule set", name, f"one of {self.names()}{suggestion(name, self.sets)}")
        return self.sets[name]

    def names(self) -> list[str]:
        """Return the names of all rule sets, in alphabetical order."""
        return list(self.sets)

    def level_ids(self) -> list[str]:
        """Return the ids of all levels of all rule sets, in alphabetical order."""
        return sorted({level.id for rules in self.sets.values() for level in rules.levels})

    def of_city(self, city: City, when: datetime, asked_for: Sequence[str] = ()) -> list[RuleSet]:
        """Return the rule sets that apply to one city.

        Of a family, a rule set that names the city's region or the city itself takes precedence over one that
        names none. Rule sets without a country apply only where they are asked for; one that is asked for keeps to
        its country, regions and cities, where it names any, and to the time in which it is valid.

        Parameters
        ----------
        city : City
        when : datetime
            Aware; rule sets not valid then are left out.
        asked_for : sequence of str
            Names of rule sets that the bureau wants in addition to those of the jurisdiction.

        Returns
        -------
        list of RuleSet
            By id.

        Raises
        ------
        InputError
            If a name that is asked for is unknown, or two rule sets of a family name the same city.

        Examples
        --------
        >>> from datetime import UTC, datetime
        >>> from hazecast.grids.places.cities import load_registry
        >>> found = RuleBook.shipped().of_city(load_registry().city("tokyo"), datetime(2026, 1, 1, tzinfo=UTC))
        >>> [rules.id for rules in found]
        ['jp_ox', 'jp_pm25_tokyo']
        """
        chosen: dict[str, RuleSet] = {}
        for rules in self.sets.values():
            if rules.country is None or not _covers(rules, city, when):
                continue
            named = _names(rules, city)
            family = rules.family or rules.id
            other = chosen.get(family)
            if other is not None and named == _names(other, city):
                raise InputError(
                    f"rule sets of {city.id}, family {family}", f"{other.id} and {rules.id}", "one of a family"
                )
            if other is None or named:
                chosen[family] = rules
        wanted = [rules for name in asked_for if _covers(rules := self.rule_set(name), city, when)]
        return sorted({r.id: r for r in (*chosen.values(), *wanted)}.values(), key=lambda r: r.id)

    def evaluated_hours(
        self, cities: Iterable[City], when: datetime, time_zone: str, asked_for: Sequence[str] = ()
    ) -> tuple[int, ...]:
        """Return the hours of a time zone after which the rule sets of any of the cities must be evaluated.

        Parameters
        ----------
        cities : iterable of City
        when : datetime
            Aware; of that day are the offsets from UTC, and rule sets not valid then are left out.
        time_zone : str
            IANA name.
        asked_for : sequence of str
            As in `of_city`.

        Returns
        -------
        tuple of int
            0 to 23, rising.

        Raises
        ------
        InputError
            As `of_city`.
        """
        found: set[int] = set()
        for city in cities:
            apart = (
                when.astimezone(ZoneInfo(time_zone)).utcoffset(),
                when.astimezone(ZoneInfo(city.time_zone)).utcoffset(),
            )
            assert apart[0] is not None and apart[1] is not None
            later = round((apart[0] - apart[1]).total_seconds() / 3600)
            for rules in self.of_city(city, when, asked_for):
                found.update((hour + later) % 24 for hour in rules.evaluated_hours)
        return tuple(sorted(found))

    def of_cities(
        self, cities: Iterable[City], when: datetime, asked_for: Sequence[str] = ()
    ) -> list[tuple[RuleSet, tuple[str, ...]]]:
        """Return each rule set that applies to any of the cities, with the ids of those cities.

        Parameters
        ----------
        cities : iterable of City
        when : datetime
            Aware; rule sets not valid then are left out.
        asked_for : sequence of str
            As in `of_city`.

        Returns
        -------
        list of (RuleSet, tuple of str)
            By rule set id; the ids of cities in alphabetical order.

        Raises
        ------
        InputError
            As `of_city`.
        """
        found: dict[str, tuple[RuleSet, list[str]]] = {}
        for city in cities:
            for rules in self.of_city(city, when, asked_for):
                found.setdefault(rules.id, (rules, []))[1].append(city.id)
        return [(rules, tuple(sorted(ids))) for _, (rules, ids) in sorted(found.items())]


def _covers(rules: RuleSet, city: City, when: datetime) -> bool:
    """Whether a rule set is valid then, and the city lies within what it names; one that names nothing covers all."""
    placed = rules.country in (None, city.country) and (_names(rules, city) or not (rules.regions or rules.cities))
    return placed and rules.in_force(when)


def _names(rules: RuleSet, city: City) -> bool:
    return city.region in rules.regions or city.id in rules.cities


@cache
def _shipped() -> RuleBook:
    files = ruleset_files()
    return RuleBook(
        MappingProxyType({name: parse_ruleset(path.read_text("utf-8"), path.name) for name, path in files.items()})
    )
