"""Hours that messages cover, and how often they change the level."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hazecast.alerts.engine.coverage import hours_covered, kinds
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.criteria import LifeRule
from tests.support.warning_cases import assessed

RULES = RuleBook.shipped().haze_signal.model_copy(update={"life": LifeRule()})
INIT = datetime(2013, 1, 12, 22, tzinfo=UTC)  # the window begins two hours later
HOUR = timedelta(hours=1)


@pytest.fixture
def history() -> list[HazeWarning]:
    """Yellow from the window on, orange 12 h later, lifted after a day."""
    messages: list[HazeWarning] = []
    for hours, probabilities in ((0, (0.9, 0, 0)), (12, (1, 0.9, 0)), (24, (0, 0, 0))):
        init = INIT + hours * HOUR
        messages += advance(messages, [assessed(RULES, "beijing", init, probabilities)], init, ruleset=RULES)
    return messages


@pytest.mark.parametrize(
    ("ends", "yellow", "orange"),
    [(2, 0, 0), (3, 1, 0), (12, 1, 0), (13, 1, 1), (24, 1, 1), (25, 0, 0)],
)
def test_an_hour_is_covered_by_what_is_in_force_when_it_begins(
    history: list[HazeWarning], ends: int, yellow: int, orange: int
) -> None:
    hour = [INIT + ends * HOUR]
    assert [hours_covered(hour, history, RULES, rank) for rank in (1, 2, 3)] == [yellow, orange, 0]


def test_hours_and_kinds_are_counted(history: list[HazeWarning]) -> None:
    day = [INIT + n * HOUR for n in range(1, 27)]
    assert hours_covered(day, history, RULES, 1) == 22 and hours_covered(day, history, RULES, 2) == 12
    assert hours_covered(day, history[:1], RULES, 1) == 24  # to its own end, where nothing replaces it
    assert kinds(history) == {"issue": 1, "lift": 1, "upgrade": 1} and kinds([]) == {}
