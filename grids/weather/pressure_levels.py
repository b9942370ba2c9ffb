"""Wind on one pressure level, from GRIB and NetCDF files: the wind that transports air, above that at 10 m."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.weather.codec import eccodes
from hazecast.grids.weather.files import oriented
from hazecast.grids.weather.formats import Format, unpacked, weather_files
from hazecast.grids.weather.grib_fields import Damaged, fields_of, product_of
from hazecast.grids.weather.grib_grid import Scan, grid_of
from hazecast.grids.weather.grib_headers import handle_of, input_errors
from hazecast.grids.weather.netcdf import opened_netcdf

_DIMS = ("time", "latitude", "longitude")
# WMO FM 92, code tables 4.2 (momentum) and 4.5 (isobaric surface).
_PRODUCTS = {(0, 2, 2): "u", (0, 2, 3): "v"}
_ISOBARIC = 100
_STANDARD_NAMES = {"eastward_wind": "u", "northward_wind": "v"}
_NAMES = {"u": "u", "v": "v", "ua": "u", "va": "v"}
_HECTOPASCALS = {"hpa": 1.0, "millibars": 1.0, "millibar": 1.0, "mb": 1.0, "mbar": 1.0, "pa": 0.01}
_MISSING = 9.969e36
# m s-1; chosen, above what a jet stream reaches: more is a fill value or another unit.
_MOST = 150.0


def read_level_wind(path: Path, level_hpa: float) -> xr.Dataset:
    """Read the wind on a pressure level from weather files, or from those of a folder.

    Parameters
    ----------
    path : Path
        GRIB and NetCDF files, Zarr stores and ZIP archives of them, of one source and one run.
    level_hpa : float
        Level, hPa, such as 925 or 850: one that the files hold, for nothing is interpolated between levels.

    Returns
    -------
    xarray.Dataset (time, latitude, longitude)
        ``u`` and ``v``, m s-1, at valid times; attributes ``source`` and ``level_hpa``.

    Raises
    ------
    InputError
        If a file is damaged, the level or a component is in none, or a time has two values.
    """
    parts = _parts(path, level_hpa)
    if not parts:
        raise InputError(f"{path}: level", f"no wind at {level_hpa:g} hPa", "u and v on that pressure level")
    try:
        found = xr.concat(parts, "time", join="exact", combine_attrs="override").sortby("time")
    except ValueError as error:
        raise InputError(str(path), error, "files on one grid") from error
    times = found["time"].values
    twice = times[1:][np.diff(times) == np.timedelta64(0)]
    if len(twice):
        raise InputError(f"{path}: time", f"{twice[0]} twice", "one run, each time once")
    if float(np.abs(found.to_array()).max()) > _MOST:
        raise InputError(f"{path}: wind", float(np.abs(found.to_array()).max()), f"m s-1, at most {_MOST:g}")
    for name, standard in (("u", "eastward_wind"), ("v", "northward_wind")):
        found[name].attrs = {"standard_name": standard, "units": "m s-1"}
    return found.assign_attrs(source=str(path.name), level_hpa=float(level_hpa))


def _parts(path: Path, level: float) -> list[xr.Dataset]:
    parts: list[xr.Dataset] = []
    for file, format_ in weather_files(path).items():
        if format_ is Format.ZIP:
            with unpacked(file) as folder:
                parts += _parts(folder, level)
            continue
        found = _of_grib(file, level) if format_ is Format.GRIB else _of_netcdf(file, level)
        parts += [] if found is None else [oriented(found)]
    return parts


def _of_netcdf(path: Path, level: float) -> xr.Dataset | None:
    with opened_netcdf(path) as raw:
        held = {}
        for name in map(str, raw.data_vars):
            own = _STANDARD_NAMES.get(str(raw[name].attrs.get("standard_name"))) or _NAMES.get(name)
            field = None if own is None else _at_level(raw[name], level)
            if own is not None and field is not None:
                if str(field.attrs.get("units")) not in ("m s-1", "m s**-1", "m/s"):
                    raise InputError(f"{path}: {name} units", field.attrs.get("units"), "m s-1")
                held[own] = field.transpose(*_DIMS).astype(np.float64).load()
        if not held:
            return None
        if len(held) < 2:
            raise InputError(f"{path}: wind at {level:g} hPa", sorted(held), "both u and v")
        return xr.Dataset({n: (_DIMS, f.values) for n, f in held.items()}, {dim: raw[dim].values for dim in _DIMS})


def _at_level(array: xr.DataArray, level: float) -> xr.DataArray | None:
    """Return the field at a level in hPa; None where the array is on no pressure levels or lacks it."""
    for name, axis in array.coords.items():
        factor = _HECTOPASCALS.get(str(axis.attrs.get("units", "")).lower())
        if name in _DIMS or factor is None or axis.ndim > 1:
            continue
        at = np.flatnonzero(np.isclose(np.atleast_1d(axis.values).astype(float) * factor, level))
        if not len(at):
            return None
        return array.isel({str(name): int(at[0])}) if axis.ndim else array
    return None


def _of_grib(path: Path, level: float) -> xr.Dataset | None:
    fields: dict[str, dict[np.datetime64, xr.DataArray]] = {"u": {}, "v": {}}
    for found in fields_of(path):
        if isinstance(found, Damaged):
            raise InputError(f"{path}: byte {found.start}", found.found, "whole GRIB messages")
        product = product_of(found.data)
        if product is not None and (product[:3] not in _PRODUCTS or product[3] not in (_ISOBARIC, None)):
            continue
        where = f"{path}: message {found.message}"
        with input_errors(where), handle_of(found.data) as handle:
            name = str(eccodes.codes_get(handle, "shortName"))
            kind, height = (str(eccodes.codes_get(handle, key)) for key in ("typeOfLevel", "level"))
            if name not in fields or kind != "isobaricInhPa" or float(height) != level:
                continue
            time, field = _decoded(handle, where)
        if time in fields[name]:
            raise InputError(f"{where}: {name}", f"a second field of {time}", "one run and one member")
        fields[name][time] = field
    if not fields["u"] and not fields["v"]:
        return None
    if fields["u"].keys() != fields["v"].keys():
        raise InputError(f"{path}: wind at {level:g} hPa", "u and v at different times", "both at each time")
    times = sorted(fields["u"])
    return xr.Dataset(
        {name: xr.concat([own[t] for t in times], "time", join="exact") for name, own in fields.items()}
    ).assign_coords(time=np.array(times))


def _decoded(handle: int, where: str) -> tuple[np.datetime64, xr.DataArray]:
    grid, scan = grid_of(handle, where)
    if not isinstance(scan, Scan):
        raise InputError(f"{where}: gridType", eccodes.codes_get(handle, "gridType"), "regular_ll")
    eccodes.codes_set(handle, "missingValue", _MISSING)
    values = scan.rows_from_the_west(eccodes.codes_get_values(handle), grid)
    date, clock = (int(eccodes.codes_get_long(handle, key)) for key in ("validityDate", "validityTime"))
    day = np.datetime64(f"{date // 10000:04d}-{date // 100 % 100:02d}-{date % 100:02d}", "ns")
    time = day + np.timedelta64(clock // 100 * 60 + clock % 100, "m")
    field = np.where(values == _MISSING, np.nan, values).reshape(grid.rows, grid.columns)
    return time, xr.DataArray(field, dims=_DIMS[1:], coords={"latitude": grid.latitude, "longitude": grid.longitude})
