"""Scores against figures worked by hand, and the rules of a backtest."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.backtest import LEADS_SHOWN, Scores, backtest, format_table
from grids.contract import LEAD_HOURS
from models.interface import Prediction
from tests.test_models import made_windows


class Constant:
    name = "constant"

    def __init__(self, value: float) -> None:
        self.value = value

    def fit(self, train, *, progress: bool = False) -> None:
        raise AssertionError("a backtest trains nothing")

    def predict(self, windows) -> Prediction:
        n = len(windows)
        steps = np.array([-20, -10, 0, 10, 20], np.float32)
        mean = np.full((n, LEAD_HOURS, 2), self.value, np.float32)
        return Prediction(mean[..., None] + steps, mean)


def test_scores_by_hand() -> None:
    scores = Scores()
    target = np.full((2, LEAD_HOURS, 2), np.nan, np.float32)
    target[:, :, 0] = [[100.0], [130.0]]
    mean = np.full_like(target, 110.0)
    quantiles = mean[..., None] + np.array([-20, -10, 0, 10, 20], np.float32)
    scores.add(target, mean, quantiles)
    table = scores.table()["pm25"]
    assert table["rmse"]["24"] == pytest.approx(np.sqrt((100 + 400) / 2))
    assert table["mae"]["24"] == pytest.approx(15.0)
    assert table["bias"]["24"] == pytest.approx(-5.0)
    assert table["coverage80"]["24"] == pytest.approx(1.0)
    assert table["n"]["24"] == 2
    pinball_100 = np.mean([0.1 * 10, 0.25 * 0, 0.5 * 10, 0.25 * 20, 0.1 * 30])
    pinball_130 = np.mean([0.1 * 40, 0.25 * 30, 0.5 * 20, 0.75 * 10, 0.9 * 0])
    assert table["crps"]["24"] == pytest.approx(pinball_100 + pinball_130)
    assert np.isnan(scores.table()["o3"]["rmse"]["24"])


def test_all_models_are_scored_on_the_same_pairs_and_the_better_one_wins() -> None:
    windows = made_windows()
    result = backtest({"near": Constant(80.0), "far": Constant(200.0)}, windows, future_weather=False)
    for lead in map(str, LEADS_SHOWN):
        assert result["near"]["pm25"]["n"][lead] == result["far"]["pm25"]["n"][lead] == len(windows)
        assert result["near"]["pm25"]["rmse"][lead] < result["far"]["pm25"]["rmse"][lead]
    assert {"1-24", "25-48", "49-72"} <= set(result["near"]["o3"]["mae"])
    text = format_table(result, ["near", "far"])
    assert text.count("near") == 4 and "72 h" in text
