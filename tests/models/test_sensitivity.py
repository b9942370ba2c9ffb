"""The sensitivity to the wind's direction: none where it doesn't matter, the whole difference where it does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.models.interface import Prediction
from hazecast.models.sensitivity import TURNS, transport_sensitivity, turned
from hazecast.models.series import WEATHER_NAMES, Windows
from tests.support.training_data import made_windows

U, V = WEATHER_NAMES.index("u10"), WEATHER_NAMES.index("v10")


def windows_with_wind(origin: float, speed: float = 4.0) -> Windows:
    batch = made_windows().batch(np.arange(4), future_weather=True)
    weather = np.full_like(batch.future_weather, 1.0)
    weather[..., U], weather[..., V] = -speed * np.sin(np.deg2rad(origin)), -speed * np.cos(np.deg2rad(origin))
    return dataclasses.replace(batch, future_weather=weather, area_future_weather=weather)


class Plume:
    """Knows a source in one direction."""

    name = "plume"

    def __init__(self, background: float, most: float, source: float) -> None:
        self.background, self.most, self.source = background, most, source

    def fit(self, train, *, progress: bool = False) -> None:
        raise NotImplementedError

    def predict(self, windows: Windows) -> Prediction:
        origin = np.degrees(np.arctan2(-windows.future_weather[..., U], -windows.future_weather[..., V]))
        near = np.abs((origin - self.source + 180.0) % 360.0 - 180.0) < 22.5
        mean = np.stack([self.background + self.most * near, np.full(near.shape, 50.0)], axis=-1).astype(np.float32)
        return Prediction(np.repeat(mean[..., None], 5, axis=-1), mean)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, TURNS - 1), st.integers(0, TURNS - 1), st.floats(5, 100), st.floats(1, 200))
def test_what_a_source_adds_is_found_when_the_wind_blows_from_it_and_nothing_else(
    wind, source, background, most
) -> None:
    found = transport_sensitivity(Plume(background, most, 45.0 * source), windows_with_wind(45.0 * wind))
    np.testing.assert_allclose(found, most if wind == source else 0.0, rtol=1e-4, atol=1e-3)


def test_without_wind_nothing_is_claimed_and_the_past_stays() -> None:
    windows = windows_with_wind(90.0)
    blind = dataclasses.replace(windows, future_weather=np.full_like(windows.future_weather, np.nan))
    assert np.isnan(transport_sensitivity(Plume(30.0, 60.0, 90.0), blind)).all()
    back = turned(turned(windows, 135.0), -135.0)
    np.testing.assert_allclose(back.future_weather, windows.future_weather, atol=1e-5)
    quarter = turned(windows, 90.0).future_weather
    # from the east, turned clockwise by a quarter: from the south
    assert quarter[0, 0, V] == pytest.approx(4.0, abs=1e-5) and quarter[0, 0, U] == pytest.approx(0.0, abs=1e-5)
    np.testing.assert_array_equal(turned(windows, 90.0).history_weather, windows.history_weather)
