"""A disk that is full, or may only be read, in every stage: an error that says so, and nothing stored is lost or half written.

When there is room again the same call does its work.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.observations.station_cities import NetworkStation
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import MEASURED_ZERO
from hazecast.models.registry import ModelRegistry
from hazecast.services.core.errors import StoreError
from hazecast.services.observability.health import examine
from hazecast.services.sources.http import HttpClient
from hazecast.services.sources.monitors.interface import Batch
from hazecast.services.store.backup import back_up
from hazecast.services.store.cycles import CycleStore
from hazecast.services.store.monitors import save_readings
from hazecast.services.store.run_files import read_product, save_product
from hazecast.services.store.station_hours import stored_hours
from hazecast.services.store.store import Store
from hazecast.services.work.stored_forecast import NETCDF, restore_netcdf, restore_values, write_netcdf
from tests.support.forecasts import forecast_of, save_run
from tests.support.full_disk import full_disk
from tests.support.monitor_publishers import HOUR, LAST, NOW
from tests.support.settings import make_settings
from tests.support.source_server import QUICK

SOURCE = SimpleNamespace(name="net", kind="measurement", reporting=MEASURED_ZERO)


@pytest.fixture
def settings(tmp_path):
    return make_settings(data_dir=tmp_path / "data")


@pytest.fixture
def store(settings):
    made = Store(settings.database_url, files=settings.data_dir)
    made.migrate()
    yield made
    made.close()


def batch(hours: range) -> Batch:
    made = Batch()
    for number in range(20):
        station = NetworkStation("net", str(number), str(number), "beijing")
        for back in hours:
            made.add(station, LAST - back * HOUR, [("pm25", 50.0 + (7 * back + number) % 13, "ug/m3")])
    return made


def left_over(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*.part*"))


def test_observations(store) -> None:
    registry = load_registry()
    save_readings(store, SOURCE, batch(range(12, 24)), registry, NOW)
    with full_disk(), pytest.raises(StoreError, match="nothing was stored|I/O error"):
        save_readings(store, SOURCE, batch(range(12)), registry, NOW)
    assert len(stored_hours(store, "net", LAST - 30 * HOUR, LAST)) == 12
    assert save_readings(store, SOURCE, batch(range(12)), registry, NOW).new == 12 * 20
    assert len(stored_hours(store, "net", LAST - 30 * HOUR, LAST)) == 24


def test_a_download_goes_on_where_it_stopped(source_server, tmp_path) -> None:
    content = bytes(range(256)) * 400
    url = source_server.file("/f.grib2", content)
    with HttpClient(QUICK) as client:
        with full_disk(20_000), pytest.raises(StoreError, match=r"f\.grib2: can't be written"):
            client.download(url, tmp_path / "f.grib2")
        assert not (tmp_path / "f.grib2").exists()
        assert client.download(url, tmp_path / "f.grib2").read_bytes() == content
    assert left_over(tmp_path) == [] and source_server.requests[-1].headers["range"].startswith("bytes=20000-")


def test_a_cycle_of_weather(tmp_path) -> None:
    noise = np.random.default_rng(1).normal(280.0, 5.0, (48, 400)).astype(np.float32)
    weather = xr.Dataset(
        {"t2m": (("time", "city"), noise)},
        coords={"time": np.datetime64("2026-01-15", "ns") + np.arange(48) * np.timedelta64(1, "h")},
        attrs={"source": "made", "init_time": "2026-01-15T00:00:00Z"},
    )
    kept = CycleStore(tmp_path)
    path = kept.save("gfs", weather)
    whole = path.read_bytes()
    with full_disk(), pytest.raises(StoreError, match=r"can't be written"):
        kept.save("gfs", weather)
    assert path.read_bytes() == whole and left_over(tmp_path) == []
    assert kept.save("gfs", weather) == path


def test_a_run_and_its_files(store, settings) -> None:
    save_run(store, settings.data_dir, store.begin_cycle(None, False))
    before = store.latest_run()
    cycle = store.begin_cycle(None, False)
    with full_disk(), pytest.raises(StoreError):
        save_run(store, settings.data_dir, cycle, mean=300.0)
    assert store.latest_run().cycle_id == before.cycle_id and Path(store.latest_run().netcdf_path).exists()
    store.finish_cycle(cycle, "failed", error="no room")
    again = store.begin_cycle(None, False)
    save_run(store, settings.data_dir, again, mean=300.0)
    assert store.latest_run().cycle_id == again


def test_products(tmp_path) -> None:
    file = tmp_path / "run.nc"
    write_netcdf(forecast_of(50.0), file)
    values, whole = restore_values(file), file.read_bytes()
    save_product(file, "haze-zh.png", b"the picture before")
    with full_disk(), pytest.raises(StoreError, match="can't be written"):
        save_product(file, "haze-zh.png", b"a picture" * 1_000)
    assert read_product(file, "haze-zh.png") == b"the picture before" and left_over(tmp_path) == []
    file.write_bytes(b"damaged")
    with full_disk(), pytest.raises(StoreError, match="can't be written"):
        restore_netcdf(file)
    assert restore_values(file) == values
    assert restore_netcdf(file)[:4] == whole[:4] == b"\x89HDF" and read_product(file, NETCDF) == file.read_bytes()


@pytest.mark.slow
@pytest.mark.slowest
def test_weights(tmp_path) -> None:
    registry = ModelRegistry(tmp_path / "models")
    before = [model.model_id for model in registry.models()]
    shipped = registry.get(before[0])
    copied = tmp_path / "trained"
    copied.mkdir()
    for path in shipped.folder.iterdir():
        text = path.read_bytes()
        (copied / path.name).write_bytes(
            text.replace(before[0].encode(), b"a-new-one") if path.suffix == ".json" else text
        )
    with full_disk(), pytest.raises(OSError, match="large"):
        registry.register(copied)
    assert [model.model_id for model in registry.models()] == before
    assert registry.register(copied).model_id == "a-new-one" and left_over(tmp_path) == []


def test_a_backup(store, settings, tmp_path) -> None:
    save_run(store, settings.data_dir, store.begin_cycle(None, False))
    with full_disk(), pytest.raises(StoreError, match=r"b\.tar: can't be written"):
        back_up(settings, tmp_path / "b.tar")
    assert os.listdir(tmp_path) == ["data"]
    back_up(settings, tmp_path / "b.tar")
    assert (tmp_path / "b.tar").stat().st_size > 10_000


def test_a_folder_that_may_only_be_read() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        settings = make_settings(data_dir=folder)
        store = Store(settings.database_url, lambda: NOW, folder)
        store.migrate()
        save_run(store, folder, store.begin_cycle(None, False))
        run = store.latest_run()
        examine(store, settings, NOW)  # what it imports must be loaded before
        with only_to_be_read(folder):
            assert store.latest_run().id == run.id
            with pytest.raises(StoreError, match=r"readonly|unable to open|Permission"):
                store.begin_cycle(None, False)
            with pytest.raises(StoreError, match="can't be written"):
                save_product(Path(run.netcdf_path), "haze-zh.png", b"a picture")
            with pytest.raises(StoreError, match="can't be written"):
                back_up(settings, folder / "b.tar")
            writing = {check.name: check for check in examine(store, settings, NOW).checks}["writing"]
            assert (writing.status, writing.detail) == (
                "degraded",
                "the data folder can't be written: Permission denied",
            )
        assert [row.status for row in store.cycles()] == ["running"] and left_over(folder) == []
        save_run(store, folder, store.begin_cycle(None, False))
        store.close()


@contextmanager
def only_to_be_read(folder: Path) -> Iterator[None]:
    """Take the right to write in a folder; root, who may always, becomes somebody else meanwhile."""
    paths = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)
