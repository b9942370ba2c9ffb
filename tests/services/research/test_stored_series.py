"""Training data of many places: computed by Dask block by block, and cut from disk as from memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from distributed import LocalCluster

from hazecast.forecast.inputs import series_of
from hazecast.grids.contract import POLLUTANTS, describe
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import MonitorData
from hazecast.grids.places.cities import load_registry
from hazecast.models.series import HourlySeries
from hazecast.models.windows import balanced, window_set
from hazecast.services.core.cluster import HERE
from hazecast.services.research.stored_series import ArchiveSource, build_series, stored_series
from tests.support.training_data import START

PLACES = tuple(f"p{n:02d}" for n in range(7))


def made(places: Sequence[str]) -> HourlySeries:
    """Series of places, each by its own number alone."""
    randoms = [np.random.default_rng(int(place[1:])) for place in places]
    observed = np.stack([one.uniform(10.0, 90.0, (420, 6)) for one in randoms]).astype(np.float32)
    weather = np.stack([one.normal(280.0, 5.0, (420, 9)) for one in randoms]).astype(np.float32)
    nothing = np.zeros(len(places), np.float32)
    times = START + np.arange(420).astype("timedelta64[h]")
    names, own = np.array(places), np.arange(len(places))
    return HourlySeries(observed, weather, times, nothing + 8, names, nothing, nothing, own, observed, weather)


def half_made(places: Sequence[str]) -> HourlySeries:
    return made(places[:-1])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_windows_from_disk_are_those_from_memory_and_a_build_goes_on(tmp_path) -> None:
    counted = []
    assert build_series(made, PLACES, tmp_path, at_once=3, progress=lambda done, of: counted.append((done, of))) == 3
    assert sorted(counted) == [(1, 3), (2, 3), (3, 3)]
    stored = stored_series(tmp_path)
    assert [tuple(one.places) for one in stored] == [PLACES[:3], PLACES[3:6], PLACES[6:]]
    arrays = (stored[0].observations, stored[0].background.level, stored[0].weather_climate, stored[0].monthly.means)
    assert all(isinstance(one, np.memmap) for one in arrays) and stored[0].area_background is stored[0].background
    in_memory = tuple(made(one.places) for one in stored)
    sets = [
        balanced(window_set(series, START, START + np.timedelta64(420, "h"), every=9)) for series in (stored, in_memory)
    ]
    np.testing.assert_array_equal(sets[0].index, sets[1].index)
    rows = np.random.default_rng(1).permutation(len(sets[0]))[:20]
    one, other = (found.batch(rows, future_weather=True) for found in sets)
    for field in dataclasses.fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), err_msg=field.name)
    before = contents(tmp_path)
    (tmp_path / "000001").rename(tmp_path / "000001.part")  # as one that was killed
    assert build_series(made, PLACES, tmp_path, at_once=3) == 1
    assert contents(tmp_path) == before


def test_what_is_no_series_of_the_places_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="no series"):
        stored_series(tmp_path)
    with pytest.raises(InputError, match="the 3 places that were asked for"):
        build_series(half_made, PLACES[:3], tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.suffix == ""]


def test_an_archive_gives_each_block_its_own_cities(tmp_path) -> None:
    registry, names = load_registry(), ["beijing", "tokyo", "shanghai"]
    values = np.random.default_rng(2).uniform(10.0, 90.0, (400, 3)).astype(np.float32)
    data = {name: (("time", "city"), values) for name in POLLUTANTS}
    times = START + np.arange(400).astype("timedelta64[h]")
    observed = describe(xr.Dataset(data, {"time": times, "city": names}, {"source": "made"}), "observations")
    observed.to_netcdf(tmp_path / "observations.nc")
    build_series(ArchiveSource(tmp_path / "observations.nc", None, registry), names, tmp_path / "series", at_once=2)
    first, second = stored_series(tmp_path / "series")
    whole = series_of(MonitorData(observed, None, None, None, {}, "made"), registry, stations=False)
    np.testing.assert_array_equal(np.concatenate([first.observations, second.observations]), whole.observations)
    np.testing.assert_array_equal(np.concatenate([first.latitude, second.latitude]), whole.latitude)


@pytest.mark.slowest
def test_a_cluster_of_processes_computes_the_same(tmp_path) -> None:
    build_series(made, PLACES, tmp_path / "threads", at_once=2)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=HERE, worker_dashboard_address=HERE, memory_limit=0
    ) as cluster:
        build_series(made, PLACES, tmp_path / "cluster", at_once=2, scheduler_address=cluster.scheduler_address)
    assert contents(tmp_path / "threads") == contents(tmp_path / "cluster")
