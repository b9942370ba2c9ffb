"""The rule sets of a service, from its settings."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.places.cities import Registry
from hazecast.services.core.clock import utc_now
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings


def decision_hours(settings: Settings, time_zone: str) -> tuple[int, ...]:
    """Return the hours after which the rule sets of the service's cities decide.

    Parameters
    ----------
    settings : Settings
        Read are those of the rule sets and of the places. Rule sets are read once in a process.
    time_zone : str
        IANA name: of what the hours are.

    Returns
    -------
    tuple of int
        0 to 23, rising.

    Raises
    ------
    InputError
        As `rule_book`.
    """
    warnings = settings.warnings
    return _decision_hours(city_registry(settings), warnings.rules_dir, warnings.rule_sets, time_zone)


@cache
def _decision_hours(
    registry: Registry, folder: Path | None, asked_for: tuple[str, ...], time_zone: str
) -> tuple[int, ...]:
    return _book(folder).evaluated_hours(registry.cities.values(), utc_now(), time_zone, asked_for)


def _book(folder: Path | None) -> RuleBook:
    return RuleBook.shipped() if folder is None else RuleBook.with_folder(folder)


def rule_book(settings: Settings) -> RuleBook:
    """Return the rule sets shipped and those of the bureau's own folder; check the names that the settings use.

    Parameters
    ----------
    settings : Settings
        Read are `rules_dir`, `rule_sets` and `approval`.

    Returns
    -------
    RuleBook

    Raises
    ------
    InputError
        If the folder or one of its files is unusable, or a name is unknown.
    """
    book = _book(settings.warnings.rules_dir)
    for name in (*settings.warnings.rule_sets, *settings.warnings.approval):
        book.rule_set(name)
    return book
