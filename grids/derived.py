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
    """Return relative humidity from air and dew-point temperature.

    A dew point above the air temperature is a rounding error of the source: the result is clipped to 100.

    Parameters
    ----------
    t2m, d2m : array_like
        Air and dew-point temperature, K; broadcast against each other.

    Returns
    -------
    numpy.ndarray
        Per cent, 0 to 100.

    Examples
    --------
    >>> float(relative_humidity(293.15, 283.15).round(1))
    52.5
    """
    t = np.asarray(t2m) - _ZERO_CELSIUS
    d = np.asarray(d2m) - _ZERO_CELSIUS
    return np.asarray(np.clip(100.0 * np.exp(_A * d / (_B + d) - _A * t / (_B + t)), 0.0, 100.0))


def dew_point(t2m: npt.ArrayLike, relative_humidity: npt.ArrayLike) -> Array:
    """Return the dew point from air temperature and relative humidity.

    Parameters
    ----------
    t2m : array_like
        Air temperature, K.
    relative_humidity : array_like
        Per cent.

    Returns
    -------
    numpy.ndarray
        K; NaN where the humidity is not above zero.

    Examples
    --------
    >>> float(dew_point(293.15, 52.5).round(1))
    283.1
    """
    t = np.asarray(t2m) - _ZERO_CELSIUS
    rh = np.asarray(relative_humidity, dtype=float)
    logarithm = np.log(np.where(rh > 0, rh, np.nan) / 100.0) + _A * t / (_B + t)
    return np.asarray(_B * logarithm / (_A - logarithm) + _ZERO_CELSIUS)


def wind_components(speed: npt.ArrayLike, from_degrees: npt.ArrayLike) -> tuple[Array, Array]:
    """Return the eastward and northward wind from its speed and direction.

    Parameters
    ----------
    speed : array_like
        Any unit.
    from_degrees : array_like
        Direction that the wind comes from, degrees clockwise from north.

    Returns
    -------
    eastward, northward : numpy.ndarray
        In the unit of `speed`.

    Examples
    --------
    >>> eastward, northward = wind_components(5.0, 225.0)
    >>> round(float(eastward), 2), round(float(northward), 2)
    (3.54, 3.54)
    """
    angle = np.deg2rad(from_degrees)
    return np.asarray(-np.asarray(speed) * np.sin(angle)), np.asarray(-np.asarray(speed) * np.cos(angle))
