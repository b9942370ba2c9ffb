"""Observations through the API: a city's hours in pages, and one hour of all cities."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from hazecast.grids.contract import HISTORY_HOURS, POLLUTANTS
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.times import format_time
from hazecast.services.store.observations import observed_hours
from hazecast.services.store.reads import OBSERVED_COLUMNS, newest_observed, observations_page, observed_hour
from hazecast.services.store.store import Store
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.drawn import draw
from hazecast.services.web.negotiate import (
    AsFormat,
    Format,
    answer,
    as_json,
    choose,
    point,
    representations,
)
from hazecast.services.web.pages import Cursor, cut, from_cursor, link_next
from hazecast.services.web.places import Chosen, Paged
from hazecast.services.web.problems import InvalidArgument
from hazecast.services.web.routes.common import INVALID, NOT_FOUND, UNCHANGED, coordinates, known_city, shows_simulated
from hazecast.services.web.schemas.forecasts import ObservationsOut, ObservedHourOut
from hazecast.services.web.tabular import table_answer
from hazecast.services.web.times import Period, Time, Within
from hazecast.services.work.plain_dataset import to_plain
from hazecast.services.work.published_files import observations_netcdf

_CITY_FORMATS: tuple[Format, ...] = ("json", "csv", "parquet", "netcdf")
_HOUR_FORMATS: tuple[Format, ...] = ("json", "geojson", "csv", "parquet")
_COLUMNS = ("city", "time", "simulated", *OBSERVED_COLUMNS)
_UNITS = {name: variable.units for name, variable in POLLUTANTS.items()}
_ANSWERS = NOT_FOUND | INVALID | UNCHANGED
_LONGEST_FILE = timedelta(days=366)


router = APIRouter(tags=["observations"])


@router.get(
    "/cities/{city_id}/observations",
    response_class=JSONResponse,
    responses=_ANSWERS | representations(*_CITY_FORMATS, like=ObservationsOut),
)
async def city_observations(
    service: Given,
    request: Request,
    city_id: str,
    within: Within,
    limit: Annotated[int, Query(ge=1, le=2000, description="Hours in a page.")] = 500,
    cursor: Cursor = None,
    form: AsFormat = None,
) -> Response:
    """A city's observed hours, oldest first; by default the last 72 hours that are stored.

    A time is the end of its hour; a flag of 0 means that quality control lets the value be used. NetCDF is
    the whole period by CF-1.11 and ACDD-1.3, of a year at most; the others come in pages.
    """
    known_city(service.registry, city_id)
    chosen = choose(request, form, _CITY_FORMATS)
    simulated, start, end = await run_in_threadpool(_period, service.store, city_id, within)
    if chosen == "netcdf":
        plain = await run_in_threadpool(_observed, service.store, city_id, simulated, start, end)
        content = await draw(
            request, service.pool, ("observed", plain), observations_netcdf, service.settings, plain, end
        )
        return answer(content, "netcdf", name=f"{city_id}-observations")
    keys = from_cursor(cursor, datetime)
    after = None if keys is None else keys[0]
    page = await run_in_threadpool(
        observations_page, service.store, city_id, simulated, start=start, end=end, after=after, limit=limit
    )
    return await run_in_threadpool(_page_answer, service, request, city_id, simulated, page, limit, chosen)


def _period(store: Store, city_id: str, within: Period) -> tuple[bool, datetime, datetime]:
    simulated = shows_simulated(store)
    end = within.end or newest_observed(store, simulated, city_id)
    if end is None:
        raise HTTPException(404, f"no observation of {city_id} is stored")
    return simulated, within.start or end - timedelta(hours=HISTORY_HOURS - 1), end


def _page_answer(
    service: Service, request: Request, city_id: str, simulated: bool, found: Sequence[Any], limit: int, form: Format
) -> Response:
    page, following = cut(found, limit, lambda row: (row.time,))
    hours = [_hour(row, simulated) for row in page]
    if form in ("csv", "parquet"):
        made = table_answer(service, request, form, hours, _COLUMNS, name=f"{city_id}-observations")
    else:
        for hour in hours:
            del hour["city"], hour["simulated"]
        content = {"city": city_id, "simulated": simulated, "units": _UNITS, "items": hours, "next": following}
        made = answer(as_json(content), "json")
    link_next(made, request, following)
    return made


@router.get(
    "/observations",
    response_class=JSONResponse,
    responses=_ANSWERS | representations(*_HOUR_FORMATS, like=ObservedHourOut),
)
def observations(
    service: Given,
    request: Request,
    places: Chosen,
    paged: Paged,
    time: Annotated[Time | None, Query(description="End of the hour; by default the newest.")] = None,
    form: AsFormat = None,
) -> Response:
    """What was observed in one hour, in all cities or some, in pages: the header Link has the address of the next."""
    chosen, simulated = choose(request, form, _HOUR_FORMATS), shows_simulated(service.store)
    known = {city.id: city for city in places.of(service.registry)}
    when = time or newest_observed(service.store, simulated)
    rows = {} if when is None else {r.city: r for r in observed_hour(service.store, simulated, when) if r.city in known}
    if when is None or not rows:
        raise HTTPException(404, "no such observation is stored")
    page, following = paged.of([known[name] for name in sorted(rows)])
    cities = [_hour(rows[city.id], simulated) for city in page]
    if chosen in ("csv", "parquet"):
        name = f"observations-{when:%Y%m%dT%H%MZ}"
        return link_next(table_answer(service, request, chosen, cities, _COLUMNS, name=name), request, following)
    return link_next(_hour_answer(cities, page, when, simulated, chosen, following), request, following)


def _hour_answer(
    cities: list[dict[str, Any]],
    page: Sequence[City],
    when: datetime,
    simulated: bool,
    chosen: Format,
    following: str | None,
) -> Response:
    for city in cities:
        del city["time"], city["simulated"]
    head = {"time": format_time(when), "simulated": simulated, "units": _UNITS}
    if chosen == "geojson":
        places = [coordinates(city) for city in page]
        features = [
            point(place["longitude"], place["latitude"], hour["city"], hour)
            for place, hour in zip(places, cities, strict=True)
        ]
        collection = {"type": "FeatureCollection", **head, "features": features, "next": following}
        return answer(as_json(collection), "geojson")
    return answer(as_json(head | {"items": cities, "next": following}), "json")


def _observed(store: Store, city: str, simulated: bool, start: datetime, end: datetime) -> bytes:
    if end - start > _LONGEST_FILE:
        raise InvalidArgument("from", format_time(start), f"a time not more than {_LONGEST_FILE.days} days before `to`")
    try:
        return to_plain(observed_hours(store, start, end, simulated, city))
    except InputError as error:
        raise HTTPException(404, str(error)) from error


def _hour(row: Any, simulated: bool) -> dict[str, Any]:
    city, time, *values = row
    rounded = [round(value, 1) if isinstance(value, float) else value for value in values]
    hour = {"city": city, "time": format_time(time), "simulated": simulated}
    return hour | dict(zip(OBSERVED_COLUMNS, rounded, strict=True))
