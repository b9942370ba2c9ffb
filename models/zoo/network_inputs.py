"""What the network is given of windows: deviations from the place's own, what has built up, calendar and anchors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS
from hazecast.models.series import OBSERVED, TARGETS, WEATHER_NAMES, Windows

# Unit of each variable's deviation from the place's own mean; wind is in units of the place's own mean speed.
_WEATHER_UNIT: dict[str, float] = {
    "t2m": 6.0,
    "d2m": 8.0,
    "sp": 600.0,
    "blh": 500.0,
    "tcc": 0.4,
    "ssrd": 220.0,
}
VARIABLES = len(WEATHER_NAMES)
_COLUMNS = (*WEATHER_NAMES, "speed", "depression")
SP, _TP, _U, _V = (WEATHER_NAMES.index(name) for name in ("sp", "tp", "u10", "v10"))
_WEATHER_INPUTS = VARIABLES + len(_COLUMNS)
_OBSERVED_INPUTS = 2 * len(OBSERVED)
_CALENDAR = 7
LEAD_SCALE = 72.0
# Hours that drivers are averaged over before each lead time, and that pressure changes over.
_RUNNING_HOURS = (6, 12, 24, 48)
_PRESSURE_HOURS = (6, 24)
_DRIVERS = ("speed", "u10", "v10", "depression", "tp", "t2m", "blh")
_ANCHORS = 3 * len(TARGETS)
# Spread and trend of the place for each forecast pollutant, its level within its area.
PLACE = 3 * len(TARGETS)
PAST_INPUTS = 2 * _OBSERVED_INPUTS + 2 * _WEATHER_INPUTS + _CALENDAR
# Calendar, lead time, anchors of place and area, climate of the hour (30 days; earlier years with a mask), the place.
BLIND_INPUTS = _CALENDAR + 1 + 2 * _ANCHORS + 3 * len(TARGETS) + PLACE
INFORMED_INPUTS = BLIND_INPUTS + 1 + 2 * _WEATHER_INPUTS + len(_RUNNING_HOURS) * len(_DRIVERS) + len(_PRESSURE_HOURS)


def scaled_weather(weather: Tensor, level: Tensor) -> Tensor:
    """Take weather (n, h, 9) to deviations from the place's own, with wind speed and dew-point depression.

    Pressure is left out here: only its changes are used, see `pressure_changes`.

    Parameters
    ----------
    weather : Tensor (n, h, 9)
    level : Tensor (n, 10)
        Means of the place; where one isn't known, that of the hours themselves.

    Returns
    -------
    Tensor (n, h, 11)
        NaN where missing.
    """
    speed = torch.hypot(weather[..., _U], weather[..., _V])[..., None]
    everything = torch.cat([weather, speed], dim=-1)
    here = torch.nanmean(everything, dim=1)
    usual = torch.where(torch.isfinite(level), level, here)[:, None]
    calm = usual[..., -1:].clamp(min=0.5)
    parts = []
    for column, name in enumerate(WEATHER_NAMES):
        value = weather[..., column : column + 1]
        if name in ("u10", "v10"):
            parts.append(value / calm)
        elif name == "tp":
            # A few wet hours hold most of the rain: its logarithm tells wash-out better.
            parts.append(torch.log1p(value))
        else:
            parts.append((value - usual[..., column : column + 1]) / _WEATHER_UNIT[name])
    t2m, d2m = (WEATHER_NAMES.index(name) for name in ("t2m", "d2m"))
    depression = (weather[..., t2m] - weather[..., d2m]) - (usual[..., t2m] - usual[..., d2m])
    parts += [speed / calm - 1.0, depression[..., None] / 6.0]
    return torch.cat(parts, dim=-1).clamp(-6, 6)


def pressure_changes(past: Tensor, coming: Tensor) -> tuple[Tensor, Tensor]:
    """Return pressure as its change since the init time.

    Each side is measured from its own hour at the init time: the orography of a forecast's grid, or a site's altitude,
    changes nothing.

    Parameters
    ----------
    past, coming : Tensor (n, 72, 1) and (n, lead, 1)
        Pa.

    Returns
    -------
    past, coming : Tensor
        In units of 6 hPa.
    """
    unit = _WEATHER_UNIT["sp"]
    return (past - _end(past, newest=True)) / unit, (coming - _end(coming, newest=False)) / unit


def _end(values: Tensor, *, newest: bool) -> Tensor:
    """Return the newest or the oldest valid value of each series (n, h, 1), as (n, 1, 1)."""
    hours = torch.arange(values.shape[1], device=values.device)[None, :, None]
    order = hours if newest else values.shape[1] - hours
    at = torch.where(torch.isfinite(values), order, -1).argmax(dim=1, keepdim=True)
    return torch.gather(values, 1, at)


def masked(scaled: Tensor, variables: int) -> Tensor:
    """Put zero where a value is missing, and masks beside.

    Parameters
    ----------
    scaled : Tensor (n, h, k)
        NaN where missing.
    variables : int
        How many of the first columns get a mask.

    Returns
    -------
    Tensor (n, h, k + variables)
    """
    mask = torch.isfinite(scaled[..., :variables]).float()
    return torch.cat([torch.nan_to_num(scaled, nan=0.0), mask], dim=-1)


def running_drivers(past: Tensor, coming: Tensor) -> Tensor:
    """Average the drivers over the hours up to each lead time; the change of pressure over some.

    Parameters
    ----------
    past, coming : Tensor (n, h, 11)
        As from `scaled_weather` with pressure as from `pressure_changes`.

    Returns
    -------
    Tensor (n, lead, 30)
        Zero where nothing is known.
    """
    joined = torch.cat([past, coming], dim=1)
    drivers = joined[..., [_COLUMNS.index(name) for name in _DRIVERS]]
    known = torch.isfinite(drivers)
    nothing = torch.zeros_like(drivers[:, :1])
    total = torch.cat([nothing, torch.cumsum(torch.nan_to_num(drivers, nan=0.0), dim=1)], dim=1)
    count = torch.cat([nothing, torch.cumsum(known.float(), dim=1)], dim=1)
    end = torch.arange(HISTORY_HOURS + 1, HISTORY_HOURS + LEAD_HOURS + 1, device=past.device)
    parts = [
        (total[:, end] - total[:, end - hours]) / (count[:, end] - count[:, end - hours]).clamp(min=1)
        for hours in _RUNNING_HOURS
    ]
    pressure = joined[..., SP]
    change = [pressure[:, end - 1] - pressure[:, end - 1 - hours] for hours in _PRESSURE_HOURS]
    parts.append(torch.nan_to_num(torch.stack(change, dim=-1), nan=0.0))
    return torch.cat(parts, dim=-1)


def calendar_waves(windows: Windows, hours: np.ndarray, device: torch.device) -> Tensor:
    """Return hour of the day and day of the year (local) as waves, and the sun's height.

    Parameters
    ----------
    windows : Windows
    hours : int64 (h,)
        After the init time; negative before it.
    device : torch.device

    Returns
    -------
    Tensor (n, h, 7)
        Two harmonics of the day, one of the year, the sine of the sun's height.
    """
    utc = windows.init_time[:, None] + hours.astype("timedelta64[h]")
    local = utc + (windows.utc_offset[:, None] * 3600).astype("timedelta64[s]")
    day = 2 * np.pi * (local.astype("datetime64[h]").astype(np.int64) % 24) / 24
    start_of_year = local.astype("datetime64[Y]").astype("datetime64[D]")
    year = 2 * np.pi * (local.astype("datetime64[D]") - start_of_year).astype(np.int64) / 365.25
    sun = _sun_height(year, day, windows.latitude[:, None])
    angles = [np.sin(day), np.cos(day), np.sin(2 * day), np.cos(2 * day), np.sin(year), np.cos(year), sun]
    return torch.from_numpy(np.stack(angles, axis=-1).astype(np.float32)).to(device)


def _sun_height(year: np.ndarray, day: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Sine of the sun's height, 0 at night, from local clock time (n, h).

    With the declination 23.45 deg * sin(360 (284 + n) / 365) of day n (Cooper 1969, Solar Energy 12:333); an unknown
    latitude is taken as 35 deg.
    """
    phi = np.deg2rad(np.where(np.isfinite(latitude), latitude, 35.0))
    declination = np.deg2rad(23.45) * np.sin(year + 2 * np.pi * 284 / 365)
    height = np.sin(phi) * np.sin(declination) - np.cos(phi) * np.cos(declination) * np.cos(day)
    return np.asarray(np.maximum(height, 0.0))


def level_and_spread(windows: Windows, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Return what is usual of the forecast pollutants, in a shape that goes with forecasts.

    Parameters
    ----------
    windows : Windows
    device : torch.device, optional
        By default the CPU.

    Returns
    -------
    level, spread : Tensor (n, 1, 2)
        ug m-3, and of the logarithm; see `hazecast.models.background.Background`.
    """
    level, spread = (
        torch.from_numpy(values[:, None, list(TARGETS)]).to(device) for values in (windows.level, windows.spread)
    )
    return level, spread


def place_inputs(windows: Windows, tensor: Callable[[np.ndarray], Tensor]) -> Tensor:
    """Return what the network is given of a place besides its ratios: its spread, its trend, its share of the area's level.

    Parameters
    ----------
    windows : Windows
    tensor : callable
        Puts an array on the network's device.

    Returns
    -------
    Tensor (n, 1, 6)
    """
    targets = list(TARGETS)
    spread, level, long_level, area = (
        tensor(values[:, None, targets])
        for values in (windows.spread, windows.level, windows.long_level, windows.area_level)
    )
    return torch.cat([torch.log(spread / 0.65), torch.log(level / long_level), torch.log(level / area)], -1).clamp(
        -3, 3
    )


def anchors(z: Tensor) -> Tensor:
    """Return the past values a forecaster looks at first: newest, mean of the 72 h, same hour of the day; (n, lead, 6)."""
    filled = torch.nan_to_num(z, nan=0.0)
    valid = torch.isfinite(z)
    age = torch.arange(z.shape[1], dtype=torch.float32, device=z.device)[None, :, None]
    newest = torch.where(valid, age, -1.0).argmax(dim=1, keepdim=True)
    last = torch.gather(filled, 1, newest)
    mean = filled.sum(dim=1, keepdim=True) / valid.sum(dim=1, keepdim=True).clamp(min=1)
    days_filled = filled.reshape(len(z), -1, 24, z.shape[-1])
    days_valid = valid.reshape(len(z), -1, 24, z.shape[-1])
    by_hour = days_filled.sum(dim=1) / days_valid.sum(dim=1).clamp(min=1)
    by_hour = by_hour.repeat(1, LEAD_HOURS // 24, 1)
    return torch.cat([last.expand_as(by_hour), mean.expand_as(by_hour), by_hour], dim=-1)
