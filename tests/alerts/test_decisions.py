"""Japan's alert on PM2.5: each prefecture's decisions hour by hour, on hand-made days of station values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hazecast.alerts.engine.decisions import Day, decide_day
from hazecast.alerts.engine.engine import assess
from hazecast.alerts.engine.inputs import Inputs
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import in_force_at
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.criteria import Condition
from hazecast.forecast.sight import Sight
from tests.support.japan_days import MIDNIGHT, REGISTRY, at_hour, hourly, hours_at, through
from tests.support.warning_cases import case, series, station_data

CITIES = {
    "jp_pm25": "tokyo",
    "jp_pm25_fukuoka": "fukuoka",
    "jp_pm25_hokkaido": "tokyo",
    "jp_pm25_hyogo": "kobe",
    "jp_pm25_kanagawa": "kawasaki",
    "jp_pm25_mie": "yokkaichi",
    "jp_pm25_nagano": "nagano",
    "jp_pm25_oita": "oita",
    "jp_pm25_saitama": "saitama",
    "jp_pm25_tokyo": "tokyo",
    "jp_pm25_toyama": "toyama",
}
HOURS = (6, 7, 9, 10, 11, 12, 13, 15, 16, 17, 20)
MORNING = {(4, 7): [90.0, 90.0, 20.0]}  # two of three stations, then all are clean
HIGH = [90.0, 90.0, 90.0]


def timeline(name: str, blocks, before: float = 20.0, background: float = 20.0) -> list[str]:
    day = hourly(blocks, background)
    return [f"{hour:02d} {m.kind}" for hour, m in through(name, CITIES[name], day, HOURS, before)]


@pytest.mark.parametrize(
    ("name", "blocks", "messages"),
    [
        # The national guideline: the second highest in the morning, any station at midday, lifted after two hours at
        # or below 50 at the stations that exceeded.
        ("jp_pm25", MORNING, ["07 issue", "10 lift"]),
        ("jp_pm25", {(5, 7): [160.0, 85.0, 20.0]}, []),
        ("jp_pm25", {(4, 7): [90.0, 90.0, 20.0], (8, 18): [20.0, 51.0, 20.0]}, ["07 issue", "20 lift"]),
        ("jp_pm25", {(4, 7): [90.0, 90.0, 20.0], (8, 18): [50.0, 50.0, 20.0]}, ["07 issue", "10 lift"]),
        # A neighbour that didn't exceed holds it while it is above 50 and rising.
        (
            "jp_pm25",
            {
                (4, 7): [90.0, 90.0, 20.0],
                (8, 9): [20.0, 20.0, 55.0],
                (10, 10): [20.0, 20.0, 60.0],
                (11, 14): [20, 20, 58],
            },
            ["07 issue", "11 lift"],
        ),
        ("jp_pm25", {(5, 12): [20.0, 20.0, 81.0]}, ["12 issue", "15 lift"]),
        ("jp_pm25_fukuoka", MORNING, ["07 issue", "10 lift"]),
        # Hokkaido: never lifted.
        ("jp_pm25_hokkaido", MORNING, ["07 issue"]),
        # Hyogo: the mean of all stations in the morning, the highest at midday.
        ("jp_pm25_hyogo", {(5, 7): [256.0, 0.0, 0.0]}, ["07 issue", "10 lift"]),
        ("jp_pm25_hyogo", {(5, 7): [85.0, 85.0, 85.0]}, []),
        ("jp_pm25_hyogo", {(5, 12): [81.0, 20.0, 20.0]}, ["12 issue", "15 lift"]),
        # Kanagawa: the median in the morning; lifted at 13:00 (hours up to 12) if no mean is above 80, else at midnight.
        ("jp_pm25_kanagawa", MORNING, ["07 issue", "12 lift"]),
        ("jp_pm25_kanagawa", {(5, 7): [160.0, 85.0, 20.0]}, []),
        ("jp_pm25_kanagawa", {(4, 7): HIGH, (8, 12): [90.0, 20.0, 20.0]}, ["07 issue"]),
        ("jp_pm25_kanagawa", {(4, 7): HIGH, (8, 11): [60.0, 60.0, 60.0], (12, 12): [60.0, 20.0, 20.0]}, ["07 issue"]),
        ("jp_pm25_kanagawa", {(5, 12): [81.0, 20.0, 20.0]}, ["12 issue"]),
        # Toyama: any station, at midday above 70 too; never lifted on the day.
        ("jp_pm25_toyama", {(5, 7): [86.0, 20.0, 20.0]}, ["07 issue"]),
        ("jp_pm25_toyama", {(5, 12): [70.1, 20.0, 20.0]}, ["12 issue"]),
        ("jp_pm25_toyama", {(5, 12): [70.0, 20.0, 20.0]}, []),
        # Nagano: any station both times.
        ("jp_pm25_nagano", {(5, 7): [86.0, 20.0, 20.0]}, ["07 issue", "10 lift"]),
        ("jp_pm25_nagano", {(5, 12): [80.1, 20.0, 20.0]}, ["12 issue", "15 lift"]),
        ("jp_pm25_nagano", {(5, 12): [80.0, 20.0, 20.0]}, []),
        # Oita: from 13:00 on the mean since 05, of one station; lifted only when that is no longer met.
        ("jp_pm25_oita", {(5, 7): [86.0, 20.0, 20.0]}, ["07 issue", "10 lift"]),
        ("jp_pm25_oita", {(5, 12): [75.0, 20.0, 20.0]}, []),
        ("jp_pm25_oita", {(5, 13): [75.0, 20.0, 20.0]}, ["13 issue", "16 lift"]),
        ("jp_pm25_oita", {(5, 12): [60.0, 20.0, 20.0], (13, 18): [90.0, 20.0, 20.0]}, ["17 issue", "20 lift"]),
        # Mie: the last three hours' mean above 85 at a station whose mean since 01 is expected above 70; 07 to 17.
        ("jp_pm25_mie", {(1, 7): [90.0, 20.0, 20.0]}, ["07 issue"]),
        ("jp_pm25_mie", {(5, 7): [90.0, 20.0, 20.0]}, []),  # since 01: 50
        ("jp_pm25_mie", {(1, 7): [60.0, 60.0, 60.0], (8, 24): [100.0, 100.0, 100.0]}, ["09 issue"]),
        ("jp_pm25_mie", {(9, 11): [90.0, 20.0, 20.0], (1, 8): [20.0, 90.0, 20.0]}, ["07 issue"]),
        ("jp_pm25_mie", {(16, 24): [200.0, 200.0, 200.0]}, ["17 issue"]),  # the mean of 15 to 17 is 140
        ("jp_pm25_mie", {(17, 24): [200.0, 200.0, 200.0]}, []),  # 80 at 17, and later is not decided
        ("jp_pm25_mie", {(5, 12): [81.0, 20.0, 20.0]}, ["12 issue"]),
        # Saitama: two stations in the morning; at 17 all four means at one station; lifted until 19:30.
        ("jp_pm25_saitama", {(5, 7): [86.0, 20.0, 20.0]}, []),
        ("jp_pm25_saitama", MORNING, ["07 issue", "10 lift"]),
        ("jp_pm25_saitama", {(5, 12): [81.0, 20.0, 20.0]}, ["12 issue", "15 lift"]),
        ("jp_pm25_saitama", {(1, 13): [45.0, 20.0, 20.0], (14, 17): [72.0, 20.0, 20.0]}, ["17 issue"]),
        ("jp_pm25_saitama", {(1, 13): [45.0, 20.0, 20.0], (14, 17): [20.0, 72.0, 20.0]}, []),  # of different stations
        ("jp_pm25_saitama", {(1, 13): [40.0, 20.0, 20.0], (14, 17): [72.0, 20.0, 20.0]}, []),  # 01 to 16: 46
        # Tokyo: nothing on the first day.
        ("jp_pm25_tokyo", MORNING, []),
    ],
)
def test_decisions_hour_by_hour(name: str, blocks, messages: list[str]) -> None:
    assert timeline(name, blocks) == messages


def test_tokyo_informs_from_the_day_after_a_day_above_70() -> None:
    assert timeline("jp_pm25_tokyo", MORNING, before=70.0) == []
    assert timeline("jp_pm25_tokyo", MORNING, before=70.1) == ["07 issue", "10 lift"]


def test_a_decision_counts_until_the_next() -> None:
    # First looked at in the afternoon: what the morning decided no longer counts, what midday decided does.
    morning = hourly({(4, 7): [200.0, 200.0, 200.0], (8, 24): [55.0, 55.0, 55.0]})
    assert at_hour("jp_pm25_toyama", "toyama", morning, 11).level == "alert"
    assert at_hour("jp_pm25_nagano", "nagano", hourly({(5, 7): HIGH, (8, 24): [55.0] * 3}), 14).level is None
    assert at_hour("jp_pm25_nagano", "nagano", hourly({(5, 24): HIGH}), 14).level == "alert"


def test_only_what_is_measured_is_decided_and_such_a_message_has_no_probability() -> None:
    day = hourly({(5, 24): HIGH})
    before = at_hour("jp_pm25_nagano", "nagano", day, 6)
    assert before.level is None and before.of(1).probability == 1.0
    (hour, message), *more = through("jp_pm25_nagano", "nagano", day, HOURS)
    assert not more and hour == 7 and message.probability is None and message.threshold is None
    assert message.reason == "criterion_observed"
    (evidence,) = [e for e in message.evidence if e.basis == "observed"]
    assert evidence.values == {"pm25_05_07": 90.0} and evidence.time == MIDNIGHT + timedelta(hours=7)
    assert message.onset == evidence.time and message.expires == MIDNIGHT + timedelta(hours=24)
    # What rests on the hours still to come has the probability of those.
    ((_, mie), *_) = through("jp_pm25_mie", "yokkaichi", hourly({(1, 24): HIGH}), HOURS)
    assert mie.probability == 1.0 and set(mie.evidence[0].values) == {"pm25_last_3", "pm25_since_01"}


def test_an_alert_that_was_only_forecast_ends_when_no_longer_likely_even_where_nothing_is_lifted() -> None:
    day = hourly({(8, 24): [120.0, 120.0, 120.0]})
    rules = RuleBook.shipped().rule_set("jp_pm25_hokkaido")
    early = at_hour("jp_pm25_hokkaido", "tokyo", day, 3)
    assert early.level == "alert" and not early.of(1).measured and early.lift_ready and not early.declared
    assert rules.life.lift == "never"


def test_the_engine_decides_by_the_same_rules() -> None:
    init = MIDNIGHT + timedelta(hours=7)
    forecast, observations = case(init, "toyama", series({}, 20.0))
    stations = station_data(init, "toyama", {h: [86.0, 20.0] for h in range(-2, 1)})
    rules = RuleBook.shipped().rule_set("jp_pm25_toyama")
    (found,) = assess(forecast, observations, REGISTRY, rules, stations=stations, cities=["toyama"])
    assert found.level == "alert" and found.of(1).measured and found.declared and not found.lift_ready
    assert (found.start, found.end) == (MIDNIGHT, MIDNIGHT + timedelta(hours=24)) and found.missing_hours == 0


def test_what_was_declared_stands_where_nothing_is_lifted_also_when_the_forecast_falls() -> None:
    rules = RuleBook.shipped().rule_set("jp_pm25_mie")
    lasting = hourly({(1, 4): [40.0, 40.0], (5, 24): [90.0, 90.0]})
    falling = hourly({(1, 4): [40.0, 40.0], (5, 7): [90.0, 90.0]}, 10.0)
    first = advance([], [at_hour("jp_pm25_mie", "yokkaichi", lasting, 7)], MIDNIGHT + timedelta(hours=7), ruleset=rules)
    assert [m.kind for m in first] == ["issue"] and first[0].reason == "criterion_observed"
    for hour in (8, 12, 18):
        now = at_hour("jp_pm25_mie", "yokkaichi", falling, hour)
        assert advance(first, [now], MIDNIGHT + timedelta(hours=hour), ruleset=rules) == []


def test_a_zone_s_stations_are_judged_together() -> None:
    init = MIDNIGHT + timedelta(hours=7)
    forecast, observations = case(init, "takaoka", series({}, 20.0))
    stations = station_data(init, "toyama", {h: [90.0] for h in range(-2, 1)})
    inputs = Inputs.of(forecast, observations, stations)
    book, takaoka = RuleBook.shipped(), REGISTRY.city("takaoka")
    for name, met in (("jp_pm25_toyama", True), ("jp_pm25_fukuoka", False)):
        rules = book.rule_set(name)
        day = Day.of(inputs.hours_of(takaoka, Sight(), rules.zone_of("takaoka")))
        assert bool(decide_day(day, rules)[0].met.all()) is met


def test_a_station_that_exceeded_and_is_silent_is_not_taken_as_clean() -> None:
    day = hourly(MORNING)
    day[7:12, 0] = np.nan
    assert not at_hour("jp_pm25", "tokyo", day, 10).lift_ready
    assert at_hour("jp_pm25", "tokyo", day, 14).lift_ready


def test_every_japanese_city_has_the_rules_of_its_prefecture() -> None:
    book, now = RuleBook.shipped(), datetime(2026, 11, 1, tzinfo=UTC)
    expected = {
        "jp_pm25_tokyo": {"tokyo", "hachioji"}, "jp_pm25_saitama": {"saitama", "kawagoe"},
        "jp_pm25_toyama": {"toyama", "takaoka"}, "jp_pm25_nagano": {"nagano", "matsumoto"},
        "jp_pm25_hyogo": {"kobe", "himeji"}, "jp_pm25_fukuoka": {"fukuoka", "kitakyushu", "kurume"},
        "jp_pm25_kanagawa": {"kawasaki"}, "jp_pm25_mie": {"yokkaichi"}, "jp_pm25_oita": {"oita"},
    }  # fmt: skip
    found = {r.id: set(ids) for r, ids in book.of_cities(REGISTRY.cities.values(), now) if r.family == "jp_pm25"}
    assert found == expected
    for name in expected:
        rules = book.rule_set(name)
        assert "seen 2026-11" in rules.source and rules.decision_hours
        assert all(set(zone) <= expected[name] for zone in rules.zones)


@pytest.mark.parametrize(
    ("tests", "decided", "message"),
    [
        ([{"mean_since": 5}], (), "decided must rise"),  # no hour at which it is decided
        ([{"mean_hours": (5, 12)}], (7,), "decided must rise from 12"),
        ([{"last_hours": 3}], (9, 8), "decided must rise"),
        ([{"mean_hours": (5, 7), "mean_since": 5}], (), "one of mean_hours"),
        ([{"last_hours": 3, "expected": True}], (9,), "expected needs mean_since"),
        ([{"days_before": 1}], (7,), "days_before is of pm25_day"),
        ([{"mean_hours": (5, 7)}, {}], (), "tests of that hour alone"),
        ([{"mean_hours": (5, 7), "aggregator": "a"}, {"last_hours": 3, "aggregator": "b"}], (), "one aggregator"),
        ([{"aggregator": "a"}], (), "a mean that stations have"),
        ([{}], (7,), "decided needs"),
    ],
)
def test_a_condition_that_cannot_be_decided_is_refused(tests, decided, message: str) -> None:
    common = {"variable": "pm25", "comparator": "gt", "value": 85.0, "units": "ug m-3"}
    values = {"number": 1, "source": "a test", "tests": [common | own for own in tests], "decided": decided}
    with pytest.raises(ValidationError, match=message):
        Condition.model_validate(values)


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(sorted(CITIES)),
    st.lists(st.tuples(*[st.sampled_from([20.0, 50.0, 55.0, 75.0, 90.0, 200.0])] * 2), min_size=8, max_size=8),
    st.sampled_from([20.0, 90.0]),
)
def test_no_lift_while_a_station_that_exceeded_is_above_the_bound_and_none_beyond_the_day(name, rows, before) -> None:
    day = np.repeat(np.array(rows), 3, axis=0)
    rules = RuleBook.shipped().rule_set(name)
    messages = through(name, CITIES[name], day, (3, *range(6, 24)), before)
    end = MIDNIGHT + timedelta(hours=24)
    assert all(m.expires <= end for _, m in messages if m.kind != "lift")
    assert not in_force_at([m for _, m in messages], end)
    for hour, message in messages:
        if message.kind != "lift":
            continue
        found = at_hour(name, CITIES[name], day, hour, before)
        assert rules.life.lift != "never" or not found.declared
        assert not rules.life.lift_at or hour in rules.life.lift_at or not found.declared
        made = decide_day(Day.of(hours_at(CITIES[name], day, hour, before)), rules)
        # Of the decisions that were met, the stations that exceeded by hand: means since 05 above 85, 80 or 70.
        exceeded = np.zeros(2, dtype=bool)
        for last in {d.hour for d in made if d.hour <= hour and d.met.all()}:
            bound = {7: 85.0, 12: 80.0}.get(last, 70.0 if name == "jp_pm25_oita" else np.inf)
            exceeded |= day[4:last].mean(axis=0) > bound
        if found.declared:
            assert (day[hour - 2 : hour][:, exceeded] <= 50.0).all()
