"""The haze signal over sequences of runs: what its messages say of past and present, and what they cover.

Random sequences of forecasts and observations, and a corpus of sequences like those of January 2013, keep the same laws.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hazecast.alerts.engine.engine import assess
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import HazeWarning, in_force_at
from hazecast.alerts.rules.book import RuleBook
from hazecast.forecast.sight import Sight
from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.places.cities import load_registry
from tests.support.warning_cases import PAST, case

BOOK = RuleBook.shipped()
# The shipped signal with thresholds of the tests' own: theirs may be chosen anew.
RULES = BOOK.haze_signal.model_copy(
    update={
        "levels": tuple(
            x.model_copy(update={"raise_probability": 0.5, "lower_probability": 0.3}) for x in BOOK.haze_signal.levels
        )
    }
)
REGISTRY = load_registry()
LAW = Sight(sites={})
START = datetime(2013, 1, 9, 22, tzinfo=UTC)  # 06:00 in Beijing on the 10th
HOUR = timedelta(hours=1)
# PM2.5 that is of no level, yellow, orange, red at 50 % humidity.
AIR = (20.0, 200.0, 300.0, 700.0)


@dataclass(frozen=True)
class Day:
    """Half a day of a sequence: the rank of the air in its hours, what the run before it makes of them, and how sure.

    `air` are the ranks observed in the six spells of two hours that follow the run; `bias` is added to the ranks
    that the run forecasts, for these hours and for all later ones; `spread` widens its quantiles.
    """

    air: tuple[int, ...]
    bias: int = 0
    spread: float = 1.0


def told(days: Sequence[Day], every: int = 12) -> tuple[list[HazeWarning], dict[datetime, int]]:
    """Run the signal every `every` hours: all messages, and the rank of the air by the end of each hour."""
    ranks = np.repeat([rank for day in days for rank in day.air], 2)
    observed = {START + (n + 1) * HOUR: int(rank) for n, rank in enumerate(ranks)}
    history: list[HazeWarning] = []
    for step in range(0, 12 * len(days), every):
        init, day = START + step * HOUR, days[step // 12]
        before = np.zeros(PAST, dtype=np.int64)
        before[max(PAST - step, 0) :] = ranks[max(step - PAST, 0) : step]
        ahead = np.concatenate([ranks[step:], np.full(LEAD_HOURS, ranks[-1])])[:LEAD_HOURS]
        ahead = np.clip(ahead + day.bias, 0, 3)
        pm25 = np.array(AIR)[np.concatenate([before, ahead])]
        factors = day.spread ** np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
        forecast, observations = case(init, "beijing", pm25, factors=factors)
        history += run(history, forecast, observations, init)
    return history, observed


def run(
    history: list[HazeWarning], forecast: xr.Dataset, observations: xr.Dataset, init: datetime
) -> list[HazeWarning]:
    found = assess(forecast, observations, REGISTRY, RULES, cities=["beijing"], sight=LAW)
    messages = advance(in_force_at(history, init), found, init, ruleset=RULES)
    for message in messages:
        check_message(message, init)
    # What is seen and persists stands, from now on at the latest.
    seen = max((o.rank for o in found[0].outlooks if o.observed), default=0)
    stands = in_force_at([*history, *messages], init)
    assert not seen or (RULES.level_of(stands[0].level).rank >= seen and stands[0].onset <= init)
    # What this run no longer finds likely doesn't stand for another.
    for message in stands:
        rule = RULES.level_of(message.level)
        now = found[0].of(rule.rank)
        assert now.raised or (now.evidence and now.keep_probability >= rule.lower_probability)
    # A restart that knows nothing but what stands would have said the same, and says nothing twice.
    assert advance(history, found, init, ruleset=RULES) == messages
    assert advance([*history, *messages], found, init, ruleset=RULES) == []
    return messages


def check_message(message: HazeWarning, init: datetime) -> None:
    """A message by itself: the past is not forecast, and the evidence bears out the level."""
    forecast = [e for e in message.evidence if e.basis == "forecast"]
    seen = [e for e in message.evidence if e.basis == "observed"]
    assert all(init < e.time <= message.expires for e in forecast) and all(e.time <= init for e in seen)
    assert message.onset >= init or (seen and message.onset == seen[0].time)
    if message.kind == "lift":
        return
    assert (message.expires + 8 * HOUR).hour in (8, 20)  # Beijing time
    level = RULES.level_of(message.level)
    assert all(e.level >= level.rank for e in message.evidence)
    for e in message.evidence:
        # By the rule's own text, not by the engine's: the values are of the rank that they are given as.
        assert RULES.level(e.pm25, e.relative_humidity, e.visibility) == e.level
    assert len(message.evidence) >= (level.persistence.hours if not seen else 1 + RULES.observed.persist_hours / 2)
    assert "observed" not in message.reason or seen
    assert message.probability >= message.threshold or message.reason.endswith("_observed") or seen


def check_sequence(history: list[HazeWarning]) -> None:
    """Messages after one another: they chain, and nothing that stands is uncovered."""
    for before, after in pairwise(history):
        if before.kind == "lift":
            assert after.kind == "issue" and after.references == ()
            continue
        assert before.expires > after.issued  # nothing that stands lapses in silence
        assert after.references == (*before.references, before.id)
        rank, was = (RULES.level_of(m.level).rank for m in (after, before))
        assert (
            after.kind == "lift"
            or {1: "upgrade", 0: "continue", -1: "downgrade"}[int(np.sign(rank - was))] == after.kind
        )
        # It covers what was in force from now on, and the present where that had begun.
        assert after.onset <= max(before.onset, after.issued)
        assert after.expires >= before.expires if after.kind != "lift" else after.expires == after.issued + 2 * HOUR


def check_cover(history: list[HazeWarning], hours: Iterable[datetime]) -> None:
    """Once a warning has begun, what is in force covers every hour until it is lifted."""
    begun = False
    for end in hours:
        standing = in_force_at(history, end - HOUR)
        covered = bool(standing) and standing[0].onset <= end - HOUR
        lifted = any(m.kind == "lift" and m.issued == end - HOUR for m in history)
        assert covered or not begun or lifted
        begun = covered


day = st.builds(
    Day,
    air=st.lists(st.integers(0, 3), min_size=6, max_size=6).map(tuple),
    bias=st.integers(-3, 3),
    spread=st.sampled_from([1.0, 1.2, 1.6]),
)
CLEAN, FOUL = Day((0,) * 6), Day((3,) * 6)
# Sequences that once went wrong, as in January 2013 and February 2014.
CORPUS = {
    "red hours come later in the window while orange stands": [
        Day((2, 2, 2, 2, 2, 2), spread=1.2),
        Day((2, 2, 2, 3, 3, 3)),
        FOUL,
        CLEAN,
    ],
    "a single hour of red": [CLEAN, Day((0, 0, 3, 0, 0, 0)), CLEAN, CLEAN],
    "forecast two days early": [Day((0,) * 6, bias=2), CLEAN, CLEAN, Day((2,) * 6), CLEAN],
    "seen and gone within the run": [CLEAN, Day((0, 0, 2, 2, 2, 3)), Day((0, 0, 0, 0, 0, 0), bias=2), CLEAN],
    "levels that change hands": [
        Day((a,) * 6, bias=b) for a, b in ((2, 1), (2, -1), (2, 1), (1, 0), (2, 1), (1, 0), (2, 0))
    ],
    "one run doubts": [FOUL, FOUL, Day((3,) * 6, bias=-3), FOUL, FOUL],
    "wind clears the air": [FOUL, FOUL, Day((3, 3, 0, 0, 0, 0)), CLEAN, CLEAN, CLEAN],
    "haze that begins before the window": [Day((2, 2, 2, 2, 2, 2)), Day((2, 2, 0, 0, 0, 0)), CLEAN],
}


@pytest.mark.parametrize("days", CORPUS.values(), ids=CORPUS)
@pytest.mark.parametrize("every", [6, 12])
def test_known_sequences_keep_the_laws(days: list[Day], every: int) -> None:
    history, observed = told(days, every)
    check_sequence(history)
    check_cover(history, observed)


@settings(max_examples=15, deadline=None)
@given(st.lists(day, min_size=2, max_size=5), st.sampled_from([6, 12]))
@example([FOUL, CLEAN, FOUL, CLEAN], 12)
def test_random_sequences_keep_the_laws(days: list[Day], every: int) -> None:
    history, observed = told(days, every)
    check_sequence(history)
    check_cover(history, observed)
