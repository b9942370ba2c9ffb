"""Models: what they may see, what they must give, and that they survive gaps and files."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.grids.errors import InputError
from hazecast.models import checkpoint
from hazecast.models.experts import last_observed
from hazecast.models.files import CARD_FILE
from hazecast.models.kinds import create, model_names
from hazecast.models.registry import load_trained
from hazecast.models.scaling import decode_concentration, encode_concentration
from hazecast.models.series import WEATHER_NAMES
from hazecast.models.trained import SHIPPED
from hazecast.models.windows import window_set
from hazecast.models.zoo.baselines import Climatology, Persistence
from hazecast.models.zoo.combined import Combined
from hazecast.models.zoo.network import Network
from hazecast.models.zoo.network_model import WEIGHTS_FILE, NetworkModel
from hazecast.models.zoo.network_training import TrainingSettings, with_gaps
from hazecast.models.zoo.recurrent import GraphModel, GRUModel
from hazecast.models.zoo.tabular import RidgeModel, TreesModel
from tests.support.training_data import TINY, made_series, made_windows


@pytest.fixture(scope="module")
def trained() -> dict[str, object]:
    windows = made_windows(made_series(1_000))
    models = {name: create(name) for name in model_names()}
    models["network"] = NetworkModel(TrainingSettings(windows=320, batch=32, **(TINY | {"hidden": 16})))
    models["service"] = Combined(NetworkModel(TrainingSettings(windows=64, batch=32, **TINY)))
    models |= {"ridge": RidgeModel(windows=40), "lightgbm": TreesModel(windows=60, rounds=5)}
    models |= {"gru": GRUModel(hidden=4, windows=20, batch=4), "graph": GraphModel(hidden=4, windows=20, batch=4)}
    for model in models.values():
        model.fit(windows)
    return models


def test_windows_hold_the_right_hours() -> None:
    series = made_series()
    windows = made_windows(series)
    batch = windows.batch(np.arange(len(windows)), future_weather=True)
    for row in (0, len(windows) // 2, len(windows) - 1):
        _, place, now = windows.index[row]
        np.testing.assert_array_equal(batch.history_obs[row], series.observations[place, now - 71 : now + 1])
        np.testing.assert_array_equal(batch.future_weather[row], series.weather[place, now + 1 : now + 1 + LEAD_HOURS])
        np.testing.assert_array_equal(batch.target[row], series.observations[place, now + 1 : now + 1 + LEAD_HOURS, :2])
        assert batch.init_time[row] == series.times[now]
    assert np.isnan(windows.batch(np.arange(3), future_weather=False).future_weather).all()


def test_windows_never_leave_their_period_nor_touch_what_is_held_out() -> None:
    series = made_series()
    first, last = series.times[100], series.times[500]
    held = (series.times[300], series.times[310])
    windows = window_set((series,), first, last, without=(held,))
    now = windows.index[:, 2]
    assert (series.times[now - 71] >= first).all() and (series.times[now + LEAD_HOURS] <= last).all()
    touched = (now + LEAD_HOURS >= 300) & (now - 71 <= 310)
    assert len(windows) and not touched.any()


@pytest.mark.parametrize("name", model_names())
def test_no_model_sees_the_future(trained, name) -> None:
    windows = made_windows().batch(np.arange(10), future_weather=False)
    before = trained[name].predict(windows)
    changed = dataclasses.replace(windows, target=windows.target * 100 + 7)
    after = trained[name].predict(changed)
    np.testing.assert_array_equal(before.quantiles, after.quantiles)
    np.testing.assert_array_equal(before.mean, after.mean)


@pytest.mark.parametrize("name", model_names())
@pytest.mark.parametrize("gap", ["none", "observations", "weather", "everything"])
def test_predictions_are_finite_ordered_and_not_negative(trained, name, gap) -> None:
    windows = made_windows().batch(np.arange(12), future_weather=True)
    emptied = {
        "none": {},
        "observations": {"history_obs": np.full_like(windows.history_obs, np.nan)},
        "weather": {
            "history_weather": np.full_like(windows.history_weather, np.nan),
            "future_weather": np.full_like(windows.future_weather, np.nan),
        },
    }
    emptied["everything"] = emptied["observations"] | emptied["weather"]
    prediction = trained[name].predict(dataclasses.replace(windows, **emptied[gap]))
    assert prediction.quantiles.shape == (12, LEAD_HOURS, 2, len(QUANTILES))
    assert np.isfinite(prediction.quantiles).all() and np.isfinite(prediction.mean).all()
    assert (np.diff(prediction.quantiles, axis=-1) >= 0).all()
    assert (prediction.quantiles >= 0).all() and (prediction.mean >= 0).all()


def test_persistence_repeats_the_newest_valid_value(trained) -> None:
    windows = made_windows().batch(np.arange(4), future_weather=False)
    history = windows.history_obs.copy()
    history[0, -5:, 0] = np.nan
    prediction = trained["persistence"].predict(dataclasses.replace(windows, history_obs=history))
    np.testing.assert_allclose(prediction.mean[0, :, 0], history[0, -6, 0])
    np.testing.assert_allclose(prediction.mean[1, :, 1], history[1, -1, 1])


def test_last_observed_is_nan_where_nothing_is_valid() -> None:
    assert np.isnan(last_observed(np.full((1, 72, 2), np.nan, np.float32))).all()


def test_climatology_follows_the_local_hour_and_pools_new_places() -> None:
    series = made_series()
    model = Climatology()
    model.fit(made_windows(series, every=1))
    windows = made_windows(series).batch(np.arange(1), future_weather=False)
    mean = model.predict(windows).mean[0, :, 0]
    truth = windows.target[0, :, 0]
    assert np.corrcoef(mean, truth)[0, 1] > 0.9
    elsewhere = model.predict(dataclasses.replace(windows, place=np.array(["nowhere"])))
    assert np.isfinite(elsewhere.mean).all()


def test_persistence_learns_wider_errors_for_longer_leads() -> None:
    random = np.random.default_rng(0)
    walk = 200 + np.cumsum(random.normal(0, 3, (1, 2000, 6)), axis=1)
    series = dataclasses.replace(made_series(2000, 1), observations=walk.astype(np.float32))
    model = Persistence()
    model.fit(made_windows(series, every=1))
    spread = np.ptp(
        model.predict(made_windows(series).batch(np.arange(1), future_weather=False)).quantiles[0, :, 0], -1
    )
    assert spread[47] > 2 * spread[0]


def test_same_seed_same_network_and_training_lowers_the_loss() -> None:
    windows = made_windows()
    short = TrainingSettings(windows=640, batch=32, **(TINY | {"hidden": 16}))
    first, second = NetworkModel(short), NetworkModel(short)
    first.fit(windows)
    second.fit(windows)
    batch = windows.batch(np.arange(20), future_weather=True)
    np.testing.assert_array_equal(first.predict(batch).quantiles, second.predict(batch).quantiles)
    untrained = NetworkModel(network=Network(**TINY)).predict(batch).mean
    error = np.abs(first.predict(batch).mean - batch.target).mean()
    assert error < 0.7 * np.abs(untrained - batch.target).mean()


def test_variables_never_trained_on_are_ignored() -> None:
    series = made_series()
    unseen = series.weather.copy()
    unseen[..., 5] = np.nan
    model = NetworkModel(TrainingSettings(windows=64, batch=32, **TINY))
    model.fit(made_windows(dataclasses.replace(series, weather=unseen)))
    batch = made_windows(series).batch(np.arange(5), future_weather=True)
    other = batch.future_weather.copy()
    other[..., 5] += 1000
    np.testing.assert_array_equal(
        model.predict(batch).mean, model.predict(dataclasses.replace(batch, future_weather=other)).mean
    )


def test_a_network_learns_from_places_without_any_weather() -> None:
    series = made_series(1_000)
    dry = {name: np.full_like(getattr(series, name), np.nan) for name in ("weather", "area_weather")}
    windows = made_windows(dataclasses.replace(series, **dry))
    model = NetworkModel(TrainingSettings(windows=64, batch=32, **TINY))
    model.fit(windows)
    assert np.isfinite(model.predict(windows.batch(np.arange(5), future_weather=True)).quantiles).all()
    assert all(np.isfinite(value).all() for value in model.pool.values())
    # With weather, of which it learned nothing, it forecasts all the same.
    assert np.isfinite(model.predict(made_windows(series).batch(np.arange(5), future_weather=True)).mean).all()


# A variable that is absent from a whole window has no greatest error; the rest is compared.
@pytest.mark.filterwarnings("ignore:All-NaN slice encountered:RuntimeWarning")
def test_gaps_take_away_and_blur_the_coming_weather_only() -> None:
    batch = made_windows().batch(np.arange(60), future_weather=True)
    gappy = with_gaps(batch, np.random.default_rng(3))
    for name in ("history_obs", "area_obs", "history_weather", "area_weather"):
        kept = np.isfinite(getattr(gappy, name))
        assert 0.1 < kept.mean() < np.isfinite(getattr(batch, name)).mean()
        np.testing.assert_array_equal(getattr(gappy, name)[kept], getattr(batch, name)[kept])
    wind = np.isin(WEATHER_NAMES, ["u10", "v10"])
    error = (gappy.future_weather - batch.future_weather)[..., ~wind]
    # The same at all hours: a grid is no station.
    same = np.nanmax(error, axis=1) - np.nanmin(error, axis=1)
    assert np.nanmax(same / np.nanmax(np.abs(batch.future_weather[..., ~wind]), axis=1)) < 1e-4
    assert 0.8 < np.nanstd(error[:, 0, WEATHER_NAMES.index("t2m")]) < 1.8
    stronger = (gappy.area_future_weather / batch.area_future_weather)[..., wind]
    assert 0.1 < np.nanstd(np.log(stronger[:, 0])) < 0.22
    assert np.nanmax(np.nanmax(stronger, axis=(1, 2)) - np.nanmin(stronger, axis=(1, 2))) < 1e-4
    np.testing.assert_array_equal(gappy.target, batch.target)
    np.testing.assert_array_equal(gappy.level, batch.level)
    shift = gappy.init_time - batch.init_time
    assert (shift % np.timedelta64(24, "h") == np.timedelta64(0, "h")).all() and shift.any()


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1500), st.floats(5, 200), st.floats(0.1, 1.2), st.floats(0.1, 50))
def test_concentration_scale_round_trips_and_knows_no_unit(
    value: float, level: float, spread: float, factor: float
) -> None:
    value = min(value, 20 * level)
    one, own, wide = (torch.tensor([number], dtype=torch.float64) for number in (value, level, spread))
    z = encode_concentration(one, own, wide)
    torch.testing.assert_close(decode_concentration(z, own, wide), one, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(encode_concentration(factor * one, factor * own, wide), z)
    assert torch.isnan(encode_concentration(torch.tensor([torch.nan]), own, wide)).all()


def test_checkpoint_round_trip(tmp_path) -> None:
    network = Network(**TINY)
    model = NetworkModel(network=network)
    saved = checkpoint.save(model, {"name": "m", "period": ["2013-01-01", "2013-02-01"]}, tmp_path)
    loaded, card = checkpoint.load(tmp_path)
    assert card == saved and card["model_id"].startswith("m-") and card["network"] == network.options
    assert card["model_id"] == checkpoint.save(model, {"name": "m"}, tmp_path / "again")["model_id"]
    batch = made_windows().batch(np.arange(3), future_weather=True)
    np.testing.assert_array_equal(model.predict(batch).mean, loaded.predict(batch).mean)


def test_broken_checkpoints_are_named(tmp_path) -> None:
    with pytest.raises(InputError, match="model_card"):
        checkpoint.load(tmp_path)
    card = {"name": "m", "period": ["2013-01-01", "2013-02-01"]}
    checkpoint.save(NetworkModel(network=Network(**TINY)), card, tmp_path / "other")
    checkpoint.save(NetworkModel(network=Network(**TINY)), card, tmp_path)
    weights = tmp_path / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(InputError, match="safetensors"):
        checkpoint.load(tmp_path)
    weights.write_bytes((tmp_path / "other" / WEIGHTS_FILE).read_bytes())
    with pytest.raises(InputError, match="SHA-256"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize("network", [[1], None, *({"hidden": wrong} for wrong in (None, 10**9, -1, float("inf")))])
def test_a_damaged_model_card_is_named(tmp_path, network) -> None:
    model = NetworkModel(network=Network(**TINY))
    card = checkpoint.save(model, {"period": ["2013-01-01", "2013-02-01"]}, tmp_path) | {"network": network}
    (tmp_path / CARD_FILE).write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(InputError, match="model_card.json: network"):
        checkpoint.load(tmp_path)


def test_shipped_network_loads_and_its_card_is_whole() -> None:
    model, model_id = load_trained()
    card = checkpoint.read_card(SHIPPED / model_id)
    assert card["model_id"] == model_id
    assert {"trained_on", "period", "held_out", "seed", "features", "code_version", "weather", "limits"} <= set(card)
    assert model.predict(made_windows().batch(np.arange(2), future_weather=False)).mean.shape == (2, LEAD_HOURS, 2)


def test_unknown_model_is_named() -> None:
    with pytest.raises(InputError, match="nosuch"):
        create("nosuch")


@pytest.mark.parametrize("options", [{"dropout": 3.0}, {"hidden": 0}, {"hidden": 1.5}, {"unheard_of": 1}])
def test_a_network_that_can_t_be_built_is_named(tmp_path, options) -> None:
    checkpoint.save(
        NetworkModel(network=Network(**TINY)), {"name": "m", "period": ["2013-01-01", "2013-02-01"]}, tmp_path
    )
    path = tmp_path / CARD_FILE
    card = json.loads(path.read_text())
    card["network"] |= options
    path.write_text(json.dumps(card))
    with pytest.raises(InputError, match="safetensors"):
        checkpoint.load(tmp_path)
