"""Whole cycles on real and simulated input, and bad input that must leave the store as it was."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from sqlalchemy import select

from hazecast.grids.contract import check
from hazecast.grids.errors import InputError
from hazecast.services.core.settings import Settings
from hazecast.services.store.reads import WarningFilter, warnings_page
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import Base
from hazecast.services.work.cycle import run_cycle
from hazecast.services.work.sample import OBSERVATIONS_FILE, WEATHER_FILE, write_sample
from tests.support.settings import changed, make_settings

pytestmark = pytest.mark.slow

FORECAST_TABLES = ("forecast_run", "forecast_value", "observation", "warning")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def settings_for(folder: Path, **given: object) -> Settings:
    return make_settings(data_dir=folder, **given)


def stored(settings: Settings) -> dict[str, list[tuple]]:
    store = Store(settings.database_url)
    with store.engine.connect() as connection:
        tables = {name: Base.metadata.tables[name] for name in FORECAST_TABLES}
        found = {
            name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for name, table in tables.items()
        }
    store.close()
    return found


def files(settings: Settings) -> dict[str, bytes]:
    made = [p for kind in ("forecasts", "maps") for p in (settings.data_dir / kind).glob("*") if p.is_file()]
    return {str(path): path.read_bytes() for path in made}


@pytest.fixture(scope="module")
def simulated(databases, tmp_path_factory) -> tuple[Settings, object]:
    settings = databases.settings(tmp_path_factory.mktemp("simulated"))
    return settings, run_cycle(settings, init_time=utc(2026, 1, 15, 22))


def test_simulated_run_says_so_everywhere(simulated) -> None:
    settings, report = simulated
    assert report.simulated and report.status == "done" and len(report.lines) >= 28
    assert "SIMULATED" in report.observations_source and "SIMULATED" in report.weather_source
    with xr.open_dataset(report.netcdf_path, decode_timedelta=True) as forecast:
        check(forecast, "forecast")
        assert forecast.attrs["simulated"] == 1 and "SIMULATED" in forecast.attrs["title"]
        assert forecast["pm25"].attrs["units"] == "ug m-3"
    store = Store(settings.database_url)
    in_force = store.warnings_in_force(utc(2026, 1, 16), True)
    assert in_force and all(warning.simulated for warning in in_force)
    assert store.warnings_in_force(utc(2026, 1, 16), False) == []
    assert report.map_path.read_bytes().startswith(b"\x89PNG")
    store.close()


def test_same_cycle_again_changes_nothing(simulated) -> None:
    settings, _ = simulated
    before = stored(settings)
    run_cycle(settings, init_time=utc(2026, 1, 15, 22))
    after = stored(settings)
    for name in ("observation", "warning"):
        assert sorted(before[name]) == sorted(after[name])
    assert [row[1:] for row in before["forecast_value"]] == [row[1:] for row in after["forecast_value"]]
    assert len(before["forecast_run"]) == len(after["forecast_run"]) == 1
    assert len(files(settings)) == 2


@pytest.mark.parametrize("weather", ["none", "observed"])
@pytest.mark.parametrize("init_time", [utc(2013, 1, 11, 10), utc(2013, 1, 12, 10)])
def test_beijing_january_2013_gets_orange_or_red(shared_data, tmp_path, weather, init_time) -> None:
    settings = settings_for(tmp_path, observations_dir=shared_data / "five-cities", weather=weather)
    report = run_cycle(settings, init_time=init_time)
    assert not report.simulated
    levels = {line.city: line.level for line in report.lines}
    assert levels["beijing"] in ("orange", "red")
    store = Store(settings.database_url)
    warning = next(w for w in store.warnings_in_force(init_time, False) if w.city == "beijing")
    store.close()
    assert warning.evidence and warning.onset >= init_time - timedelta(hours=6)
    assert warning.expires > init_time and (weather == "none") == warning.weather_source.startswith("none")


@pytest.mark.parametrize("collection", ["five-cities", "beijing-multisite"])
def test_beijing_february_2014_gets_a_warning(shared_data, tmp_path, collection) -> None:
    settings = settings_for(tmp_path, observations_dir=shared_data / collection, weather="observed")
    report = run_cycle(settings, init_time=utc(2014, 2, 23, 10))
    assert {line.city: line.level for line in report.lines}["beijing"] in ("orange", "red")


@pytest.mark.parametrize("weather", ["none", "observed"])
@pytest.mark.parametrize("day", [13, 14, 15])
def test_no_warning_in_the_clean_spell_of_february_2016(shared_data, tmp_path, weather, day) -> None:
    # City mean PM2.5 stayed below 13 ug m-3 from the 13th to the 16th; not in the training period.
    settings = settings_for(tmp_path, observations_dir=shared_data / "beijing-multisite", weather=weather)
    report = run_cycle(settings, init_time=utc(2016, 2, day, 10))
    assert report.warnings == () and [line.level for line in report.lines] == [""]


def test_episode_replayed_keeps_one_warning_in_force(shared_data, tmp_path) -> None:
    settings = settings_for(tmp_path, observations_dir=shared_data / "five-cities")
    store = Store(settings.database_url)
    kinds = []
    for step in range(6):
        now = utc(2013, 1, 11, 10) + timedelta(hours=12 * step)
        run_cycle(settings, init_time=now, cities=("beijing",))
        assert len(store.warnings_in_force(now, False)) <= 1
        kinds += [
            w.kind
            for w in warnings_page(store, False, WarningFilter(), after=None, limit=500)
            if w.run_init_time == now
        ]
    store.close()
    assert kinds[0] == "issue" and kinds.count("issue") == 1 and "continue" in kinds


def _truncated_observations(folder: Path) -> dict[str, object]:
    write_sample(folder, _registry(), utc(2026, 1, 15, 22))
    path = folder / OBSERVATIONS_FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return {"observations_dir": folder}


def _truncated_weather(folder: Path) -> dict[str, object]:
    write_sample(folder, _registry(), utc(2026, 1, 15, 22))
    path = folder / WEATHER_FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return {"observations_dir": folder, "weather": str(path)}


def _missing_column(folder: Path) -> dict[str, object]:
    header = "No,year,month,day,hour,season,PM_US Post,DEWP,HUMI,PRES,cbwd,Iws,precipitation,Iprec\n"
    with gzip.open(folder / "beijing.csv.gz", "wt") as file:
        file.write(header + "1,2013,1,1,0,4,31,-10,67,1018,NW,5.81,0,0\n")
    return {"observations_dir": folder}


def _registry():
    from hazecast.grids.places.cities import load_registry

    return load_registry()


@pytest.mark.parametrize(
    ("break_input", "run", "message"),
    [
        (_truncated_observations, {}, r"observations\.nc.*whole NetCDF"),
        (_truncated_weather, {}, r"weather\.nc"),
        (_missing_column, {}, r"beijing\.csv\.gz.*TEMP"),
        (lambda _: {}, {"cities": ("bejing",)}, r"city: found bejing.*beijing"),
        (lambda _: {}, {"init_time": datetime.now(UTC) + timedelta(days=2)}, r"init_time.*future"),
        (lambda _: {"observations_dir": Path("no-such-folder")}, {}, r"no-such-folder.*folder"),
    ],
    ids=["truncated observations", "truncated weather", "missing column", "unknown city", "future", "no folder"],
)
def test_bad_input_is_named_and_leaves_the_store_as_it_was(simulated, tmp_path, break_input, run, message) -> None:
    settings, _ = simulated
    broken = tmp_path / "broken"
    broken.mkdir()
    before, files_before = stored(settings), files(settings)
    with pytest.raises(InputError, match=message):
        run_cycle(changed(settings, **break_input(broken)), **run)
    assert stored(settings) == before and files(settings) == files_before


def test_failure_while_saving_leaves_the_store_as_it_was(simulated, monkeypatch) -> None:
    settings, _ = simulated
    before, files_before = stored(settings), files(settings)
    broken = {"city": "beijing", "time": utc(2026, 1, 15, 23), "simulated": True, "source": None}
    monkeypatch.setattr("hazecast.services.store.store.observation_rows", lambda *_: [broken])
    with pytest.raises(Exception, match="source"):
        run_cycle(settings, init_time=utc(2026, 1, 15, 23))
    assert stored(settings) == before and files(settings) == files_before
    monkeypatch.undo()
    store = Store(settings.database_url)
    assert store.cycles(1)[0].status == "failed" and store.cycles(1)[0].error
    store.close()


def test_weather_issued_after_the_init_time_is_refused(tmp_path) -> None:
    sample = write_sample(tmp_path / "sample", _registry(), utc(2026, 1, 15, 22))
    settings = settings_for(tmp_path / "data", observations_dir=sample, weather=str(sample / WEATHER_FILE))
    with pytest.raises(InputError, match="weather issued by"):
        run_cycle(settings, init_time=utc(2026, 1, 15, 12))


def test_a_forecast_never_reads_later_observations(shared_data, tmp_path) -> None:
    now = utc(2014, 2, 20, 10)
    whole = shared_data / "five-cities" / "beijing.csv.gz"
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    shutil.copy(whole, tmp_path / "whole")
    with gzip.open(whole, "rt") as file:
        lines = file.read().splitlines(keepends=True)
    hours = int((now + timedelta(hours=8) - utc(2013, 1, 1)) / timedelta(hours=1))
    with gzip.open(tmp_path / "cut" / "beijing.csv.gz", "wt") as file:
        file.writelines(lines[: hours + 2])
    forecasts = []
    for name in ("whole", "cut"):
        settings = settings_for(tmp_path / f"data-{name}", observations_dir=tmp_path / name)
        with xr.open_dataset(run_cycle(settings, init_time=now).netcdf_path, decode_timedelta=True) as forecast:
            forecasts.append(forecast.load())
    np.testing.assert_array_equal(forecasts[0]["pm25"], forecasts[1]["pm25"])


def test_command_line_exit_codes_and_messages(tmp_path) -> None:
    def hazecast(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hazecast.services.cli.app", *arguments], capture_output=True, text=True, check=False
        )

    assert hazecast("--help").returncode == 0
    future = hazecast("run", "--init-time", "2999-01-01T00:00Z", "--data-dir", str(tmp_path))
    assert future.returncode == 2 and "init_time" in future.stderr and "Traceback" not in future.stderr
    wrong = hazecast("run", "--init-time", "yesterday", "--data-dir", str(tmp_path))
    assert wrong.returncode == 2 and "yesterday" in wrong.stderr
