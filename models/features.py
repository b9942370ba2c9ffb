"""Features of a forecast: what is known of a place, its area and the weather at each lead time.

For the models that learn from tables (ridge, LightGBM). What is missing is NaN. Nothing but what a
`hazecast.models.series.Windows` holds without its target is read.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS
from hazecast.models.background import running_sums
from hazecast.models.experts import last_observed
from hazecast.models.interface import Float
from hazecast.models.series import OBSERVED, TARGETS, WEATHER_NAMES, Windows

_COLUMN = {name: number for number, name in enumerate(WEATHER_NAMES)}
_TARGET_NAMES = tuple(OBSERVED[number] for number in TARGETS)
_DRIVERS = ("t2m", "depression", "u10", "v10", "speed", "sp", "tp", "blh", "tcc", "ssrd")
_AREA_DRIVERS = ("u10", "v10", "speed", "depression")
_RUNNING = ("u10", "v10", "speed", "depression", "tp", "blh")
_DAY_MEANS = ("t2m", "depression", "u10", "v10", "speed", "tp", "ssrd")
_SHORT_MEANS = ("u10", "v10", "speed")
_DAYS = HISTORY_HOURS // 24


def features(windows: Windows) -> tuple[Float, Float]:
    """Return the features of every window and lead time.

    Returns
    -------
    fixed : float32 (n, k)
        The same at all lead times; named by `names`, first part.
    coming : float32 (n, lead, m)
        Those of each lead time; second part.
    """
    past, ahead = _drivers(windows.history_weather), _drivers(windows.future_weather)
    area_past, area_ahead = _drivers(windows.area_weather), _drivers(windows.area_future_weather)
    fixed = (
        _observed(windows.history_obs)
        | _observed(windows.area_obs, "area_")
        | _past_weather(past)
        | _usual(windows.level, windows.long_level, windows.spread)
    )
    coming = (
        _weather_ahead(past, ahead, _DRIVERS, _RUNNING, _DAY_MEANS, _SHORT_MEANS)
        | _weather_ahead(area_past, area_ahead, _AREA_DRIVERS, (), _AREA_DRIVERS, (), "area_")
        | _same_hour(windows.history_obs)
        | _same_hour(windows.area_obs, "area_")
        | _climate(windows.same_hour, windows.monthly)
        | _time(windows)
    )
    shape = (len(windows), LEAD_HOURS)
    return (
        np.stack(list(fixed.values()), axis=-1).astype(np.float32),
        np.stack([np.broadcast_to(value, shape) for value in coming.values()], axis=-1).astype(np.float32),
    )


@lru_cache
def names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the features: those of a window, and those of a lead time."""
    past = {name: np.full((1, HISTORY_HOURS), np.nan, np.float32) for name in _DRIVERS}
    ahead = {name: np.full((1, LEAD_HOURS), np.nan, np.float32) for name in _DRIVERS}
    empty = np.full((1, HISTORY_HOURS, len(OBSERVED)), np.nan, np.float32)
    level, climate = empty[:, 0], np.full((1, LEAD_HOURS, len(TARGETS)), np.nan, np.float32)
    fixed = [
        *_observed(empty), *_observed(empty, "area_"), *_past_weather(past), *_usual(level, level, level),
    ]  # fmt: skip
    coming = [
        *_weather_ahead(past, ahead, _DRIVERS, _RUNNING, _DAY_MEANS, _SHORT_MEANS),
        *_weather_ahead(past, ahead, _AREA_DRIVERS, (), _AREA_DRIVERS, (), "area_"),
        *_same_hour(empty),
        *_same_hour(empty, "area_"),
        *_climate(climate, climate),
        "lead",
        *CALENDAR,
    ]
    return tuple(fixed), tuple(coming)


def mean_of(values: Float, axis: int = 1) -> Float:
    """Return the mean of what isn't NaN; NaN where all is.

    Parameters
    ----------
    values : float32
    axis : int
        Averaged over.

    Returns
    -------
    float32
        As `values`, without `axis`.
    """
    valid = np.isfinite(values)
    count = valid.sum(axis=axis)
    total = np.where(valid, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _drivers(weather: Float) -> dict[str, Float]:
    """Return weather (n, h, 9) by name, with wind speed and dew-point depression."""
    by_name = {name: weather[..., number] for name, number in _COLUMN.items()}
    by_name["speed"] = np.hypot(by_name["u10"], by_name["v10"])
    by_name["depression"] = by_name["t2m"] - by_name["d2m"]
    return by_name


def _observed(history: Float, prefix: str = "") -> dict[str, Float]:
    """Return the newest values, means, trends and extremes of concentrations (n, 72, 6)."""
    last = last_observed(history)
    day = mean_of(history[:, -24:])
    result = {f"{prefix}{name}_last": last[:, k] for k, name in enumerate(OBSERVED)}
    result |= {f"{prefix}{name}_24h": day[:, k] for k, name in enumerate(OBSERVED)}
    for k, name in zip(TARGETS, _TARGET_NAMES, strict=True):
        series = history[..., k]
        recent = mean_of(series[:, -3:])
        filled_low, filled_high = (np.nan_to_num(series[:, -24:], nan=nan) for nan in (np.inf, -np.inf))
        low, high = filled_low.min(axis=1), filled_high.max(axis=1)
        result |= {
            f"{prefix}{name}_6h": mean_of(series[:, -6:]),
            f"{prefix}{name}_72h": mean_of(series),
            f"{prefix}{name}_trend_6h": recent - mean_of(series[:, -9:-6]),
            f"{prefix}{name}_trend_24h": recent - mean_of(series[:, -27:-24]),
            f"{prefix}{name}_low_24h": np.where(np.isfinite(low), low, np.nan),
            f"{prefix}{name}_high_24h": np.where(np.isfinite(high), high, np.nan),
        }
    return result


def _past_weather(past: dict[str, Float]) -> dict[str, Float]:
    result = {f"past_{name}": last_observed(past[name][..., None])[:, 0] for name in _DRIVERS}
    result |= {f"past_{name}_24h": mean_of(past[name][:, -24:]) for name in _DAY_MEANS}
    result |= {f"past_{name}_72h": mean_of(past[name]) for name in ("speed", "depression", "t2m")}
    result["past_sp_trend_24h"] = mean_of(past["sp"][:, -3:]) - mean_of(past["sp"][:, -27:-24])
    return result


def _usual(level: Float, long_level: Float, spread: Float) -> dict[str, Float]:
    """Return what is usual at the place; see `hazecast.models.background.Background`."""
    parts = {"level": level, "long_level": long_level, "spread": spread}
    return {
        f"{name}_{what}": values[:, k]
        for what, values in parts.items()
        for k, name in zip(TARGETS, _TARGET_NAMES, strict=True)
    }


def _climate(same_hour: Float, monthly: Float) -> dict[str, Float]:
    """Return the means of the lead time's hour in the last 30 days, and of its month in earlier years."""
    parts = {"usual": same_hour, "monthly": monthly}
    return {f"{name}_{what}": values[..., k] for what, values in parts.items() for k, name in enumerate(_TARGET_NAMES)}


def _weather_ahead(
    past: dict[str, Float],
    ahead: dict[str, Float],
    drivers: tuple[str, ...],
    running: tuple[str, ...],
    day_means: tuple[str, ...],
    short_means: tuple[str, ...],
    prefix: str = "",
) -> dict[str, Float]:
    """Return weather (n, lead) at the lead time, since the init time and over the hours before."""
    result = {f"{prefix}{name}": ahead[name] for name in drivers}
    for name in running:
        result[f"{prefix}{name}_since_init"] = _trailing(ahead[name], LEAD_HOURS)
    for hours, chosen in ((24, day_means), (6, short_means)):
        for name in chosen:
            joined = np.concatenate([past[name][:, -hours:], ahead[name]], axis=1)
            result[f"{prefix}{name}_{hours}h"] = _trailing(joined, hours)[:, hours:]
    if "sp" in drivers:
        joined = np.concatenate([past["sp"][:, -24:], ahead["sp"]], axis=1)
        result[f"{prefix}sp_change_24h"] = joined[:, 24:] - joined[:, :-24]
        result[f"{prefix}sp_change"] = ahead["sp"] - last_observed(past["sp"][..., None])
    return result


def _trailing(values: Float, hours: int) -> Float:
    """Return the mean of the last `hours` values up to each, (n, h); NaN where none is valid."""
    count, total = (part[..., 0] for part in running_sums(values[..., None], hours))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _same_hour(history: Float, prefix: str = "") -> dict[str, Float]:
    """Return the forecast pollutants at the lead time's hour of the day, on each past day and their mean."""
    days = history[..., list(TARGETS)].reshape(len(history), _DAYS, 24, len(TARGETS))
    hour = (np.arange(1, LEAD_HOURS + 1) - 1) % 24
    result = {}
    for k, name in enumerate(_TARGET_NAMES):
        by_day = days[:, :, hour, k]
        for back in range(1, _DAYS + 1):
            result[f"{prefix}{name}_same_hour_{back}"] = by_day[:, -back]
        result[f"{prefix}{name}_same_hour"] = mean_of(by_day)
    return result


CALENDAR = ("hour", "hour_sin", "hour_cos", "half_day_sin", "half_day_cos", "year_sin", "year_cos", "weekday")


def calendar(windows: Windows, hours: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return hour, season and weekday (local) of some hours after the init time.

    Parameters
    ----------
    windows : Windows
    hours : int64 (h,)
        Negative before the init time.

    Returns
    -------
    float32 (n, h, 8)
        In the order of `CALENDAR`; angles as sine and cosine, Monday is 0.
    """
    local = windows.init_time[:, None] + hours.astype("timedelta64[h]")
    local = local + (windows.utc_offset[:, None] * 60).astype("timedelta64[m]")
    hour = local.astype("datetime64[h]").astype(np.int64) % 24
    day = local.astype("datetime64[D]")
    year = 2 * np.pi * (day - day.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) / 365.25
    angle = 2 * np.pi * hour / 24
    # 1970-01-01 was a Thursday.
    weekday = (day.astype(np.int64) + 3) % 7
    waves = [wave(turn) for turn in (angle, 2 * angle, year) for wave in (np.sin, np.cos)]
    return np.stack([hour, *waves, weekday], axis=-1).astype(np.float32)


def _time(windows: Windows) -> dict[str, Float]:
    lead = np.arange(1, LEAD_HOURS + 1)
    found = calendar(windows, lead)
    return {"lead": lead[None].astype(np.float32)} | {name: found[..., k] for k, name in enumerate(CALENDAR)}
