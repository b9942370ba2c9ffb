"""Where many stations of a network fail together none of them is believed, and real pollution is."""

from __future__ import annotations

import numpy as np
import pytest

from hazecast.grids.observations.collections import read_observations
from hazecast.grids.quality import DISTRUSTED, DUPLICATE, GOOD, IMPOSSIBLE, Reporting, screen

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


def test_values_that_stay_ten_times_too_high_are_not_believed_after_a_day(usual) -> None:
    long = np.concatenate([usual, usual[::-1], usual])
    long[80:] *= 10
    found = distrusted(long)
    assert found[0] == 80 and found[-1] == 80 + 168 - 1 and len(found) > 150
    # Once the error is mended they are believed at once.
    long[120:] /= 10
    assert distrusted(long).tolist() == list(range(80, 120))


def test_a_rise_in_a_gap_is_believed(usual) -> None:
    usual[60:72] = np.nan
    usual[72:] *= 6
    assert distrusted(usual).size == 0


def test_one_hour_of_900_on_all_stations_is_not_used(usual) -> None:
    usual[90] = 900.0
    assert distrusted(usual).tolist() == [90]


@pytest.mark.parametrize("stations", [1, 12])
def test_a_city_that_rises_at_once_is_believed_from_the_next_hour_on(usual, stations) -> None:
    one, groups = usual[:, :stations], ["one"] * stations
    one[90:] += 800.0
    assert distrusted(one[:91], groups).tolist() == [90]
    assert distrusted(one[:92], groups).size == 0
    # And what falls back is not.
    one[91:] -= 800.0
    flags = screen({"pm25": one[:92]}, groups)["pm25"][1]
    assert (flags[90] != GOOD).all() and (flags[91] == GOOD).all()


def test_the_front_of_a_sandstorm_is_believed(usual) -> None:
    usual[90:] += 3_000.0
    for groups in (CITIES, ["one"] * STATIONS):
        flags = screen({"pm10": usual}, groups)["pm10"][1]
        assert not (flags == DISTRUSTED).any()
    usual[92:95, :5] = 7_000.0
    flags = screen({"pm10": usual}, CITIES)["pm10"][1]
    assert not (flags == DISTRUSTED).any() and (flags[92, :5] == IMPOSSIBLE).all()


def test_a_station_or_two_may_fail_alone(usual) -> None:
    usual[90, :2] = 50_000.0
    assert distrusted(usual).size == 0
    # Of a single city's stations, fireworks may raise all.
    usual[90:92] += 400.0
    assert distrusted(usual, ["one"] * STATIONS).size == 0


def test_a_source_that_repeats_yesterday_is_found(usual) -> None:
    usual = np.round(usual, 1)
    usual[48:72] = usual[24:48]
    usual[72:] = usual[24:48]
    values, flags = screen({"pm25": usual}, CITIES)["pm25"]
    assert (flags[48:] == DUPLICATE).all() and not np.isfinite(values[48:]).any()
    assert np.isfinite(values[:40]).mean() > 0.95


def test_a_whole_network_is_found_to_repeat_the_day_before_within_hours(usual) -> None:
    usual = np.round(usual)
    usual[90:] = usual[66:72]
    flags = screen({"pm25": usual}, CITIES)["pm25"][1]
    assert (flags[90:] == DUPLICATE).all() and (flags[:90] == GOOD).mean() > 0.95


@pytest.mark.parametrize(("collection", "hours"), [("seoul", 26_000), ("hongkong", 8_700)])
def test_no_real_hour_is_distrusted(shared_data, collection, hours) -> None:
    """Beijing's years are in test_quality, those of the five-cities collection in test_monitors."""
    stations = read_observations(shared_data / collection, None).stations
    assert np.isfinite(stations["pm25"]).any("station").sum() > hours
    for name in ("pm25", "pm10", "o3", "no2"):
        if name in stations:
            assert not (stations[f"{name}_flag"].values == DISTRUSTED).any()
