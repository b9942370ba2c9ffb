"""The weather archive: idempotent, whole after a kill, the same on threads and on a cluster."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dask.config
import numpy as np
import pytest
import xarray as xr
from distributed import LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st

import hazecast.services.store.weather_archive
from hazecast.grids.contract import WEATHER, describe
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.weather.archive_layout import presence, present_names
from hazecast.services.core.cluster import HERE
from hazecast.services.store.weather_archive import WeatherArchive, Written, prune_weather_archive
from hazecast.services.work.ingest.archive import build_weather_archive
from tests.support.paths import ROOT
from tests.support.weather_samples import PLANE, hourly_weather, write_era5, write_grib

START = datetime(2014, 2, 20, tzinfo=UTC)
BEIJING = load_registry().city("beijing")


def everything(archive: WeatherArchive) -> xr.Dataset:
    return archive.analyses(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_goes_in_comes_out_over_months_and_gaps(tmp_path) -> None:
    archive = WeatherArchive(tmp_path)
    grid = hourly_weather("2014-01-31T20", 9)
    assert archive.append(grid.isel(time=[0, 1, 2, 4, 5, 6, 8])) == Written(7, 0)
    read = everything(archive)
    xr.testing.assert_equal(read, grid.isel(time=[0, 1, 2, 4, 5, 6, 8]))
    assert archive.append(grid) == Written(2, 7)
    xr.testing.assert_identical(everything(archive), grid)
    assert sorted(p.name for p in (tmp_path / "analyses").glob("*.zarr")) == ["2014-01.zarr", "2014-02.zarr"]


def test_the_same_hour_twice_changes_nothing_unless_it_is_to_be_replaced(tmp_path) -> None:
    archive, grid = WeatherArchive(tmp_path), hourly_weather("2014-02-20", 3)
    archive.append(grid)
    before = contents(tmp_path)
    assert archive.append(grid) == Written(0, 3)
    assert contents(tmp_path) == before
    revised = grid.assign(t2m=grid["t2m"] + np.float32(1)).pipe(describe, "weather_grid")
    assert archive.append(revised) == Written(0, 3) and contents(tmp_path) == before
    assert archive.append(revised, replace=True) == Written(3, 0)
    np.testing.assert_array_equal(everything(archive)["t2m"], revised["t2m"])


def test_cities_read_only_their_surroundings(tmp_path) -> None:
    archive, grid = WeatherArchive(tmp_path), hourly_weather("2014-02-20", 30)
    archive.append(grid)
    sampled = archive.at_cities([BEIJING], START, START + timedelta(hours=29))
    hours = 50 * 24 + np.arange(30)
    np.testing.assert_allclose(sampled["t2m"][:, 0], hours / 10 + BEIJING.latitude + 200, atol=1e-3)
    near = archive.analyses(START, START, near=[BEIJING])
    assert dict(near.sizes) == {"time": 1, "latitude": 2, "longitude": 2}
    with pytest.raises(InputError, match="city tokyo"):
        archive.at_cities([load_registry().city("tokyo")], START, START)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g.isel(latitude=slice(1, None)), "latitude: found 8 from 38.5"),
        (lambda g: g.assign_attrs(source="another"), "source: found another; expected the archive's, test"),
        (lambda g: g.assign_coords(time=g["time"] + np.timedelta64(30, "m")), "time: found .*expected whole hours"),
        (lambda g: g.rename(t2m="heat", u10="wind"), "variables"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(tmp_path, change, message) -> None:
    archive = WeatherArchive(tmp_path)
    archive.append(hourly_weather("2014-02-20", 2))
    before = contents(tmp_path)
    for start in ("2014-02-20", "2014-03-20"):
        with pytest.raises(InputError, match=message):
            archive.append(change(hourly_weather(start, 4)))
    assert {k: v for k, v in contents(tmp_path).items() if not k.endswith(".lock")} == {
        k: v for k, v in before.items() if not k.endswith(".lock")
    }


@given(st.lists(st.sets(st.sampled_from(list(WEATHER))), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_presence_tells_which_variables_an_hour_holds(held: list[set[str]]) -> None:
    grid = hourly_weather("2014-02-20", len(held), names=tuple(WEATHER))
    for number, names in enumerate(held):
        for name in set(WEATHER) - names:
            grid[name].values = np.where(np.arange(len(held))[:, None, None] == number, np.nan, grid[name].values)
    bits = presence(grid)
    for number, names in enumerate(held):
        assert set(present_names(bits[number : number + 1])) == names


def test_an_hour_without_its_mark_is_not_seen_and_is_written_again(tmp_path, monkeypatch) -> None:
    archive, grid = WeatherArchive(tmp_path), hourly_weather("2014-02-20", 4)
    archive.append(grid.isel(time=[0]))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(hazecast.services.store.weather_archive, "_mark_present", killed)
        archive.append(grid)
    xr.testing.assert_identical(everything(archive), grid.isel(time=[0]))
    assert archive.append(grid) == Written(3, 1)
    xr.testing.assert_identical(everything(archive), grid)


WRITER = """
import sys
from pathlib import Path
from hazecast.services.store.weather_archive import WeatherArchive
from tests.support.weather_samples import hourly_weather
archive = WeatherArchive(Path(sys.argv[1]))
archive.append(hourly_weather("2014-02-27", 1))
print("ready", flush=True)
for hour in range(96):
    archive.append(hourly_weather("2014-02-27", 96).isel(time=[hour]))
    archive.append(hourly_weather("2014-02-27", 96, init_time=f"2014-02-{hour % 28 + 1:02d}T00:00:00Z"))
"""


def test_a_writer_killed_anywhere_leaves_whole_hours(tmp_path) -> None:
    whole, pick = hourly_weather("2014-02-27", 96), random.Random(3)
    archive = WeatherArchive(tmp_path)
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
        ) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
            time.sleep(pick.uniform(0.0, 0.6))
            os.kill(writer.pid, signal.SIGKILL)
        read = everything(archive)
        xr.testing.assert_identical(read, whole.sel(time=read["time"]))
        for run in archive.runs():
            np.testing.assert_array_equal(archive.run(run)["t2m"], whole["t2m"])
    archive.append(whole)
    xr.testing.assert_identical(everything(archive), whole)


def test_runs_are_kept_whole_and_once(tmp_path) -> None:
    archive = WeatherArchive(tmp_path)
    run = hourly_weather("2014-02-20", 50, init_time="2014-02-20T00:00:00Z")
    assert archive.append(run) == Written(1, 0) and archive.append(run) == Written(0, 1)
    assert archive.runs() == [START] and archive.hours().size == 0
    xr.testing.assert_identical(archive.run(START).load().drop_encoding(), run.drop_encoding())
    with pytest.raises(InputError, match="init_time: found 2014-02-20T06"):
        archive.run(START + timedelta(hours=6))


def test_retention_goes_by_whole_months_and_runs(tmp_path) -> None:
    archive = WeatherArchive(tmp_path)
    archive.append(hourly_weather("2014-01-31T20", 9))
    for day in (1, 20):
        archive.append(hourly_weather("2014-02-20", 2, init_time=f"2014-02-{day:02d}T00:00:00Z"))
    assert prune_weather_archive(tmp_path, None, START) == 0
    assert prune_weather_archive(tmp_path, 10, START) == 2
    assert archive.hours()[0] == np.datetime64("2014-02-01") and archive.runs() == [START]
    assert prune_weather_archive(tmp_path, 10, START) == 0


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Analyses in NetCDF and GRIB2, a forecast run in two files, and a broken file."""
    folder = tmp_path_factory.mktemp("files")
    write_era5(folder / "era5.nc", hours=26)
    for step in (1, 2):
        write_grib(folder / f"gfs.f{step:03d}.grib2", [{"shortName": "2t", "step": step}], [PLANE + step])
    (folder / "torn.nc").write_bytes((folder / "era5.nc").read_bytes()[:2_000])
    return folder


def build(files: Path, target: Path, **options: object) -> dict[str, bytes]:
    done: list[tuple[int, int]] = []
    period = (START, START + timedelta(hours=26))
    report = build_weather_archive(files, *period, target, progress=lambda *n: done.append(n), **options)
    assert report.hours == Written(26, 0) and report.runs == Written(1, 0) and report.missing_hours == 1
    assert list(report.failed) == [str(files / "torn.nc")] and "torn.nc" in report.failed[str(files / "torn.nc")]
    assert done[-1] == (2, 2)
    again = build_weather_archive(files, *period, target, **options)
    assert again.hours == Written(0, 26) and again.runs == Written(0, 1)
    return contents(target)


def test_a_build_on_threads_and_on_a_cluster_is_the_same(files, tmp_path) -> None:
    on_threads = build(files, tmp_path / "threads")
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        dashboard_address=HERE,
        worker_dashboard_address=HERE,
        memory_limit=0,
    ) as cluster:
        on_cluster = build(files, tmp_path / "cluster", scheduler_address=cluster.scheduler_address)
    assert on_threads == on_cluster
    archive = WeatherArchive(tmp_path / "threads")
    np.testing.assert_allclose(everything(archive)["t2m"][25], PLANE[::-1], atol=0.01)
    np.testing.assert_allclose(archive.run(START)["t2m"][1], PLANE[::-1] + 2, atol=0.01)


def from_a_source(first: datetime, last: datetime) -> xr.Dataset:
    if first.day == 22:
        raise InputError("source", "nothing", "weather")
    return hourly_weather(f"{first:%Y-%m-%dT%H}", int((last - first).total_seconds() // 3600) + 1)


def test_a_build_from_a_source_goes_on_after_a_day_that_fails(tmp_path) -> None:
    report = build_weather_archive(from_a_source, START, START + timedelta(hours=80), tmp_path)
    assert report.hours == Written(57, 0) and report.missing_hours == 24
    assert report.failed == {"day 2014-02-22": "source: found nothing; expected weather"}


def test_wrong_arguments_of_a_build_are_named(files, tmp_path) -> None:
    with pytest.raises(InputError, match="period"):
        build_weather_archive(files, START, START - timedelta(hours=1), tmp_path)
    with pytest.raises(InputError, match="Dask scheduler: found nonsense"):
        build_weather_archive(files, START, START, tmp_path, scheduler_address="nonsense://x")
    assert dask.config.get("scheduler", None) is None
    with pytest.raises(InputError, match="no weather among"):
        build_weather_archive(tmp_path, START, START, tmp_path)
