"""Scenarios: the quantiles of every hour exactly, dependent over hours as fitted, the same each time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from hazecast.forecast import dependence
from hazecast.forecast.dependence import COUNT, LEVELS, TEMPLATES, Variable, levels, ranks
from hazecast.forecast.scenarios import at_levels, humidity_trajectories, needed_level, trajectories
from hazecast.grids.contract import LEAD_HOURS, QUANTILES

VARIABLES = list(TEMPLATES)
quantiles = st.lists(st.floats(1.0, 400.0), min_size=len(QUANTILES), max_size=len(QUANTILES)).map(sorted)
forecasts = st.lists(quantiles, min_size=1, max_size=8).map(np.array)


def deviates(variable: Variable) -> np.ndarray:
    found = ndtri(levels(variable, LEAD_HOURS))
    return found / found.std()


@given(forecasts, st.sampled_from(["pm25", "o3"]))
def test_every_hour_has_exactly_its_quantiles(rows: np.ndarray, variable: Variable) -> None:
    np.testing.assert_array_equal(np.sort(trajectories(rows, variable), axis=0), at_levels(rows))


@given(forecasts, st.floats(5.0, 300.0))
def test_any_hour_is_at_least_as_likely_as_the_likeliest_and_at_most_the_sum(rows: np.ndarray, bound: float) -> None:
    above = trajectories(rows, "pm25") > bound
    hourly, ever = above.mean(axis=0), above.any(axis=1).mean()
    assert hourly.max() - 1e-9 <= ever <= min(hourly.sum(), 1.0) + 1e-9
    # Comonotone hours would give the lower bound.
    assert (at_levels(rows) > bound).any(axis=1).mean() == pytest.approx(hourly.max())


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_hours_go_together_as_was_fitted(variable: Variable) -> None:
    assert (np.sort(ranks(variable, LEAD_HOURS), axis=0) == np.arange(COUNT)[:, None]).all()
    found, wanted = deviates(variable), TEMPLATES[variable]
    for apart in (1, 3, 6, 12, 24, 48):
        together = float((found[:, apart:] * found[:, :-apart]).mean())
        assert together == pytest.approx(float(wanted.correlation(apart)), abs=0.06), apart
    with_pm25 = float((found * deviates("pm25")).mean())
    assert variable == "pm25" or with_pm25 == pytest.approx(wanted.with_pm25, abs=0.03)


def test_the_draw_is_fixed() -> None:
    before = {variable: ranks(variable, 30).copy() for variable in VARIABLES}
    dependence._all_ranks.cache_clear()
    for variable in VARIABLES:
        np.testing.assert_array_equal(ranks(variable, 30), before[variable])
        np.testing.assert_array_equal(ranks(variable, LEAD_HOURS)[:, :30], before[variable])
        with pytest.raises(ValueError, match="read-only"):
            ranks(variable, 30)[0, 0] = 1


def test_a_mean_is_surer_than_its_hours_and_less_sure_than_independent_ones() -> None:
    row = np.expm1(4.0 + 0.6 * ndtri(QUANTILES))
    means = trajectories(np.tile(row, (24, 1)), "pm25").mean(axis=1)
    single = at_levels(row[None])[:, 0]
    assert single.std() / np.sqrt(24.0) * 1.5 < means.std() < 0.9 * single.std()
    assert means.mean() == pytest.approx(single.mean())


@given(forecasts, st.integers(1, COUNT))
def test_the_needed_level_reaches_what_the_share_of_scenarios_reaches(rows: np.ndarray, count: int) -> None:
    rising = at_levels(rows)
    level = needed_level(rising, count / COUNT)
    highest = trajectories(rows, "pm25").max(axis=1)
    wanted = np.sort(highest)[-count]
    assert (highest >= wanted).sum() >= count > (highest > wanted).sum()
    assert rising[level].max() >= wanted and (level == 0 or rising[level - 1].max() < wanted)


def test_humidity_is_as_uncertain_as_its_source() -> None:
    given_humidity = np.full(LEAD_HOURS, 60.0)
    persisted = humidity_trajectories(given_humidity, "diurnal persistence")
    forecast = humidity_trajectories(given_humidity, "forecast weather")
    np.testing.assert_allclose(np.median(persisted, axis=0), 60.0)
    assert (persisted > 0.0).all() and (persisted < 100.0).all()
    assert forecast[:, 0].std() < persisted[:, 0].std() < persisted[:, -1].std()
    # A regional model's error of a day, models/weather_errors.py, and that of persistence, docs/studies/visibility.md.
    assert 12.0 < forecast[:, :24].std() < 17.0 and 19.0 < persisted[:, :24].std() < 25.0
    assert np.ptp(humidity_trajectories(given_humidity, "observed weather")) == 0.0
    assert LEVELS[ranks("humidity", 1)[:, 0]].mean() == pytest.approx(0.5)
