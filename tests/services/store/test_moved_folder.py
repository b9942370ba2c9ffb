"""The data folder may be moved: what the database names lies below it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import select, text

from hazecast.services.store.scores import runs_before
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from tests.support.databases import Databases
from tests.support.forecasts import save_run


def raw_paths(store: Store) -> list[tuple[str, str]]:
    with store.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text("select netcdf_path, map_path from forecast_run"))]


def set_paths(store: Store, folder: str) -> None:
    with store.writing() as connection:
        given = {"n": f"{folder}/forecasts/a.nc", "m": f"{folder}/maps/a.png"}
        connection.execute(text("update forecast_run set netcdf_path = :n, map_path = :m"), given)


def test_files_are_found_where_the_folder_is_now(databases: Databases, tmp_path) -> None:
    store = databases.store(tmp_path / "old")
    save_run(store, tmp_path / "old", store.begin_cycle(None, False))
    assert raw_paths(store) == [("cycle1-f.nc", "cycle1-m.png")]
    assert store.latest_run().netcdf_path == str(tmp_path / "old" / "cycle1-f.nc")
    store.close()
    shutil.move(tmp_path / "old", tmp_path / "new")
    url = databases.url(tmp_path / "old").replace("/old/", "/new/")
    moved = Store(url, files=tmp_path / "new")
    run = moved.latest_run()
    assert Path(run.netcdf_path) == tmp_path / "new" / "cycle1-f.nc" and Path(run.map_path).is_file()
    later = run.init_time.replace(year=2014)
    assert [r.netcdf_path for r in runs_before(moved, later)] == [run.netcdf_path]
    # Asked for by its absolute path it is found too.
    with moved.sessions() as session:
        assert session.scalar(select(ForecastRun.id).where(ForecastRun.map_path == run.map_path)) == run.id
    moved.close()


@pytest.mark.parametrize("outside", [True, False])
def test_paths_of_an_earlier_version_become_relative_wherever_they_were(
    databases: Databases, tmp_path, outside
) -> None:
    store = databases.store(tmp_path)
    save_run(store, tmp_path, store.begin_cycle(None, False))
    store.migrate("0009")
    set_paths(store, "/srv/elsewhere" if outside else str(tmp_path))
    store.migrate()
    assert raw_paths(store) == [("forecasts/a.nc", "maps/a.png")]
    assert store.latest_run().netcdf_path == str(tmp_path / "forecasts" / "a.nc")
    store.migrate("0009")
    assert raw_paths(store) == [(str(tmp_path / "forecasts" / "a.nc"), str(tmp_path / "maps" / "a.png"))]
    store.migrate()
    store.close()
