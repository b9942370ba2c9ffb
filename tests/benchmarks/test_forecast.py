"""A forecast of 400 cities against the network's bare forward pass in the same run."""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch

from hazecast.forecast.produce import make_forecast
from hazecast.grids.contract import FORECAST_POLLUTANTS, HISTORY_HOURS, LEAD_HOURS, QUANTILES
from hazecast.models.registry import load_trained
from hazecast.models.series import OBSERVED, WEATHER_NAMES, Windows
from hazecast.models.zoo.combined import Combined

CITIES, ROUNDS, LIMIT = 400, 7, 1.5
NOW = np.datetime64("2026-01-15T22", "ns")


def made_windows() -> Windows:
    random = np.random.default_rng(0)

    def weather(hours: int) -> np.ndarray:
        centre = np.array([280, 272, 1, -1, 101_000, 500, 0, 0.5, 150.0])
        return (centre + random.normal(0, 1, (CITIES, hours, len(WEATHER_NAMES)))).astype(np.float32)

    def observed() -> np.ndarray:
        return random.gamma(3.0, 25.0, (CITIES, HISTORY_HOURS, len(OBSERVED))).astype(np.float32)

    def usual(value: float, *shape: int) -> np.ndarray:
        return np.full((CITIES, *shape), value, np.float32)

    past, coming = weather(HISTORY_HOURS), weather(LEAD_HOURS)
    six, ahead = len(OBSERVED), (LEAD_HOURS, len(FORECAST_POLLUTANTS))
    air = np.concatenate([past, np.hypot(past[..., 2:3], past[..., 3:4])], axis=-1).mean(axis=1)
    return Windows(
        history_obs=observed(), history_weather=past, future_weather=coming, init_time=np.full(CITIES, NOW),
        utc_offset=np.full(CITIES, 8, np.float32), place=np.array([f"city{n}" for n in range(CITIES)]),
        latitude=np.full(CITIES, 35, np.float32), longitude=np.full(CITIES, 115, np.float32),
        area_obs=observed(), area_weather=past, area_future_weather=coming,
        weather_error=np.ones(CITIES, np.float32),
        level=usual(75.0, six), spread=usual(0.6, six), long_level=usual(70.0, six),
        area_level=usual(75.0, six), area_spread=usual(0.6, six),
        same_hour=usual(75.0, *ahead), monthly=usual(np.nan, *ahead), weather_level=air, area_weather_level=air,
        guidance=usual(80.0, *ahead),
    )  # fmt: skip


def test_a_forecast_costs_little_more_than_the_network() -> None:
    model, model_id = load_trained()
    service, network = Combined(model), model.network
    assert network is not None
    windows = made_windows()
    ids = [str(place) for place in windows.place]

    def whole() -> object:
        return make_forecast(
            service.predict(windows), model_id, windows, ids, NOW, weather_source="benchmark", observations_until=NOW,
            simulated=True, degraded=False,
        )  # fmt: skip

    def bare() -> object:
        return network.forecast(windows, informed=True)

    forecast = whole()
    assert forecast["pm25"].shape == (LEAD_HOURS, CITIES, len(QUANTILES))  # type: ignore[index]
    ratios, seconds = [], []
    with torch.inference_mode():
        for _ in range(ROUNDS):
            times = []
            for run in (whole, bare):
                start = time.perf_counter()
                run()
                times.append(time.perf_counter() - start)
            ratios.append(times[0] / times[1])
            seconds.append(times)
    ratio = statistics.median(ratios)
    print(f"\n{CITIES} cities x {LEAD_HOURS} h: forecast {np.median(seconds, axis=0)[0]:.2f} s, "
          f"bare forward pass {np.median(seconds, axis=0)[1]:.2f} s, ratio {ratio:.2f}")  # fmt: skip
    assert ratio <= LIMIT
