"""Effect of measures: cuts imposed on real series are found, and impossible requests are refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from hazecast.forecast.studies.measures.changes import change_point, trend, weekly
from hazecast.forecast.studies.measures.deweather import daily_table, expected_concentration
from hazecast.forecast.studies.measures.intervention import (
    assess,
    estimate_effect,
    recover_known_cuts,
    synthetic_control,
)
from hazecast.grids.errors import InputError
from hazecast.services.cli.app import app
from hazecast.services.research.places import series_at

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
        one = estimate_effect(pd.Series(random.standard_t(3, 100), index=days), days[50])
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


def weeks(slope: float, step: float, seed: int) -> pd.Series:
    random = np.random.default_rng(seed)
    noise = np.zeros(157)
    for i in range(1, 157):
        noise[i] = 0.4 * noise[i - 1] + random.normal(0, 0.2)
    at = np.arange(157)
    return pd.Series(
        noise + slope * at / 52.18 + step * (at >= 80), index=pd.date_range("2013-03-01", periods=157, freq="7D")
    )


def test_trend_and_step_are_found_in_correlated_noise() -> None:
    found = [trend(weeks(np.log(0.9), 0.0, seed), resamples=100) for seed in range(20)]
    assert sum(one.low <= -0.1 <= one.high for one in found) >= 15
    assert sum(trend(weeks(0.0, 0.0, seed), resamples=100).p_value < 0.05 for seed in range(20)) <= 4
    step = change_point(weeks(0.0, np.log(0.7), 3), resamples=40)
    assert step.low <= -0.3 <= step.high and abs((step.date - pd.Timestamp("2014-09-12")).days) <= 28
    assert step.p_value < 0.05
    with pytest.raises(InputError, match="weeks"):
        weekly(pd.Series(5.0, index=pd.date_range("2014-01-01", periods=100)))


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
