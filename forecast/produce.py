"""Producing a forecast: a model's prediction as a Dataset of the contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from hazecast.grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS, POLLUTANTS, QUANTILES, check, describe
from hazecast.grids.derived import relative_humidity
from hazecast.grids.places.cities import City
from hazecast.models.interface import Float, Prediction
from hazecast.models.series import WEATHER_NAMES, Windows

# Cities forecast at once: their inputs, with a month of observations behind them, take some 300 MB.
CITIES_AT_ONCE = 512
_T2M, _D2M = WEATHER_NAMES.index("t2m"), WEATHER_NAMES.index("d2m")


def humidity_ahead(windows: Windows, measured: Float | None = None) -> tuple[Float, str]:
    """Return relative humidity at the lead times and where it is from.

    Without forecast weather it is the mean of the same hour of day over the observed 72 h
    (diurnal persistence): a forecast by rule, labelled as such.

    Parameters
    ----------
    windows : Windows
    measured : float (n, 72), optional
        Relative humidity measured beside pollutants in the hours up to the init time, %, NaN where missing.

    Returns
    -------
    humidity : float32 (n, lead)
        Per cent; NaN where neither weather nor its past is known.
    source : str
        ``"observed weather"`` (in place of a forecast), ``"forecast weather"``, ``"diurnal persistence"``, ``"mixed"`` or
        ``"none"``.
    """
    given = relative_humidity(windows.future_weather[..., _T2M], windows.future_weather[..., _D2M])
    past = relative_humidity(windows.history_weather[..., _T2M], windows.history_weather[..., _D2M])
    if measured is not None:
        past = np.where(np.isfinite(measured), measured, past)
    days = past.reshape(len(past), -1, 24)
    count = np.isfinite(days).sum(axis=1)
    total = np.where(np.isfinite(days), days, 0.0).sum(axis=1)
    by_hour = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    persisted = np.tile(by_hour, (1, LEAD_HOURS // 24))
    known = np.isfinite(given)
    whole = "forecast weather" if (windows.weather_error > 0.0).any() else "observed weather"
    source = whole if known.all() else "mixed" if known.any() else "diurnal persistence"
    if not (known.any() or count.any()):
        source = "none"
    return np.where(known, given, persisted).astype(np.float32), source


def make_forecast(
    prediction: Prediction,
    model_id: str,
    windows: Windows,
    city_ids: Sequence[str],
    init_time: np.datetime64,
    *,
    weather_source: str,
    observations_until: np.datetime64,
    simulated: bool,
    degraded: bool,
    measured_humidity: Float | None = None,
) -> xr.Dataset:
    """Return a model's prediction with its labels.

    Parameters
    ----------
    prediction : Prediction
        Of `windows`.
    model_id : str
    windows : Windows
        One a city, in the order of `city_ids`.
    city_ids : sequence of str
    init_time : datetime64
        UTC.
    weather_source : str
        Which weather the forecast is based on, in words.
    observations_until : datetime64
        Newest hour observed at any city, UTC.
    simulated, degraded : bool
        Whether the input was simulated; whether input that the forecast needs was missing.
    measured_humidity : float (n, 72), optional
        As of `humidity_ahead`.

    Returns
    -------
    xarray.Dataset
        Contract "forecast": ``pm25`` and ``o3`` (lead_time, city, quantile) with
        ``<name>_mean`` (lead_time, city) in ug m-3, ``relative_humidity`` (lead_time, city)
        in per cent.
    """
    humidity, humidity_source = humidity_ahead(windows, measured_humidity)
    dataset = xr.Dataset(
        coords={
            "lead_time": np.arange(1, LEAD_HOURS + 1).astype("timedelta64[h]").astype("timedelta64[ns]"),
            "city": list(city_ids),
            "quantile": list(QUANTILES),
            "init_time": init_time.astype("datetime64[ns]"),
        },
        attrs={
            "Conventions": "CF-1.11",
            "title": "Hazecast forecast" + (" from SIMULATED input" if simulated else ""),
            "model_id": model_id,
            "weather_source": weather_source,
            "humidity_source": humidity_source,
            "observations_until": np.datetime_as_string(observations_until, unit="s") + "Z",
            "degraded": int(degraded),
            "simulated": int(simulated),
        },
    )
    for number, name in enumerate(FORECAST_POLLUTANTS):
        dataset[name] = (
            ("lead_time", "city", "quantile"),
            np.moveaxis(prediction.quantiles[:, :, number], 0, 1),
        )
        dataset[f"{name}_mean"] = (("lead_time", "city"), prediction.mean[:, :, number].T)
        dataset[f"{name}_mean"].attrs = {
            "standard_name": POLLUTANTS[name].standard_name,
            "units": POLLUTANTS[name].units,
            "long_name": "expected value",
        }
    dataset["relative_humidity"] = (("lead_time", "city"), humidity.T)
    dataset["relative_humidity"].attrs = {"standard_name": "relative_humidity", "units": "%"}
    dataset["lead_time"].attrs["standard_name"] = "forecast_period"
    dataset["init_time"].attrs["standard_name"] = "forecast_reference_time"
    return check(describe(dataset, "forecast"), "forecast", name="forecast")


def in_chunks(
    cities: Sequence[City], part: Callable[[Sequence[City]], xr.Dataset], at_once: int = CITIES_AT_ONCE
) -> xr.Dataset:
    """Forecast many cities some at a time, so that the memory for inputs doesn't grow with their number.

    Parameters
    ----------
    cities : sequence of City
        At least one.
    part : callable
        Returns the forecast of some of the cities, as from `make_forecast`.
    at_once : int

    Returns
    -------
    xarray.Dataset
        Contract "forecast", of all cities in their order. ``humidity_source`` is "mixed" where it differs between them.
    """
    parts = [part(cities[start : start + at_once]) for start in range(0, len(cities), at_once)]
    if len(parts) == 1:
        return parts[0]
    joined = xr.concat(
        parts, "city", data_vars="minimal", coords="minimal", compat="override", combine_attrs="override"
    )
    sources = {str(one.attrs["humidity_source"]) for one in parts}
    return joined.assign_attrs(humidity_source=sources.pop() if len(sources) == 1 else "mixed")
