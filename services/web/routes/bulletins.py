"""The daily bulletin through the API: one document in several forms, by content type or by its ending."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from hazecast.alerts.messages.texts import Language
from hazecast.grids.errors import InputError, MissingExtraError
from hazecast.grids.places.cities import Registry
from hazecast.services.core.field_limits import at_most
from hazecast.services.store.run_files import read_product
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.drawn import draw
from hazecast.services.web.places import named_city
from hazecast.services.web.problems import InvalidArgument
from hazecast.services.web.routes.common import DOCUMENT_POLICY, INVALID, NOT_FOUND, UNCHANGED, Responses, run_of
from hazecast.services.web.schemas.forecasts import ProblemOut
from hazecast.services.web.selection import OfRun
from hazecast.services.work.bulletin import issued_at, region_cities
from hazecast.services.work.bulletin_edition import FORMATS, MEDIA_TYPES, Format, document_name
from hazecast.services.work.native_work import bulletin_document, bulletin_name

InCity = Annotated[
    list[str] | None,
    Query(
        description="Only these cities, by id, in the order wanted; may be repeated. All that are forecast by default.",
        examples=[["beijing", "tianjin"]],
        max_length=500,
    ),
    at_most(500),
]
InRegion = Annotated[
    str | None, Query(description="All cities of a partner region, in place of `city`.", examples=["kitakyushu"])
]
InLanguage = Annotated[Language, Query(description="Of everything in it.")]
_BARE: dict[Format, str] = {form: media.split(";")[0] for form, media in MEDIA_TYPES.items()}
_DOCUMENT: Responses = {
    200: {"content": {media: {} for media in _BARE.values()}, "description": "The bulletin"},
}
_NOT_INSTALLED: Responses = {501: {"model": ProblemOut, "description": "A form whose extra the service lacks"}}
_NOT_ACCEPTABLE: Responses = {406: {"model": ProblemOut, "description": "No form that the request accepts"}}


router = APIRouter(prefix="/bulletins", tags=["bulletins"])


@router.get(
    "/latest",
    response_class=Response,
    responses=_DOCUMENT | NOT_FOUND | INVALID | UNCHANGED | _NOT_ACCEPTABLE | _NOT_INSTALLED,
)
async def latest(
    service: Given,
    request: Request,
    city: InCity = None,
    region: InRegion = None,
    init_time: OfRun = None,
    language: InLanguage = "zh",
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
) -> Response:
    """The daily bulletin of a forecast, as HTML, PDF, CSV, NetCDF or plain text by `Accept`.

    That of the newest is as of now; with `init_time` that of an earlier one is as it was when it was issued.
    """
    form = preferred_form(accept)
    if form is None:
        raise HTTPException(406, f"accept: found {accept}; expected one of {', '.join(_BARE.values())}")
    answer = await _answer(service, request, form, city, region, init_time, language)
    answer.headers["Vary"] = "Accept"
    return answer


@router.get(
    "/latest.{form}",
    response_class=Response,
    responses=_DOCUMENT | NOT_FOUND | INVALID | UNCHANGED | _NOT_INSTALLED,
)
async def latest_as(
    service: Given,
    request: Request,
    form: Format,
    city: InCity = None,
    region: InRegion = None,
    init_time: OfRun = None,
    language: InLanguage = "zh",
) -> Response:
    """The daily bulletin of a forecast in one form: html, pdf, csv, nc or txt."""
    return await _answer(service, request, form, city, region, init_time, language)


async def _answer(
    service: Service,
    request: Request,
    form: Format,
    cities: list[str] | None,
    region: str | None,
    init_time: datetime | None,
    language: Language,
) -> Response:
    wanted, now = _city_ids(service.registry, cities, region), service.clock()
    run = None if init_time is None else await run_in_threadpool(run_of, service.store, init_time)
    if run is not None:
        newest = await run_in_threadpool(service.store.latest_run)
        now = now if newest is not None and newest.id == run.id else issued_at(run)
    try:
        found = await run_in_threadpool(service.bulletins.find, wanted, language, now, run=run)
        path, name = found.run.netcdf_path, bulletin_name(found.key, form)
        asked = (service.settings, wanted, language, now, form, None if run is None else (run.init_time, run.simulated))
        # Anyone may ask for any cities: only what the cycle makes is stored.
        content = await run_in_threadpool(read_product, Path(path), name)
        if content is None:
            content = await draw(request, service.pool, (path, name), bulletin_document, *asked)
    except MissingExtraError as error:
        raise HTTPException(501, f"{form}: {error}") from error
    except InputError as error:
        # The arguments were checked: what is missing is the forecast, or its file.
        raise HTTPException(404, f"no bulletin: {error}") from error
    saved_as = document_name(found.run, found.places, language, form)
    headers = {"Content-Disposition": f'inline; filename="{saved_as}"', "Content-Language": language}
    if form == "html":
        headers["Content-Security-Policy"] = DOCUMENT_POLICY
    return Response(content, media_type=MEDIA_TYPES[form], headers=headers)


def preferred_form(accept: str) -> Format | None:
    """Return the form that an Accept header prefers (RFC 9110, 12.5.1), HTML among equals; None if there is none."""
    weights: dict[str, float] = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            weights[name] = float(quality)
        except ValueError:
            weights[name] = 0.0

    def weight(form: Format) -> float:
        media = _BARE[form]
        ranges: tuple[str, ...] = (media, f"{media.split('/')[0]}/*", "*/*")
        return next((weights[r] for r in ranges if r in weights), 0.0)

    best: Format = max(FORMATS, key=weight)
    return best if weight(best) > 0.0 else None


def _city_ids(registry: Registry, cities: list[str] | None, region: str | None) -> list[str]:
    if cities is not None and region is not None:
        raise InvalidArgument("region", f"both city and region {region}", "one of them")
    if region is not None:
        try:
            return region_cities(registry, region)
        except InputError as error:
            raise InvalidArgument("region", error.found, error.expected) from error
    for name in cities or ():
        if named_city(registry, name).id not in registry.cities:
            raise InvalidArgument("city", name, "one that is forecast")
    return cities or []
