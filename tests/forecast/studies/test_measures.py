"""Effect of measures: cuts imposed on real series are found, and impossible requests are refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

from hazecast.forecast.studies.measures.changes import trend, weekly
from hazecast.forecast.studies.measures.deweather import daily_table, expected_concentration, weather_normalised
from hazecast.forecast.studies.measures.intervention import (
    assess,
    estimate_effect,
    recover_known_cuts,
    synthetic_control,
)
from hazecast.forecast.studies.measures.steps import find_steps
from hazecast.grids.errors import InputError
from hazecast.services.cli.app import app
from hazecast.services.research.places import series_at
from tests.tools.trend_coverage import SLOPE, by_weather

START = pd.Timestamp("2014-11-03")


@pytest.fixture(scope="module")
def beijing(shared_data) -> pd.DataFrame:
    return daily_table(*series_at(shared_data / "beijing-multisite", "beijing", "pm25"))


def test_cuts_put_into_the_real_series_are_inside_their_intervals(beijing) -> None:
    found = recover_known_cuts(beijing, 10, placements=4)
    weather = found[found["method"] == "weather"]
    assert len(weather) == 12 and weather["covered"].mean() >= 0.75
    steps = weather.pivot(index="start", columns="cut", values="change")
    np.testing.assert_allclose((1 + steps[0.3]) / (1 + steps[0.1]), 0.7 / 0.9, rtol=1e-6)


def test_the_model_does_not_see_the_window_it_judges(beijing) -> None:
    changed = beijing.copy()
    changed.loc[START : START + pd.Timedelta(days=9), "concentration"] *= 0.1
    pd.testing.assert_series_equal(
        expected_concentration(beijing, START, 10), expected_concentration(changed, START, 10)
    )


def test_judge_covers_at_its_nominal_rate() -> None:
    random = np.random.default_rng(1)
    days = pd.date_range("2013-01-01", periods=100, freq="10D")
    held = []
    for _ in range(300):
        one = estimate_effect(pd.Series(random.standard_t(3, 100), index=days), days[50], 10)
        held.append(np.log1p(one.low) <= 0 <= np.log1p(one.high))
    assert 0.84 <= np.mean(held) <= 0.96


def test_synthetic_control_finds_the_weights_a_series_was_made_with() -> None:
    random = np.random.default_rng(2)
    days = pd.date_range("2013-01-01", periods=400)
    places = pd.DataFrame(random.gamma(4.0, 20.0, (400, 3)), index=days, columns=list("abc"))
    share = places / places.mean()
    places["treated"] = 50 * (0.7 * share["a"] + 0.3 * share["b"])
    predicted, weights = synthetic_control(places, "treated", days[200], 10)
    np.testing.assert_allclose(weights, [0.7, 0.3, 0.0], atol=0.02)
    np.testing.assert_allclose(predicted, places["treated"], rtol=0.1)


def test_windows_next_to_the_measure_are_no_placebos() -> None:
    random = np.random.default_rng(3)
    days = pd.date_range("2013-01-01", periods=600)
    table = pd.DataFrame({"concentration": random.gamma(4.0, 20.0, 600)}, index=days)
    start, length = days[300], 10
    placebos = []
    for cut in (0.0, 0.9):
        changed = table.copy()
        changed.loc[start : start + pd.Timedelta(days=length - 1), "concentration"] *= 1 - cut
        effects, _, _ = assess(changed, start, length, weather=changed["concentration"] * 0 + 80)
        placebos.append(effects["before_after"].placebos)
    pd.testing.assert_series_equal(*placebos)
    assert (np.abs((placebos[0].index - start).days) > length).all() and len(placebos[0]) == 55
    one_day = pd.Series(random.normal(size=100), index=pd.date_range("2013-01-01", periods=100, name="start"))
    assert len(estimate_effect(one_day, one_day.index[50], 1).placebos) == 100 - 11  # five days on both sides


def test_a_season_that_was_never_observed_has_no_adjusted_days(beijing) -> None:
    winter = pd.DatetimeIndex(beijing.index).month.isin([12, 1, 2])
    table = beijing.assign(concentration=beijing["concentration"].where(~winter))
    found = weather_normalised(table, draws=2)
    assert found[winter].isna().all()
    assert found.notna().equals(table["concentration"].notna())


def weeks(slope: float, seed: int, steps: dict[int, float] | None = None, n: int = 157) -> pd.Series:
    """Weeks of correlated noise with a slope a year and steps at some weeks."""
    random = np.random.default_rng(seed)
    noise = np.zeros(n)
    for i in range(1, n):
        noise[i] = 0.4 * noise[i - 1] + random.normal(0, 0.2)
    at = np.arange(n)
    values = noise + slope * at / 52.18 + sum(size * (at >= week) for week, size in (steps or {}).items())
    return pd.Series(values, index=pd.date_range("2013-03-01", periods=n, freq="7D"))


def test_trend_is_found_in_correlated_noise() -> None:
    found = [trend(weeks(np.log(0.9), seed)) for seed in range(20)]
    assert sum(one.low <= -0.1 <= one.high for one in found) >= 16
    assert sum(trend(weeks(0.0, seed)).p_value < 0.05 for seed in range(20)) <= 4


def test_what_removing_the_weather_changes_is_an_error_beside_the_noise() -> None:
    log = weeks(np.log(0.9), 3)
    alone, beside = trend(log), trend(log, apart=0.05)
    assert alone.per_year == beside.per_year
    half, wider = (np.log1p(one.high) - np.log1p(one.per_year) for one in (alone, beside))
    assert wider == pytest.approx(np.hypot(half, 0.05))
    # Of independent weeks the interval is not below Student's t of least squares, (X'X)^-1 s2, and not far above it.
    white = pd.Series(np.random.default_rng(5).normal(0, 0.2, 313), pd.date_range("2013-01-07", periods=313, freq="7D"))
    years = np.arange(313) * 7 / 365.25
    harmonics = [f(2 * np.pi * k * years) for k in (1, 2) for f in (np.sin, np.cos)]
    design = np.stack([np.ones(313), years, *harmonics], axis=1)
    variance = np.linalg.lstsq(design, white, rcond=None)[1][0] / (313 - 6)
    by_least_squares = stats.t.ppf(0.95, 307) * np.sqrt(variance * np.linalg.inv(design.T @ design)[1, 1])
    found = trend(white)
    assert 1.0 < (np.log1p(found.high) - np.log1p(found.per_year)) / by_least_squares < 1.5


@pytest.mark.slow
@pytest.mark.parametrize("drift", [0.0, 0.4])
def test_intervals_hold_a_trend_in_series_that_the_weather_drives(drift) -> None:
    # 0.905 to 0.965 of 200; by the noise alone `observed` 0.745 where the weather drifts, and 0.67 with one fitted correlation.
    found = by_weather(40, drift)
    held = {name: np.mean([one.low <= SLOPE <= one.high for one in trends]) for name, trends in found.items()}
    assert held["observed"] >= 0.8 and held["linear"] >= 0.8
    assert held["observed"] >= held["observed, by noise alone"] + (0.1 if drift else 0.0)


@pytest.mark.parametrize("wrong", [0.0, -3.0, np.inf])
def test_impossible_days_and_short_series_are_refused(wrong) -> None:
    daily = pd.Series(5.0, index=pd.date_range("2014-01-01", periods=400))
    daily.iloc[8] = wrong
    with pytest.raises(InputError, match="2014-01-09"):
        weekly(daily)
    with pytest.raises(InputError, match="weeks"):
        weekly(daily.iloc[9:100])


def test_steps_that_cancel_each_other_are_found_with_their_dates_and_sizes() -> None:
    imposed = {50: np.log(0.7), 110: np.log(1.4)}
    found = [find_steps(weeks(0.0, seed, imposed), draws=49) for seed in range(1000, 1012)]
    two = [one.steps for one in found if len(one.steps) == 2]
    assert len(two) >= 9
    index = weeks(0.0, 0).index
    dates = [
        step.earliest <= index[week] <= step.latest for steps in two for step, week in zip(steps, imposed, strict=True)
    ]
    sizes = [
        step.low <= np.expm1(size) <= step.high
        for steps in two
        for step, size in zip(steps, imposed.values(), strict=True)
    ]
    assert np.mean(dates) >= 0.8 and np.mean(sizes) >= 0.8


def test_noise_has_no_steps_and_impossible_searches_are_refused() -> None:
    found = [find_steps(weeks(0.0, seed), draws=49) for seed in range(15)]
    assert sum(bool(one.steps) for one in found) <= 2 and all(
        one.p_first == one.p_next for one in found if not one.steps
    )
    assert 0.3 < np.mean([one.correlation for one in found]) < 0.5
    for wrong in ({"most": 0}, {"draws": 20}, {"level": 1.0}):
        with pytest.raises(InputError):
            find_steps(weeks(0.0, 1), **wrong)
    with pytest.raises(InputError, match="weeks"):
        find_steps(weeks(0.0, 1, n=20))


def test_the_rise_of_no2_at_marylebone_road_in_2003_is_found(shared_data) -> None:
    hourly = pd.read_csv(shared_data / "openair" / "mydata.csv.gz", parse_dates=["date"], index_col="date")["no2"]
    daily = hourly.resample("D").mean()
    found = find_steps(weekly(daily.where(daily > 0)))
    rise = found.steps[-1]
    # Carslaw, Ropkins and Bell (2006, Environ. Sci. Technol. 40:6912): 95 % from January to March 2003.
    assert rise.earliest >= pd.Timestamp("2002-12-01") and rise.latest <= pd.Timestamp("2003-03-31")
    assert 0.2 < rise.low < rise.change < rise.high < 0.45


def test_apec_from_the_command_with_donors(shared_data, tmp_path) -> None:
    arguments = [
        "study", "intervention", "--observations", str(shared_data / "five-cities"), "--place", "beijing", "--from", "2014-11-03",
        "--to", "2014-11-12", "--donor", "shanghai", "--donor", "shenyang", "--json", "--out", str(tmp_path),
    ]  # fmt: skip
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 0, answer.output
    found = {row["method"]: row for row in json.loads(answer.stdout)["effects"]}
    assert found["weather"]["high"] < -0.1 and found["weather"]["p_value"] < 0.05
    assert {p.name for p in tmp_path.iterdir()} >= {"course.png", "placebo_in_space.csv", "weights.csv"}
    for name, wrong in (("--from", "yesterday"), ("--to", "2014-11-01"), ("--to", "2020-01-01")):
        again = list(arguments)
        again[again.index(name) + 1] = wrong
        assert isinstance(CliRunner().invoke(app, again).exception, InputError)


def test_too_few_placebos_and_too_short_series_are_refused(beijing) -> None:
    with pytest.raises(InputError, match="placebo windows"):
        assess(beijing, START, 60)
    with pytest.raises(InputError, match="window"):
        assess(beijing, pd.Timestamp("2012-01-01"), 10)
