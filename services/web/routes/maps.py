"""Maps and charts through the API: drawn when first requested, then cached until newer ones replace them.

The drawing libraries are loaded by the first map: a process that draws none has no need of them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response

from hazecast.alerts.maps.options import Format, Size
from hazecast.alerts.messages.texts import Language
from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.web.answers import cache_answer
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.routes.common import INVALID, NOT_FOUND, UNCHANGED, known_city, latest_run
from hazecast.services.work.stored_forecast import MEDIA_TYPES, Look, ValueKind, load_forecast

InLanguage = Annotated[Language, Query(description="Of the words on it.")]
InSize = Annotated[Size, Query(description="For a desk, or narrow and with larger letters for a phone.")]
Hour = Annotated[int, Query(ge=1, le=LEAD_HOURS, description="Hours after the init time.")]
FirstHour = Annotated[int, Query(ge=1, le=LEAD_HOURS - 23, description="The first of its 24 hours.")]
_PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "PNG"}}
_ANIMATION: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {} for media in MEDIA_TYPES.values()}, "description": "WebP, GIF or APNG"}
}
_ANSWERS = NOT_FOUND | INVALID | UNCHANGED


router = APIRouter(prefix="/maps", tags=["maps"])


# A run's file has a name of its own, so what was drawn from it stays valid.
@lru_cache(maxsize=128)
def _hour_map(service: Service, path: str, kind: ValueKind, hour: int, look: Look) -> bytes:
    from hazecast.alerts.maps.sheet import as_png
    from hazecast.services.work.maps import draw_hour

    return as_png(draw_hour(load_forecast(path), service.registry, kind, hour, look))


@lru_cache(maxsize=12)
def _day_map(service: Service, path: str, kind: ValueKind, hour: int, look: Look, form: Format) -> bytes:
    from hazecast.services.work.maps import draw_day

    return draw_day(load_forecast(path), service.registry, kind, hour, look, form)


@router.get("/haze.png", response_class=Response, responses=_ANSWERS | _PNG)
def haze(service: Given, request: Request, language: InLanguage = "zh", size: InSize = "desktop") -> Response:
    """The haze map of the latest forecast, 08 to 08 or 20 to 20 Beijing time."""
    run, look = latest_run(service.store), Look(language, size)
    cache_answer(request, modified=run.created_at)
    if look == Look():
        path = Path(run.map_path)
        if not path.is_file():
            raise HTTPException(404, "the map of the latest forecast is gone")
        return Response(path.read_bytes(), media_type="image/png")
    from hazecast.services.work.maps import haze_of_run

    return _picture(run, lambda: haze_of_run(service.store, run, service.registry, service.book, look))


@router.get("/{kind}.png", response_class=Response, responses=_ANSWERS | _PNG)
def hour_map(
    service: Given,
    request: Request,
    kind: ValueKind,
    hour: Hour = 1,
    language: InLanguage = "zh",
    size: InSize = "desktop",
) -> Response:
    """PM2.5, ozone or China's AQI (from both) of one hour of the latest forecast."""
    run = latest_run(service.store)
    cache_answer(request, modified=run.created_at)
    return _picture(run, lambda: _hour_map(service, run.netcdf_path, kind, hour, Look(language, size)))


@router.get("/day/{kind}.{form}", response_class=Response, responses=_ANSWERS | _ANIMATION)
def day(
    service: Given,
    request: Request,
    kind: ValueKind,
    form: Format,
    hour: FirstHour = 1,
    language: InLanguage = "zh",
    size: InSize = "phone",
) -> Response:
    """24 hours of the latest forecast as an animation."""
    run = latest_run(service.store)
    cache_answer(request, modified=run.created_at)
    answer = _picture(run, lambda: _day_map(service, run.netcdf_path, kind, hour, Look(language, size), form))
    answer.headers["Content-Type"] = MEDIA_TYPES[form]
    return answer


@router.get("/fan/{city_id}.png", response_class=Response, responses=_ANSWERS | _PNG)
def fan(
    service: Given,
    city_id: str,
    pollutant: Literal["pm25", "o3"] = "pm25",
    language: InLanguage = "zh",
    size: InSize = "desktop",
) -> Response:
    """The latest forecast of a city with its ranges, after what was observed in the days before."""
    from hazecast.services.work.maps import fan_of_run

    known_city(service.registry, city_id)
    run = latest_run(service.store)
    return _picture(
        run, lambda: fan_of_run(service.store, run, service.registry, city_id, pollutant, Look(language, size))
    )


def _picture(run: ForecastRun, draw: Any) -> Response:
    try:
        return Response(draw(), media_type="image/png")
    except InputError as error:
        # The arguments were checked: what is missing is missing in the forecast itself.
        raise HTTPException(404, f"the forecast of {run.init_time.isoformat()} has no such map: {error}") from error
