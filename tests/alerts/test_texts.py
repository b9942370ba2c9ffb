"""Texts: complete in every language, the language's own rules, and nothing said that no value supports."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.alerts.engine.warning import Evidence, HazeWarning
from hazecast.alerts.geography.shapes import provinces
from hazecast.alerts.messages.cap import cap_message, parse
from hazecast.alerts.messages.rounding import bounds_of
from hazecast.alerts.messages.texts import LANGUAGES, catalog
from hazecast.alerts.messages.warning_texts import AUDIENCES, compose, haze_bulletin
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from tests.support.cap_messages import SENDER, START, made_warning, schema
from tests.support.catalogs import HAN, KANA, flat
from tests.support.said_times import EXPECTATION, sentences_of, times_of

RULES, REGISTRY = RuleBook.shipped().haze_signal, load_registry()
BEIJING = REGISTRY.city("beijing")


def test_every_language_is_complete() -> None:
    catalogs = {language: flat(catalog(language).messages) for language in LANGUAGES}
    plurals = {"expect.hours.one"}
    keys = {language: set(messages) - plurals for language, messages in catalogs.items()}
    assert keys["zh"] == keys["ja"] == keys["en"]
    for key in keys["en"]:
        fields = {tuple(sorted(set(re.findall(r"{(\w+)}", catalogs[language][key])))) for language in LANGUAGES}
        assert len(fields) == 1, key
        assert all(catalogs[language][key].strip() for language in LANGUAGES if key != "weather.separator"), key


def test_each_language_is_its_own() -> None:
    patterns = {"language", "locale", "time.moment", "time.same_month", "time.same_day"}
    for language in LANGUAGES:
        for key, text in flat(catalog(language).messages).items():
            if key in patterns:
                continue
            if language == "en":
                assert not HAN.search(text) and not KANA.search(text), key
            elif language == "zh":
                assert not KANA.search(text), key
            if key.startswith("guidance."):
                assert bool(KANA.search(text)) == (language == "ja") and bool(HAN.search(text)) == (language != "en")


_VALUES = {
    "ox": 0.131, "aqi_24h": 312.0, "us_aqi_day": 260.0, "pm25_day": 82.0, "o3_mda8_day": 210.0, "pm25_05_07": 91.0,
}  # fmt: skip


@pytest.mark.parametrize("name", RuleBook.shipped().names())
def test_every_level_of_every_rule_set_has_words_and_valid_cap(name) -> None:
    rules = RuleBook.shipped().rule_set(name)
    for level in rules.levels:
        for language in LANGUAGES:
            assert getattr(level, f"name_{language}")
        before = made_warning(rule_set=name, level=level.id)
        evidence = [
            {
                "time": START + timedelta(hours=21), "pm25": None, "relative_humidity": None, "visibility": None,
                "level": level.rank, "basis": "forecast", "condition": 1, "values": values,
            }
            for values in (_VALUES, {"pm25": 88.0})
        ]  # fmt: skip
        warning = made_warning(
            "continue", run=1, before=before, rule_set=name, level=level.id, evidence=evidence, probability=0.6
        )
        for language in LANGUAGES:
            text = compose(warning, rules, BEIJING, language)
            whole = " ".join((text.headline, text.description, text.instruction, text.event))
            assert not re.search(r"[{}]|None|nan", whole) and all(text.advice.values())
            assert "0.13" in text.description and "312" in text.description and "60%" in text.description
        message = cap_message(warning, {before.id: before}, rules, BEIJING, SENDER)
        schema().assertValid(parse(message))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["issue", "continue", "upgrade", "downgrade", "lift"])
@pytest.mark.parametrize("level", ["yellow", "orange", "red"])
def test_every_kind_and_level_has_words(language, kind, level) -> None:
    warning = made_warning(kind, level=level, before=None if kind == "issue" else made_warning(), run=1)
    text = compose(warning, RULES, BEIJING, language)
    whole = " ".join((text.headline, text.description, text.instruction, text.area))
    assert not re.search(r"[{}]|None|nan", whole)
    assert set(text.advice) == ({"all"} if kind == "lift" else set(AUDIENCES)) and all(text.advice.values())
    assert getattr(RULES.level_of(level), f"name_{language}") in text.headline


def test_time_is_the_citys_own_and_the_month_is_said_once() -> None:
    assert "1月11日20时至12日20时（北京时间）" in compose(made_warning(), RULES, BEIJING, "zh").description
    assert (
        "20:00 on 11 January to 20:00 on 12 January (Beijing time)"
        in compose(made_warning(), RULES, BEIJING, "en").description
    )
    japan = compose(made_warning(city="kitakyushu"), RULES, REGISTRY.city("kitakyushu"), "ja")
    assert "1月11日21時から12日21時まで（日本時間）" in japan.description
    start = datetime(2013, 1, 31, 12, tzinfo=UTC)
    assert catalog("zh").span(start, start + timedelta(days=1), "Asia/Shanghai") == "1月31日20时至2月1日20时"
    soon = start + timedelta(hours=2)
    assert catalog("ja").span(start, soon, "Asia/Tokyo") == "1月31日21時から23時"
    assert catalog("en").span(start, soon, "Asia/Tokyo") == "21:00 to 23:00 on 31 January"
    assert catalog("en").zone("Europe/London", start) == "UTC+00:00"


def test_plurals_and_numbers_follow_the_language() -> None:
    words = catalog("en")
    assert words.count("expect.hours", 1).endswith("for 1 hour.") and words.count("expect.hours", 2).endswith(
        "2 hours."
    )
    assert catalog("zh").count("expect.hours", 1) == "按所预计的情形，达到预警标准的时间共1小时。"
    assert words.metres(612.0) == "600 m" and words.metres(1240.0) == "1.2 km" and words.metres(1040.0) == "1 km"
    assert words.places(["A", "B", "C"]) == "A, B, and C" and catalog("zh").places(["甲", "乙", "丙"]) == "甲、乙和丙"


def test_probability_is_said_where_there_is_one() -> None:
    assert "73%" in compose(made_warning(probability=0.73, threshold=0.4), RULES, BEIJING, "en").description


def test_unknown_language_is_named() -> None:
    with pytest.raises(InputError, match="language: found fr"):
        compose(made_warning(), RULES, BEIJING, "fr")


@given(
    value=st.one_of(st.floats(1.0, 20_000.0), st.sampled_from([994.0, 999.99, 1000.0, 1000.01, 2000.0, 4999.9])),
    test=st.sampled_from([(t.value, t.comparator) for t in RULES.tests if t.variable == "visibility"]),
)
def test_a_length_is_never_rounded_across_a_threshold(value, test) -> None:
    bounds = bounds_of(t for t in RULES.tests if t.variable == "visibility")
    number, unit = re.fullmatch(r"([\d.,]+) (m|km)", catalog("en").metres(value, bounds)).groups()
    written = float(number.replace(",", "")) * (1000.0 if unit == "km" else 1.0)
    assert (written < test[0]) == (value < test[0])
    assert abs(written - value) <= max(50.0, 0.06 * value)


@given(
    value=st.one_of(st.floats(0.0, 900.0), st.sampled_from([150.0, 150.04, 249.97, 250.0, 250.004, 500.3])),
    name=st.sampled_from(RuleBook.shipped().names()),
)
def test_a_value_is_never_rounded_across_a_threshold(value, name) -> None:
    tests = [t for t in RuleBook.shipped().rule_set(name).tests if t.variable != "ox"]
    written = float(catalog("en").rounded(value, 1.0, bounds_of(tests)).replace(",", ""))
    for t in tests:
        assert t.met(np.array(written)) == t.met(np.array(value)), (t, written)
    assert abs(written - value) <= 0.5


@st.composite
def random_warnings(draw) -> HazeWarning:
    """Warnings with evidence before and after their issue, which comes up to hours after the run."""
    issued = START + timedelta(hours=24, minutes=draw(st.integers(0, 400)))
    rules = RuleBook.shipped().rule_set(draw(st.sampled_from(["cma_haze", "jp_pm25", "jp_ox", "us_epa_aqi"])))
    level = draw(st.sampled_from(rules.levels))
    name = "pm25" if rules.id == "cma_haze" else level.conditions[0].tests[0].variable
    evidence = []
    for hour in sorted(draw(st.sets(st.integers(-12, 40), min_size=1, max_size=6))):
        time = START + timedelta(hours=24 + hour)
        mass = draw(st.floats(60.0, 700.0))
        evidence.append(
            Evidence(
                time=time, pm25=mass, relative_humidity=85.0, visibility=draw(st.floats(200.0, 5000.0)),
                level=level.rank, basis="observed" if hour <= 0 else "forecast", condition=1,
                values={name: mass if name != "ox" else mass / 2000.0},
            )
        )  # fmt: skip
    onset = draw(st.sampled_from([evidence[0].time, issued, issued + timedelta(hours=2)]))
    before = made_warning()
    changes = {
        "rule_set": rules.id, "level": level.id, "evidence": evidence, "issued": issued, "run_init_time": START + timedelta(hours=24),
        "onset": onset, "expires": START + timedelta(hours=70), "probability": draw(st.sampled_from([None, 0.4])),
        "level_since": draw(st.sampled_from([None, START, issued])),
    }  # fmt: skip
    kind = draw(st.sampled_from(["issue", "continue", "upgrade", "downgrade", "lift"]))
    changes |= {"evidence": (), "onset": issued} if kind == "lift" else {}
    return made_warning(kind, run=2, before=None if kind == "issue" else before, **changes)


@settings(max_examples=50, deadline=None)
@given(warning=random_warnings())
def test_the_past_is_never_expected(warning) -> None:
    rules = RuleBook.shipped().rule_set(warning.rule_set)
    for language in LANGUAGES:
        text = compose(warning, rules, BEIJING, language).description
        sentences = sentences_of(text, language)
        assert warning.kind == "lift" or any(times_of(s, language) for s in sentences)
        for sentence in sentences:
            if EXPECTATION[language].search(sentence):
                # Times are written by the hour: one in the hour of issue is not past.
                hour = warning.issued.replace(minute=0)
                assert all(time >= hour for time in times_of(sentence, language)), sentence
        coming = [e for e in warning.evidence if e.basis == "forecast" and e.time > warning.issued]
        if not coming and warning.onset <= warning.issued and warning.kind != "lift":
            assert not EXPECTATION[language].search(text), text


def test_bulletin_has_the_shape_of_the_cma() -> None:
    by_name = {p.name_en: p for p in provinces()}
    touched = [(by_name["Hebei"], 1, 0.4), (by_name["Beijing"], 1, 0.2), (by_name["Beijing"], 2, 0.6)]
    window = (datetime(2013, 1, 12, tzinfo=UTC), datetime(2013, 1, 13, tzinfo=UTC))
    assert haze_bulletin(touched, window, RULES, "zh") == (
        "预计1月12日08时至13日08时（北京时间），北京和河北的部分地区有中度霾，其中北京局地有重度霾。"
    )
    assert haze_bulletin(touched, window, RULES, "en").endswith(
        "Beijing and Hebei, with severe haze locally in Beijing."
    )
    for language, when in (("en", "January (Beijing time),"), ("ja", "13日8時（北京時間）にかけて")):
        assert when in haze_bulletin(touched, window, RULES, language)
        assert when.split("13日")[-1].rstrip("にかけて,") in haze_bulletin([], window, RULES, language, warned=True)
    assert haze_bulletin(touched, window, RULES, "ja").endswith(
        "このうち北京市では、ところにより重度の煙霧となる見込みです。"
    )
    assert "没有达到" in haze_bulletin([], window, RULES, "zh")
    # 其中 names a subset of what was named before, all of what reaches more, each once, in the order of the codes.
    touched += [(by_name["Tianjin"], 1, 0.9), (by_name["Hebei"], 2, 0.1), (by_name["Beijing"], 3, 0.1)]
    for order in (touched, touched[::-1]):
        assert haze_bulletin(order, window, RULES, "zh") == (
            "预计1月12日08时至13日08时（北京时间），北京、天津和河北的部分地区有中度霾，其中河北局地有重度霾，北京局地有严重霾。"
        )
    every = [(p, 1 + n % 3, 0.5) for n, p in enumerate(provinces()) if p.country == "CN"]
    text = haze_bulletin(every, window, RULES, "zh").replace("（北京时间）", "")
    first, rest = text.split("，其中")
    assert all(first.count(p.name_zh) == 1 for p, _, _ in every)
    assert all(rest.count(p.name_zh) == (rank > 1) for p, rank, _ in every)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_source_of_humidity_has_words(language) -> None:
    words = catalog(language).messages["daily"]["humidity"]
    assert {"forecast", "observed", "persisted", "mixed", "unknown"} == set(words) and all(words.values())
