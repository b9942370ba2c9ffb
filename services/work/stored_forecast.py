"""The forecast of a stored run: its files, and reading it in a process that serves. Loads no drawing library.

A run's NetCDF file has products beside it (`hazecast.services.store.run_files`): its values in plain form, which is what
is read, and the file itself under its digest. Each is made again from the other where it is damaged. The map has a digest too.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.alerts.maps.options import Format
from hazecast.grids.contract import FORECAST_POLLUTANTS, HISTORY_HOURS, LEAD_HOURS, QUANTILES, describe
from hazecast.grids.errors import InputError
from hazecast.grids.times import to_datetime64
from hazecast.services.core.errors import StoreError
from hazecast.services.core.files import atomic_write
from hazecast.services.core.subprocesses import run_in_subprocess
from hazecast.services.store.observations import newest_observations
from hazecast.services.store.reads import QUANTILE_COLUMNS, VALUE_COLUMNS, values_of
from hazecast.services.store.run_files import has_product, link_product, read_product, save_product
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.work.plain_dataset import from_plain, to_plain

log = logging.getLogger(__name__)

Float = npt.NDArray[np.float32]

ValueKind = Literal["pm25", "o3", "aqi"]
VALUE_KINDS: tuple[ValueKind, ...] = ("pm25", "o3", "aqi")
MEDIA_TYPES: dict[Format, str] = {"gif": "image/gif", "png": "image/png", "webp": "image/webp"}
NETCDF, MAP = "forecast.nc", "map.png"
_VALUES = "values.npz"


@dataclass(frozen=True)
class Look:
    """How a picture is to look: its language and its size."""

    language: str = "zh"
    size: str = "desktop"


# Forecasts held in memory, and bytes that they may take together; the newest is held in any case.
_MOST_HELD, _MOST_BYTES = 4, 128 * 2**20
_held: OrderedDict[tuple[str, frozenset[str] | None], xr.Dataset] = OrderedDict()
_holding = threading.Lock()


def load_forecast(path: str, names: Collection[str] | None = None) -> xr.Dataset:
    """Return a stored forecast. Its file never changes under one name; do not change what is returned.

    The NetCDF library is not loaded: where the plain values are missing, a subprocess makes them from the file.

    Parameters
    ----------
    path : str
        The NetCDF file.
    names : collection of str, optional
        The variables that are needed at least: of ten thousand cities all together take 300 MB.

    Returns
    -------
    xarray.Dataset
        Contract "forecast", with those variables that it has.

    Raises
    ------
    InputError
        If the file is gone, or can't be read.
    """
    wanted = None if names is None else frozenset(names)
    with _holding:
        for key in ((path, None), (path, wanted)):
            if key in _held:
                _held.move_to_end(key)
                return _held[key]
    forecast = from_plain(_content(path), wanted)
    with _holding:
        _held[path, wanted] = forecast
        while len(_held) > 1 and (len(_held) > _MOST_HELD or sum(f.nbytes for f in _held.values()) > _MOST_BYTES):
            _held.popitem(last=False)
    return forecast


def load_cities(
    path: str, names: Collection[str], choose: Callable[[list[str], Float], Sequence[int]], most: int
) -> tuple[xr.Dataset, list[str]]:
    """Return a stored forecast of all its cities or, where it has too many, of some of them.

    Parameters
    ----------
    path : str
        The NetCDF file.
    names : collection of str
        The variables that are needed at least.
    choose : callable
        Chooses from all: given their ids and the median of PM2.5, float32 (lead_time, city), ug m-3, it returns the positions of
        those that are kept.
    most : int
        How many cities are not too many.

    Returns
    -------
    forecast : xarray.Dataset
        Contract "forecast"; not to be changed.
    cities : list of str
        The ids of all.

    Raises
    ------
    InputError
        If the file is gone, or can't be read.
    """
    with _holding:
        if (path, None) in _held:
            forecast = _held[path, None]
            ids = [str(city) for city in forecast["city"].values]
            if len(ids) <= most:
                return forecast, ids
    content = _content(path)
    pm25 = from_plain(content, ("pm25",))["pm25"].transpose("lead_time", "city", "quantile")
    ids = [str(city) for city in pm25["city"].values]
    if len(ids) <= most:
        return load_forecast(path), ids
    chosen = np.asarray(choose(ids, pm25.values[..., QUANTILES.index(0.5)]), np.int64)
    return from_plain(content, names, {"city": chosen}), ids


def _content(path: str) -> bytes:
    """Return a forecast's values in plain form."""
    file = Path(path)
    content = read_product(file, _VALUES)
    if content is None:
        if not file.is_file():
            raise InputError("forecast file", path, "the file of a stored run")
        content = run_in_subprocess(restore_values, file, where=path)
    return content


def stored_part(store: Store, run: ForecastRun, cities: Sequence[str]) -> xr.Dataset:
    """Return the forecast of some cities of a run, from its rows: no more is read than is asked for.

    Parameters
    ----------
    store : Store
    run : ForecastRun
    cities : sequence of str
        Ids; those that the run has no values of are left out.

    Returns
    -------
    xarray.Dataset
        Contract "forecast": ``pm25``, ``o3`` and ``relative_humidity``, without what else the file holds.
    """
    rows: Sequence[Any] = values_of(store, run, cities, 1, LEAD_HOURS)
    ids = sorted({row[0] for row in rows})
    place = {name: number for number, name in enumerate(ids)}
    values = np.full((LEAD_HOURS, len(ids), len(VALUE_COLUMNS)), np.nan, np.float32)
    for row in rows:
        values[row[1] - 1, place[row[0]]] = np.array(row[2:], np.float32)
    columns = {name: values[..., number] for number, name in enumerate(VALUE_COLUMNS)}
    dims = ("lead_time", "city")
    data: dict[str, Any] = {
        name: ((*dims, "quantile"), np.stack([columns[f"{name}_{part}"] for part in QUANTILE_COLUMNS[:-1]], axis=-1))
        for name in FORECAST_POLLUTANTS
    }
    data["relative_humidity"] = dims, columns["relative_humidity"], {"units": "%"}
    coords = {
        "lead_time": np.arange(1, LEAD_HOURS + 1).astype("timedelta64[h]").astype("timedelta64[ns]"),
        "city": ids,
        "quantile": list(QUANTILES),
        "init_time": to_datetime64(run.init_time),
    }
    attrs = {"weather_source": run.weather_source, "humidity_source": run.humidity_source, "model_id": run.model_id,
             "simulated": int(run.simulated), "degraded": int(run.degraded)}  # fmt: skip
    return describe(xr.Dataset(data, coords, attrs), "forecast")


def observed_before(store: Store, run: ForecastRun, city_id: str, pollutant: str) -> xr.Dataset | None:
    """Return what was observed of a pollutant in a city in the days before a run.

    Parameters
    ----------
    store : Store
    run : ForecastRun
    city_id : str
    pollutant : str

    Returns
    -------
    xarray.Dataset (time, city) or None
        In whole hours, NaN where one is missing; None if none is stored, or the pollutant isn't observed.
    """
    rows = newest_observations(store, city_id, run.simulated, run.init_time, HISTORY_HOURS)
    if not rows or pollutant not in ("pm25", "o3"):
        return None
    times = np.array([row.time.replace(tzinfo=None) for row in rows], dtype="datetime64[ns]")
    values = np.array([[np.nan if getattr(row, pollutant) is None else getattr(row, pollutant)] for row in rows])
    observed = xr.Dataset({pollutant: (("time", "city"), values)}, coords={"time": times, "city": [city_id]})
    return observed.reindex(time=np.arange(times[0], times[-1] + np.timedelta64(1, "h"), np.timedelta64(1, "h")))


def restore_values(file: Path) -> bytes:
    """Make the plain values of a run from its NetCDF file, store them beside it, and return them.

    Reads NetCDF: to be called in a cycle or in a subprocess.

    Raises
    ------
    InputError
        If the file can't be read.
    """
    content = read_product(file, _VALUES)
    if content is None:
        content = to_plain(_read_netcdf(file))
        try:
            save_product(file, _VALUES, content)
        except StoreError as error:
            log.error("the values of a forecast can't be stored in plain form: %s", error)
    return content


def restore_netcdf(file: Path) -> bytes:
    """Return the content of a run's NetCDF file, stored under its digest; a damaged file is written anew.

    Reads and writes NetCDF: to be called in a cycle or in a subprocess.

    Raises
    ------
    InputError
        If neither the file nor the plain values can be read.
    StoreError
        If nothing can be written.
    """
    values = read_product(file, _VALUES)
    # A digest that no content has any more means that the file has changed since it was written.
    if has_product(file, NETCDF) or not _is_readable(file):
        if values is None:
            raise InputError("forecast file", file, "the undamaged file of a stored run")
        log.error("%s is damaged or gone: written anew from the forecast's plain values", file)
        write_netcdf(from_plain(values), file)
    return link_product(file, NETCDF)


def write_netcdf(forecast: xr.Dataset, path: Path) -> None:
    """Write a forecast, or a part of one, as NetCDF.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    path : Path

    Raises
    ------
    StoreError
        If it can't be written.
    """
    encoding: dict[str, dict[str, object]] = {str(name): {"zlib": True, "complevel": 4} for name in forecast.data_vars}
    encoding["lead_time"] = {"units": "hours", "dtype": "int32"}
    encoding["init_time"] = {"units": "hours since 1970-01-01 00:00:00", "dtype": "int64"}
    with atomic_write(path) as part:
        forecast.to_netcdf(part, engine="netcdf4", encoding=encoding)


def _read_netcdf(file: Path) -> xr.Dataset:
    try:
        with xr.open_dataset(file, engine="netcdf4", decode_timedelta=True) as dataset:
            return dataset.load()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError("forecast file", f"{file}: {error}", "the file of a stored run") from error


def _is_readable(file: Path) -> bool:
    try:
        _read_netcdf(file)
    except InputError:
        return False
    return True
