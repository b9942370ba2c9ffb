"""Where many stations of a network fail together none of them is believed, and real pollution is."""

from __future__ import annotations

import numpy as np
import pytest

from hazecast.grids.quality import DISTRUSTED, DUPLICATE, IMPOSSIBLE, Reporting, screen

HOURS, STATIONS = 96, 12
CITIES = [f"city{n % 4}" for n in range(STATIONS)]


@pytest.fixture
def usual() -> np.ndarray:
    """Four days of PM2.5 around 60 ug m-3 in four cities."""
    rng = np.random.default_rng(7)
    common = np.cumsum(rng.normal(0, 0.5, HOURS))[:, None]
    return np.clip(60 + common + rng.normal(0, 8, (HOURS, STATIONS)), 8, 200)


def distrusted(values: np.ndarray, groups: list[str] = CITIES, **given: bool) -> np.ndarray:
    """Return the hours that are distrusted."""
    flags = screen({"pm25": values}, groups, Reporting(**given))["pm25"][1]
    return np.flatnonzero((flags == DISTRUSTED).any(axis=1))


def test_usual_hours_and_a_rise_over_some_hours_are_believed(usual) -> None:
    assert distrusted(usual).size == 0
    # An episode: from 60 to 600 in ten hours, on all stations.
    usual[50:60] *= np.linspace(1, 10, 10)[:, None]
    usual[60:] *= 10
    assert distrusted(np.minimum(usual, 950)).size == 0


@pytest.mark.parametrize("factor", [10, 100])
def test_values_of_a_wrong_unit_are_not_used(usual, factor) -> None:
    usual[80:] *= factor
    values, flags = screen({"pm25": usual}, CITIES)["pm25"]
    assert not np.isfinite(values[80:]).any() and np.isfinite(values[:79]).mean() > 0.95
    assert set(np.unique(flags[80:])) <= {DISTRUSTED, IMPOSSIBLE}


def test_one_hour_of_900_on_all_stations_is_not_used(usual) -> None:
    usual[90] = 900.0
    assert distrusted(usual).tolist() == [90]


def test_a_station_or_two_may_fail_alone(usual) -> None:
    usual[90, :2] = 50_000.0
    assert distrusted(usual).size == 0
    # Of a single city's stations, fireworks may raise all.
    usual[90] = 900.0
    assert distrusted(usual, ["one"] * STATIONS).size == 0


def test_a_source_that_repeats_yesterday_is_found(usual) -> None:
    usual = np.round(usual, 1)
    usual[48:72] = usual[24:48]
    usual[72:] = usual[24:48]
    values, flags = screen({"pm25": usual}, CITIES)["pm25"]
    assert (flags[48:] == DUPLICATE).all() and not np.isfinite(values[48:]).any()
    assert np.isfinite(values[:40]).mean() > 0.95
