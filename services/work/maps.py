"""Maps and charts of stored forecasts, as the command and the API draw them."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from PIL import Image

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.engine.window import signal_window
from hazecast.alerts.maps.areas import haze_areas, spread_cities
from hazecast.alerts.maps.charts import draw_fan
from hazecast.alerts.maps.draw import animate, draw_haze_map, draw_value_map
from hazecast.alerts.maps.options import Format
from hazecast.alerts.maps.polygons import LevelAreas, forecast_areas, polygons, provinces_touched, warned_areas
from hazecast.alerts.maps.sheet import Provenance
from hazecast.alerts.messages.texts import BEIJING, LANGUAGES, catalog
from hazecast.alerts.messages.warning_texts import haze_bulletin
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.indices import china_standard, china_sub_index
from hazecast.forecast.products import median_series, next_24h, valid_times
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import format_time, to_datetime
from hazecast.services.core.places import city_registry
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.work.map_weather import grid_behind
from hazecast.services.work.public_haze import needs_approval, shown_warnings
from hazecast.services.work.stored_forecast import VALUE_KINDS, Look, ValueKind, load_forecast, observed_before

_LATS, _LONS = np.arange(15.0, 55.01, 0.25), np.arange(95.0, 150.01, 0.25)
_CELLS = np.meshgrid(_LATS, _LONS, indexing="ij")
# Pillow's fonts and matplotlib are not made for several threads at once.
_drawing = threading.Lock()


@lru_cache(maxsize=4)
def _forecast_areas(path: str, registry: Registry, book: RuleBook, weather_dir: Path) -> LevelAreas:
    return areas_shown(load_forecast(path), registry, book.haze_signal, (), weather_dir=weather_dir)


def stored_areas(settings: Settings, path: str, book: RuleBook, in_force: Sequence[HazeWarning]) -> LevelAreas:
    """Return the areas of haze of a stored forecast's next window, as the public may see them.

    Parameters
    ----------
    settings : Settings
        Name the cities, and say whether a person must approve the haze signal: then they are the areas of the warnings in force.
    path : str
        NetCDF file of the forecast.
    book : RuleBook
        Its haze signal is used.
    in_force : sequence of HazeWarning

    Returns
    -------
    LevelAreas

    Raises
    ------
    InputError
        If the forecast's file is gone, or no area can be made.
    """
    registry = city_registry(settings)
    if needs_approval(settings, book.haze_signal):
        return areas_shown(
            load_forecast(path), registry, book.haze_signal, in_force, weather_dir=settings.weather_dir, approved=True
        )
    return _forecast_areas(path, registry, book, settings.weather_dir)


def areas_shown(
    forecast: xr.Dataset,
    registry: Registry,
    ruleset: RuleSet,
    in_force: Sequence[HazeWarning],
    *,
    weather_dir: Path,
    approved: bool = False,
) -> LevelAreas:
    """Return the areas of haze of a forecast's next window.

    Between cities the humidity is that of the weather grid that the forecast rests on, where it is stored.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    registry : Registry
    ruleset : RuleSet
        Of single hours, as China's haze signal.
    in_force : sequence of HazeWarning
    weather_dir : Path
        Holds the ingested weather.
    approved : bool
        Whether only what a person approved may be shown: the areas of the warnings in force, and nothing of the forecast.

    Returns
    -------
    LevelAreas

    Raises
    ------
    InputError
        If no area can be made of the forecast.
    """
    window = signal_window(_issued(forecast), ruleset)
    if not approved:
        weather = grid_behind(weather_dir, forecast, window)
        return forecast_areas(haze_areas(forecast, registry, ruleset, window, weather=weather))
    return warned_areas(
        in_force, registry, ruleset, window,
        simulated=bool(forecast.attrs["simulated"]), weather_source=str(forecast.attrs["weather_source"]),
    )  # fmt: skip


def areas_json(areas: LevelAreas, rules: RuleSet, init_time: datetime) -> bytes:
    """Return areas of haze as a GeoJSON feature collection, with the bulletin in all languages.

    Parameters
    ----------
    areas : LevelAreas
        As from `areas_shown`.
    rules : RuleSet
        The haze signal.
    init_time : datetime
        Of the forecast, aware.

    Returns
    -------
    bytes
    """
    touched = provinces_touched(areas)
    content = {
        "type": "FeatureCollection",
        "simulated": areas.simulated,
        "init_time": format_time(init_time),
        "bulletin": {
            language: haze_bulletin(touched, areas.window, rules, language, warned=areas.warned)
            for language in LANGUAGES
        },
        "features": polygons(areas, rules),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def draw_haze(
    forecast: xr.Dataset,
    registry: Registry,
    ruleset: RuleSet,
    in_force: Sequence[HazeWarning],
    look: Look,
    areas: LevelAreas,
) -> bytes:
    """Draw the haze map of a forecast's next window, with the warnings in force.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    registry : Registry
    ruleset : RuleSet
        Of single hours, as China's haze signal.
    in_force : sequence of HazeWarning
        Those of other rule sets are ignored.
    look : Look
    areas : LevelAreas
        Its areas of haze, as from `areas_shown`.

    Returns
    -------
    bytes
        PNG.
    """
    ranks = {w.city: ruleset.level_of(w.level).rank for w in in_force if w.rule_set == ruleset.id}
    highest = next_24h(forecast)["pm25_max"]
    cities = [
        (registry.city(str(city)), ranks.get(str(city), 0), float(value))
        for city, value in zip(forecast["city"].values, highest.values, strict=True)
        if _on_sheet(registry.city(str(city)))
    ]
    with _drawing:
        return draw_haze_map(areas, cities, ruleset, lang=look.language, size=look.size, issued=_issued(forecast))


def haze_of_run(settings: Settings, store: Store, run: ForecastRun, registry: Registry, look: Look) -> bytes:
    """Draw the haze map of a stored run again, with the warnings that are in force now.

    Parameters
    ----------
    settings : Settings
        Name the rule sets, and those whose warnings a person must approve.
    store : Store
    run : ForecastRun
    registry : Registry
    look : Look

    Returns
    -------
    bytes
        PNG.

    Raises
    ------
    InputError
        If the forecast's file is gone.
    """
    book = rule_book(settings)
    return draw_stored_haze(settings, run.netcdf_path, registry, book, shown_warnings(store, run, book), look)


def draw_stored_haze(
    settings: Settings, path: str, registry: Registry, book: RuleBook, in_force: Sequence[HazeWarning], look: Look
) -> bytes:
    """Draw the haze map of a stored forecast.

    Parameters
    ----------
    settings : Settings
        As for `stored_areas`.
    path : str
        NetCDF file of the forecast.
    registry : Registry
    book : RuleBook
    in_force : sequence of HazeWarning
    look : Look

    Returns
    -------
    bytes
        PNG.

    Raises
    ------
    InputError
        If the forecast's file is gone, or no area can be drawn.
    """
    areas = stored_areas(settings, path, book, in_force)
    return draw_haze(load_forecast(path), registry, book.haze_signal, in_force, look, areas)


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
    with _drawing:
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
    known = np.isfinite(values) & np.array([_on_sheet(registry.city(c)) for c in ids], bool)
    if not known.any():
        raise InputError(f"map {kind}", "no city with a value in East Asia, which the map shows", "at least one")
    cities = [c for c, k in zip(ids, known, strict=True) if k]
    field, std = spread_cities(values[None, known], cities, registry, *_CELLS)
    coords = {"latitude": _LATS, "longitude": _LONS}
    grid, spread = (xr.DataArray(a, dims=("latitude", "longitude"), coords=coords) for a in (field[0], std))
    points = [(registry.city(c), float(v)) for c, v in zip(cities, values[known], strict=True)]
    with _drawing:
        return draw_value_map(grid, spread, points, kind, subtitle, provenance, lang=look.language, size=look.size)


def _on_sheet(city: City) -> bool:
    """Whether a city is in the area that values are spread over for the drawn maps."""
    return bool(_LATS[0] <= city.latitude <= _LATS[-1] and _LONS[0] <= city.longitude <= _LONS[-1])


def _issued(forecast: xr.Dataset) -> datetime:
    return to_datetime(np.datetime64(forecast["init_time"].item(), "ns"))


def _provenance(forecast: xr.Dataset) -> Provenance:
    return Provenance(str(forecast.attrs["weather_source"]), _issued(forecast), bool(forecast.attrs["simulated"]))
