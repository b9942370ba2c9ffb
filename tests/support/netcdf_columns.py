"""Fields of NetCDF that are the same everywhere, for tests."""

from __future__ import annotations

import numpy as np
import xarray as xr

START = np.datetime64("2014-02-20T00", "ns")
LAT, LON = np.array([42.0, 39.0, 38.0]), np.array([114.0, 116.0, 118.0])


def hours(*ends: float) -> np.ndarray:
    return np.asarray(START + (np.array(ends) * 3600).astype("timedelta64[s]").astype("timedelta64[ns]"))


def column(values: list[float], times: np.ndarray, name: str, units: str, **attrs: str) -> xr.Dataset:
    """A field that is the same everywhere, north to south."""
    field = np.tile(np.array(values)[:, None, None], (1, LAT.size, LON.size))
    axes = {"time": times, "latitude": LAT, "longitude": LON}
    return xr.Dataset({name: (tuple(axes), field, {"units": units, **attrs})}, coords=axes)
