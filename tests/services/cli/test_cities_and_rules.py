"""``hazecast cities`` and ``hazecast rules``: a bureau's own cities and rule sets, without editing the package."""

from __future__ import annotations

import getpass
import json

import pytest

from hazecast.grids.errors import InputError
from tests.support.command_line import run_command

LYON = ("--name", "Lyon", "--country", "FR", "--latitude", "45.764", "--longitude", "4.836")


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    for name in ("cities", "rules"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"HAZECAST_{name.upper()}_DIR", str(tmp_path / name))
    monkeypatch.setenv("HAZECAST_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def test_a_city_is_added_checked_and_listed(own_folders) -> None:
    said = run_command("cities", "add", "lyon", *LYON, "--time-zone", "Europe/Paris", "--station", "openaq:Lyon")
    path = own_folders / "cities" / "lyon.toml"
    assert said.startswith(str(path)) and 'stations = ["openaq:Lyon"]' in path.read_text()
    found = run_command("cities", "check")
    assert "1 cities, 0 regions" in found and "1 are named in English alone: lyon" in found
    listed = json.loads(run_command("cities", "list", "--country", "FR", "--json"))
    assert [(city["id"], city["own"]) for city in listed] == [("lyon", True)]
    assert "own      Lyon" in run_command("cities", "list") and "shipped  Beijing" in run_command("cities", "list")
    with pytest.raises(InputError, match="city: found lyon; expected an id that no city has yet"):
        run_command("cities", "add", "lyon", *LYON, "--time-zone", "Europe/Paris")


def test_a_wrong_city_is_refused_and_nothing_written(own_folders) -> None:
    with pytest.raises(InputError, match=r'lyon, time_zone: found Europe/Pari; .*did you mean "Europe/Paris"\?'):
        run_command("cities", "add", "lyon", *LYON, "--time-zone", "Europe/Pari")
    with pytest.raises(InputError, match="id: found ../lyon"):
        run_command("cities", "add", "../lyon", *LYON, "--time-zone", "Europe/Paris")
    assert not list((own_folders / "cities").iterdir()) and not (own_folders / "lyon.toml").exists()


def test_rule_sets_are_listed_checked_and_explained(own_folders) -> None:
    own = own_folders / "rules" / "jp_pm25_shiga.toml"
    own.write_text('extends = "jp_pm25"\nid = "jp_pm25_shiga"\nregions = ["tokio"]\n')
    assert "jp_pm25_shiga" in run_command("rules", "list") and "cma_haze" in run_command("rules", "list")
    checked = run_command("rules", "check")
    assert "1 rule sets: jp_pm25_shiga" in checked and 'tokio is not forecast here; did you mean "tokyo"?' in checked
    tokyo = run_command("rules", "explain", "tokyo")
    assert (
        "+ jp_pm25_tokyo applies: it names its region tokyo" in tokyo and "jp_ox applies: it is for all of JP" in tokyo
    )
    assert "- jp_pm25_shiga does not apply: it is for tokio" in tokyo
    assert "- jp_pm25 does not apply: jp_pm25_tokyo, of the same family, names the city or its region" in tokyo
    assert {c["rule_set"]: c["applies"] for c in json.loads(run_command("rules", "explain", "tokyo", "--json"))}[
        "jp_ox"
    ]


def test_a_misspelt_field_of_a_rule_set_is_named_with_what_was_meant(own_folders) -> None:
    own = own_folders / "rules" / "cma_haze.toml"
    own.write_text('extends = "cma_haze"\nid = "cma_haze"\n[[levels]]\nid = "red"\nraise_probabilty = 0.5\n')
    with pytest.raises(InputError, match=r'levels.2.raise_probabilty: found 0.5; .*did you mean "raise_probability"\?'):
        run_command("rules", "check")
    own.write_text('extends = "cma_hase"\nid = "cma_haze"\n')
    with pytest.raises(InputError, match=r'did you mean "cma_haze"\?'):
        run_command("rules", "check")


def test_what_a_command_does_with_a_city_is_in_the_audit_with_the_name_of_its_user(own_folders) -> None:
    run_command("cities", "add", "lyon", *LYON, "--time-zone", "Europe/Paris", "--by", "li-na")
    run_command("cities", "change", "lyon", "--name-zh", "里昂", "--rated-by", "who")
    path = own_folders / "cities" / "lyon.toml"
    kept = path.read_text()
    assert 'name_zh = "里昂"' in kept and 'rated_by = "who"' in kept and "latitude = 45.764" in kept
    run_command("cities", "change", "lyon", "--no-forecast")
    assert "forecast = false" in path.read_text()
    with pytest.raises(InputError, match="time_zone: found Europe/Pari"):
        run_command("cities", "change", "lyon", "--time-zone", "Europe/Pari")
    with pytest.raises(InputError, match="city lyon: found nothing to change"):
        run_command("cities", "change", "lyon")
    with pytest.raises(InputError, match='found lyonn; expected a known city id; did you mean "lyon"'):
        run_command("cities", "remove", "lyonn")
    run_command("cities", "remove", "lyon")
    assert not path.exists()
    steps = json.loads(run_command("cities", "history", "lyon", "--json"))
    assert [(step["action"], step["by"], step["account"]) for step in steps] == [
        ("add", "li-na", None), *[("change", getpass.getuser(), None)] * 2, ("remove", getpass.getuser(), None),
    ]  # fmt: skip
    assert steps[1]["before"]["name_zh"] == "Lyon" and steps[1]["after"]["name_zh"] == "里昂"
    assert steps[0]["at"].endswith("Z") and "add    by li-na" in run_command("cities", "history", "lyon")


def test_a_service_of_own_cities_alone_gets_its_first_by_the_command(own_folders, monkeypatch) -> None:
    monkeypatch.setenv("HAZECAST_SHIPPED_CITIES", "false")
    run_command("cities", "add", "lyon", *LYON, "--time-zone", "Europe/Paris")
    with pytest.raises(InputError, match="still needed"):
        run_command("cities", "remove", "lyon")
    assert [step["action"] for step in json.loads(run_command("cities", "history", "lyon", "--json"))] == ["add"]
