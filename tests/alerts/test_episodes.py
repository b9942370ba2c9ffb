"""Episodes of days: which level the heavy-pollution alert has, from when, until when, and by which days."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.alerts.engine.approval import approve
from hazecast.alerts.engine.assessment import Assessment
from hazecast.alerts.engine.day_evidence import condition_shown, days_of, highest_shown, shows
from hazecast.alerts.engine.draft import Draft
from hazecast.alerts.engine.engine import assess
from hazecast.alerts.engine.episodes import counted_days, gathered
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import HazeWarning, in_force_at
from hazecast.alerts.messages.cap import terms
from hazecast.alerts.messages.causes import relevant_hours
from hazecast.alerts.messages.texts import LANGUAGES, catalog
from hazecast.alerts.messages.warning_texts import compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.parsing import parse_ruleset
from hazecast.forecast.scenarios import at_levels
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.times import to_datetime
from hazecast.services.work.report import excluded_lines, message_line
from tests.support.warning_cases import PAST, assessed, case, series

REGISTRY, BOOK = load_registry(), RuleBook.shipped()
RULES = BOOK.rule_set("cn_heavy_pollution")
BEIJING = REGISTRY.city("beijing")
INIT = datetime(2025, 1, 10, 16, tzinfo=UTC)  # midnight in Beijing
HOUR = timedelta(hours=1)
CLEAN = 10.0


def found(*blocks: tuple[int, int, float], init: datetime = INIT, name: str = "cn_heavy_pollution") -> Assessment:
    forecast, observations = case(init, "beijing", series({(a, b): v for a, b, v in blocks}, CLEAN))
    return assess(forecast, observations, REGISTRY, BOOK.rule_set(name), cities=["beijing"])[0]


def told(history: list[HazeWarning], now: Assessment) -> list[str]:
    messages = advance(history, [now], now.init_time, ruleset=RULES)
    history += messages
    return [f"{m.kind} {m.level}" for m in messages]


def test_a_clean_city_with_a_clean_forecast_gets_no_alert_for_days_that_are_over() -> None:
    # Three and a half days above 300, clean since 12 h: every running mean of the day before exceeds.
    clean = found((-95, -12, 400.0))
    assert [o.probability for o in clean.outlooks] == [0.0, 0.0, 0.0] and clean.rank == 0
    assert not any(o.evidence for o in clean.outlooks) and told([], clean) == []
    # Neither where the air clears only now: most of the hours of any 24 h that may count are clean ones.
    assert found((-95, 0, 500.0)).rank == 0
    # Hours that are measured carry no day to come: without them these 13 h would be of no level.
    assert found((-95, 0, 500.0), (1, 13, 110.0)).rank == 0
    assert found((-95, 0, 500.0), (1, 13, 160.0)).level == "red"


def test_a_level_lifts_once_the_rest_is_clean_and_the_air_has_improved() -> None:
    history: list[HazeWarning] = []
    assert told(history, found((1, 48, 260.0))) == ["issue orange"]
    # Twelve hours later the forecast has the air clear from now on, but the last hours are as bad as before.
    half = INIT + 12 * HOUR
    assert told(history, found((-11, 0, 260.0), init=half)) == []
    assert told(history, found((-23, -11, 260.0), init=half + 12 * HOUR)) == ["lift orange"]
    # The last three hours decide.
    assert told(history[:1], found((-11, -2, 260.0), init=half)) == []
    assert told(history[:1], found((-11, -3, 260.0), init=half)) == ["lift orange"]


@pytest.mark.parametrize(("chance", "ready", "said"), [
    (0.29, False, "continue orange"), (0.20, False, "downgrade yellow"),
    (0.29, True, "lift orange"), (0.34, True, "downgrade yellow"), (0.36, True, "continue orange"),
])  # fmt: skip
def test_once_the_air_has_improved_only_what_would_raise_an_alert_keeps_it(chance, ready, said) -> None:
    history: list[HazeWarning] = []
    assert told(history, found((1, 48, 260.0))) == ["issue orange"]
    later = assessed(RULES, "beijing", INIT + 24 * HOUR, [chance, chance, 0.0], lift_ready=ready)
    # Orange asks for 0.35, yellow for 0.30; while the air is bad they stand down to 0.21 and 0.18.
    assert told(history, later) == [said]


@pytest.mark.parametrize(
    ("left", "longer", "said"), [(25, 20, 0), (24, 12, 1), (24, 11, 0), (13, 11, 0), (12, 1, 1), (12, 0, 0)]
)
def test_a_later_end_is_told_near_the_end_and_a_little_later_one_at_the_end(left: int, longer: int, said: int) -> None:
    history: list[HazeWarning] = []
    told(history, found((1, 60, 200.0)))
    later = found((-59 + left, left + longer, 200.0), init=INIT + (60 - left) * HOUR)
    assert told(history, later) == ["continue orange"] * said
    assert not said or history[-1].expires == history[0].expires + longer * HOUR


def test_notice_is_given_a_day_before_the_start_and_no_earlier() -> None:
    for start, rank in ((36, 2), (37, 2), (38, 0), (60, 0)):
        now = found((start, start + 47, 200.0))
        assert now.rank == rank, start
    now = found((30, 77, 200.0))
    message = advance([], [now], INIT, ruleset=RULES)[0]
    # From the first hour above to the last one: not from now, and not to the end of the forecast.
    assert (message.onset, message.expires) == (INIT + 29 * HOUR, INIT + 77 * HOUR)
    assert now.end == INIT + 120 * HOUR
    # What reaches the end of the forecast lasts at least so long.
    assert found((30, 120, 300.0)).of(3).until == INIT + 120 * HOUR


def test_what_has_begun_begins_now() -> None:
    now = found((-30, 40, 200.0))
    assert now.of(2).onset == INIT and now.of(2).until == INIT + 40 * HOUR
    # A pause at present within one episode: the warning begins with the next hour above.
    assert found((-60, -1, 200.0), (6, 50, 200.0)).of(2).onset == INIT + 5 * HOUR


@pytest.mark.parametrize(
    ("gap", "days"),
    [(23, 2), (35, 2), (36, 1), (60, 1)],
)
def test_two_episodes_with_too_short_a_gap_are_one(gap: int, days: int) -> None:
    # A stamp above, a pause, another one: as one episode two days, as two episodes one each.
    values = np.full((1, 200), False)
    values[0, 50], values[0, 50 + gap + 1] = True, True
    begin, _ = gathered(values, 36)
    count, _ = counted_days(values, begin)
    assert count[0, 50 + gap + 1] == days


@given(st.lists(st.booleans(), min_size=1, max_size=150), st.integers(1, 40), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_days_are_counted_hour_by_hour(polluted: list[bool], gap: int, chance: random.Random) -> None:
    met = np.array([[p and chance.random() < 0.7 for p in polluted], polluted])
    first, _ = gathered(np.array([polluted] * 2), gap)
    count, days = counted_days(met, first)
    for row in range(2):
        number, latest = 0, -24
        for at in range(len(polluted)):
            if first[row, at] == at:
                number, latest = 0, at - 24
            counts = met[row, at] and at - latest >= 24
            number, latest = (number + 1, at) if counts else (number, latest)
            assert (count[row, at], days[row, at]) == (number, counts)


def test_a_gap_is_of_running_means_and_a_day_above_300_counts_in_its_own_episode_only() -> None:
    # The day above 300 was observed before.
    severe, heavy = (-47, -24, 300.0), (13, 84, 160.0)
    joined = found(severe, (-23, 0, 120.0), heavy)
    assert joined.level == "red"
    apart = found((-119, -96, 300.0), heavy)
    assert apart.level == "orange" and apart.of(3).probability == 0.0
    # Observed or forecast.
    assert found((1, 72, 160.0), (73, 96, 300.0)).level == "red"
    assert found((1, 72, 160.0)).level == "orange"


def test_evidence_is_the_days_that_the_level_counts() -> None:
    # From noon two days ago to 06:00 on the third day; now it is 14:00 in Beijing.
    init = INIT + 14 * HOUR
    now = found((-25, 40, 200.0), init=init)
    evidence = now.of(2).evidence
    assert now.level == "orange"
    # The first 24 h above an AQI of 200 ended at dawn, the others 24 h later; none by the calendar.
    ends = [e.time for e in evidence]
    assert [b - a for a, b in pairwise(ends)] == [24 * HOUR, 24 * HOUR] and ends[0] < init
    assert [e.basis for e in evidence] == ["observed", "forecast", "forecast"]
    assert [e.observed_hours for e in evidence] == [24, 8, 0]
    assert [e.values["aqi_24h"] for e in evidence] == [202.0, 250.0, 250.0]
    assert [e.values["pm25_24h"] for e in evidence] == pytest.approx([(18 * 200 + 6 * 10) / 24, 200.0, 200.0])
    message = advance([], [now], init, ruleset=RULES)[0]
    said = {language: compose(message, RULES, BEIJING, language).description for language in LANGUAGES}
    assert (
        "counted with an AQI above 200: 3. They end at 06:00 on 11 January: 202 (observed); "
        "06:00 on 12 January: 250 (8 h of it observed); 06:00 on 13 January: 250 (forecast)." in said["en"]
    )
    assert "大于200的共3天：截至1月11日06时为202（实况）；截至1月12日06时为250（其中8小时为实况）" in said["zh"]
    assert "200を超える日は3日です：1月11日6時まで202（実測）、1月12日6時まで250（うち8時間は実測）" in said["ja"]
    assert "AQI of 24 h 202, 250, 250" in message_line(message, REGISTRY, BOOK)
    assert terms(message, RULES).certainty == "Likely"
    # Days that are over are named as observed; they are no proof of how it is now.
    assert said["en"].startswith("Heavy pollution is likely in Beijing from 14:00 on 11 January to 06:00 on 13 January")
    # The weather that is named is that of the hours to come.
    hours = relevant_hours(message)
    assert (to_datetime(hours[0]), to_datetime(hours[-1])) == (init + HOUR, message.expires)


def test_days_above_150_are_not_called_heavily_polluted() -> None:
    # 130 ug/m3 for three days: an AQI of 171, whose class is 中度污染; orange by its second condition.
    now = found((-12, 70, 130.0))
    assert now.level == "orange"
    message = advance([], [now], INIT, ruleset=RULES)[0]
    said = {language: compose(message, RULES, BEIJING, language).description for language in LANGUAGES}
    for language, right, wrong in (
        ("en", "medium or worse pollution", "heavy pollution"),
        ("zh", "中度及以上污染", "重度污染"),
        ("ja", "中度以上の汚染", "重度汚染"),
    ):
        assert right in said[language].lower() and wrong not in said[language].lower()


def test_messages_of_earlier_versions_are_still_worded() -> None:
    # Their evidence was the calendar days; those that counted for nothing had no AQI of 24 h.
    init = INIT + 14 * HOUR
    message = advance([], [found((-25, 40, 200.0), init=init)], init, ruleset=RULES)[0]
    days = [e.model_copy(update={"values": {"aqi_day": 180.0, "pm25_day": 130.0}}) for e in message.evidence]
    counted = days[1].model_copy(update={"values": days[1].values | {"aqi_24h": 250.0}})
    for evidence, value in (((days[0], counted, days[2]), "250"), (tuple(days), None)):
        stored = message.model_copy(update={"evidence": tuple(evidence)})
        said = compose(stored, RULES, BEIJING, "en").description
        assert (value is None) or value in said
        assert "counted" not in said or value is not None
        assert message_line(stored, REGISTRY, BOOK)


def test_what_waited_for_approval_begins_when_it_is_approved() -> None:
    proposed = advance([], [found((-40, 40, 200.0))], INIT, ruleset=RULES)[0]
    assert proposed.evidence[0].basis == "observed" and proposed.onset == INIT
    at = INIT + 2 * HOUR
    approved = approve(Draft(proposed=proposed, drafted_at=INIT), [], by="Li Na", reason="agreed", at=at)[1]
    assert approved.onset == approved.issued == at


def test_days_that_only_ozone_makes_as_bad_are_named_and_count_for_nothing() -> None:
    summer = datetime(2025, 6, 10, 16, tzinfo=UTC)
    ozone = series({(10, 20): 300.0}, 60.0)
    forecast, observations = case(summer, "beijing", series({}, 40.0), ozone)
    now = assess(forecast, observations, REGISTRY, RULES, cities=["beijing"])[0]
    assert now.rank == 0 and now.of(1).probability == 0.0
    (day,) = now.excluded
    assert (day.day_end, day.cause, day.probability) == (summer + 24 * HOUR, "ozone", 1.0) and day.index > 200
    (line,) = excluded_lines([now], REGISTRY, BOOK)
    assert "Beijing, 2025-06-11" in line and "advice on health" in line
    # Below an AQI of 200 ozone makes no such day.
    forecast, observations = case(summer, "beijing", series({}, 40.0), series({(10, 20): 220.0}, 60.0))
    assert assess(forecast, observations, REGISTRY, RULES, cities=["beijing"])[0].excluded == ()
    # A day that particles make as bad by themselves counts, whatever ozone does.
    forecast, observations = case(summer, "beijing", series({(1, 24): 200.0}, 40.0), ozone)
    both = assess(forecast, observations, REGISTRY, RULES, cities=["beijing"])[0]
    assert both.level == "yellow" and both.excluded == ()


def test_the_typical_scenario_shows_no_more_than_its_level() -> None:
    forecast, observations = case(INIT, "beijing", series({(1, 48): 130.0}, CLEAN), factors=(0.6, 0.8, 1.0, 1.3, 1.6))
    now = assess(forecast, observations, REGISTRY, RULES, cities=["beijing"])[0]
    assert now.of(1).probability > now.of(2).probability > 0.05
    for outlook in now.outlooks[:2]:
        days = [e.values["aqi_24h"] for e in outlook.evidence if "aqi_24h" in e.values]
        assert (len([v for v in days if v > 200]) >= 2) == (outlook.rank == 2), days
        assert 0.0 < outlook.evidence[-1].quantile < 1.0


def test_the_evidence_holds_a_day_to_come_where_the_day_that_counts_is_over() -> None:
    # As high before as after: the 24 h up to now are the day that counts, and those ahead are within 24 h of it.
    history: list[HazeWarning] = []
    assert told(history, found((-23, 15, 155.0))) == ["issue yellow"]
    assert [day.basis for day in history[0].evidence] == ["observed", "forecast"]
    _check_days(history[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('[observed]\nmaximum_age_hours = 1\npersist_hours = 3\npersist_share = 0.5\n', "no observed rule"),
        ('[life]\nlift = "never"\n[window]\nanchor = "current"\nstarts = [0]\n', "anchor now"),
        ('[[levels]]\nid = "yellow"\n[[levels.conditions]]\nnumber = 1\nsource = "x"\n'
         'tests = [{ variable = "pm25", comparator = "gt", value = 115.0, units = "ug m-3" }]\n', "aqi_24h"),
        ('[[levels]]\nid = "yellow"\n[[levels.conditions]]\nnumber = 1\nsource = "x"\nconsecutive = 2\n'
         'tests = [{ variable = "aqi_24h", comparator = "gt", value = 200.0, units = "1" }]\n', "24"),
    ],
)  # fmt: skip
def test_a_rule_set_whose_episodes_cannot_be_is_refused(change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_ruleset(f'extends = "cn_heavy_pollution"\nid = "own"\n{change}', "own.toml")


blocks = st.lists(st.sampled_from((10.0, 60.0, 110.0, 130.0, 180.0, 260.0, 420.0)), min_size=8, max_size=8)
runs = st.lists(st.tuples(st.sampled_from((3, 6, 12, 18)), blocks, st.floats(1.0, 1.8)), min_size=3, max_size=6)


@settings(max_examples=12, deadline=None)
@given(runs, st.randoms(use_true_random=False))
def test_random_forecasts_keep_the_laws(sequence, chance: random.Random) -> None:
    truth = np.repeat([chance.choice((10.0, 60.0, 130.0, 180.0, 260.0, 420.0)) for _ in range(30)], 12)
    history: list[HazeWarning] = []
    at = PAST
    for gap, coming, spread in sequence:
        at += gap
        init = INIT + (at - PAST) * HOUR
        # The first hours come true more often than the later ones.
        values = np.concatenate([truth[at - PAST : at], np.repeat(coming, 15)])
        if chance.random() < 0.5:
            values[PAST : PAST + 24] = truth[at : at + 24]
        forecast, observations = case(init, "beijing", values, factors=(spread**-2, 1 / spread, 1.0, spread, spread**2))
        now = assess(forecast, observations, REGISTRY, RULES, cities=["beijing"])[0]
        before = in_force_at(history, init)
        for message in advance(history, [now], init, ruleset=RULES):
            _check_message(message, before, now, at_levels(forecast["pm25"].values[:, 0])[-1])
            history.append(message)
    for earlier, later in pairwise(history):
        follows = earlier.kind != "lift" and later.issued < earlier.expires
        assert later.references == ((*earlier.references, earlier.id) if follows else ())


def _check_message(message: HazeWarning, before: list[HazeWarning], now: Assessment, highest: np.ndarray) -> None:
    assert message.references == ((*before[0].references, before[0].id) if before else ())
    if message.kind == "lift":
        # The air has improved, and nothing would raise an alert.
        assert now.lift_ready and now.of(1).keep_probability < RULES.levels[0].raise_probability
        return
    outlook = now.of(RULES.level_of(message.level).rank)
    # It begins in no past but one that a warning covered, ends with the episode, and some hour to come is bad.
    assert message.onset >= message.issued or (before and message.onset >= before[0].onset)
    assert message.expires == outlook.until and message.onset < message.expires
    above = message.issued + HOUR * (np.flatnonzero(highest > 115.0) + 1)
    assert len(above) and min(above) <= message.expires <= max(above)
    _check_days(message)


def _check_days(message: HazeWarning) -> None:
    """The days of the evidence are what the level asks for, the last one still to come, and the text says no more."""
    evidence, rank = message.evidence, RULES.level_of(message.level).rank
    condition = condition_shown(evidence, RULES)
    assert shows(evidence, condition) and evidence[0].level >= rank and highest_shown(evidence, RULES) >= rank
    times = [e.time for e in evidence]
    assert times == sorted(set(times)) and times[-1] > message.issued
    for day in evidence:
        assert day.observed_hours == max(0, min(24, 24 - int((day.time - message.issued) / HOUR)))
        assert (day.basis == "observed") == (day.time <= message.issued)
    for language in LANGUAGES:
        said = compose(message, RULES, BEIJING, language).description
        for clause in condition.clauses:
            days = days_of(evidence, clause)
            assert all(e.values["aqi_24h"] > clause.tests[0].value for e in days)
            assert catalog(language).say("expect.days.gt", value=f"{clause.tests[0].value:.0f}") in said
        # Where the same days would be of a higher level, the message says why it is not that.
        higher = catalog(language).messages["expect"]["days"]["beyond"].split("{level}")[1].rstrip("。.")
        assert (higher in said) == (highest_shown(evidence, RULES) > rank)
