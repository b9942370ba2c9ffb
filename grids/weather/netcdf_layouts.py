"""NetCDF of publishers that don't state in CF's words what they hold: given the names, heights and steps that they document.

MERRA-2: GMAO Office Note 9 (file specification): collections ``tavg1`` are means over an hour, stamped in its middle. MSM of
the Japan Meteorological Agency as Kyoto University (RISH) publishes it: temperature and humidity at 1.5 m, wind at 10 m,
``r1h`` and ``dswrf`` over the hour before.
"""

from __future__ import annotations

import re

import numpy as np
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.weather.timeline import RATES, STEP_HOURS
from hazecast.grids.weather.variables import contract_name

_MSM = frozenset({"psea", "temp", "rh", "u", "v", "r1h", "ncld"})
_MSM_NAMES = {"temp": "t2m", "rh": "r2", "u": "u10", "v": "v10", "ncld": "tcc", "r1h": "tp", "dswrf": "ssrd"}
_MERRA_NAMES = {"PRECTOTCORR": "tp", "PRECTOT": "tp", "SWGDN": "ssrd", "CLDTOT": "tcc", "PBLH": "blh"}
_MERRA_TITLE = re.compile(r"MERRA-?2 (tavg|inst)(\d)_2d_", re.IGNORECASE)
_LONGER = re.compile(r"monthly|daily|diurnal", re.IGNORECASE)
_BOUNDS = "time_bnds"


def with_usual_names(raw: xr.Dataset, where: str) -> xr.Dataset:
    """Return a file's contents under names that tell what they are, with the steps that its publisher documents.

    Parameters
    ----------
    raw : xarray.Dataset
        As opened.
    where : str
        The file, for errors.

    Returns
    -------
    xarray.Dataset
        Unchanged where the file is of no publisher known here.

    Raises
    ------
    InputError
        If it holds means over days or months.
    """
    if set(map(str, raw.data_vars)) >= _MSM and all(raw[name].ndim == 3 for name in _MSM):
        return _of_msm(raw)
    stated = str(raw.attrs.get("Title") or raw.attrs.get("LongName") or "")
    title = _MERRA_TITLE.match(stated)
    if title is not None and _LONGER.search(stated):
        raise InputError(f"{where}: Title", stated, "an hourly or three-hourly collection of MERRA-2")
    if title is not None and np.issubdtype(raw.variables["time"].dtype, np.datetime64):
        return _of_merra(raw, int(title[2]) if title[1].lower() == "tavg" else None)
    return raw


def _of_msm(raw: xr.Dataset) -> xr.Dataset:
    raw = raw.rename({own: name for own, name in _MSM_NAMES.items() if own in raw})
    source = {"source": "MSM of the Japan Meteorological Agency"} if "source" not in raw.attrs else {}
    hours = np.ones(raw.sizes["time"], np.float32)
    return raw.assign({STEP_HOURS.format(name): ("time", hours) for name in RATES if name in raw}).assign_attrs(source)


def _of_merra(raw: xr.Dataset, hours: int | None) -> xr.Dataset:
    """Name variables, and state the steps of a collection of means of so many hours; None for instants."""
    used: dict[str, str] = {}
    for own, name in _MERRA_NAMES.items():
        if own in raw and name not in used.values():
            used[own] = name
    raw = raw.rename(used)
    if "source" not in raw.attrs:
        raw = raw.assign_attrs(source="MERRA-2")
    if hours is None:
        return raw.drop_vars([name for name in RATES if name in raw])
    half = np.timedelta64(hours * 30, "m")
    stamps = raw["time"].values
    bounds = np.stack([stamps - half, stamps + half], axis=-1)
    raw = raw.assign({_BOUNDS: (("time", "bnds"), bounds)})
    raw["time"].attrs["bounds"] = _BOUNDS
    for name in map(str, raw.data_vars):
        if contract_name(name, raw[name].attrs) in RATES:
            raw[name].attrs["cell_methods"] = "time: mean"
    return raw
