"""A model of a user's own: declared by an entry point, kept, promoted, and served."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from fastapi.testclient import TestClient

from hazecast.models import checkpoint
from hazecast.models.files import load_arrays, save_arrays
from hazecast.models.interface import Calibrated
from hazecast.models.registry import ModelRegistry
from hazecast.services.core.settings import Settings
from hazecast.services.web.app import create_app
from hazecast.services.work.cycle import run_cycle
from tests.support.model_kinds import declare
from tests.support.paths import ROOT
from tests.support.training_data import made_series, made_windows


def notebook_model() -> type:
    """Return the class that notebooks/new_model.ipynb defines."""
    cells = json.loads((ROOT / "notebooks" / "new_model.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    (imports, definition) = code[0].replace("%matplotlib inline", ""), code[1]
    names: dict[str, Any] = {"__name__": "notebook"}
    exec(imports, names)  # noqa: S102 - our own notebook
    exec(definition, names)  # noqa: S102
    return names["FadingPersistence"]


class FadingPersistence(notebook_model()):
    """The notebook's model, with what a kept one needs besides."""

    def save(self, folder: Path) -> dict[str, Any]:
        save_arrays({"weight": self.weight, "errors": self.errors}, folder / "fading.safetensors")
        return {}

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> FadingPersistence:
        model, arrays = cls(), load_arrays(folder / "fading.safetensors", needed=("weight", "errors"))
        model.weight, model.errors = arrays["weight"], arrays["errors"]
        return model


def test_the_notebooks_model_is_registered_promoted_and_serves_a_cycle(monkeypatch, tmp_path) -> None:
    declare(monkeypatch, tmp_path / "path", "fading_persistence", f"{__name__}:FadingPersistence")
    model = FadingPersistence()
    assert not isinstance(model, Calibrated)
    model.fit(made_windows(made_series(1_000)))
    card = {"name": "fading", "period": ["2013-01-01T00", "2013-02-11T00"]}
    checkpoint.save(model, card, tmp_path / "trained")
    settings = Settings(data_dir=tmp_path / "data")
    registry = ModelRegistry(settings.models_dir)
    model_id = registry.register(tmp_path / "trained").model_id
    registry.promote(model_id, by="li", why="trial", at=datetime(2026, 1, 1, tzinfo=UTC), force=True)

    report = run_cycle(settings)

    assert model_id.startswith("fading-") and report.model_id == model_id and report.status == "done"
    with xr.open_dataset(report.netcdf_path, decode_timedelta=True) as forecast:
        assert forecast.attrs["model_id"] == model_id
        assert forecast["pm25"].notnull().all()
        assert not {"calibration_offset", "calibration_shift"} & set(forecast.data_vars)
    with TestClient(create_app(settings)) as client:
        assert client.get("/v1/cities/beijing/forecast").json()["model_id"] == model_id
        assert client.get("/v1/verification").json()["model_id"] == model_id


@pytest.mark.parametrize("kind", ["nosuch", "fading_persistence"])
def test_a_cycle_goes_on_with_the_shipped_model_when_the_kind_is_gone(monkeypatch, tmp_path, kind) -> None:
    with monkeypatch.context() as installed:
        declare(installed, tmp_path / "path", "fading_persistence", f"{__name__}:FadingPersistence")
        model = FadingPersistence()
        model.weight, model.errors = np.zeros((120, 2)), np.zeros((120, 2, 5))
        checkpoint.save(model, {"name": "fading", "period": ["2013-01-01T00", "2013-02-11T00"]}, tmp_path / "trained")
        settings = Settings(data_dir=tmp_path / "data")
        registry = ModelRegistry(settings.models_dir)
        kept = registry.register(tmp_path / "trained")
        registry.promote(kept.model_id, by="li", why="trial", at=datetime(2026, 1, 1, tzinfo=UTC), force=True)
    checkpoint.write_card(kept.card | {"kind": kind}, kept.folder)
    report = run_cycle(settings)
    assert report.model_id.startswith("network-") and report.status == "degraded"
    assert any(kind in reason for reason in report.reasons)
