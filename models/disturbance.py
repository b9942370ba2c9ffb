"""Observed weather disturbed as a forecast of it would be: errors that grow with lead time."""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np
from scipy.signal import lfilter

from hazecast.grids.contract import LEAD_HOURS, WEATHER
from hazecast.models.interface import WEATHER_NAMES, Float, Windows

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
    region: the error depends on `seed` and init time only. It is an AR(1) process in lead
    time with a memory of about a day, its standard deviation growing linearly from 0.3 of
    `ERROR_AT_120_H` at the init time to the full value at 120 h.

    Parameters
    ----------
    windows : Windows
    seed : int

    Returns
    -------
    Windows
    """
    errors = np.empty((len(windows), LEAD_HOURS, len(WEATHER_NAMES)), np.float32)
    for time in np.unique(windows.init_time):
        random = np.random.default_rng([seed, zlib.crc32(str(time.astype("datetime64[h]")).encode())])
        errors[windows.init_time == time] = _errors(random, 1)
    return _disturbed(windows, errors, np.ones(len(windows), np.float32))


def disturb_by(windows: Windows, size: Float, random: np.random.Generator) -> Windows:
    """Return `windows` with an error of its own size and draw in each, for training.

    Parameters
    ----------
    windows : Windows
    size : float32 (n,)
        1 for errors as those of `disturb`; 0 leaves the weather as it is.
    random : numpy.random.Generator

    Returns
    -------
    Windows
        With `size` as their ``weather_error``.
    """
    rows = np.flatnonzero(size > 0)
    erring = _disturbed(windows.rows(rows), _errors(random, len(rows)) * size[rows, None, None], size[rows])
    own, area = windows.future_weather.copy(), windows.area_future_weather.copy()
    own[rows], area[rows] = erring.future_weather, erring.area_future_weather
    return dataclasses.replace(windows, future_weather=own, area_future_weather=area, weather_error=size)


def _disturbed(windows: Windows, errors: Float, size: Float) -> Windows:
    return dataclasses.replace(
        windows,
        future_weather=_with(windows.future_weather, errors),
        area_future_weather=_with(windows.area_future_weather, errors),
        weather_error=size,
    )


def _errors(random: np.random.Generator, count: int) -> Float:
    """Return unit-free errors (count, lead, 9) of forecasts: AR(1), grown with lead time."""
    steps = random.normal(size=(count, LEAD_HOURS, len(WEATHER_NAMES)))
    # The first hour has the full spread; each later one adds what maintains it.
    steps[:, 1:] *= np.sqrt(1 - _HOURLY_MEMORY**2)
    correlated = lfilter([1.0], [1.0, -_HOURLY_MEMORY], steps, axis=1)
    growth = _AT_START + (1 - _AT_START) * np.arange(1, LEAD_HOURS + 1) / 120.0
    return np.asarray(correlated * growth[:, None], np.float32)


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
