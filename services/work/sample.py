"""A simulated week for all cities, for a first run on a machine without data.

Nothing here is measured: a haze episode builds up over the North China Plain under a slow
high and a cold front clears it two and a half days after the init time. Every file is labelled so in
its attributes, and every output that is made from it is labelled as simulated.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS, describe
from hazecast.grids.derived import dew_point
from hazecast.grids.places.cities import Registry
from hazecast.grids.weather.regular_grid import GLOBE, Box, box_around
from hazecast.services.core.files import atomic_write

OBSERVATIONS_FILE = "observations.nc"
WEATHER_FILE = "weather.nc"
SOURCE = "SIMULATED sample written by Hazecast"
_SEED = 2013
_PAST_HOURS = 7 * 24
_EPISODE_CENTRE = (37.5, 116.0)
_EPISODE_RADIUS_KM = 650.0
_CLEARING_HOUR = 60.0


def write_sample(folder: Path, registry: Registry, init_time: datetime) -> Path:
    """Write observations and a weather grid around `init_time` into `folder`.

    Parameters
    ----------
    folder : Path
        Made if absent; files of an earlier sample are replaced atomically.
    registry : Registry
    init_time : datetime
        Aware; the last observed hour. Weather continues to the last lead time.

    Returns
    -------
    Path
        `folder`, readable by `hazecast.grids.observations.collections.read_observations`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    now = np.datetime64(init_time.replace(tzinfo=None), "ns")
    weather = _weather(now, box_around(tuple(registry.cities.values())))
    observations = _observations(now, registry)
    for dataset, name in ((observations, OBSERVATIONS_FILE), (weather, WEATHER_FILE)):
        packing = {v: {"zlib": True, "complevel": 1} for v in dataset.data_vars}
        with atomic_write(folder / name) as part:
            dataset.to_netcdf(part, encoding=packing, engine="netcdf4")
    return folder


def _episode(hours: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Strength 0 to 1 of the stagnation, broadcast over hours and places."""
    north = (latitude - _EPISODE_CENTRE[0]) * 111.0
    east = (longitude - _EPISODE_CENTRE[1]) * 111.0 * np.cos(np.radians(_EPISODE_CENTRE[0]))
    near = np.exp(-0.5 * (north**2 + east**2) / _EPISODE_RADIUS_KM**2)
    growth = np.clip((hours + 96.0) / 108.0, 0.0, 1.0)
    clearing = 1.0 / (1.0 + np.exp((hours - _CLEARING_HOUR - east / 40.0) / 3.0))
    return np.asarray(near * growth * clearing)


def _solar(now: np.datetime64, hours: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Height of the sun as -1 to 1 by local solar time."""
    start = (now - now.astype("datetime64[D]")) / np.timedelta64(1, "h")
    return np.asarray(-np.cos(2 * np.pi * (start + hours + longitude / 15.0) / 24.0))


def _weather(now: np.datetime64, box: Box | None) -> xr.Dataset:
    hours = np.arange(1 - _PAST_HOURS, LEAD_HOURS + 1)
    (south, north, west, east), step = (box, 2.5) if box else (GLOBE, 5.0)
    latitude, longitude = np.arange(south, north + 0.1, step), np.arange(west, east + 0.1, step)
    h, lat, lon = hours[:, None, None], latitude[None, :, None], longitude[None, None, :]
    episode, sun = _episode(h, lat, lon), _solar(now, h, lon)
    season = np.cos(2 * np.pi * (now.astype("datetime64[D]").astype(int) % 365.25 - 20) / 365.25)
    t2m = 299.0 - 0.45 * (np.abs(lat) - 15.0) - 8.0 * season + 3.5 * sun + 1.5 * episode
    humidity = np.clip(58.0 - 14.0 * sun + 26.0 * episode, 15.0, 97.0)
    front = np.where(h > _CLEARING_HOUR, 1.0, 0.0)
    speed = 4.5 - 3.6 * episode + 2.5 * front + 0.8 * np.sin(h / 17.0 + lat + lon)
    values = {
        "t2m": t2m,
        "d2m": dew_point(t2m, humidity),
        "u10": 0.7 * speed,
        "v10": -0.7 * speed * (0.3 + front),
        "sp": 101_300.0 + 900.0 * episode - 25.0 * np.maximum(lat - 40.0, 0.0),
        "blh": 350.0 + 450.0 * np.maximum(sun, 0.0) * (1.0 - 0.6 * episode) + 90.0 * speed,
        "tp": np.where(humidity < 30.0, 0.1, 0.0),
        "tcc": np.clip(0.3 + 0.4 * episode, 0.0, 1.0),
        "ssrd": 600.0 * np.maximum(sun, 0.0) * (1.0 - 0.4 * episode),
    }
    shape = np.broadcast_shapes(h.shape, lat.shape, lon.shape)
    return describe(
        xr.Dataset(
            {
                name: (("time", "latitude", "longitude"), np.broadcast_to(v, shape).astype(np.float32))
                for name, v in values.items()
            },
            coords={
                "time": now + hours.astype("timedelta64[h]"),
                "latitude": latitude,
                "longitude": longitude,
            },
            attrs={"source": SOURCE, "simulated": 1, "init_time": np.datetime_as_string(now, unit="s") + "Z"},
        ),
        "weather_grid",
    )


def _observations(now: np.datetime64, registry: Registry) -> xr.Dataset:
    random = np.random.default_rng(_SEED)
    hours = np.arange(1 - max(_PAST_HOURS, HISTORY_HOURS), 1)
    cities = list(registry.cities.values())
    lat = np.array([c.latitude for c in cities])[None]
    lon = np.array([c.longitude for c in cities])[None]
    episode, sun = _episode(hours[:, None], lat, lon), _solar(now, hours[:, None], lon)
    base = np.array([38.0 if c.country == "CN" else 11.0 for c in cities])[None]
    noise = _red_noise(random, (len(hours), len(cities)))
    pm25 = np.maximum((base - 6.0 * sun + 300.0 * episode**1.4) * np.exp(0.16 * noise), 2.0)
    o3 = np.maximum(62.0 + 38.0 * sun - 45.0 * episode + 8.0 * noise, 2.0)
    values = {
        "pm25": pm25,
        "o3": o3,
        "pm10": pm25 * 1.35 + 12.0,
        "no2": (22.0 + 45.0 * episode - 6.0 * sun) * np.exp(0.1 * noise),
        "so2": (8.0 + 30.0 * episode) * np.exp(0.1 * noise),
        "co": (500.0 + 2500.0 * episode) * np.exp(0.1 * noise),
    }
    dataset = xr.Dataset(coords={"time": now + hours.astype("timedelta64[h]"), "city": [c.id for c in cities]})
    dims = ("time", "city")
    for name, value in values.items():
        dataset[name] = (dims, value.astype(np.float32))
        dataset[f"{name}_flag"] = (dims, np.zeros(value.shape, np.int8))
        dataset[f"{name}_stations"] = (dims, np.ones(value.shape, np.int16))
    dataset.attrs = {"source": SOURCE, "simulated": 1}
    return describe(dataset, "observations")


def _red_noise(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    steps = random.normal(size=shape)
    for hour in range(1, shape[0]):
        steps[hour] = 0.9 * steps[hour - 1] + np.sqrt(1 - 0.81) * steps[hour]
    return steps
