"""Derived weather: humidity and wind.

Saturation vapour pressure over water follows Magnus with the constants of Alduchov and
Eskridge (1996), J. Appl. Meteor. 35:601, eq. 21: 6.1094 hPa, 17.625, 243.04 degC.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_A, _B = 17.625, 243.04
_ZERO_CELSIUS = 273.15

Array = npt.NDArray[np.floating]


def relative_humidity(t2m: npt.ArrayLike, d2m: npt.ArrayLike) -> Array:
    """Return relative humidity in per cent from air and dew-point temperature in K.

    A dew point above the air temperature is a rounding of the source: the result is cut at 100.
    """
    t = np.asarray(t2m) - _ZERO_CELSIUS
    d = np.asarray(d2m) - _ZERO_CELSIUS
    return np.asarray(np.clip(100.0 * np.exp(_A * d / (_B + d) - _A * t / (_B + t)), 0.0, 100.0))


def dew_point(t2m: npt.ArrayLike, relative_humidity: npt.ArrayLike) -> Array:
    """Return the dew point in K from air temperature in K and relative humidity in per cent.

    NaN where the humidity is not above zero.
    """
    t = np.asarray(t2m) - _ZERO_CELSIUS
    rh = np.asarray(relative_humidity, dtype=float)
    logarithm = np.log(np.where(rh > 0, rh, np.nan) / 100.0) + _A * t / (_B + t)
    return np.asarray(_B * logarithm / (_A - logarithm) + _ZERO_CELSIUS)


def wind_components(speed: npt.ArrayLike, from_degrees: npt.ArrayLike) -> tuple[Array, Array]:
    """Return the eastward and northward wind from speed and the direction it comes from (degrees)."""
    angle = np.deg2rad(from_degrees)
    return np.asarray(-np.asarray(speed) * np.sin(angle)), np.asarray(-np.asarray(speed) * np.cos(angle))
