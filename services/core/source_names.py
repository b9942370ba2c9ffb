"""Names of the installed sources: those shipped, and entry points of other distributions.

Another distribution adds a source in its pyproject.toml::

    [project.entry-points."hazecast.weather_sources"]
    my_source = "my_package.my_module:MySource.from_settings"

`hazecast.services.sources.registry` loads a source by its name. The settings accept installed names only.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from hazecast.grids.errors import InputError, UnknownError

WEATHER_SOURCES, MONITOR_SOURCES = "hazecast.weather_sources", "hazecast.monitor_sources"
COMPOSITION_SOURCES = "hazecast.composition_sources"
# As in pyproject.toml, so that the shipped sources need no search through the metadata of all installed distributions.
SHIPPED: dict[str, dict[str, str]] = {
    WEATHER_SOURCES: {
        "ecmwf": "hazecast.services.sources.weather.ecmwf:EcmwfOpenData.from_settings",
        "folder": "hazecast.services.sources.weather.folder:Folder.from_settings",
        "gfs": "hazecast.services.sources.weather.gfs:Gfs.from_settings",
        "open_meteo": "hazecast.services.sources.weather.open_meteo:OpenMeteo.from_settings",
    },
    COMPOSITION_SOURCES: {
        "ads": "hazecast.services.sources.composition.ads:AtmosphereDataStore.from_settings",
        "open_meteo": "hazecast.services.sources.composition.open_meteo:OpenMeteoComposition.from_settings",
    },
    MONITOR_SOURCES: {
        "airkorea": "hazecast.services.sources.monitors.airkorea:AirKorea.from_settings",
        "airnow": "hazecast.services.sources.monitors.airnow:AirNowPosts.from_settings",
        "cnemc": "hazecast.services.sources.monitors.cnemc:Cnemc.from_settings",
        "csv": "hazecast.services.sources.monitors.folder:CsvFolder.from_settings",
        "metar": "hazecast.services.sources.monitors.metar:Metars.from_settings",
        "moenv": "hazecast.services.sources.monitors.moenv:Moenv.from_settings",
        "open_meteo": "hazecast.services.sources.monitors.open_meteo:OpenMeteoAir.from_settings",
        "openaq": "hazecast.services.sources.monitors.openaq:OpenAQ.from_settings",
        "soramame": "hazecast.services.sources.monitors.soramame:Soramame.from_settings",
        "sql": "hazecast.services.sources.monitors.sql:SqlView.from_settings",
    },
}


def source_names(group: str) -> list[str]:
    """Return the names of the installed sources of a group, sorted."""
    return sorted({*SHIPPED[group], *(point.name for point in entry_points(group=group))})


def source_entry_point(group: str, name: str) -> EntryPoint:
    """Return the entry point of a source, without loading it. A shipped source can't be replaced.

    Parameters
    ----------
    group : str
        `WEATHER_SOURCES`, `COMPOSITION_SOURCES` or `MONITOR_SOURCES`.
    name : str
        As `source_names` lists it.

    Returns
    -------
    importlib.metadata.EntryPoint

    Raises
    ------
    UnknownError
        If no such source is installed; the error names those that are.
    InputError
        If two distributions declare different sources of that name.
    """
    kind = group.rpartition(".")[2]
    if name in SHIPPED[group]:
        return EntryPoint(name, SHIPPED[group][name], group)
    found = {point.value: point for point in entry_points(group=group, name=name)}
    if not found:
        raise UnknownError(kind, name, f"one of {', '.join(source_names(group))}")
    if len(found) > 1:
        raise InputError(f"{kind}: {name}", f"declared as {', '.join(sorted(found))}", "a name declared once")
    return next(iter(found.values()))


def installed_weather_source(name: str) -> str:
    """Return the name of a weather source if it is installed.

    Raises
    ------
    InputError
        As `source_entry_point`.
    """
    return source_entry_point(WEATHER_SOURCES, name).name


def installed_composition_source(name: str) -> str:
    """Return the name of a source of a chemistry model if it is installed.

    Raises
    ------
    InputError
        As `source_entry_point`.
    """
    return source_entry_point(COMPOSITION_SOURCES, name).name


def installed_monitor_source(name: str) -> str:
    """Return the name of a monitoring source if it is installed.

    Raises
    ------
    InputError
        As `source_entry_point`.
    """
    return source_entry_point(MONITOR_SOURCES, name).name
