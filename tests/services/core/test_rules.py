"""The rule sets of a service come from its settings, and stay with it."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from hazecast.grids.errors import InputError
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.web.app import create_app
from tests.support.settings import make_settings


def settings_of(folder, rules_dir=None, **given) -> Settings:
    folder.mkdir(exist_ok=True)
    return make_settings(data_dir=folder, rules_dir=rules_dir, **given)


def own_folder(folder, city: str):
    folder.mkdir()
    (folder / f"jp_pm25_{city}.toml").write_text(f'extends = "jp_pm25"\nid = "jp_pm25_{city}"\ncities = ["{city}"]\n')
    return folder


def test_two_apps_in_one_process_have_rule_sets_of_their_own(tmp_path) -> None:
    apps = {
        city: TestClient(create_app(settings_of(tmp_path / city, own_folder(tmp_path / f"{city}-rules", city))))
        for city in ("kumamoto", "nagasaki")
    }
    plain = TestClient(create_app(settings_of(tmp_path / "plain")))
    for city, other in (("kumamoto", "nagasaki"), ("nagasaki", "kumamoto")):
        assert apps[city].get("/v1/warnings", params={"rule_set": f"jp_pm25_{city}"}).status_code == 200
        assert apps[city].get("/v1/warnings", params={"rule_set": f"jp_pm25_{other}"}).status_code == 422
        assert plain.get("/v1/warnings", params={"rule_set": f"jp_pm25_{city}"}).status_code == 422
        page = apps[city].get("/console").text
        assert f"jp_pm25_{city}" in page and f"jp_pm25_{other}" not in page
    assert all(app.get("/v1/warnings", params={"rule_set": "cma_haze"}).status_code == 200 for app in apps.values())


def test_names_that_the_settings_use_are_checked(tmp_path) -> None:
    own = own_folder(tmp_path / "rules", "kumamoto")
    assert "jp_pm25_kumamoto" in rule_book(settings_of(tmp_path, own, approval=("jp_pm25_kumamoto",))).names()
    with pytest.raises(InputError, match="jp_pm25_kumamoto"):
        rule_book(settings_of(tmp_path, approval=("jp_pm25_kumamoto",)))
