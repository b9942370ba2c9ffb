"""A bureau's own cities: a folder of TOML and CSV files that add cities to those shipped, or replace them.

A TOML file has the tables of ``cities.toml``, ``[[city]]`` and ``[[region]]``; of a CSV file each row is a city, its columns
are the fields of `hazecast.grids.places.cities.City`, and stations are separated by semicolons. What a file may leave out:

- the names in Chinese and Japanese: the English one is used;
- the region: the city is then a region of its own;
- the elevation, the code and the stations;
- whether it is forecast: it is, unless ``forecast`` is false;
- whose index rates its days (``rated_by``): its country's;
- the cities of a region: those that name it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Region, Registry, check_links, entries, load_registry, read_tables
from hazecast.grids.spelling import suggestion

_Table = dict[str, Any]
_Entry = TypeVar("_Entry", City, Region)
_TABLES = ("city", "region")
_COLUMNS = tuple(City.model_fields)
# What keeps the two apart in a column.
_SEPARATOR = ";"


@dataclass(frozen=True)
class Entered:
    """Where a city is entered: the name of the file, and whether that is a TOML file of this city alone."""

    file: str
    alone: bool


def entered_cities(folder: Path) -> dict[str, Entered]:
    """Return the file that each city of a folder is in, by id.

    Raises
    ------
    InputError
        If the folder isn't there, or a file can't be read.
    """
    found: dict[str, Entered] = {}
    for name, tables in _files(folder).items():
        alone = name.endswith(".toml") and len(tables["city"]) == 1 and not tables["region"]
        found |= {str(table.get("id")): Entered(name, alone) for table in tables["city"]}
    return found


def own_registry(folder: Path | None, *, shipped: bool = True) -> Registry:
    """Return the registry of a bureau's cities, and of the shipped ones where they are wanted too.

    Parameters
    ----------
    folder : Path or None
        Its ``*.toml`` and ``*.csv`` are read. A city or region with the id of a shipped one replaces it.
    shipped : bool
        Whether the shipped cities are forecast too. Shipped regions can be named in any case.

    Returns
    -------
    Registry

    Raises
    ------
    InputError
        If the folder isn't there, a file can't be read, an entry is wrong, an id is used twice, two cities are at one place, or no
        city is left.
    """
    known = load_registry()
    if folder is None:
        if not shipped:
            raise InputError("cities", "none", "a folder of cities, or the shipped ones")
        return known
    cities, own_regions = read_folder(folder)
    regions = known.regions | own_regions
    for city in cities.values():
        if city.region not in regions:
            # Without a region of its own it is one by itself.
            regions[city.region] = _region_of(city)
    whole = known.cities | cities
    every = {name: city for name, city in whole.items() if city.forecast and (shipped or name in cities)}
    if not every:
        raise InputError(str(folder), "no city that is forecast", "TOML or CSV files with cities")
    _check_places(every, folder.name)
    for region in own_regions.values():
        _check_listed(region, whole, regions)
    linked = _linked(every, regions)
    check_links(every, linked, folder.name)
    others = {name: city for name, city in whole.items() if name not in every}
    return Registry(cities=every, regions=linked, others=others)


def read_folder(folder: Path) -> tuple[dict[str, City], dict[str, Region]]:
    """Return the cities and regions of a folder's files, by id.

    Raises
    ------
    InputError
        If the folder isn't there, a file can't be read, an entry is wrong, or an id is used twice.
    """
    tables = _files(folder)
    regions: dict[str, Region] = {}
    for name, found in tables.items():
        listed = _members(tables)
        filled = [_named(t | {"cities": t.get("cities") or listed.get(t.get("id"), ())}) for t in found["region"]]
        regions |= _once(entries(filled, Region, name), regions, name, "region")
    cities: dict[str, City] = {}
    places = load_registry().regions | regions
    for name, found in tables.items():
        new = entries([_named({"region": t.get("id")} | t) for t in found["city"]], City, name)
        cities |= _once(new, cities, name, "city")
        for city in new.values():
            _check_region(city, places, name)
    return cities, regions


def _files(folder: Path) -> dict[str, dict[str, list[_Table]]]:
    """Return the tables of a folder's files, by the name of the file."""
    if not folder.is_dir():
        raise InputError("cities", folder, "a folder of TOML and CSV files")
    return {path.name: _tables(path) for path in sorted(folder.iterdir()) if path.suffix in (".toml", ".csv")}


def _tables(path: Path) -> dict[str, list[_Table]]:
    if path.suffix == ".csv":
        return {"city": _rows(path), "region": []}
    tables = read_tables(path)
    for key, found in tables.items():
        if key not in _TABLES:
            raise InputError(f"{path.name}: {key}", found, "tables [[city]] and [[region]]" + suggestion(key, _TABLES))
        if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
            raise InputError(f"{path.name}: {key}", found, f"tables [[{key}]]")
    return {key: tables.get(key, []) for key in _TABLES}


def _rows(path: Path) -> list[_Table]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), error, "a CSV file in UTF-8") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for column in reader.fieldnames or ():
            if column not in _COLUMNS:
                raise InputError(f"{path.name}: column", column, "a field of a city" + suggestion(column, _COLUMNS))
        found = []
        for row in reader:
            if None in row or None in row.values():
                raise InputError(f"{path.name}: line {reader.line_num}", f"{len(row)} cells", "one for each column")
            found.append({name: _cell(name, value.strip()) for name, value in row.items() if value.strip()})
    except csv.Error as error:
        raise InputError(f"{path.name}: line {reader.line_num}", error, "a row of comma-separated values") from error
    return found


def _cell(name: str, value: str) -> str | list[str]:
    return [part.strip() for part in value.split(_SEPARATOR)] if name == "stations" else value


def _members(tables: Mapping[str, Mapping[str, list[_Table]]]) -> dict[object, list[object]]:
    """Return the ids of the cities that name each region."""
    members: dict[object, list[object]] = {}
    for found in tables.values():
        for table in found["city"]:
            members.setdefault(table.get("region", table.get("id")), []).append(table.get("id"))
    return members


def _named(table: _Table) -> _Table:
    """Return an entry with the English name where it has no Chinese or Japanese one."""
    name = table.get("name_en")
    return table if name is None else {"name_zh": name, "name_ja": name} | table


def _once(new: dict[str, _Entry], before: Mapping[str, _Entry], name: str, kind: str) -> dict[str, _Entry]:
    for identifier in new:
        if identifier in before:
            raise InputError(f"{name}: {kind} {identifier}, id", identifier, "an id used once in the files of a folder")
    return new


def _check_region(city: City, regions: Mapping[str, Region], name: str) -> None:
    where = f"{name}: city {city.id}, region"
    region = regions.get(city.region)
    if region is None and city.region != city.id:
        raise InputError(where, city.region, "a region shipped or in a file" + suggestion(city.region, regions))
    if region is not None and region.country != city.country:
        raise InputError(where, city.region, f"a region of {city.country}, not of {region.country}")


def _check_places(cities: Mapping[str, City], name: str) -> None:
    """Refuse two cities at one place: neither had an area, and one of them is a mistake."""
    taken: dict[tuple[float, float], str] = {}
    for city in cities.values():
        place = round(city.latitude, 3), round(city.longitude, 3)
        if place in taken:
            found = f"{city.latitude}, {city.longitude}"
            raise InputError(f"{name}: city {city.id}, latitude and longitude", found, f"not those of {taken[place]}")
        taken[place] = city.id


def _check_listed(region: Region, cities: Mapping[str, City], regions: Mapping[str, Region]) -> None:
    for name, listed, known in (("cities", region.cities, cities), ("partners", region.partners, regions)):
        for identifier in listed:
            if identifier not in known:
                raise InputError(
                    f"region {region.id}, {name}", identifier, f"a known id{suggestion(identifier, known)}"
                )


def _region_of(city: City) -> Region:
    names = city.model_dump(include={"name_zh", "name_ja", "name_en", "country"})
    return Region(id=city.region, kind="city", cities=(city.id,), **names)


def _linked(cities: Mapping[str, City], regions: Mapping[str, Region]) -> dict[str, Region]:
    """Return the regions that have cities, each with those that it lists or that name it, and its partners among them."""
    members: dict[str, list[str]] = {name: [c for c in r.cities if c in cities] for name, r in regions.items()}
    for city in cities.values():
        if city.id not in members[city.region]:
            members[city.region].append(city.id)
    left = {name: region for name, region in regions.items() if members[name]}
    return {
        name: region.model_copy(
            update={"cities": tuple(members[name]), "partners": tuple(p for p in region.partners if p in left)}
        )
        for name, region in left.items()
    }
