"""A warning's life: windows, assessment, and what one run says after another."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.engine import Assessment, advance, assess, in_force_at, signal_window
from alerts.geojson import feature_collection
from alerts.ruleset import load_ruleset
from alerts.warning import Evidence, HazeWarning
from grids.cities import load_registry
from grids.contract import QUANTILES
from grids.errors import InputError

RULES = load_ruleset()
INIT = datetime(2013, 1, 12, 22, tzinfo=UTC)  # 06:00 in Beijing on the 13th
CITIES = ["beijing", "kitakyushu", "shanghai"]


def make_forecast(
    pm25: dict[str, float | np.ndarray], humidity: float = 60.0, init: datetime = INIT, simulated: int = 0
) -> xr.Dataset:
    median = np.stack([np.broadcast_to(pm25.get(c, 20.0), 72) for c in CITIES], axis=1).astype(float)
    factors = np.array([0.1, 0.5, 1.0, 2.0, 5.0])  # other quantiles must not count
    return xr.Dataset(
        {
            "pm25": (("lead_time", "city", "quantile"), median[:, :, None] * factors),
            "relative_humidity": (("lead_time", "city"), np.full(median.shape, humidity)),
        },
        coords={
            "lead_time": np.arange(1, 73) * np.timedelta64(3600 * 10**9, "ns"),
            "city": CITIES,
            "quantile": list(QUANTILES),
            "init_time": np.datetime64(init.replace(tzinfo=None), "ns"),
        },
        attrs={"simulated": simulated, "weather_source": "test", "degraded": 0},
    )


def run(pm25: dict[str, float | np.ndarray], observations: xr.Dataset | None = None) -> dict[str, Assessment]:
    return {a.city: a for a in assess(make_forecast(pm25), observations, load_registry(), RULES)}


def observed(value: float, hours_before: int) -> xr.Dataset:
    times = np.datetime64(INIT.replace(tzinfo=None), "ns") + np.array([-hours_before, 1]) * np.timedelta64(1, "h")
    return xr.Dataset(
        {"pm25": (("time", "city"), np.array([[value], [900.0]]))},
        coords={"time": times, "city": ["beijing"]},
    )


@pytest.mark.parametrize(
    ("utc_hour", "start_day", "start_hour"),
    [(22, 13, 0), (0, 12, 0), (1, 12, 12), (10, 12, 12), (12, 12, 12), (13, 13, 0)],
)
def test_window_begins_at_next_08_or_20_beijing(utc_hour: int, start_day: int, start_hour: int) -> None:
    start, end = signal_window(datetime(2013, 1, 12, utc_hour, tzinfo=UTC))
    assert start == datetime(2013, 1, start_day, start_hour, tzinfo=UTC)
    assert end - start == timedelta(hours=24)


def test_window_needs_a_time_zone() -> None:
    with pytest.raises(InputError):
        signal_window(datetime(2013, 1, 12))


def test_forecast_level_onset_and_evidence() -> None:
    pm25 = np.full(72, 20.0)
    pm25[1] = 900.0  # ends with the window's start: outside it
    pm25[5:8] = 200.0  # stamps init + 6, 7, 8 h
    pm25[7] = 300.0
    pm25[26] = 900.0  # ends an hour after the window
    result = run({"beijing": pm25, "kitakyushu": 900.0})
    assert sorted(result) == ["beijing", "shanghai"]  # the rule set is China's
    assert result["shanghai"].rank == 0 and result["shanghai"].evidence == ()
    beijing = result["beijing"]
    assert beijing.rank == 2 and beijing.level == "orange"
    assert [e.time for e in beijing.evidence] == [INIT + timedelta(hours=8)]
    assert beijing.evidence[0].pm25 == 300.0 and beijing.evidence[0].basis == "forecast"
    assert beijing.onset == INIT + timedelta(hours=7)
    assert (beijing.start, beijing.end) == signal_window(INIT)


def test_minimum_hours_is_data() -> None:
    pm25 = np.full(72, 20.0)
    pm25[5:8] = 200.0
    pm25[7] = 300.0
    rules = RULES.model_copy(update={"window": RULES.window.model_copy(update={"minimum_hours": 2})})
    beijing = assess(make_forecast({"beijing": pm25}), None, load_registry(), rules)[0]
    assert beijing.rank == 1 and len(beijing.evidence) == 3 and beijing.onset == INIT + timedelta(hours=5)


def test_observed_counts_only_when_fresh_and_lasting() -> None:
    lasting = np.full(72, 20.0)
    lasting[:3] = 220.0  # three of the next six hours, one of them in the window
    fading = lasting.copy()
    fading[2] = 20.0
    high = run({"beijing": lasting}, observed(420.0, 3))["beijing"]
    assert high.rank == 1  # orange is observed, yellow is what lasts
    assert high.onset == INIT - timedelta(hours=3)
    assert [e.basis for e in high.evidence] == ["observed", "forecast"] and high.evidence[0].pm25 == 420.0
    assert run({"beijing": lasting}, observed(420.0, 4))["beijing"].onset == INIT + timedelta(hours=2)
    assert run({"beijing": fading}, observed(420.0, 1))["beijing"].rank == 0


def test_missing_values_warn_of_nothing_and_a_short_forecast_is_refused() -> None:
    assert run({"beijing": np.nan})["beijing"].rank == 0
    with pytest.raises(InputError):
        assess(make_forecast({}).isel(lead_time=slice(0, 20)), None, load_registry(), RULES)
    with pytest.raises(InputError):
        assess(make_forecast({}).drop_vars("relative_humidity"), None, load_registry(), RULES)


def plain(city: str, rank: int, init: datetime, simulated: bool = False) -> Assessment:
    start, end = signal_window(init)
    hour = Evidence(
        time=start + timedelta(hours=1),
        pm25=600,
        relative_humidity=50,
        visibility=900,
        level=max(rank, 1),
        basis="forecast",
        condition=1,
    )
    return Assessment(
        "cma_haze",
        city,
        city,
        city,
        city,
        rank,
        RULES.level_of(rank).id if rank else None,
        start,
        end,
        start,
        (hour,) if rank else (),
        init,
        simulated,
        "test",
    )


def test_life_of_a_warning() -> None:
    history: list[HazeWarning] = []
    kinds = []
    for step, rank in enumerate([0, 1, 1, 3, 2, 0, 0]):
        init = INIT + timedelta(hours=12 * step)
        messages = advance(history, [plain("beijing", rank, init)], init)
        kinds.append([(m.kind, m.level) for m in messages])
        history += messages
    assert kinds == [
        [],
        [("issue", "yellow")],
        [("continue", "yellow")],
        [("upgrade", "red")],
        [("downgrade", "orange")],
        [("lift", "orange")],
        [],
    ]
    assert history[0].id == "cma_haze.beijing.20130113T1000Z"
    assert history[-1].references == tuple(m.id for m in history[:-1])
    assert history[-1].evidence == ()


def test_same_level_in_same_window_is_not_repeated_and_expiry_is_silent() -> None:
    first = advance([], [plain("beijing", 1, INIT)], INIT)
    later = INIT + timedelta(hours=1)
    assert advance(first, [plain("beijing", 1, later)], later) == []
    after = first[0].expires
    assert in_force_at(first, after) == []
    assert advance(first, [plain("beijing", 0, after)], after) == []
    assert [m.kind for m in advance(first, [plain("beijing", 1, after)], after)] == ["issue"]


def test_simulated_and_real_never_mix() -> None:
    real = advance([], [plain("beijing", 1, INIT)], INIT)
    later = INIT + timedelta(hours=12)
    with pytest.raises(InputError, match="simulated"):
        advance(real, [plain("beijing", 1, later, simulated=True)], later)
    with pytest.raises(InputError, match="simulated"):
        advance([], [plain("beijing", 1, INIT), plain("shanghai", 1, INIT, simulated=True)], INIT)
    with pytest.raises(InputError):  # a run older than what is in force
        advance(real, [plain("beijing", 1, INIT - timedelta(hours=1))], INIT - timedelta(hours=1))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.lists(st.integers(0, 3), min_size=3, max_size=3)),
        min_size=1,
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_never_two_in_force_and_always_the_same(runs: list[tuple[int, list[int]]], shuffler: random.Random) -> None:
    history: list[HazeWarning] = []
    init = INIT
    for gap, ranks in runs:
        init += timedelta(hours=gap)
        assessments = [plain(c, r, init) for c, r in zip(["beijing", "shanghai", "shenyang"], ranks, strict=True)]
        messages = advance(history, assessments, init)
        shuffled, past = assessments[:], history[:]
        shuffler.shuffle(shuffled)
        shuffler.shuffle(past)
        assert advance(past, shuffled, init) == messages
        assert advance(in_force_at(history, init), assessments, init) == messages
        history += messages
        assert advance(history, assessments, init) == []
        assert advance(in_force_at(history, init), assessments, init) == []
        standing = in_force_at(history, init)
        assert {m.city: RULES.level_of(m.level).rank for m in standing} == {
            a.city: a.rank for a in assessments if a.rank
        }
        assert len({m.city for m in standing}) == len(standing)
        assert all(m.evidence for m in history if m.kind != "lift")
    assert len({m.id for m in history}) == len(history)


def test_geojson_is_complete() -> None:
    registry = load_registry()
    warnings = advance([], assess(make_forecast({"beijing": 600.0}, simulated=1), None, registry, RULES), INIT)
    result = json.loads(json.dumps(feature_collection(warnings, registry, areas=[{"type": "Feature"}])))
    assert result["type"] == "FeatureCollection" and len(result["features"]) == 2
    feature = result["features"][0]
    beijing = registry.city("beijing")
    assert feature["geometry"] == {"type": "Point", "coordinates": [beijing.longitude, beijing.latitude]}
    properties = feature["properties"]
    assert properties["simulated"] is True and properties["weather_source"] == "test"
    assert properties["level"] == "red" and properties["colour"] == "#F30019" and len(properties["evidence"]) == 24
    assert properties["haze"]["zh"] == "严重霾" and properties["kind"] == "issue"
