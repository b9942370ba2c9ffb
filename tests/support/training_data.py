"""Made series of observations and weather, windows of them, and the smallest network, for tests of models."""

from __future__ import annotations

import numpy as np

from hazecast.models.series import HourlySeries, WindowSet
from hazecast.models.windows import window_set
from hazecast.models.zoo.network_training import TrainingSettings

# The smallest network that has every part.
TINY = {"hidden": 8, "blind_hidden": 8, "members": 1, "context": 4}
SMALL = TrainingSettings(windows=480, batch=16, seed=3, **TINY)  # 30 steps
START = np.datetime64("2013-01-01T00", "ns")


def made_series(hours: int = 600, places: int = 2) -> HourlySeries:
    """Hourly observations with a daily cycle and noise, and weather, at places about Beijing; ever the same."""
    random = np.random.default_rng(1)
    clock = np.arange(hours)
    day = np.sin(2 * np.pi * clock / 24)[None, :, None]
    observations = 80 + 40 * day + random.normal(0, 5, (places, hours, 6))
    weather = np.broadcast_to(np.array([280, 275, 1, -1, 101_000, 500, 0, 0.5, 100.0]), (places, hours, 9))
    weather = weather + random.normal(0, 1, (places, hours, 9))
    return HourlySeries(
        observations.astype(np.float32),
        weather.astype(np.float32),
        START + clock.astype("timedelta64[h]"),
        np.full(places, 8, np.float32),
        np.array([f"place{n}" for n in range(places)]),
        np.linspace(39.8, 40.2, places).astype(np.float32),
        np.linspace(116.2, 116.6, places).astype(np.float32),
        np.zeros(places, np.int64),
        observations.mean(axis=0, keepdims=True).astype(np.float32),
        weather.mean(axis=0, keepdims=True).astype(np.float32),
    )


def made_windows(series: HourlySeries | None = None, every: int = 7) -> WindowSet:
    """Windows of a series, one every few hours."""
    series = series or made_series()
    return window_set((series,), series.times[0], series.times[-1], every=every)
