"""The combination in service: it follows the errors of the stored forecasts as they are verified.

The state is a function of what is stored: each forecast keeps the state it was made with, and the next begins
there and learns from what was observed since. A cycle run again learns the same again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.forecast.inputs import stacked
from hazecast.grids.contract import CAMS_SUFFIX, FORECAST_POLLUTANTS, LEAD_HOURS
from hazecast.grids.times import to_datetime64
from hazecast.models.combination import State, Verified
from hazecast.models.experts import EXPERTS
from hazecast.models.interface import Float
from hazecast.models.series import TARGETS, Windows
from hazecast.models.zoo.combined import POINTS, Combined, Reference, verified
from hazecast.services.store.scores import StoredRun, runs_before
from hazecast.services.store.store import Store

log = logging.getLogger(__name__)

_PREFIX, _EXPERT = "combination_", "_expert"
_INFORMED, _LEVELS = "informed", ("level", "spread", "long_level")
_BY_GROUP = ("place", "ensemble", "lead_group", "pollutant")
_DIMS = {
    "moments": (*_BY_GROUP, "error_space", "expert_of", "expert_with"),
    "days": _BY_GROUP,
    "bias": _BY_GROUP,
    "bias_square": _BY_GROUP,
    "offsets": (*_BY_GROUP, "quantile"),
    "guidance": ("place", "pollutant", "observed_and_guidance"),
}


def adapt(model: Combined, model_id: str, store: Store, observations: xr.Dataset, now: datetime) -> int:
    """Bring a combination up to `now` from its stored forecasts that aren't simulated.

    Parameters
    ----------
    model : Combined
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
    places = {run: held for run in found if (held := _places(run)) is not None}
    if not places:
        return 0
    newest = list(places)[-1]
    with xr.open_dataset(newest.netcdf_path, decode_timedelta=True) as forecast:
        before = state_of(forecast)
    model.state = before.with_places(sorted({city for cities in places.values() for city in cities}))
    since, until = to_datetime64(newest.init_time), to_datetime64(now)
    pairs = 0

    def lessons() -> Iterator[Verified]:
        nonlocal pairs
        # One forecast after the other: those of ten thousand places don't fit in memory together.
        for run, cities in places.items():
            times = to_datetime64(run.init_time) + np.arange(1, LEAD_HOURS + 1) * np.timedelta64(1, "h")
            target = stacked(observations, FORECAST_POLLUTANTS, "city", cities, times)
            target[:, (times <= since) | (times > until)] = np.nan
            known = int(np.isfinite(target).sum())
            if known and Path(run.netcdf_path).is_file():
                with xr.open_dataset(run.netcdf_path, decode_timedelta=True) as forecast:
                    yield _lesson(forecast, target)
                pairs += known

    # One step for all forecasts together: a step for each would let the long lead times, of which many are
    # pending, follow faster than they were tuned to.
    model.follow(lessons(), (now - newest.init_time) / timedelta(days=1))
    if not pairs:
        model.state = before
    return pairs


def with_experts(forecast: xr.Dataset, windows: Windows, experts: Float) -> xr.Dataset:
    """Return `forecast` with the experts it was combined from.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    windows : Windows
        One a city, in the forecast's order.
    experts : float32 (city, lead, pollutant, expert)
        As `hazecast.models.zoo.combined.POINTS`, ug m-3.

    Returns
    -------
    xarray.Dataset
        With ``<pollutant>_expert``, ``level``, ``spread``, ``long_level`` and ``informed``.
    """
    concentration = {"units": "ug m-3"}
    parts: dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, str]]] = {
        f"{name}{_EXPERT}": (
            ("lead_time", "city", "expert"),
            np.moveaxis(experts[:, :, number], 0, 1),
            {"long_name": f"{name} by each expert of the combination", **concentration},
        )
        for number, name in enumerate(FORECAST_POLLUTANTS)
    }
    for name in _LEVELS:
        units = {"units": "1"} if name == "spread" else concentration
        parts[name] = (("city", "pollutant"), getattr(windows, name)[:, list(TARGETS)], units)
    long_name = "1 where weather of the lead times was given"
    parts[_INFORMED] = ("city",), windows.informed.astype(np.int8), {"long_name": long_name, "units": "1"}
    return forecast.assign_coords(expert=list(POINTS), pollutant=list(FORECAST_POLLUTANTS)).assign(parts)


def with_state(forecast: xr.Dataset, model: Combined) -> xr.Dataset:
    """Return `forecast` with the state of the combination that it was made with.

    Parameters
    ----------
    forecast : xarray.Dataset
        As from `with_experts`.
    model : Combined

    Returns
    -------
    xarray.Dataset
        With ``combination_*``.
    """
    parts = {
        _PREFIX + name: (_DIMS[name], value, {"long_name": f"state of the combination: {name}", "units": "1"})
        for name, value in model.state.arrays().items()
    }
    coords = {"expert_of": list(EXPERTS), "expert_with": list(EXPERTS), "place": list(model.state.places)}
    return forecast.assign_coords(coords).assign(parts)


def state_of(forecast: xr.Dataset) -> State:
    """Return the state that `with_state` put into a forecast."""
    places = tuple(str(place) for place in forecast["place"].values)
    return State(places, **{name: forecast[_PREFIX + name].transpose(*dims).values for name, dims in _DIMS.items()})


def _lesson(forecast: xr.Dataset, target: Float) -> Verified:
    guidance = np.full_like(target, np.nan)
    for number, name in enumerate(FORECAST_POLLUTANTS):
        if f"{name}{CAMS_SUFFIX}" in forecast:
            guidance[..., number] = _by_city(forecast[f"{name}{CAMS_SUFFIX}"])
    reference = Reference(
        forecast["city"].values.astype(str),
        forecast[_INFORMED].values.astype(bool),
        forecast["long_level"].transpose("city", "pollutant").values,
        guidance,
    )
    quantiles, experts = (
        np.stack([_by_city(forecast[f"{name}{suffix}"]) for name in FORECAST_POLLUTANTS], axis=2)
        for suffix in ("", _EXPERT)
    )
    return verified(reference, target, quantiles, experts)


def _places(run: StoredRun) -> list[str] | None:
    """Return the cities of a stored forecast, in its order; None where nothing can be learned from it."""
    if not Path(run.netcdf_path).is_file():
        return None
    with xr.open_dataset(run.netcdf_path, decode_timedelta=True) as forecast:
        if forecast.sizes["lead_time"] != LEAD_HOURS or f"{_PREFIX}moments" not in forecast:
            log.info("%s: a forecast without the state of a combination is not learned from", run.netcdf_path)
            return None
        return [str(city) for city in forecast["city"].values]


def _by_city(array: xr.DataArray) -> np.ndarray:
    return np.asarray(array.transpose("city", "lead_time", ...).values, np.float32)
