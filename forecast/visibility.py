"""Horizontal visibility from PM2.5 and relative humidity: a law of two numbers that any city can use.

Koschmieder's law ``V = K / b_ext``, K = 3.912 (contrast threshold 2 %), with

    b_ext = MEE * PM2.5 * f(RH) + Rayleigh,     f(RH) = (1 - RH) ** -gamma

Sources
-------
- f(RH): the power law of hygroscopic growth, as in Kotchenruther and Hobbs (1998), J. Geophys. Res. 103(D24):32081
  (cited from memory, not verified).
- MEE (at RH 0), gamma and the humidity above which f(RH) no longer grows: this project's fit, Beijing 2008 to 2012, to
  the METAR of the capital's airport beside the PM2.5 of the US post, hours without precipitation. They give the best sum
  of the critical success indices below 2, 3 and 5 km with a frequency bias from 0.95 to 1.2: hits against false alarms, not
  least error. ``hazecast study visibility`` repeats the fit, docs/studies/visibility.md has its scores.
- Rayleigh scattering of clean air 0.01 km-1 (IMPROVE).

A visibility observed beside it scatters about the law: its logarithm has a logistic distribution, whose centre and scale
are fitted to the same hours by likelihood (10 km or more is censored). The centre lies above the law, which leans to
detection. `visibility_at` gives the quantiles.

The result describes haze only: rain, snow and dust are not in it, fog only in part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hazecast.grids.errors import InputError

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VisibilityModel:
    """The parameters of the visibility law; a site may recalibrate them.

    Attributes
    ----------
    contrast_constant : float
        Koschmieder's constant, 1; 3.912 for the eye, 2.996 for the 5 % range of a sensor.
    mass_extinction : float
        Extinction per mass of PM2.5 in dry air, m2 g-1.
    growth_exponent : float
        gamma of f(RH), 1.
    rayleigh : float
        Extinction of clean air, km-1.
    humidity_cap : float
        Relative humidity above which f(RH) no longer grows, %.
    residual_centre, residual_scale : float
        Logistic distribution of the natural logarithm of observed over computed visibility, 1.
    """

    contrast_constant: float = 3.912
    mass_extinction: float = 3.48
    growth_exponent: float = 0.43
    rayleigh: float = 0.01
    humidity_cap: float = 96.6
    residual_centre: float = 0.153
    residual_scale: float = 0.279

    def __post_init__(self) -> None:
        for name in ("contrast_constant", "mass_extinction", "rayleigh"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise InputError(f"visibility model: {name}", getattr(self, name), "a positive number")
        for name in ("growth_exponent", "residual_scale"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise InputError(f"visibility model: {name}", getattr(self, name), "0 or more")
        if not np.isfinite(self.residual_centre):
            raise InputError("visibility model: residual_centre", self.residual_centre, "a number")
        if not 0.0 < self.humidity_cap < 100.0:
            raise InputError("visibility model: humidity_cap", self.humidity_cap, "between 0 and 100 %")


BEIJING = VisibilityModel()


def growth(relative_humidity: npt.ArrayLike, model: VisibilityModel = BEIJING) -> Float:
    """Return the hygroscopic growth factor f(RH) of extinction.

    Parameters
    ----------
    relative_humidity : array_like
        %, any shape; NaN stays NaN. Values above the model's cap count as the cap.
    model : VisibilityModel

    Returns
    -------
    numpy.ndarray
        1 at RH 0, growing with RH; the shape of the input.

    Raises
    ------
    InputError
        If a humidity lies outside 0 to 120 %.
    """
    humidity = np.asarray(relative_humidity, dtype=np.float64)
    if np.any((humidity < 0.0) | (humidity > 120.0)):
        raise InputError("relative humidity", f"{np.nanmin(humidity)} to {np.nanmax(humidity)}", "0 to 120 %")
    dryness = 1.0 - np.minimum(humidity, model.humidity_cap) / 100.0
    return np.asarray(dryness**-model.growth_exponent, dtype=np.float64)


def visibility(pm25: npt.ArrayLike, relative_humidity: npt.ArrayLike, model: VisibilityModel = BEIJING) -> Float:
    """Return the horizontal visibility, to be compared with a threshold.

    Parameters
    ----------
    pm25 : array_like
        PM2.5 mass, ug m-3, broadcast against `relative_humidity`; NaN stays NaN.
    relative_humidity : array_like
        %.
    model : VisibilityModel

    Returns
    -------
    numpy.ndarray
        Visibility, m; never above ``contrast_constant / rayleigh`` (391 km), falling with both inputs.

    Raises
    ------
    InputError
        If a concentration is negative or infinite, or a humidity lies outside 0 to 120 %.

    Examples
    --------
    >>> visibility([20.0, 150.0], [40.0, 80.0]).round(-1).tolist()
    [40460.0, 3720.0]
    """
    mass = np.asarray(pm25, dtype=np.float64)
    if np.any((mass < 0.0) | np.isinf(mass)):
        raise InputError("pm25", f"{np.nanmin(mass)} to {np.nanmax(mass)} ug m-3", "finite values of 0 or more")
    # 1 m2 g-1 * 1 ug m-3 = 1e-6 m-1 = 1e-3 km-1
    extinction = 1e-3 * model.mass_extinction * mass * growth(relative_humidity, model) + model.rayleigh
    return np.asarray(1000.0 * model.contrast_constant / extinction, dtype=np.float64)


def visibility_at(
    pm25: npt.ArrayLike,
    relative_humidity: npt.ArrayLike,
    level: npt.ArrayLike,
    model: VisibilityModel = BEIJING,
) -> Float:
    """Return a quantile of the visibility that would be observed.

    Parameters
    ----------
    pm25, relative_humidity : array_like
        As for `visibility`.
    level : array_like
        Probability of a lower visibility, above 0 and below 1; broadcast against the others.
    model : VisibilityModel

    Returns
    -------
    numpy.ndarray
        Visibility, m.

    Raises
    ------
    InputError
        If a level is not inside 0 to 1, or as `visibility` does.

    Examples
    --------
    >>> visibility_at(150.0, 80.0, [0.1, 0.5, 0.9]).round(-1).tolist()
    [2350.0, 4330.0, 7990.0]
    """
    return np.asarray(visibility(pm25, relative_humidity, model) * scatter(level, model), dtype=np.float64)


def scatter(level: npt.ArrayLike, model: VisibilityModel = BEIJING) -> Float:
    """Return the factor by which a quantile of the visibility that would be observed differs from the law's.

    Parameters
    ----------
    level : array_like
        Probability of a lower visibility, above 0 and below 1.
    model : VisibilityModel

    Returns
    -------
    numpy.ndarray
        1; the shape of `level`.

    Raises
    ------
    InputError
        If a level is not inside 0 to 1.
    """
    probability = np.asarray(level, dtype=np.float64)
    if not np.all((probability > 0.0) & (probability < 1.0)):
        raise InputError("visibility: level", probability, "above 0 and below 1")
    away = model.residual_centre + model.residual_scale * (np.log(probability) - np.log1p(-probability))
    return np.asarray(np.exp(away), dtype=np.float64)


def recalibrate(
    pm25: npt.ArrayLike,
    relative_humidity: npt.ArrayLike,
    observed_visibility: npt.ArrayLike,
    model: VisibilityModel = BEIJING,
) -> VisibilityModel:
    """Return `model` with the mass extinction efficiency that fits a site's own observations.

    The median of the efficiencies that single hours imply is taken: it is robust against hours of fog or rain. It is
    lowered by the model's own distance between the law and the centre of what is observed.

    Parameters
    ----------
    pm25, relative_humidity, observed_visibility : array_like
        Hourly values of one shape: ug m-3, %, m. Hours with a missing value, no PM2.5, RH above the
        model's cap or visibility of 0 are left out; so must be hours that are only known to exceed a limit.
    model : VisibilityModel
        Gives all other parameters.

    Returns
    -------
    VisibilityModel

    Raises
    ------
    InputError
        If the shapes differ or fewer than 30 hours can be used.
    """
    mass, humidity, seen = (np.asarray(a, dtype=np.float64) for a in (pm25, relative_humidity, observed_visibility))
    if not mass.shape == humidity.shape == seen.shape:
        raise InputError("recalibrate", (mass.shape, humidity.shape, seen.shape), "three arrays of one shape")
    use = (mass > 0.0) & (humidity >= 0.0) & (humidity <= model.humidity_cap) & (seen > 0.0)
    lawful = seen[use] * np.exp(-model.residual_centre)
    extinction = 1000.0 * model.contrast_constant / lawful - model.rayleigh
    implied = 1e3 * extinction / (mass[use] * growth(humidity[use], model))
    implied = implied[np.isfinite(implied) & (implied > 0.0)]
    if implied.size < 30:
        raise InputError("recalibrate", f"{implied.size} usable hours", "at least 30")
    return replace(model, mass_extinction=float(np.median(implied)))
