"""The base map and areas of cities of a service, from its settings."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hazecast.alerts.geography.own_shapes import own_shapes
from hazecast.alerts.geography.shapes import Shapes, shipped, use
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings


def use_shapes(settings: Settings) -> None:
    """Have this process draw and warn by the bureau's own shapes, or by the package's where the settings name none.

    Called where a process begins its work. The file is read once in a process: a changed one counts after a restart.

    Raises
    ------
    InputError
        If the file can't be read or used.
    """
    path = settings.warnings.shapes_file
    use(None if path is None else _own(path, city_registry(settings)))


def shapes_state(settings: Settings) -> str:
    """Return what the name of a product holds of the shapes it was made with; empty for the package's."""
    path = settings.warnings.shapes_file
    return "" if path is None else _own(path, city_registry(settings)).digest


@cache
def _own(path: Path, registry: Registry) -> Shapes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), f"{error.strerror}", "a readable GeoJSON file (HAZECAST_SHAPES_FILE)") from error
    return own_shapes(content, str(path), registry.cities, shipped())
