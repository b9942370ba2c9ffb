"""The kinds of models that are installed: entry points in the group ``hazecast.models``.

A package adds a kind in its pyproject.toml::

    [project.entry-points."hazecast.models"]
    my_model = "my_package.my_module:MyModel"

Only the module of a kind that is asked for is imported.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from hazecast.grids.errors import InputError, UnknownError
from hazecast.models.interface import Model

GROUP = "hazecast.models"


def model_names() -> list[str]:
    """Return the names of all kinds, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def create(name: str) -> Model:
    """Return a new, untrained model.

    Parameters
    ----------
    name : str
        A kind, as `model_names` lists it.

    Raises
    ------
    InputError
        If there is no such kind, its package can't be imported, or an extra it needs is not installed.

    Examples
    --------
    >>> create("persistence").name
    'persistence'
    """
    model: Model = model_class(name)()
    return model


def model_class(kind: str) -> Any:
    """Return the class of a kind.

    Raises
    ------
    InputError
        If there is no such kind, two packages declare it, its package can't be imported, or an extra it needs is
        not installed.
    """
    point = _entry_point(kind)
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"model {kind}", f"{type(error).__name__}: {error}", f"{point.value} to be installed"
        ) from error


def _entry_point(kind: str) -> EntryPoint:
    found = {point.value: point for point in entry_points(group=GROUP, name=kind)}
    if not found:
        known = model_names()
        # No kind at all: the installation is older than the code that runs.
        raise UnknownError("model", kind, f"one of {known}" if known else "an installation of hazecast, made again")
    if len(found) > 1:
        raise InputError(f"model {kind}", f"declared as {sorted(found)}", "a name that one package declares")
    return next(iter(found.values()))
