"""Forecasts through the API: of a city, of a run, and the list of runs; as JSON, CSV, NetCDF or GeoJSON."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from starlette.concurrency import run_in_threadpool

from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.errors import InputError, UnknownError
from hazecast.grids.places.cities import City
from hazecast.grids.times import format_time
from hazecast.services.store.reads import runs_page, values_of
from hazecast.services.store.run_files import large_product
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.web.answers import cache_answer
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.drawn import draw, product
from hazecast.services.web.forecast_content import city_content, columns_of, feature, hours, run_head, table
from hazecast.services.web.negotiate import (
    MEDIA_TYPES,
    AsFormat,
    Format,
    answer,
    as_json,
    choose,
    representations,
)
from hazecast.services.web.pages import Cursor, Limit, cut, from_cursor, link_next
from hazecast.services.web.places import Chosen, CityPage, Paged, Places
from hazecast.services.web.routes.common import INVALID, NOT_FOUND, UNCHANGED, known_city, run_of
from hazecast.services.web.schemas.forecasts import PartForecastOut, PartRunForecastOut, RunOut, RunsOut
from hazecast.services.web.selection import VARIABLES, OfRun, Selection, Shows
from hazecast.services.web.tabular import table_answer
from hazecast.services.web.times import InitTime, Period, Within
from hazecast.services.work.published_files import PUBLISHED, forecast_netcdf

_CITY_FORMATS: tuple[Format, ...] = ("json", "csv", "parquet", "netcdf")
_RUN_FORMATS: tuple[Format, ...] = ("json", "geojson", "csv", "parquet", "netcdf")
# Bytes from which a file is sent from disk: that of some thousand cities.
_SENT_FROM_DISK = 16 * 2**20
_ANSWERS = NOT_FOUND | INVALID | UNCHANGED
Simulated = Annotated[
    bool | None, Query(description="Only simulated runs, or only real ones; by default a real one where there is any.")
]


router = APIRouter(tags=["forecasts"])


@router.get(
    "/cities/{city_id}/forecast",
    response_class=JSONResponse,
    responses=_ANSWERS | representations(*_CITY_FORMATS, like=PartForecastOut),
)
async def city_forecast(
    service: Given,
    request: Request,
    city_id: str,
    within: Within,
    shown: Shows,
    init_time: OfRun = None,
    form: AsFormat = None,
) -> Response:
    """The forecast of a city: five days of PM2.5 and ozone by hour with their uncertainty.

    `from` and `to` choose hours by the time they end at; of what is not among `variables` an hour has nothing.
    """
    city, chosen = known_city(service.registry, city_id), choose(request, form, _CITY_FORMATS)
    run = await run_in_threadpool(run_of, service.store, init_time)
    first, last = leads_within(run, within)
    cache_answer(request, modified=run.created_at)
    if chosen == "netcdf":
        content = await _netcdf(service, request, run, [city_id], first, last, shown)
        return answer(content, "netcdf", name=_name(run, city_id))
    return await run_in_threadpool(_city_answer, service, request, run, city, first, last, shown, chosen)


def _city_answer(
    service: Service,
    request: Request,
    run: ForecastRun,
    city: City,
    first: int,
    last: int,
    shown: Selection,
    form: Format,
) -> Response:
    rows = values_of(service.store, run, [city.id], first, last)
    if not rows:
        raise HTTPException(404, f"the forecast of {format_time(run.init_time)} has no such hours of {city.id}")
    if form in ("csv", "parquet"):
        found = table(run, rows, service.registry, shown)
        return table_answer(service, request, form, found, columns_of(shown), name=_name(run, city.id))
    return _json(city_content(run, city, rows, shown))


def _name(run: ForecastRun, city: str = "") -> str:
    return f"{city}-{run.init_time:%Y%m%dT%H%MZ}".removeprefix("-")


@router.get("/forecasts", responses=INVALID | UNCHANGED)
def runs(
    service: Given,
    request: Request,
    response: Response,
    within: Within,
    simulated: Simulated = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RunsOut:
    """The stored runs, newest first; `from` and `to` are about their init times."""
    keys = from_cursor(cursor, datetime, bool)
    after = None if keys is None else (keys[0], keys[1])
    found = runs_page(service.store, simulated=simulated, start=within.start, end=within.end, after=after, limit=limit)
    page, following = cut(found, limit, lambda run: (run.init_time, run.simulated))
    link_next(response, request, following)
    cache_answer(request)
    return RunsOut(items=[RunOut(**run_head(run), created_at=run.created_at) for run in page], next=following)


@router.get(
    "/forecasts/latest",
    response_class=JSONResponse,
    responses=_ANSWERS | representations(*_RUN_FORMATS, like=PartRunForecastOut),
)
async def latest_forecast(
    service: Given,
    request: Request,
    places: Chosen,
    paged: Paged,
    within: Within,
    shown: Shows,
    simulated: Simulated = None,
    form: AsFormat = None,
) -> Response:
    """The newest run, or some of its cities and hours, in pages of cities: the header Link has the address of the next.

    NetCDF is one piece, by CF-1.11 and ACDD-1.3. GeoJSON has a point for each city, with its values as
    lists in the order of `time`.
    """
    run = await run_in_threadpool(service.store.latest_run, simulated)
    if run is None:
        raise HTTPException(404, "no such forecast is stored yet")
    return await _run_answer(service, request, run, places, paged, within, shown, form)


@router.get(
    "/forecasts/{init_time}",
    response_class=JSONResponse,
    responses=_ANSWERS | representations(*_RUN_FORMATS, like=PartRunForecastOut),
)
async def forecast_of_run(
    service: Given,
    request: Request,
    init_time: InitTime,
    places: Chosen,
    paged: Paged,
    within: Within,
    shown: Shows,
    simulated: Simulated = None,
    form: AsFormat = None,
) -> Response:
    """One run, as `/forecasts/latest` gives the newest."""
    run = await run_in_threadpool(run_of, service.store, init_time, simulated)
    return await _run_answer(service, request, run, places, paged, within, shown, form)


async def _run_answer(
    service: Service,
    request: Request,
    run: ForecastRun,
    places: Places,
    paged: CityPage,
    within: Period,
    shown: Selection,
    form: Format | None,
) -> Response:
    chosen = choose(request, form, _RUN_FORMATS)
    cities = places.of(service.registry)
    first, last = leads_within(run, within)
    cache_answer(request, modified=run.created_at)
    if chosen == "netcdf":
        if places.all and (first, last) == (1, LEAD_HOURS) and shown.variables == VARIABLES:
            file = await run_in_threadpool(large_product, Path(run.netcdf_path), PUBLISHED, _SENT_FROM_DISK)
            if file is not None:
                # Not stored: no cache of answers holds it in memory.
                headers = {"Cache-Control": "no-store", "Vary": "Accept"}
                return FileResponse(
                    file, media_type=MEDIA_TYPES["netcdf"], filename=f"{_name(run)}.nc", headers=headers
                )
        wanted = None if places.all else [city.id for city in cities]
        return answer(await _netcdf(service, request, run, wanted, first, last, shown), "netcdf", name=_name(run))
    page, following = paged.of(sorted(cities, key=lambda city: city.id))
    ids = [city.id for city in page]
    made = await run_in_threadpool(_values_answer, service, request, run, ids, first, last, shown, chosen, following)
    return link_next(made, request, following)


def _values_answer(
    service: Service,
    request: Request,
    run: ForecastRun,
    cities: list[str],
    first: int,
    last: int,
    shown: Selection,
    form: Format,
    following: str | None,
) -> Response:
    rows = values_of(service.store, run, cities, first, last)
    if form in ("csv", "parquet"):
        found = table(run, rows, service.registry, shown)
        return table_answer(service, request, form, found, columns_of(shown), name=_name(run))
    by_city: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by_city[row.city].append(row)
    if form == "geojson":
        features = [feature(run, service.registry.city(name), found, shown) for name, found in by_city.items()]
        content = {
            "type": "FeatureCollection",
            **run_head(run),
            "units": shown.units,
            "features": features,
            "next": following,
        }
        return answer(as_json(content), "geojson")
    content = run_head(run) | {
        "units": shown.units,
        "items": [
            {"city": name, "hours": hours(run, found, shown.zone(service.registry.city(name).time_zone), shown)}
            for name, found in by_city.items()
        ],
        "next": following,
    }
    return _json(content)


def leads_within(run: ForecastRun, within: Period) -> tuple[int, int]:
    """Return the first and last lead time whose hours end within a period.

    Parameters
    ----------
    run : ForecastRun
    within : Period

    Returns
    -------
    first, last : int
    """
    hour = timedelta(hours=1)
    first = 1 if within.start is None else -((run.init_time - within.start) // hour)
    last = LEAD_HOURS if within.end is None else (within.end - run.init_time) // hour
    return max(first, 1), min(last, LEAD_HOURS)


async def _netcdf(
    service: Service,
    request: Request,
    run: ForecastRun,
    cities: list[str] | None,
    first: int,
    last: int,
    shown: Selection,
) -> bytes:
    path = run.netcdf_path
    try:
        if cities is None and (first, last) == (1, LEAD_HOURS) and shown.variables == VARIABLES:
            whole = (service.settings, path, run.created_at)
            return await product(request, service.pool, path, PUBLISHED, forecast_netcdf, *whole)
        asked = (path, None if cities is None else tuple(cities), first, last, shown.variables)
        arguments = (service.settings, path, run.created_at, *asked[1:])
        return await draw(request, service.pool, ("netcdf", *asked), forecast_netcdf, *arguments)
    except UnknownError as error:
        raise HTTPException(404, "the forecast has no such cities and hours") from error
    except (InputError, OSError) as error:
        gone = (
            f"the file of the forecast of {format_time(run.init_time)} is gone; its values are answered as JSON and CSV"
        )
        raise HTTPException(404, gone) from error


def _json(content: dict[str, Any]) -> Response:
    return answer(as_json(content), "json")
