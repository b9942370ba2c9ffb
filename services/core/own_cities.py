"""The bureau's own folder of cities: what a new or changed one would be, and writing and removing it.

A city that is written here has a file of its own, ``ID.toml``. What a person keeps in tables of many cities is read and
never written.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import ConflictError, InputError, UnknownError
from hazecast.grids.places.cities import City, Registry, load_registry
from hazecast.grids.places.own import Entered, entered_cities, own_registry, read_folder
from hazecast.services.core.city_fields import Trouble
from hazecast.services.core.errors import StoreError
from hazecast.services.core.files import atomic_write, remove_file
from hazecast.services.core.settings import Settings

_TROUBLE: dict[Trouble, str] = {
    "not_set": "not set",
    "missing": "a folder that is not there",
    "not_writable": "a folder that the service may not write",
}


@dataclass(frozen=True)
class Findings:
    """What a person should know of a folder of cities; ids, in alphabetical order."""

    replaced: tuple[str, ...]
    not_forecast: tuple[str, ...]
    english_only: tuple[str, ...]
    without_rules: tuple[str, ...]


def trouble_of(settings: Settings) -> Trouble | None:
    """Return why no city can be written, None where one can."""
    folder = settings.places.cities_dir
    if folder is None:
        return "not_set"
    if not folder.is_dir():
        return "missing"
    return None if os.access(folder, os.W_OK | os.X_OK) else "not_writable"


def own_cities(settings: Settings) -> dict[str, Entered]:
    """Return which file each of the bureau's own cities is in, by id; none without a folder.

    Raises
    ------
    InputError
        If a file can't be read.
    """
    folder = settings.places.cities_dir
    return {} if folder is None else entered_cities(folder)


def findings(folder: Path, registry: Registry, book: RuleBook) -> Findings:
    """Return what a person should know of a folder of cities that is sound.

    Parameters
    ----------
    folder : Path
    registry : Registry
        Made of it.
    book : RuleBook

    Returns
    -------
    Findings

    Raises
    ------
    InputError
        If a file can't be read.
    """
    own = read_folder(folder)[0]
    return Findings(
        replaced=tuple(sorted(set(own) & set(load_registry().cities))),
        not_forecast=tuple(sorted(set(own) & set(registry.others))),
        english_only=tuple(sorted(name for name, city in own.items() if in_english_only(city))),
        without_rules=tuple(sorted(name for name in set(own) & set(registry.cities) if not has_rules(own[name], book))),
    )


def without_folder(error: InputError, folder: Path) -> str:
    """Return an error about a file of a folder without the folder, which is nobody's business but the operator's.

    Parameters
    ----------
    error : InputError
    folder : Path

    Returns
    -------
    str
    """
    return str(error).replace(f"{folder}{os.sep}", "").replace(str(folder), "the folder of own cities")


def in_english_only(city: City) -> bool:
    """Return whether a city has no name in Chinese and Japanese."""
    return city.name_zh == city.name_ja == city.name_en


def has_rules(city: City, book: RuleBook) -> bool:
    """Return whether any rule set is of a city's country.

    Parameters
    ----------
    city : City
    book : RuleBook

    Returns
    -------
    bool
    """
    return any(rules.country == city.country for rules in book.sets.values())


def registry_with(folder: Path, fields: Mapping[str, Any], settings: Settings) -> Registry:
    """Return the cities that there would be with a new or changed one; nothing is written.

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
    Registry

    Raises
    ------
    InputError
        If a field is wrong.
    """
    with _copied(folder) as scratch:
        name = Path(f"{fields['id']}.toml").name
        (scratch / name).write_text(_toml(fields), encoding="utf-8")
        return own_registry(scratch, shipped=settings.places.shipped_cities)


def known_cities(settings: Settings) -> dict[str, City]:
    """Return all cities, forecast or not, by id: those of the folder and the shipped ones whose place none takes.

    Raises
    ------
    ConflictError
        If the folder can't be written, or a file of it is wrong.
    """
    return dict(load_registry().cities) | read_folder(_folder(settings))[0]


def write_city_file(fields: Mapping[str, Any], settings: Settings) -> Path:
    """Write a city that is new, has a file of its own or is shipped, whose place it then takes.

    Parameters
    ----------
    fields : mapping of str to object
        Of `hazecast.grids.places.cities.City`.
    settings : Settings

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If a field is wrong. Nothing is then written.
    ConflictError
        If the folder can't be written, or the city is in a file with others.
    """
    folder = _folder(settings)
    _check_alone(str(fields["id"]), settings)
    registry_with(folder, fields, settings)
    path = folder / f"{fields['id']}.toml"
    with _written(), atomic_write(path) as part:
        part.write_text(_toml(fields), encoding="utf-8")
    return path


def remove_city_file(city: str, settings: Settings) -> None:
    """Remove the file of an own city; a shipped one whose place it took is then there again.

    Parameters
    ----------
    city : str
        Its id.
    settings : Settings

    Raises
    ------
    UnknownError
        If no file of the folder has it.
    ConflictError
        If the folder can't be written, the city is in a file with others, or other files need it.
    """
    folder = _folder(settings)
    if city not in own_cities(settings):
        raise UnknownError("city", city, "one of the bureau's own")
    _check_alone(city, settings)
    path = folder / f"{city}.toml"
    with _copied(folder) as scratch:
        (scratch / path.name).unlink()
        try:
            own_registry(scratch, shipped=settings.places.shipped_cities)
        except InputError as error:
            raise ConflictError(f"city {city}", "still needed", f"files that do without it ({error})") from error
    with _written():
        remove_file(path)


def _folder(settings: Settings) -> Path:
    trouble, folder = trouble_of(settings), settings.places.cities_dir
    if trouble is not None or folder is None:
        said = _TROUBLE[trouble or "not_set"]
        raise ConflictError("HAZECAST_CITIES_DIR", said, "a folder for own cities that the service may write")
    try:
        # The first city of a service that has only its own comes into an empty folder.
        if read_folder(folder)[0]:
            own_registry(folder, shipped=settings.places.shipped_cities)
    except InputError as error:
        found = without_folder(error, folder)
        raise ConflictError("the folder of own cities", found, "files that are sound before one is written") from error
    return folder


def _check_alone(city: str, settings: Settings) -> None:
    entered = own_cities(settings).get(city)
    if entered is not None and not (entered.alone and entered.file == f"{city}.toml"):
        raise ConflictError(f"city {city}", f"in {entered.file}", f"a file {city}.toml of its own; change it there")


@contextmanager
def _copied(folder: Path) -> Iterator[Path]:
    with TemporaryDirectory() as name:
        for file in folder.iterdir():
            if file.suffix in (".toml", ".csv"):
                shutil.copy(file, name)
        yield Path(name)


@contextmanager
def _written() -> Iterator[None]:
    """Say of a folder that can't be written what it is: the state of the service's settings, not the fault of its store."""
    try:
        yield
    except (StoreError, OSError) as error:
        cause = error.__cause__ or error
        reason = getattr(cause, "strerror", None) or type(cause).__name__
        raise ConflictError("HAZECAST_CITIES_DIR", reason, "a folder that the service may write") from error


def _toml(fields: Mapping[str, Any]) -> str:
    # JSON's texts, numbers, booleans and lists of them are TOML's.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(["[[city]]", *lines, ""])
