"""Positions of the stations of monitoring collections, and of cities that are not partners."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry

_FILE = Path(__file__).with_name("stations.toml")
ROADSIDE = "roadside"
# The UCI collections stamp their hours in Beijing time, so it is assumed for an unknown city.
DEFAULT_TIME_ZONE = "Asia/Shanghai"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    latitude: float = Field(ge=-90.0, le=90.0)
    longitude: float = Field(ge=-180.0, le=180.0)


class Station(_Entry):
    """A monitoring station: the city it belongs to, its position in degrees (WGS 84) and its siting, "" if unknown."""

    city: str = Field(min_length=1)
    siting: Literal["", "background", "roadside"] = ""


class OtherCity(_Entry):
    """A city of a collection that isn't forecast by the service."""

    time_zone: str = Field(min_length=1)


class Stations(BaseModel):
    """All stations and other cities whose position is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    station: tuple[Station, ...] = ()
    city: tuple[OtherCity, ...] = ()

    @model_validator(mode="after")
    def _ids_once(self) -> Stations:
        for entries in (self.station, self.city):
            ids = [entry.id for entry in entries]
            if len(ids) != len(set(ids)):
                raise ValueError(f"an id is used twice: {sorted(ids)}")
        return self

    def position(self, place: str, city: str, registry: Registry) -> tuple[float, float]:
        """Return latitude and longitude of a station or, where it isn't known, of its city.

        Parameters
        ----------
        place : str
            Id of the station.
        city : str
            Id of its city.
        registry : Registry

        Returns
        -------
        tuple of float
            Degrees; NaN where neither is known.
        """
        for station in self.station:
            if station.id == place:
                return station.latitude, station.longitude
        known = registry.cities.get(city) or next((other for other in self.city if other.id == city), None)
        return (known.latitude, known.longitude) if known else (float("nan"), float("nan"))

    def time_zone(self, city: str, registry: Registry) -> str:
        """Return a city's time zone.

        Parameters
        ----------
        city : str
            Id of the city.
        registry : Registry

        Returns
        -------
        str
            IANA name; `DEFAULT_TIME_ZONE` where the city isn't known.
        """
        return self.known_time_zone(city, registry) or DEFAULT_TIME_ZONE

    def known_time_zone(self, city: str, registry: Registry) -> str | None:
        """Return a city's time zone.

        Parameters
        ----------
        city : str
            Id of the city.
        registry : Registry

        Returns
        -------
        str or None
            IANA name; None where the city isn't known.
        """
        known = registry.cities.get(city) or next((other for other in self.city if other.id == city), None)
        return known.time_zone if known else None

    def is_roadside(self, place: str) -> bool:
        """Return whether a station represents its street; one that isn't known doesn't."""
        return any(station.siting == ROADSIDE for station in self.station if station.id == place)


@lru_cache
def load_stations(path: Path | None = None) -> Stations:
    """Load and check the table of stations.

    Raises
    ------
    InputError
        If the file can't be read, or an entry is wrong or repeated.
    """
    path = path or _FILE
    try:
        return Stations.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path.name}: {'.'.join(map(str, first['loc']))}", first["input"], first["msg"]) from error
    except (OSError, ValueError) as error:
        raise InputError(str(path), error, "a TOML file of stations and cities") from error
