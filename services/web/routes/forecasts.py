"""Forecasts through the API: of a city, of a run, and the list of runs; as JSON, CSV, NetCDF or GeoJSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from starlette.concurrency import run_in_threadpool

from hazecast.grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS
from hazecast.grids.errors import InputError, UnknownError
from hazecast.grids.places.cities import City, Registry
from hazecast.services.store.reads import QUANTILE_COLUMNS, VALUE_COLUMNS, runs_page, values_of
from hazecast.services.store.run_files import large_product, read_product
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.web.answers import cache_answer
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.drawn import draw
from hazecast.services.web.negotiate import (
    MEDIA_TYPES,
    AsFormat,
    Format,
    answer,
    as_csv,
    as_json,
    choose,
    point,
    representations,
)
from hazecast.services.web.pages import Cursor, from_cursor, link_next, to_cursor
from hazecast.services.web.places import Chosen, CityPage, Paged, Places
from hazecast.services.web.routes.common import INVALID, NOT_FOUND, UNCHANGED, known_city, latest_run
from hazecast.services.web.schemas.forecasts import ForecastOut, RunForecastOut, RunOut, RunsOut
from hazecast.services.web.times import InitTime, Period, Time, Within, stamp
from hazecast.services.work.native_work import netcdf_part
from hazecast.services.work.stored_forecast import NETCDF, restore_netcdf

_CITY_FORMATS: tuple[Format, ...] = ("json", "csv", "netcdf")
_RUN_FORMATS: tuple[Format, ...] = ("json", "geojson", "csv", "netcdf")
_CSV_COLUMNS = ("city", "init_time", "simulated", "lead_time", "time", "local_time", *VALUE_COLUMNS)
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
    responses=_ANSWERS | representations(*_CITY_FORMATS, like=ForecastOut),
)
async def city_forecast(
    service: Given,
    request: Request,
    city_id: str,
    within: Within,
    init_time: Annotated[
        Time | None, Query(description="Of this run; by default the newest.", examples=["2013-01-11T22:00:00Z"])
    ] = None,
    form: AsFormat = None,
) -> Response:
    """The forecast of a city: five days of PM2.5 and ozone by hour with their uncertainty.

    `from` and `to` choose hours by the time they end at.
    """
    city, chosen = known_city(service.registry, city_id), choose(request, form, _CITY_FORMATS)
    if init_time is None:
        run = await run_in_threadpool(latest_run, service.store)
    else:
        run = await run_in_threadpool(_run_at, service.store, init_time, None)
    first, last = _leads(run, within)
    cache_answer(request, modified=run.created_at)
    if chosen == "netcdf":
        content = await _netcdf(service, request, run, [city_id], first, last)
        return answer(content, "netcdf", name=_name(run, city_id))
    return await run_in_threadpool(_city_answer, service, run, city, first, last, chosen)


def _city_answer(service: Service, run: ForecastRun, city: City, first: int, last: int, form: Format) -> Response:
    rows = values_of(service.store, run, [city.id], first, last)
    if not rows:
        raise HTTPException(404, f"the forecast of {run.init_time.isoformat()} has no such hours of {city.id}")
    if form == "csv":
        return answer(as_csv(_table(run, rows, service.registry), _CSV_COLUMNS), "csv", name=_name(run, city.id))
    return _json(_city_content(run, city, rows))


def _name(run: ForecastRun, city: str = "") -> str:
    return f"{city}-{run.init_time:%Y%m%dT%H%MZ}".removeprefix("-")


@router.get("/forecasts", responses=INVALID | UNCHANGED)
def runs(
    service: Given,
    request: Request,
    response: Response,
    within: Within,
    simulated: Simulated = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Cursor = None,
) -> RunsOut:
    """The stored runs, newest first; `from` and `to` are about their init times."""
    keys = from_cursor(cursor, datetime, bool)
    after = None if keys is None else (keys[0], keys[1])
    found = runs_page(service.store, simulated=simulated, start=within.start, end=within.end, after=after, limit=limit)
    page, more = found[:limit], len(found) > limit
    following = to_cursor(page[-1].init_time, page[-1].simulated) if more else None
    link_next(response, request, following)
    cache_answer(request)
    return RunsOut(runs=[RunOut(**_head(run), created_at=run.created_at) for run in page], next=following)


@router.get(
    "/forecasts/latest",
    response_class=JSONResponse,
    responses=_ANSWERS | representations(*_RUN_FORMATS, like=RunForecastOut),
)
async def latest_forecast(
    service: Given,
    request: Request,
    places: Chosen,
    paged: Paged,
    within: Within,
    simulated: Simulated = None,
    form: AsFormat = None,
) -> Response:
    """The newest run, or some of its cities and hours, in pages of cities: the header Link has the address of the next.

    NetCDF is the stored file in the data contract, in one piece. GeoJSON has a point for each city, with its values as
    lists in the order of `time`.
    """
    run = await run_in_threadpool(service.store.latest_run, simulated)
    if run is None:
        raise HTTPException(404, "no such forecast is stored yet")
    return await _run_answer(service, request, run, places, paged, within, form)


@router.get(
    "/forecasts/{init_time}",
    response_class=JSONResponse,
    responses=_ANSWERS | representations(*_RUN_FORMATS, like=RunForecastOut),
)
async def forecast_of_run(
    service: Given,
    request: Request,
    init_time: InitTime,
    places: Chosen,
    paged: Paged,
    within: Within,
    simulated: Simulated = None,
    form: AsFormat = None,
) -> Response:
    """One run, as `/forecasts/latest` gives the newest."""
    run = await run_in_threadpool(_run_at, service.store, init_time, simulated)
    return await _run_answer(service, request, run, places, paged, within, form)


async def _run_answer(
    service: Service,
    request: Request,
    run: ForecastRun,
    places: Places,
    paged: CityPage,
    within: Period,
    form: Format | None,
) -> Response:
    chosen = choose(request, form, _RUN_FORMATS)
    cities = places.of(service.registry)
    first, last = _leads(run, within)
    cache_answer(request, modified=run.created_at)
    if chosen == "netcdf":
        if places.all and (first, last) == (1, LEAD_HOURS):
            file = await run_in_threadpool(large_product, Path(run.netcdf_path), NETCDF, _SENT_FROM_DISK)
            if file is not None:
                # Not stored: no cache of answers holds it in memory.
                headers = {"Cache-Control": "no-store", "Vary": "Accept"}
                return FileResponse(
                    file, media_type=MEDIA_TYPES["netcdf"], filename=f"{_name(run)}.nc", headers=headers
                )
        wanted = None if places.all else [city.id for city in cities]
        return answer(await _netcdf(service, request, run, wanted, first, last), "netcdf", name=_name(run))
    page, following = paged.of(sorted(cities, key=lambda city: city.id))
    ids = [city.id for city in page]
    made = await run_in_threadpool(_values_answer, service, run, ids, first, last, chosen, following)
    return link_next(made, request, following)


def _values_answer(
    service: Service, run: ForecastRun, cities: list[str], first: int, last: int, form: Format, following: str | None
) -> Response:
    rows = values_of(service.store, run, cities, first, last)
    if form == "csv":
        return answer(as_csv(_table(run, rows, service.registry), _CSV_COLUMNS), "csv", name=_name(run))
    by_city: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by_city[row.city].append(row)
    if form == "geojson":
        features = [_feature(run, service.registry.city(name), found) for name, found in by_city.items()]
        content = {
            "type": "FeatureCollection",
            **_head(run),
            "units": "ug m-3",
            "features": features,
            "next": following,
        }
        return answer(as_json(content), "geojson")
    content = _head(run) | {
        "units": "ug m-3",
        "cities": [
            {"city": name, "hours": _hours(run, found, ZoneInfo(service.registry.city(name).time_zone))}
            for name, found in by_city.items()
        ],
        "next": following,
    }
    return _json(content)


def forecast_of_city(store: Store, run: ForecastRun, city: City) -> ForecastOut | None:
    """Return a city's part of a run as the API answers it.

    Parameters
    ----------
    store : Store
    run : ForecastRun
    city : City

    Returns
    -------
    ForecastOut or None
        None if the run has no values of the city.
    """
    rows = values_of(store, run, [city.id], 1, LEAD_HOURS)
    return ForecastOut.model_validate(_city_content(run, city, rows)) if rows else None


def _city_content(run: ForecastRun, city: City, rows: Sequence[Any]) -> dict[str, Any]:
    hours = _hours(run, rows, ZoneInfo(city.time_zone))
    return _head(run) | {"city": city.id, "units": "ug m-3", "hours": hours}


def _run_at(store: Store, init_time: datetime, simulated: bool | None) -> ForecastRun:
    kinds = (False, True) if simulated is None else (simulated,)
    found = next((run for kind in kinds if (run := store.run_at(init_time, kind))), None)
    if found is None:
        raise HTTPException(
            404, f"no forecast of {init_time.isoformat()} is stored; /v1/forecasts lists those that are"
        )
    return found


def _leads(run: ForecastRun, within: Period) -> tuple[int, int]:
    """Return the first and last lead time whose hours end within a period."""
    hour = timedelta(hours=1)
    first = 1 if within.start is None else -((run.init_time - within.start) // hour)
    last = LEAD_HOURS if within.end is None else (within.end - run.init_time) // hour
    return max(first, 1), min(last, LEAD_HOURS)


def _head(run: ForecastRun) -> dict[str, Any]:
    return {
        "init_time": stamp(run.init_time),
        "simulated": run.simulated,
        "degraded": run.degraded,
        "model_id": run.model_id,
        "weather_source": run.weather_source,
        "humidity_source": run.humidity_source,
        "observations_until": stamp(run.observations_until),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _hours(run: ForecastRun, rows: Sequence[Any], zone: ZoneInfo) -> list[dict[str, Any]]:
    hours = []
    for row in rows:
        _, lead, *values = row
        time = run.init_time + timedelta(hours=lead)
        hour: dict[str, Any] = {
            "lead_time": lead,
            "time": stamp(time),
            "local_time": time.astimezone(zone).isoformat(),
        }
        parts = iter(values)
        for name in FORECAST_POLLUTANTS:
            hour[name] = {part: _rounded(next(parts)) for part in QUANTILE_COLUMNS}
        hour["relative_humidity"] = _rounded(next(parts))
        hours.append(hour)
    return hours


def _table(run: ForecastRun, rows: Sequence[Any], registry: Registry) -> list[dict[str, Any]]:
    fixed = {"init_time": stamp(run.init_time), "simulated": run.simulated}
    table = []
    for row in rows:
        city, lead, *values = row
        time = run.init_time + timedelta(hours=lead)
        local = time.astimezone(ZoneInfo(registry.city(city).time_zone))
        stamps = {"city": city, "lead_time": lead, "time": stamp(time), "local_time": local.isoformat()}
        table.append(fixed | stamps | dict(zip(VALUE_COLUMNS, map(_rounded, values), strict=True)))
    return table


def _feature(run: ForecastRun, city: City, rows: Sequence[Any]) -> dict[str, Any]:
    columns = list(zip(*rows, strict=True))
    properties: dict[str, Any] = city.model_dump(include={"name_zh", "name_ja", "name_en", "country", "region"})
    properties["lead_time"] = list(columns[1])
    properties["time"] = [stamp(run.init_time + timedelta(hours=lead)) for lead in columns[1]]
    for name, column in zip(VALUE_COLUMNS, columns[2:], strict=True):
        properties[name] = [_rounded(value) for value in column]
    return point(city.longitude, city.latitude, city.id, properties)


async def _netcdf(
    service: Service, request: Request, run: ForecastRun, cities: list[str] | None, first: int, last: int
) -> bytes:
    path = run.netcdf_path
    try:
        if cities is None and (first, last) == (1, LEAD_HOURS):
            stored = await run_in_threadpool(read_product, Path(path), NETCDF)
            return stored or await draw(request, service.pool, (path, NETCDF), restore_netcdf, Path(path))
        asked = (path, None if cities is None else tuple(cities), first, last)
        return await draw(request, service.pool, ("netcdf", *asked), netcdf_part, *asked)
    except UnknownError as error:
        raise HTTPException(404, "the forecast has no such cities and hours") from error
    except (InputError, OSError) as error:
        gone = (
            f"the file of the forecast of {run.init_time.isoformat()} is gone; its values are answered as JSON and CSV"
        )
        raise HTTPException(404, gone) from error


def _json(content: dict[str, Any]) -> Response:
    return answer(as_json(content), "json")
