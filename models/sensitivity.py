"""How much a model's PM2.5 depends on the direction of the wind: a sensitivity of the model, for modelers.

The forecast wind, at the place and over its area, is turned by one angle to each of eight directions, its speed
and its changes in time left as they are, and the model run again. The sensitivity is the excess of the forecast over
the cleanest of the eight. It is the model's learned response to one input, not a share of emissions and not what
was transported: it covers the hours forecast only, and a model that ignores the wind has none wherever the air came from.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from hazecast.models.interface import Float, Model
from hazecast.models.series import WEATHER_NAMES, Windows

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


def transport_sensitivity(model: Model, windows: Windows) -> Float:
    """Return how much the expected PM2.5 exceeds that with the wind from the cleanest direction.

    Parameters
    ----------
    model : Model
    windows : Windows

    Returns
    -------
    float32 (n, lead)
        The forecast less that with the wind turned to the direction, one for the whole forecast, in which the
        mean over the lead times is lowest; ug m-3. Below zero at hours when that direction would be worse;
        zero throughout where the wind already blows from the cleanest. NaN where no wind is given.
    """
    runs = np.stack(
        [model.predict(turned(windows, turn * 360.0 / TURNS)).mean[..., 0] for turn in range(TURNS)]
    )  # (turn, n, lead)
    cleanest = runs.mean(axis=-1).argmin(axis=0)
    excess = runs[0] - runs[cleanest, np.arange(len(windows))]
    wind = np.isfinite(windows.future_weather[..., _U] + windows.future_weather[..., _V])
    return np.where(wind.any(axis=-1)[:, None], excess, np.nan).astype(np.float32)


def _turned(weather: Float, degrees: float) -> Float:
    angle = np.deg2rad(degrees)
    result = weather.copy()
    u, v = weather[..., _U], weather[..., _V]
    result[..., _U] = u * np.cos(angle) + v * np.sin(angle)
    result[..., _V] = v * np.cos(angle) - u * np.sin(angle)
    return result
