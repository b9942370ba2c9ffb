"""A run's files: what is damaged or gone is noticed by its digest, and made again from the other."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.services.store.run_files import (
    drop_products,
    products_folder,
    read_product,
    remove_run_file,
    save_product,
)
from hazecast.services.work import stored_forecast
from hazecast.services.work.plain_dataset import from_plain, to_plain
from hazecast.services.work.stored_forecast import (
    NETCDF,
    load_cities,
    load_forecast,
    restore_netcdf,
    restore_values,
    write_netcdf,
)
from tests.support.forecasts import forecast_of


@pytest.fixture
def file(tmp_path):
    """A run's file with its products."""
    path = tmp_path / "run.nc"
    write_netcdf(forecast_of(100.0), path)
    restore_values(path)
    restore_netcdf(path)
    stored_forecast._held.clear()
    return path


def damage(folder, name: str) -> None:
    (path,) = folder.glob(name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def test_a_forecast_is_the_same_read_plainly_and_from_netcdf(file) -> None:
    plain = load_forecast(str(file))
    with xr.open_dataset(file, decode_timedelta=True) as stored:
        xr.testing.assert_identical(plain, stored.load())
    assert plain["city"].dtype.kind == "U" and to_plain(from_plain(to_plain(plain))) == to_plain(plain)
    for wrong in (b"", b"PK", to_plain(plain)[:-200]):
        with pytest.raises(InputError, match="plain dataset"):
            from_plain(wrong)


def test_a_part_is_read_without_the_rest(tmp_path) -> None:
    path, cities = tmp_path / "run.nc", [f"c{n}" for n in range(6)]
    write_netcdf(forecast_of(100.0, cities=cities), path)
    restore_values(path)
    stored_forecast._held.clear()
    asked: list[tuple[list[str], tuple[int, ...]]] = []

    def choose(ids, pm25):
        asked.append((ids, pm25.shape))
        return [1, 4]

    part, ids = load_cities(str(path), ("pm25",), choose, most=5)
    assert ids == cities and asked == [(cities, (120, 6))]
    assert set(part.data_vars) == {"pm25"} and list(part["city"].values) == ["c1", "c4"]
    whole = load_forecast(str(path))
    xr.testing.assert_identical(part["pm25"], whole["pm25"].isel(city=[1, 4]))
    everything, _ = load_cities(str(path), ("pm25",), choose, most=6)
    assert everything is load_forecast(str(path)) and len(asked) == 1
    stored_forecast._held.clear()
    narrow = load_forecast(str(path), ["o3", "u10"])
    assert set(narrow.data_vars) == {"o3"} and narrow.sizes["city"] == 6


def test_damaged_values_are_made_again_from_the_file(file, caplog) -> None:
    whole = load_forecast(str(file))
    damage(products_folder(file), "values.*.npz")
    stored_forecast._held.clear()
    assert read_product(file, "values.npz") is None and "is damaged" in caplog.text
    xr.testing.assert_identical(load_forecast(str(file)), whole)
    assert read_product(file, "values.npz") is not None


@pytest.mark.parametrize("how", ["damaged", "gone"])
def test_a_file_that_is_damaged_or_gone_is_written_again_from_the_values(file, how) -> None:
    if how == "gone":
        file.unlink()
        damage(products_folder(file), "forecast.*.nc")
    else:
        damage(file.parent, "run.nc")
    assert read_product(file, NETCDF) is None
    assert restore_netcdf(file) == read_product(file, NETCDF) == file.read_bytes()
    with xr.open_dataset(file, decode_timedelta=True) as again:
        xr.testing.assert_identical(again.load(), from_plain(restore_values(file)))


def test_without_either_there_is_no_forecast(file) -> None:
    damage(products_folder(file), "values.*.npz")
    damage(file.parent, "run.nc")
    with pytest.raises(InputError, match="forecast file"):
        restore_netcdf(file)
    file.unlink()
    stored_forecast._held.clear()
    with pytest.raises(InputError, match="forecast file"):
        load_forecast(str(file))


def test_products_go_with_their_run(file, tmp_path) -> None:
    save_product(file, "haze-zh.png", b"one")
    save_product(file, "haze-zh.png", b"two")
    assert read_product(file, "haze-zh.png") == b"two" and len([*products_folder(file).glob("haze-*")]) == 1
    newer = tmp_path / "newer.nc"
    write_netcdf(forecast_of(50.0), newer)
    save_product(newer, "haze-zh.png", b"three")
    drop_products(newer, ("haze-",))
    assert read_product(file, "haze-zh.png") is None and read_product(newer, "haze-zh.png") == b"three"
    assert read_product(file, "values.npz") is not None
    assert remove_run_file(file) and not products_folder(file).exists() and not remove_run_file(file)
    save_product(file, "late.png", b"of a run that is gone")
    assert not products_folder(file).exists() and np.isfinite(load_forecast(str(newer))["pm25"]).all()
