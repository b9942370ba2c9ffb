"""Every threshold of the CMA haze signal: at it, just below and just above."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.parsing import parse_ruleset
from hazecast.forecast.haze_grades import HAZE_GRADES
from hazecast.forecast.products import haze_grade
from hazecast.grids.errors import InputError
from hazecast.services.web.page.mapdata import legend
from hazecast.services.web.page.words import words
from tests.support.paths import ROOT

RULES = RuleBook.shipped().rule_set("cma_haze")
TEXT = (ROOT / "alerts" / "rules" / "cma_haze.toml").read_text(encoding="utf-8")
E = 1e-6


@pytest.mark.parametrize(
    ("pm25", "humidity", "visibility", "level", "condition"),
    [
        # condition 1: visibility alone, drier than 80 %
        (50, 50, 3000, 0, 0),
        (50, 50, 3000 - E, 1, 1),
        (50, 50, 3000 + E, 0, 0),
        (50, 80 - E, 2999, 1, 1),
        (50, 80, 2999, 0, 0),
        (50, 80 + E, 2999, 0, 0),
        (50, 50, 2000, 1, 1),
        (50, 50, 2000 - E, 2, 1),
        (50, 50, 2000 + E, 1, 1),
        (50, 80 - E, 1999, 2, 1),
        (50, 80, 1999, 0, 0),
        (50, 50, 1000, 2, 1),
        (50, 50, 1000 - E, 3, 1),
        (50, 50, 1000 + E, 2, 1),
        (50, 80 - E, 999, 3, 1),
        (50, 80, 999, 0, 0),
        # condition 2, yellow: 80 % itself included, PM2.5 in (115, 150]
        (116, 80, 2999, 1, 2),
        (116, 80 + E, 2999, 1, 2),
        (115, 80, 2999, 0, 0),
        (115 - E, 80, 2999, 0, 0),
        (115 + E, 80, 2999, 1, 2),
        (150 - E, 80, 2999, 1, 2),
        (150, 80, 2999, 1, 2),
        (150 + E, 80, 2999, 1, 3),
        (116, 80, 3000 - E, 1, 2),
        (116, 80, 3000, 0, 0),
        (116, 80, 3000 + E, 0, 0),
        (115, 99, 10, 0, 0),
        # condition 2, orange: PM2.5 in (150, 250]
        (150, 80, 1999, 1, 2),
        (150 + E, 80, 1999, 2, 2),
        (250 - E, 80, 1999, 2, 2),
        (250, 80, 1999, 2, 2),
        (250 + E, 80, 1999, 2, 3),
        (200, 80, 2000 - E, 2, 2),
        (200, 80, 2000, 1, 3),
        (200, 80, 2000 + E, 1, 3),
        # condition 2, red: PM2.5 in (250, 500]
        (250, 80, 999, 2, 2),
        (250 + E, 80, 999, 3, 2),
        (500 - E, 80, 999, 3, 2),
        (500, 80, 999, 3, 2),
        (500 + E, 80, 999, 3, 3),
        (300, 80, 1000 - E, 3, 2),
        (300, 80, 1000, 2, 3),
        (300, 80, 1000 + E, 2, 3),
        # condition 3: visibility below 5 km and PM2.5
        (150 - E, 50, 4999, 0, 0),
        (150, 50, 4999, 0, 0),
        (150 + E, 50, 4999, 1, 3),
        (250 - E, 50, 4999, 1, 3),
        (250, 50, 4999, 1, 3),
        (250 + E, 50, 4999, 2, 3),
        (500 - E, 50, 4999, 2, 3),
        (500, 50, 4999, 2, 3),
        (500 + E, 50, 4999, 3, 3),
        (600, 50, 5000 - E, 3, 3),
        (600, 50, 5000, 0, 0),
        (600, 50, 5000 + E, 0, 0),
        (300, 50, 5000 - E, 2, 3),
        (300, 50, 5000, 0, 0),
        (200, 50, 5000 - E, 1, 3),
        (200, 50, 5000, 0, 0),
        # no upper bound of condition 2 is a hole: yellow's condition 3 catches it
        (200, 85, 2500, 1, 3),
    ],
)
def test_thresholds(pm25: float, humidity: float, visibility: float, level: int, condition: int) -> None:
    assert int(RULES.level(pm25, humidity, visibility)) == level
    assert int(RULES.condition(pm25, humidity, visibility)) == condition


def test_vectorised_and_missing_is_no_level() -> None:
    result = RULES.level(np.array([[600.0], [np.nan]]), np.array([50.0, np.nan]), 800.0)
    assert result.dtype == np.int8 and result.tolist() == [[3, 0], [0, 0]]
    assert int(RULES.level(600.0, 50.0, np.nan)) == 0 == int(RULES.condition(600.0, 50.0, np.nan))


@given(st.floats(0, 900), st.floats(0, 100), st.floats(1, 9000))
def test_level_and_condition_agree_with_the_text(pm25: float, humidity: float, visibility: float) -> None:
    expected = 0
    table = ((1, 3000, 115, 150, 250), (2, 2000, 150, 250, 500), (3, 1000, 250, 500, 1e9))
    for rank, near, low, high, above in table:
        dry = visibility < near and humidity < 80
        moist = visibility < near and humidity >= 80 and low < pm25 <= high
        dense = visibility < 5000 and high < pm25 <= above
        expected = rank if dry or moist or dense else expected
    assert int(RULES.level(pm25, humidity, visibility)) == expected
    assert (int(RULES.condition(pm25, humidity, visibility)) > 0) == (expected > 0)


def test_names_window_and_sources() -> None:
    assert [(x.id, x.rank, x.haze_zh) for x in RULES.levels] == [
        ("yellow", 1, "中度霾"), ("orange", 2, "重度霾"), ("red", 3, "严重霾"),
    ]  # fmt: skip
    assert RULES.window.starts == (8, 20) and RULES.window.issue_times == (6, 18) and RULES.window.hours == 24
    assert RULES.country == "CN" and all(c.source for x in RULES.levels for c in x.conditions)
    assert RULES.level_of("red") is RULES.level_of(3)
    with pytest.raises(InputError):
        RULES.level_of("blue")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('comparator = "lt"', 'comparator = "below"'),
        ('units = "ug m-3"', 'units = "mg m-3"'),
        ("rank = 2", "rank = 3"),
        ('country = "CN"', 'country = "CN"\nextra = 1'),
        ("Asia/Shanghai", "Asia/Nowhere"),
        ("starts = [8, 20]", "starts = [20, 8]"),
        ("of_hours = 12", "of_hours = 5"),
        ("hours = 6\nof_hours = 12", "hours = 25\nof_hours = 26"),
        ('id = "cma_haze"', "id = "),
    ],
)
def test_a_broken_rule_set_is_refused(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(InputError, match=r"broken\.toml"):
        parse_ruleset(TEXT.replace(old, new, 1), "broken.toml")


def test_unknown_rule_set() -> None:
    with pytest.raises(InputError, match="cma_haze"):
        RuleBook.shipped().rule_set("../secrets")


def test_a_word_for_haze_means_the_same_in_a_forecast_and_in_a_warning() -> None:
    for level in RuleBook.shipped().haze_signal.levels:
        (bound,) = [t.value for t in level.conditions[0].tests if t.variable == "visibility"]
        grade = int(haze_grade(bound - 1.0, 60.0, 300.0))
        assert grade == level.haze_grade == int(haze_grade(bound, 60.0, 300.0)) + 1
        assert HAZE_GRADES[grade] == {"zh": level.haze_zh, "ja": level.haze_ja, "en": level.haze_en}
    for language in ("zh", "ja", "en"):
        labels = [label for _, _, label in legend("haze_grade", words(language), None)]
        assert labels == [HAZE_GRADES[n][language] for n in range(6)] and len(set(labels)) == 6


@pytest.mark.parametrize("name", ["cn_heavy_pollution", "cn_heavy_pollution_2017"])
def test_days_are_called_no_worse_than_the_mildest_that_meet_the_condition(name: str) -> None:
    # Classes of HJ 633 above these AQI.
    begins = {
        "中度及以上污染": 150, "重度污染": 200, "严重污染": 300,
        "中度以上の汚染": 150, "重度汚染": 200, "深刻な汚染": 300,
        "medium or worse pollution": 150, "heavy pollution": 200, "severe pollution": 300,
    }  # fmt: skip
    for level in RuleBook.shipped().rule_set(name).levels:
        for condition in level.conditions:
            mildest = max(t.value for clause in condition.clauses for t in clause.tests)
            for language in ("zh", "ja", "en"):
                word = getattr(condition, f"haze_{language}") or getattr(level, f"haze_{language}")
                assert begins[word] <= mildest, (level.id, word)
