"""Scenarios and probabilities from quantiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from hazecast.forecast.dependence import COUNT, LEVELS, MEDIAN
from hazecast.forecast.scenarios import at_highest_level, at_levels, trailing_mean, trajectories
from hazecast.grids.contract import QUANTILES
from hazecast.grids.errors import InputError
from tests.support.exceedance import exceedance_probability

LOGNORMAL = np.expm1(4.0 + 0.6 * norm.ppf(QUANTILES))
values = st.floats(0, 900).map(lambda x: round(x, 3))
rows = st.lists(values, min_size=len(QUANTILES), max_size=len(QUANTILES))


def test_quantiles_and_median_are_met_exactly() -> None:
    found = at_levels(LOGNORMAL[None])[:, 0]
    assert found.shape == (COUNT,) and found[MEDIAN] == pytest.approx(LOGNORMAL[QUANTILES.index(0.5)])
    # A log-normal forecast is reproduced, tails included.
    np.testing.assert_allclose(found, np.expm1(4.0 + 0.6 * norm.ppf(LEVELS)), rtol=1e-9)
    for threshold in (1.0, 20.0, 54.0, 150.0, 900.0):
        expected = 1.0 - norm.cdf((np.log1p(threshold) - 4.0) / 0.6)
        assert float(exceedance_probability(LOGNORMAL, threshold)) == pytest.approx(expected, abs=1e-9)


@given(st.lists(rows, min_size=1, max_size=5), st.sampled_from([50.0, np.inf]))
def test_no_level_is_above_the_highest(hours: list[list[float]], highest: float) -> None:
    quantiles = np.array([*hours, [np.nan] * len(QUANTILES)])
    expected = at_levels(quantiles, highest=highest)[-1]
    np.testing.assert_allclose(at_highest_level(quantiles, highest=highest), expected, rtol=1e-12, atol=1e-9)


@given(rows, values, values)
def test_probability_is_monotone_and_agrees_with_the_scenarios(row: list[float], a: float, b: float) -> None:
    low, high = sorted((a, b))
    p_low, p_high = (float(exceedance_probability(row, t)) for t in (low, high))
    assert 0.0 <= p_high <= p_low <= 1.0
    scenarios = at_levels(np.array(row)[None])[:, 0]
    assert (np.diff(scenarios) >= -1e-9).all() and (scenarios >= 0.0).all()
    share = float((scenarios > low).mean())
    distinct = np.abs(scenarios - low).min() > 1e-6
    assert not distinct or abs(share - p_low) <= 1.0 / COUNT + 1e-9


def test_certain_missing_and_capped() -> None:
    sure = np.full((2, len(QUANTILES)), 80.0)
    assert exceedance_probability(sure, 79.9).tolist() == [1.0, 1.0]
    assert exceedance_probability(sure, 80.1).tolist() == [0.0, 0.0]
    sure[1, 2] = np.nan
    assert np.isnan(trajectories(sure, "pm25")[:, 1]).all() and np.isnan(exceedance_probability(sure, 1.0)[1])
    assert trajectories(LOGNORMAL[None] * 10, "o3", highest=300.0).max() == 300.0
    with pytest.raises(InputError):
        trajectories(np.zeros((2, 3)), "pm25")


def test_trailing_mean_counts_valid_hours() -> None:
    values = np.arange(30.0)[None]
    values[0, 10] = np.nan
    mean = trailing_mean(values, 24, 20)
    assert np.isnan(mean[0, :20]).all()  # nineteen valid hours at most
    assert mean[0, 20] == pytest.approx(np.nanmean(values[0, :21]))
    assert mean[0, 29] == pytest.approx(np.nanmean(values[0, 6:30]))
