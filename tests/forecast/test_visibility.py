"""Visibility falls with PM2.5 and humidity, and agrees with the published fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.forecast.visibility import VisibilityModel, growth, recalibrate, visibility
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
    # By hand: f(80 %) = (1.58 / 0.2 + 1.30) / 2.88 = 3.1944; b = 4e-3 * 150 * 3.1944 + 0.01 = 1.92667 km-1
    assert float(visibility(150.0, 80.0)) == pytest.approx(2030.45, abs=0.1)
    assert float(growth(0.0)) == pytest.approx(1.0)
    assert float(growth(99.0)) == float(growth(95.0)) > float(growth(94.9))


def test_growth_has_the_shape_of_li_2013_beijing_winter() -> None:
    for humidity in (30.0, 60.0, 90.0):
        published = (1.58 / (1 - humidity / 100) + 1.30) / (1.58 / 0.6 + 1.30)
        assert float(growth(humidity) / growth(40.0)) == pytest.approx(published)


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
    seen = visibility(mass, humidity, VisibilityModel(mass_extinction=5.2))
    seen[:40] = 100.0  # fog
    seen[40:60] = np.nan
    assert recalibrate(mass, humidity, seen).mass_extinction == pytest.approx(5.2, rel=0.02)
    with pytest.raises(InputError):
        recalibrate(mass[:10], humidity[:10], seen[:10])
    with pytest.raises(InputError):
        VisibilityModel(humidity_cap=100.0)
