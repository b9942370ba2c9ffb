"""How often the intervals of studies hold a known truth, over many draws. Other studies' are in their own modules: docs/studies/README.md lists them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hazecast.forecast.studies.ozone.effects import temperature_response, weekday_effect
from hazecast.forecast.studies.quality.equivalence import orthogonal_line
from hazecast.forecast.studies.quality.laboratory import interlaboratory
from hazecast.forecast.studies.visibility.hours import Hours, score_table, scores
from tests.tools.transport_coverage import held_by_cells, held_by_sectors, winds


def red_noise(rng: np.random.Generator, length: int, correlation: float) -> np.ndarray:
    """Return noise of unit variance whose neighbours have a correlation."""
    steps = rng.normal(0, np.sqrt(1 - correlation**2), length)
    steps[0] = rng.normal()
    for number in range(1, length):
        steps[number] += correlation * steps[number - 1]
    return steps


def held_by_weekends(draws: int) -> float:
    """Return the rate for a weekend effect of 12 in three summers of autocorrelated days of 20."""
    held = 0
    for draw in range(draws):
        days = pd.date_range("2013-04-01", periods=540, freq="D")
        noise = 20 * red_noise(np.random.default_rng(draw), len(days), 0.6)
        found = weekday_effect(pd.Series(100 + 12.0 * (days.day_of_week >= 5) + noise, days)).weekend
        held += found.low <= 12.0 <= found.high
    return held / draws


def held_by_temperature(draws: int) -> float:
    """Return the rate for a slope of 5 per kelvin in 540 days whose weather and rest are autocorrelated."""
    held = 0
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        days = pd.date_range("2013-04-01", periods=540, freq="D")
        warm = 25 + 5 * red_noise(rng, len(days), 0.7)
        ozone = 100 + 5.0 * (warm - 25) + 20 * red_noise(rng, len(days), 0.4)
        found = temperature_response(pd.Series(ozone, days), pd.Series(warm, days))["all"].slope
        held += found.low <= 5.0 <= found.high
    return held / draws


def held_by_lines(draws: int) -> tuple[float, float]:
    """Return the rates for slope 1.1 and intercept 2 of a candidate in campaigns of 100 days, errors of 2 in both."""
    held = []
    quantile = stats.norm.ppf(0.975)
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        level = rng.uniform(10, 90, 100)
        slope, slope_error, intercept, error = orthogonal_line(
            level + rng.normal(0, 2, 100), 2 + 1.1 * level + rng.normal(0, 2, 100)
        )
        held.append([abs(slope - 1.1) <= quantile * slope_error, abs(intercept - 2) <= quantile * error])
    rates = np.mean(held, axis=0)
    return float(rates[0]), float(rates[1])


def held_by_laboratories(draws: int) -> float:
    """Return the rate at which the robust mean of 15 laboratories, one of them wrong, is within twice its uncertainty."""
    held = 0
    for draw in range(draws):
        values = np.random.default_rng(draw).normal(10, 0.5, 15)
        values[0] += 3.0
        found = interlaboratory(pd.Series(values, [f"l{k}" for k in range(15)]))
        held += abs(found.assigned - 10) <= 2 * found.assigned_error
    return held / draws


def said_and_seen(seed: int, days: int) -> tuple[Hours, dict[str, np.ndarray]]:
    """Return hours of a visibility that keeps for days, and one computed with errors that keep for half a day."""
    rng, number = np.random.default_rng(seed), 24 * days
    seen = 4000 * np.exp(0.8 * red_noise(rng, number, np.exp(-1 / 48)))
    times = np.datetime64("2012-01-01T00", "ns") + np.arange(number) * np.timedelta64(1, "h")
    none, any_value = np.zeros((0, number)), np.full(number, 50.0)
    computed = seen * np.exp(0.4 * red_noise(rng, number, np.exp(-1 / 12)))
    return Hours(times, any_value, any_value, none, none, seen, 116.4), {"made": computed}


def held_by_scores(draws: int) -> float:
    """Return the rate for the critical success index below 2 km of 200 days, of what 10,000 days have."""
    hours, computed = said_and_seen(10**6, 10_000)
    true = scores(hours.observed < 2000, computed["made"] < 2000)["csi"]
    found = [score_table(*said_and_seen(seed, 200)).loc[("made", 2000)] for seed in range(draws)]
    return float(np.mean([one["csi_low"] <= true <= one["csi_high"] for one in found]))


def test_lines_of_instruments() -> None:
    # 0.947 and 0.947 of 1000.
    assert all(0.93 <= one <= 0.97 for one in held_by_lines(1000))


def test_robust_mean_of_laboratories() -> None:
    # 0.978 of 1000.
    assert 0.93 <= held_by_laboratories(100) <= 1.0


@pytest.mark.slowest
def test_weekend_effect() -> None:
    # 0.97 of 200.
    assert held_by_weekends(100) >= 0.90


@pytest.mark.slowest
def test_response_to_temperature() -> None:
    # 0.93 of 100.
    assert held_by_temperature(50) >= 0.86


def test_conditional_probability_of_sectors() -> None:
    # 0.943 of 200 series, 0.90 to 0.965 by sector; the sectors of a series are not independent.
    rates, found = held_by_sectors(10)
    assert rates.mean() >= 0.85 and found == 1.0


@pytest.mark.slowest
@pytest.mark.parametrize("statistic", ["cwt", "pscf"])
def test_source_regions(statistic) -> None:
    # 0.942 to 0.957 and 0.960 to 0.996 of 60 winds.
    rates = held_by_cells(winds(20), statistic)
    assert all(rate >= 0.88 for rate, _ in rates.values())


@pytest.mark.slowest
def test_scores_of_a_visibility() -> None:
    # 0.95 of 100.
    assert held_by_scores(100) >= 0.90
