"""The United States' AQI (EPA-454/B-24-002), with the PM NowCast.

Rounding: the concentration is truncated to the table's decimals, the index rounded half up.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from hazecast.forecast.indices.breakpoints import EPSILON, IndexResult, Values, checked, combine, tables
from hazecast.grids.errors import InputError


def ozone_ppm(
    mass: npt.ArrayLike, *, temperature: float = 298.15, pressure: float = 101_325.0
) -> npt.NDArray[np.float64]:
    """Convert ozone from ug m-3 to ppm by volume at a reference state.

    Parameters
    ----------
    mass : array_like
        ug m-3.
    temperature, pressure : float
        Of the reference state, K and Pa; 298.15 K and 1013.25 hPa give 1 ppb = 1.962 ug m-3.

    Returns
    -------
    numpy.ndarray of float64
        ppm, rounded to 9 decimals.

    Examples
    --------
    >>> float(ozone_ppm(196.2).round(4))
    0.1
    """
    molar_volume = 8.314462618 * temperature / pressure  # m3 mol-1
    return np.asarray(np.round(np.asarray(mass, dtype=np.float64) * molar_volume / 47.998, 9), dtype=np.float64)


def us_sub_index(item: str, concentration: npt.ArrayLike) -> Values:
    """Return the United States' AQI of one pollutant (EPA-454/B-24-002, equation 1).

    Parameters
    ----------
    item : {"pm25", "pm10", "o3_8h", "o3_1h"}
        24-hour means (or NowCast) of PM, ozone by 8 or 1 hour.
    concentration : array_like
        ug m-3; ozone in ppm. Truncated to the table's decimals.

    Returns
    -------
    numpy.ndarray of float64
        Whole numbers; NaN where the table gives no index (1-hour ozone below 0.125 ppm, 8-hour ozone above
        0.200 ppm) or the concentration is NaN; 500 above the top.

    Raises
    ------
    InputError
        If there is no such item, or a concentration is negative or infinite.

    Examples
    --------
    >>> us_sub_index("pm25", [9.0, 35.5, 130.0]).tolist()
    [50.0, 101.0, 205.0]
    """
    us = tables()["us"]
    if item not in us or not isinstance(us[item], dict):
        raise InputError("US AQI: item", item, "pm25, pm10, o3_8h or o3_1h")
    values = checked(item, concentration)
    scale = 10.0 ** us[item]["decimals"]
    truncated = np.floor(values * scale + 1e-6) / scale
    result = np.full(values.shape, np.nan)
    segments = us[item]["segments"]
    half_step = 0.5 / scale
    for low, high, index_low, index_high in segments:
        inside = (truncated >= low - half_step) & (truncated < high + half_step)
        slope = (index_high - index_low) / (high - low)
        result = np.where(inside, np.floor(index_low + slope * (truncated - low) + 0.5 + EPSILON), result)
    if segments[-1][3] == 500:
        result = np.where(truncated >= segments[-1][1] + half_step, 500.0, result)
    return np.asarray(result, dtype=np.float64)


def us_aqi(concentrations: Mapping[str, float]) -> IndexResult:
    """Return the United States' AQI of one place: the highest of `us_sub_index` over its items.

    Examples
    --------
    >>> found = us_aqi({"pm25": 40.0, "o3_8h": 0.060})
    >>> found.value, found.category.id, found.primary
    (112, 'usg', ('pm25',))
    """
    return combine(
        "us", str(tables()["us"]["id"]), {k: float(us_sub_index(k, value)) for k, value in concentrations.items()}
    )


def us_concentration(item: str, index: int) -> float:
    """Return the highest concentration of a pollutant whose AQI is at most the upper end of a category.

    Parameters
    ----------
    item : str
        As for `us_sub_index`.
    index : int
        The upper end of a category, such as 100.

    Returns
    -------
    float
        ug m-3; ozone in ppm.

    Raises
    ------
    InputError
        If there is no such item or category.

    Examples
    --------
    >>> us_concentration("pm25", 100), us_concentration("o3_8h", 100)
    (35.4, 0.07)
    """
    segments = tables()["us"].get(item, {}).get("segments", ())
    found = {segment[3]: float(segment[1]) for segment in segments}
    if index not in found:
        raise InputError(f"US AQI of {item}", index, f"one of {sorted(found)}")
    return found[index]


def nowcast_pm(hourly: npt.ArrayLike) -> Values:
    """Return the PM NowCast: the weighted mean of the last 12 hours (US EPA, "PM NowCast").

    The weight factor is the lowest over the highest concentration, at least 0.5; hour i ago weighs its
    i-th power. Missing hours are left out of both sums; two of the last three hours must be valid.

    Parameters
    ----------
    hourly : array_like, (..., 12)
        ug m-3, oldest first, the last is the current hour; NaN where missing.

    Returns
    -------
    numpy.ndarray, (...)
        ug m-3, not truncated (`us_sub_index` does); NaN where too few hours are valid.

    Raises
    ------
    InputError
        If the last axis isn't 12 long or a concentration is negative.

    Examples
    --------
    >>> float(nowcast_pm([20.0] * 9 + [40.0] * 3).round(1))
    37.5
    """
    values = checked("NowCast", hourly)
    if values.ndim == 0 or values.shape[-1] != 12:
        raise InputError("NowCast: hours", values.shape, "12 in the last axis")
    newest_first = values[..., ::-1]
    valid = np.isfinite(newest_first)
    highest = np.max(np.where(valid, newest_first, 0.0), axis=-1)
    lowest = np.min(np.where(valid, newest_first, np.inf), axis=-1)
    ratio = np.where(highest > 0.0, np.minimum(lowest, highest) / np.where(highest > 0.0, highest, 1.0), 1.0)
    weights = np.maximum(ratio, 0.5)[..., None] ** np.arange(12)
    total = np.where(valid, weights * np.where(valid, newest_first, 0.0), 0.0).sum(axis=-1)
    mean = total / np.maximum(np.where(valid, weights, 0.0).sum(axis=-1), 1e-12)
    return np.asarray(np.where(valid[..., :3].sum(axis=-1) >= 2, mean, np.nan), dtype=np.float64)
