"""The cities of a service, from its settings."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry
from hazecast.grids.places.own import own_registry
from hazecast.services.core.settings import Settings

log = logging.getLogger(__name__)

_Files = tuple[tuple[str, int, int], ...]


def city_registry(settings: Settings) -> Registry:
    """Return the cities that the settings name: those shipped, the bureau's own, or both.

    The same object is returned until a file of the folder changes: what a process began with it keeps, and each cycle
    reads anew.

    Parameters
    ----------
    settings : Settings
        Read are those of the places.

    Returns
    -------
    Registry

    Raises
    ------
    InputError
        If the folder or one of its files is unusable, or no city is left.
    """
    folder, shipped = settings.places.cities_dir, settings.places.shipped_cities
    if folder is None and not shipped:
        raise InputError("HAZECAST_SHIPPED_CITIES", "false, without HAZECAST_CITIES_DIR", "a folder of cities")
    return _registry(folder, shipped, () if folder is None else _state(folder))


@lru_cache(maxsize=8)
def _registry(folder: Path | None, shipped: bool, state: _Files) -> Registry:
    return own_registry(folder, shipped=shipped)


def _state(folder: Path) -> _Files:
    """Return what changes with the folder's files."""
    try:
        found = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    except OSError as error:
        raise InputError("HAZECAST_CITIES_DIR", folder, f"a readable folder ({error.strerror})") from error
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)


class CurrentCities:
    """The cities of a process that goes on while files of the folder change.

    Calling it returns the registry as last read; `refresh` reads anew what has changed. A folder that has become unusable,
    as while somebody writes a file by hand, leaves what was read before.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    InputError
        As `city_registry`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._registry = city_registry(settings)
        self._fault = ""

    def __call__(self) -> Registry:
        """Return the registry as last read."""
        return self._registry

    def refresh(self) -> Registry:
        """Return the registry as the folder gives it now, and keep it."""
        try:
            self._registry, fault = city_registry(self._settings), ""
        except InputError as error:
            fault = str(error)
            if fault != self._fault:
                log.error("the cities stay as they were: %s", fault)
        self._fault = fault
        return self._registry
