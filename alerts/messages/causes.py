"""Why a city is hazy, as far as the forecast itself shows it: a cause is given only where values support it.

The thresholds are this service's choices, not a standard's: light wind below 2 m s-1, a mixing layer below
500 m, a steady wind where the mean vector is 0.7 of the mean speed. Humid is RH 80 % or more, from which
the CMA's haze signal asks for PM2.5 beside visibility.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.forecast.products import median_series, valid_times
from hazecast.grids.places.cities import City, Registry

HUMID = 80.0
CALM = 2.0
SHALLOW = 500.0
STEADY = 0.7
POLLUTED = 75.0
REACH_KM = 400.0
SMALLEST_SHARE = 0.01
_DIRECTIONS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


@dataclass(frozen=True)
class Causes:
    """What the hours of a warning show; None or empty where it does not hold or is not known.

    `humidity` %, `wind` m s-1, `height` m of the mixing layer, `direction` the wind comes from, one of
    eight, and `upwind` the polluted forecast cities there, nearest first. `transport` is the share of the PM2.5
    that the model attributes to the direction of the wind: the mean, lowest and highest of its members.
    """

    humidity: float | None = None
    wind: float | None = None
    height: float | None = None
    direction: str | None = None
    upwind: tuple[City, ...] = ()
    transport: tuple[float, float, float] | None = None


def causes(
    warning: HazeWarning, city: City, registry: Registry | None = None, forecast: xr.Dataset | None = None
) -> Causes:
    """Return why the hours of a warning's evidence are hazy.

    Parameters
    ----------
    warning : HazeWarning
        Its evidence gives the humidity and the hours looked at.
    city : City
    registry : Registry, optional
        Places of the forecast's cities; without it no upwind city is named.
    forecast : xarray.Dataset, optional
        Contract "forecast". ``u10``, ``v10`` (m s-1) and ``blh`` (m), (lead_time, city), are used where present.

    Returns
    -------
    Causes
    """
    moist = [e.relative_humidity for e in warning.evidence if e.relative_humidity is not None]
    mean_humidity = float(np.mean(moist)) if moist else 0.0
    humidity = mean_humidity if mean_humidity >= HUMID else None
    if not warning.evidence:
        return Causes()
    if forecast is None or city.id not in forecast["city"].values:
        return Causes(humidity=humidity)
    hours = [np.datetime64(e.time.replace(tzinfo=None), "ns") for e in warning.evidence]
    within = np.isin(valid_times(forecast), hours)
    height = _mean(forecast, "blh", city.id, within)
    u, v = _mean(forecast, "u10", city.id, within), _mean(forecast, "v10", city.id, within)
    known = Causes(
        humidity=humidity,
        height=height if height is not None and height < SHALLOW else None,
        transport=transport_share(forecast, city.id, within),
    )
    if u is None or v is None:
        return known
    east, north = (forecast[name].sel(city=city.id).values[within] for name in ("u10", "v10"))
    speed = float(np.nanmean(np.hypot(east, north)))
    if speed < CALM:
        return replace(known, wind=speed)
    if np.hypot(u, v) < STEADY * speed or registry is None:
        return known
    origin = float(np.degrees(np.arctan2(-u, -v))) % 360.0
    upwind = _polluted_upwind(city, origin, registry, forecast, within)
    direction = _DIRECTIONS[round(origin / 45.0) % 8] if upwind else None
    return replace(known, direction=direction, upwind=upwind)


def transport_share(
    forecast: xr.Dataset, city: str, within: npt.NDArray[np.bool_]
) -> tuple[float, float, float] | None:
    """Return the share of a city's PM2.5 in some hours that the model attributes to the direction of the wind.

    Parameters
    ----------
    forecast : xarray.Dataset
        With ``pm25_from_elsewhere`` (lead_time, city, member), ug m-3; see `hazecast.models.attribution`.
    city : str
    within : bool (lead_time,)
        The hours, all taken together.

    Returns
    -------
    tuple of float or None
        Mean, lowest and highest over the members; a member's share is at least 0. None where it isn't known, or
        the highest is below a hundredth.
    """
    if "pm25_from_elsewhere" not in forecast:
        return None
    here = forecast.sel(city=city)
    part = here["pm25_from_elsewhere"].transpose("lead_time", "member").values[within]
    whole = here["pm25_mean"].values[within]
    known = np.isfinite(part).all(axis=1) & np.isfinite(whole)
    if not known.any() or not whole[known].sum() > 0:
        return None
    shares = np.clip(part[known].sum(axis=0) / whole[known].sum(), 0.0, 1.0)
    found = float(shares.mean()), float(shares.min()), float(shares.max())
    return found if found[2] >= SMALLEST_SHARE else None


def _mean(forecast: xr.Dataset, name: str, city: str, within: npt.NDArray[np.bool_]) -> float | None:
    if name not in forecast:
        return None
    values = np.asarray(forecast[name].sel(city=city).values, dtype=np.float64)[within]
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _polluted_upwind(
    city: City, origin: float, registry: Registry, forecast: xr.Dataset, within: npt.NDArray[np.bool_]
) -> tuple[City, ...]:
    """Return up to three cities within 45 degrees of where the wind comes from whose mean PM2.5 is above 75 ug m-3."""
    mass = median_series(forecast, "pm25").values[within]
    found = []
    for number, other_id in enumerate(map(str, forecast["city"].values)):
        if other_id == city.id or not np.nanmean(mass[:, number]) > POLLUTED:
            continue
        other = registry.city(other_id)
        north = 111.2 * (other.latitude - city.latitude)
        east = 111.2 * (other.longitude - city.longitude) * np.cos(np.radians(city.latitude))
        turn = (float(np.degrees(np.arctan2(east, north))) - origin + 180.0) % 360.0 - 180.0
        if np.hypot(north, east) <= REACH_KM and abs(turn) <= 45.0:
            found.append((float(np.hypot(north, east)), other))
    return tuple(place for _, place in sorted(found, key=lambda entry: entry[0])[:3])
