"""Learning in place: trained on the store, compared on what neither model saw, promoted only through the gate."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from hazecast.grids.errors import InputError
from hazecast.models.kinds import create
from hazecast.models.registry import ModelRegistry
from hazecast.models.trained import TrainedModel, shipped_models
from hazecast.models.zoo.network_training import TrainingSettings
from hazecast.services.core.settings import Settings
from hazecast.services.research import own_store, promotion, retraining
from hazecast.services.research.experiments import save_trained
from hazecast.services.research.promotion import promote
from hazecast.services.scheduling import tasks
from hazecast.services.scheduling.jobs import all_jobs
from tests.support.command_line import run_command
from tests.support.learning_store import START, observed_months
from tests.support.settings import changed, make_settings
from tests.support.training_data import TINY

HOLDOUT = 31
HOURS = 24 * (50 + HOLDOUT)
NOW = datetime(2026, 4, 1, tzinfo=UTC)
GIVEN = {"by": "li", "at": NOW}


@pytest.fixture
def settings(tmp_path) -> Settings:
    return make_settings(
        data_dir=tmp_path, retrain="promote", retrain_holdout_days=HOLDOUT, gate_windows=300, gate_drawn=100
    )  # fmt: skip


@pytest.fixture(autouse=True)
def niceness(monkeypatch) -> list[int]:
    """What the job adds to its process's niceness; this process stays as it is."""
    added: list[int] = []
    monkeypatch.setattr(tasks.os, "nice", added.append)
    return added


@pytest.fixture
def quick(monkeypatch) -> list[str]:
    """Train a baseline in place of the network, and compare at fewer init times; gives the kind to train."""
    kind = ["diurnal_persistence"]

    def train(windows, ends, out, settings, run, *, progress):
        model = create(kind[0])
        model.fit(windows)
        return save_trained(model, windows, ends, out)

    monkeypatch.setattr(retraining, "train_network", train)
    monkeypatch.setattr(own_store, "_PLENTY", 400)
    return kind


def serve(settings: Settings, kind: str, quick: list[str], out) -> TrainedModel:
    """Put a model that was trained on the store into service."""
    quick[0] = kind
    model, _ = retraining.train_from_store(settings, TrainingSettings(), out=out)
    assert model is not None
    ModelRegistry(settings.models_dir).promote(model.model_id, **GIVEN, why="to begin with", force=True)
    return model


def test_a_better_challenger_is_promoted_by_the_job_and_a_worse_one_is_not(settings, quick, niceness, tmp_path) -> None:
    observed_months(settings, HOURS)
    serve(settings, "persistence", quick, tmp_path / "out")
    quick[0] = "diurnal_persistence"
    assert [job.name for job in all_jobs(settings)][-1] == "retrain"
    result = tasks.retrain(settings, NOW, clock=lambda: NOW)
    registry = ModelRegistry(settings.models_dir)
    serving = registry.in_service()
    assert niceness == [10], "the training yields to cycles"
    assert result.status == "done" and f"{serving.model_id}, trained on" in result.detail
    assert "in service. It passed the gate" in result.detail
    assert serving.kind == "diurnal_persistence" and serving.card["trained_on"] == ["the store"]
    assert "as they were issued" in serving.card["weather"]
    assert str(serving.trained_until)[:13] == f"{START + timedelta(hours=HOURS - 1, days=-HOLDOUT):%Y-%m-%dT%H}"
    assert serving.card["scores"]["scores"]["pm25"]["rmse"]["1-72"] < 10
    entry = registry.history()[-1]
    assert (entry.by, entry.why) == ("retrain", "scheduled training on the store")
    assert entry.gate.startswith("passed the gate: ") and "2 of 2 places" in entry.gate

    quick[0] = "climatology"
    worse = retraining.retrain(settings, clock=lambda: NOW)
    assert not worse.promoted and "not better beyond chance" in str(worse.verdict)
    assert registry.in_service().model_id == serving.model_id and worse.model.model_id in str(worse)
    assert worse.model.model_id in [model.model_id for model in registry.models()], "registered all the same"


def test_by_hand_the_gate_asks_the_same_and_force_is_recorded(settings, quick, tmp_path) -> None:
    observed_months(settings, HOURS)
    better = serve(settings, "diurnal_persistence", quick, tmp_path / "a")
    quick[0] = "persistence"
    worse, windows = retraining.train_from_store(settings, TrainingSettings(), out=tmp_path / "b")
    assert windows > 2_000
    registry = ModelRegistry(settings.models_dir)
    with pytest.raises(InputError, match=r"PM2\.5 over 1-72 h: RMSE .* not better beyond chance"):
        promote(worse.model_id, settings, why="it feels better", **GIVEN)
    with pytest.raises(InputError, match="the reason why the gate is overruled"):
        promote(worse.model_id, settings, force=True, **GIVEN)
    assert registry.in_service().model_id == better.model_id
    change, verdict = promote(worse.model_id, settings, force=True, why="trial in summer", **GIVEN)
    assert not verdict.passed and change.gate.startswith("forced: did not pass the gate: ")
    assert registry.history()[-1] == change and change.why == "trial in summer"
    with pytest.raises(InputError, match="not in service already"):
        promote(worse.model_id, settings, **GIVEN)


def test_without_common_unseen_hours_nothing_is_promoted(settings, quick, tmp_path) -> None:
    where = ("--data-dir", settings.data_dir)
    with pytest.raises(InputError, match="no observed hours"):
        run_command("train", "--from-store", "--out", tmp_path / "out", *where)
    assert tasks.retrain(settings, NOW).status == "degraded"
    observed_months(settings, HOURS)
    model, _ = retraining.train_from_store(
        changed(settings, retrain_holdout_days=7), TrainingSettings(), out=tmp_path / "a"
    )
    card = dict(model.card)
    # It says that it learned from all that there is.
    card["period"] = [card["period"][0], f"{START + timedelta(hours=HOURS - 1):%Y-%m-%dT%H:%M}"]
    (model.folder / "model_card.json").write_text(json.dumps(card))
    with pytest.raises(
        InputError, match="can't be compared with the model in service on windows that neither has seen"
    ):
        run_command("models", "promote", model.model_id, "--why", "trial", *where)
    assert ModelRegistry(settings.models_dir).in_service().model_id == shipped_models()[0].model_id
    said = run_command("models", "promote", model.model_id, "--why", "trial", "--by", "li", "--force", *where)
    assert "neither has seen" in said and said.endswith(f"in place of {shipped_models()[0].model_id}\n")
    assert "(forced: did not pass the gate" in run_command("models", "history", *where)


def test_too_little_to_learn_from_is_said(settings, quick, tmp_path) -> None:
    observed_months(settings, 24 * (HOLDOUT + 10))
    with pytest.raises(InputError, match=r"the store: found \d+ training windows up to 2026-01-1.*2000"):
        retraining.train_from_store(settings, TrainingSettings(), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_network_itself_learns_from_the_store(settings, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(retraining, "LEAST_WINDOWS", 90)
    observed_months(settings, 24 * 20, cities=("beijing",))
    short = changed(settings, retrain_holdout_days=8)
    training = TrainingSettings(windows=80, batch=8, seed=3, **TINY)
    model, _ = retraining.train_from_store(short, training, out=tmp_path / "out")
    assert model.kind == "network" and model.card["windows_drawn"] == 80
    assert [path.name for path in (tmp_path / "out").iterdir() if path.suffix == ".pt"] == []


@pytest.mark.parametrize(
    "given", [(), ("--from-store", "--train-until", "2026-01-01"), ("--from-store", "--observations", "x")]
)
def test_the_command_trains_on_a_store_or_on_collections(given, tmp_path) -> None:
    with pytest.raises(InputError, match="one of --observations"):
        run_command("train", "--out", tmp_path / "out", *given, "--data-dir", tmp_path)


def test_the_job_is_off_by_default(tmp_path) -> None:
    assert "retrain" not in [job.name for job in all_jobs(make_settings(data_dir=tmp_path))]
    assert promotion.gate_rules(make_settings(data_dir=tmp_path)).margin == 0.05
