"""Checkpoints: every kind comes back from its folder as it was kept, and a damaged folder is named."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hazecast.grids.errors import InputError
from hazecast.models import checkpoint
from hazecast.models.files import CARD_FILE
from hazecast.models.interface import Calibrated, KeptModel
from hazecast.models.registry import ModelRegistry
from hazecast.models.zoo.baselines import Climatology, DiurnalPersistence, Persistence
from hazecast.models.zoo.network import Network
from hazecast.models.zoo.network_model import NetworkModel
from hazecast.models.zoo.recurrent import GraphModel, GRUModel
from hazecast.models.zoo.tabular import RidgeModel, TreesModel
from hazecast.models.zoo.template import TemplateModel
from tests.support.model_kinds import declare
from tests.support.training_data import TINY, made_series, made_windows

CARD = {"period": ["2013-01-01T00", "2013-02-01T00"]}
KINDS = {
    "persistence": Persistence,
    "diurnal_persistence": DiurnalPersistence,
    "climatology": Climatology,
    "ridge": lambda: RidgeModel(windows=40),
    "lightgbm": lambda: TreesModel(windows=60, rounds=5),
    "gru": lambda: GRUModel(hidden=4, windows=20, batch=4),
    "graph": lambda: GraphModel(hidden=4, windows=20, batch=4),
    "network": lambda: NetworkModel(network=Network(**TINY)),
    "template": TemplateModel,
}


@pytest.fixture
def template(monkeypatch, tmp_path_factory) -> None:
    declare(monkeypatch, tmp_path_factory.mktemp("path"), "template", "hazecast.models.zoo.template:TemplateModel")


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_model_forecasts_as_before(template, tmp_path, kind) -> None:
    windows, model = made_windows(made_series(1_000)), KINDS[kind]()
    if kind != "network":
        model.fit(windows)
    card = checkpoint.save(model, CARD, tmp_path / "source")
    assert card["kind"] == kind and sorted(card["files"]) == sorted(
        path.name for path in (tmp_path / "source").iterdir() if path.name != CARD_FILE
    )
    kept = ModelRegistry(tmp_path / "models").register(tmp_path / "source")
    loaded = kept.load()
    assert kept.kind == kind and type(loaded) is type(model)
    batch = windows.batch(np.arange(6), future_weather=True)
    before, after = model.predict(batch), loaded.predict(batch)
    np.testing.assert_array_equal(before.mean, after.mean)
    np.testing.assert_array_equal(before.quantiles, after.quantiles)
    if before.events is not None:
        np.testing.assert_array_equal(before.events, after.events)
    for path in kept.folder.glob("*.*"):
        if path.name != CARD_FILE:
            path.write_bytes(path.read_bytes()[:-9])
            with pytest.raises(InputError, match="SHA-256"):
                kept.load()


def test_what_a_kind_offers_besides() -> None:
    network, baseline = NetworkModel(network=Network(**TINY)), Persistence()
    assert all(isinstance(network, one) for one in (KeptModel, Calibrated))
    assert isinstance(baseline, KeptModel) and not isinstance(baseline, Calibrated)


def test_the_template_learns_and_gives_sound_forecasts() -> None:
    windows, model = made_windows(made_series(1_000)), TemplateModel()
    model.fit(windows)
    batch = windows.batch(np.arange(40), future_weather=False)
    batch.history_obs[0] = np.nan
    prediction = model.predict(batch)
    assert np.isfinite(prediction.mean).all() and (prediction.quantiles >= 0).all()
    assert (np.diff(prediction.quantiles, axis=-1) >= 0).all()
    constant = np.abs(batch.target - np.nanmean(batch.target)).mean()
    assert np.abs(prediction.mean - batch.target)[1:].mean() < 0.5 * constant


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/b", "", CARD_FILE])
def test_a_card_names_files_of_its_own_folder_only(tmp_path, name) -> None:
    checkpoint.save(Persistence(), CARD, tmp_path)
    card = json.loads((tmp_path / CARD_FILE).read_text())
    checkpoint.write_card(card | {"files": {name: "0" * 64}}, tmp_path)
    with pytest.raises(InputError, match="names of files in this folder"):
        checkpoint.load(tmp_path)


def test_a_kind_that_is_not_installed_is_named_when_the_model_is_loaded(tmp_path) -> None:
    checkpoint.save(Persistence(), CARD, tmp_path)
    checkpoint.write_card(checkpoint.read_card(tmp_path) | {"kind": "nosuch"}, tmp_path)
    with pytest.raises(InputError, match=r"nosuch.*persistence"):
        checkpoint.load(tmp_path)


def test_a_model_is_kept_only_under_a_name_that_stands_for_it(tmp_path) -> None:
    class Mine(Persistence):
        pass

    with pytest.raises(InputError, match="stands for"):
        checkpoint.save(Mine(), CARD, tmp_path)
    with pytest.raises(InputError, match="nosuch"):
        Mine.name = "nosuch"
        checkpoint.save(Mine(), CARD, tmp_path)
    assert not (tmp_path / CARD_FILE).exists()
