"""The share that is attributed to the wind: none where it doesn't matter, the whole difference where it does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.alerts.messages.causes import Causes, causes, transport_share
from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.alerts.messages.warning_texts import compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.places.cities import load_registry
from hazecast.models.attribution import TURNS, from_elsewhere, turned
from hazecast.models.interface import WEATHER_NAMES, Windows
from hazecast.models.registry import load_trained
from hazecast.models.zoo.network_model import NetworkModel
from tests.support.cap_messages import made_warning
from tests.support.training_data import made_windows

U, V = WEATHER_NAMES.index("u10"), WEATHER_NAMES.index("v10")


def windows_with_wind(origin: float, speed: float = 4.0) -> Windows:
    batch = made_windows().batch(np.arange(4), future_weather=True)
    weather = np.full_like(batch.future_weather, 1.0)
    weather[..., U], weather[..., V] = -speed * np.sin(np.deg2rad(origin)), -speed * np.cos(np.deg2rad(origin))
    return dataclasses.replace(batch, future_weather=weather, area_future_weather=weather)


def plume(background: float, most: float, source: float):
    """Expected PM2.5 of two members that both know a source in one direction; the second half as strong."""

    def expected(windows: Windows) -> np.ndarray:
        u, v = windows.future_weather[..., U], windows.future_weather[..., V]
        origin = np.degrees(np.arctan2(-u, -v))
        near = np.abs((origin - source + 180.0) % 360.0 - 180.0) < 22.5
        return np.stack([background + most * near, background + 0.5 * most * near])

    return expected


@settings(max_examples=40, deadline=None)
@given(st.integers(0, TURNS - 1), st.integers(0, TURNS - 1), st.floats(5, 100), st.floats(1, 200))
def test_what_a_source_adds_is_found_when_the_wind_blows_from_it_and_nothing_else(
    wind, source, background, most
) -> None:
    part = from_elsewhere(plume(background, most, 45.0 * source), windows_with_wind(45.0 * wind))
    wanted = most if wind == source else 0.0
    np.testing.assert_allclose(part[0], wanted, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(part[1], 0.5 * wanted, rtol=1e-4, atol=1e-3)


def test_without_wind_nothing_is_claimed_and_the_past_stays() -> None:
    windows = windows_with_wind(90.0)
    blind = dataclasses.replace(windows, future_weather=np.full_like(windows.future_weather, np.nan))
    assert np.isnan(from_elsewhere(plume(30.0, 60.0, 90.0), blind)).all()
    back = turned(turned(windows, 135.0), -135.0)
    np.testing.assert_allclose(back.future_weather, windows.future_weather, atol=1e-5)
    quarter = turned(windows, 90.0).future_weather
    # from the east, turned clockwise by a quarter: from the south
    assert quarter[0, 0, V] == pytest.approx(4.0, abs=1e-5) and quarter[0, 0, U] == pytest.approx(0.0, abs=1e-5)
    np.testing.assert_array_equal(turned(windows, 90.0).history_weather, windows.history_weather)


def test_the_shipped_network_gives_a_part_by_member_that_belongs_to_its_forecast() -> None:
    model, _ = load_trained()
    assert isinstance(model, NetworkModel) and model.network is not None
    windows = made_windows().batch(np.arange(4), future_weather=True)
    part = model.from_elsewhere(windows)
    mean = model.network.members_mean(windows, informed=True)[..., 0].detach().numpy()
    assert part.shape == mean.shape and (part <= mean + 1e-3).all()
    assert (part.mean(axis=-1) >= -1e-4).all(), "the cleanest direction is the lowest on average"


def forecast_with(part: float, mean: float, city: str = "beijing") -> xr.Dataset:
    lead = np.arange(1, 25).astype("timedelta64[h]").astype("timedelta64[ns]")
    shape = (24, 1)
    return xr.Dataset(
        {
            "pm25_mean": (("lead_time", "city"), np.full(shape, mean)),
            "pm25_from_elsewhere": (
                ("lead_time", "city", "member"),
                np.stack([np.full(shape, part * f) for f in (0.5, 1.0, 1.5)], axis=-1),
            ),
        },
        coords={"lead_time": lead, "city": [city]},
    )


def test_the_share_is_told_with_its_spread_and_only_where_it_is_worth_telling() -> None:
    within = np.arange(24) < 12
    assert transport_share(forecast_with(40.0, 160.0), "beijing", within) == pytest.approx((0.25, 0.125, 0.375))
    assert transport_share(forecast_with(0.8, 160.0), "beijing", within) is None
    assert transport_share(forecast_with(-40.0, 160.0), "beijing", within) is None
    assert transport_share(forecast_with(40.0, 160.0).drop_vars("pm25_from_elsewhere"), "beijing", within) is None
    assert transport_share(forecast_with(np.nan, 160.0), "beijing", within) is None


def test_the_share_is_in_the_text_of_every_language() -> None:
    city = load_registry().city("beijing")
    told, rules = made_warning(), RuleBook.shipped().haze_signal
    assert causes(told, city).transport is None
    for language in LANGUAGES:
        text = compose(told, rules, city, language, why=Causes(transport=(0.25, 0.12, 0.38))).description
        assert all(f"{share}%" in text for share in (25, 12, 38)), text
        assert "25%" not in compose(told, rules, city, language).description
