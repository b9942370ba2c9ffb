"""What the network cannot see by construction: the size of concentrations and the height of a place."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.grids.contract import LEAD_HOURS
from hazecast.models.registry import load_trained
from hazecast.models.series import WEATHER_NAMES, HourlySeries, Windows, WindowSet
from hazecast.models.zoo.combined import Combined
from hazecast.models.zoo.network import Network
from hazecast.models.zoo.network_model import NetworkModel
from tests.support.training_data import START, TINY, made_series, made_windows

SP = WEATHER_NAMES.index("sp")


@pytest.fixture(scope="module")
def model() -> NetworkModel:
    """A network of random weights."""
    torch.manual_seed(4)
    return NetworkModel(network=Network(**TINY))


def batch_of(series: HourlySeries) -> Windows:
    return made_windows(series, every=71).batch(np.arange(8), future_weather=True)


def uneven_series() -> HourlySeries:
    """A made series with gaps, and concentrations that spread."""
    series, random = made_series(), np.random.default_rng(2)
    observations = (series.observations * random.lognormal(0, 0.5, series.observations.shape)).astype(np.float32)
    observations[random.random(observations.shape) < 0.1] = np.nan
    prior = np.full((len(series.places), 6), 70.0, np.float32)
    return dataclasses.replace(series, observations=observations, prior=prior)


def times(series: HourlySeries, factor: float) -> HourlySeries:
    k = np.float32(factor)
    assert series.prior is not None
    return dataclasses.replace(
        series,
        observations=series.observations * k,
        area_observations=series.area_observations * k,
        prior=series.prior * k,
    )


@settings(max_examples=8, deadline=None)
@given(st.floats(0.05, 20.0))
def test_a_place_with_all_concentrations_times_a_factor_is_forecast_times_it(model, factor: float) -> None:
    series = uneven_series()
    for given_weather in (True, False):
        one, other = (
            model.predict(made_windows(s, every=71).batch(np.arange(4), future_weather=given_weather))
            for s in (series, times(series, factor))
        )
        for name in ("mean", "quantiles"):
            np.testing.assert_allclose(
                getattr(other, name), getattr(one, name) * factor, rtol=2e-3, atol=2e-3 * factor, err_msg=name
            )


def moved(batch: Windows, pascal: float, *, past: bool) -> Windows:
    """Return windows with another surface pressure: of the coming hours, or of all."""

    def higher(weather: np.ndarray) -> np.ndarray:
        weather = weather.copy()
        weather[..., SP] += pascal
        return weather

    names = ["future_weather", "area_future_weather"]
    if past:
        names += ["history_weather", "area_weather", "weather_level", "area_weather_level"]
    return dataclasses.replace(batch, **{name: higher(getattr(batch, name)) for name in names})


@pytest.mark.parametrize(("pascal", "past"), [(4_000.0, True), (-4_000.0, True), (1_500.0, False), (-1_500.0, False)])
def test_the_height_of_a_place_and_of_a_forecasts_grid_change_nothing(model, pascal: float, past: bool) -> None:
    batch = batch_of(uneven_series())
    batch.history_weather[0, -9:, SP] = np.nan
    batch.future_weather[1, :5, SP] = batch.area_future_weather[1, :5, SP] = np.nan
    one, other = (model.predict(w) for w in (batch, moved(batch, pascal, past=past)))
    np.testing.assert_allclose(other.mean, one.mean, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(other.quantiles, one.quantiles, rtol=1e-4, atol=1e-3)
    # A fall of pressure within the coming hours is seen.
    falling = batch.future_weather.copy()
    falling[..., SP] -= np.linspace(0, 1_500, LEAD_HOURS, dtype=np.float32)
    assert not np.allclose(model.predict(dataclasses.replace(batch, future_weather=falling)).mean, one.mean, rtol=1e-4)


def maritime(hours: int = 60 * 24) -> WindowSet:
    """Windows of a place with 10 ug m-3 at all times, in the mild and windy weather of a coast in winter."""
    random, clock = np.random.default_rng(3), np.arange(hours)
    day = 2 * np.pi * (clock + 9) / 24
    system = np.convolve(random.normal(size=hours + 47), np.ones(48) / np.sqrt(48), mode="valid")
    weather = np.zeros((1, hours, len(WEATHER_NAMES)), np.float32)
    of = {name: weather[0, :, number] for number, name in enumerate(WEATHER_NAMES)}
    of["t2m"][:] = 281 - 2.5 * np.cos(day) + system
    of["d2m"][:] = 275.5 + system
    of["u10"][:], of["v10"][:] = 3.5 + 1.5 * system, -2.5 + random.normal(0, 0.7, hours)
    of["sp"][:] = 101_700 + 500 * system
    of["blh"][:] = 700 - 250 * np.cos(day)
    of["tp"][:] = np.where(system > 1.5, 0.6, 0.0)
    of["tcc"][:] = np.clip(0.55 + 0.25 * system, 0, 1)
    of["ssrd"][:] = np.maximum(-np.cos(day), 0) * 380
    observations = np.full((1, hours, 6), 10.0, np.float32)
    series = HourlySeries(
        observations, weather, START + clock.astype("timedelta64[h]"), np.full(1, 9, np.float32), np.array(["coast"]),
        np.full(1, 33.6, np.float32), np.full(1, 130.4, np.float32), np.zeros(1, np.int64), observations, weather,
        np.array([[13.0, *[np.nan] * 5]], np.float32),
    )  # fmt: skip
    now = np.arange(31 * 24, hours - LEAD_HOURS - 1, 13)
    return WindowSet((series,), np.stack([np.zeros_like(now), np.zeros_like(now), now], axis=1))


@pytest.mark.parametrize("informed", [False, True])
def test_a_steady_10_at_a_mild_coast_stays_between_7_and_14_at_every_lead(informed: bool) -> None:
    windows = maritime()
    batch = windows.batch(np.arange(len(windows)), future_weather=informed)
    pm25 = Combined(load_trained()[0]).predict(batch)
    for found in (pm25.mean[..., 0], pm25.quantiles[..., 0, 2]):
        assert found.min() >= 7.0 and found.max() <= 14.0
