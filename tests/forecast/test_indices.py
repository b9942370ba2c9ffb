"""The air-quality indices at, just below and just above every breakpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import ceil

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from hazecast.forecast.indices import (
    band_of,
    categories,
    category_of,
    china_aqi,
    china_daily_report,
    china_standard,
    china_standards,
    china_sub_index,
    nowcast_pm,
    ozone_ppm,
    us_aqi,
    us_sub_index,
)
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry

OLD, NEW = china_standards()
CHANGE = datetime(2026, 2, 28, 16, tzinfo=UTC)  # 2026-03-01 00:00 in Beijing
# The published tables, written here a second time: the data file is checked against them.
INDEX = (0, 50, 100, 150, 200, 300, 400, 500)
DAILY = {
    "pm10": (0, 50, 150, 250, 350, 420, 500, 600),
    "o3_8h": (0, 100, 160, 215, 265, 800),
    "so2": (0, 50, 150, 475, 800, 1600, 2100, 2620),
    "no2": (0, 40, 80, 180, 280, 565, 750, 940),
    "co": (0, 2000, 4000, 14000, 24000, 36000, 48000, 60000),
    "pm25": (0, 35, 75, 115, 150, 250, 350, 500),
}
HOURLY = {
    "pm10": DAILY["pm10"],
    "o3": (0, 160, 200, 300, 400, 800, 1000, 1200),
    "so2": (0, 150, 500, 650, 800),
    "no2": (0, 100, 200, 700, 1200, 2340, 3090, 3840),
    "co": (0, 5000, 10000, 35000, 60000, 90000, 120000, 150000),
    "pm25": DAILY["pm25"],
}
CHANGED = {"pm25": (0, 35, 60, 115, 150, 250, 350, 500), "pm10": (0, 50, 120, 250, 350, 420, 500, 600)}


def cases() -> list[tuple[object, str, str, tuple[int, ...]]]:
    return [
        (standard, report, item, CHANGED.get(item, points) if standard is NEW else points)
        for standard in (OLD, NEW)
        for report, table in (("daily", DAILY), ("hourly", HOURLY))
        for item, points in table.items()
    ]


@pytest.mark.parametrize(("standard", "report", "item", "points"), cases())
def test_china_at_and_about_every_breakpoint(standard, report, item, points) -> None:
    step = 100 if item == "co" else 1  # what the rounding leaves: 0.1 mg m-3 or 1 ug m-3

    def expected(value: int) -> int:
        for (low, high), base, top in zip(pairwise(points), INDEX, INDEX[1:], strict=False):
            if low <= value <= high:
                return ceil(base + Fraction((top - base) * (value - low), high - low))
        return INDEX[len(points) - 1]

    for point, index in zip(points, INDEX, strict=False):
        assert float(china_sub_index(item, point, standard, report)) == index
        for near in (max(point - step, 0), point + step, point + 3 * step):
            assert float(china_sub_index(item, near, standard, report)) == expected(near)
        assert expected(point + step) > index or point == points[-1]


def test_china_rounding_and_anchors() -> None:
    assert float(china_sub_index("pm25", 75, NEW)) == 114 and float(china_sub_index("pm25", 75, OLD)) == 100
    assert float(china_sub_index("pm25", 59, NEW)) == 98 and float(china_sub_index("pm10", 150, NEW)) == 112
    # The concentration is rounded half to even first, then the index goes up.
    assert [float(china_sub_index("pm25", c, OLD)) for c in (35.4, 35.5, 36.5, 150.5, 150.51)] == [50, 52, 52, 200, 201]
    assert float(china_sub_index("co", 2040, OLD)) == 50 and float(china_sub_index("co", 2060, OLD)) == 53
    # Tables that end early stop at their last index.
    assert float(china_sub_index("o3_8h", 900, OLD)) == 300 and float(china_sub_index("so2", 900, OLD, "hourly")) == 200
    assert np.isnan(china_sub_index("pm25", np.nan, OLD))
    for wrong in (-1.0, np.inf):
        with pytest.raises(InputError, match="pm25"):
            china_sub_index("pm25", wrong, OLD)
    with pytest.raises(InputError, match="o3_8h"):
        china_sub_index("o3_8h", 10.0, OLD, "hourly")


def test_china_standard_changes_at_midnight_in_beijing() -> None:
    assert china_standard(CHANGE - timedelta(microseconds=1)) is OLD and china_standard(CHANGE) is NEW
    with pytest.raises(InputError):
        china_standard(datetime(2026, 3, 1))
    before, after = (china_aqi({"pm25": 70.0}, CHANGE + d) for d in (timedelta(hours=-1), timedelta(0)))
    assert (before.value, before.standard) == (94, "HJ633-2012")
    assert (after.value, after.standard) == (110, "HJ633-2026")


def test_china_primary_pollutants_and_categories() -> None:
    when = datetime(2020, 1, 1, tzinfo=UTC)
    both = china_aqi({"pm25": 75.0, "pm10": 150.0, "o3_8h": 20.0, "co": np.nan}, when)
    assert both.value == 100 and both.primary == ("pm10", "pm25") and "co" not in both.parts
    assert china_aqi({"pm25": 35.0}, when).primary == ()
    assert china_aqi({"pm25": np.nan}, when).value is None
    bounds = [(50, "good"), (51, "moderate"), (101, "light"), (151, "medium"), (201, "heavy"), (301, "severe")]
    assert [category_of("china", v).id for v, _ in bounds] == [n for _, n in bounds]
    assert category_of("china", 300).id == "heavy" and category_of("china", 900).id == "severe"
    assert [c.upto for c in categories("us")] == [50, 100, 150, 200, 300, 500]


@given(st.floats(0, 900), st.floats(0, 900))
def test_china_index_never_falls_with_concentration(a: float, b: float) -> None:
    low, high = sorted((a, b))
    for standard in (OLD, NEW):
        assert float(china_sub_index("pm25", low, standard)) <= float(china_sub_index("pm25", high, standard))


def test_china_daily_report_takes_the_city_s_day_and_says_the_standard() -> None:
    start = np.datetime64("2026-02-27T16:00", "ns")  # midnight in Beijing, 28 February
    times = start + np.arange(1, 49) * np.timedelta64(1, "h")
    ozone = np.full(48, 50.0)
    ozone[30:38] = 216.0  # eight hours of the second day
    data = xr.Dataset(
        {
            "pm25": (("time", "city"), np.repeat([70.0, 70.0], 24)[:, None]),
            "o3": (("time", "city"), ozone[:, None]),
        },
        coords={"time": times, "city": ["beijing"]},
    )
    report = china_daily_report(data, load_registry())
    assert report["standard"].values.tolist() == ["HJ633-2012", "HJ633-2026"]
    assert report["aqi"].values[:, 0].tolist() == [94.0, 151.0]
    assert report["iaqi"].sel(item="pm25").values[:, 0].tolist() == [94.0, 110.0]


US = {
    "pm25": ((9.0, 50), (9.1, 51), (35.4, 100), (35.5, 101), (55.4, 150), (55.5, 151), (125.4, 200), (125.5, 201),
             (225.4, 300), (225.5, 301), (325.4, 500), (0.0, 0), (400.0, 500)),
    "pm10": ((54, 50), (55, 51), (154, 100), (155, 101), (254, 150), (255, 151), (354, 200), (355, 201), (424, 300),
             (425, 301), (604, 500), (700, 500)),
    "o3_8h": ((0.054, 50), (0.055, 51), (0.070, 100), (0.071, 101), (0.085, 150), (0.086, 151), (0.105, 200),
              (0.106, 201), (0.200, 300), (0.201, None)),
    "o3_1h": ((0.124, None), (0.125, 101), (0.164, 150), (0.165, 151), (0.204, 200), (0.205, 201), (0.404, 300),
              (0.405, 301), (0.604, 500), (0.7, 500)),
}  # fmt: skip


@pytest.mark.parametrize(("item", "value", "index"), [(i, v, x) for i, rows in US.items() for v, x in rows])
def test_us_at_every_breakpoint(item: str, value: float, index: int | None) -> None:
    found = float(us_sub_index(item, value))
    assert np.isnan(found) if index is None else found == index


def test_us_truncates_and_takes_the_highest() -> None:
    assert float(us_sub_index("pm25", 9.09)) == 50 and float(us_sub_index("pm25", 35.49)) == 100
    result = us_aqi({"pm25": 20.0, "o3_8h": 0.201, "o3_1h": 0.21})
    assert result.value == 203 and result.primary == ("o3_1h",) and result.standard == "US-EPA-2024"
    with pytest.raises(InputError, match="pm25, pm10"):
        us_sub_index("source", 1.0)


def test_nowcast() -> None:
    assert float(nowcast_pm(np.full(12, 40.0))) == pytest.approx(40.0)
    assert float(nowcast_pm(np.zeros(12))) == 0.0
    falling = np.array([13, 16, 10, 21, 74, 64, 53, 82, 90, 75, 80, 50.0])
    weights = 0.5 ** np.arange(12)  # 10 / 90 is below a half
    assert float(nowcast_pm(falling)) == pytest.approx((weights * falling[::-1]).sum() / weights.sum())
    gap = np.full(12, 40.0)
    gap[-2] = np.nan
    assert float(nowcast_pm(gap)) == pytest.approx(40.0)
    gap[-3] = np.nan
    assert np.isnan(nowcast_pm(gap)) and np.isnan(nowcast_pm(np.full((2, 12), np.nan))).all()
    with pytest.raises(InputError):
        nowcast_pm(np.zeros(11))


@given(st.lists(st.floats(0, 500), min_size=12, max_size=12))
def test_nowcast_lies_among_its_hours(hours: list[float]) -> None:
    assert min(hours) - 1e-6 <= float(nowcast_pm(hours)) <= max(hours) + 1e-6


@pytest.mark.parametrize(
    ("table", "value", "band"),
    [
        ("japan_pm25_day", 35.0, "within_standard"), ("japan_pm25_day", 35.1, "above_standard"),
        ("japan_pm25_day", 70.0, "above_standard"), ("japan_pm25_day", 70.1, "above_guideline"),
        ("japan_ox_hour", 0.06, "within_standard"), ("japan_ox_hour", 0.061, "above_standard"),
        ("japan_ox_hour", 0.1199, "above_standard"), ("japan_ox_hour", 0.12, "advisory"),
        ("japan_ox_hour", 0.2399, "advisory"), ("japan_ox_hour", 0.24, "warning"),
        ("japan_ox_hour", 0.3999, "warning"), ("japan_ox_hour", 0.40, "emergency"),
        ("japan_ox_8h", 0.07, "within_standard"), ("japan_ox_8h", 0.0701, "above_standard"),
        ("who_pm25_day", 15.0, "guideline"), ("who_pm25_day", 15.1, "it4"), ("who_pm25_day", 25.0, "it4"),
        ("who_pm25_day", 25.1, "it3"), ("who_pm25_day", 37.5, "it3"), ("who_pm25_day", 37.6, "it2"),
        ("who_pm25_day", 50.0, "it2"), ("who_pm25_day", 50.1, "it1"), ("who_pm25_day", 75.0, "it1"),
        ("who_pm25_day", 75.1, "above_it1"), ("who_pm10_day", 45.0, "guideline"), ("who_pm10_day", 45.1, "it4"),
        ("who_pm10_day", 50.1, "it3"), ("who_pm10_day", 75.1, "it2"), ("who_pm10_day", 100.1, "it1"),
        ("who_pm10_day", 150.0, "it1"), ("who_pm10_day", 150.1, "above_it1"), ("who_o3_8h", 100.0, "guideline"),
        ("who_o3_8h", 100.1, "it2"), ("who_o3_8h", 120.0, "it2"), ("who_o3_8h", 120.1, "it1"),
        ("who_o3_8h", 160.0, "it1"), ("who_o3_8h", 160.1, "above_it1"), ("who_o3_8h", np.nan, None),
    ],
)  # fmt: skip
def test_bands(table: str, value: float, band: str | None) -> None:
    assert band_of(table, value) == band


def test_ozone_units() -> None:
    assert float(ozone_ppm(235.4)) == pytest.approx(0.12, abs=1e-4)
    assert float(ozone_ppm(1996.0, temperature=293.15)) == pytest.approx(1.0, abs=1e-3)
    with pytest.raises(InputError):
        band_of("who_lead", 1.0)
