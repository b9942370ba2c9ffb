"""Sources by name: those shipped, and those of other distributions, which register an entry point.

A weather source registers a `WeatherSourceFactory` in the group ``hazecast.weather_sources``, a source of a chemistry model
a `CompositionSourceFactory` in the group ``hazecast.composition_sources``, a monitoring source a `MonitorSourceFactory` in
the group ``hazecast.monitor_sources``. Its name can then be used in the setting of the group's name. Only the modules of
the sources in use are imported.
"""

from __future__ import annotations

from typing import Any, TypeVar

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import StationCities
from hazecast.grids.places.cities import Registry
from hazecast.services.core.settings import Settings
from hazecast.services.core.source_names import (
    COMPOSITION_SOURCES,
    MONITOR_SOURCES,
    WEATHER_SOURCES,
    source_entry_point,
    source_names,
)
from hazecast.services.sources.composition.interface import CompositionSource, CompositionSourceFactory
from hazecast.services.sources.http import Patience
from hazecast.services.sources.monitors.interface import MonitorSource, MonitorSourceFactory
from hazecast.services.sources.weather.interface import WeatherSource, WeatherSourceFactory

_Source = TypeVar("_Source", WeatherSource, CompositionSource, MonitorSource)


def weather_source_names() -> list[str]:
    """Return the names of the installed weather sources, sorted."""
    return source_names(WEATHER_SOURCES)


def monitor_source_names() -> list[str]:
    """Return the names of the installed monitoring sources, sorted."""
    return source_names(MONITOR_SOURCES)


def create_weather_source(name: str, settings: Settings, patience: Patience | None = None) -> WeatherSource:
    """Make a weather source.

    Parameters
    ----------
    name : str
        As `weather_source_names` lists it.
    settings : Settings
    patience : Patience, optional
        Time-outs and retries.

    Returns
    -------
    WeatherSource

    Raises
    ------
    InputError
        If it isn't installed, can't be loaded, or the settings lack what it needs.
    """
    factory: WeatherSourceFactory = _load(WEATHER_SOURCES, name)
    return _named(factory(settings, patience), name)


def create_composition_source(name: str, settings: Settings, patience: Patience | None = None) -> CompositionSource:
    """Make a source of a chemistry model.

    Parameters
    ----------
    name : str
        As in the setting ``composition_sources``.
    settings : Settings
    patience : Patience, optional
        Time-outs and retries.

    Returns
    -------
    CompositionSource

    Raises
    ------
    InputError
        If it isn't installed, can't be loaded, or the settings lack what it needs.
    """
    factory: CompositionSourceFactory = _load(COMPOSITION_SOURCES, name)
    return _named(factory(settings, patience), name)


def create_monitor_source(
    name: str, settings: Settings, registry: Registry, rules: StationCities, patience: Patience | None = None
) -> MonitorSource:
    """Make a monitoring source.

    Parameters
    ----------
    name : str
        As `monitor_source_names` lists it.
    settings : Settings
    registry : Registry
        The cities to fetch.
    rules : StationCities
        Assigns stations to cities.
    patience : Patience, optional
        Time-outs and retries.

    Returns
    -------
    MonitorSource

    Raises
    ------
    InputError
        If it isn't installed, can't be loaded, or the settings lack what it needs.
    """
    factory: MonitorSourceFactory = _load(MONITOR_SOURCES, name)
    return _named(factory(settings, registry, rules, patience), name)


def _named(source: _Source, name: str) -> _Source:
    # What it stores is found by its name in the settings.
    if source.name != name:
        raise InputError(f"source {name}: name", source.name, name)
    return source


def _load(group: str, name: str) -> Any:
    point = source_entry_point(group, name)
    try:
        return point.load()
    except InputError:
        # A missing extra: the error names it.
        raise
    except Exception as error:
        # The module of another distribution may fail in any way while it is imported.
        where = f"{group.rpartition('.')[2]}: {name}"
        raise InputError(where, f"{type(error).__name__}: {error}", f"{point.value} to load") from error
