"""Comparison of two instruments: against SciPy's own fits, on made-up truth and on the US posts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import read_observations
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import time_offset
from hazecast.grids.quality.comparison import compare


def pair(slope: float, intercept: float, noise: tuple[float, float], hours: int = 3_000, seed: int = 3):
    random = np.random.default_rng(seed)
    truth = random.gamma(2.0, 40.0, hours)
    return truth + random.normal(0, noise[0], hours), slope * truth + intercept + random.normal(0, noise[1], hours)


@given(st.floats(0.4, 2.5), st.floats(-20, 20), st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_deming_finds_the_line_that_ordinary_least_squares_flattens(slope, intercept, seed) -> None:
    first, second = pair(slope, intercept, (15.0, 15.0), seed=seed)
    result = compare(first, second)
    assert result.deming.slope == pytest.approx(slope, abs=0.06)
    assert result.deming.slope_low < result.deming.slope < result.deming.slope_high
    assert result.ordinary.slope < result.deming.slope
    assert result.ordinary.slope <= result.reduced_major_axis.slope
    assert result.bias == pytest.approx((second - first).mean())


@pytest.mark.parametrize("ratio", [0.25, 1.0, 4.0])
def test_deming_is_the_least_squares_of_both_errors(ratio) -> None:
    first, second = pair(1.3, 4.0, (8.0, 8.0 * np.sqrt(ratio)), hours=400)

    def cost(line: np.ndarray) -> float:
        slope, intercept = line
        return float((((second - intercept - slope * first) ** 2) / (ratio + slope**2)).sum())

    best = optimize.minimize(cost, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9}).x
    line = compare(first, second, error_variance_ratio=ratio).deming
    assert [line.slope, line.intercept] == pytest.approx(list(best), abs=1e-4)


def test_limits_of_agreement_hold_95_per_cent() -> None:
    first, second = pair(1.0, 6.0, (10.0, 10.0), hours=20_000)
    result = compare(first, second)
    inside = (second - first >= result.limits_low) & (second - first <= result.limits_high)
    assert inside.mean() == pytest.approx(0.95, abs=0.01)
    assert result.bias == pytest.approx(6.0, abs=0.5) and abs(result.proportional) < 0.02
    assert compare(first, 1.5 * first + 1.0).proportional == pytest.approx(0.4)


@given(st.floats(0.1, 10))
@settings(max_examples=20, deadline=None)
def test_units_change_the_numbers_but_not_the_agreement(scale) -> None:
    first, second = pair(1.1, 2.0, (5.0, 5.0), hours=300)
    one, other = compare(first, second), compare(first * scale, second * scale)
    assert other.correlation == pytest.approx(one.correlation)
    assert other.deming.slope == pytest.approx(one.deming.slope)
    assert other.limits_high == pytest.approx(one.limits_high * scale)


def test_gaps_are_left_out_and_counted() -> None:
    first, second = pair(1.0, 0.0, (5.0, 5.0), hours=200)
    first[:50], second[150:] = np.nan, np.nan
    assert compare(first, second).pairs == 100


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.arange(40.0), np.arange(41.0), "same hours"),
        (np.arange(20.0), np.arange(20.0), "pairs: found 20"),
        (np.full(40, 5.0), np.arange(40.0), "one value"),
    ],
)
def test_what_cannot_be_compared_is_refused(first, second, message) -> None:
    with pytest.raises(InputError, match=message):
        compare(first, second)


def test_us_post_against_chinese_stations(shared_data) -> None:
    """The comparison of two networks that the five-cities collection allows."""
    stations = read_observations(shared_data / "five-cities", load_registry()).stations["pm25"]
    for site in ("beijing_dongsi", "beijing_nongzhanguan", "shanghai_jingan", "shenyang_taiyuanjie"):
        post = stations.sel(station=f"{site.split('_')[0]}_us_post").values.astype(float)
        chinese = stations.sel(station=site).values.astype(float)
        result = compare(post, chinese)
        assert result.pairs > 12_000 and result.correlation > 0.9, site
        assert 0.85 < result.deming.slope < 1.25 and abs(result.bias) < 10, site
        offset = time_offset(chinese, post)
        assert offset is not None and offset.hours in (0, 1), site
