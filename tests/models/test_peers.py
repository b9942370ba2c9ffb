"""Peers: what their features say, what they learn, and that no error of theirs is seen in advance."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.grids.errors import InputError
from hazecast.models.events import EventDecision, exceedance, met
from hazecast.models.experts import newest_same_hour
from hazecast.models.features import features, names
from hazecast.models.interface import EVENTS
from hazecast.models.series import WEATHER_NAMES
from hazecast.models.training.tuning import ErrorDressing, init_times, sample_times, split, subset
from hazecast.models.zoo.baselines import DiurnalPersistence
from hazecast.models.zoo.recurrent import GraphModel, GRUModel, PlaceGraph, edges
from hazecast.models.zoo.tabular import RidgeModel, TreesModel
from tests.support.training_data import START, made_series, made_windows

pytestmark = [pytest.mark.slow, pytest.mark.slowest]

HOUR = np.timedelta64(1, "h")


def windy_series(hours: int = 1_500):
    """Concentrations that fall as the wind rises, so that only the coming wind tells them."""
    series = made_series(hours)
    random = np.random.default_rng(7)
    wind = np.repeat(random.uniform(0, 8, hours // 12 + 1), 12)[:hours]
    weather = series.weather.copy()
    weather[..., WEATHER_NAMES.index("u10")] = wind
    weather[..., WEATHER_NAMES.index("v10")] = 0
    observations = series.observations.copy()
    observations[..., :2] = (160 - 15 * wind)[None, :, None] + random.normal(0, 3, (2, hours, 2))
    return dataclasses.replace(
        series,
        observations=observations.astype(np.float32),
        weather=weather,
        area_observations=observations.mean(axis=0, keepdims=True).astype(np.float32),
        area_weather=weather.mean(axis=0, keepdims=True),
    )


@pytest.fixture(scope="module")
def windy():
    windows = made_windows(windy_series(), every=2)
    return split(windows)


@pytest.mark.parametrize(
    ("model", "bound"),
    [
        (RidgeModel(windows=200), 0.75),
        (TreesModel(windows=500, rounds=60, options={"min_data_in_leaf": 20}), 0.5),
        (GRUModel(hidden=16, windows=1_280, batch=16, learning_rate=0.01), 0.8),
        (GraphModel(hidden=16, windows=320, batch=8, learning_rate=0.02), 0.8),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_peer_learns_what_the_coming_wind_does(windy, model, bound) -> None:
    early, late = windy
    model.fit(early)
    test = sample_times(late, 20, 0)
    batch = test.batch(np.arange(len(test)), future_weather=True)
    prediction = model.predict(dataclasses.replace(batch, target=None))
    error = np.sqrt(np.nanmean((prediction.mean - batch.target) ** 2))
    assert error < bound * np.nanstd(batch.target)
    inside = (batch.target >= prediction.quantiles[..., 0]) & (batch.target <= prediction.quantiles[..., -1])
    assert 0.5 < inside.mean() < 0.98
    assert prediction.events.shape == (len(batch), LEAD_HOURS, len(EVENTS))
    assert prediction.events[batch.target[..., 0] > 130][:, 0].mean() > 0.9


def test_a_peer_gives_the_same_for_the_same_data(windy) -> None:
    early = subset(windy[0], np.arange(0, len(windy[0]), 2))
    batch = early.batch(np.arange(4), future_weather=True)
    for build in (
        lambda: TreesModel(windows=100, rounds=5),
        lambda: GRUModel(hidden=4, windows=20, batch=4),
        lambda: GraphModel(hidden=4, windows=20, batch=4),
    ):
        first, second = build(), build()
        first.fit(early)
        second.fit(early)
        np.testing.assert_array_equal(first.predict(batch).quantiles, second.predict(batch).quantiles)


def test_without_weather_a_peer_is_trained_and_used_without(windy) -> None:
    early, late = (dataclasses.replace(part, weather_known=False) for part in windy)
    assert np.isnan(early.batch(np.arange(5), future_weather=True).future_weather).all()
    model = TreesModel(windows=200, rounds=20)
    model.fit(early)
    prediction = model.predict(late.batch(np.arange(5), future_weather=True))
    assert np.isfinite(prediction.mean).all()


def test_features_are_named_and_hold_what_their_names_say() -> None:
    batch = made_windows().batch(np.arange(6), future_weather=True)
    fixed, coming = features(batch)
    first, second = names()
    assert fixed.shape == (6, len(first)) and coming.shape == (6, LEAD_HOURS, len(second))
    assert len(set(first + second)) == len(first) + len(second)

    def of(name: str) -> np.ndarray:
        return coming[..., second.index(name)] if name in second else fixed[:, first.index(name)]

    np.testing.assert_allclose(of("pm25_last"), batch.history_obs[:, -1, 0])
    np.testing.assert_allclose(of("area_o3_24h"), batch.area_obs[:, -24:, 1].mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(of("pm25_same_hour_1")[:, 29], batch.history_obs[:, -24 + 5, 0])
    speed = np.hypot(batch.future_weather[..., 2], batch.future_weather[..., 3])
    np.testing.assert_allclose(of("speed"), speed, rtol=1e-5)
    np.testing.assert_allclose(of("speed_since_init")[:, 9], speed[:, :10].mean(axis=1), rtol=1e-4)
    past = np.hypot(batch.history_weather[..., 2], batch.history_weather[..., 3])
    np.testing.assert_allclose(
        of("speed_24h")[:, 3], np.concatenate([past[:, -20:], speed[:, :4]], axis=1).mean(axis=1), rtol=1e-4
    )
    np.testing.assert_allclose(
        of("sp_change_24h")[:, 30], batch.future_weather[:, 30, 4] - batch.future_weather[:, 6, 4], rtol=1e-4
    )
    # 00:00 UTC is 08:00 at these places
    midnight = (batch.init_time - START) % np.timedelta64(24, "h") / HOUR
    np.testing.assert_array_equal(of("hour")[:, 0], (midnight + 1 + 8) % 24)


def test_features_read_no_target() -> None:
    batch = made_windows().batch(np.arange(6), future_weather=True)
    for one, other in zip(features(batch), features(dataclasses.replace(batch, target=None)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_diurnal_persistence_repeats_the_newest_valid_day() -> None:
    batch = made_windows().batch(np.arange(3), future_weather=False)
    history = batch.history_obs.copy()
    history[0, -24 + 4, 0] = np.nan
    same = newest_same_hour(history[..., :2])
    np.testing.assert_array_equal(same[:, 23], history[:, -1, :2])
    assert same[0, 4, 0] == history[0, -48 + 4, 0] and same[0, 28, 0] == history[0, -48 + 4, 0]
    model = DiurnalPersistence()
    model.fit(made_windows())
    prediction = model.predict(dataclasses.replace(batch, history_obs=history))
    np.testing.assert_array_equal(prediction.mean, same)


def test_tuning_windows_are_newer_than_all_that_is_learned_from() -> None:
    train = made_windows(made_series(2_000), every=1)
    early, late = split(train)
    assert (init_times(early) + LEAD_HOURS * HOUR).max() <= init_times(late).min()
    chosen = sample_times(late, 20, 0)
    times, count = np.unique(init_times(chosen), return_counts=True)
    assert len(times) == 20 and (count == 2).all()
    with pytest.raises(InputError, match="period"):
        split(made_windows(made_series(300), every=1))


def test_dressing_covers_what_it_learned_from() -> None:
    random = np.random.default_rng(1)
    mean = random.gamma(2, 40, (800, LEAD_HOURS, 2)).astype(np.float32)
    # errors as wide as the forecast is high, which one spread for all would miss
    target = np.maximum(mean * (1 + 0.4 * random.normal(size=mean.shape)), 0).astype(np.float32)
    dressing = ErrorDressing()
    dressing.fit(mean, target)
    quantiles = dressing.quantiles(mean)
    for chosen in (mean < 40, mean > 120):
        inside = (target >= quantiles[..., 0]) & (target <= quantiles[..., -1])
        assert 0.77 < inside[chosen].mean() < 0.83
    assert (np.diff(quantiles, axis=-1) >= 0).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 600, width=32), min_size=5, max_size=5))
def test_exceedance_falls_with_the_threshold_and_agrees_with_the_quantiles(values: list[float]) -> None:
    quantiles = np.broadcast_to(np.sort(np.array(values, np.float32)), (1, LEAD_HOURS, 2, 5))
    probability = exceedance(quantiles)[0, 0]
    assert ((probability >= 0) & (probability <= 1)).all()
    assert (np.diff(probability[:4]) <= 1e-6).all() and probability[5] <= probability[4] + 1e-6
    for number, (_, limit) in enumerate(EVENTS):
        for level, value in zip(QUANTILES, quantiles[0, 0, 0], strict=True):
            if value < limit:
                assert probability[number] <= 1 - level + 1e-4
            if value > limit:
                assert probability[number] >= 1 - level - 1e-4


def test_decision_finds_the_probability_with_the_best_csi() -> None:
    random = np.random.default_rng(2)
    middle = random.uniform(20, 220, (3_000, LEAD_HOURS, 2)).astype(np.float32)
    quantiles = middle[..., None] + np.array([-60, -30, 0, 30, 60], np.float32)
    target = middle + random.normal(0, 45, middle.shape).astype(np.float32)
    decision = EventDecision()
    decision.fit(quantiles, target)

    def csi(called: np.ndarray) -> np.ndarray:
        observed = met(target) == 1
        return (called & observed).sum(axis=(0, 1)) / (called | observed).sum(axis=(0, 1))

    probability = exceedance(quantiles)
    own = csi(decision.events(quantiles))
    for limit in (0.2, 0.5, 0.8):
        assert (own >= csi(probability >= limit) - 1e-3)[:3].all()
    # the best is below one half: a miss and a false alarm cost the same, a hit is worth more
    assert (decision.limits[:, :3] < 0.5).all()


def test_edges_carry_what_the_wind_takes_from_source_to_end() -> None:
    batch = made_windows().batch(np.array([0, 1, len(made_windows()) - 1]), future_weather=True)
    weather = np.zeros_like(batch.future_weather)
    weather[..., WEATHER_NAMES.index("v10")] = 5.0
    times = np.array([batch.init_time[0], batch.init_time[0], batch.init_time[2]])
    latitude = np.array([40.0, 41.0, 41.0], np.float32)
    longitude = np.array([116.0, 116.0, 116.0], np.float32)
    south_wind = dataclasses.replace(
        batch, future_weather=weather, init_time=times, latitude=latitude, longitude=longitude
    )
    source, end, distance, advection = edges(south_wind, 300.0)
    assert sorted(zip(source, end, strict=True)) == [(0, 1), (1, 0)]
    np.testing.assert_allclose(distance, 111.2, rtol=1e-3)
    northward = advection[source == 0][0]
    np.testing.assert_allclose(northward, 10 * 5 / 111.2, rtol=1e-3)
    assert (advection[source == 1] == 0).all()
    assert len(edges(south_wind, 50.0)[0]) == 0
    nowhere = dataclasses.replace(south_wind, latitude=np.full(3, np.nan, np.float32))
    assert len(edges(nowhere, 300.0)[0]) == 0
    assert PlaceGraph(8)(nowhere).shape == (3, LEAD_HOURS, 2)
