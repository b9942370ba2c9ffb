"""Maps and charts through the API: made with the cycle, or drawn in a subprocess when first requested."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Literal

import xarray as xr
from fastapi import APIRouter, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from hazecast.alerts.maps.options import Format, Size
from hazecast.alerts.messages.texts import Language
from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.grids.times import format_time
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.web.answers import cache_answer
from hazecast.services.web.dependencies import Given
from hazecast.services.web.drawn import draw, product
from hazecast.services.web.routes.common import INVALID, NOT_FOUND, UNCHANGED, known_city, run_of, shown_of_run
from hazecast.services.web.selection import OfRun
from hazecast.services.work import native_work
from hazecast.services.work.native_work import haze_map
from hazecast.services.work.public_haze import haze_name
from hazecast.services.work.stored_forecast import MEDIA_TYPES, Look, ValueKind, observed_before

InLanguage = Annotated[Language, Query(description="Of the words on it.")]
InSize = Annotated[Size, Query(description="For a desk, or narrow and with larger letters for a phone.")]
LeadTime = Annotated[int, Query(ge=1, le=LEAD_HOURS, description="Hours after the init time.")]
FirstLeadTime = Annotated[int, Query(ge=1, le=LEAD_HOURS - 23, description="The first of its 24 hours.")]
_PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "PNG"}}
_ANIMATION: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {} for media in MEDIA_TYPES.values()}, "description": "WebP, GIF or APNG"}
}
_ANSWERS = NOT_FOUND | INVALID | UNCHANGED


router = APIRouter(prefix="/maps", tags=["maps"])


@router.get("/haze.png", response_class=Response, responses=_ANSWERS | _PNG)
async def haze(
    service: Given,
    request: Request,
    init_time: OfRun = None,
    language: InLanguage = "zh",
    size: InSize = "desktop",
) -> Response:
    """The haze map of a forecast, 08 to 08 or 20 to 20 Beijing time, with the warnings in force.

    Once that time is over, the warnings are those in force at its end.
    """
    look = Look(language, size)
    run, in_force = await run_in_threadpool(shown_of_run, service, request, init_time)
    name, path = haze_name(service.settings, in_force, look), run.netcdf_path
    with _drawable(run):
        asked = (service.settings, path, in_force, look)
        content = await product(request, service.pool, path, name, haze_map, *asked, kept=init_time is None)
    return Response(content, media_type="image/png")


@router.get("/{kind}.png", response_class=Response, responses=_ANSWERS | _PNG)
async def hour_map(
    service: Given,
    request: Request,
    kind: ValueKind,
    lead_time: LeadTime = 1,
    init_time: OfRun = None,
    language: InLanguage = "zh",
    size: InSize = "desktop",
) -> Response:
    """PM2.5, ozone or China's AQI (from both) of one hour of a forecast."""
    run = await run_in_threadpool(run_of, service.store, init_time)
    cache_answer(request, modified=run.created_at)
    asked = (run.netcdf_path, kind, lead_time, Look(language, size))
    with _drawable(run):
        content = await draw(request, service.pool, ("hour", *asked), native_work.hour_map, service.settings, *asked)
    return Response(content, media_type="image/png")


@router.get("/day/{kind}.{form}", response_class=Response, responses=_ANSWERS | _ANIMATION)
async def day(
    service: Given,
    request: Request,
    kind: ValueKind,
    form: Format,
    lead_time: FirstLeadTime = 1,
    init_time: OfRun = None,
    language: InLanguage = "zh",
    size: InSize = "phone",
) -> Response:
    """24 hours of a forecast as an animation."""
    run = await run_in_threadpool(run_of, service.store, init_time)
    cache_answer(request, modified=run.created_at)
    asked = (run.netcdf_path, kind, lead_time, Look(language, size), form)
    with _drawable(run):
        content = await draw(request, service.pool, ("day", *asked), native_work.day_map, service.settings, *asked)
    return Response(content, media_type=MEDIA_TYPES[form])


@router.get("/fan/{city_id}.png", response_class=Response, responses=_ANSWERS | _PNG)
async def fan(
    service: Given,
    request: Request,
    city_id: str,
    pollutant: Literal["pm25", "o3"] = "pm25",
    init_time: OfRun = None,
    language: InLanguage = "zh",
    size: InSize = "desktop",
) -> Response:
    """The forecast of a city with its ranges, after what was observed in the days before."""
    city = known_city(service.registry, city_id)
    run, observed = await run_in_threadpool(_run_and_observed, service.store, init_time, city_id, pollutant)
    seen = None if observed is None else (str(observed["time"].values[0]), observed[pollutant].values.tobytes())
    asked = (run.netcdf_path, city, pollutant, Look(language, size))
    with _drawable(run):
        content = await draw(request, service.pool, ("fan", *asked, seen), native_work.fan_chart, *asked, observed)
    return Response(content, media_type="image/png")


def _run_and_observed(
    store: Store, init_time: datetime | None, city_id: str, pollutant: str
) -> tuple[ForecastRun, xr.Dataset | None]:
    run = run_of(store, init_time)
    return run, observed_before(store, run, city_id, pollutant)


@contextmanager
def _drawable(run: ForecastRun) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        # The arguments were checked: what is missing is missing in the forecast itself.
        raise HTTPException(404, f"the forecast of {format_time(run.init_time)} has no such map: {error}") from error
