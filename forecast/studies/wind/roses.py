"""Concentration by wind direction: pollution roses, conditional probability, polar plots.

Directions are those the wind comes from, degrees clockwise from north. Hours with wind below `CALM` have no
meaningful direction; they are counted, and excluded from statistics by direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hazecast.forecast.evaluation.comparison import BLOCK_DAYS, resampled_days
from hazecast.forecast.studies.resampled import expanded_tail
from hazecast.grids.errors import InputError

Array = NDArray[np.float64]

# m s-1. About the starting threshold of a cup anemometer; chosen, not from a standard.
CALM = 0.5
RESAMPLES = 500
_FEWEST_HOURS = 200


@dataclass(frozen=True)
class WindSample:
    """Hours with both concentration and wind, in order of time.

    Attributes
    ----------
    concentration : float64 (n,)
        ug m-3.
    speed : float64 (n,)
        m s-1.
    origin : float64 (n,)
        Direction the wind comes from, degrees, 0 to 360.
    day : int64 (n,)
        Day number, from 0, for resampling.
    left_out : int
        Hours without a concentration or without wind.
    """

    concentration: Array
    speed: Array
    origin: Array
    day: NDArray[np.int64]
    left_out: int

    @property
    def windy(self) -> NDArray[np.bool_]:
        """Hours whose wind has a direction."""
        return self.speed >= CALM


def wind_sample(concentration: xr.DataArray, u: xr.DataArray, v: xr.DataArray) -> WindSample:
    """Combine a concentration series with the wind.

    Parameters
    ----------
    concentration : xarray.DataArray (time,)
        Hourly, ug m-3.
    u, v : xarray.DataArray (time,)
        Eastward and northward wind, m s-1.

    Returns
    -------
    WindSample
        The hours that have both.

    Raises
    ------
    InputError
        If fewer than 200 hours have both.
    """
    joined = xr.Dataset({"c": concentration, "u": u, "v": v}).sortby("time")
    c, east, north = (joined[name].values.astype(float) for name in ("c", "u", "v"))
    known = np.isfinite(c) & np.isfinite(east) & np.isfinite(north)
    if known.sum() < _FEWEST_HOURS:
        raise InputError("hours with concentration and wind", int(known.sum()), f"at least {_FEWEST_HOURS}")
    days = joined["time"].values[known].astype("datetime64[D]").astype(np.int64)
    return WindSample(
        c[known],
        np.hypot(east, north)[known],
        np.degrees(np.arctan2(-east, -north))[known] % 360.0,
        np.unique(days, return_inverse=True)[1],
        int((~known).sum()),
    )


def conditional_probability(
    sample: WindSample, *, sectors: int = 16, percentile: float = 75.0, seed: int = 0
) -> xr.Dataset:
    """Compute the conditional probability function (CPF) of high concentrations by wind direction.

    CPF = m / n: of the n hours with wind from a sector, m have a concentration at or above a percentile of all
    hours (Ashbaugh, Malm and Sadeh 1985, Atmos. Environ. 19:1263; with a percentile as threshold Uria-Tellaetxe
    and Carslaw 2014, Environ. Model. Softw. 59:1). Intervals come from resampled blocks of days, since
    consecutive hours are not independent, each with the percentile of its own hours: with a fixed one the interval of a source's
    sector, most of whose hours are high in any case, is too narrow.

    Parameters
    ----------
    sample : WindSample
        From `wind_sample`.
    sectors : int
        Number of equal sectors, 4 to 72, the first centred on north.
    percentile : float
        Threshold of a high concentration among all hours, 1 to 99.
    seed : int
        Of the resampling.

    Returns
    -------
    xarray.Dataset (sector,)
        ``probability`` with ``low`` and ``high`` (95 %), ``hours`` and the coordinate ``origin`` (degrees);
        attributes ``threshold`` (ug m-3), ``overall`` (the share of all windy hours) and ``calm_hours``.

    Raises
    ------
    InputError
        If `sectors` or `percentile` is out of range, all hours are calm, or no hour is below the threshold.
    """
    if not 4 <= sectors <= 72:
        raise InputError("sectors", sectors, "4 to 72")
    if not 1.0 <= percentile <= 99.0:
        raise InputError("percentile", percentile, "1 to 99")
    windy = sample.windy
    if not windy.any():
        raise InputError("wind", "calm in every hour", f"hours with {CALM:g} m/s or more")
    threshold = float(np.percentile(sample.concentration, percentile))
    sector = _sector_of(sample.origin[windy], sectors)
    if (sample.concentration >= threshold).all():
        raise InputError(
            "concentration", f"{threshold:g} or more in every hour", f"some below percentile {percentile:g}"
        )
    high = sample.concentration[windy] >= threshold
    count = np.bincount(sector, minlength=sectors)
    with np.errstate(invalid="ignore"):
        probability = np.bincount(sector, high, minlength=sectors) / count
    drawn = _resampled(sample, sectors, percentile, seed)
    tail = expanded_tail(0.95, (int(sample.day.max()) + 1) / BLOCK_DAYS)
    low, top = _quantile(drawn, tail), _quantile(drawn, 1.0 - tail)
    return xr.Dataset(
        {
            "probability": ("sector", probability, {"units": "1"}),
            "low": ("sector", low, {"units": "1"}),
            "high": ("sector", top, {"units": "1"}),
            "hours": ("sector", count.astype(np.int64)),
        },
        coords={"origin": ("sector", np.arange(sectors) * 360.0 / sectors, {"units": "degree"})},
        attrs={
            "threshold": threshold,
            "percentile": percentile,
            "overall": float(high.mean()),
            "calm_hours": int((~windy).sum()),
        },
    )


def _resampled(sample: WindSample, sectors: int, percentile: float, seed: int) -> Array:
    """Return the probabilities (resample, sector) of resampled days, NaN where a sector has no hour."""
    order = np.argsort(sample.concentration, kind="stable")
    day, windy = sample.day[order], sample.windy[order]
    # Calm hours count for the percentile, and in a sector of their own that is dropped.
    sector = np.where(windy, _sector_of(sample.origin[order], sectors), sectors)
    weights = resampled_days(int(sample.day.max()) + 1, resamples=RESAMPLES, seed=seed)
    drawn = np.full((RESAMPLES, sectors), np.nan)
    for number, times in enumerate(weights):
        of_hour = times[day].astype(float)
        below = np.cumsum(of_hour)
        first = int(np.searchsorted(below, percentile / 100.0 * below[-1]))
        high = np.bincount(sector[first:], of_hour[first:], minlength=sectors + 1)[:sectors]
        hours = np.bincount(sector, of_hour, minlength=sectors + 1)[:sectors]
        np.divide(high, hours, out=drawn[number], where=hours > 0)
    return drawn


def pollution_rose(sample: WindSample, edges: Array, *, sectors: int = 16) -> xr.DataArray:
    """Compute the share of the windy hours by sector and class of concentration.

    Parameters
    ----------
    sample : WindSample
        From `wind_sample`.
    edges : float64 (k,)
        Ascending limits between the classes, ug m-3.
    sectors : int
        Number of equal sectors, the first centred on north.

    Returns
    -------
    xarray.DataArray (sector, group)
        k + 1 classes; sums to 1. Coordinate ``origin`` (degrees).

    Raises
    ------
    InputError
        If the limits do not ascend.

    Examples
    --------
    Wind from the west, clean; then from the east, polluted:

    >>> import numpy as np
    >>> import xarray as xr
    >>> u = xr.DataArray(np.repeat([3.0, -3.0], [300, 100]), dims="time", coords={"time": np.arange(400)})
    >>> u["time"] = np.datetime64("2014-01-01", "ns") + u["time"] * np.timedelta64(1, "h")
    >>> pm25 = xr.where(u > 0, 20.0, 120.0)
    >>> pollution_rose(wind_sample(pm25, u, 0 * u), np.array([75.0]), sectors=4).values
    array([[0.  , 0.  ],
           [0.  , 0.25],
           [0.  , 0.  ],
           [0.75, 0.  ]])
    """
    limits = np.asarray(edges, float)
    if limits.ndim != 1 or not len(limits) or not (np.diff(limits) > 0).all():
        raise InputError("edges", limits.tolist(), "ascending concentrations")
    windy = sample.windy
    table = np.zeros((sectors, len(limits) + 1))
    group = np.searchsorted(limits, sample.concentration[windy], side="right")
    np.add.at(table, (_sector_of(sample.origin[windy], sectors), group), 1.0)
    return xr.DataArray(
        table / table.sum(),
        dims=("sector", "group"),
        coords={"origin": ("sector", np.arange(sectors) * 360.0 / sectors)},
    )


def polar_surface(
    sample: WindSample, *, width: float = 30.0, bandwidth: float = 1.5, fastest: float | None = None, points: int = 41
) -> xr.Dataset:
    """Compute the expected concentration by wind direction and speed: the bivariate polar plot.

    Nonparametric wind regression (Henry, Norris, Vedantham and Turner 2009, Environ. Sci. Technol. 43:4090):
    at each direction and speed the weighted mean of the concentrations, with a Gaussian kernel in direction and
    an Epanechnikov kernel in speed.

    Parameters
    ----------
    sample : WindSample
        From `wind_sample`.
    width : float
        Full width at half maximum of the kernel in direction, degrees.
    bandwidth : float
        Half width of the kernel in speed, m s-1.
    fastest : float, optional
        Highest speed, m s-1; by default the 99th percentile.
    points : int
        Grid points per side.

    Returns
    -------
    xarray.Dataset (north, east)
        ``concentration`` (ug m-3), ``error`` (its standard error if hours were independent) and ``weight``
        (effective number of hours, by the kernels). NaN where fewer than 5. The coordinates are the components,
        m s-1, of a vector that points in the direction the wind comes from.

    Raises
    ------
    InputError
        If `width` or `bandwidth` is not above 0.
    """
    for name, value in (("width", width), ("bandwidth", bandwidth)):
        if not value > 0:
            raise InputError(name, value, "above 0")
    most = float(np.percentile(sample.speed, 99.0)) if fastest is None else fastest
    axis = np.linspace(-most, most, points)
    east, north = np.meshgrid(axis, axis)
    speed, origin = np.hypot(east, north).ravel(), np.degrees(np.arctan2(east, north)).ravel() % 360.0
    total, effective, mean, error = (np.full(speed.size, np.nan) for _ in range(4))
    spread = width / np.sqrt(8.0 * np.log(2.0))
    for at in np.flatnonzero(speed <= most):
        turn = (sample.origin - origin[at] + 180.0) % 360.0 - 180.0
        away = (sample.speed - speed[at]) / bandwidth
        weight = np.exp(-0.5 * (turn / spread) ** 2) * np.clip(1.0 - away**2, 0.0, None)
        total[at] = weight.sum()
        if not total[at] > 0:
            continue
        effective[at] = total[at] ** 2 / (weight**2).sum()
        mean[at] = (weight * sample.concentration).sum() / total[at]
        variance = (weight * (sample.concentration - mean[at]) ** 2).sum() / total[at]
        error[at] = np.sqrt(variance / effective[at])
    few = ~(effective >= 5.0)
    shape = east.shape
    return xr.Dataset(
        {
            "concentration": (("north", "east"), np.where(few, np.nan, mean).reshape(shape), {"units": "ug m-3"}),
            "error": (("north", "east"), np.where(few, np.nan, error).reshape(shape), {"units": "ug m-3"}),
            "weight": (("north", "east"), effective.reshape(shape)),
        },
        coords={"east": axis, "north": axis},
        attrs={"width_degrees": width, "bandwidth": bandwidth},
    )


def peak_of(surface: xr.Dataset) -> tuple[float, float, float]:
    """Return direction (degrees), speed (m s-1) and concentration where a polar surface is highest."""
    values = surface["concentration"].values
    row, column = np.unravel_index(int(np.nanargmax(values)), values.shape)
    north, east = float(surface["north"][row]), float(surface["east"][column])
    return float(np.degrees(np.arctan2(east, north)) % 360.0), float(np.hypot(east, north)), float(values[row, column])


def _sector_of(origin: Array, sectors: int) -> NDArray[np.int64]:
    return (np.floor(origin / (360.0 / sectors) + 0.5).astype(np.int64)) % sectors


def _quantile(drawn: Array, level: float) -> Array:
    known = np.isfinite(drawn).any(axis=0)
    result = np.full(drawn.shape[1], np.nan)
    result[known] = np.nanquantile(drawn[:, known], level, axis=0)
    return result
