"""Weather that errs like a forecast: still weather, further from the truth with lead time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.signal import lfilter

from hazecast.grids.contract import LEAD_HOURS
from hazecast.models.series import WEATHER_NAMES, HourlySeries, Windows, WindowSet
from hazecast.models.weather_errors import CORRELATION, WeatherErrors, correlation

YEARS = 8
HOURS = YEARS * 365 * 24
MEANS = ("weather_climate", "area_weather_climate", "background", "area_background", "monthly")
T2M, D2M, U, V, SP, BLH, TP, TCC, SSRD = range(9)
START = np.datetime64("2010-01-01T00", "ns")


def noise(random: np.random.Generator, memory: float) -> np.ndarray:
    """Return a stationary process of standard deviation 1 whose memory fades over some hours."""
    kept = np.exp(-1 / memory)
    return lfilter([np.sqrt(1 - kept**2)], [1, -kept], random.normal(size=HOURS + 500))[500:]


@pytest.fixture(scope="module")
def series() -> HourlySeries:
    """Years of weather with seasons, days and passing systems, at two places of one area, one of them 3 K warmer."""
    random = np.random.default_rng(11)
    clock = np.arange(HOURS)
    year, day = 2 * np.pi * clock / (365 * 24), 2 * np.pi * clock / 24
    weather = np.zeros((HOURS, 9))
    weather[:, T2M] = 285 - 12 * np.cos(year) - 4 * np.cos(day) + 4 * noise(random, 20)
    weather[:, D2M] = np.minimum(weather[:, T2M] - 6 + 4 * noise(random, 20), weather[:, T2M])
    weather[:, U] = 0.8 + 2.2 * noise(random, 10)
    weather[:, V] = -1.0 * np.cos(year) + 2.2 * noise(random, 10)
    weather[:, SP] = 101_300 + 700 * np.cos(year) + 700 * noise(random, 30)
    weather[:, BLH] = 500 * np.exp(0.5 * noise(random, 5)) * (1.2 - np.cos(day))
    wet = noise(random, 3)
    weather[:, TP] = np.where(wet > 1.0, np.exp(0.6 * noise(random, 3)), 0.0)
    weather[:, TCC] = np.clip(0.5 + 0.4 * noise(random, 8), 0, 1)
    weather[:, SSRD] = np.maximum(-np.cos(day), 0) * (600 - 200 * np.cos(year)) * np.exp(0.3 * noise(random, 8) - 0.3)
    both = np.stack([weather, weather]).astype(np.float32)
    both[1, :, T2M] += 3.0
    observations = np.full((2, HOURS, 6), 50.0, np.float32)
    return HourlySeries(
        observations, both, START + clock.astype("timedelta64[h]"), np.zeros(2, np.float32), np.array(["a", "b"]),
        np.full(2, 35.0, np.float32), np.full(2, 115.0, np.float32), np.zeros(2, np.int64),
        observations[:1], both.mean(axis=0, keepdims=True),
    )  # fmt: skip


def windows_of(series: HourlySeries, errors: WeatherErrors | None, every: int = 17, place: int = 0) -> Windows:
    now = np.arange(200, HOURS - LEAD_HOURS - 1, every)
    index = np.stack([np.zeros_like(now), np.full_like(now, place), now], axis=1)
    return WindowSet((series,), index, errors=errors).batch(np.arange(len(index)), future_weather=True)


@pytest.fixture(scope="module")
def pair(series: HourlySeries) -> tuple[np.ndarray, np.ndarray]:
    """Return the weather of the coming hours, true and erring, of windows all over the years."""
    return windows_of(series, None).future_weather, windows_of(series, WeatherErrors()).future_weather


def test_its_variance_is_natures_at_every_lead(pair) -> None:
    truth, erring = pair
    ratio = erring.std(axis=0) / truth.std(axis=0)
    # Rain, in hours that are rarely wet, is too few to be compared by the hour.
    few = [TP]
    assert np.abs(np.delete(ratio, few, axis=1) - 1).max() < 0.10
    assert np.abs(ratio[:, few].reshape(-1, 24).mean(axis=1) - 1).max() < 0.10


def test_it_is_as_often_calm_and_rains_as_much(pair) -> None:
    truth, erring = pair
    calm = [(np.hypot(w[..., U], w[..., V]) < 2.0).reshape(len(w), -1, 24).mean(axis=(0, 2)) for w in pair]
    np.testing.assert_allclose(calm[1], calm[0], rtol=0.20)
    assert erring[..., TP].mean() == pytest.approx(truth[..., TP].mean(), rel=0.05)
    wet = [(w[..., TP] > 0).mean() for w in pair]
    assert wet[1] == pytest.approx(wet[0], rel=0.10)


def test_it_is_possible_weather(pair) -> None:
    _, erring = pair
    assert np.isfinite(erring).all()
    assert (erring[..., D2M] <= erring[..., T2M]).all()
    assert (erring[..., TP] >= 0).all() and (erring[..., SSRD] >= 0).all()
    assert (erring[..., TCC] >= 0).all() and (erring[..., TCC] <= 1).all()


def test_its_correlation_with_the_truth_falls_with_lead_time_as_it_says(series) -> None:
    true, erring = (windows_of(series, errors, 41) for errors in (None, WeatherErrors()))
    hours = true.init_time.astype("datetime64[h]").astype(int)[:, None] + np.arange(1, LEAD_HOURS + 1)
    usual = series.weather_climate[0][hours % (365 * 24)]
    for column in (T2M, SP):
        one, other = ((w.future_weather - usual)[..., column] for w in (true, erring))
        r = np.array([np.corrcoef(one[:, lead], other[:, lead])[0, 1] for lead in (0, 59, 119)])
        first, last = CORRELATION[WEATHER_NAMES[column]]
        np.testing.assert_allclose(r, [first, (first + last) / 2, last], atol=0.07)
        assert (np.diff(r) < 0).all()
    expected = correlation(np.array([0.0, 1.0, 2.0], np.float32))
    assert (expected[0] == 1).all() and (np.diff(expected[1:], axis=1) <= 0).all() and (expected >= 0).all()


def test_the_same_seed_and_init_time_give_the_same_errors_at_all_places_of_an_area(series) -> None:
    errors = WeatherErrors(seed=3)
    first, other = (windows_of(series, errors, 2_001, place) for place in (0, 1))
    np.testing.assert_allclose(other.future_weather[..., T2M] - first.future_weather[..., T2M], 3.0, atol=1e-3)
    rest = [column for column in range(9) if column not in (T2M, D2M)]
    np.testing.assert_allclose(other.future_weather[..., rest], first.future_weather[..., rest], rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(other.area_future_weather, first.area_future_weather)
    # Whichever windows are cut beside it.
    fewer = windows_of(series, errors, 4_002)
    np.testing.assert_array_equal(fewer.future_weather, first.future_weather[::2])
    seeds = windows_of(series, dataclasses.replace(errors, seed=4), 2_001)
    assert not np.array_equal(seeds.future_weather, first.future_weather)


def test_errors_of_no_size_and_of_no_share_leave_the_weather_alone(series) -> None:
    truth = windows_of(series, None, 5_001)
    for errors in (WeatherErrors(smallest=0.0, largest=0.0), WeatherErrors(share=0.0)):
        same = windows_of(series, errors, 5_001)
        np.testing.assert_array_equal(same.future_weather, truth.future_weather)
        np.testing.assert_array_equal(same.area_future_weather, truth.area_future_weather)
        assert not same.weather_error.any()
    some = windows_of(series, WeatherErrors(share=0.4, smallest=0.5, largest=1.5), 101)
    erring = some.weather_error > 0
    assert 0.33 < erring.mean() < 0.47
    assert some.weather_error[erring].min() >= 0.5 and 1.3 < some.weather_error.max() <= 1.5
    truth = windows_of(series, None, 101)
    np.testing.assert_array_equal(some.future_weather[~erring], truth.future_weather[~erring])
    for name in ("history_weather", "area_weather", "target", "weather_level"):
        np.testing.assert_array_equal(getattr(some, name), getattr(truth, name))


def test_what_is_missing_stays_missing_and_nothing_else_goes(series) -> None:
    weather = series.weather.copy()
    weather[0, 1_000:1_600, :] = np.nan
    weather[0, ::7, U] = np.nan
    weather[..., BLH] = np.nan
    gappy = dataclasses.replace(series, weather=weather)
    truth, erring = (windows_of(gappy, errors, 97) for errors in (None, WeatherErrors()))
    np.testing.assert_array_equal(np.isnan(erring.future_weather), np.isnan(truth.future_weather))


def test_no_hour_after_the_last_that_may_be_read_is_read(series) -> None:
    last = 3 * 365 * 24
    now = np.arange(300, last - 24, 501)
    index = np.stack([np.zeros_like(now), np.zeros_like(now), now], axis=1)

    def cut(one: HourlySeries) -> Windows:
        # The mean weather of the seasons is the place's own, as of all its years.
        one.__dict__.update({name: getattr(series, name) for name in MEANS})
        windows = WindowSet((one,), index, until=one.times[last], errors=WeatherErrors())
        return windows.batch(np.arange(len(index)), future_weather=True)

    before = cut(dataclasses.replace(series))
    weather, area = series.weather.copy(), series.area_weather.copy()
    weather[:, last + 1 :], area[:, last + 1 :] = 1e6, 1e6
    after = cut(dataclasses.replace(series, weather=weather, area_weather=area))
    assert (before.weather_error > 0).all()
    np.testing.assert_array_equal(before.future_weather, after.future_weather)
    np.testing.assert_array_equal(before.area_future_weather, after.area_future_weather)


def test_a_series_of_one_season_errs_by_other_days_of_it() -> None:
    random = np.random.default_rng(0)
    hours = 120 * 24
    weather = np.broadcast_to(np.array([280, 275, 1, -1, 101_000, 500, 0, 0.5, 100.0]), (1, hours, 9))
    weather = (weather + random.normal(0, 1, weather.shape)).astype(np.float32)
    observations = np.full((1, hours, 6), 50.0, np.float32)
    one = HourlySeries(
        observations, weather, START + np.arange(hours).astype("timedelta64[h]"), np.zeros(1, np.float32),
        np.array(["a"]), np.full(1, 35.0, np.float32), np.full(1, 115.0, np.float32), np.zeros(1, np.int64),
        observations, weather,
    )  # fmt: skip
    now = np.arange(100, hours - LEAD_HOURS - 1, 50)
    index = np.stack([np.zeros_like(now), np.zeros_like(now), now], axis=1)
    windows = WindowSet((one,), index, errors=WeatherErrors()).batch(np.arange(len(index)), future_weather=True)
    assert (windows.weather_error == 1).mean() > 0.9
    # A series too short for any other days is left as it is, and says so.
    short = dataclasses.replace(
        one, times=one.times[:250],
        **{name: getattr(one, name)[:, :250] for name in ("observations", "weather", "area_observations", "area_weather")},
    )  # fmt: skip
    batch = WindowSet((short,), index[:1], errors=WeatherErrors()).batch(np.arange(1), future_weather=True)
    np.testing.assert_array_equal(batch.future_weather[0], short.weather[0, 101 : 101 + LEAD_HOURS])
    assert batch.weather_error[0] == 0
