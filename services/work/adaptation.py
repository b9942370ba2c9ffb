"""Calibration in service: it follows the errors of the stored forecasts as they are verified.

The state is a function of what is stored: each forecast keeps the calibration it was made with, and the
next begins there and learns from what was observed since. A cycle run again learns the same again.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.forecast.inputs import stacked
from hazecast.forecast.products import valid_times
from hazecast.grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS
from hazecast.grids.times import to_datetime64
from hazecast.models.interface import Calibrated
from hazecast.services.store.scores import StoredRun, runs_before
from hazecast.services.store.store import Store

log = logging.getLogger(__name__)

_OFFSETS, _SHIFTS, _INFORMED = "calibration_offset", "calibration_shift", "informed"
_DIMS = ("ensemble", "lead_time", "pollutant")


def adapt(model: Calibrated, model_id: str, store: Store, observations: xr.Dataset, now: datetime) -> int:
    """Bring a model's calibration up to `now` from its stored forecasts that aren't simulated.

    Parameters
    ----------
    model : Calibrated
        Changed in place; left as it was trained where it has no stored forecast.
    model_id : str
    store : Store
    observations : xarray.Dataset (time, city)
        Contract "observations"; hours after `now` are not read.
    now : datetime
        Aware; the init time of the coming forecast.

    Returns
    -------
    int
        Number of pairs of forecast and observation that were learned from.
    """
    oldest = now - timedelta(hours=2 * LEAD_HOURS)
    found = [run for run in runs_before(store, now) if run.model_id == model_id and run.init_time >= oldest]
    opened = [(run, forecast) for run in found if (forecast := _opened(run)) is not None]
    if not opened:
        return 0
    newest, previous = opened[-1]
    model.calibration = (previous[_OFFSETS].values, previous[_SHIFTS].values)
    since, until = to_datetime64(newest.init_time), to_datetime64(now)
    given, targets, quantiles, means = [], [], [], []
    for _, forecast in opened:
        times = valid_times(forecast)
        target = stacked(observations, FORECAST_POLLUTANTS, "city", [str(c) for c in forecast["city"].values], times)
        target[:, (times <= since) | (times > until)] = np.nan
        given.append(forecast[_INFORMED].values.astype(bool))
        targets.append(target)
        quantiles.append(np.stack([_by_city(forecast[name]) for name in FORECAST_POLLUTANTS], axis=2))
        means.append(np.stack([_by_city(forecast[f"{name}_mean"]) for name in FORECAST_POLLUTANTS], axis=2))
    known = np.concatenate(targets)
    # One step for all forecasts together: a step for each would make the long lead times, of which
    # many are pending, follow faster than they were tuned to.
    model.follow(
        np.concatenate(given), known, np.concatenate(quantiles), np.concatenate(means),
        days=(now - newest.init_time) / timedelta(days=1),
    )  # fmt: skip
    return int(np.isfinite(known).sum())


def with_calibration(forecast: xr.Dataset, model: Calibrated, given: np.ndarray) -> xr.Dataset:
    """Return `forecast` with the calibration it was made with.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    model : Calibrated
    given : bool (city,)
        Whether each city's forecast was informed of the coming weather.

    Returns
    -------
    xarray.Dataset
        With ``calibration_offset``, ``calibration_shift`` and ``informed``.
    """
    offsets, shifts = model.calibration
    return forecast.assign({
        _OFFSETS: ((*_DIMS, "quantile"), offsets, {"long_name": "offset of each quantile on the network's scale", "units": "1"}),
        _SHIFTS: (_DIMS, shifts, {"long_name": "shift of the mean", "units": "ug m-3"}),
        _INFORMED: ("city", given.astype(np.int8), {"long_name": "1 where weather of the lead times was given", "units": "1"}),
    })  # fmt: skip


def _opened(run: StoredRun) -> xr.Dataset | None:
    if not Path(run.netcdf_path).is_file():
        return None
    with xr.open_dataset(run.netcdf_path, decode_timedelta=True) as opened:
        forecast = opened.load()
    if forecast.sizes["lead_time"] != LEAD_HOURS or _OFFSETS not in forecast:
        log.info("%s: a forecast without calibration is not learned from", run.netcdf_path)
        return None
    return forecast


def _by_city(array: xr.DataArray) -> np.ndarray:
    return np.asarray(array.transpose("city", "lead_time", ...).values, np.float32)
