"""Values between cities: theirs at them, within their range, their own region's far away, and nothing claimed there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.spreading import _on_sphere, spread, weights
from tests.tools.leave_one_out import read, report

CITIES = list(load_registry().cities.values())
LAT, LON = np.array([c.latitude for c in CITIES]), np.array([c.longitude for c in CITIES])
GRID = np.meshgrid(np.arange(18.0, 52.0, 1.5), np.arange(96.0, 148.0, 1.5), indexing="ij")


def test_values_hold_at_places_and_nothing_is_known_far_away() -> None:
    latitude, longitude = np.array([35.0, 36.0, 45.0]), np.array([110.0, 112.0, 130.0])
    values = np.array([[10.0, 20.0, 90.0], [1.0, np.nan, 3.0]])
    rows, columns = np.meshgrid(np.arange(20.0, 51.0), np.arange(100.0, 141.0), indexing="ij")
    field, deviation = spread(values[:1], latitude, longitude, rows, columns)
    assert field.shape == (1, 31, 41) and deviation.shape == (31, 41)
    assert field[0, 15, 10] == pytest.approx(10, abs=2) and field[0, 25, 30] == pytest.approx(90, abs=2)
    assert deviation[15, 10] < 0.2 and deviation[0, 0] > 0.99
    assert np.isfinite(spread(values, latitude, longitude, rows, columns)[0]).all()
    with pytest.raises(InputError, match="valid place"):
        spread(np.full((1, 3), np.nan), latitude, longitude, rows, columns)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_field_stays_within_the_range_of_its_cities(seed: int) -> None:
    values = np.random.default_rng(seed).lognormal(3.5, 1.0, (2, len(CITIES)))
    field, deviation = spread(values, LAT, LON, *GRID)
    low, high = values.min(axis=1)[:, None, None], values.max(axis=1)[:, None, None]
    assert (field >= low - 1e-9).all() and (field <= high + 1e-9).all()
    assert (deviation >= 0.0).all() and (deviation <= 1.0).all()


def test_weights_are_a_share_and_few_cities_have_one() -> None:
    found = weights(_on_sphere(LAT, LON), _on_sphere(*(a.ravel() for a in GRID)))
    assert (found.values >= 0.0).all() and found.values.sum(axis=1) == pytest.approx(1.0)
    assert (found.values > 0.0).sum(axis=1).mean() < 15
    one = weights(_on_sphere(LAT[:1], LON[:1]), _on_sphere(LAT[:3], LON[:3]))
    assert one.values == pytest.approx(1.0)


def test_far_from_a_city_its_own_region_counts_and_not_the_mean_of_two_countries() -> None:
    china = np.array([[200.0 if c.country == "CN" else 20.0 for c in CITIES]])
    xian = load_registry().city("xian")
    field, _ = spread(china, LAT, LON, np.array([xian.latitude - 140.0 / 111.2]), np.array([xian.longitude]))
    assert field[0, 0] > 198.0


def test_no_colour_reaches_farther_than_250_km_from_every_city() -> None:
    _, deviation = spread(np.zeros((1, len(CITIES))), LAT, LON, *GRID)
    near = np.linalg.norm(_on_sphere(*(a.ravel() for a in GRID))[:, None] - _on_sphere(LAT, LON)[None], axis=-1).min(
        axis=1
    )
    assert 6371.0 * near[deviation.ravel() <= 0.8].max() < 250.0
    at_cities = spread(np.zeros((1, len(CITIES))), LAT, LON, LAT, LON)[1]
    assert at_cities.max() < 0.3


def test_on_real_stations_the_map_errs_less_than_the_nearest_station_and_than_one_mean_of_all(
    shared_data: Path,
) -> None:
    found = report({name: table.iloc[::3] for name, table in read(shared_data).items()})
    assert len(found) == 16
    for error in ("RMSE", "MAE"):
        of = found[error]
        assert (of["map"] < of["nearest"]).all()
        assert of["map"].mean() < 0.985 * of["one mean"].mean() and (of["map"] < 1.03 * of["one mean"]).all()
