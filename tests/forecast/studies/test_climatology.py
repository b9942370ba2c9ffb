"""Climatology: a synthetic year with known counts, imposed episodes and trend, and the real collections."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.forecast.indices import band_of, china_standards, china_sub_index
from hazecast.forecast.studies.climate import plots as climatology_plots
from hazecast.forecast.studies.climate.climatology import (
    STANDARDS,
    annual_mean_is_valid,
    city_with_partners,
    compare_cities,
    count_class_days,
    daily_values,
    day_classes,
    days_in_year,
    exceedance_days,
    limits,
)
from hazecast.forecast.studies.climate.episodes import episodes_beginning_in, find_episodes, heavy_pollution
from hazecast.forecast.studies.climate.official_haze_days import official_haze_days
from hazecast.forecast.studies.climate.seasonal_trend import monthly_means, seasonal_trend
from hazecast.grids.contract import describe
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import read_observations
from hazecast.grids.places.cities import load_registry
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from hazecast.services.work.cycle import run_cycle
from tests.support.command_line import run_command
from tests.support.observations import store_observations

REGISTRY = load_registry()
# Of a year: days at each PM2.5, ug m-3. On 35 and 75 a day does not exceed.
COUNTED = {10.0: 40, 35.0: 60, 36.0: 20, 60.0: 30, 75.0: 25, 76.0: 90, 160.0: 70, 260.0: 30}


def synthetic_year(city: str = "beijing", year: int = 2015) -> xr.Dataset:
    """Return a year of the city's own days, shuffled, with `COUNTED` days of constant PM2.5 and ozone at 150."""
    days = np.repeat(list(COUNTED), list(COUNTED.values()))
    np.random.default_rng(0).shuffle(days)
    begins = pd.date_range(f"{year}-01-01", periods=24 * 365, freq="h", tz=REGISTRY.city(city).time_zone)
    stamps = (begins + pd.Timedelta(hours=1)).tz_convert("UTC").tz_localize(None)
    data = {"pm25": np.repeat(days, 24), "o3": np.full(24 * 365, 150.0)}
    columns = {name: (("time", "city"), values[:, None].astype("f4")) for name, values in data.items()}
    dataset = describe(xr.Dataset(columns, coords={"time": stamps, "city": [city]}), "observations")
    return dataset.assign_attrs(source="synthetic")


def test_a_synthetic_year_has_the_days_that_were_put_in() -> None:
    days = daily_values(synthetic_year(), REGISTRY, "beijing")
    assert list(days.index) == list(pd.date_range("2015-01-01", "2015-12-31")) and len(days_in_year(days, 2015)) == 365
    found = exceedance_days(days)
    above = {limit: sum(n for mass, n in COUNTED.items() if mass > limit) for limit in (15, 35, 60, 75)}
    expected = {"cn_2012_class1": 35, "cn_2012_class2": 75, "cn_2026_class2": 60, "jp": 35, "who_2021": 15}
    assert tuple(expected) == STANDARDS
    for standard, limit in expected.items():
        row = found.loc[(standard, "pm25")]
        assert (row["limit"], row["valid_days"], row["days_above"]) == (limit, 365, above[limit]), standard
    # 150 ug m-3 of ozone: above 100, below 160; by the state of 273.15 K 0.070 ppm, above Japan's 0.06.
    ozone = found["days_above"]
    assert ozone["cn_2012_class1", "o3_8h"] == ozone["who_2021", "o3_8h"] == ozone["jp", "ox_1h"] == 365
    assert ozone["cn_2012_class2", "o3_8h"] == 0 and ozone["cn_2012_class2", "any"] == above[75]
    assert days["ox_1h"].iloc[0] == pytest.approx(150 / 2.1415 / 1000, rel=1e-3)
    assert found.loc[("who_2021", "pm10"), "valid_days"] == 0
    classes = count_class_days(day_classes(days, REGISTRY.city("beijing")))["days"]
    # Ozone of 150 alone makes AQI 92: no day is better than that.
    assert classes.to_dict() == {"moderate": 175, "light": 90, "heavy": 70, "severe": 30}


def test_a_japanese_city_is_rated_by_its_own_standards() -> None:
    days = daily_values(synthetic_year("kawasaki"), REGISTRY, "kawasaki")
    assert days["ox_1h"].iloc[0] == pytest.approx(150 / 1962, rel=1e-3)
    classes = day_classes(days, REGISTRY.city("kawasaki"))
    assert set(classes["standard"]) == {"JP-standards"} and classes["value"].isna().all()
    # PM2.5 above 70 is the guideline's level; ozone of 0.076 ppm is above the standard on every day.
    assert count_class_days(classes)["days"].to_dict() == {"alert_level": 215, "above_standard": 150}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 400, allow_nan=False), min_size=1, max_size=20))
def test_exceedances_agree_with_the_indices_and_bands(values: list[float]) -> None:
    table = pd.DataFrame({"pm25": values, "pm10": values, "o3_8h": values, "ox_1h": np.array(values) / 1000})
    found = exceedance_days(table)["days_above"]
    for standard, index in (("cn_2012_class1", 50), ("cn_2012_class2", 100)):
        for item in ("pm25", "pm10", "o3_8h"):
            above = china_sub_index(item, values, china_standards()[0]) > index
            assert found[standard, item] == above.sum()
    assert found["jp", "pm25"] == sum(band_of("japan_pm25_day", v) != "within_standard" for v in values)
    assert found["jp", "ox_1h"] == sum(band_of("japan_ox_hour", v / 1000) != "within_standard" for v in values)
    for item, name in (("pm25", "who_pm25_day"), ("pm10", "who_pm10_day"), ("o3_8h", "who_o3_8h")):
        assert found["who_2021", item] == sum(band_of(name, v) != "guideline" for v in values)


def test_limits_are_those_of_the_standards() -> None:
    found = {(one.standard, one.item): one.limit for one in limits()}
    assert found["cn_2012_class1", "pm25"] == 35 and found["cn_2012_class2", "pm25"] == 75
    assert found["cn_2026_class2", "pm25"] == 60 and found["cn_2026_class2", "pm10"] == 120
    assert found["jp", "ox_1h"] == 0.06 and found["who_2021", "o3_8h"] == 100


def hours(*parts: tuple[float, int]) -> pd.Series:
    """Return a series of (value, hours) parts."""
    values = np.concatenate([np.full(n, value) for value, n in parts])
    return pd.Series(values, index=pd.date_range("2013-01-01 01:00", periods=len(values), freq="h"))


def test_episodes_that_were_put_in_are_found_as_they_were() -> None:
    series = hours((20, 48), (200, 20), (20, 12), (300, 10), (20, 13), (400, 12), (20, 13), (500, 11), (20, 48))
    series.iloc[50] = np.nan
    found = find_episodes(series)
    assert len(found) == 2
    first, second = found.loc[1], found.loc[2]
    assert (first["start"], first["end"]) == (pd.Timestamp("2013-01-03 00:00"), pd.Timestamp("2013-01-04 18:00"))
    assert (first["duration_hours"], first["hours_above"], first["hours_missing"]) == (42, 29, 1)
    assert first["peak"] == 300 and first["peak_time"] == pd.Timestamp("2013-01-04 09:00") and not first["cut"]
    assert first["mean"] == pytest.approx((19 * 200 + 12 * 20 + 10 * 300) / 41)
    assert (second["hours_above"], second["mean"]) == (12, 400)
    assert (
        len(find_episodes(series, gap_hours=13)) == 1 and len(find_episodes(series, least_hours=11, gap_hours=11)) == 3
    )
    assert find_episodes(hours((200, 20), (20, 30)))["cut"].all()
    assert heavy_pollution() == 150 and find_episodes(hours((150, 50))).empty
    assert episodes_beginning_in(found, 2013, "Asia/Shanghai").equals(found)
    # Begun at 20:00 UTC on 31 December: already the next year in Beijing.
    new_year = find_episodes(pd.Series(200.0, index=pd.date_range("2012-12-31 21:00", periods=24, freq="h")))
    assert len(episodes_beginning_in(new_year, 2013, "Asia/Shanghai")) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([10.0, 200.0, np.nan]), min_size=1, max_size=150),
    st.integers(0, 20),
    st.integers(1, 10),
)
def test_every_hour_above_is_in_one_episode_and_episodes_lie_apart(values: list[float], gap: int, least: int) -> None:
    series = hours(*[(value, 1) for value in values])
    every = find_episodes(series, gap_hours=gap, least_hours=1)
    assert every["hours_above"].sum() == (series > 150).sum()
    apart = (every["start"].iloc[1:].to_numpy() - every["end"].iloc[:-1].to_numpy()) / np.timedelta64(1, "h")
    assert (apart > gap).all()
    long = find_episodes(series, gap_hours=gap, least_hours=least)
    assert list(long["start"]) == list(every.loc[every["hours_above"] >= least, "start"])
    # Hours that are absent count like hours that are missing.
    pd.testing.assert_frame_equal(every, find_episodes(series.dropna(), gap_hours=gap, least_hours=1))


def test_faulty_input_of_episodes_is_named() -> None:
    for bad in ({"threshold": -1.0}, {"gap_hours": -1}, {"least_hours": 0}, {"threshold": float("nan")}):
        with pytest.raises(InputError, match="episodes"):
            find_episodes(hours((1, 3)), **bad)
    with pytest.raises(InputError, match="rise"):
        find_episodes(hours((1, 3)).iloc[::-1])


DAYS = pd.date_range("2010-01-01", "2015-12-31")


def drifting(slope: float, seed: int) -> pd.Series:
    random = np.random.default_rng(seed)
    state = np.zeros(len(DAYS))
    for day in range(1, len(DAYS)):
        state[day] = 0.7 * state[day - 1] + random.normal()
    season = 80 + 30 * np.cos(2 * np.pi * DAYS.day_of_year / 365)
    return pd.Series(season + 20 * state + slope * np.arange(len(DAYS)) / 365.25, index=DAYS)


def test_a_trend_that_was_put_in_comes_back_at_the_stated_rate() -> None:
    found = [seasonal_trend(drifting(-4.0, seed)) for seed in range(40)]
    assert np.mean([one.slope.value for one in found]) == pytest.approx(-4.0, abs=0.4)
    assert sum(one.slope.low <= -4.0 <= one.slope.high for one in found) >= 36
    exact = pd.Series(50 + DAYS.month + 2.0 * DAYS.year, index=DAYS)
    assert seasonal_trend(exact).slope.value == pytest.approx(2.0)
    with pytest.raises(InputError, match="at least 30"):
        seasonal_trend(exact.iloc[:700])
    assert len(monthly_means(exact.iloc[:50])) == 1


def test_real_days_are_counted_as_pandas_counts_them(shared_data) -> None:
    data = read_observations(shared_data / "beijing-multisite", REGISTRY)
    days = days_in_year(daily_values(data.observations, REGISTRY, "beijing"), 2014)
    hourly = data.observations["pm25"].sel(city="beijing").to_series()
    local = hourly.set_axis(hourly.index + pd.Timedelta(hours=7))["2014"].astype(float)
    mean = local.resample("D").mean()[local.resample("D").count() >= 20].round()
    counted = exceedance_days(days).loc[("cn_2012_class2", "pm25")]
    assert (counted["valid_days"], counted["days_above"]) == (len(mean), int((mean > 75).sum()))
    assert len(mean) > 340 and int((mean > 75).sum()) > 100
    classes = day_classes(days, REGISTRY.city("beijing"))
    assert count_class_days(classes)["days"].sum() == classes["id"].notna().sum() > 350
    figure = climatology_plots.calendar(classes, "Beijing 2014")
    assert len(figure.axes[0].texts) == classes["value"].notna().sum()
    catalogue = find_episodes(hourly)
    above = int((hourly > 150).sum())
    assert 0.7 * above < catalogue["hours_above"].sum() <= above and len(catalogue) > 30


def test_cities_side_by_side(shared_data) -> None:
    data = read_observations(shared_data / "five-cities", REGISTRY)
    names = ["beijing", "shanghai"]
    tables = {name: daily_values(data.observations, REGISTRY, name) for name in names}
    series = {name: data.observations["pm25"].sel(city=name).to_series().astype(float) for name in names}
    episodes = {name: find_episodes(one["2014"]) for name, one in series.items()}
    found = compare_cities(tables, 2014, episodes, REGISTRY)
    assert found.loc["beijing", "pm25_mean"] > found.loc["shanghai", "pm25_mean"]
    assert (found["above_cn_2012_class2"] <= found["above_cn_2026_class2"]).all() and "haze_days" not in found
    assert "kawasaki" in city_with_partners("shenyang", REGISTRY) and "shenyang" in city_with_partners(
        "kawasaki", REGISTRY
    )
    assert compare_cities(tables, 1999, episodes, REGISTRY)["pm25_days"].sum() == 0


def test_official_haze_days_are_known_with_what_they_count() -> None:
    known = official_haze_days("beijing", 2015)
    assert known is not None and known.days == 63 and "轻度霾" in known.definition and "2017-01-13" in known.source
    assert official_haze_days("beijing", 2014) is None and official_haze_days("shenyang", 2015) is None


def test_a_mean_of_a_part_of_a_year_is_none_of_a_year() -> None:
    days = pd.Series(50.0, pd.date_range("2012-01-01", "2012-12-31"))
    february = days.index.month == 2
    assert annual_mean_is_valid(days)
    assert annual_mean_is_valid(days[~february | (days.index.day <= 25)])
    assert not annual_mean_is_valid(days[~february | (days.index.day <= 24)])
    # Twelve times 27 are 324.
    assert annual_mean_is_valid(days[days.index.day <= 27])
    assert not annual_mean_is_valid(days[(days.index.day <= 27) & (days.index != "2012-02-27")])
    assert not annual_mean_is_valid(days[:"2012-03-31"])


def test_commands_on_real_days_and_their_errors(shared_data, tmp_path) -> None:
    place = ["--observations", shared_data / "five-cities", "--city", "shenyang"]
    found = json.loads(
        run_command(
            "study",
            "climatology",
            *place,
            "--year",
            2014,
            "--partners",
            "--official-haze-days",
            80,
            "--out",
            tmp_path / "out",
            "--json",
        )
    )
    assert (
        found["cities_without_data"] == ["kawasaki"] and found["haze_days"] == "89 of 365 observed days; official: 80"
    )
    assert found["pm25_mean_is_valid_for_the_year"] is True
    assert "six hours" in found["haze_days_definition"] and "as given" in found["official_haze_days_definition"]
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written >= {"calendar.png", "days.csv", "cities.csv", "exceedances.csv", "summary.json"}
    catalogue = json.loads(run_command("study", "episodes", *place, "--json"))
    assert catalogue["episodes"] and catalogue["threshold_ug_m3"] == 150
    for words, expected in (
        (["climatology", *place, "--year", 1999], "2013"),
        (["climatology", *place, "--year", 2014, "--beside", "bejing"], "beijing"),
        (["episodes", *place, "--pollutant", "o3"], "pm25"),
        (["episodes", *place, "--gap", -1], "gap"),
        (["episodes", *place, "--threshold", 0.015], "threshold: found 0.015; expected ug m-3; each of"),
        (["episodes", *place[:3], "tokyo"], "shenyang"),
    ):
        with pytest.raises(InputError, match=expected):
            run_command("study", *words)


def test_a_year_through_the_api(tmp_path) -> None:
    options = Settings(data_dir=tmp_path)
    run_cycle(options, cities=("beijing",))
    store = Store(options.database_url)
    store_observations(store, synthetic_year(), simulated=True)
    store.close()
    client = TestClient(create_app(options), raise_server_exceptions=False)
    found = client.get("/v1/cities/beijing/climatology?year=2015").json()
    assert found["pm25_days"] == 365 and found["simulated"] is True and len(found["calendar"]) == 365
    counts = {(row["standard"], row["item"]): row["days_above"] for row in found["exceedances"]}
    assert counts["cn_2012_class2", "pm25"] == 190 and counts["who_2021", "pm25"] == 325
    assert sum(row["days"] for row in found["months"]) == 365 and sum(row["days"] for row in found["classes"]) == 365
    assert found["episodes"] and all(row["end"] > row["start"] for row in found["episodes"])
    missing = client.get("/v1/cities/beijing/climatology?year=1999")
    assert missing.status_code == 404 and "1998-11" in missing.json()["detail"]
    assert client.get("/v1/cities/nowhere/climatology").status_code == 404
    assert client.get("/v1/cities/beijing/climatology?year=20").status_code == 422
