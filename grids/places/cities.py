"""The registry of the forecast cities and their regions, checked when loaded: the partner governments', and others."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from hazecast.grids.errors import InputError
from hazecast.grids.spelling import model_fault, suggestion

_FILE = Path(__file__).with_name("cities.toml")
_Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
_Name = Annotated[str, Field(min_length=1)]
# ISO 3166-1, alpha-2.
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
# Whose index rates the days of a place.
IndexName = Literal["china", "us", "japan", "korea", "europe", "who"]
_T = TypeVar("_T", bound="_Place")


class _Place(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: _Id
    name_zh: _Name
    name_ja: _Name
    name_en: _Name
    country: Country


# China's administrative division code (GB/T 2260, six digits); Japan's municipality code (JIS X 0402 with the
# two digits of the prefecture, JIS X 0401, before it; without the check digit).
_CODES = {"CN": re.compile(r"[1-8]\d{5}"), "JP": re.compile(r"(0[1-9]|[1-3]\d|4[0-7])\d{3}")}


class City(_Place):
    """A city that is forecast: position in degrees (WGS 84), elevation in m, IANA time zone.

    `code` is the official code of its area (of China by GB/T 2260, of Japan by JIS X 0402), None where a registry gives
    none. One whose `forecast` is false is known by name alone: what is stored of it can still be read. `stations` are the places that networks publish for its stations, each as ``network:place``, such as
    ``cnemc:北京市``; networks that publish positions need none. `rated_by` names whose index rates its days, in
    place of its country's.

    Examples
    --------
    >>> beijing = load_registry().city("beijing")
    >>> beijing.name_en, beijing.time_zone, beijing.province_code
    ('Beijing', 'Asia/Shanghai', '110000')
    """

    region: str
    latitude: float = Field(ge=-90.0, le=90.0)
    longitude: float = Field(ge=-180.0, le=180.0)
    elevation: float | None = Field(default=None, ge=-500.0, le=6_000.0)
    time_zone: str
    code: str | None = None
    # How the service treats it, not what it is: left out of what is published of it.
    forecast: bool = Field(default=True, exclude=True)
    rated_by: IndexName | None = Field(default=None, exclude=True)
    stations: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*:\S.*$")], ...] = Field(default=(), exclude=True)

    @property
    def province_code(self) -> str | None:
        """The code of the city's province (China, six digits) or prefecture (Japan, two); None elsewhere or without a code."""
        if self.code is None or self.country not in _CODES:
            return None
        return self.code[:2] + ("0000" if self.country == "CN" else "")

    @field_validator("time_zone")
    @classmethod
    def _zone_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("an IANA time zone" + suggestion(name, available_timezones())) from error
        return name

    @field_validator("code")
    @classmethod
    def _code_sound(cls, code: str | None, info: ValidationInfo) -> str | None:
        country = info.data.get("country")
        if code is not None and country in _CODES and not _CODES[country].fullmatch(code):
            raise ValueError(f"an area code of {country}")
        return code


class Region(_Place):
    """A partner government or another area, with the cities forecast for it and its working partners."""

    kind: Literal["municipality", "city", "province", "prefecture", "model_city"]
    cities: tuple[str, ...] = Field(min_length=1)
    partners: tuple[str, ...] = ()


class Registry(BaseModel):
    """All cities that are forecast and their regions, by id; `others` are known, but not forecast.

    A registry never changes. It is built once and handed down, so services with different cities can share a process.
    Registries are compared by identity, so that one can be part of a cache's key.
    """

    model_config = ConfigDict(frozen=True)

    cities: dict[str, City]
    regions: dict[str, Region]
    others: dict[str, City] = {}

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        """Return whether it is the same object."""
        return self is other

    def knows(self, city_id: str) -> bool:
        """Return whether there is a city of that id, one that isn't forecast included."""
        return city_id in self.cities or city_id in self.others

    def city(self, city_id: str) -> City:
        """Return a city, one that isn't forecast included.

        Raises
        ------
        InputError
            If there is none of that id; the error names close matches.
        """
        if city_id in self.others:
            return self.others[city_id]
        if city_id not in self.cities:
            near = get_close_matches(city_id, self.cities, n=3) or sorted(self.cities)[:_NAMED]
            raise InputError("city", city_id, f"a known city id, such as {', '.join(near)}")
        return self.cities[city_id]


# How many ids an error names where none is close.
_NAMED = 20


@lru_cache
def load_registry(path: Path | None = None) -> Registry:
    """Load and check a registry; by default the partner cities that Hazecast ships.

    The cities of a service are those that its settings name, see `hazecast.services.core.places.city_registry`.

    Raises
    ------
    InputError
        If the file can't be read, or an entry is wrong, repeated or refers to an unknown one.

    Examples
    --------
    >>> registry = load_registry()
    >>> registry.city("tokyo").name_ja
    '東京'
    >>> registry.city("bejing")
    Traceback (most recent call last):
    ...
    hazecast.grids.errors.InputError: city: found bejing; expected a known city id, such as beijing...
    """
    path = path or _FILE
    tables = read_tables(path)
    cities = entries(tables.get("city", []), City, path.name)
    regions = entries(tables.get("region", []), Region, path.name)
    check_links(cities, regions, path.name)
    return Registry(cities=cities, regions=regions)


def read_tables(path: Path) -> dict[str, Any]:
    """Return a TOML file of regions and cities as read.

    Raises
    ------
    InputError
        If it can't be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(str(path), error, "a TOML file of regions and cities") from error


def entries(tables: Iterable[Mapping[str, object]], kind: type[_T], name: str) -> dict[str, _T]:
    """Return the entries of one kind, checked.

    Parameters
    ----------
    tables : iterable of mapping
        As read.
    kind : type
        `City` or `Region`.
    name : str
        Of the file, for an error.

    Returns
    -------
    dict of str to City or Region
        By id.

    Raises
    ------
    InputError
        If an entry is wrong, or an id is used twice.
    """
    found: dict[str, _T] = {}
    for number, table in enumerate(tables, 1):
        where = f"{name}: {kind.__name__.lower()} {table.get('id', number)}"
        try:
            entry = kind.model_validate(table)
        except ValidationError as error:
            raise model_fault(error, kind, f"{where}, ") from error
        if entry.id in found:
            raise InputError(f"{where}, id", entry.id, "an id used once")
        found[entry.id] = entry
    return found


def check_links(cities: Mapping[str, City], regions: Mapping[str, Region], name: str) -> None:
    """Check that cities, regions and partners refer to each other.

    Parameters
    ----------
    cities : mapping of str to City
    regions : mapping of str to Region
    name : str
        Of the file, for an error.

    Raises
    ------
    InputError
        If one refers to what isn't there, or to what doesn't refer to it.
    """
    for city in cities.values():
        region = regions.get(city.region)
        if region is None or city.id not in region.cities:
            raise InputError(f"{name}: city {city.id}, region", city.region, "a region that lists the city")
    for region in regions.values():
        for city_id in region.cities:
            if city_id not in cities:
                raise InputError(f"{name}: region {region.id}, cities", city_id, "a known city")
        for partner in region.partners:
            if partner not in regions or region.id not in regions[partner].partners:
                raise InputError(f"{name}: region {region.id}, partners", partner, "a region that names it too")
