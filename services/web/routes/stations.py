"""Stations of the networks, and what each observed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from hazecast.grids.contract import HISTORY_HOURS, POLLUTANTS
from hazecast.grids.times import format_time
from hazecast.services.store.station_readings import newest_of_station, readings_page, station_of, stations_page
from hazecast.services.store.tables.forecasts import MonitorStation
from hazecast.services.web.dependencies import Given
from hazecast.services.web.negotiate import (
    AsFormat,
    Format,
    answer,
    as_json,
    choose,
    point,
    representations,
)
from hazecast.services.web.pages import Cursor, Limit, cut, from_cursor, link_next
from hazecast.services.web.places import Chosen
from hazecast.services.web.routes.common import COORDINATE_DECIMALS, INVALID, NOT_FOUND, UNCHANGED
from hazecast.services.web.schemas.places import StationHoursOut, StationOut, StationsOut
from hazecast.services.web.tabular import table_answer
from hazecast.services.web.times import Within

_LIST_FORMATS: tuple[Format, ...] = ("json", "geojson", "csv", "parquet")
_HOUR_FORMATS: tuple[Format, ...] = ("json", "csv", "parquet")
_UNITS = {name: variable.units for name, variable in POLLUTANTS.items()}
_COLUMNS = ("station", "time", *(column for name in POLLUTANTS for column in (name, f"{name}_flag")))
_ANSWERS = INVALID | UNCHANGED
StationId = Annotated[str, Path(max_length=128, description="source:code", examples=["cnemc:1001A"])]

router = APIRouter(prefix="/stations", tags=["observations"])


@router.get("", response_class=JSONResponse, responses=_ANSWERS | representations(*_LIST_FORMATS, like=StationsOut))
def stations(
    service: Given, request: Request, places: Chosen, limit: Limit = 100, cursor: Cursor = None, form: AsFormat = None
) -> Response:
    """The stations that have been read, by id, in pages; each with its network's licence and attribution."""
    chosen = choose(request, form, _LIST_FORMATS)
    cities = None if places.all else [city.id for city in places.of(service.registry)]
    keys = from_cursor(cursor, str)
    found = stations_page(service.store, cities, after=None if keys is None else keys[0], limit=limit)
    page, following = cut(found, limit, lambda station: (station.id,))
    listed = [_station(station).model_dump() for station in page]
    if chosen in ("csv", "parquet"):
        made = table_answer(service, request, chosen, listed, list(StationOut.model_fields), name="stations")
    elif chosen == "geojson":
        features = [
            point(one["longitude"], one["latitude"], one["id"], one) for one in listed if one["latitude"] is not None
        ]
        made = answer(as_json({"type": "FeatureCollection", "features": features, "next": following}), "geojson")
    else:
        made = answer(as_json({"items": listed, "next": following}), "json")
    return link_next(made, request, following)


@router.get(
    "/{station_id}/observations",
    response_class=JSONResponse,
    responses=_ANSWERS | NOT_FOUND | representations(*_HOUR_FORMATS, like=StationHoursOut),
)
def station_observations(
    service: Given,
    request: Request,
    station_id: StationId,
    within: Within,
    limit: Annotated[int, Query(ge=1, le=2000, description="Hours in a page.")] = 500,
    cursor: Cursor = None,
    form: AsFormat = None,
) -> Response:
    """What a station observed, oldest first, in pages; by default the last 72 hours up to its newest.

    A value that quality control doesn't let be used is null, and its flag says why.
    """
    chosen, station = choose(request, form, _HOUR_FORMATS), station_of(service.store, station_id)
    newest = None if station is None else newest_of_station(service.store, station_id)
    if station is None or newest is None:
        raise HTTPException(404, f"station: found {station_id[:80]}; expected the id of one in /v1/stations")
    end = within.end or newest
    start = within.start or end - timedelta(hours=HISTORY_HOURS - 1)
    keys = from_cursor(cursor, datetime)
    after = None if keys is None else keys[0]
    times, readings = readings_page(service.store, station_id, start=start, end=end, after=after, limit=limit)
    page, following = cut(times, limit, lambda time: (time,))
    hours = _hours(page, readings)
    if chosen in ("csv", "parquet"):
        rows = [_row(station_id, hour) for hour in hours]
        made = table_answer(service, request, chosen, rows, _COLUMNS, name="station")
        return link_next(made, request, following)
    content = {"station": _station(station).model_dump(), "units": _UNITS, "items": hours, "next": following}
    return link_next(answer(as_json(content), "json"), request, following)


def _hours(times: Sequence[datetime], readings: Sequence[Any]) -> list[dict[str, Any]]:
    found: dict[datetime, dict[str, Any]] = {
        time: {"time": format_time(time), **dict.fromkeys(POLLUTANTS), "flags": {}} for time in times
    }
    for time, pollutant, value, flag in readings:
        if time in found and pollutant in POLLUTANTS:
            found[time][pollutant] = None if value is None else round(value, 1)
            found[time]["flags"][pollutant] = flag
    return list(found.values())


def _row(station_id: str, hour: dict[str, Any]) -> dict[str, Any]:
    flags = {f"{name}_flag": flag for name, flag in hour["flags"].items()}
    return {"station": station_id} | hour | flags


def _station(station: MonitorStation) -> StationOut:
    place: dict[str, Any] = {
        name: None if value is None else round(value, COORDINATE_DECIMALS)
        for name, value in (("latitude", station.latitude), ("longitude", station.longitude))
    }
    plain: dict[str, Any] = {
        name: getattr(station, name) for name in ("id", "source", "name", "city", "siting", "licence", "attribution")
    }
    return StationOut(**plain, **place)
