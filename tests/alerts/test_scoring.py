"""Scores of warnings, lead times and the choice of a threshold."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.scoring import (
    best_threshold,
    contingency,
    lead_times,
    median_lead,
    onsets,
    ranks_in_force,
    threshold_table,
)
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.criteria import LifeRule
from tests.support.warning_cases import assessed

RULES = RuleBook.shipped().haze_signal.model_copy(update={"life": LifeRule(hold_hours=6)})
INIT = datetime(2013, 1, 12, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_contingency_and_its_scores() -> None:
    table = contingency([True, True, True, False, False], [True, True, False, True, False])
    assert (table.hits, table.false_alarms, table.misses, table.correct_negatives) == (2, 1, 1, 1)
    assert table.pod == pytest.approx(2 / 3) and table.far == pytest.approx(1 / 3) and table.csi == 0.5
    assert math.isnan(contingency([False], [False]).pod)
    perfect = contingency([True, False], [True, False])
    assert perfect.value(0.3) == 1.0 and contingency([True, True], [True, False]).value(0.5) == 0.0


def test_threshold_of_right_probabilities_is_the_cost_loss_ratio() -> None:
    random = np.random.default_rng(0)
    probabilities = random.uniform(0, 1, 20_000)
    events = random.uniform(0, 1, 20_000) < probabilities
    grid = [round(0.05 * n, 2) for n in range(1, 20)]
    for ratio in (0.2, 0.5, 0.7):
        table = threshold_table([*probabilities], [*events], grid)
        assert abs(best_threshold(table, ratio) - ratio) <= 0.05
        pods = [t.pod for _, t in table]
        assert pods == sorted(pods, reverse=True)
    # Where nothing ever happens every threshold that never warns costs the same: the nearest is taken.
    assert best_threshold(threshold_table([0.1], [False], grid), 0.5) == 0.5


def _history(*steps: tuple[int, tuple[float, float, float]]) -> list:
    history: list = []
    for hours, probabilities in steps:
        init = INIT + hours * HOUR
        history += advance(history, [assessed(RULES, "beijing", init, probabilities)], init, ruleset=RULES)
    return history


def test_ranks_in_force_and_lead_times() -> None:
    history = _history((0, (0.9, 0, 0)), (12, (1, 0.9, 0)), (24, (1, 0.9, 0)), (48, (0, 0, 0)))
    assert [m.kind for m in history] == ["issue", "upgrade", "continue", "lift"]
    spans = [((a - INIT) / HOUR, (b - INIT) / HOUR, r) for a, b, r in ranks_in_force(history, RULES)]
    assert spans == [(0, 12, 1), (12, 24, 2), (24, 48, 2)]

    def lead(onset: int, rank: int) -> float | None:
        return lead_times([INIT + onset * HOUR], history, RULES, rank)[0].hours

    assert lead(20, 1) == 19.0  # the hour that ends 20 h after the first message
    assert lead(40, 2) == 15.0  # only the third message was valid so long
    assert lead(36, 2) == 23.0 and lead(13, 2) == 0.0
    assert lead(5, 2) == -8.0  # warned seven hours into the hour after
    assert lead(20, 3) is None and lead(60, 1) is None
    leads = lead_times([INIT + 20 * HOUR, INIT + 80 * HOUR], history, RULES, 1)
    assert median_lead(leads) == 19.0 and math.isnan(median_lead(leads[1:]))


def test_onsets_are_a_day_apart() -> None:
    hours = [INIT + h * HOUR for h in (0, 1, 20, 44, 69, 94)]
    assert onsets(hours) == [INIT, INIT + 69 * HOUR, INIT + 94 * HOUR]
    assert onsets([INIT + 24 * HOUR, INIT]) == [INIT]
