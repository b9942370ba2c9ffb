"""The warnings of the page in words, one by one and grouped by level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.texts import Language
from hazecast.alerts.messages.warning_texts import Text, compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.places.cities import Registry
from hazecast.services.store.store import Store
from hazecast.services.web.page.snapshot import severity_rank
from hazecast.services.web.page.words import Words
from hazecast.services.work.explain import explain


@dataclass(frozen=True)
class WarningView:
    """A warning in words."""

    warning: HazeWarning
    city: str
    colour: str
    marks: int
    text: Text
    authority: str
    span: str
    advice: tuple[str, ...]


@dataclass(frozen=True)
class WarningGroup:
    """The warnings of one level of one rule set: what to do is the same for all of them."""

    name: str
    colour: str
    marks: int
    advice: tuple[str, ...]
    authority: str
    warnings: tuple[WarningView, ...]


def warning_views(
    warnings: Sequence[HazeWarning], store: Store, registry: Registry, book: RuleBook, words: Words
) -> tuple[WarningView, ...]:
    """Return warnings in words, in the order given.

    Parameters
    ----------
    warnings : sequence of HazeWarning
    store : Store
        With the evidence that explains them.
    registry : Registry
    book : RuleBook
    words : Words
        Of the language to write in.

    Returns
    -------
    tuple of WarningView
    """
    return tuple(_warning_view(w, store, registry, book, words) for w in warnings)


def warning_groups(views: Sequence[WarningView], book: RuleBook, words: Words) -> list[WarningGroup]:
    """Return warnings by rule set and level, in the order of the first of each group.

    Parameters
    ----------
    views : sequence of WarningView
    book : RuleBook
    words : Words

    Returns
    -------
    list of WarningGroup
    """
    groups: dict[tuple[str, str], list[WarningView]] = {}
    for one in views:
        groups.setdefault((one.warning.rule_set, one.warning.level), []).append(one)
    return [
        WarningGroup(
            name=words.of(book.rule_set(rules).level_of(level)),
            colour=members[0].colour,
            marks=members[0].marks,
            advice=members[0].advice,
            authority=members[0].authority,
            warnings=tuple(members),
        )
        for (rules, level), members in groups.items()
    ]


def _warning_view(warning: HazeWarning, store: Store, registry: Registry, book: RuleBook, words: Words) -> WarningView:
    rules, city = book.rule_set(warning.rule_set), registry.city(warning.city)
    text = _text(warning, store, registry, book, words.language)
    span = words.catalog.span(warning.onset, warning.expires, city.time_zone)
    return WarningView(
        warning=warning,
        city=words.of(city),
        colour=rules.level_of(warning.level).colour,
        marks=severity_rank(warning, book),
        text=text,
        authority=words.of(rules, "authority"),
        span=words.say("warning.until", span=span, zone=words.catalog.zone(city.time_zone, warning.onset)),
        advice=tuple(text.instruction.split("\n")),
    )


_texts: dict[tuple[Registry, RuleBook, str, bool, str], Text] = {}


def _text(warning: HazeWarning, store: Store, registry: Registry, book: RuleBook, language: Language) -> Text:
    """Return the words of a warning; a message never changes under its id and run."""
    key = (registry, book, warning.id, warning.simulated, language)
    if key not in _texts:
        if len(_texts) > 2_000:
            _texts.clear()
        rules, city = book.rule_set(warning.rule_set), registry.city(warning.city)
        _texts[key] = compose(warning, rules, city, language, why=explain(store, warning), registry=registry)
    return _texts[key]
