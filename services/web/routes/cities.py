"""The cities that are forecast."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from hazecast.grids.places.cities import City, Registry
from hazecast.services.web.answers import cache_answer
from hazecast.services.web.dependencies import Given
from hazecast.services.web.negotiate import AsFormat, Format, answer, as_csv, as_json, choose, point, representations
from hazecast.services.web.pages import link_next
from hazecast.services.web.places import Chosen, Paged
from hazecast.services.web.routes.common import INVALID, NOT_FOUND, UNCHANGED, coordinates, known_city
from hazecast.services.web.schemas.forecasts import CitiesOut, CityOut

_FORMATS: tuple[Format, ...] = ("json", "geojson", "csv")


router = APIRouter(tags=["places"])


@router.get("/cities", responses=INVALID | UNCHANGED | representations(*_FORMATS, like=CitiesOut))
def cities(service: Given, request: Request, places: Chosen, paged: Paged, form: AsFormat = None) -> Response:
    """All cities that are forecast, or some of them, in pages: the header Link has the address of the next."""
    chosen = choose(request, form, _FORMATS)
    cache_answer(request)
    page, following = paged.of(places.of(service.registry))
    found = [_city(city, service.registry) for city in page]
    return link_next(_answer(found, chosen, following), request, following)


def _answer(found: list[CityOut], chosen: Format, following: str | None) -> Response:
    if chosen == "json":
        return answer(CitiesOut(items=found, next=following).model_dump_json(), "json")
    rows = [city.model_dump() for city in found]
    if chosen == "csv":
        table = [row | {"partners": " ".join(row["partners"])} for row in rows]
        return answer(as_csv(table, list(CityOut.model_fields)), "csv", name="cities")
    features = [point(row["longitude"], row["latitude"], row["id"], row) for row in rows]
    return answer(as_json({"type": "FeatureCollection", "features": features, "next": following}), "geojson")


@router.get("/cities/{city_id}", responses=NOT_FOUND | UNCHANGED)
def city(service: Given, request: Request, city_id: str) -> CityOut:
    """One city."""
    cache_answer(request)
    return _city(known_city(service.registry, city_id), service.registry)


def _city(city: City, registry: Registry) -> CityOut:
    partners = registry.regions[city.region].partners
    return CityOut(**city.model_dump() | coordinates(city), partners=list(partners))
