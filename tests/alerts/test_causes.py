"""What is said of the weather in a warning holds in the weather that it was made from; of unknown weather nothing is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.causes import DIRECTIONS, Causes, causes, relevant_hours
from hazecast.alerts.messages.texts import LANGUAGES, catalog
from hazecast.alerts.messages.warning_texts import compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.derived import dew_point
from hazecast.grids.places.cities import load_registry
from tests.support.cap_messages import START, made_warning

RULES, BEIJING = RuleBook.shipped().haze_signal, load_registry().city("beijing")
HOURS = 24

# Speed m/s, direction it comes from in degrees, mixing layer m, relative humidity %; NaN: not known.
Air = tuple[float, float, float, float]
UNKNOWN: Air = (np.nan, np.nan, np.nan, np.nan)


def forecast_of(air: Sequence[Air]) -> xr.Dataset:
    """The weather of a forecast for Beijing from START on, an hour each; a later hour is unknown."""
    speed, origin, height, humidity = np.array([*air, *[UNKNOWN] * (HOURS - len(air))]).T
    values = {
        "u10": -speed * np.sin(np.radians(origin)),
        "v10": -speed * np.cos(np.radians(origin)),
        "blh": height,
        "t2m": np.full(HOURS, 280.0),
        "d2m": dew_point(280.0, humidity),
    }
    return xr.Dataset(
        {name: (("lead_time", "city"), column[:, None]) for name, column in values.items()},
        coords={
            "lead_time": np.arange(1, HOURS + 1) * np.timedelta64(3600 * 10**9, "ns"),
            "city": ["beijing"],
            "init_time": np.datetime64(START.replace(tzinfo=None), "ns"),
        },
    )


def warned(first: int, last: int, **changes: object) -> HazeWarning:
    """A warning whose evidence is each hour from `first` to `last` after START."""
    hour = made_warning().evidence[0]
    evidence = [hour.model_copy(update={"time": START + timedelta(hours=h)}) for h in range(first, last + 1)]
    return made_warning(evidence=evidence, **changes)


def said(description: str, language: str) -> dict[str, list[str]]:
    """Return the statements on the weather that a text holds, with what each names."""
    found = {}
    for key, pattern in catalog(language).messages["weather"].items():
        if key not in ("lead", "separator"):
            form = re.sub(r"\\{\w+\\}", "(.+?)", re.escape(pattern))
            match = re.search(form, description)
            if match:
                found[key] = list(match.groups())
    return found


airs = st.one_of(
    st.just(UNKNOWN),
    st.tuples(
        st.sampled_from([0.0, 0.4, 1.0, 1.9, 2.1, 4.0, 9.0]),
        st.floats(0.0, 360.0),
        st.sampled_from([50.0, 300.0, 499.0, 501.0, 1800.0]),
        st.sampled_from([20.0, 79.0, 81.0, 100.0]),
    ),
)
# A few kinds of weather that last: what is mostly so is then often met.
spells = st.lists(st.tuples(airs, st.integers(1, 12)), min_size=1, max_size=5).map(
    lambda parts: [air for air, hours in parts for _ in range(hours)][:HOURS]
)


@settings(max_examples=80, deadline=None)
@given(spells, st.integers(1, HOURS), st.integers(0, HOURS))
def test_no_sentence_contradicts_the_weather_it_was_made_from(air, first, length) -> None:
    warning = warned(first, min(first + length, HOURS))
    forecast = forecast_of(air)
    why = causes(warning, forecast)
    hours = np.array([*air, *[UNKNOWN] * (HOURS - len(air))])[first - 1 : first + length]
    speed, origin, height, humidity = hours.T
    for language in LANGUAGES:
        words = catalog(language)
        found = said(compose(warning, RULES, BEIJING, language, why=why).description, language)
        if "calm" in found:
            assert mostly(speed < 2.0) and np.nanmean(speed) < 2.0
        if "shallow" in found:
            assert mostly(height < 500.0) and np.nanmean(height) < 500.0
        if "humid" in found:
            assert mostly(humidity >= 79.999) and np.nanmean(humidity) >= 79.999
        assert not {"calm", "wind"} <= set(found), "wind that is light is given no direction"
        if "wind" in found:
            named = next(d for d in DIRECTIONS if words.say(f"direction.{d}") == found["wind"][0])
            turn = np.abs((origin - 45.0 * DIRECTIONS.index(named) + 180.0) % 360.0 - 180.0)
            assert mostly((turn <= 22.6) & (speed >= 0.5)), (named, origin)
        if not np.isfinite(hours).any():
            assert why == Causes() and not found


def mostly(held: np.ndarray) -> bool:
    return 2 * int(held.sum()) > len(held)


def test_what_holds_throughout_is_said_in_every_language() -> None:
    warning = warned(1, 8)
    north_west = causes(warning, forecast_of([(4.0, 315.0, 900.0, 40.0)] * HOURS))
    assert north_west == Causes(wind=("NW", pytest.approx(4.0)))
    stagnant = causes(warning, forecast_of([(1.0, 315.0, 200.0, 90.0)] * HOURS))
    assert stagnant == Causes(calm=pytest.approx(1.0), shallow=200.0, humid=pytest.approx(90.0))
    wanted = {"en": "winds are mostly north-westerly (about 4 m/s", "zh": "以西北风为主", "ja": "主に北西の風"}
    for language, words in wanted.items():
        assert words in compose(warning, RULES, BEIJING, language, why=north_west).description
        found = said(compose(warning, RULES, BEIJING, language, why=stagnant).description, language)
        assert set(found) == {"calm", "shallow", "humid"}
        assert not said(compose(warning, RULES, BEIJING, language).description, language)


def test_a_few_hours_of_strong_wind_do_not_name_the_wind() -> None:
    # The mean vector points from the north-west; most hours had light wind from the south.
    gusts = [(9.0, 315.0, 900.0, 40.0)] * 3 + [(2.2, 180.0, 900.0, 40.0)] * 5
    assert causes(warned(1, 8), forecast_of(gusts)).wind == ("S", pytest.approx((27.0 + 11.0) / 8))
    halves = [(4.0, 315.0, 900.0, 40.0)] * 4 + [(4.0, 225.0, 900.0, 40.0)] * 4
    assert causes(warned(1, 8), forecast_of(halves)).wind is None


def test_the_humidity_of_a_rule_is_no_weather() -> None:
    # Evidence has the humidity that the rule was tested with, which may be that of the days before.
    assert warned(1, 8).evidence[0].relative_humidity == 84.0
    assert causes(warned(1, 8), forecast_of([UNKNOWN])) == Causes()


def test_hours_that_the_forecast_does_not_hold_count_against() -> None:
    calm = forecast_of([(1.0, 0.0, 900.0, 40.0)] * HOURS)
    assert causes(warned(-7, 6), calm) == Causes(), "8 hours were before the init time, 6 after"
    assert causes(warned(-7, 9), calm).calm == pytest.approx(1.0)
    assert causes(warned(1, 8, city="shanghai"), calm) == Causes()
    lift = made_warning("lift", before=made_warning())
    assert causes(lift, calm) == Causes()


def test_of_a_mean_all_its_hours_count() -> None:
    hour = made_warning().evidence[0]
    day = hour.model_copy(update={"time": START + timedelta(hours=24), "values": {"pm25_day": 160.0}})
    warning = made_warning(evidence=[day], onset=START)
    np.testing.assert_array_equal(
        relevant_hours(warning),
        np.datetime64(START.replace(tzinfo=None), "ns") + np.arange(1, 25) * np.timedelta64(1, "h"),
    )
