"""The cities for administrators: listed with what the service has of each, checked, added, changed, withdrawn, removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from hazecast.alerts.geography.city_areas import city_area
from hazecast.alerts.geography.shapes import as_geojson
from hazecast.forecast.day_index import day_standard
from hazecast.grids.errors import ConflictError, InputError, UnknownError
from hazecast.grids.places.cities import City, Registry, load_registry
from hazecast.grids.places.own import Entered
from hazecast.grids.places.zone_places import doubts
from hazecast.models.registry import NO_TRAINED_MODEL
from hazecast.services.accounts.keys import Identity
from hazecast.services.core.own_cities import (
    findings,
    has_rules,
    in_english_only,
    own_cities,
    registry_with,
    trouble_of,
    without_folder,
)
from hazecast.services.core.places import city_registry
from hazecast.services.store.city_changes import Held, changes_of, held_of_cities
from hazecast.services.store.city_writing import Author, add_city, change_city, remove_city
from hazecast.services.store.drafts import Decider
from hazecast.services.web.access import require
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.page.place_search import nearest
from hazecast.services.web.pages import link_next
from hazecast.services.web.places import Paged
from hazecast.services.web.problems import Refusal
from hazecast.services.web.routes.common import CONFLICT, DENIED, INVALID, NOT_FOUND
from hazecast.services.web.schemas.city_entries import CityFieldsIn, NewCityIn
from hazecast.services.web.schemas.own_cities import (
    AdministeredCitiesOut,
    AdministeredCityOut,
    CheckedCityOut,
    CityChangeOut,
    CityDetailOut,
    FolderOut,
    Note,
)

Administrator = Annotated[Identity, Depends(require("cities:admin"))]
CityId = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]*$", max_length=64, examples=["lyon"])]
_CHANGES = DENIED | NOT_FOUND | CONFLICT | INVALID

router = APIRouter(prefix="/administration/cities", tags=["administration"])


@router.get("", responses=DENIED | INVALID)
def cities(
    service: Given,
    request: Request,
    response: Response,
    paged: Paged,
    _: Administrator,
    own: Annotated[bool, Query(description="Only the bureau's own.")] = False,
) -> AdministeredCitiesOut:
    """All cities, also those that are not forecast: where they are entered, their rules, index, stations and forecast."""
    registry, entered = service.cities.refresh(), _entered(service)
    found = sorted((registry.cities | registry.others).values(), key=lambda city: (city.id not in entered, city.id))
    page, following = paged.of([city for city in found if city.id in entered or not own])
    held = held_of_cities(service.store)
    link_next(response, request, following)
    return AdministeredCitiesOut(
        items=[AdministeredCityOut(**_state(service, registry, city, entered, held)) for city in page],
        next=following,
        folder=_folder(service, registry),
        init_time=held.run.init_time if held.run else None,
        model_id=held.run.model_id if held.run else None,
        simulated=held.run.simulated if held.run else None,
    )


@router.post("/check", responses=DENIED | CONFLICT | INVALID)
def check(service: Given, new: NewCityIn, _: Administrator) -> CheckedCityOut:
    """What a new or changed city would be, with its area; nothing is written."""
    folder = service.settings.places.cities_dir
    with _refused():
        if folder is None:
            raise ConflictError("HAZECAST_CITIES_DIR", "not set", "a folder for own cities that the service may write")
        registry = registry_with(folder, new.fields(), service.settings)
    return _checked(service, registry, registry.city(new.id))


@router.post("", status_code=201, responses=DENIED | CONFLICT | INVALID)
def add(service: Given, new: NewCityIn, who: Administrator) -> CityDetailOut:
    """Add a city: it is forecast from the next cycle on."""
    with _refused():
        add_city(service.store, service.settings, new.fields(), _by(service, who))
    return _detail(service, new.id)


@router.get("/{city_id}", responses=DENIED | NOT_FOUND | INVALID)
def city(service: Given, city_id: CityId, _: Administrator) -> CityDetailOut:
    """One city, with its area and what was done with it."""
    return _detail(service, city_id)


@router.put("/{city_id}", responses=_CHANGES)
def change(service: Given, city_id: CityId, fields: CityFieldsIn, who: Administrator) -> CityDetailOut:
    """Change a city, or withdraw it (`forecast`: false). A shipped one is replaced by an own one of its id."""
    with _refused():
        change_city(service.store, service.settings, fields.fields(city_id), _by(service, who))
    return _detail(service, city_id)


@router.delete("/{city_id}", status_code=204, responses=_CHANGES)
def remove(service: Given, city_id: CityId, who: Administrator) -> None:
    """Remove an own city of which nothing is stored, or bring back the shipped one whose place it took."""
    with _refused():
        remove_city(service.store, service.settings, city_id, _by(service, who))
    service.cities.refresh()


def _by(service: Service, who: Identity) -> Author:
    return Author(who.name, service.clock(), Decider(who.account_id, who.key_id))


@contextmanager
def _refused() -> Iterator[None]:
    """Answer what the files of cities refuse as a problem that names the field alone: "lyon.toml: city lyon, code" is "code"."""
    try:
        yield
    except (ConflictError, UnknownError) as error:
        raise Refusal(error) from error
    except InputError as error:
        raise Refusal(InputError(error.where.rpartition(", ")[2], error.found, error.expected)) from error


def _entered(service: Service) -> dict[str, Entered]:
    try:
        return own_cities(service.settings)
    except InputError:
        # The answer's `fault` says so.
        return {}


def _folder(service: Service, registry: Registry) -> FolderOut:
    trouble, folder = trouble_of(service.settings), service.settings.places.cities_dir
    try:
        if folder is None or trouble == "missing":
            return FolderOut(trouble=trouble, fault=None)
        city_registry(service.settings)
        found = findings(folder, registry, service.book)
    except InputError as error:
        return FolderOut(trouble=trouble, fault=without_folder(error, folder) if folder else str(error))
    lists = {name: list(getattr(found, name)) for name in ("replaced", "not_forecast", "english_only", "without_rules")}
    return FolderOut(trouble=trouble, fault=None, **lists)


def _base(service: Service, registry: Registry, city: City) -> dict[str, Any]:
    """Return a city as the API shows it, its index and its rule sets."""
    now = service.clock()
    region = registry.regions.get(city.region)
    rules = service.book.of_city(city, now, service.settings.warnings.rule_sets)
    return city.model_dump() | {
        "partners": list(region.partners) if region else [],
        "index": day_standard(city, now),
        "rule_sets": [one.id for one in rules],
    }  # fmt: skip


def _area(registry: Registry, city: City) -> dict[str, Any]:
    found = city_area(city, registry)
    shape = {"area": as_geojson(found.geometry), "kind": found.kind}
    return shape | {"administrative": found.administrative, "cut": found.cut}


def _state(
    service: Service, registry: Registry, city: City, entered: Mapping[str, Entered], held: Held
) -> dict[str, Any]:
    own = entered.get(city.id)
    by = "none" if held.run is None or city.id not in held.forecast else "model"
    if by == "model" and held.run is not None and held.run.model_id == NO_TRAINED_MODEL:
        by = "stand_in"
    return _base(service, registry, city) | {
        "stations": list(city.stations),
        "rated_by": city.rated_by,
        # Where a file is wrong, none is read.
        "origin": "shipped" if own is None and city.id in load_registry().cities else "own",
        "file": own.file if own else None,
        "editable": own is None or (own.alone and own.file == f"{city.id}.toml"),
        "wanted": city.id in registry.cities,
        "stations_known": held.stations.get(city.id, 0),
        "stations_reporting": held.reporting.get(city.id, 0),
        "forecast_by": by,
        "reason": held.skipped.get(city.id),
    }


def _detail(service: Service, name: str) -> CityDetailOut:
    registry = service.cities.refresh()
    try:
        found = registry.city(name)
    except InputError as error:
        raise Refusal(UnknownError(error.where, error.found, error.expected)) from error
    changes = [CityChangeOut.of(row) for row in changes_of(service.store, name)]
    state = _state(service, registry, found, _entered(service), held_of_cities(service.store))
    return CityDetailOut(**state, **_area(registry, found), changes=changes)


def _checked(service: Service, registry: Registry, city: City) -> CheckedCityOut:
    notes: list[Note] = []
    if in_english_only(city):
        notes.append("english_only")
    if not has_rules(city, service.book):
        notes.append("without_rules")
    if city.id in load_registry().cities:
        notes.append("replaces_shipped")
    notes.extend(doubts(city))
    others = registry.model_copy(update={"cities": {name: c for name, c in registry.cities.items() if name != city.id}})
    near = nearest(others, city.latitude, city.longitude) if others.cities else None
    return CheckedCityOut(
        # Beside the cities as they are: their areas are known, that of one city is quickly found.
        **_base(service, registry, city), **_area(service.registry, city), notes=notes,
        nearest=near.city.id if near else None,
        distance=round(near.distance, 1) if near and near.distance is not None else None,
    )  # fmt: skip
