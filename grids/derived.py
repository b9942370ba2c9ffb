"""Derived weather: humidity, wind, pressure.

Saturation vapour pressure over water follows Magnus with the constants of Alduchov and
Eskridge (1996), J. Appl. Meteor. 35:601, eq. 21: 6.1094 hPa, 17.625, 243.04 degC.
The altimeter setting follows the ICAO standard atmosphere (Doc 7488): 288.15 K at sea level, 6.5 K km-1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_MAGNUS_HPA, _A, _B = 6.1094, 17.625, 243.04
_ZERO_CELSIUS = 273.15
# Standard atmosphere: g M / (R L) with 9.80665 m s-2, 0.0289644 kg mol-1, 8.31432 J mol-1 K-1.
_SEA_LEVEL_PA, _SEA_LEVEL_K, _LAPSE = 101_325.0, 288.15, 0.0065
_EXPONENT = 9.80665 * 0.0289644 / (8.31432 * _LAPSE)

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
    return _dew_point(np.log(np.where(rh > 0, rh, np.nan) / 100.0) + _A * t / (_B + t))


def dew_point_of_mixing_ratio(mixing_ratio: npt.ArrayLike, pressure: npt.ArrayLike) -> Array:
    """Return the dew point from the mass of water vapour by that of dry air, and air pressure.

    Vapour pressure is p w / (0.622 + w) (WMO-No. 8, annex 4.B), 0.622 the ratio of the molar masses of water and dry air.

    Parameters
    ----------
    mixing_ratio : array_like
        kg kg-1.
    pressure : array_like
        Pa.

    Returns
    -------
    numpy.ndarray
        K; NaN where the mixing ratio is not above zero.

    Examples
    --------
    >>> float(dew_point_of_mixing_ratio(0.0076, 101325.0).round(1))
    283.1
    """
    w = np.asarray(mixing_ratio, dtype=float)
    hpa = np.asarray(pressure) / 100.0 * w / (0.622 + w)
    return _dew_point(np.log(np.where(hpa > 0, hpa, np.nan) / _MAGNUS_HPA))


def _dew_point(logarithm: Array) -> Array:
    """Return the dew point, K, at which the saturation vapour pressure is `_MAGNUS_HPA` times e to the given power."""
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


def station_pressure(altimeter_setting: npt.ArrayLike, elevation: npt.ArrayLike) -> Array:
    """Return the pressure at an aerodrome from its altimeter setting (QNH).

    Parameters
    ----------
    altimeter_setting : array_like
        Pressure reduced to sea level in the standard atmosphere, Pa.
    elevation : array_like
        Of the aerodrome, m.

    Returns
    -------
    numpy.ndarray
        Pa.

    Examples
    --------
    >>> round(float(station_pressure(101_690.0, 35.0)))
    101269
    """
    # The height in the standard atmosphere of the altimeter setting, plus the elevation, inverted.
    base = (np.asarray(altimeter_setting, dtype=float) / _SEA_LEVEL_PA) ** (1.0 / _EXPONENT)
    return np.asarray(_SEA_LEVEL_PA * (base - _LAPSE * np.asarray(elevation) / _SEA_LEVEL_K) ** _EXPONENT)
