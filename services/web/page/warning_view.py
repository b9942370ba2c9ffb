"""The warnings of the page in words, one by one and grouped by level."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.cap import identifier
from hazecast.alerts.messages.texts import Language
from hazecast.alerts.messages.warning_texts import Text, compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.places.cities import Registry
from hazecast.services.store.store import Store
from hazecast.services.web.page.snapshot import severity_rank
from hazecast.services.web.page.words import Words
from hazecast.services.work.explain import explain

# As many warnings are written out at most; the others are counted.
MOST_WARNINGS = 1_000
# As many places of a level are named in its line.
_NAMED = 4


@dataclass(frozen=True)
class WarningView:
    """A warning in words; `begins` is when it takes effect, `state` says that it is in force, or from when it will be."""

    warning: HazeWarning
    city: str
    colour: str
    marks: int
    text: Text
    authority: str
    begins: datetime
    state: str
    address: str
    advice: tuple[str, ...]
    brief: str


@dataclass(frozen=True)
class WarningGroup:
    """The warnings of one level of one rule set, `count` with those not written out: what to do is the same for all of them."""

    key: str
    name: str
    colour: str
    marks: int
    advice: tuple[str, ...]
    authority: str
    warnings: tuple[WarningView, ...]
    count: int
    some: str


def first_sentence(text: str) -> str:
    """Return the first sentence of a text, with its stop.

    Examples
    --------
    >>> first_sentence("Stay in. Close windows."), first_sentence("留在室内。关窗。")
    ('Stay in.', '留在室内。')
    """
    return re.split(r"(?<=[。])|(?<=\.)\s+", text, maxsplit=1)[0]


def begins(warning: HazeWarning) -> datetime:
    """Return when a warning takes effect: one that went on, or was lowered, was in force before and stays so."""
    if warning.kind in ("continue", "downgrade"):
        return min(warning.onset, warning.issued)
    return warning.onset


def warning_address(warning: HazeWarning, words: Words) -> str:
    """Return the address of a warning's page for people.

    Parameters
    ----------
    warning : HazeWarning
    words : Words
        Of the language that the page is to be in.

    Returns
    -------
    str
        From the root of the service.
    """
    return f"/warnings/{identifier(warning.id, warning.simulated)}?lang={words.language}"


def warning_views(
    warnings: Sequence[HazeWarning], store: Store, registry: Registry, book: RuleBook, words: Words, now: datetime
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
    now : datetime
        Aware: what has begun is in force.

    Returns
    -------
    tuple of WarningView
    """
    return tuple(warning_view(w, store, registry, book, words, now) for w in warnings)


def warning_groups(
    views: Sequence[WarningView], warnings: Sequence[HazeWarning], book: RuleBook, words: Words
) -> list[WarningGroup]:
    """Return warnings by rule set and level, in the order of the first of each group.

    Parameters
    ----------
    views : sequence of WarningView
        Those that are written out.
    warnings : sequence of HazeWarning
        All, which are counted.
    book : RuleBook
    words : Words

    Returns
    -------
    list of WarningGroup
    """
    counts = Counter((one.rule_set, one.level) for one in warnings)
    groups: dict[tuple[str, str], list[WarningView]] = {}
    for one in views:
        groups.setdefault((one.warning.rule_set, one.warning.level), []).append(one)
    return [
        WarningGroup(
            key=f"{rules}-{level}",
            name=words.of(book.rule_set(rules).level_of(level)),
            colour=members[0].colour,
            marks=members[0].marks,
            advice=members[0].advice,
            authority=members[0].authority,
            warnings=tuple(members),
            count=counts[rules, level],
            some=_some([one.city for one in members], words),
        )
        for (rules, level), members in groups.items()
    ]


def _some(names: list[str], words: Words) -> str:
    """Return the first names of a list, and that there are more."""
    shown = ("、" if words.language != "en" else ", ").join(names[:_NAMED])
    return shown + (" …" if len(names) > _NAMED else "")


def warning_view(
    warning: HazeWarning,
    store: Store,
    registry: Registry,
    book: RuleBook,
    words: Words,
    now: datetime,
    *,
    draft: bool = False,
) -> WarningView:
    """Return one warning in words.

    Parameters
    ----------
    warning : HazeWarning
    store : Store
    registry : Registry
    book : RuleBook
    words : Words
    now : datetime
        Aware.
    draft : bool
        Whether it is not issued: another text may come to stand under its id.

    Returns
    -------
    WarningView
    """
    rules, city = book.rule_set(warning.rule_set), registry.city(warning.city)
    written = _composed if draft else _text
    text = written(warning, store, registry, book, words.language)
    zone = words.catalog.zone(city.time_zone, warning.expires)
    if begins(warning) <= now:
        state = words.say("warning.in_force_until", until=words.moment(warning.expires, city.time_zone), zone=zone)
    else:
        span = words.catalog.span(warning.onset, warning.expires, city.time_zone)
        state = words.say("warning.expected", span=span, zone=zone)
    return WarningView(
        warning=warning,
        city=words.of(city),
        colour=rules.level_of(warning.level).colour,
        marks=severity_rank(warning, book),
        text=text,
        authority=words.of(rules, "authority"),
        begins=begins(warning),
        state=state,
        address=warning_address(warning, words),
        advice=tuple(text.instruction.split("\n")),
        # The first sentence of what everyone should do is what fits the first screen.
        brief=first_sentence(next(iter(text.advice.values()))),
    )


_texts: dict[tuple[Registry, RuleBook, str, bool, str], Text] = {}


def _text(warning: HazeWarning, store: Store, registry: Registry, book: RuleBook, language: Language) -> Text:
    """Return the words of a warning; a message never changes under its id and run."""
    key = (registry, book, warning.id, warning.simulated, language)
    if key not in _texts:
        if len(_texts) > 500:
            _texts.clear()
        _texts[key] = _composed(warning, store, registry, book, language)
    return _texts[key]


def _composed(warning: HazeWarning, store: Store, registry: Registry, book: RuleBook, language: Language) -> Text:
    rules, city = book.rule_set(warning.rule_set), registry.city(warning.city)
    return compose(warning, rules, city, language, why=explain(store, warning), registry=registry)
