"""Made forecasts and the observations after them, for tests of verification and of the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.contract import LEAD_HOURS, QUANTILES, describe
from hazecast.services.store.store import Store

INIT = np.datetime64("2013-01-31T22", "ns")
HOUR = np.timedelta64(1, "h")


def forecast_of(mean: float, spread: float = 20.0, init: np.datetime64 = INIT, cities=("beijing",)) -> xr.Dataset:
    """Return a forecast whose median of PM2.5 and O3 is one value, and whose mean is 5 above it."""
    leads = np.arange(1, LEAD_HOURS + 1)
    values = np.full((len(leads), len(cities)), float(mean))
    dataset = xr.Dataset(
        coords={
            "lead_time": (leads * HOUR).astype("timedelta64[ns]"),
            "city": list(cities),
            "quantile": list(QUANTILES),
            "init_time": init,
        },
        attrs={
            "model_id": "m", "weather_source": "none", "degraded": 0, "simulated": 0,
            "observations_until": np.datetime_as_string(init, unit="s") + "Z",
        },
    )  # fmt: skip
    for name in ("pm25", "o3"):
        steps = np.array([-1.0, -0.5, 0.0, 0.5, 1.0]) * spread
        dataset[name] = (("lead_time", "city", "quantile"), values[..., None] + steps)
        dataset[f"{name}_mean"] = (("lead_time", "city"), values + 5.0)
    return describe(dataset, "forecast")


def observations_of(pm25: np.ndarray, until: np.datetime64, cities=("beijing",)) -> xr.Dataset:
    """Return hourly observations of PM2.5, the last at `until`."""
    times = until + np.arange(1 - len(pm25), 1) * HOUR
    dataset = xr.Dataset(coords={"time": times, "city": list(cities)}, attrs={"source": "made"})
    dataset["pm25"] = (("time", "city"), np.repeat(np.asarray(pm25, float)[:, None], len(cities), axis=1))
    return describe(dataset, "observations")


def save_run(store: Store, folder: Path, cycle: int, mean: float = 100.0) -> None:
    """Save a run of INIT with its files, as a cycle does."""
    files = []
    for name in ("f.nc", "m.png"):
        files.append(folder / f"cycle{cycle}-{name}")
        files[-1].write_text("x")
    observations = observations_of(np.full(24, 50.0), INIT)
    forecast = forecast_of(mean).assign(relative_humidity=(("lead_time", "city"), np.full((120, 1), 50.0)))
    store.save_run(forecast, observations, [], netcdf_path=files[0], map_path=files[1], cycle_id=cycle)
