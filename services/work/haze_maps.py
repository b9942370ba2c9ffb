"""The areas of haze of a forecast's next window, and the haze map."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import xarray as xr

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.engine.window import signal_window
from hazecast.alerts.maps.areas import haze_areas
from hazecast.alerts.maps.draw import draw_haze_map
from hazecast.alerts.maps.polygons import LevelAreas, forecast_areas, polygons, provinces_touched, warned_areas
from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.alerts.messages.warning_texts import haze_bulletin
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.products import next_24h
from hazecast.grids.places.cities import Registry
from hazecast.grids.times import format_time, to_datetime
from hazecast.services.core.places import city_registry
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.work.map_weather import grid_behind
from hazecast.services.work.maps import drawing, on_sheet
from hazecast.services.work.public_haze import needs_approval, shown_warnings
from hazecast.services.work.stored_forecast import Look, load_forecast


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
    window = signal_window(to_datetime(forecast["init_time"].values), ruleset)
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
        if on_sheet(registry.city(str(city)))
    ]
    with drawing:
        issued = to_datetime(forecast["init_time"].values)
        return draw_haze_map(areas, cities, ruleset, lang=look.language, size=look.size, issued=issued)


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
