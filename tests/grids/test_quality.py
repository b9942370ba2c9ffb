"""Quality control: every test on what it must find and must leave alone, and on real data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.observations.collections import read_observations
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import (
    DISTRUSTED,
    DUPLICATE,
    FLAG_ATTRS,
    GOOD,
    IMPOSSIBLE,
    MEASURED_ZERO,
    MISSING,
    MODELLED,
    NEGATIVE,
    SENTINEL,
    SENTINELS,
    SPIKE,
    STUCK,
    TIME_SHIFT,
    UNIT_SLIP,
    Reporting,
    flag_series,
    screen,
    solar_hours,
    time_offset,
)
from hazecast.grids.quality.clock import median_of_others, ozone_time_shifts
from hazecast.grids.quality.series import NOISE, STUCK_HOURS
from hazecast.grids.units import PPB_25C, to_ug_m3

HOURS = 480
RAW = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 60), st.integers(1, 5)),
    elements=st.one_of(
        st.floats(-20, 3_000, width=32), st.sampled_from([np.nan, 0.0, 55.0, np.inf, -np.inf, *SENTINELS])
    ),
)


@pytest.fixture(scope="module")
def beijing(shared_data):
    """Raw values of the twelve stations by pollutant, as published, and all flags."""
    return read_observations(shared_data / "beijing-multisite", load_registry()).stations


def network(hours: int = HOURS, stations: int = 5) -> np.ndarray:
    """Make PM2.5 of a city: one course, noise of a station's own."""
    random = np.random.default_rng(7)
    course = np.exp(np.cumsum(random.normal(0, 0.12, hours)) * 0.4 + 4.0)
    return np.round(course[:, None] * np.exp(random.normal(0, 0.04, (hours, stations))) + 5.0, 1)


def screened(values: np.ndarray, name: str = "pm25", reporting: Reporting | None = None, **given: object):
    return screen({name: values}, ["beijing"] * values.shape[1], reporting, **given)[name]


def test_flags_are_the_conventions_and_old_codes_stay() -> None:
    assert (GOOD, MISSING, IMPOSSIBLE, STUCK) == (0, 1, 2, 3)
    assert len(FLAG_ATTRS["flag_values"]) == len(FLAG_ATTRS["flag_meanings"].split()) == 14
    assert FLAG_ATTRS["flag_meanings"].split()[MODELLED] == "modelled"


@given(
    RAW, st.sampled_from(sorted(POLLUTANTS)), st.sampled_from([Reporting(), MEASURED_ZERO, Reporting(modelled=True)])
)
@settings(max_examples=80, deadline=None)
def test_nothing_is_lost_and_nothing_unfit_is_used(raw, name, reporting) -> None:
    before = raw.copy()
    values, flags = screened(raw, name, reporting)
    np.testing.assert_array_equal(raw, before)
    assert values.shape == flags.shape == raw.shape
    used = np.isfinite(values)
    good = MODELLED if reporting.modelled else GOOD
    assert (flags[used & (flags != NEGATIVE)] == good).all() and used[flags == good].all()
    np.testing.assert_array_equal(values[flags == good], raw[flags == good].astype(np.float32))
    assert (values[used] >= 0).all() and (values[used] <= POLLUTANTS[name].high).all()
    assert (flags[~np.isfinite(raw)] == MISSING).all() and (flags[np.isfinite(raw)] != MISSING).all()
    again, flags_again = screened(np.where(used, values, np.nan).astype(float), name, reporting)
    assert not ((flags_again == IMPOSSIBLE) | (flags_again == SENTINEL)).any() and (np.isfinite(again) <= used).all()


@given(RAW, st.randoms())
@settings(max_examples=50, deadline=None)
def test_the_order_of_stations_does_not_matter(raw, random) -> None:
    order = list(range(raw.shape[1]))
    random.shuffle(order)
    # Of two equal stations the first stays unflagged: apart from copies, each station's flags go with it.
    flags, moved = screened(raw)[1], screened(raw[:, order])[1]
    same = (flags[:, order] == moved) | (flags[:, order] == DUPLICATE) | (moved == DUPLICATE)
    assert same.all()


@pytest.mark.parametrize("sentinel", SENTINELS)
def test_marks_for_no_value(sentinel) -> None:
    assert flag_series(np.array([sentinel, 50.0]), "pm25").tolist() == [SENTINEL, GOOD]


@pytest.mark.parametrize("name", sorted(POLLUTANTS))
def test_range_zero_and_noise_at_their_edges(name) -> None:
    high, noise = POLLUTANTS[name].high, NOISE[name]
    series = np.array([high, np.nextafter(high, np.inf), 0.0, -0.4, noise, np.nextafter(noise, -np.inf), 7.0])
    expected = [GOOD, IMPOSSIBLE, IMPOSSIBLE, NEGATIVE, NEGATIVE, IMPOSSIBLE, GOOD]
    assert flag_series(series, name).tolist() == expected
    values, flags = screened(series[:, None], name, MEASURED_ZERO)
    assert flags[:, 0].tolist() == [GOOD, IMPOSSIBLE, GOOD, NEGATIVE, NEGATIVE, IMPOSSIBLE, GOOD]
    np.testing.assert_allclose(values[:, 0], [high, np.nan, 0, 0, 0, np.nan, 7], rtol=1e-6)


@pytest.mark.parametrize("name", sorted(POLLUTANTS))
def test_stuck_from_its_hour_on(name) -> None:
    hours = STUCK_HOURS[name]
    for length, flag in ((hours - 1, GOOD), (hours, STUCK)):
        series = np.concatenate([[30.0, 31.0], np.full(length, 44.0), [30.0]])
        assert set(flag_series(series, name)[2:-1]) == {flag}
    assert not (flag_series(np.zeros(100), name, MEASURED_ZERO) == STUCK).any()


def test_spike_alone_is_flagged_but_not_when_the_city_rises() -> None:
    values = network()
    values[100, 2] += 900
    flags = screened(values)[1]
    assert flags[100, 2] == SPIKE and (flags == SPIKE).sum() == 1
    values = network()
    values[100] += 900  # fireworks, or the front itself
    assert not (screened(values)[1] == SPIKE).any()
    values = network()
    values[-1, 2] += 900  # the newest hour can't be judged yet
    assert not (screened(values)[1] == SPIKE).any()


def test_copied_day_and_copied_station() -> None:
    values = network()
    values[200:224, 1] = values[176:200, 1]
    flags = screened(values)[1]
    assert (flags[200:224, 1] == DUPLICATE).all() and (flags == DUPLICATE).sum() == 24
    values = network()
    values[50:90, 3] = values[50:90, 0]
    flags = screened(values)[1]
    assert (flags[50:90, 3] == DUPLICATE).all() and (flags[:, 0] == GOOD).all()
    values = np.full((60, 2), np.nan)
    values[:] = np.repeat([[5.0], [6.0]], 30, axis=0)  # two stations at rest are not copies
    assert not (screened(values, "so2")[1] == DUPLICATE).any()


@given(st.sampled_from([-12, -8, -3, 3, 8, 9, 12]), st.integers(0, 4))
@settings(max_examples=20, deadline=None)
def test_a_clock_that_is_hours_off_is_found(shift, station) -> None:
    values = network()
    values[:, station] = np.roll(values[:, station], shift)
    flags = screened(values)[1]
    assert (flags[:, station] == TIME_SHIFT).mean() > 0.9
    assert not (np.delete(flags, station, axis=1) == TIME_SHIFT).any()
    found = time_offset(values[:, station], median_of_others(network())[:, station])
    assert found is not None and found.hours == shift and found.correlation > found.correlation_at_zero


def test_an_hour_of_delay_is_weather_and_two_stations_cannot_tell() -> None:
    values = network()
    values[:, 1] = np.roll(values[:, 1], 1)
    assert not (screened(values)[1] == TIME_SHIFT).any()
    values[:, 1] = np.roll(values[:, 1], 8)
    assert not (screened(values[:, :2])[1] == TIME_SHIFT).any()
    assert time_offset(values[:50, 0], values[:50, 1]) is None


def test_ozone_that_peaks_at_night_shows_a_slip_of_utc_and_local_time() -> None:
    times = np.datetime64("2026-06-01T00", "ns") + np.arange(HOURS) * np.timedelta64(1, "h")
    sun = solar_hours(times, [116.4])
    ozone = 80 + 60 * np.cos(2 * np.pi * (sun - 15) / 24) + np.random.default_rng(1).normal(0, 8, (HOURS, 1))
    assert not ozone_time_shifts(ozone, sun).any()
    slipped = np.roll(ozone, 8, axis=0)
    assert ozone_time_shifts(slipped, sun).all()
    assert (screened(slipped, "o3", solar_hour=sun)[1][:, 0] == TIME_SHIFT).mean() > 0.9
    assert not ozone_time_shifts(np.full((HOURS, 1), 60.0), sun).any()


@pytest.mark.parametrize(
    ("name", "factor"),
    [("co", 1e-3), ("o3", 1 / (PPB_25C["o3"] * 1e3)), ("no2", 1e-3 / PPB_25C["no2"]), ("pm25", 1e-3)],
)
def test_slipped_units_by_powers_are_found_on_one_station(name, factor) -> None:
    values = network(stations=1) * (15 if name == "co" else 1)
    assert not (screened(values, name)[1] == UNIT_SLIP).any()
    slipped = np.round(values * factor, 6)
    assert (screened(slipped, name)[1] == UNIT_SLIP).mean() > 0.9


@pytest.mark.parametrize("name", ["o3", "no2", "so2"])
def test_ppb_as_ug_is_found_against_the_others(name) -> None:
    values = network()
    values[:, 4] = np.round(values[:, 4] / PPB_25C[name], 1)
    flags = screened(values, name)[1]
    assert (flags[:, 4] == UNIT_SLIP).all() and not (flags[:, :4] == UNIT_SLIP).any()


def test_on_three_years_of_beijing_false_alarms_are_rare(beijing) -> None:
    """A network that was looked after: what the new tests flag there is nearly all false."""
    spikes = hours = 0
    for name in POLLUTANTS:
        flags = beijing[f"{name}_flag"].values
        assert not np.isin(flags, [DUPLICATE, TIME_SHIFT, UNIT_SLIP, DISTRUSTED]).any(), name
        spikes, hours = spikes + (flags == SPIKE).sum(), hours + (flags == GOOD).sum()
        raw = beijing[f"{name}_raw"].values
        np.testing.assert_array_equal(np.isfinite(raw), flags != MISSING)
    assert 0 < spikes < hours / 5_000


def test_on_beijing_a_clock_set_to_utc_is_found(beijing) -> None:
    raw = {name: beijing[f"{name}_raw"].values[:5_000].copy() for name in ("pm25", "o3", "no2")}
    for values in raw.values():
        values[:, 7] = np.roll(values[:, 7], 8)
    flags = screen(raw, ["beijing"] * 12)["pm25"][1]
    found = (flags == TIME_SHIFT)[np.isfinite(raw["pm25"])].reshape(-1)
    assert (flags[:, 7] == TIME_SHIFT).mean() > 0.9 and found.sum() == (flags[:, 7] == TIME_SHIFT).sum()


@given(hnp.arrays(np.float64, (40, 4), elements=st.sampled_from([np.nan, 1.0, 2.0, 3.0, 8.0])))
@settings(max_examples=10, deadline=None)
def test_median_of_the_others(values) -> None:
    for station in range(4):
        others = np.delete(values, station, axis=1)
        for hour in range(40):
            valid = others[hour][np.isfinite(others[hour])]
            expected = np.median(valid) if len(valid) >= 2 else np.nan
            np.testing.assert_equal(median_of_others(values)[hour, station], expected)


@pytest.mark.parametrize(
    ("name", "units", "factor"),
    [
        ("o3", "ppb", 1.962), ("o3", "ppm", 1962), ("no2", "ppb", 1.880), ("so2", "ppb", 2.618), ("co", "ppm", 1144.9),
        ("co", "mg/m3", 1000), ("pm25", "µg/m³", 1), ("pm25", "μg/m3", 1), ("pm10", "ug m-3", 1),
    ],
)  # fmt: skip
def test_units_at_25_degrees(name, units, factor) -> None:
    assert to_ug_m3(name, units) == pytest.approx(factor, rel=5e-4)


@pytest.mark.parametrize(("name", "units"), [("pm25", "ppb"), ("o3", "furlong"), ("radon", "ppb")])
def test_units_that_make_no_sense_are_refused(name, units) -> None:
    with pytest.raises(ValueError, match=f"{units}|{name}"):
        to_ug_m3(name, units)


def test_of_nothing_nothing_is_flagged() -> None:
    assert screen({}, ["beijing", "beijing"]) == {}
