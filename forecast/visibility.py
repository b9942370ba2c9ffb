"""Horizontal visibility from the PM2.5 concentration and the relative humidity.

Koschmieder's law ``V = 3.912 / b_ext`` (contrast threshold 2 %, the human eye; a forward-scatter
sensor that reports the 5 % range of WMO reads 2.996 / 3.912 = 0.77 of it), with

    b_ext = MEE * PM2.5 * f(RH) + Rayleigh,     f(RH) = (s / (1 - RH) + c) / (s + c)

Sources
-------
- Form and shape of f(RH): Li C.-C., He X., Deng Z.-Z., Lau A. K.-H., Li Y. (2013), "Dependence of
  mixed aerosol light scattering extinction on relative humidity in Beijing and Hong Kong",
  Atmos. Oceanic Sci. Lett., doi 10.1080/16742834.2013.11447066: mass extinction efficiency of Beijing
  in winter = 1.58 / (1 - RH) + 1.30 m2 g-1 (r2 = 0.61). The numbers were checked against the published
  abstract. Its other seasons (slope, intercept): spring (1.52, 0.29), summer (1.42, 1.53),
  autumn (1.19, 0.65). The abstract states no range of RH: the fit is singular at saturation, so RH is
  capped at 95 %, where the IMPROVE growth tables also end.
- The fit is per mass of PM10. It is used here for its growth alone, divided by its own dry value
  (2.88 m2 g-1), and scaled by an efficiency per mass of dry PM2.5.
- Dry efficiency 4.0 m2 g-1: the middle of the 3 to 5 m2 g-1 of polluted fine aerosol (reviewed by Hand
  and Malm 2007, J. Geophys. Res. 112, D16203; cited from memory, not verified). It agrees with the fit
  above where PM2.5 makes up 72 % of PM10, and at RH 80 % it gives 12.8 m2 g-1, inside the 11 to 16 m2 g-1
  that the pairs of the haze signal imply (3 km at 115, 2 km at 150, 1 km at 250 ug m-3).
- Rayleigh scattering of clean air 0.01 km-1 (IMPROVE).

The result describes haze only: fog droplets, rain, snow and dust are not in it. Published schemes of
this kind overestimate visibilities below 5 km in mixed haze and fog (Atmosphere 2022, 13(2), 203), so
a site with a visibility sensor should use `recalibrate`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hazecast.grids.errors import InputError


@dataclass(frozen=True)
class VisibilityModel:
    """The parameters of the visibility formula; a site may recalibrate them.

    Attributes
    ----------
    contrast_constant : float
        Koschmieder's constant, 1; 3.912 for the eye, 2.996 for the 5 % range of a sensor.
    mass_extinction : float
        Extinction per mass of dry PM2.5, m2 g-1.
    growth_slope, growth_intercept : float
        `s` and `c` of f(RH), m2 g-1; only their ratio matters.
    rayleigh : float
        Extinction of clean air, km-1.
    humidity_cap : float
        Relative humidity above which f(RH) no longer grows, %.
    """

    contrast_constant: float = 3.912
    mass_extinction: float = 4.0
    growth_slope: float = 1.58
    growth_intercept: float = 1.30
    rayleigh: float = 0.01
    humidity_cap: float = 95.0

    def __post_init__(self) -> None:
        for name in ("contrast_constant", "mass_extinction", "growth_slope", "rayleigh"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise InputError(f"visibility model: {name}", getattr(self, name), "a positive number")
        if not 0.0 <= self.growth_intercept < np.inf:
            raise InputError("visibility model: growth_intercept", self.growth_intercept, "0 or more")
        if not 0.0 < self.humidity_cap < 100.0:
            raise InputError("visibility model: humidity_cap", self.humidity_cap, "between 0 and 100 %")


BEIJING_WINTER = VisibilityModel()


def growth(relative_humidity: npt.ArrayLike, model: VisibilityModel = BEIJING_WINTER) -> npt.NDArray[np.float64]:
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
    dry = model.growth_slope + model.growth_intercept
    return np.asarray((model.growth_slope / dryness + model.growth_intercept) / dry, dtype=np.float64)


def visibility(
    pm25: npt.ArrayLike, relative_humidity: npt.ArrayLike, model: VisibilityModel = BEIJING_WINTER
) -> npt.NDArray[np.float64]:
    """Return the horizontal visibility.

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
    [32800.0, 2030.0]
    """
    mass = np.asarray(pm25, dtype=np.float64)
    if np.any((mass < 0.0) | np.isinf(mass)):
        raise InputError("pm25", f"{np.nanmin(mass)} to {np.nanmax(mass)} ug m-3", "finite values of 0 or more")
    # 1 m2 g-1 * 1 ug m-3 = 1e-6 m-1 = 1e-3 km-1
    extinction = 1e-3 * model.mass_extinction * mass * growth(relative_humidity, model) + model.rayleigh
    return np.asarray(1000.0 * model.contrast_constant / extinction, dtype=np.float64)


def recalibrate(
    pm25: npt.ArrayLike,
    relative_humidity: npt.ArrayLike,
    observed_visibility: npt.ArrayLike,
    model: VisibilityModel = BEIJING_WINTER,
) -> VisibilityModel:
    """Return `model` with the mass extinction efficiency that fits a site's own observations.

    The median of the efficiencies that single hours imply is taken: it is robust against hours of fog or rain.

    Parameters
    ----------
    pm25, relative_humidity, observed_visibility : array_like
        Hourly values of one shape: ug m-3, %, m. Hours with a missing value, no PM2.5, RH above the
        model's cap or visibility of 0 are left out.
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
    extinction = 1000.0 * model.contrast_constant / seen[use] - model.rayleigh
    implied = 1e3 * extinction / (mass[use] * growth(humidity[use], model))
    implied = implied[np.isfinite(implied) & (implied > 0.0)]
    if implied.size < 30:
        raise InputError("recalibrate", f"{implied.size} usable hours", "at least 30")
    return replace(model, mass_extinction=float(np.median(implied)))
