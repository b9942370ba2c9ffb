"""Japan's photochemical oxidant advisories: declared on measurement, lifted below the criterion, over at sunset."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.alerts.engine.assessment import Assessment
from hazecast.alerts.engine.daylight import daylight
from hazecast.alerts.engine.engine import assess
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import HazeWarning, in_force_at
from hazecast.alerts.messages.warning_texts import compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.forecast.indices import ozone_ppm
from hazecast.grids.places.cities import load_registry
from tests.support.warning_cases import PAST, case, series, stamp

REGISTRY = load_registry()
MIDNIGHT = datetime(2025, 7, 9, 15, tzinfo=UTC)  # 00:00 in Japan, the 10th
PPM = 1e6 / float(ozone_ppm(1e6))  # ug m-3 in one ppm
SUNSET = daylight(MIDNIGHT.date() + timedelta(days=1), 35.69, 139.69)[1]
# Values by the hour's end, ppm.
DAY = {11: 0.09, 12: 0.115, 13: 0.125, 14: 0.130, 15: 0.131, 16: 0.118, 17: 0.09}


def at_hour(
    hour: int, measured: Mapping[int, float], coming: Mapping[int, float], name: str, city: str, stations=None
) -> Assessment:
    init = MIDNIGHT + timedelta(hours=hour)
    hours = {h: v for h, v in measured.items() if h <= hour} | {h: v for h, v in coming.items() if h > hour}
    ozone = series({(h - hour, h - hour): v * PPM for h, v in hours.items()}, 0.03 * PPM)
    forecast, observations = case(init, city, series({}, 10.0), ozone)
    rules = RuleBook.shipped().rule_set(name)
    return assess(forecast, observations, REGISTRY, rules, stations=stations, cities=[city])[0]


def through(
    hours, measured, coming=None, name: str = "jp_ox", city: str = "tokyo"
) -> tuple[list[str], list[HazeWarning]]:
    """The messages of a day, `coming` being what is forecast at all times: by default what comes."""
    rules = RuleBook.shipped().rule_set(name)
    messages: list[HazeWarning] = []
    found = []
    for hour in hours:
        own = at_hour(hour, measured, measured if coming is None else coming, name, city)
        for message in advance(messages, [own], MIDNIGHT + timedelta(hours=hour), ruleset=rules):
            messages.append(message)
            found.append(f"{hour:02d} {message.kind} {message.level}")
    return found, messages


def test_a_day_from_forecast_to_lift() -> None:
    found, messages = through(range(9, 18), DAY)
    assert found == ["09 issue forecast", "13 upgrade advisory", "16 lift advisory"]
    forecast, advisory, lift = messages
    assert forecast.probability == 1.0 and forecast.evidence[0].basis == "forecast"
    assert advisory.probability is None and advisory.threshold is None
    assert advisory.reason == "higher_level_observed" and advisory.expires == SUNSET
    first = advisory.evidence[0]
    assert first.basis == "observed" and first.values == {"ox": 0.125} and first.time == MIDNIGHT + timedelta(hours=13)
    assert lift.reason == "improvement_observed"


@pytest.mark.parametrize(
    ("measured", "coming", "messages"),
    [
        # Forecast to fall at once: while 0.130 ppm is measured, nothing is lifted.
        (
            {13: 0.125, 14: 0.130, 15: 0.122, 16: 0.119},
            {14: 0.125, 15: 0.125},
            ["13 issue advisory", "16 lift advisory"],
        ),
        # Below, but expected to rise again.
        ({13: 0.125, 14: 0.118}, {14: 0.13, 15: 0.13, 16: 0.125}, ["13 issue advisory", "16 lift advisory"]),
        # Judged not to continue.
        ({13: 0.125}, {}, []),
        # Up to the warning and down by steps.
        (
            {13: 0.13, 14: 0.25, 15: 0.25, 16: 0.2, 17: 0.1},
            {14: 0.25, 15: 0.25, 16: 0.25},
            ["13 issue advisory", "14 upgrade warning", "16 downgrade advisory", "17 lift advisory"],
        ),
    ],
)
def test_lifted_below_the_criterion_and_not_expected_to_rise(measured, coming, messages) -> None:
    found, _ = through(range(13, 18), measured, coming)
    assert [f for f in found if "forecast" not in f] == messages


def test_over_at_sunset_at_the_latest() -> None:
    high = {h: 0.13 for h in range(13, 24)}
    found, messages = through((14, 17, 18), high)
    assert found == ["14 issue advisory"] and messages[0].expires == SUNSET
    assert in_force_at(messages, SUNSET - timedelta(minutes=1)) and not in_force_at(messages, SUNSET)
    night = at_hour(20, high, high, "jp_ox", "tokyo")
    assert not any(o.raised or o.keep_probability for o in night.outlooks if o.level != "forecast")


def test_a_measurement_that_fails_to_come_lifts_nothing() -> None:
    measured = {13: 0.125, 14: np.nan, 15: np.nan}
    found, _ = through((13, 14, 15), measured, {14: 0.125, 15: 0.125})
    assert found == ["13 issue advisory"]


def test_prefectures_differ() -> None:
    high = {h: 0.2 for h in range(13, 17)}
    assert at_hour(14, high, high, "jp_ox_saitama", "saitama").level == "warning"
    assert at_hour(14, high, high, "jp_ox", "tokyo").level == "advisory"
    # Mie gives its forecast once 0.08 ppm is measured.
    coming = {14: 0.13, 15: 0.13}
    assert at_hour(11, {11: 0.079}, coming, "jp_ox_mie", "yokkaichi").level is None
    assert at_hour(11, {11: 0.08}, coming, "jp_ox_mie", "yokkaichi").level == "forecast"
    assert at_hour(11, {11: 0.05}, coming, "jp_ox", "tokyo").level == "forecast"


def test_one_station_is_enough() -> None:
    init = MIDNIGHT + timedelta(hours=14)
    values = np.full((PAST, 2), 0.05 * PPM)
    values[-1] = [0.121 * PPM, 0.05 * PPM]
    stations = xr.Dataset(
        {"o3": (("time", "station"), values)},
        coords={
            "time": stamp(init) + (np.arange(PAST) - PAST + 1) * np.timedelta64(1, "h"),
            "station": ["a", "b"],
            "city": ("station", ["tokyo", "tokyo"]),
        },
    )
    mean = {h: 0.0855 for h in range(14, 18)}
    assert at_hour(14, mean, mean, "jp_ox", "tokyo").level is None
    found = at_hour(14, mean, mean, "jp_ox", "tokyo", stations)
    assert found.level == "advisory" and found.of(2).evidence[0].values == {"ox": 0.121}


@pytest.mark.parametrize(
    ("language", "parts"),
    [
        ("ja", ("注意報を発令", "13時", "18時59分に解除", "0.130 ppm")),
        ("en", ("declared", "measured", "18:59", "0.130 ppm")),
        ("zh", ("发布", "18时59分", "0.130 ppm")),
    ],
)
def test_worded_as_measured_with_three_decimals(language: str, parts: tuple[str, ...]) -> None:
    _, messages = through((13,), {13: 0.13}, {14: 0.13, 15: 0.13})
    text = compose(messages[-1], RuleBook.shipped().rule_set("jp_ox"), REGISTRY.city("tokyo"), language)
    whole = text.headline + text.description
    assert all(part in whole for part in parts) and "%" not in whole


@settings(max_examples=6, deadline=None)
@given(st.lists(st.sampled_from([0.05, 0.11, 0.12, 0.13, 0.25]), min_size=10, max_size=10), st.randoms())
def test_never_lifted_while_measured_and_never_after_sunset(values, shuffler) -> None:
    measured = {12 + i: v for i, v in enumerate(values)}
    coming = {h: shuffler.choice(values) for h in range(13, 24)}
    _, messages = through(range(13, 21), measured, coming)
    advisories = [m for m in messages if m.level != "forecast"]
    assert all(m.expires <= SUNSET and m.probability is None for m in advisories if m.kind != "lift")
    for message in messages:
        hour = round((message.issued - MIDNIGHT) / timedelta(hours=1))
        if message.kind == "lift":
            assert measured[hour] < 0.12
        if message.level in ("advisory", "warning") and message.kind in ("issue", "upgrade"):
            assert message.issued < SUNSET and measured[hour] >= 0.12
