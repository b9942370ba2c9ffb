"""Attribution of a forecast to transport: how much of it depends on the direction of the wind.

The forecast wind, at the place and over its area, is turned by one angle to each of eight directions, its speed
and its changes in time left as they are, and the model run again. The excess over the cleanest of the eight is
attributed to transport. It is the model's learned response, not a budget of emissions: it covers the hours forecast,
and pollution that arrived earlier counts as local.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from hazecast.models.interface import WEATHER_NAMES, Float, Windows

TURNS = 8
_U, _V = WEATHER_NAMES.index("u10"), WEATHER_NAMES.index("v10")


def turned(windows: Windows, degrees: float) -> Windows:
    """Return `windows` with the wind of the lead times turned clockwise.

    Parameters
    ----------
    windows : Windows
    degrees : float
        Angle of the turn.

    Returns
    -------
    Windows
    """
    return dataclasses.replace(
        windows,
        future_weather=_turned(windows.future_weather, degrees),
        area_future_weather=_turned(windows.area_future_weather, degrees),
    )


def from_elsewhere(expected: Callable[[Windows], Float], windows: Windows) -> Float:
    """Return the part of a forecast that is attributed to transport.

    Parameters
    ----------
    expected : callable
        Gives for windows the expected PM2.5 by each member of an ensemble, (member, n, lead), ug m-3.
    windows : Windows

    Returns
    -------
    float32 (member, n, lead)
        The forecast less that with the wind turned to the direction, one for the whole forecast, in which the
        mean over the lead times is lowest; ug m-3. Below zero at hours when that direction would be worse;
        zero throughout where the wind already blows from the cleanest. NaN where no wind is given.
    """
    runs = np.stack([expected(turned(windows, turn * 360.0 / TURNS)) for turn in range(TURNS)])
    cleanest = runs.mean(axis=-1).argmin(axis=0)
    part = runs[0] - np.take_along_axis(runs, cleanest[None, ..., None], axis=0)[0]
    wind = np.isfinite(windows.future_weather[..., _U] + windows.future_weather[..., _V])
    blows = np.asarray(wind.any(axis=-1))
    return np.where(blows[None, :, None], part, np.nan).astype(np.float32)


def _turned(weather: Float, degrees: float) -> Float:
    angle = np.deg2rad(degrees)
    result = weather.copy()
    u, v = weather[..., _U], weather[..., _V]
    result[..., _U] = u * np.cos(angle) + v * np.sin(angle)
    result[..., _V] = v * np.cos(angle) - u * np.sin(angle)
    return result
