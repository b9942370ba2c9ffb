"""Damaged weights cost no forecast: another shipped model, or the last days of observations, stand in."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import numpy as np
import pytest

from hazecast.models import trained
from hazecast.models.files import CARD_FILE
from hazecast.models.registry import NO_TRAINED_MODEL, ModelRegistry, load_serving
from hazecast.models.trained import shipped_models
from hazecast.models.zoo.recent_days import RecentDays
from hazecast.services.work.cycle import run_cycle
from hazecast.services.work.verification import serving_id
from tests.support.settings import make_settings


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Copies of the shipped models, to be damaged."""
    shutil.copytree(trained.SHIPPED, tmp_path / "weights")
    monkeypatch.setattr(trained, "SHIPPED", tmp_path / "weights")
    return shipped_models()


def damage(model: trained.TrainedModel) -> None:
    for path in model.folder.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-9] + b"\0" * 9)


def test_another_shipped_model_stands_in_for_a_damaged_one(shipped, tmp_path) -> None:
    damage(shipped[0])
    _, model_id, faults = load_serving(ModelRegistry(tmp_path / "own"))
    assert model_id == shipped[1].model_id
    assert len(faults) == 1 and "a shipped one is used" in faults[0] and "SHA-256" in faults[0]


@pytest.mark.parametrize("lost", ["weights", "cards", "folders"])
def test_without_any_trained_model_the_last_days_stand_in(shipped, tmp_path, lost) -> None:
    for model in shipped:
        if lost == "weights":
            damage(model)
        elif lost == "cards":
            (model.folder / CARD_FILE).write_text("{")
        else:
            shutil.rmtree(model.folder)
    model, model_id, faults = load_serving(ModelRegistry(tmp_path / "own"))
    assert isinstance(model, RecentDays) and model_id == model.name == NO_TRAINED_MODEL
    assert "no trained model can be loaded" in faults[0]
    if lost == "folders":
        settings = make_settings(data_dir=tmp_path / "data")
        assert serving_id(settings) == NO_TRAINED_MODEL
        report = run_cycle(settings, init_time=datetime(2026, 1, 15, 22, tzinfo=UTC), cities=("beijing",))
        assert (report.status, report.model_id) == ("degraded", NO_TRAINED_MODEL)
        assert report.lines[0].pm25_mean_24h > 0 and any("no trained model" in reason for reason in report.reasons)


def test_the_last_days_are_repeated_with_their_changes_and_nothing_is_made_up() -> None:
    history = np.full((2, 72, 6), np.nan, np.float32)
    hours = np.arange(72)
    history[0, :, 0] = 100 + 10 * np.sin(2 * np.pi * hours / 24) + np.where(hours >= 48, 20, 0)
    windows = type("Given", (), {"history_obs": history})()
    made = RecentDays().predict(windows)
    assert made.mean.shape == (2, 120, 2) and made.quantiles.shape == (2, 120, 2, 5)
    np.testing.assert_allclose(made.mean[0, :24, 0], history[0, 48:, 0], rtol=1e-6)
    # Half of the days changed by 20, half by nothing.
    np.testing.assert_allclose(made.quantiles[0, 0, 0] - made.mean[0, 0, 0], [0, 0, 10, 20, 20], atol=1e-4)
    assert np.isnan(made.mean[1]).all() and np.isnan(made.quantiles[0, :, 1]).all()
