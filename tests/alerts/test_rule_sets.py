"""Every rule set at, just below and just above each of its thresholds (the haze signal: test_ruleset.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from hazecast.alerts.engine.assessment import Assessment
from hazecast.alerts.engine.engine import assess
from hazecast.alerts.engine.inputs import Inputs
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.parsing import SHIPPED_FOLDER, parse_ruleset
from hazecast.forecast.indices import ozone_ppm
from hazecast.forecast.products import daily_mean, mda8
from hazecast.forecast.sight import CERTAIN
from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from tests.support.warning_cases import PAST, case, series, station_data

REGISTRY = load_registry()
CN_INIT = datetime(2025, 1, 10, 16, tzinfo=UTC)  # midnight in Beijing
JP_MIDNIGHT = datetime(2025, 3, 9, 15, tzinfo=UTC)  # midnight in Tokyo, the 10th
PPM = 1.0 / float(ozone_ppm(1e6)) * 1e6  # ug m-3 in one ppm


def one(name: str, city: str, init: datetime, pm25, o3=None, stations=None, cities=None) -> Assessment:
    forecast, observations = case(init, city, pm25, o3)
    rules = RuleBook.shipped().rule_set(name)
    return assess(forecast, observations, REGISTRY, rules, stations=stations, cities=cities or [city], sight=CERTAIN)[0]


def heavy(name: str, *blocks: tuple[int, int, float]) -> str | None:
    return one(name, "beijing", CN_INIT, series({(a, b): v for a, b, v in blocks})).level


@pytest.mark.parametrize(
    ("blocks", "level"),
    [
        # PM2.5 of 150 is an AQI of 200, 151 of 201; 115 of 150, 116 of 152; 250 of 300, 251 of 301.
        ([(1, 24, 149.0)], None),
        ([(1, 24, 150.0)], None),
        ([(1, 24, 151.0)], "yellow"),
        ([(1, 23, 151.0)], None),  # an hour short of the running day
        ([(7, 30, 151.0)], "yellow"),  # across midnight
        ([(1, 48, 115.0)], None),
        ([(1, 48, 116.0)], "yellow"),
        ([(1, 47, 116.0)], None),
        ([(-23, 24, 116.0)], "yellow"),  # the first of the two days was observed
        ([(1, 48, 150.0)], "yellow"),
        ([(1, 48, 151.0)], "orange"),
        ([(1, 47, 151.0)], "yellow"),
        ([(-23, 48, 115.0)], None),
        ([(-23, 48, 116.0)], "orange"),
        ([(-22, 48, 116.0)], "yellow"),
        ([(-23, 48, 151.0), (1, 24, 251.0)], "red"),
        ([(-22, 48, 151.0), (1, 24, 251.0)], "orange"),
        ([(-23, 48, 151.0), (1, 24, 250.0)], "orange"),
        ([(-23, 48, 151.0), (1, 24, 300.0)], "red"),
    ],
)
def test_heavy_pollution_2024(blocks, level) -> None:
    assert heavy("cn_heavy_pollution", *blocks) == level


@pytest.mark.parametrize(
    ("blocks", "level"),
    [
        ([(1, 24, 160.0)], None),
        ([(1, 48, 150.0)], None),
        ([(1, 48, 151.0)], "yellow"),
        ([(1, 47, 151.0)], None),
        ([(-23, 48, 151.0), (1, 24, 250.0)], "yellow"),
        ([(-23, 48, 151.0), (1, 24, 251.0)], "orange"),
        ([(-22, 48, 151.0), (1, 24, 251.0)], "yellow"),
        ([(-47, 48, 151.0), (-23, 24, 251.0)], "red"),
        ([(-46, 48, 151.0), (-23, 24, 251.0)], "orange"),
        ([(-47, 48, 151.0), (-23, 24, 251.0), (-23, -23, 200.0)], "orange"),
        # An AQI of 499. Means over 24 h that begin at its middle and end there exceed 200 too: two days.
        ([(1, 24, 498.0)], "yellow"),
        ([(1, 24, 499.0)], "red"),  # 499.3, rounded up: 500
        ([(1, 24, 500.0)], "red"),
    ],
)
def test_heavy_pollution_2017(blocks, level) -> None:
    assert heavy("cn_heavy_pollution_2017", *blocks) == level


def test_heavy_pollution_is_of_pm25_alone_and_names_its_values() -> None:
    ozone = one("cn_heavy_pollution", "beijing", CN_INIT, series({}), series({(1, 60): 700.0}))
    assert ozone.rank == 0
    found = one("cn_heavy_pollution", "beijing", CN_INIT, series({(1, 24): 200.0}))
    yellow = found.of(1)
    # The first 24 h above an AQI of 200, and the highest.
    assert yellow.probability == 1.0 and [e.values["aqi_24h"] for e in yellow.evidence] == [208.0, 250.0]
    assert (yellow.onset, yellow.until) == (CN_INIT, CN_INIT + timedelta(hours=24))


@pytest.mark.parametrize(("value", "level"), [(69.9, None), (70.0, None), (70.1, "alert")])
def test_japan_daily_mean(value: float, level: str | None) -> None:
    found = one("jp_pm25", "tokyo", JP_MIDNIGHT, series({(1, 24): value}))
    assert found.level == level
    assert (found.start, found.end) == (JP_MIDNIGHT, JP_MIDNIGHT + timedelta(hours=24))
    # The day before and the day after don't count.
    assert one("jp_pm25", "tokyo", JP_MIDNIGHT, series({(-23, 0): 200.0, (25, 48): 200.0})).level is None


def decision(name: str, hour: int, values: list[float], city: str = "tokyo") -> str | None:
    """The level at the local hour 7 or 12, if the stations had these values from 05 on."""
    init = JP_MIDNIGHT + timedelta(hours=hour)
    stations = station_data(init, city, {h: values for h in range(5 - hour, 1)})
    return one(name, city, init, series({}, 10.0), stations=stations).level


@pytest.mark.parametrize(
    ("name", "hour", "stations", "level"),
    [
        # morning, default and Fukuoka: two stations above 85
        ("jp_pm25", 7, [85.1, 85.1, 0.0], "alert"),
        ("jp_pm25", 7, [85.0, 85.0, 0.0], None),
        ("jp_pm25", 7, [84.9, 84.9, 84.9], None),
        ("jp_pm25", 7, [200.0, 85.0, 0.0], None),
        ("jp_pm25", 7, [85.1], "alert"),
        ("jp_pm25_fukuoka", 7, [85.1, 85.1, 0.0, 0.0], "alert"),
        ("jp_pm25_fukuoka", 7, [200.0, 85.0, 0.0, 0.0], None),
        ("jp_pm25_kyoto", 7, [85.1, 85.1, 0.0, 0.0], "alert"),
        ("jp_pm25_kyoto", 7, [200.0, 85.0, 0.0, 0.0], None),
        # midday: any station above 80
        ("jp_pm25", 12, [80.1, 0.0, 0.0], "alert"),
        ("jp_pm25", 12, [80.0, 80.0, 80.0], None),
        ("jp_pm25", 12, [79.9, 0.0, 0.0], None),
        ("jp_pm25_fukuoka", 12, [80.1, 0.0, 0.0], "alert"),
        ("jp_pm25_kyoto", 12, [80.1, 0.0, 0.0], "alert"),
        # Chiba: the median in the morning, the highest at midday
        ("jp_pm25_chiba", 7, [85.1, 85.1, 0.0], "alert"),
        ("jp_pm25_chiba", 7, [85.0, 200.0, 0.0], None),
        ("jp_pm25_chiba", 7, [200.0, 200.0, 0.0, 0.0, 0.0], None),
        ("jp_pm25_chiba", 12, [80.1, 0.0, 0.0], "alert"),
        ("jp_pm25_chiba", 12, [80.0, 0.0, 0.0], None),
        # Hokkaido: two of three or more, either of two
        ("jp_pm25_hokkaido", 7, [85.1, 85.1, 0.0], "alert"),
        ("jp_pm25_hokkaido", 7, [85.1, 85.0, 0.0], None),
        ("jp_pm25_hokkaido", 7, [85.1, 0.0], "alert"),
        ("jp_pm25_hokkaido", 7, [85.0, 0.0], None),
        ("jp_pm25_hokkaido", 12, [80.1, 0.0, 0.0], "alert"),
        # Shimane: at the threshold too
        ("jp_pm25_shimane", 7, [85.0, 85.0, 0.0], "alert"),
        ("jp_pm25_shimane", 7, [84.9, 84.9, 0.0], None),
        ("jp_pm25_shimane", 12, [80.0, 0.0, 0.0], "alert"),
        ("jp_pm25_shimane", 12, [79.9, 0.0, 0.0], None),
    ],
)
def test_japan_decisions_by_stations(name: str, hour: int, stations: list[float], level: str | None) -> None:
    assert decision(name, hour, stations) == level


def test_japan_decision_takes_just_its_hours() -> None:
    init = JP_MIDNIGHT + timedelta(hours=8)
    high = {h: [200.0, 200.0] for h in (-4, 0)}  # 04:00 and 08:00
    assert one("jp_pm25", "tokyo", init, series({}, 10.0), stations=station_data(init, "tokyo", high)).level is None
    # Before 07:00 nothing is decided, though it is known how likely that is; with only a city's value, it is of that.
    early, ready = JP_MIDNIGHT + timedelta(hours=3), JP_MIDNIGHT + timedelta(hours=7)
    for value, chance in ((86.0, 1.0), (85.0, 0.0)):
        ahead = one("jp_pm25", "tokyo", early, series({(2, 4): value}))
        assert ahead.level is None and ahead.of(1).probability == chance
    assert one("jp_pm25", "tokyo", ready, series({(-2, 0): 86.0})).level == "alert"
    assert one("jp_pm25", "tokyo", ready, series({(-2, 0): 85.0})).level is None


def test_japan_lift_needs_two_hours_at_or_below_50_at_every_station() -> None:
    init = JP_MIDNIGHT + timedelta(hours=14)
    past = {h: [200.0, 200.0] for h in range(-9, -1)}

    def found(last: list[list[float]], coming: float = 20.0, name: str = "jp_pm25") -> Assessment:
        data = station_data(init, "tokyo", past | {-1: last[0], 0: last[1]})
        pm25 = series({(-9, 0): 100.0, (1, 10): coming}, 10.0)
        return one(name, "tokyo", init, pm25, stations=data)

    done = found([[50.0, 50.0], [50.0, 50.0]])
    assert done.lift_ready and done.rank == 0
    for values in ([[50.0, 50.1], [50.0, 50.0]], [[50.0, 50.0], [50.0, 50.1]]):
        still = found(values)
        assert not still.lift_ready and still.rank == 1
    again = found([[50.0, 50.0], [50.0, 50.0]], coming=120.0)
    assert again.rank == 1  # forecast to come back
    assert not found([[50.0, 50.0], [50.0, 50.0]], name="jp_pm25_hokkaido").lift_ready


@pytest.mark.parametrize(
    ("ppm", "level"),
    [
        (0.119, None), (0.120, "advisory"), (0.121, "advisory"), (0.239, "advisory"), (0.240, "warning"),
        (0.241, "warning"), (0.399, "warning"), (0.400, "emergency"), (0.401, "emergency"),
    ],
)  # fmt: skip
def test_japan_oxidant_is_declared_on_measurement_that_persists(ppm: float, level: str | None) -> None:
    init = JP_MIDNIGHT + timedelta(hours=13)
    lasting = one("jp_ox", "tokyo", init, series({}, 10.0), series({(-1, 3): ppm * PPM}))
    assert lasting.level == level
    fading = one("jp_ox", "tokyo", init, series({}, 10.0), series({(-1, 0): ppm * PPM}))
    assert fading.level is None


@pytest.mark.parametrize(("ppm", "level"), [(0.119, None), (0.120, "forecast"), (0.45, "forecast")])
def test_japan_oxidant_forecast(ppm: float, level: str | None) -> None:
    init = JP_MIDNIGHT + timedelta(hours=8)
    found = one("jp_ox", "tokyo", init, series({}, 10.0), series({(5, 6): ppm * PPM}))
    assert found.level == level


@pytest.mark.parametrize(
    ("pm25", "ppm", "level"),
    [
        (35.4, 0.0, None), (35.5, 0.0, "usg"), (35.6, 0.0, "usg"), (55.4, 0.0, "usg"), (55.5, 0.0, "unhealthy"),
        (125.4, 0.0, "unhealthy"), (125.5, 0.0, "very_unhealthy"), (225.4, 0.0, "very_unhealthy"),
        (225.5, 0.0, "hazardous"), (5.0, 0.070, None), (5.0, 0.071, "usg"), (5.0, 0.085, "usg"),
        (5.0, 0.086, "unhealthy"), (5.0, 0.105, "unhealthy"), (5.0, 0.106, "very_unhealthy"),
    ],
)  # fmt: skip
def test_us_epa_categories(pm25: float, ppm: float, level: str | None) -> None:
    found = one("us_epa_aqi", "tokyo", JP_MIDNIGHT, series({(1, 24): pm25}), series({(1, 24): ppm * PPM}))
    assert found.level == level


@pytest.mark.parametrize(
    ("pm25", "o3", "level"),
    [
        (15.0, 0.0, None), (15.1, 0.0, "guideline"), (25.0, 0.0, "guideline"), (25.1, 0.0, "it4"),
        (37.5, 0.0, "it4"), (37.6, 0.0, "it3"), (50.0, 0.0, "it3"), (50.1, 0.0, "it2"), (75.0, 0.0, "it2"),
        (75.1, 0.0, "it1"), (5.0, 100.0, None), (5.0, 100.1, "guideline"), (5.0, 120.0, "guideline"),
        (5.0, 120.1, "it2"), (5.0, 160.0, "it2"), (5.0, 160.1, "it1"),
    ],
)  # fmt: skip
def test_who_guideline(pm25: float, o3: float, level: str | None) -> None:
    found = one("who_guideline", "beijing", CN_INIT, series({(1, 24): pm25}), series({(1, 24): o3}))
    assert found.level == level


def test_each_city_gets_the_rule_sets_of_its_jurisdiction() -> None:
    book = RuleBook.shipped()
    now, then = datetime(2026, 1, 1, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC)

    def names(city: str, when: datetime, asked_for: tuple[str, ...] = ()) -> list[str]:
        return [r.id for r in book.of_city(REGISTRY.city(city), when, asked_for)]

    assert names("beijing", now) == ["cma_haze", "cn_heavy_pollution"]
    assert names("beijing", then) == ["cma_haze", "cn_heavy_pollution_2017"]
    assert names("beijing", datetime(2013, 1, 12, tzinfo=UTC)) == ["cma_haze"]
    assert names("tokyo", now) == ["jp_ox", "jp_pm25_tokyo"]
    for city in ("fukuoka", "kurume", "kitakyushu"):
        assert names(city, now) == ["jp_ox", "jp_pm25_fukuoka"]
    assert names("tokyo", now, ("who_guideline",)) == ["jp_ox", "jp_pm25_tokyo", "who_guideline"]
    # What is asked for is added, within its own country, regions and time.
    assert names("beijing", now, ("jp_pm25",)) == names("beijing", now, ("jp_pm25_fukuoka",)) == names("beijing", now)
    assert names("tokyo", now, ("jp_pm25_fukuoka", "cn_heavy_pollution")) == ["jp_ox", "jp_pm25_tokyo"]
    assert names("fukuoka", now, ("jp_pm25",)) == ["jp_ox", "jp_pm25", "jp_pm25_fukuoka"]
    assert names("beijing", now, ("cn_heavy_pollution_2017",)) == names("beijing", now)
    table = dict((r.id, ids) for r, ids in book.of_cities(REGISTRY.cities.values(), now))
    assert len(table["cma_haze"]) == sum(c.country == "CN" for c in REGISTRY.cities.values())
    prefectures = [ids for name, ids in table.items() if name.startswith("jp_pm25_")]
    japan = sorted(c.id for c in REGISTRY.cities.values() if c.country == "JP")
    assert sorted(c for ids in prefectures for c in ids) == japan and "jp_pm25" not in table
    assert names("saitama", now) == ["jp_ox_saitama", "jp_pm25_saitama"]
    assert names("yokkaichi", now) == ["jp_ox_mie", "jp_pm25_mie"]
    with pytest.raises(InputError, match="who_rules"):
        names("tokyo", now, ("who_rules",))


@pytest.mark.parametrize(
    ("named", "covered"),
    [
        ({}, {"beijing", "tokyo", "fukuoka"}),
        ({"cities": ("tokyo",)}, {"tokyo"}),
        ({"regions": ("fukuoka",)}, {"fukuoka"}),
        ({"country": "CN"}, {"beijing"}),
        ({"valid_until": datetime(2025, 1, 1, tzinfo=UTC)}, set()),
    ],
)
def test_a_rule_set_asked_for_keeps_to_what_it_names(named, covered) -> None:
    who = RuleBook.shipped().rule_set("who_guideline")
    book = RuleBook({"own": who.model_copy(update={"id": "own", **named})})
    cities = [REGISTRY.city(name) for name in ("beijing", "tokyo", "fukuoka")]
    found = book.of_cities(cities, datetime(2026, 1, 1, tzinfo=UTC), ("own",))
    assert {city for _, ids in found for city in ids} == covered


def test_days_agree_with_the_daily_products() -> None:
    random = np.random.default_rng(1)
    pm25, ozone = random.uniform(0, 200, (2, PAST + LEAD_HOURS))
    pm25[PAST - 30 : PAST - 20] = np.nan  # too many for the day before
    forecast, observations = case(JP_MIDNIGHT + timedelta(hours=7), "tokyo", pm25, ozone)
    city = REGISTRY.city("tokyo")
    hours = Inputs.of(forecast, observations, None).hours_of(city, CERTAIN)
    whole = xr.Dataset(
        {"pm25": (("time", "city"), pm25[:, None]), "o3": (("time", "city"), ozone[:, None])},
        coords={"time": hours.times, "city": ["tokyo"]},
    )
    rules = RuleBook.shipped().rule_set("who_guideline")
    tests = {t.variable: t for t in rules.tests}
    products = {"pm25_day": daily_mean(whole, REGISTRY)["pm25"], "o3_mda8_day": mda8(whole, REGISTRY)["o3"]}
    at_midnight = hours.local_hours() == 24
    for variable, product in products.items():
        own = hours.values(tests[variable], rules)[0]
        assert np.isnan(own[~at_midnight]).all()
        days = product.values[: at_midnight.sum(), 0]
        np.testing.assert_allclose(own[at_midnight], days, rtol=1e-8)
        assert np.isfinite(days).sum() >= 5


def test_every_threshold_of_every_rule_set_has_its_source() -> None:
    for name in RuleBook.shipped().names():
        rules = RuleBook.shipped().rule_set(name)
        assert rules.id == name and rules.source
        for level in rules.levels:
            assert level.lower_probability <= level.raise_probability
            assert all(len(c.source) > 20 for c in level.conditions)


def test_a_bureau_s_own_folder(tmp_path) -> None:
    own = tmp_path / "rules"
    own.mkdir()
    (own / "jp_pm25_oita.toml").write_text(
        'extends = "jp_pm25"\nid = "jp_pm25_oita"\nregions = ["oita"]\n[aggregators.morning]\nkind = "mean"\n', "utf-8"
    )
    (own / "cma_haze.toml").write_text(
        'extends = "cma_haze"\nid = "cma_haze"\n[[levels]]\nid = "red"\nraise_probability = 0.3\n', "utf-8"
    )
    book, shipped = RuleBook.with_folder(own), RuleBook.shipped()
    assert [r.id for r in book.of_city(REGISTRY.city("oita"), JP_MIDNIGHT)] == ["jp_ox", "jp_pm25_oita"]
    assert book.rule_set("jp_pm25_oita").aggregators["morning"].kind == "mean"
    assert book.rule_set("jp_pm25_oita").aggregators["midday"].kind == "max"
    changed = book.rule_set("cma_haze")
    assert [x.raise_probability for x in changed.levels][2] == 0.3 and len(changed.levels) == 3
    assert changed.levels[2].conditions == parse_ruleset(_shipped("cma_haze"), "cma_haze").levels[2].conditions
    # Another book in the same process knows nothing of them.
    assert (
        shipped.rule_set("jp_pm25_oita").aggregators["morning"].kind == "max"
        and shipped.haze_signal.levels[2].raise_probability != 0.3
    )
    assert [r.id for r in shipped.of_city(REGISTRY.city("oita"), JP_MIDNIGHT)] == ["jp_ox", "jp_pm25_oita"]
    (own / "broken.toml").write_text('extends = "nowhere"\nid = "broken"\n', "utf-8")
    with pytest.raises(InputError, match="nowhere"):
        RuleBook.with_folder(own)
    with pytest.raises(InputError, match="folder"):
        RuleBook.with_folder(tmp_path / "absent")


def test_a_file_of_a_bureau_is_named_after_its_rule_set(tmp_path) -> None:
    (tmp_path / "mine.toml").write_text('extends = "jp_pm25"\nid = "jp_pm25_oita"\nregions = ["oita"]\n', "utf-8")
    with pytest.raises(InputError, match=r"mine\.toml: id"):
        RuleBook.with_folder(tmp_path)


def _shipped(name: str) -> str:
    return (SHIPPED_FOLDER / f"{name}.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lower_probability = 0.18", "lower_probability = 0.9", "lower_probability"),
        ('aggregator = "morning"', 'aggregator = "evening"', "evening"),
        ("mean_hours = [5, 7]", "mean_hours = [7, 5]", "mean_hours"),
        ("starts = [0]", "", "starts"),
        ("lift_hours = 2", "lift_hours = 0", "lift_hours"),
        ('time_zone = "city"', 'time_zone = "here"', "time zone"),
        ('id = "jp_pm25"', 'id = "jp_pm25"\nextends = "jp_pm25"', "extends"),
    ],
)
def test_a_broken_form_is_refused(old: str, new: str, message: str) -> None:
    text = _shipped("jp_pm25")
    assert old in text
    if message == "extends":
        text = 'extends = "jp_pm25_chiba"\n' + _shipped("jp_pm25_chiba")
        message = "TOML"
    else:
        text = text.replace(old, new)
    with pytest.raises(InputError, match=message):
        parse_ruleset(text, "broken.toml")


def test_ox_needs_a_reference_state() -> None:
    text = _shipped("jp_ox")
    cut = text[: text.index("[reference_state]")] + text[text.index("[window]") :]
    with pytest.raises(InputError, match="reference_state"):
        parse_ruleset(cut, "ox.toml")
    assert np.isclose(0.12 * PPM, 235.4, atol=0.1)
