"""`hazecast observations check`: what it says of a table, and the mapping that it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hazecast.grids.errors import InputError
from hazecast.services.cli import exits
from hazecast.services.cli.app import app

STATIONS = "code,name,city\nA1,Alpha,beijing\nB2,Beta,beijing\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "stations.csv").write_text(STATIONS)
    path = tmp_path / "a.csv"
    path.write_bytes(
        "站点编号,时间,PM2.5,O3\nA1,2026-01-11 18:00,50,80\nA1,2026-01-11 19:00,<5,80\nZZ,2026-01-11 18:00,5,1\n".encode(
            "gbk"
        )
    )
    return path


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["observations", "check", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_it_says_what_was_understood_assumed_and_left_out(table) -> None:
    code, said = run(table)
    assert code == exits.DEGRADED
    for part in (
        "encoding gb18030", "separator ','", "'站点编号': station", "'PM2.5': pm25 in ug/m3", "a row an hour and station",
        "time zone Asia/Shanghai: the stamps state none", "the end of the hour (not stated",
        "assumed: a.csv: column 'O3' is not used: the unit is not stated; one of ug/m3, mg/m3, ppb, pphm, ppm",
        "stations matched: 1 (A1)", "stations without a value here: 1 (B2)", "rows of unknown stations 1", "rows taken 2",
        "line 3, PM2.5: found <5; expected a number", "line 4, 站点编号: found ZZ",
    ):  # fmt: skip
        assert part in said, part


def test_the_mapping_it_writes_is_read_and_can_be_amended(table) -> None:
    mapping = table.with_name("mapping.toml")
    assert run(table, "--write", mapping)[0] == exits.DEGRADED
    text = mapping.read_text(encoding="utf-8")
    assert "# Assumed:" in text and 'encoding = "gb18030"' in text
    _, said = run(table)
    assert "assumed" not in said and f"mapping {mapping}" in said
    mapping.write_text(text.replace("[columns]", '[columns]\nO3 = { is = "o3", unit = "ppb" }'), encoding="utf-8")
    _, said = run(table, "--json")
    told = json.loads(said)
    assert told["counts"]["values_taken"] == 3 and told["stations"]["matched"] == ["A1"]
    assert told["mapping"]["columns"]["O3"] == {"is": "o3", "unit": "ppb", "of": "", "valid": []}


def test_what_a_person_says_goes_before_what_is_assumed(table) -> None:
    table.write_text("time,A1,B2\n2026-01-11 18:00,0.05,0.06\n")
    with pytest.raises(InputError, match="variable and unit"):
        run(table)
    code, said = run(table, "--variable", "pm25", "--unit", "mg/m3", "--zone", "+09:00", "--stamp", "start")
    assert code == 0 and "hours: 2026-01-11 10:00:00 UTC" in said and "pm25 in mg/m3" in said
    with pytest.raises(InputError, match="variable"):
        run(table, "--variable", "pm")


def test_a_table_without_stations_is_understood_all_the_same(table) -> None:
    table.with_name("stations.csv").unlink()
    code, said = run(table, "--zone", "Asia/Shanghai")
    assert code == exits.DEGRADED and "no stations.csv beside the table" in said and "values taken 2" in said
