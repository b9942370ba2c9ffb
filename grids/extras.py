"""Optional packages: imported where they are needed, and named with their extra where they are missing."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from hazecast.grids.errors import MissingExtraError


def requires(module: str, extra: str) -> ModuleType:
    """Import a module that only an extra of Hazecast installs.

    Parameters
    ----------
    module : str
        Full name, such as ``"lightgbm"`` or ``"scores.continuous"``.
    extra : str
        The extra in Hazecast's metadata that installs it, such as ``"train"``.

    Returns
    -------
    types.ModuleType
        The module itself, not its parent package.

    Raises
    ------
    MissingExtraError
        If the package is not installed; says which extra to install. A module that is missing
        further down, inside an installed package, raises ModuleNotFoundError as always.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise MissingExtraError(module.partition(".")[0], extra) from error
