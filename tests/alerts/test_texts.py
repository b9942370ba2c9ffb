"""Texts: complete in every language, the language's own rules, and nothing said that no value supports."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from hazecast.alerts.geography.shapes import provinces
from hazecast.alerts.messages.cap import cap_message, parse
from hazecast.alerts.messages.texts import LANGUAGES, catalog
from hazecast.alerts.messages.warning_texts import AUDIENCES, compose, haze_bulletin
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from tests.support.cap_messages import SENDER, START, made_warning, schema
from tests.support.catalogs import HAN, KANA, flat

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
                "time": START + timedelta(hours=9), "pm25": None, "relative_humidity": None, "visibility": None,
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
    assert words.metres(612.0) == "600 m" and words.metres(1240.0) == "1.2 km" and words.metres(960.0) == "1 km"
    assert words.places(["A", "B", "C"]) == "A, B, and C" and catalog("zh").places(["甲", "乙", "丙"]) == "甲、乙和丙"


def test_probability_is_said_where_there_is_one() -> None:
    assert "73%" in compose(made_warning(probability=0.73, threshold=0.4), RULES, BEIJING, "en").description


def test_unknown_language_is_named() -> None:
    with pytest.raises(InputError, match="language: found fr"):
        compose(made_warning(), RULES, BEIJING, "fr")


def test_bulletin_has_the_shape_of_the_cma() -> None:
    by_name = {p.name_en: p for p in provinces()}
    touched = [(by_name["Hebei"], 1, 0.4), (by_name["Beijing"], 1, 0.2), (by_name["Beijing"], 2, 0.6)]
    window = (datetime(2013, 1, 12, tzinfo=UTC), datetime(2013, 1, 13, tzinfo=UTC))
    assert haze_bulletin(touched, window, RULES, "zh") == (
        "预计1月12日08时至13日08时，北京和河北的部分地区有中度霾，其中北京局地有重度霾。"
    )
    assert haze_bulletin(touched, window, RULES, "en").endswith(
        "Beijing and Hebei, with severe haze locally in Beijing."
    )
    assert haze_bulletin(touched, window, RULES, "ja").endswith(
        "このうち北京市では、ところにより重度の煙霧となる見込みです。"
    )
    assert "没有达到" in haze_bulletin([], window, RULES, "zh")
