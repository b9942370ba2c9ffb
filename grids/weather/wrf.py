"""The output of WRF (Weather Research and Forecasting model): its own names, winds along its grid, rain since the start.

Names, units and the rotation of the wind by COSALPHA and SINALPHA: WRF Users' Guide, version 4, "List of Fields in the WRF
Output" and its notes on earth-relative winds; buckets: namelist variable ``bucket_mm``.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from hazecast.grids.derived import dew_point_of_mixing_ratio
from hazecast.grids.errors import InputError
from hazecast.grids.times import parse_time, to_datetime64

_PLAIN = {"T2": ("t2m", "K"), "PSFC": ("sp", "Pa"), "PBLH": ("blh", "m"), "SWDOWN": ("ssrd", "W m-2")}
_RAIN = ("RAINC", "RAINNC", "RAINSH")


def is_wrf(raw: xr.Dataset) -> bool:
    """Return whether a file is WRF's output, by its coordinates and its attributes."""
    return "XLAT" in raw.variables and ("WRF" in str(raw.attrs.get("TITLE")) or "MAP_PROJ" in raw.attrs)


def from_wrf(raw: xr.Dataset, where: str) -> xr.Dataset:
    """Return WRF's output under the names of the contract, on its own grid.

    Parameters
    ----------
    raw : xarray.Dataset (Time, south_north, west_east)
        As opened.
    where : str
        The file, for errors.

    Returns
    -------
    xarray.Dataset (time, south_north, west_east)
        Those of t2m, d2m, u10, v10, sp, blh, tp (total since the start, mm) and ssrd that the file gives; attributes
        ``source`` and, for a forecast, ``init_time``.

    Raises
    ------
    InputError
        If its times can't be read.
    """
    result = xr.Dataset(coords={"time": ("Time", times_of(raw, where))})
    for own, (name, units) in _PLAIN.items():
        if own in raw:
            result[name] = raw[own].reset_coords(drop=True).assign_attrs(units=units)
    if {"Q2", "PSFC"} <= set(raw.data_vars):
        values = dew_point_of_mixing_ratio(raw["Q2"].values, raw["PSFC"].values)
        result["d2m"] = (raw["Q2"].dims, values, {"units": "K"})
    if {"U10", "V10", "COSALPHA", "SINALPHA"} <= set(raw.data_vars):
        along, across, cosine, sine = (
            raw[name].reset_coords(drop=True) for name in ("U10", "V10", "COSALPHA", "SINALPHA")
        )
        attrs = {"units": "m s-1", "standard_name": "eastward_wind"}
        result["u10"] = (along * cosine - across * sine).assign_attrs(attrs)
        result["v10"] = (across * cosine + along * sine).assign_attrs(attrs | {"standard_name": "northward_wind"})
    if {"RAINC", "RAINNC"} <= set(raw.data_vars) and result.sizes["Time"] > 1:
        # Of one time alone it would be the mean since the start.
        result["tp"] = sum(_total(raw, name) for name in _RAIN if name in raw).assign_attrs(units="mm")  # type: ignore[union-attr]
    started = str(raw.attrs.get("SIMULATION_START_DATE") or raw.attrs.get("START_DATE") or "").replace("_", "T")
    attrs = {"source": str(raw.attrs.get("TITLE", "WRF")).strip().removeprefix("OUTPUT FROM ").strip()}
    if started and to_datetime64(parse_time(f"{started}Z", f"{where}: START_DATE")) < result["time"].values.max():
        attrs["init_time"] = f"{started}Z"
    return result.swap_dims(Time="time").assign_attrs(attrs)


def times_of(raw: xr.Dataset, where: str) -> np.ndarray:
    """Return WRF's valid times, UTC, from ``Times``, text such as 2014-02-20_00:00:00, or from ``XTIME``.

    Parameters
    ----------
    raw : xarray.Dataset
        As opened.
    where : str
        The file, for errors.

    Returns
    -------
    numpy.ndarray
        datetime64[ns] (Time,).

    Raises
    ------
    InputError
        If the file has neither.
    """
    if "Times" in raw.variables:
        texts = [bytes(one).decode("ascii", "replace").strip("\0 ") for one in np.atleast_1d(raw["Times"].values)]
        try:
            return np.array([text.replace("_", "T") for text in texts], "datetime64[ns]")
        except ValueError as error:
            raise InputError(f"{where}: Times", texts[:3], "times such as 2014-02-20_00:00:00") from error
    if "XTIME" in raw.variables and np.issubdtype(raw["XTIME"].dtype, np.datetime64):
        return np.asarray(raw["XTIME"].values, "datetime64[ns]")
    raise InputError(f"{where}: Times", sorted(map(str, raw.variables))[:20], "the variable Times, or XTIME as dates")


def _total(raw: xr.Dataset, name: str) -> xr.DataArray:
    """Return rain since the start, mm: what has filled buckets is counted apart."""
    total, bucket = raw[name].reset_coords(drop=True), float(raw.attrs.get("BUCKET_MM", -1.0))
    filled = f"I_{name}"
    return total + bucket * raw[filled].reset_coords(drop=True) if filled in raw and bucket > 0.0 else total
