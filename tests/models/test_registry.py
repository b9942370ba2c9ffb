"""The registry: what is registered, which model is in service, and who decided that."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from hazecast.grids.errors import InputError
from hazecast.models import checkpoint
from hazecast.models.files import CARD_FILE
from hazecast.models.gate import Verdict
from hazecast.models.registry import HISTORY_FILE, ModelRegistry, load_trained
from hazecast.models.trained import newest_unseen, shipped_models
from hazecast.models.zoo.network import Network
from hazecast.models.zoo.network_model import WEIGHTS_FILE, NetworkModel
from hazecast.services.work.cycle import run_cycle
from tests.support.settings import make_settings

AT = datetime(2026, 1, 15, 22, tzinfo=UTC)


def checkpoint_in(folder: Path, until: str = "2015-01-01T00", hidden: int = 4) -> str:
    card = {"name": "mine", "period": ["2013-01-01T00", until], "seed": 1}
    return checkpoint.save(NetworkModel(network=Network(hidden, 4, 1, 4)), card, folder)["model_id"]


@pytest.fixture
def registry(tmp_path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "models")


def test_without_a_history_the_newest_shipped_model_serves(registry) -> None:
    assert registry.in_service().model_id == shipped_models()[0].model_id == load_trained(registry)[1]
    assert registry.history() == [] and not registry.folder.exists()


def test_register_promote_and_roll_back(registry, tmp_path) -> None:
    shipped = shipped_models()[0].model_id
    first, second = (
        registry.register(tmp_path / name, {"rmse": 1.0} if name == "a" else None).model_id
        for name in ("a", "b")
        if checkpoint_in(tmp_path / name)
    )
    assert registry.get(first).card["scores"] == {"rmse": 1.0}
    registry.promote(first, by="li", why="better at 24 h", at=AT, force=True)
    registry.promote(second, by="sato", why="trial", at=AT, force=True)
    assert load_trained(registry)[1] == second
    for expected in (first, shipped):
        registry.rollback(by="li", why="worse in fog", at=AT)
        assert registry.in_service().model_id == expected
    with pytest.raises(InputError, match="no earlier model"):
        registry.rollback(by="li", why="again", at=AT)
    entry = registry.history()[1]
    assert (entry.action, entry.model_id, entry.previous, entry.by) == ("promote", second, first, "sato")
    assert [change.action for change in registry.history()] == ["promote", "promote", "rollback", "rollback"]
    assert entry.at == "2026-01-15T22:00:00Z" and entry.why == "trial"
    registry.promote(second, by="li", why="mended", at=AT, force=True)
    registry.rollback(by="li", why="not mended", at=AT)
    assert registry.in_service().model_id == shipped


def test_registering_again_changes_nothing_and_another_model_never_takes_an_id(registry, tmp_path) -> None:
    model_id = checkpoint_in(tmp_path / "a")
    registry.register(tmp_path / "a")
    before = {path: path.read_bytes() for path in (registry.folder / model_id).iterdir()}
    registry.register(tmp_path / "a")
    assert {path: path.read_bytes() for path in (registry.folder / model_id).iterdir()} == before
    checkpoint_in(tmp_path / "b")
    checkpoint.write_card(checkpoint.read_card(tmp_path / "b") | {"model_id": model_id}, tmp_path / "b")
    with pytest.raises(InputError, match="other weights"):
        registry.register(tmp_path / "b")
    checkpoint.write_card(checkpoint.read_card(tmp_path / "b") | {"model_id": "../../etc"}, tmp_path / "b")
    with pytest.raises(InputError, match=r"\.\./\.\./etc"):
        registry.register(tmp_path / "b")


def test_a_broken_model_is_never_promoted_and_keeps_no_other_from_serving(registry, tmp_path, caplog) -> None:
    model_id = checkpoint_in(tmp_path / "a")
    registry.register(tmp_path / "a")
    weights = registry.folder / model_id / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(InputError, match="SHA-256"):
        registry.promote(model_id, by="li", why="trial", at=AT, force=True)
    (registry.folder / model_id / CARD_FILE).write_text("{")
    assert model_id not in [model.model_id for model in registry.models()] and "left out" in caplog.text
    with pytest.raises(InputError, match="model_card"):
        registry.get(model_id)
    assert registry.in_service().shipped


def test_a_cycle_uses_the_model_in_service_and_says_so_when_the_shipped_one_stands_in(tmp_path, shared_data) -> None:
    settings = make_settings(data_dir=tmp_path, observations_dir=shared_data / "five-cities")
    registry = ModelRegistry(settings.models_dir)
    model_id = checkpoint_in(tmp_path / "a")
    registry.register(tmp_path / "a")
    registry.promote(model_id, by="li", why="trial", at=AT, force=True)
    report = run_cycle(settings, init_time=datetime(2013, 1, 11, 22, tzinfo=UTC), cities=("beijing",))
    assert report.model_id == model_id and report.status == "done"
    (registry.folder / model_id / WEIGHTS_FILE).unlink()
    report = run_cycle(settings, init_time=datetime(2013, 1, 11, 23, tzinfo=UTC), cities=("beijing",))
    assert report.model_id == shipped_models()[0].model_id and report.status == "degraded"
    assert any("model in service can't be loaded" in reason for reason in report.reasons)


@pytest.mark.parametrize(("by", "why"), [("", "trial"), ("li", " ")])
def test_nobody_promotes_without_a_name_and_a_reason(registry, tmp_path, by, why) -> None:
    model_id = checkpoint_in(tmp_path / "a")
    registry.register(tmp_path / "a")
    with pytest.raises(InputError, match="who decides"):
        registry.promote(model_id, by=by, why=why, at=AT, force=True)
    assert registry.history() == []


def test_no_model_comes_into_service_past_the_gate_unless_forced(registry, tmp_path) -> None:
    shipped, model_id = shipped_models()[0].model_id, checkpoint_in(tmp_path / "a")
    registry.register(tmp_path / "a")
    given = {"by": "li", "why": "trial", "at": AT}
    for verdict, said in (
        (None, "was not examined"),
        (Verdict(model_id, shipped, ("PM2.5: not better.",)), "did not pass the gate: PM2.5: not better."),
        (Verdict(model_id, "another", ()), f"was not examined against {shipped}"),
        (Verdict("another", shipped, ()), "was not examined"),
    ):
        with pytest.raises(InputError, match=said):
            registry.promote(model_id, **given, verdict=verdict)
        assert registry.history() == []
    assert registry.promote(model_id, **given, verdict=Verdict(model_id, shipped, (), ("Better.",))).gate == (
        "passed the gate: Better."
    )
    assert registry.rollback(**given).gate == ""
    forced = registry.promote(model_id, **given, verdict=Verdict(model_id, shipped, ("Worse.",)), force=True)
    assert forced.gate == "forced: did not pass the gate: Worse." and registry.history()[-1] == forced


def test_a_history_older_than_the_gate_is_read(registry) -> None:
    entry = {"action": "promote", "model_id": "a", "previous": "b", "at": "2025-01-01", "by": "li", "why": "trial"}
    registry.folder.mkdir()
    (registry.folder / HISTORY_FILE).write_text(json.dumps({"history": [entry]}))
    assert registry.history()[0].gate == ""


def test_unknown_models_and_broken_histories_are_named(registry) -> None:
    with pytest.raises(InputError, match="nosuch"):
        registry.promote("nosuch", by="li", why="trial", at=AT)
    with pytest.raises(InputError, match="in service already"):
        registry.promote(shipped_models()[0].model_id, by="li", why="trial", at=AT)
    (registry.folder / HISTORY_FILE).write_text('{"history": [{"action"')
    with pytest.raises(InputError, match=HISTORY_FILE):
        registry.in_service()


def test_changes_made_at_once_are_all_kept(registry, tmp_path) -> None:
    ids = [checkpoint_in(tmp_path / str(number)) for number in range(4)]
    for number in range(4):
        registry.register(tmp_path / str(number))
    together = [
        threading.Thread(
            target=registry.promote, args=(model_id,), kwargs={"by": "li", "why": "trial", "at": AT, "force": True}
        )
        for model_id in ids
    ]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    history = registry.history()
    assert sorted(change.model_id for change in history) == sorted(ids)
    assert [change.previous for change in history[1:]] == [change.model_id for change in history[:-1]]
    assert json.loads((registry.folder / HISTORY_FILE).read_text())["history"][-1]["model_id"] == history[-1].model_id


def test_a_backtest_gets_the_newest_model_that_has_not_seen_its_period(registry, tmp_path) -> None:
    for name, until in (("a", "2014-01-01T00"), ("b", "2017-01-01T00")):
        checkpoint_in(tmp_path / name, until)
        registry.register(tmp_path / name)
    models = [model for model in registry.models() if not model.shipped]

    def newest(time: str) -> np.datetime64 | None:
        found = newest_unseen(models, "beijing-multisite", ["Tiantan"], np.datetime64(time, "ns"))
        return found and found.trained_until

    assert newest("2017-06-01") == np.datetime64("2017-01-01")
    assert newest("2014-06-01") == np.datetime64("2014-01-01")
    assert newest("2013-06-01") is None
