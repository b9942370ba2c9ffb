"""A warning's life: windows, assessment, and what one run says after another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely
import xarray as xr

from hazecast.alerts.engine.assessment import Assessment
from hazecast.alerts.engine.engine import assess
from hazecast.alerts.engine.inputs import PAST_HOURS, Inputs
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.window import signal_window
from hazecast.alerts.messages.geojson import feature_collection
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.criteria import Persistence
from hazecast.forecast.dependence import COUNT
from hazecast.forecast.sight import Sight
from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from tests.support.exceedance import exceedance_probability

RULES = RuleBook.shipped().haze_signal
# Hours by themselves, without what a site's learned visibility makes of the day before.
LAW, UNCERTAIN = Sight(sites={}, spread=False), Sight(sites={})
INIT = datetime(2013, 1, 12, 22, tzinfo=UTC)  # 06:00 in Beijing on the 13th
CITIES = ["beijing", "kitakyushu", "shanghai"]


def make_forecast(
    pm25: dict[str, float | np.ndarray],
    humidity: float = 60.0,
    init: datetime = INIT,
    simulated: int = 0,
    factors: Sequence[float] = (1.0,) * len(QUANTILES),
) -> xr.Dataset:
    """A forecast whose quantiles are the median times `factors`: by default one that is certain."""
    median = np.stack([np.broadcast_to(pm25.get(c, 20.0), LEAD_HOURS) for c in CITIES], axis=1).astype(float)
    return xr.Dataset(
        {
            "pm25": (("lead_time", "city", "quantile"), median[:, :, None] * np.array(factors)),
            "relative_humidity": (("lead_time", "city"), np.full(median.shape, humidity)),
        },
        coords={
            "lead_time": np.arange(1, LEAD_HOURS + 1) * np.timedelta64(3600 * 10**9, "ns"),
            "city": CITIES,
            "quantile": list(QUANTILES),
            "init_time": np.datetime64(init.replace(tzinfo=None), "ns"),
        },
        attrs={"simulated": simulated, "weather_source": "test", "degraded": 0},
    )


def run(pm25: dict[str, float | np.ndarray], observations: xr.Dataset | None = None) -> dict[str, Assessment]:
    return {a.city: a for a in assess(make_forecast(pm25), observations, load_registry(), RULES, sight=LAW)}


def observed(value: float, *hours_before: int) -> xr.Dataset:
    """One value at each of these hours, and another that no run may read: stamped an hour after the init time."""
    hours = np.array([*sorted(-h for h in hours_before), 1])
    times = np.datetime64(INIT.replace(tzinfo=None), "ns") + hours * np.timedelta64(1, "h")
    return xr.Dataset(
        {"pm25": (("time", "city"), np.array([*[[value]] * len(hours_before), [900.0]]))},
        coords={"time": times, "city": ["beijing"]},
    )


@pytest.mark.parametrize(
    ("utc_hour", "start_day", "start_hour"),
    [(22, 13, 0), (0, 12, 0), (1, 12, 12), (10, 12, 12), (12, 12, 12), (13, 13, 0)],
)
def test_window_begins_at_next_08_or_20_beijing(utc_hour: int, start_day: int, start_hour: int) -> None:
    start, end = signal_window(datetime(2013, 1, 12, utc_hour, tzinfo=UTC), RULES)
    assert start == datetime(2013, 1, start_day, start_hour, tzinfo=UTC)
    assert end - start == timedelta(hours=24)


def test_window_needs_a_time_zone() -> None:
    with pytest.raises(InputError):
        signal_window(datetime(2013, 1, 12), RULES)


def hazy(*blocks: tuple[int, int, float]) -> np.ndarray:
    """Clean air but for blocks of stamps, first and last in hours from the run, of one value."""
    pm25 = np.full(LEAD_HOURS, 20.0)
    for first, last, value in blocks:
        pm25[first - 1 : last] = value
    return pm25


def test_forecast_level_onset_and_evidence() -> None:
    # 27 h ends after the window, which holds the stamps 3 to 26 h.
    result = run({"beijing": hazy((6, 8, 200.0), (9, 14, 300.0), (27, 27, 900.0)), "kitakyushu": 900.0})
    assert sorted(result) == ["beijing", "shanghai"]  # the rule set is China's
    assert result["shanghai"].rank == 0 and result["shanghai"].level is None
    beijing = result["beijing"]
    assert beijing.rank == 2 and beijing.level == "orange"
    orange = beijing.of(2)
    assert [e.time for e in orange.evidence] == [INIT + timedelta(hours=h) for h in range(9, 15)]
    assert orange.evidence[0].pm25 == pytest.approx(300.0) and {e.basis for e in orange.evidence} == {"forecast"}
    assert orange.probability == 1.0 and len(beijing.of(1).evidence) == 9
    # The warning is for its whole window, whenever in it the level is reached.
    assert (beijing.start, beijing.end) == signal_window(INIT, RULES)
    assert orange.onset == beijing.of(1).onset == beijing.start


def test_what_is_met_before_the_window_or_is_seen_is_in_force_from_now() -> None:
    # 2 h ends with the window's start: it raises nothing, but where the window does it counts.
    assert run({"beijing": hazy((1, 2, 300.0))})["beijing"].rank == 0
    early = run({"beijing": hazy((2, 2, 200.0), (9, 14, 300.0))})["beijing"]
    assert early.of(2).onset == early.start and early.of(1).onset == INIT
    assert early.of(1).evidence[0].time == INIT + timedelta(hours=2)
    # Yellow is observed, but not expected to persist: by forecast, from now.
    fading = run({"beijing": hazy((12, 12, 200.0))}, observed(200.0, 1, 2))["beijing"].of(1)
    assert fading.raised and not fading.observed and fading.onset == INIT


@pytest.mark.parametrize(
    ("blocks", "rank"),
    [
        ([(9, 14, 300.0)], 2),
        ([(9, 13, 300.0)], 1),  # five hours do not persist
        ([(9, 11, 300.0), (18, 20, 300.0)], 2),  # six of twelve hours do, in a row or not
        ([(9, 11, 300.0), (19, 21, 300.0)], 1),  # six of thirteen do not
        ([(9, 11, 300.0), (12, 14, 900.0)], 2),  # red's hours are orange's too
        ([(9, 14, 900.0)], 3),
        ([(26, 26, 900.0)], 1),  # yellow may occur: an hour is enough
        ([(21, 40, 900.0)], 3),  # six hours in the window
        ([(22, 40, 900.0)], 1),  # five in the window, though more come after it
    ],
)
def test_orange_and_red_must_persist(blocks: list[tuple[int, int, float]], rank: int) -> None:
    found = run({"beijing": hazy(*blocks)})["beijing"]
    assert found.rank == rank
    assert all(len(found.of(r).evidence) >= RULES.level_of(r).persistence.hours for r in range(1, rank + 1))


def test_how_long_a_level_must_last_is_data() -> None:
    pm25 = hazy((6, 7, 200.0), (8, 8, 300.0))
    for hours, rank in ((1, 2), (2, 1)):
        lasting = Persistence(hours=hours, of_hours=2)
        rules = RULES.model_copy(
            update={"levels": tuple(x.model_copy(update={"persistence": lasting}) for x in RULES.levels)}
        )
        found = assess(make_forecast({"beijing": pm25}), None, load_registry(), rules, sight=LAW)[0]
        assert found.rank == rank and len(found.of(1).evidence) == 3


def test_observed_counts_only_when_fresh_and_lasting() -> None:
    lasting = np.full(LEAD_HOURS, 20.0)
    lasting[:3] = 220.0  # three of the next six hours, one of them in the window
    fading = lasting.copy()
    fading[2] = 20.0
    high = run({"beijing": lasting}, observed(420.0, 3, 4))["beijing"]
    assert high.rank == 1  # orange is observed, yellow is what lasts
    assert high.of(1).onset == INIT - timedelta(hours=3) and high.of(1).observed
    evidence = high.of(1).evidence
    assert [e.basis for e in evidence] == ["observed", *["forecast"] * 3] and evidence[0].pm25 == pytest.approx(420.0)
    assert [e.time for e in evidence[1:]] == [INIT + timedelta(hours=h) for h in (1, 2, 3)]
    assert not run({"beijing": lasting}, observed(420.0, 4, 5))["beijing"].of(1).observed
    assert run({"beijing": fading}, observed(420.0, 1, 2))["beijing"].rank == 0


def of_stations(*values: float) -> xr.Dataset:
    """Stations of Beijing at the init time."""
    return xr.Dataset(
        {"pm25": (("time", "station"), np.array([values]))},
        coords={
            "time": [np.datetime64(INIT.replace(tzinfo=None), "ns")],
            "station": [f"s{n}" for n in range(len(values))],
            "city": ("station", ["beijing"] * len(values)),
        },
    )


@pytest.mark.parametrize(
    ("before", "stations", "rank"),
    [
        ({}, None, 0),  # one value may be an error
        ({1: 20.0}, None, 0),
        ({1: 420.0}, None, 2),  # a second hour
        ({3: 200.0}, None, 1),  # which was yellow
        ({4: 420.0}, None, 0),  # too long ago
        ({}, (420.0,), 0),
        ({}, (400.0, 440.0, np.nan), 2),  # a second station
        ({}, (200.0, 640.0), 1),
        ({}, (20.0, 20.0, 1220.0), 0),  # one that fails is no city
    ],
)
def test_what_is_observed_needs_a_second_hour_or_another_station(before, stations, rank) -> None:
    lasting = np.full(LEAD_HOURS, 20.0)
    lasting[:6] = 300.0
    seen = observed(420.0, 0, *before)
    hours = [-hour for hour in sorted({0, *before}, reverse=True)]
    seen["pm25"][: len(hours), 0] = [before.get(-hour, 420.0) for hour in hours]
    given = None if stations is None else of_stations(*stations)
    forecast = make_forecast({"beijing": lasting})
    found = assess(forecast, seen, load_registry(), RULES, sight=LAW, stations=given)
    (beijing,) = (a for a in found if a.city == "beijing")
    assert max((o.rank for o in beijing.outlooks if o.observed), default=0) == rank


def test_an_observed_level_must_last_as_long_as_a_forecast_one() -> None:
    # Three of the next six hours are orange: a process of six hours together with three or more observed ones.
    pm25 = {"beijing": hazy((1, 3, 300.0))}
    assert [run(pm25, observed(300.0, *range(n)))["beijing"].rank for n in (1, 2, 3, 4)] == [1, 1, 2, 2]


def test_missing_values_warn_of_nothing_and_a_short_forecast_is_refused() -> None:
    assert run({"beijing": np.nan})["beijing"].rank == 0
    with pytest.raises(InputError):
        assess(make_forecast({}).isel(lead_time=slice(0, 20)), None, load_registry(), RULES)
    with pytest.raises(InputError):
        assess(make_forecast({}).drop_vars("relative_humidity"), None, load_registry(), RULES)


SPREAD = (0.4, 0.7, 1.0, 1.4, 2.2)


def test_probability_is_the_share_of_scenarios_and_thresholds_decide() -> None:
    pm25 = np.full(LEAD_HOURS, 20.0)
    pm25[5] = 120.0  # the median stays below yellow's 150, its 0.75 quantile is 168
    even = [x.model_copy(update={"raise_probability": 0.5, "lower_probability": 0.35}) for x in RULES.levels]
    rules = RULES.model_copy(update={"levels": tuple(even)})
    forecast = make_forecast({"beijing": pm25}, factors=SPREAD)
    found = {a.city: a for a in assess(forecast, None, load_registry(), rules, sight=LAW)}
    yellow, orange, red = found["beijing"].outlooks
    assert red.probability == orange.probability == 0.0  # one hour does not persist
    assert 0.25 < yellow.probability < 0.5 and not yellow.raised and found["beijing"].rank == 0
    expected = float(exceedance_probability(120.0 * np.array(SPREAD), 150.0))
    # Visibility is below 5 km at 150 ug m-3, so the level hangs on PM2.5 alone here.
    assert abs(yellow.probability - expected) < 0.05
    eager = RULES.levels[0].model_copy(update={"raise_probability": 0.3, "lower_probability": 0.2})
    rules = RULES.model_copy(update={"levels": (eager, *RULES.levels[1:])})
    raised = assess(make_forecast({"beijing": pm25}, factors=SPREAD), None, load_registry(), rules, sight=LAW)[0]
    assert raised.rank == 1 and raised.outlooks[0].raised
    # The evidence is of the scenario nearest to the median that meets the level, and says so.
    assert [e.time for e in raised.outlooks[0].evidence] == [INIT + timedelta(hours=6)]
    assert raised.outlooks[0].evidence[0].quantile > 0.5 and raised.outlooks[0].evidence[0].pm25 > 150.0
    message = advance([], [raised], INIT, ruleset=rules)[0]
    assert message.probability == round(yellow.probability, 4) and message.threshold == 0.3


def test_visibility_and_humidity_are_uncertain_too() -> None:
    # At 130 ug m-3 and 78 % the law's visibility is near 4 km: yellow's 3 km hang on how far one really sees.
    forecast = make_forecast({"beijing": 130.0}, humidity=78.0)
    for city in ("beijing", "shanghai"):
        given = forecast if city == "beijing" else make_forecast({"shanghai": 130.0}, humidity=78.0)
        certain, uncertain = (
            assess(given, None, load_registry(), RULES, cities=[city], sight=sight)[0] for sight in (LAW, UNCERTAIN)
        )
        assert certain.of(1).probability == 0.0 and 0.1 < uncertain.of(1).probability < 1.0
        assert uncertain == assess(given, None, load_registry(), RULES, cities=[city], sight=UNCERTAIN)[0]
    moist = forecast.assign_attrs(humidity_source="diurnal persistence")
    humid = Inputs.of(moist, None, None).hours_of(load_registry().city("beijing"), UNCERTAIN)
    ahead = humid.humidity[:, PAST_HOURS:]
    assert ahead.shape == (COUNT, LEAD_HOURS) and np.median(ahead[:, 50]) == pytest.approx(78.0, abs=0.01)
    assert ahead[:, 0].std() > 10.0 and ahead[:, -1].std() > ahead[:, 0].std() and (ahead < 100.0).all()
    assert (np.ptp(humid.humidity[:, :PAST_HOURS], axis=0) == 0.0).all()
    perfect = forecast.assign_attrs(humidity_source="observed weather")
    assert np.ptp(Inputs.of(perfect, None, None).hours_of(load_registry().city("beijing"), UNCERTAIN).humidity) == 0.0


@pytest.mark.parametrize(("metres", "rank"), [(1800.0, 2), (2900.0, 1), (9000.0, 0)])
def test_a_measured_visibility_is_what_was_observed(metres: float, rank: int) -> None:
    lasting = np.full(LEAD_HOURS, 20.0)
    lasting[:6] = 260.0
    measured = observed(140.0, 0, 1).assign(visibility=(("time", "city"), np.array([[metres], [metres], [100.0]])))
    found = {
        a.city: a for a in assess(make_forecast({"beijing": lasting}), measured, load_registry(), RULES, sight=LAW)
    }["beijing"]
    assert [o.observed for o in found.outlooks] == [rank >= o.rank for o in found.outlooks]
    if rank:
        assert found.of(rank).evidence[0].visibility == metres and found.of(rank).evidence[0].basis == "observed"


def test_later_observations_are_not_read() -> None:
    late = observed(20.0, 1)
    late["pm25"][1] = 900.0  # stamped an hour after the init time
    assert (
        run({"beijing": 20.0}, late)["beijing"].outlooks
        == run({"beijing": 20.0}, observed(20.0, 1))["beijing"].outlooks
    )


def test_geojson_is_complete() -> None:
    registry = load_registry()
    warnings = advance(
        [],
        assess(make_forecast({"beijing": 600.0}, simulated=1), None, registry, RULES, sight=LAW),
        INIT,
        ruleset=RULES,
    )
    assert warnings[0].probability == 1.0 and warnings[0].reason == "criterion_forecast"
    result = json.loads(
        json.dumps(feature_collection(warnings, registry, RuleBook.shipped(), areas=[{"type": "Feature"}]))
    )
    assert result["type"] == "FeatureCollection" and len(result["features"]) == 2
    feature = result["features"][0]
    beijing = registry.city("beijing")
    properties = feature["properties"]
    assert properties["position"] == [beijing.longitude, beijing.latitude]
    assert shapely.geometry.shape(feature["geometry"]).contains(shapely.Point(properties["position"]))
    assert properties["simulated"] is True and properties["weather_source"] == "test"
    assert properties["level"] == "red" and properties["colour"] == "#F30019" and len(properties["evidence"]) == 26
    assert properties["haze"]["zh"] == "严重霾" and properties["kind"] == "issue"
