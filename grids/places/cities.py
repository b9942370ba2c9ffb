"""The registry of the partner governments and their forecast cities, checked when loaded."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from hazecast.grids.errors import InputError

_FILE = Path(__file__).with_name("cities.toml")
_Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
_Name = Annotated[str, Field(min_length=1)]
Country = Literal["CN", "JP"]
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

    `code` is the official code of its area (GB/T 2260 or JIS X 0402), None where a registry gives none.

    Examples
    --------
    >>> beijing = load_registry().city("beijing")
    >>> beijing.name_en, beijing.time_zone, beijing.province_code
    ('Beijing', 'Asia/Shanghai', '110000')
    """

    region: str
    latitude: float = Field(ge=15.0, le=55.0)
    longitude: float = Field(ge=95.0, le=150.0)
    elevation: float = Field(ge=-10.0, le=5_000.0)
    time_zone: str
    code: str | None = None

    @property
    def province_code(self) -> str | None:
        """The code of the city's province (six digits) or prefecture (two); None without a code."""
        if self.code is None:
            return None
        return self.code[:2] + ("0000" if self.country == "CN" else "")

    @field_validator("time_zone")
    @classmethod
    def _zone_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("an IANA time zone") from error
        return name

    @field_validator("code")
    @classmethod
    def _code_sound(cls, code: str | None, info: ValidationInfo) -> str | None:
        country = info.data.get("country")
        if code is not None and country in _CODES and not _CODES[country].fullmatch(code):
            raise ValueError(f"an area code of {country}")
        return code


class Region(_Place):
    """A partner government, with the cities forecast for it and its working partners."""

    kind: Literal["municipality", "city", "province", "prefecture", "model_city"]
    cities: tuple[str, ...] = Field(min_length=1)
    partners: tuple[str, ...] = ()


class Registry(BaseModel):
    """All regions and cities by id."""

    model_config = ConfigDict(frozen=True)

    cities: dict[str, City]
    regions: dict[str, Region]

    def city(self, city_id: str) -> City:
        """Return a city.

        Raises
        ------
        InputError
            If there is none of that id; the error names close matches.
        """
        if city_id not in self.cities:
            near = get_close_matches(city_id, self.cities, n=3) or sorted(self.cities)
            raise InputError("city", city_id, f"a known city id, such as {', '.join(near)}")
        return self.cities[city_id]


@lru_cache
def load_registry(path: Path | None = None) -> Registry:
    """Load and check a registry; by default the partner cities that Hazecast ships.

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
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(str(path), error, "a TOML file of regions and cities") from error
    cities = _entries(tables.get("city", []), City, path)
    regions = _entries(tables.get("region", []), Region, path)
    _check_links(cities, regions, path)
    return Registry(cities=cities, regions=regions)


def _entries(tables: list[dict[str, object]], kind: type[_T], path: Path) -> dict[str, _T]:
    entries: dict[str, _T] = {}
    for number, table in enumerate(tables):
        where = f"{path.name}: {kind.__name__.lower()} {table.get('id', number)}"
        try:
            entry = kind.model_validate(table)
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"{where}, {'.'.join(map(str, first['loc']))}", first["input"], first["msg"]) from error
        if entry.id in entries:
            raise InputError(f"{where}, id", entry.id, "an id used once")
        entries[entry.id] = entry
    return entries


def _check_links(cities: dict[str, City], regions: dict[str, Region], path: Path) -> None:
    for city in cities.values():
        region = regions.get(city.region)
        if region is None or city.id not in region.cities:
            raise InputError(f"{path.name}: city {city.id}, region", city.region, "a region that lists the city")
    for region in regions.values():
        for city_id in region.cities:
            if city_id not in cities:
                raise InputError(f"{path.name}: region {region.id}, cities", city_id, "a known city")
        for partner in region.partners:
            if partner not in regions or region.id not in regions[partner].partners:
                raise InputError(f"{path.name}: region {region.id}, partners", partner, "a region that names it too")
