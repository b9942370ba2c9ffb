"""Which hours a rule set looks at: fewer give the same result."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from hazecast.alerts.engine import engine
from hazecast.alerts.engine.assessment import Assessment
from hazecast.alerts.engine.inputs import PAST_HOURS
from hazecast.alerts.engine.window import hours_needed, signal_window
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.places.cities import load_registry
from tests.support.warning_cases import PAST, case, station_data

REGISTRY, HAZE = load_registry(), RuleBook.shipped().haze_signal
INIT = datetime(2026, 1, 10, 9, tzinfo=UTC)


def told(found: Assessment) -> list[object]:
    """All that an assessment says; visibilities to a micrometre, as the processor rounds arrays of other lengths differently."""
    evidence = [
        [
            (e.time, e.level, e.condition, e.basis, e.quantile, e.pm25, round(e.visibility or np.nan, 6))
            for e in o.evidence
        ]
        for o in found.outlooks
    ]
    return [evidence, replace(found, outlooks=tuple(replace(o, evidence=()) for o in found.outlooks))]


# Beijing has a learned visibility, which goes by the day before too.
@pytest.mark.parametrize("city", ["beijing", "shanghai"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("change", [{}, {"lift": "observed", "lift_hours": 24, "keep_hours": 40}], ids=str)
def test_hours_that_no_rule_asks_for_change_nothing(
    monkeypatch, city: str, seed: int, change: dict[str, object]
) -> None:
    random = np.random.default_rng(seed)
    values = np.repeat(random.choice([20.0, 130.0, 200.0, 320.0, 600.0], (PAST + LEAD_HOURS) // 6), 6)
    init = INIT + timedelta(hours=7 * seed)
    forecast, observations = case(init, city, values, values, factors=(0.4, 0.7, 1.0, 1.4, 2.0))
    forecast["relative_humidity"][:] = random.uniform(60.0, 95.0, forecast["relative_humidity"].shape)
    stations = station_data(init, city, {0: (300.0, 310.0), -1: (280.0, 250.0)})
    tests = tuple(t for level in HAZE.levels for c in level.conditions for t in c.tests if t.variable == "pm25")[-1:]
    life = HAZE.life.model_copy(update=change | ({"lift_tests": tests} if change else {}))
    rules = HAZE.model_copy(update={"life": life})
    few = engine.assess(forecast, observations, REGISTRY, rules, stations=stations, cities=[city])
    monkeypatch.setattr(engine, "hours_needed", lambda *_: (PAST_HOURS, None))
    all_hours = engine.assess(forecast, observations, REGISTRY, rules, stations=stations, cities=[city])
    assert list(map(told, few)) == list(map(told, all_hours))
    assert any(outlook.share > 0.0 for outlook in few[0].outlooks)


def test_the_haze_signal_needs_two_days_ahead_and_others_all() -> None:
    past, ahead = hours_needed(HAZE, INIT, [signal_window(INIT, HAZE)])
    assert 36 < past < 48 and ahead is not None and 24 < ahead <= 37
    for name in ("cn_heavy_pollution", "jp_ox", "jp_pm25", "us_epa_aqi"):
        assert hours_needed(RuleBook.shipped().rule_set(name), INIT, [(INIT, INIT)]) == (PAST_HOURS, None)
