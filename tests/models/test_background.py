"""What is usual at a place: of the past alone, in the place's own units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.grids.contract import LEAD_HOURS
from hazecast.models.background import (
    DAY,
    DEFAULT_LEVEL,
    LEAST_SPREAD,
    LEVEL_HOURS,
    LONG_HOURS,
    Background,
    background,
    monthly_climate,
    weather_climate,
)
from hazecast.models.series import TARGETS

PRIOR_HOURS = 48.0
HOUR = np.timedelta64(1, "h")


def made(hours: int = 1_000, places: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return observations and weather with gaps."""
    random = np.random.default_rng(seed)
    observations = random.lognormal(3.5, 0.6, (places, hours, 6)).astype(np.float32)
    weather = random.normal(0, 3, (places, hours, 9)).astype(np.float32)
    for values in (observations, weather):
        values[random.random(values.shape) < 0.1] = np.nan
    return observations, weather


def parts(found: Background) -> dict[str, np.ndarray]:
    return {name: getattr(found, name) for name in Background.__dataclass_fields__ if name != "first"}


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 998), st.integers(0, 2**16))
def test_nothing_after_a_stamp_changes_what_was_known_at_it(stamp: int, seed: int) -> None:
    observations, weather = made(places=1)
    before = parts(background(observations, weather, TARGETS))
    random = np.random.default_rng(seed)
    for values in (observations, weather):
        later = values[:, stamp + 1 :]
        later[:] = np.where(random.random(later.shape) < 0.3, np.nan, random.uniform(0, 900, later.shape))
    after = parts(background(observations, weather, TARGETS))
    for name, value in before.items():
        np.testing.assert_array_equal(value[:, : stamp + 1], after[name][:, : stamp + 1], err_msg=name)


def test_level_is_the_mean_of_30_days_drawn_to_the_prior_by_two_days_of_it() -> None:
    observations, weather = made(LEVEL_HOURS + 300)
    prior = np.full((2, 6), np.nan, np.float32)
    prior[1, 0] = 13.0
    found = background(observations, weather, TARGETS, prior)
    start = np.where(np.isfinite(prior), prior, DEFAULT_LEVEL)
    for stamp in (0, 40, LEVEL_HOURS - 1, LEVEL_HOURS + 299):
        past = observations[:, max(0, stamp + 1 - LEVEL_HOURS) : stamp + 1].astype(np.float64)
        count = np.isfinite(past).sum(axis=1)
        expected = (np.nansum(past, axis=1) + PRIOR_HOURS * start) / (count + PRIOR_HOURS)
        np.testing.assert_allclose(found.level[:, stamp], expected, rtol=1e-5)
    # A shorter time than a year: the long level is that of all hours.
    count, total = np.isfinite(observations).sum(axis=1), np.nansum(observations.astype(np.float64), axis=1)
    np.testing.assert_allclose(
        found.long_level[:, -1], (total + PRIOR_HOURS * start) / (count + PRIOR_HOURS), rtol=1e-5
    )


def test_nothing_observed_leaves_the_prior_and_a_typical_spread() -> None:
    nothing = np.full((1, 100, 6), np.nan, np.float32)
    found = background(nothing, np.full((1, 100, 9), np.nan, np.float32), TARGETS)
    np.testing.assert_allclose(found.level, np.broadcast_to(DEFAULT_LEVEL, found.level.shape))
    np.testing.assert_allclose(found.spread, 0.65)
    np.testing.assert_allclose(found.same_hour, np.broadcast_to(DEFAULT_LEVEL[list(TARGETS)], found.same_hour.shape))
    assert np.isnan(found.weather_level).all()


def test_the_spread_is_that_of_the_logarithm_and_never_vanishes() -> None:
    random = np.random.default_rng(5)
    observations = random.lognormal(3.0, 0.5, (1, 4 * LEVEL_HOURS, 6)).astype(np.float32)
    weather = np.zeros((1, 4 * LEVEL_HOURS, 9), np.float32)
    found = background(observations, weather, TARGETS)
    assert found.spread[0, LEVEL_HOURS:].mean() == pytest.approx(0.5 * 720 / 768 + 0.65 * 48 / 768, rel=0.03)
    steady = background(np.full_like(observations, 10.0), weather, TARGETS)
    np.testing.assert_allclose(steady.spread[0, -1], LEAST_SPREAD)
    np.testing.assert_allclose(steady.same_hour[0, -1], 10.0, rtol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.1, 30.0))
def test_a_place_with_all_concentrations_times_a_factor_has_levels_times_it_and_the_same_spread(factor: float) -> None:
    observations, weather = made(400, 1)
    prior = np.full((1, 6), 40.0, np.float32)
    k = np.float32(factor)
    one = background(observations, weather, TARGETS, prior)
    other = background(observations * k, weather, TARGETS, prior * k)
    for name in ("level", "long_level", "same_hour"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name) * k, rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(other.spread, one.spread, rtol=1e-3)
    np.testing.assert_array_equal(other.weather_level, one.weather_level)


def test_the_mean_of_the_same_hour_is_over_30_days_of_that_hour() -> None:
    observations, weather = made(35 * DAY)
    found = background(observations, weather, TARGETS)
    for stamp in (29 * DAY + 7, 34 * DAY + 23):
        same = observations[:, [stamp - DAY * back for back in range(30) if stamp >= DAY * back]]
        np.testing.assert_allclose(found.same_hour[:, stamp], np.nanmean(same, axis=1)[:, :2], rtol=1e-5)
    # Fewer than five days of an hour say nothing of it.
    np.testing.assert_array_equal(found.same_hour[:, 3 * DAY], found.level[:, 3 * DAY, :2])


def test_usual_weather_is_a_mean_of_30_days_with_the_speed_of_the_wind() -> None:
    observations, weather = made(800)
    found = background(observations, weather, TARGETS)
    past = weather[:, -LEVEL_HOURS:]
    np.testing.assert_allclose(found.weather_level[:, -1, :9], np.nanmean(past, axis=1), rtol=1e-3, atol=1e-4)
    speed = np.nanmean(np.hypot(past[..., 2], past[..., 3]), axis=1)
    np.testing.assert_allclose(found.weather_level[:, -1, 9], speed, rtol=1e-4)
    assert np.isnan(found.weather_level[:, 5]).all()


def three_years(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return times from 2012-03 to 2015-02 and observations of one place: year, month and hour tell the value."""
    times = np.arange("2012-03-01T00", "2015-03-01T00", dtype="datetime64[h]").astype("datetime64[ns]")
    month = times.astype("datetime64[M]").astype(int) % 12
    year, hour = times.astype("datetime64[Y]").astype(int) - 40, times.astype("datetime64[h]").astype(int) % DAY
    values = np.repeat((100 * year + 10 * month + hour / 10)[None, :, None], 6, axis=2)
    return times, values.astype(np.float32)


@settings(max_examples=10, deadline=None)
@given(st.integers(LONG_HOURS, 3 * LONG_HOURS - 200))
def test_monthly_climate_is_of_months_that_ended_before(stamp: int) -> None:
    times, values = three_years()
    climate = monthly_climate(values, times, TARGETS)
    init = times[stamp : stamp + 1]
    ahead = climate.ahead(np.zeros(1, np.int64), init)
    valid = init[0] + np.arange(1, LEAD_HOURS + 1) * HOUR
    this_month = init[0].astype("datetime64[M]")
    known = times.astype("datetime64[M]") < this_month
    month, hour = (times.astype("datetime64[M]").astype(int) % 12), times.astype("datetime64[h]").astype(int) % DAY
    for lead in (0, 60, LEAD_HOURS - 1):
        when = valid[lead]
        same = (month == when.astype("datetime64[M]").astype(int) % 12) & (
            hour == when.astype("datetime64[h]").astype(int) % DAY
        )
        expected = values[0, known & same, 0].mean() if (known & same).any() else np.nan
        np.testing.assert_allclose(ahead[0, lead], expected, rtol=1e-5)
    # Nothing of this month or later changes it.
    values[:, ~known] = -1.0
    again = monthly_climate(values, times, TARGETS).ahead(np.zeros(1, np.int64), init)
    np.testing.assert_array_equal(ahead, again)


def test_without_an_earlier_year_there_is_no_monthly_climate() -> None:
    times, values = three_years()
    first = monthly_climate(values, times, TARGETS).ahead(np.zeros(1, np.int64), times[100:101])
    assert np.isnan(first).all()


def test_the_weather_of_a_season_keeps_its_daily_course_and_is_of_a_month_of_days() -> None:
    times = np.arange("2012-01-01T00", "2014-12-31T00", dtype="datetime64[h]").astype("datetime64[ns]")
    hours = times.astype("datetime64[h]").astype(int)
    weather = np.zeros((1, len(times), 9), np.float32)
    weather[0, :, 0] = 280 + 12 * np.sin(2 * np.pi * hours / LONG_HOURS) + 5 * np.sin(2 * np.pi * hours / DAY)
    weather[0, hours % LONG_HOURS > LONG_HOURS // 2, 1] = np.nan
    found = weather_climate(weather, times)
    assert found.shape == (1, LONG_HOURS, 9)
    row = np.arange(LONG_HOURS)
    expected = 280 + 12 * np.sin(2 * np.pi * row / LONG_HOURS) + 5 * np.sin(2 * np.pi * row / DAY)
    np.testing.assert_allclose(found[0, :, 0], expected, atol=0.2)
    # Known half of the year, and half a month on either side of it.
    unknown = np.isnan(found[0, :, 1])
    assert unknown.mean() == pytest.approx(0.5 - 30 / 365, abs=0.01) and not unknown[: LONG_HOURS // 2].any()


@pytest.mark.parametrize(("hours", "known"), [(960, 840), (200, 80), (193, 73), (130, 10), (9_000, 8_880)])
def test_what_is_usual_at_one_position_is_that_of_the_whole_series(hours: int, known: int) -> None:
    random = np.random.default_rng(hours)
    observations = random.gamma(3.0, 25.0, (2, hours, 6)).astype(np.float32)
    observations[random.random(observations.shape) < 0.2] = np.nan
    weather = random.normal(0.0, 5.0, (2, hours, 9)).astype(np.float32)
    whole, last = (background(observations, weather, (0, 1), last=at) for at in (None, known - 1))
    assert last.first == known - 24
    for name in ("level", "spread", "long_level", "same_hour", "weather_level"):
        expected = getattr(whole, name)[:, max(last.first, 0) : known]
        np.testing.assert_allclose(getattr(last, name)[:, -expected.shape[1] :], expected, rtol=2e-5, atol=1e-5)
