"""Messages of random forecast sequences, of every family: the past is not forecast, cover is kept, evidence is of the level."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from hazecast.alerts.engine.day_evidence import condition_shown, of_days, shows
from hazecast.alerts.engine.engine import assess
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import HazeWarning, in_force_at
from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.alerts.messages.warning_texts import compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.places.cities import load_registry
from tests.support.said_times import EXPECTATION, sentences_of, times_of
from tests.support.warning_cases import PAST, case

REGISTRY, BOOK = load_registry(), RuleBook.shipped()
INIT = datetime(2026, 1, 10, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)
# A family's city, and where it rests on ozone.
FAMILIES = {
    "cma_haze": "beijing",
    "cn_heavy_pollution": "beijing",
    "cn_heavy_pollution_2017": "beijing",
    "jp_pm25": "tokyo",
    "jp_pm25_mie": "yokkaichi",
    "jp_ox": "kobe",
    "us_epa_aqi": "beijing",
    "who_guideline": "beijing",
}
_DOUBT = re.compile(r"(?<![0-9])100\s?%")


def sequence(rules: RuleSet, city: str) -> list[tuple[HazeWarning, list[HazeWarning]]]:
    """Messages of six runs, 3 to 12 h apart, each with what was in force before it."""
    chance = random.Random(rules.id)
    truth = np.repeat([chance.choice((10.0, 60.0, 130.0, 180.0, 260.0, 420.0)) for _ in range(60)], 6)
    history: list[HazeWarning] = []
    found = []
    at = PAST
    for _ in range(6):
        at += chance.choice((3, 6, 12))
        init = INIT + (at - PAST) * HOUR
        coming = np.repeat([chance.choice((10.0, 60.0, 130.0, 260.0, 420.0)) for _ in range(20)], 6)
        coming[:12] = truth[at : at + 12]
        values, spread = np.concatenate([truth[at - PAST : at], coming]), chance.uniform(1.0, 1.6)
        forecast, observations = case(
            init, city, values, values, factors=(spread**-2, 1 / spread, 1.0, spread, spread**2)
        )
        forecast["relative_humidity"][:] = 85.0
        now = assess(forecast, observations, REGISTRY, rules, cities=[city])
        before = in_force_at(history, init)
        for message in advance(history, now, init, ruleset=rules):
            found.append((message, before))
            history.append(message)
    return found


@pytest.mark.parametrize(("name", "city"), FAMILIES.items())
def test_messages_keep_the_laws(name: str, city: str) -> None:
    rules, place = BOOK.rule_set(name), REGISTRY.city(city)
    messages = sequence(rules, city)
    assert messages and any(m.kind != "lift" for m, _ in messages)
    for message, before in messages:
        _check_times(message, rules, city)
        if message.kind != "lift":
            for standing in before:
                # What is in force stays covered.
                assert message.onset <= max(standing.onset, message.issued)
            _check_evidence(message, rules)
        if message.probability is not None:
            for language in LANGUAGES:
                assert not _DOUBT.search(compose(message, rules, place, language).description)


def _check_times(message: HazeWarning, rules: RuleSet, city: str) -> None:
    place = REGISTRY.city(city)
    for language in LANGUAGES:
        for sentence in sentences_of(compose(message, rules, place, language).description, language):
            if EXPECTATION[language].search(sentence):
                named = times_of(sentence, language, message.issued.year, place.time_zone)
                assert all(time >= message.issued.replace(minute=0) for time in named), sentence


def _check_evidence(message: HazeWarning, rules: RuleSet) -> None:
    """All evidence is of the message's level or a higher one, and by its own values meets the condition that it names."""
    rank = rules.level_of(message.level).rank
    assert message.evidence and all(e.level >= rank for e in message.evidence)
    if of_days(message.evidence):
        assert shows(message.evidence, condition_shown(message.evidence, rules))
        return
    for e in message.evidence:
        condition = next(c for c in rules.level_of(e.level).conditions if c.number == e.condition)
        for test in condition.tests:
            assert bool(test.met(np.array(e.values[test.key]))), (e, test)
        assert (e.basis == "observed") <= (e.time <= message.issued)
