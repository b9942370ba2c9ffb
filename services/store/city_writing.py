"""Cities added, changed and removed: the file in the folder of own cities and its audit in the store, both or neither.

The API and the command ``hazecast cities`` do it here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from hazecast.grids.errors import ConflictError, UnknownError
from hazecast.grids.places.cities import City, load_registry
from hazecast.grids.spelling import suggestion
from hazecast.services.core.city_fields import Change
from hazecast.services.core.own_cities import known_cities, remove_city_file, write_city_file
from hazecast.services.core.settings import Settings
from hazecast.services.store.city_changes import is_stored
from hazecast.services.store.drafts import Decider
from hazecast.services.store.locks import lock_until_commit
from hazecast.services.store.store import Store
from hazecast.services.store.tables.places import CityChange

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Author:
    """Who changes a city, and when: `by` is the name of an account or, without a key, of a user of the machine."""

    by: str
    at: datetime
    who: Decider | None = None


def fields_of(city: City) -> dict[str, Any]:
    """Return all fields of a city, for the audit or to be changed."""
    return {name: getattr(city, name) for name in City.model_fields} | {"stations": list(city.stations)}


def add_city(store: Store, settings: Settings, fields: Mapping[str, Any], author: Author) -> Path:
    """Write a new city into a file of its own.

    Parameters
    ----------
    store : Store
        Keeps the audit.
    settings : Settings
        Name the folder.
    fields : mapping of str to object
        Of `hazecast.grids.places.cities.City`.
    author : Author

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If a field is wrong. Nothing is then written.
    ConflictError
        If there is a city of that id, or the folder can't be written.
    """
    city = str(fields["id"])
    with _alone(store) as session:
        if city in known_cities(settings):
            raise ConflictError("city", city, "an id that no city has yet")
        _record(session, "add", None, fields, author)
        return write_city_file(fields, settings)


def change_city(store: Store, settings: Settings, fields: Mapping[str, Any], author: Author) -> Path:
    """Write a city anew that has a file of its own, or is shipped: its own file then takes the place of the shipped entry.

    Parameters
    ----------
    store : Store
        Keeps the audit.
    settings : Settings
        Name the folder.
    fields : mapping of str to object
        Of `hazecast.grids.places.cities.City`, all of them.
    author : Author

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If a field is wrong. Nothing is then written.
    UnknownError
        If there is no such city.
    ConflictError
        If the folder can't be written, or the city is in a file with others.
    """
    with _alone(store) as session:
        _record(session, "change", fields_of(known_city(settings, str(fields["id"]))), fields, author)
        return write_city_file(fields, settings)


def remove_city(store: Store, settings: Settings, city: str, author: Author) -> None:
    """Remove an own city of which nothing is stored, or bring back the shipped one whose place it took.

    Parameters
    ----------
    store : Store
        Keeps the audit.
    settings : Settings
        Name the folder.
    city : str
        Its id.
    author : Author

    Raises
    ------
    UnknownError
        If there is no such city, or it is not the bureau's own.
    ConflictError
        If something is stored of it, the folder can't be written, the city is in a file with others, or others need it.
    """
    with _alone(store) as session:
        before = fields_of(known_city(settings, city))
        if city not in load_registry().cities and is_stored(session, city):
            held = "forecasts, observations or warnings of it"
            raise ConflictError(f"city {city}", held, "a city of which nothing is stored; withdraw it")
        _record(session, "remove", before, None, author)
        remove_city_file(city, settings)


def known_city(settings: Settings, name: str) -> City:
    """Return a city as it is entered now, forecast or not.

    Parameters
    ----------
    settings : Settings
        Name the folder.
    name : str
        Its id.

    Returns
    -------
    City

    Raises
    ------
    UnknownError
        If there is no such city.
    ConflictError
        If the folder can't be written, or a file of it is wrong.
    """
    known = known_cities(settings)
    if name not in known:
        raise UnknownError("city", name, "a known city id" + suggestion(name, known))
    return known[name]


@contextmanager
def _alone(store: Store) -> Iterator[Session]:
    """Begin a transaction in which no other changes cities; where the block fails, nothing is stored."""
    with store.sessions.begin() as session:
        lock_until_commit(session, "cities")
        yield session


def _record(
    session: Session,
    action: Change,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    author: Author,
) -> None:
    city = str((after or before or {})["id"])
    texts = [None if one is None else json.dumps(one, ensure_ascii=False, sort_keys=True) for one in (before, after)]
    who = author.who
    session.add(
        CityChange(
            at=author.at, city=city, action=action, by=author.by, before=texts[0], after=texts[1],
            account_id=who.account_id if who else None, key_id=who.key_id if who else None,
        )
    )  # fmt: skip
    # Before the file: what the store refuses is not written.
    session.flush()
    log.info("city %s: %s by %s", city, action, author.by if who is None else f"{who.account_id} with key {who.key_id}")
