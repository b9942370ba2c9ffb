"""The Python API of the notebooks, and the plots: what they draw is what they were given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hazecast.forecast.evaluation import plots
from hazecast.forecast.evaluation.backtest import score_table
from hazecast.forecast.evaluation.verification import quantile_shares
from hazecast.grids.contract import QUANTILES
from hazecast.grids.errors import InputError
from hazecast.models.interface import Prediction
from hazecast.services.research import lab
from tests.support.forecasts import HOUR, INIT, forecast_of, observations_of
from tests.support.training_data import made_windows


def line(axes, label: str):
    return next(one for one in axes.lines if one.get_label() == label)


def test_a_fan_shows_the_median_the_intervals_and_what_was_observed() -> None:
    observations = observations_of(np.arange(200.0), INIT + 50 * HOUR)
    axes = plots.fan(forecast_of(110.0), observations, "beijing").axes[0]
    np.testing.assert_array_equal(line(axes, "median").get_ydata(), 110.0)
    observed = line(axes, "observed").get_ydata()
    assert len(observed) == 73 + 50 and observed[-1] == 199.0
    assert {band.get_label() for band in axes.collections} == {"80 % interval", "50 % interval"}
    wide = next(band for band in axes.collections if band.get_label() == "80 % interval").get_datalim(axes.transData)
    assert (wide.y0, wide.y1) == (90.0, 130.0)
    with pytest.raises(InputError, match="tokyo"):
        plots.fan(forecast_of(110.0), observations, "tokyo")
    with pytest.raises(InputError, match="so2"):
        plots.fan(forecast_of(110.0), observations, "beijing", "so2")


def test_a_replay_has_a_panel_for_each_forecast() -> None:
    forecasts = [forecast_of(100.0 + day, init=INIT + 24 * day * HOUR) for day in range(3)]
    figure = plots.episode(forecasts, observations_of(np.arange(300.0), INIT + 90 * HOUR), "beijing")
    assert [line(axes, "median").get_ydata()[0] for axes in figure.axes] == [100.0, 101.0, 102.0]
    with pytest.raises(InputError, match="at least one"):
        plots.episode([], observations_of(np.arange(3.0), INIT), "beijing")


def test_skill_and_reliability_draw_the_scores() -> None:
    result = {"models": {"m": {"pm25": {"rmse": {"1": 10.0, "24": 30.0, "120": None, "1-24": 20.0}}}}}
    axes = plots.skill_by_lead(result).axes[0]
    assert list(line(axes, "m").get_xdata()) == [1, 24] and list(line(axes, "m").get_ydata()) == [10.0, 30.0]
    with pytest.raises(InputError, match="crps"):
        plots.skill_by_lead(result, "pm25", "crps")
    shares = pd.DataFrame({"pm25": list(QUANTILES)}, index=list(QUANTILES))
    axes = plots.reliability({"m": shares}).axes[0]
    np.testing.assert_array_equal(line(axes, "m").get_xdata(), line(axes, "m").get_ydata())


class Knows:
    """Forecasts every window's own quantiles of a uniform distribution on 0 to 100."""

    name = "knows"

    def predict(self, windows) -> Prediction:
        assert windows.target is None
        shape = (len(windows), windows.future_weather.shape[1], 2)
        quantiles = np.broadcast_to(100 * np.array(QUANTILES, np.float32), (*shape, 5))
        return Prediction(quantiles, np.full(shape, 50.0, np.float32))


def test_quantile_shares_of_a_calibrated_forecast_are_its_quantiles() -> None:
    windows = made_windows()
    uniform = np.random.default_rng(0).uniform(0, 100, windows.series[0].observations.shape)
    windows.series[0].observations[:] = uniform
    shares = quantile_shares(Knows(), windows, future_weather=False, at_once=7)
    np.testing.assert_allclose(shares["pm25"], QUANTILES, atol=0.05)


def test_the_lab_on_real_data(shared_data, tmp_path) -> None:
    data = lab.load(shared_data / "five-cities")
    span = {"since": "2013-06-01T00:00Z"}
    persistence = lab.fit("persistence", data, "2013-07-01T00:00Z", **span)
    network = lab.fit(
        "network",
        data,
        "2013-07-01T00:00Z",
        **span,
        windows=160,
        batch=16,
        hidden=4,
        blind_hidden=4,
        members=1,
        context=4,
        seed=5,
    )
    result = lab.backtest({"p": persistence, "n": network}, data, "2013-07-01T00:00Z", "2013-07-05T00:00Z", every=24)
    assert score_table(result).loc["p", "1"] < score_table(result).loc["n", "1"]
    made = lab.forecast(network, data, "2013-07-03T05:00Z", ["beijing"])
    assert made["pm25"].notnull().all() and made.attrs["weather_source"] == "none"
    model = lab.register(network, tmp_path, {"rmse": 1.0})
    assert (
        model.card["seed"] == 5
        and model.card["scores"] == {"rmse": 1.0}
        and model.card["trained_on"] == ["five-cities"]
    )
    assert lab.registry(tmp_path).get(model.model_id).card["network"]["hidden"] == 4
    kept = lab.register(persistence, tmp_path)
    assert kept.kind == "persistence" and kept.card["trained_on"] == ["five-cities"]
    with pytest.raises(InputError, match="knows.*save and load"):
        lab.register(lab.Fitted(Knows(), network.train, (), network.until), tmp_path)
    with pytest.raises(InputError, match="fitted until"):
        lab.backtest({"p": persistence}, data, "2013-06-20T00:00Z", "2013-07-05T00:00Z")
    with pytest.raises(InputError, match="takes no settings"):
        lab.fit("persistence", data, "2013-07-01T00:00Z", seed=1)
    with pytest.raises(InputError, match="tokyo"):
        lab.forecast(network, data, "2013-07-03T05:00Z", ["tokyo"])
    with pytest.raises(InputError, match="weather"):
        lab.forecast(network, data, "2013-07-03T05:00Z", ["beijing"], weather="rain")
    with pytest.raises(InputError, match="PM2.5 in the 72 h"):
        lab.forecast(network, data, "2016-07-03T05:00Z", ["beijing"])


def test_comparing_models_never_uses_a_period_that_one_was_trained_on(shared_data, tmp_path) -> None:
    data = lab.load(shared_data / "five-cities")
    first, second = (
        lab.register(
            lab.fit("network", data, "2013-07-01T00:00Z", since="2013-06-01T00:00Z", windows=160, batch=16, hidden=width, blind_hidden=4, members=1, context=4),
            tmp_path,
        )
        for width in (4, 5)
    )  # fmt: skip
    folder = shared_data / "five-cities"
    result = lab.compare(first, second, folder, "2013-08-01T00:00Z", "2013-08-12T00:00Z", every=24)
    ratio = result["differences"]["pm25"]["rmse_ratio"]["1-24"]
    own, other = (result["models"][model.model_id]["pm25"]["rmse"]["1-24"] for model in (first, second))
    assert ratio["value"] == pytest.approx(own / other, rel=1e-3) and ratio["low"] <= ratio["high"]
    with pytest.raises(InputError, match="after the training"):
        lab.compare(first, second, folder, "2013-06-15T00:00Z", "2013-08-12T00:00Z")
    with pytest.raises(InputError, match="another model"):
        lab.compare(first, first, folder, "2013-08-01T00:00Z", "2013-08-12T00:00Z")
