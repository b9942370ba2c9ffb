"""Observed weather disturbed as a forecast of it would be: errors that grow with lead time."""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np
from numpy.typing import NDArray

from grids.contract import LEAD_HOURS, WEATHER
from models.interface import WEATHER_NAMES, Float, Windows

# Standard deviation of the error at 120 h, in the variable's units. Assumptions, not measured here: the
# order of size of a global model's error against stations on day 5. `tp`, `blh` and `ssrd` are
# disturbed by a factor; theirs is the standard deviation of its logarithm.
ERROR_AT_120_H: dict[str, float] = {
    "t2m": 3.0,
    "d2m": 4.0,
    "u10": 2.0,
    "v10": 2.0,
    "sp": 450.0,
    "blh": 0.6,
    "tp": 1.0,
    "tcc": 0.35,
    "ssrd": 0.4,
}
_BY_FACTOR = ("blh", "tp", "ssrd")
# Share of the error at 120 h that is there at the first hour: stations see what a grid cell doesn't.
_AT_START = 0.3
# Errors fade over about a day, as weather systems pass.
_HOURLY_MEMORY = float(np.exp(-1 / 24))
# Where the unit-free error is larger than this, rain is misplaced: a quarter of the hours at 120 h.
_RAIN_MISPLACED = 1.15


def disturb(windows: Windows, seed: int = 2015) -> Windows:
    """Return `windows` with errors added to the future weather.

    All places of a series' area at one init time get the same error, as a forecast errs over a
    whole region: the error depends on `seed` and init time only. It is an AR(1) process in lead
    time with a memory of about a day, its standard deviation growing linearly from 0.3 of
    `ERROR_AT_120_H` at the init time to the whole at 120 h.

    Parameters
    ----------
    windows : Windows
    seed : int
    """
    errors = np.empty((len(windows), LEAD_HOURS, len(WEATHER_NAMES)), np.float32)
    for time in np.unique(windows.init_time):
        errors[windows.init_time == time] = _errors(time, seed)
    return dataclasses.replace(
        windows,
        future_weather=_with(windows.future_weather, errors),
        area_future_weather=_with(windows.area_future_weather, errors),
    )


def _errors(time: np.datetime64, seed: int) -> Float:
    """Return unit-free errors (lead, 9) of one forecast: AR(1), grown with lead time."""
    random = np.random.default_rng([seed, zlib.crc32(str(time.astype("datetime64[h]")).encode())])
    steps: NDArray[np.float64] = random.normal(size=(LEAD_HOURS, len(WEATHER_NAMES)))
    for hour in range(1, LEAD_HOURS):
        steps[hour] = _HOURLY_MEMORY * steps[hour - 1] + np.sqrt(1 - _HOURLY_MEMORY**2) * steps[hour]
    growth = _AT_START + (1 - _AT_START) * np.arange(1, LEAD_HOURS + 1) / 120.0
    return (steps * growth[:, None]).astype(np.float32)


def _with(weather: Float, errors: Float) -> Float:
    result = weather.copy()
    for column, name in enumerate(WEATHER_NAMES):
        error = errors[..., column] * np.float32(ERROR_AT_120_H[name])
        value = result[..., column]
        if name == "tp":
            # A misplaced band of rain: what falls at one hour is forecast half a day off.
            elsewhere = np.roll(value, 12, axis=1)
            away = (np.abs(errors[..., column]) > _RAIN_MISPLACED) & np.isfinite(elsewhere)
            value = np.where(away, elsewhere, value)
        changed = value * np.exp(error) if name in _BY_FACTOR else value + error
        result[..., column] = np.clip(changed, WEATHER[name].low, WEATHER[name].high)
    column = WEATHER_NAMES.index("d2m")
    result[..., column] = np.fmin(result[..., column], result[..., WEATHER_NAMES.index("t2m")])
    return np.where(np.isfinite(weather), result, np.float32(np.nan))
