"""The forecast that is issued: combined, ordered, and the same for the same state."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.models.combination import State
from hazecast.models.experts import GUIDANCE
from hazecast.models.interface import EVENTS, Prediction
from hazecast.models.series import Windows
from hazecast.models.zoo.combined import POINTS, Combined, Reference, trained_pool, verified
from tests.support.training_data import made_series, made_windows


class Fixed:
    """Forecasts a share of each place's level, with quantiles about it."""

    name = "fixed"

    def __init__(self, share: float = 1.0) -> None:
        self.share = share

    def fit(self, train, *, progress: bool = False) -> None:
        raise NotImplementedError

    def predict(self, windows: Windows) -> Prediction:
        mean = np.repeat(self.share * windows.level[:, None, :2], LEAD_HOURS, axis=1)
        steps = np.array([0.6, 0.8, 1.0, 1.3, 1.7], np.float32)
        return Prediction((mean[..., None] * steps).astype(np.float32), mean.astype(np.float32))


class Limited(Fixed):
    """Calls every event with weather, and none without."""

    event_limits = np.stack([np.full((LEAD_HOURS, len(EVENTS)), 2.0), np.zeros((LEAD_HOURS, len(EVENTS)))])


def batch_of(n: int = 6, *, future_weather: bool = False) -> Windows:
    windows = made_windows()
    return windows.batch(np.linspace(0, len(windows) - 1, n).astype(int), future_weather=future_weather)


def taught(model: Combined, times: int = 5) -> Combined:
    batch = batch_of()
    for _ in range(times):
        model.learn(batch, model.predict(dataclasses.replace(batch, target=None)))
    return model


def test_quantiles_are_ordered_and_nothing_is_negative_whatever_was_learned() -> None:
    random = np.random.default_rng(0)
    batch = batch_of()
    for _ in range(5):
        model = Combined(Fixed(0.1))
        wild = State.empty().with_places([str(place) for place in np.unique(batch.place)])
        model.state = dataclasses.replace(
            wild,
            offsets=random.normal(0, 3, wild.offsets.shape).astype(np.float32),
            bias=random.normal(0, 2, wild.bias.shape).astype(np.float32),
            days=np.full_like(wild.days, 40.0),
        )
        forecast = model.predict(batch)
        assert (np.diff(forecast.quantiles, axis=-1) >= 0).all() and (forecast.quantiles >= 0).all()
        assert (forecast.mean >= 0).all() and np.isfinite(forecast.mean).all()
        assert forecast.experts is not None and forecast.experts.shape == (len(batch), LEAD_HOURS, 2, len(POINTS))


def test_the_same_state_gives_the_same_forecast_and_learning_changes_it() -> None:
    batch = batch_of()
    model, other = taught(Combined(Fixed())), Combined(Fixed())
    other.state = model.state
    one, again = model.predict(batch), other.predict(batch)
    for name in ("quantiles", "mean", "experts"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    fresh = Combined(Fixed()).predict(batch)
    assert not np.array_equal(fresh.mean, one.mean) and not np.array_equal(fresh.quantiles, one.quantiles)
    assert np.array_equal(fresh.experts, one.experts)


def test_it_learns_to_leave_a_model_that_is_wrong_by_half() -> None:
    batch = batch_of()
    model = taught(Combined(Fixed(2.0)), 20)
    error = np.abs(model.predict(batch).mean - batch.target).mean()
    assert error < 0.4 * np.abs(Fixed(2.0).predict(batch).mean - batch.target).mean()


def test_places_and_kinds_of_forecast_are_learned_apart() -> None:
    batch = batch_of()
    one, other = (str(place) for place in np.unique(batch.place))
    model = Combined(Fixed())
    mine = batch.rows(np.flatnonzero(batch.place == one))
    model.learn(mine, model.predict(mine))
    assert model.state.places == ("", one)
    assert model.state.days[1, 0].all() and not model.state.days[1, 1].any()
    assert not model.state.with_places([other]).days[2].any()


def test_known_guidance_counts_with_its_bias_taken_out_and_unknown_does_not() -> None:
    batch = batch_of()
    guidance = np.full_like(batch.guidance, 60.0)
    guidance[:, 50:] = np.nan
    model = Combined(Fixed())
    state = State.empty().with_places([str(place) for place in np.unique(batch.place)])
    learned = np.stack([np.full((3, 2), 0.4), np.full((3, 2), 0.9)], axis=-1).astype(np.float32)
    model.state = dataclasses.replace(state, guidance=learned)
    experts = model.predict(dataclasses.replace(batch, guidance=guidance)).experts
    np.testing.assert_allclose(experts[:, :50, :, GUIDANCE], 60.0 * 0.5, rtol=1e-5)
    np.testing.assert_array_equal(experts[:, 50:, :, GUIDANCE], batch.same_hour[:, 50:])


def test_events_are_called_from_the_models_limits() -> None:
    assert Combined(Fixed()).predict(batch_of()).events is None
    for informed in (False, True):
        events = Combined(Limited()).predict(batch_of(future_weather=informed)).events
        assert events is not None and events.all() == informed and events.any() == informed


def test_verification_marks_what_is_not_known() -> None:
    batch = batch_of()
    forecast = Combined(Fixed()).predict(batch)
    target = batch.target.copy()
    target[:, 10:, 0] = np.nan
    found = verified(Reference.of(batch), target, forecast.quantiles, forecast.experts)
    for part in (found.errors, found.below):
        known = np.isfinite(part).reshape(*target.shape, -1)
        assert (known.all(axis=-1) == np.isfinite(target)).all() and (known.any(axis=-1) == np.isfinite(target)).all()
    model_error = (forecast.experts[..., 0] - target) / batch.long_level[:, None, :2]
    np.testing.assert_allclose(found.errors[:, :10, :, 0, 0], model_error[:, :10], rtol=1e-5)
    np.testing.assert_array_equal(found.below[:, :10, 0, 2], (target <= forecast.quantiles[..., 2])[:, :10, 0])


def test_the_pool_from_training_begins_calibrated_and_with_the_better_experts() -> None:
    windows = made_windows(made_series(1_000), every=5)
    pool = trained_pool(Fixed(1.5), windows)
    assert pool["moments"].shape == State.empty().moments.shape[1:]

    class Trained(Fixed):
        pass

    model = Trained(1.5)
    model.pool = pool  # type: ignore[attr-defined]
    service = Combined(model)
    batch = windows.batch(np.arange(len(windows)), future_weather=False)
    forecast = service.predict(batch)
    shares = (batch.target[..., None] <= forecast.quantiles).mean(axis=(0, 1))
    np.testing.assert_allclose(shares, np.broadcast_to(QUANTILES, shares.shape), atol=0.03)
    assert np.abs(forecast.mean - batch.target).mean() < 0.6 * np.abs(model.predict(batch).mean - batch.target).mean()


def test_a_place_that_nothing_was_learned_of_is_forecast_as_the_pool_says() -> None:
    model = taught(Combined(Fixed()))
    batch = batch_of()
    new = model.predict(dataclasses.replace(batch, place=np.array(["new"] * len(batch))))
    row = model.state.rows(np.array(["new"]))[0]
    assert not any(value[row].any() for value in model.state.arrays().values())
    assert np.isfinite(new.quantiles).all()
    with pytest.raises(KeyError):
        State.empty().rows(np.array(["new"]))
