"""Choice of sites: known optima of simulated fields are found, and Beijing's stations are ranked."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from hazecast.forecast.studies.quality.siting import CRITERIA, choose, cover, daily_means, greedy, removal, score
from hazecast.grids.errors import InputError
from tests.support.command_line import run_command


def field(seed: int, sites: int = 8, days: int = 600) -> tuple[pd.DataFrame, np.ndarray]:
    """Return daily concentrations of a field whose sites correlate by their distance, and its covariance."""
    random = np.random.default_rng(seed)
    where = random.uniform(0, 60, (sites, 2))
    distance = np.hypot(*(where[:, None] - where[None]).transpose(2, 0, 1))
    covariance = 0.4 * np.exp(-distance / 40) + 0.005 * np.eye(sites)
    log = 4.0 + random.multivariate_normal(np.zeros(sites), covariance, days)
    index = pd.date_range("2013-01-01", periods=days)
    return pd.DataFrame(np.exp(log), index=index, columns=[f"s{i}" for i in range(sites)]), covariance


def test_greedy_is_nearly_the_best_of_all_choices() -> None:
    for criterion in CRITERIA:
        reached = []
        for seed in range(20):
            _, covariance = field(seed, days=2)
            scores = [score(covariance, one, criterion) for one in combinations(range(8), 4)]
            taken = score(covariance, greedy(covariance, 4, criterion), criterion)
            assert taken <= max(scores) + 1e-9
            reached.append((taken - min(scores)) / (max(scores) - min(scores)))
        assert min(reached) > 0.75 and np.mean(reached) > 0.95


def test_the_choice_is_that_of_the_true_covariance_and_its_error_is_the_true_one() -> None:
    found, expected = [], []
    for seed in range(12):
        daily, covariance = field(seed)
        one = choose(daily, 4)
        assert one.compared == 70
        best = max(score(covariance, kept, "error") for kept in combinations(range(8), 4))
        found.append(score(covariance, [daily.columns.get_loc(name) for name in one.kept], "error") / best)
        # Of a lognormal value with variance v, known but for the part w: rmse over mean is sqrt(exp(v) (1 - exp(-w))).
        inside = [daily.columns.get_loc(name) for name in one.kept]
        for name, row in one.removed.iterrows():
            at = daily.columns.get_loc(name)
            weights = np.linalg.solve(covariance[np.ix_(inside, inside)], covariance[inside, at])
            left = covariance[at, at] - weights @ covariance[inside, at]
            expected.append(row["relative"] / np.sqrt(np.exp(covariance[at, at]) * (1 - np.exp(-left))))
    # The sampled covariance costs at most a few per cent of the variance left; errors are right in the mean.
    assert max(found) < 1.1 and np.mean(expected) == pytest.approx(1.0, abs=0.06)


def test_a_station_that_repeats_another_is_missed_least() -> None:
    daily, _ = field(3)
    daily["twin"] = daily["s2"] * np.exp(np.random.default_rng(0).normal(0, 0.01, len(daily)))
    table = removal(daily)
    assert set(table.index[:2]) == {"twin", "s2"} and table["relative"].iloc[0] < 0.05
    assert {"twin", "s2"} - set(choose(daily, 5).kept)


def test_cover_takes_what_most_people_live_around() -> None:
    demand = pd.DataFrame(
        {"latitude": [22.0, 22.0, 22.5, 23.0], "longitude": [113.0, 113.01, 113.5, 114.0], "weight": [5, 4, 8, 1]}
    )
    candidates = pd.DataFrame(
        {"latitude": [22.0, 22.5, 22.001, 30.0], "longitude": [113.005, 113.5, 113.0, 120.0]}, index=list("abcd")
    )
    found = cover(candidates, demand, 4, 2.0)
    assert list(found.index) == ["a", "b"]  # c covers what a does, d nobody
    assert list(found["gained"]) == [9.0, 8.0] and found["share"].iloc[-1] == pytest.approx(17 / 18)
    wrong = [
        (demand.assign(weight=-1), 1, 2.0),
        (demand, 0, 2.0),
        (demand, 1, 0.0),
        (demand.assign(weight=np.nan), 1, 2.0),
    ]
    for table, number, radius in wrong:
        with pytest.raises(InputError):
            cover(candidates, table, number, radius)


def test_impossible_choices_and_short_records_are_refused() -> None:
    daily, _ = field(1)
    for number, criterion in ((0, "error"), (8, "error"), (3, "beauty")):
        with pytest.raises(InputError):
            choose(daily, number, criterion)
    hourly = pd.DataFrame(5.0, index=pd.date_range("2014-01-01", periods=240 * 24, freq="h"), columns=list("abc"))
    hourly.iloc[: 100 * 24, 1] = np.nan
    with pytest.raises(InputError, match="missing at b"):
        daily_means(hourly)


def test_which_eight_of_beijings_stations_keep_the_field(shared_data) -> None:
    answer = run_command("study", "sites", "--observations", shared_data / "beijing-multisite", "--keep", 8, "--json")
    found = json.loads(answer)
    assert found["choices_compared"] == 495 and len(found["kept"]) == 8
    # The far stations stay, of the inner city's near ones four go; each is then known to within 17 %.
    assert {"Dingling", "Huairou", "Changping", "Shunyi"} <= set(found["kept"])
    assert all(row["relative"] < 0.17 and row["correlation"] > 0.97 for row in found["removed"])
    assert found["mean_rmse"] < 4
