"""The forecast at any point, by latitude and longitude."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from hazecast.grids.errors import InputError
from hazecast.services.web.answers import cache_answer
from hazecast.services.web.dependencies import Given
from hazecast.services.web.forecast_content import city_content, columns_of, table
from hazecast.services.web.negotiate import AsFormat, Format, answer, as_json, choose, representations
from hazecast.services.web.routes.common import COORDINATE_DECIMALS, INVALID, NOT_FOUND, UNCHANGED, run_of
from hazecast.services.web.routes.forecasts import leads_within
from hazecast.services.web.schemas.places import PointOut
from hazecast.services.web.selection import OfRun, Shows
from hazecast.services.web.tabular import table_answer
from hazecast.services.web.times import Within
from hazecast.services.work.at_point import Method, forecast_at

_FORMATS: tuple[Format, ...] = ("json", "csv", "parquet")

router = APIRouter(tags=["forecasts"])


@router.get(
    "/point",
    response_class=JSONResponse,
    responses=NOT_FOUND | INVALID | UNCHANGED | representations(*_FORMATS, like=PointOut),
)
def point(
    service: Given,
    request: Request,
    latitude: Annotated[float, Query(ge=-90.0, le=90.0, description="degrees north, WGS 84", examples=[39.6])],
    longitude: Annotated[float, Query(ge=-180.0, le=180.0, description="degrees east, WGS 84", examples=[116.6])],
    within: Within,
    shown: Shows,
    init_time: OfRun = None,
    method: Annotated[
        Method | None,
        Query(
            description="`city`: the nearest city's own values. `field`: what is spread between the cities. By default the first to 7 km from one."
        ),
    ] = None,
    form: AsFormat = None,
) -> Response:
    """The forecast at a point: of the city there, or of the field between cities, with its distance and uncertainty.

    404 where too little is known: at most some 150 km from a city, less where it is alone; `method=city` answers anywhere.
    """  # fmt: skip
    chosen, run = choose(request, form, _FORMATS), run_of(service.store, init_time)
    cache_answer(request, modified=run.created_at)
    cities = service.registry.cities.values()
    try:
        found = forecast_at(service.store, run, cities, latitude, longitude, leads_within(run, within), method)
    except InputError as error:
        raise HTTPException(404, str(error)) from error
    if chosen in ("csv", "parquet"):
        rows = table(run, found.rows, service.registry, shown)
        about = {"latitude": latitude, "longitude": longitude, "method": found.method}
        columns = ("latitude", "longitude", "method", *columns_of(shown))
        return table_answer(service, request, chosen, [about | row for row in rows], columns, name="point")
    content = city_content(run, found.city, found.rows, shown) | {
        "latitude": round(latitude, COORDINATE_DECIMALS),
        "longitude": round(longitude, COORDINATE_DECIMALS),
        "method": found.method,
        "distance": round(found.distance, 1),
        "uncertainty": round(found.uncertainty, 2),
        "time_zone": found.city.time_zone,
    }
    return answer(as_json(content), "json")
