"""Maps and charts of stored forecasts, as the command and the API draw them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from PIL import Image

from hazecast.alerts.maps.areas import spread_cities
from hazecast.alerts.maps.charts import draw_fan
from hazecast.alerts.maps.draw import animate, draw_value_map
from hazecast.alerts.maps.options import Format
from hazecast.alerts.maps.sheet import Provenance
from hazecast.alerts.messages.texts import BEIJING, catalog
from hazecast.forecast.indices import china_standard, china_sub_index
from hazecast.forecast.products import median_series, valid_times
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import to_datetime
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.work.stored_forecast import VALUE_KINDS, Look, ValueKind, load_forecast, observed_before

_LATS, _LONS = np.arange(15.0, 55.01, 0.25), np.arange(95.0, 150.01, 0.25)
_CELLS = np.meshgrid(_LATS, _LONS, indexing="ij")
# Pillow's fonts and matplotlib are not made for several threads at once.
drawing = threading.Lock()


def draw_hour(forecast: xr.Dataset, registry: Registry, kind: ValueKind, hour: int, look: Look) -> Image.Image:
    """Draw PM2.5, ozone or China's AQI of one hour of a forecast.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    registry : Registry
    kind : {"pm25", "o3", "aqi"}
        The AQI is that of the hourly report, from PM2.5 and ozone alone.
    hour : int
        Hours after the init time, from 1.
    look : Look

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    InputError
        If the forecast has no such hour, no city has a value in it, or the kind is not known.
    """
    if kind not in VALUE_KINDS:
        raise InputError("map kind", kind, f"one of {list(VALUE_KINDS)}")
    lead = (forecast["lead_time"].values / np.timedelta64(1, "h")).astype(int)
    if hour not in lead:
        raise InputError("hour", hour, f"{lead[0]} to {lead[-1]} hours after the init time")
    at = int(np.flatnonzero(lead == hour)[0])
    time = to_datetime(valid_times(forecast)[at])
    words = catalog(look.language)
    subtitle = words.say("map.hour", moment=words.moment(time, BEIJING), zone=words.zone(BEIJING, time))
    if kind == "aqi":
        subtitle += f"  {china_standard(time).id}"
    values = _hour_values(forecast, kind, at)
    ids = [str(c) for c in forecast["city"].values]
    return _on_map(values, ids, registry, kind, subtitle, _provenance(forecast), look)


def draw_day(forecast: xr.Dataset, registry: Registry, kind: ValueKind, first: int, look: Look, form: Format) -> bytes:
    """Draw 24 hours of a forecast as an animation.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    registry : Registry
    kind : {"pm25", "o3", "aqi"}
    first : int
        First hour after the init time.
    look : Look
    form : {"gif", "png", "webp"}

    Returns
    -------
    bytes

    Raises
    ------
    InputError
        As `draw_hour`.
    """
    return animate([draw_hour(forecast, registry, kind, hour, look) for hour in range(first, first + 24)], form)


def fan_of_run(store: Store, run: ForecastRun, registry: Registry, city_id: str, pollutant: str, look: Look) -> bytes:
    """Draw the forecast chart of a city, with what was observed in the days before.

    Parameters
    ----------
    store : Store
    run : ForecastRun
    registry : Registry
    city_id : str
    pollutant : str
        A variable of the forecast, or an index of it.
    look : Look

    Returns
    -------
    bytes
        PNG.

    Raises
    ------
    InputError
        If the city is unknown, or the forecast's file is gone.
    """
    observed = observed_before(store, run, city_id, pollutant)
    return draw_fan_chart(load_forecast(run.netcdf_path), observed, registry.city(city_id), pollutant, look)


def draw_fan_chart(forecast: xr.Dataset, observed: xr.Dataset | None, city: City, pollutant: str, look: Look) -> bytes:
    """Draw the forecast chart of a city.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    observed : xarray.Dataset or None
        What was observed before, as `hazecast.services.work.stored_forecast.observed_before` gives it.
    city : City
    pollutant : str
        A variable of the forecast, or an index of it.
    look : Look

    Returns
    -------
    bytes
        PNG.
    """
    with drawing:
        return draw_fan(
            forecast, observed, city, _provenance(forecast), pollutant=pollutant, lang=look.language, size=look.size
        )


def _hour_values(forecast: xr.Dataset, kind: ValueKind, at: int) -> npt.NDArray[np.float64]:
    if kind != "aqi":
        return np.asarray(median_series(forecast, kind).values[at], dtype=np.float64)
    standard = china_standard(to_datetime(valid_times(forecast)[at] - np.timedelta64(1, "h")))
    parts = [
        china_sub_index(
            item, np.asarray(median_series(forecast, item).values[at], dtype=np.float64), standard, "hourly"
        )
        for item in ("pm25", "o3")
        if item in forecast
    ]
    return np.asarray(np.fmax.reduce(parts), dtype=np.float64)


def _on_map(
    values: npt.NDArray[np.float64],
    ids: Sequence[str],
    registry: Registry,
    kind: Literal["pm25", "o3", "aqi"],
    subtitle: str,
    provenance: Provenance,
    look: Look,
) -> Image.Image:
    known = np.isfinite(values) & np.array([on_sheet(registry.city(c)) for c in ids], bool)
    if not known.any():
        raise InputError(f"map {kind}", "no city with a value in East Asia, which the map shows", "at least one")
    cities = [c for c, k in zip(ids, known, strict=True) if k]
    field, std = spread_cities(values[None, known], cities, registry, *_CELLS)
    coords = {"latitude": _LATS, "longitude": _LONS}
    grid, spread = (xr.DataArray(a, dims=("latitude", "longitude"), coords=coords) for a in (field[0], std))
    points = [(registry.city(c), float(v)) for c, v in zip(cities, values[known], strict=True)]
    with drawing:
        return draw_value_map(grid, spread, points, kind, subtitle, provenance, lang=look.language, size=look.size)


def on_sheet(city: City) -> bool:
    """Whether a city is in the area that values are spread over for the drawn maps."""
    return bool(_LATS[0] <= city.latitude <= _LATS[-1] and _LONS[0] <= city.longitude <= _LONS[-1])


def _provenance(forecast: xr.Dataset) -> Provenance:
    return Provenance(
        str(forecast.attrs["weather_source"]),
        to_datetime(forecast["init_time"].values),
        bool(forecast.attrs["simulated"]),
    )
