"""NetCDF files and Zarr stores with ERA5's names into the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.contract import WEATHER, within_limits
from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires
from hazecast.grids.weather.regular_grid import Box

_ERA5_UNITS: dict[str, tuple[set[str], float]] = {
    # Accepted units in the file, and the factor to the contract's. ERA5 accumulates
    # precipitation (m) and radiation (J m-2) over the hour before the time stamp.
    "t2m": ({"K"}, 1.0),
    "d2m": ({"K"}, 1.0),
    "u10": ({"m s**-1", "m s-1"}, 1.0),
    "v10": ({"m s**-1", "m s-1"}, 1.0),
    "sp": ({"Pa"}, 1.0),
    "blh": ({"m"}, 1.0),
    "tcc": ({"(0 - 1)", "1"}, 1.0),
    "tp": ({"m"}, 1000.0),
    "ssrd": ({"J m**-2", "J m-2"}, 1.0 / 3600.0),
}
_CONTRACT_ONLY = {"tp": "mm h-1", "ssrd": "W m-2"}


@contextmanager
def opened_netcdf(path: Path) -> Iterator[xr.Dataset]:
    """Open a NetCDF file or Zarr store, its axis of valid times renamed to ``time``."""
    if path.is_dir():
        requires("zarr", "archive")
    try:
        with xr.open_dataset(path, engine="zarr" if path.is_dir() else "netcdf4") as raw:
            if "valid_time" in raw.dims:
                raw = raw.rename(valid_time="time")
            for dim in ("time", "latitude", "longitude"):
                if dim not in raw.dims or dim not in raw.coords:
                    raise InputError(f"{path}: dimensions", tuple(raw.dims), "time, latitude, longitude")
            for dim in ("latitude", "longitude"):
                if raw[dim].dtype.kind not in "fiu" or not (np.abs(raw[dim].values) <= 361.0).all():
                    raise InputError(f"{path}: {dim}", raw[dim].values, "degrees")
            yield raw
    except InputError:
        raise
    except Exception as error:
        # On a damaged file the libraries raise nearly any exception.
        raise InputError(str(path), error, "a whole NetCDF file") from error


def span_of_netcdf(path: Path) -> tuple[np.datetime64 | None, np.datetime64, np.datetime64]:
    """Return init time, None where none is stated, first and last time.

    Raises
    ------
    InputError
        If the file can't be read.
    """
    with opened_netcdf(path) as raw:
        times = raw["time"].values
        issued = raw.attrs.get("init_time")
    if not times.size or not np.issubdtype(times.dtype, np.datetime64):
        raise InputError(f"{path}: time", f"{times.size} values of {times.dtype}", "dates")
    init = np.datetime64(str(issued).removesuffix("Z"), "ns") if issued else None
    return init, times.min(), times.max()


def read_netcdf(
    path: Path, box: Box | None = None, period: tuple[np.datetime64, np.datetime64] | None = None
) -> xr.Dataset:
    with opened_netcdf(path) as opened:
        raw = opened.isel(_wanted(opened, box, period)).load()
    extra = [name for name in ("expver", "number") if name in raw.coords and name not in raw.dims]
    raw = raw.drop_vars(extra)
    if "expver" in raw.dims:
        # ERA5 with its newest months from ERA5T: each hour is valid in one of the two.
        raw = raw.max("expver", keep_attrs=True)
    names = [name for name in WEATHER if name in raw.data_vars]
    if not names:
        raise InputError(f"{path}: variables", sorted(map(str, raw.data_vars)), f"any of {sorted(WEATHER)}")
    result = xr.Dataset(coords={dim: raw[dim] for dim in ("time", "latitude", "longitude")})
    for name in names:
        result[name] = _converted(raw[name], name, path)
    origin = {key: raw.attrs[key] for key in ("init_time", "simulated") if key in raw.attrs}
    return result.assign_attrs(origin, source=str(raw.attrs.get("source", "ERA5")))


def _wanted(raw: xr.Dataset, box: Box | None, period: tuple[np.datetime64, np.datetime64] | None) -> dict[str, slice]:
    """Return the part of a file inside box and period as slices, which are the fastest to read."""
    result: dict[str, slice] = {}
    masks = {}
    if box is not None:
        east = (raw["longitude"].values - box.west) % 360.0
        masks = {
            "latitude": (raw["latitude"].values >= box.south) & (raw["latitude"].values <= box.north),
            "longitude": east <= box.east - box.west,
        }
    if period is not None:
        masks["time"] = (raw["time"].values >= period[0]) & (raw["time"].values <= period[1])
    for dim, mask in masks.items():
        inside = np.flatnonzero(mask)
        result[dim] = slice(inside[0], inside[-1] + 1) if inside.size else slice(0)
    return result


def _converted(array: xr.DataArray, name: str, path: Path) -> xr.DataArray:
    units = str(array.attrs.get("units"))
    accepted, factor = _ERA5_UNITS[name]
    if units == _CONTRACT_ONLY.get(name):
        factor = 1.0
    elif units not in accepted:
        raise InputError(f"{path}: {name} units", units, f"one of {sorted(accepted)}")
    if set(array.dims) != {"time", "latitude", "longitude"} or array.dtype.kind not in "fiu":
        raise InputError(f"{path}: {name}", f"{array.dtype} on {array.dims}", "numbers on time, latitude, longitude")
    values = array.transpose("time", "latitude", "longitude") * factor
    return within_limits(values, name, str(path)).astype(np.float32)
