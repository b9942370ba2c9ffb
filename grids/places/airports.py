"""Airports that stand for the visibility and humidity of a city."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hazecast.grids.errors import InputError

_FILE = Path(__file__).with_name("airports.toml")


class Airport(BaseModel):
    """An airport: its ICAO location indicator, position in degrees (WGS 84) and the ids of its cities."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    icao: str = Field(pattern=r"^[A-Z][A-Z0-9]{3}$")
    name: str = Field(min_length=1)
    latitude: float = Field(ge=-90.0, le=90.0)
    longitude: float = Field(ge=-180.0, le=180.0)
    cities: tuple[str, ...] = Field(min_length=1)


@lru_cache
def load_airports(path: Path | None = None) -> tuple[Airport, ...]:
    """Load and check a list of airports; by default the one that Hazecast ships.

    Raises
    ------
    InputError
        If the file can't be read, an entry is wrong, or an airport or a city is named twice.

    Examples
    --------
    >>> [airport.icao for airport in load_airports() if "tokyo" in airport.cities]
    ['RJTT']
    """
    path = path or _FILE
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        airports = tuple(Airport.model_validate(table) for table in tables.get("airport", []))
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{path.name}: airport, {'.'.join(map(str, first['loc']))}"
        raise InputError(where, first["input"], first["msg"]) from error
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise InputError(str(path), error, "a TOML file with [[airport]] tables") from error
    for kind, names in (
        ("icao", [airport.icao for airport in airports]),
        ("cities", [city for airport in airports for city in airport.cities]),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"{path.name}: {kind}", ", ".join(twice), "each once")
    return airports
