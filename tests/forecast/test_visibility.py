"""Visibility falls with PM2.5 and humidity, and its quantiles lie about it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.forecast.visibility import BEIJING, VisibilityModel, growth, recalibrate, visibility, visibility_at
from hazecast.grids.errors import InputError

MASS = st.floats(0.0, 1500.0)
HUMIDITY = st.floats(0.0, 100.0)


@given(MASS, MASS, HUMIDITY, HUMIDITY)
def test_falls_with_mass_and_humidity(mass_a: float, mass_b: float, rh_a: float, rh_b: float) -> None:
    low, high = sorted((mass_a, mass_b))
    dry, moist = sorted((rh_a, rh_b))
    assert visibility(high, rh_a) <= visibility(low, rh_a)
    assert visibility(mass_a, moist) <= visibility(mass_a, dry)
    assert 0.0 < float(visibility(mass_a, rh_a)) <= 391_200.0 + 1e-6


def test_known_values() -> None:
    assert float(visibility(0.0, 50.0)) == pytest.approx(391_200.0)
    # By hand: f(80 %) = 0.2 ** -0.43 = 1.9977; b = 3.48e-3 * 150 * 1.9977 + 0.01 = 1.05281 km-1
    assert float(visibility(150.0, 80.0)) == pytest.approx(3715.8, abs=0.5)
    assert float(growth(0.0)) == pytest.approx(1.0)
    assert float(growth(99.0)) == float(growth(BEIJING.humidity_cap)) > float(growth(BEIJING.humidity_cap - 0.1))


@given(MASS, HUMIDITY, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_quantiles_rise_with_their_level_and_the_law_lies_below_the_median(mass, humidity, one, other) -> None:
    low, high = sorted((one, other))
    assert visibility_at(mass, humidity, low) <= visibility_at(mass, humidity, high)
    assert visibility(mass, humidity) < visibility_at(mass, humidity, 0.5)


@pytest.mark.parametrize("level", [0.0, 1.0, np.nan])
def test_a_level_outside_0_to_1_is_refused(level) -> None:
    with pytest.raises(InputError, match="level"):
        visibility_at(100.0, 50.0, level)


def test_missing_stays_missing_and_shapes_broadcast() -> None:
    result = visibility(np.array([[50.0], [np.nan]]), np.array([40.0, np.nan, 80.0]))
    assert result.shape == (2, 3)
    assert np.isnan(result).tolist() == [[False, True, False], [True, True, True]]


@pytest.mark.parametrize(("mass", "humidity"), [(-1.0, 50.0), (np.inf, 50.0), (10.0, -1.0), (10.0, 121.0)])
def test_refuses_impossible_values(mass: float, humidity: float) -> None:
    with pytest.raises(InputError):
        visibility(mass, humidity)


def test_recalibrate_finds_a_sites_efficiency_despite_fog() -> None:
    rng = np.random.default_rng(1)
    mass, humidity = rng.uniform(10, 300, 400), rng.uniform(20, 95, 400)
    seen = visibility_at(mass, humidity, 0.5, VisibilityModel(mass_extinction=5.2))
    seen[:40] = 100.0  # fog
    seen[40:60] = np.nan
    assert recalibrate(mass, humidity, seen).mass_extinction == pytest.approx(5.2, rel=0.02)
    with pytest.raises(InputError):
        recalibrate(mass[:10], humidity[:10], seen[:10])
    with pytest.raises(InputError):
        VisibilityModel(humidity_cap=100.0)
    with pytest.raises(InputError):
        VisibilityModel(residual_centre=float("nan"))
