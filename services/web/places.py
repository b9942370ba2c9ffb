"""Which cities an answer is about: the query parameters ``city``, ``region``, ``country`` and ``bbox``.

A route that declares `Chosen` receives them as `Places`, whose `of` gives the cities of the registry that meet them all; one that declares `Paged` gives
them page by page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Query

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Country, Registry
from hazecast.services.core.field_limits import at_most
from hazecast.services.web.pages import Cursor, from_cursor, to_cursor
from hazecast.services.web.problems import InvalidArgument

_BOX = r"^-?\d{1,3}(\.\d{1,9})?(,-?\d{1,3}(\.\d{1,9})?){3}$"

# As many as an address can name in reason; all of them need no names.
_MOST = 500


class Places:
    """The part of the registry that a request names; all of it where it names none.

    Every filter narrows: a city must meet them all.
    """

    def __init__(
        self,
        city: Annotated[
            list[str] | None,
            Query(description="Only these cities, by id; may be repeated.", examples=[["beijing"]], max_length=_MOST),
            at_most(_MOST),
        ] = None,
        region: Annotated[
            list[str] | None,
            Query(description="Only cities of these partner governments, by id; may be repeated.", max_length=_MOST),
            at_most(_MOST),
        ] = None,
        country: Annotated[Country | None, Query(description="Only cities of this country.")] = None,
        bbox: Annotated[
            str | None,
            Query(
                json_schema_extra={"pattern": _BOX},
                description="Only cities within west,south,east,north in degrees (RFC 7946, section 5).",
                examples=["110,35,125,42"],
            ),
        ] = None,
    ) -> None:
        self.city, self.region, self.country, self.bbox = city, region, country, bbox

    @property
    def all(self) -> bool:
        """Whether nothing narrows the choice."""
        return not (self.city or self.region or self.country or self.bbox)

    def of(self, registry: Registry) -> list[City]:
        """Return the cities meant, in the registry's order.

        Raises
        ------
        InvalidArgument
            If a city, region or country is unknown, or the box is invalid.
        """
        for city in self.city or ():
            named_city(registry, city)
        for region in self.region or ():
            if region not in registry.regions:
                raise InvalidArgument("region", region, f"one of {', '.join(sorted(registry.regions))}")
        countries = sorted({city.country for city in registry.cities.values()})
        if self.country is not None and self.country not in countries:
            raise InvalidArgument("country", self.country, f"one of {', '.join(countries)}")
        west, south, east, north = _box(self.bbox)
        return [
            city
            for city in registry.cities.values()
            if (not self.city or city.id in self.city)
            and (not self.region or city.region in self.region)
            and self.country in (None, city.country)
            and west <= city.longitude <= east
            and south <= city.latitude <= north
        ]


def named_city(registry: Registry, name: str) -> City:
    """Return a city that a query names.

    Parameters
    ----------
    registry : Registry
    name : str
        Its id.

    Returns
    -------
    City

    Raises
    ------
    InvalidArgument
        If there is none of that id; with close matches.
    """
    try:
        return registry.city(name)
    except InputError as error:
        raise InvalidArgument("city", error.found, error.expected) from error


def _box(text: str | None) -> tuple[float, float, float, float]:
    if text is None:
        return -180.0, -90.0, 180.0, 90.0
    expected = "west,south,east,north in degrees, west below east and south below north"
    if not re.fullmatch(_BOX, text):
        raise InvalidArgument("bbox", text, expected)
    west, south, east, north = (float(part) for part in text.split(","))
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise InvalidArgument("bbox", text, expected)
    return west, south, east, north


# Cities on a page: what an answer is made of at once.
MOST_CITIES = 500


class CityPage:
    """Which part of the cities an answer is about: long lists come in pages."""

    def __init__(
        self,
        limit: Annotated[
            int, Query(ge=1, le=MOST_CITIES, description="At most so many cities; the header Link has the next page.")
        ] = 200,
        cursor: Cursor = None,
    ) -> None:
        self.limit, self.cursor = limit, cursor

    def of(self, cities: Sequence[City]) -> tuple[list[City], str | None]:
        """Return the page's cities, in the order of the list, and the cursor of the next page; None on the last.

        Raises
        ------
        InvalidArgument
            If the cursor is none that an earlier page gave.
        """
        keys, start = from_cursor(self.cursor, str), 0
        if keys is not None:
            ids = [city.id for city in cities]
            if keys[0] not in ids:
                raise InvalidArgument("cursor", self.cursor, "the `next` of an earlier page")
            start = ids.index(keys[0]) + 1
        page, rest = list(cities[start : start + self.limit]), cities[start + self.limit :]
        return page, to_cursor(page[-1].id) if rest else None


Chosen = Annotated[Places, Depends()]
Paged = Annotated[CityPage, Depends()]
