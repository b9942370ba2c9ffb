"""``hazecast train``, ``models`` and ``verify`` from end to end on real data."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from hazecast.grids.errors import InputError
from hazecast.services.work.cycle import run_cycle
from tests.support.command_line import run_command
from tests.support.settings import make_settings


def test_train_register_compare_promote_and_roll_back(shared_data, tmp_path) -> None:
    data, where = shared_data / "five-cities", ("--data-dir", tmp_path / "data")
    given = ("--observations", data, "--train-until", "2013-03-01T00:00Z", "--windows", 2600, "--out", tmp_path / "out")
    model_id = run_command("train", *given).split(":")[0]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model_card.json", "network.safetensors"]
    scores = {"meta": {"weather": "none"}, "models": {"network": {"pm25": {"rmse": {"1": 9.0}, "csi_115": {"1": 0.1}}}}}
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    run_command("models", "register", tmp_path / "out", "--scores", tmp_path / "scores.json", *where)
    card = json.loads(run_command("models", "show", model_id, *where))
    assert card["scores"]["scores"] == {"pm25": {"rmse": {"1": 9.0}}} and card["scores"]["weather"] == "none"
    assert card["trained_on"] == ["five-cities"] and card["features"]["observations"] == ["pm25"]
    with pytest.raises(InputError, match="trained|training"):
        run_command(
            "models", "compare", model_id, "--observations", data, "--from", "2013-02-01", "--to", "2013-04-01", *where
        )
    with pytest.raises(InputError, match="no observed hours"):
        run_command("models", "promote", model_id, "--why", "trial", "--by", "li", *where)
    run_command("models", "promote", model_id, "--why", "trial", "--by", "li", "--force", *where)
    listed = json.loads(run_command("models", "list", "--json", *where))
    assert [model["model_id"] for model in listed if model["in_service"]] == [model_id]
    assert f"* {model_id}" in run_command("models", "list", *where)
    run_command("models", "rollback", "--why", "shown", "--by", "sato", *where)
    assert [change["by"] for change in json.loads(run_command("models", "history", "--json", *where))] == ["li", "sato"]
    with pytest.raises(InputError, match="nosuch"):
        run_command("models", "promote", "nosuch", "--why", "trial", *where)
    with pytest.raises(InputError, match="models"):
        run_command(
            "models", "register", tmp_path / "out", "--scores", tmp_path / "scores.json", "--name", "gru", *where
        )


def test_verify_scores_stored_forecasts(shared_data, tmp_path) -> None:
    settings = make_settings(data_dir=tmp_path, observations_dir=shared_data / "five-cities")
    for hour in (10, 22):
        run_cycle(settings, init_time=datetime(2013, 1, 11, hour, tzinfo=UTC), cities=("beijing",))
    first = json.loads(run_command("verify", "--json", "--data-dir", tmp_path))
    assert first["days"] == 1 and 0 < first["pairs"] <= 12 and first["behind"] is False
    assert first["scores"][0]["pollutant"] == "pm25" and first["scores"][0]["lead"] == "1-24"
    assert run_command("verify", "--data-dir", tmp_path).startswith("0 days")  # long closed
    again = json.loads(run_command("verify", "--again", "--city", "beijing", "--json", "--data-dir", tmp_path))
    assert again["changed"] == 0 and again["scores"] == first["scores"]
    with pytest.raises(InputError, match="beijing"):
        run_command("verify", "--city", "bejing", "--data-dir", tmp_path)
