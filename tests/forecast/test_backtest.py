"""Scores against figures worked by hand and the library's own, and the rules of a backtest."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import xarray as xr
from scores.continuous import mae, rmse
from scores.continuous.correlation import pearsonr

from hazecast.forecast.evaluation.backtest import backtest, format_table, tally
from hazecast.forecast.evaluation.comparison import differences, resampled_days
from hazecast.forecast.evaluation.scoring import BANDS, LEADS_SHOWN, Tally
from hazecast.grids.contract import LEAD_HOURS
from hazecast.models.interface import EVENTS, Prediction
from hazecast.models.windows import scoring_windows
from tests.support.training_data import made_series, made_windows


class Constant:
    name = "constant"

    def __init__(self, value: float, events: bool | None = None) -> None:
        self.value, self.events = value, events

    def fit(self, train, *, progress: bool = False) -> None:
        raise AssertionError("a backtest trains nothing")

    def predict(self, windows) -> Prediction:
        assert windows.target is None, "a model is never handed what it is to forecast"
        n = len(windows)
        steps = np.array([-20, -10, 0, 10, 20], np.float32)
        mean = np.full((n, LEAD_HOURS, 2), self.value, np.float32)
        events = None if self.events is None else np.full((n, LEAD_HOURS, len(EVENTS)), self.events)
        return Prediction(mean[..., None] + steps, mean, events)


class Copycat(Constant):
    """Remembers every target it is shown and when."""

    name = "copycat"

    def __init__(self) -> None:
        super().__init__(80.0)
        self.shown: dict[tuple[str, np.datetime64, np.datetime64], float] = {}
        self.newest_shown = np.datetime64("1900-01-01", "ns")
        self.calls: list[tuple[np.datetime64, np.datetime64]] = []
        self.lessons = 0

    def learn(self, past, forecast) -> None:
        self.lessons += 1
        assert forecast.mean.shape[0] == len(past)
        valid = past.init_time[:, None] + np.arange(1, LEAD_HOURS + 1) * np.timedelta64(1, "h")
        for row, lead in zip(*np.nonzero(np.isfinite(past.target[..., 0])), strict=True):
            key = (str(past.place[row]), past.init_time[row], valid[row, lead])
            assert key not in self.shown, "each target is shown once"
            self.shown[key] = past.target[row, lead, 0]
            self.newest_shown = max(self.newest_shown, valid[row, lead])

    def predict(self, windows) -> Prediction:
        self.calls.append((windows.init_time.min(), self.newest_shown))
        return super().predict(windows)


def one_place(target, mean, quantiles, events=None) -> Tally:
    """Tally windows (n, lead, ...) as the init times of one day at one place."""
    tally = Tally(1, ["here"])

    def cell(a):
        return None if a is None else a[None, :, None]

    tally.add(0, cell(target), cell(mean), cell(quantiles), cell(events))
    return tally


def test_scores_by_hand() -> None:
    target = np.full((2, LEAD_HOURS, 2), np.nan, np.float32)
    target[:, :, 0] = [[100.0], [130.0]]
    mean = np.full_like(target, 110.0)
    quantiles = mean[..., None] + np.array([-20, -10, 0, 10, 20], np.float32)
    tables = one_place(target, mean, quantiles).table()
    table = tables["pm25"]
    assert table["rmse"]["24"] == pytest.approx(np.sqrt((100 + 400) / 2), rel=1e-4)
    assert table["mae"]["24"] == pytest.approx(15.0)
    assert table["bias"]["24"] == pytest.approx(-5.0)
    assert table["coverage80"]["24"] == pytest.approx(1.0)
    assert table["n"]["24"] == 2 and table["n"]["1-24"] == 48
    pinball_100 = np.mean([0.1 * 10, 0.25 * 0, 0.5 * 10, 0.25 * 20, 0.1 * 30])
    pinball_130 = np.mean([0.1 * 40, 0.25 * 30, 0.5 * 20, 0.75 * 10, 0.9 * 0])
    assert table["crps"]["24"] == pytest.approx(pinball_100 + pinball_130, rel=1e-4)
    assert tables["o3"]["rmse"]["24"] is None
    assert json.dumps(tables, allow_nan=False)


def test_events_by_hand_follow_the_models_decision_or_else_its_mean() -> None:
    target = np.full((4, LEAD_HOURS, 2), 20.0, np.float32)
    target[:, :, 0] = np.array([80.0, 120.0, 76.0, 10.0])[:, None]
    mean = np.full_like(target, 20.0)
    mean[:, :, 0] = np.array([90.0, 116.0, 70.0, 100.0])[:, None]
    quantiles = np.repeat(mean[..., None], 5, axis=-1)
    by_mean = one_place(target, mean, quantiles).table()["pm25"]
    # 75: hits 90 and 116, a miss 70 and a false alarm 100
    assert by_mean["csi_75"]["24"] == by_mean["csi_mean_75"]["24"] == pytest.approx(2 / 4)
    assert by_mean["pod_75"]["24"] == pytest.approx(2 / 3, rel=1e-4)
    assert by_mean["far_75"]["24"] == pytest.approx(1 / 3, rel=1e-4)
    assert by_mean["csi_115"]["1-72"] == 1.0 and by_mean["csi_250"]["24"] is None
    own = one_place(target, mean, quantiles, np.ones((4, LEAD_HOURS, len(EVENTS)), bool)).table()["pm25"]
    assert own["csi_75"]["24"] == pytest.approx(3 / 4) and own["csi_mean_75"]["24"] == pytest.approx(2 / 4)
    assert own["far_115"]["24"] == pytest.approx(3 / 4)


def test_sums_give_what_the_library_gives_on_all_pairs_at_once() -> None:
    random = np.random.default_rng(4)
    target = random.gamma(2, 40, (6, LEAD_HOURS, 2)).astype(np.float32)
    target[random.random(target.shape) < 0.2] = np.nan
    mean = (np.nan_to_num(target, nan=50.0) * 0.7 + random.normal(0, 20, target.shape)).astype(np.float32)
    quantiles = np.sort(mean[..., None] + random.normal(0, 30, (*mean.shape, 5)), axis=-1).astype(np.float32)
    sums = Tally(3, ["here"])
    for day in range(3):
        two = slice(2 * day, 2 * day + 2)
        sums.add(day, *(a[two][None, :, None] for a in (target, mean, quantiles)))
    found = sums.by_lead()["o3"]
    f, o, median = (xr.DataArray(a[..., 1], dims=("n", "lead")) for a in (mean, target, quantiles[..., 2]))
    np.testing.assert_allclose(found["rmse"], rmse(f, o, preserve_dims="lead"), rtol=1e-5)
    np.testing.assert_allclose(found["mae"], mae(median, o, preserve_dims="lead"), rtol=1e-5)
    few = found["n"] < 3
    expected = pearsonr(f.where(np.isfinite(o)), o, preserve_dims="lead").values
    np.testing.assert_allclose(found["correlation"][~few], expected[~few], atol=1e-4)


def test_all_models_are_scored_on_the_same_pairs_and_the_better_one_wins() -> None:
    windows = made_windows()
    models = {"near": Constant(80.0), "far": Constant(200.0)}
    result = backtest(models, windows, future_weather=False)
    near, far = result["models"]["near"]["pm25"], result["models"]["far"]["pm25"]
    for lead in map(str, LEADS_SHOWN):
        assert near["n"][lead] == far["n"][lead] == len(windows)
        assert near["rmse"][lead] < far["rmse"][lead]
    assert {f"{first}-{last}" for first, last in BANDS} <= set(near["mae"])
    assert set(result["by_station"]) == {"place0", "place1"} and set(result["by_season"]) == {"winter"}
    halves = [result["by_station"][p]["near"]["pm25"] for p in ("place0", "place1")]
    assert sum(h["n"]["24"] for h in halves) == near["n"]["24"]
    squared = sum(h["n"]["24"] * h["rmse"]["24"] ** 2 for h in halves) / near["n"]["24"]
    assert near["rmse"]["24"] == pytest.approx(np.sqrt(squared), rel=1e-4)
    gap = result["differences"]["near - far"]["pm25"]
    assert gap["rmse"]["24"]["value"] == pytest.approx(near["rmse"]["24"] - far["rmse"]["24"], rel=1e-3)
    assert gap["rmse"]["24"]["low"] <= gap["rmse"]["24"]["value"] <= gap["rmse"]["24"]["high"] < 0
    assert gap["rmse_ratio"]["1-72"]["high"] < 1
    text = format_table(result["models"], ["near", "far"])
    assert text.count("near") == 6 and "120 h" in text
    assert json.dumps(result, allow_nan=False)


def test_a_model_that_learns_as_it_goes_never_sees_the_future() -> None:
    series = made_series()
    windows = scoring_windows((series,), series.times[100], series.times[400], every=6)
    model = Copycat()
    tally({"copycat": model}, windows, future_weather=False)
    assert model.lessons == 12, "one a day, after the first"
    starts = [start for start, _ in model.calls]
    assert starts == sorted(starts) and len(starts) == 13
    assert all(newest <= start for start, newest in model.calls)
    # by the last day all targets up to its first init time have been shown, each with its true value
    row = {str(place): number for number, place in enumerate(series.places)}
    for (place, _, valid), value in model.shown.items():
        assert value == series.observations[row[place], int((valid - series.times[0]) / np.timedelta64(1, "h")), 0]
    last = starts[-1]
    due = sum(
        int(min(LEAD_HOURS, max(0, (last - time) / np.timedelta64(1, "h"))))
        for time in series.times[windows.index[:, 2]]
        if time < last
    )
    assert len(model.shown) == due


def test_weather_is_changed_for_the_models_but_not_the_targets() -> None:
    class Reader(Constant):
        def predict(self, windows) -> Prediction:
            assert np.isnan(windows.future_weather).all()
            return super().predict(windows)

    def blind(windows):
        return dataclasses.replace(windows, future_weather=np.full_like(windows.future_weather, np.nan))

    tally({"reader": Reader(80.0)}, made_windows(), future_weather=True, change=blind)


def test_days_are_drawn_in_moving_blocks_the_same_for_a_seed() -> None:
    drawn = resampled_days(40, block=10, resamples=50, seed=3)
    assert drawn.shape == (50, 40) and (drawn.sum(axis=1) == 40).all()
    np.testing.assert_array_equal(drawn, resampled_days(40, block=10, resamples=50, seed=3))
    assert not np.array_equal(drawn, resampled_days(40, block=10, resamples=50, seed=4))
    # not circular: the last day only comes with the last block
    assert (drawn[:, -1] <= drawn[:, -10]).all()


def test_the_interval_of_a_difference_holds_zero_for_equally_good_models() -> None:
    random = np.random.default_rng(0)
    tallies = {name: Tally(60, ["here"]) for name in ("a", "b")}
    target = random.gamma(2, 40, (60, 1, 1, LEAD_HOURS, 2)).astype(np.float32)
    for one in tallies.values():
        mean = (target + random.normal(0, 20, target.shape)).astype(np.float32)
        one.add(0, target, mean, mean[..., None] + np.arange(-2, 3, dtype=np.float32) * 12)
    pair = differences(tallies, resamples=200)["a - b"]["pm25"]["rmse"]["1-72"]
    assert pair["low"] < 0 < pair["high"] and pair["high"] - pair["low"] < 2
