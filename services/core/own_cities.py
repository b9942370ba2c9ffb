"""Writing a city into the bureau's own folder of cities."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hazecast.grids.errors import ConflictError
from hazecast.grids.places.own import own_registry
from hazecast.services.core.files import atomic_write
from hazecast.services.core.settings import Settings


def add_city(folder: Path, fields: Mapping[str, Any], settings: Settings) -> Path:
    """Write a city as a TOML file of its own, if all files of the folder are sound with it.

    Parameters
    ----------
    folder : Path
        Of own cities.
    fields : mapping of str to object
        Of `hazecast.grids.places.cities.City`.
    settings : Settings
        Say whether the shipped cities are forecast too.

    Returns
    -------
    Path
        The file, named after the city.

    Raises
    ------
    InputError
        If a field is wrong, or the city is in the folder already. Nothing is then written.
    StoreError
        If the file can't be written.
    """
    name = f"{fields['id']}.toml"
    path = folder / name
    # An id with a slash is refused below, and reaches no file.
    if path.parent == folder and path.exists():
        raise ConflictError(str(path), "a file", "a city that is not there yet")
    with TemporaryDirectory() as scratch:
        for file in folder.iterdir():
            if file.suffix in (".toml", ".csv"):
                shutil.copy(file, scratch)
        new = Path(scratch) / Path(name).name
        new.write_text(_toml(fields), encoding="utf-8")
        own_registry(Path(scratch), shipped=settings.places.shipped_cities)
    with atomic_write(path) as part:
        part.write_text(_toml(fields), encoding="utf-8")
    return path


def _toml(fields: Mapping[str, Any]) -> str:
    # JSON's texts, numbers, booleans and lists of them are TOML's.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(["[[city]]", *lines, ""])
