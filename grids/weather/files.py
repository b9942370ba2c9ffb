"""Weather files into the contract: NetCDF and Zarr with ERA5's names, and GRIB2 of GFS and ECMWF.

The result has latitude ascending and longitude -180 to 180 ascending; times are valid times.
A variable that a source lacks is absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.contract import WEATHER, check, describe, within_limits
from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires
from hazecast.grids.places.cities import City
from hazecast.grids.weather.grib2 import read_grib2, read_grib2_at_cities
from hazecast.grids.weather.regular_grid import Box
from hazecast.grids.weather.sampling import at_cities
from hazecast.grids.weather.timeline import joined

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
_GRIB_SUFFIXES = (".grib2", ".grb2", ".grib", ".grb")


def read_weather(
    path: Path | Sequence[Path], *, box: Box | None = None, period: tuple[np.datetime64, np.datetime64] | None = None
) -> xr.Dataset:
    """Read weather files, or all weather files of a folder.

    Parameters
    ----------
    path : Path or sequence of Path
        NetCDF (``.nc``) and GRIB2 (``.grib2``, ``.grb2``) files and Zarr stores (``.zarr``), or a
        folder of them, of one source and one run.
    box : Box, optional
        Read only this part of the grid.
    period : two datetime64, optional
        Read only times from the first to the second, both included.

    Returns
    -------
    xarray.Dataset
        Contract "weather_grid"; attribute ``init_time`` where the source is a forecast.

    Raises
    ------
    InputError
        If a file is absent, broken, in other units or holds no weather of the contract, or
        none in the box or the period.
    """
    gribs, others = weather_files(path)
    parts = [_oriented(_read_netcdf(file, box, period)) for file in others]
    if gribs:
        parts.append(_oriented(read_grib2(gribs, box)))
    grid = describe(joined(parts, path), "weather_grid")
    if period is not None:
        grid = grid.sel(time=slice(*period))
    return check(grid, "weather_grid", name=str(path))


def read_weather_at_cities(path: Path, cities: Sequence[City]) -> xr.Dataset:
    """Read weather files, or all of a folder, bilinearly at cities.

    As `read_weather` followed by `hazecast.grids.weather.sampling.at_cities`, but GRIB2 grids are not held in
    memory.

    Parameters
    ----------
    path : Path
        As `read_weather`.
    cities : sequence of City

    Returns
    -------
    xarray.Dataset (time, city)
        Contract "city_weather".

    Raises
    ------
    InputError
        As `read_weather`, and if a city lies outside the grid.
    """
    gribs, others = weather_files(path)
    parts = [at_cities(describe(_oriented(_read_netcdf(file)), "weather_grid"), cities) for file in others]
    if gribs:
        parts.append(read_grib2_at_cities(gribs, cities))
    return check(describe(joined(parts, path), "city_weather"), "city_weather", name=str(path))


def weather_files(path: Path | Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the GRIB2 and the other weather files among `path`, files or a folder, by name.

    Raises
    ------
    InputError
        If there is none.
    """
    if not isinstance(path, Path):
        files = sorted(path)
    elif not path.exists():
        raise InputError("weather", path, "a file or folder that exists")
    elif path.is_dir() and path.suffix != ".zarr":
        files = sorted(p for p in path.iterdir() if p.suffix in (".nc", ".zarr", *_GRIB_SUFFIXES))
    else:
        files = [path]
    if not files:
        raise InputError(str(path), "no .nc, .zarr or .grib2 file", "weather files")
    gribs = [file for file in files if file.suffix in _GRIB_SUFFIXES]
    return gribs, [file for file in files if file not in gribs]


def span_of(path: Path) -> tuple[np.datetime64 | None, np.datetime64, np.datetime64]:
    """Return what one file covers, by its headers: init time, None for analyses, first and last time.

    Raises
    ------
    InputError
        If the file can't be read.
    """
    if path.suffix in _GRIB_SUFFIXES:
        from hazecast.grids.weather.grib2_messages import run_of_grib2

        run, first, last = run_of_grib2(path)
        return (run if last > run else None), first, last
    with _opened(path) as raw:
        times = raw["time"].values
        issued = raw.attrs.get("init_time")
    if not times.size or not np.issubdtype(times.dtype, np.datetime64):
        raise InputError(f"{path}: time", f"{times.size} values of {times.dtype}", "dates")
    init = np.datetime64(str(issued).removesuffix("Z"), "ns") if issued else None
    return init, times.min(), times.max()


def _oriented(grid: xr.Dataset) -> xr.Dataset:
    longitude = (grid["longitude"] + 180.0) % 360.0 - 180.0
    return grid.assign_coords(longitude=longitude).sortby("longitude").sortby("latitude")


@contextmanager
def _opened(path: Path) -> Iterator[xr.Dataset]:
    """Open a NetCDF file or Zarr store, its axis of valid times renamed to ``time``."""
    if path.suffix == ".zarr":
        requires("zarr", "archive")
    try:
        with xr.open_dataset(path, engine="zarr" if path.suffix == ".zarr" else "netcdf4") as raw:
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


def _read_netcdf(
    path: Path, box: Box | None = None, period: tuple[np.datetime64, np.datetime64] | None = None
) -> xr.Dataset:
    with _opened(path) as opened:
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
