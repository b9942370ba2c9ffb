"""What the routes of the API share: descriptions of error answers, and look-ups that answer 404."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException, Request

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry
from hazecast.services.store.reads import next_change
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.web.answers import cache_answer
from hazecast.services.web.dependencies import Service
from hazecast.services.web.schemas.forecasts import ProblemOut, UnreadyOut
from hazecast.services.work.public_haze import shown_warnings

Responses = dict[int | str, dict[str, Any]]
NOT_FOUND: Responses = {404: {"model": ProblemOut, "description": "Not found"}}
INVALID: Responses = {422: {"model": ProblemOut, "description": "Invalid argument"}}
UNCHANGED: Responses = {304: {"description": "Unchanged since If-None-Match"}}
DENIED: Responses = {
    401: {"model": ProblemOut, "description": "No API key, or an invalid one"},
    403: {"model": ProblemOut, "description": "The key lacks the scope"},
}
CONFLICT: Responses = {409: {"model": ProblemOut, "description": "In conflict with the current state"}}
TOO_LARGE: Responses = {
    408: {"model": ProblemOut, "description": "The body did not come in time"},
    413: {"model": ProblemOut, "description": "A body that is too large"},
}
BUSY: Responses = {503: {"model": ProblemOut, "description": "Too much work waits; try again later"}}
NOT_READY: Responses = {503: {"model": UnreadyOut, "description": "Not ready"}}


def known_city(registry: Registry, city_id: str) -> City:
    """Return a city.

    Parameters
    ----------
    registry : Registry
    city_id : str

    Returns
    -------
    City

    Raises
    ------
    HTTPException
        404 with close matches if there is no such city.
    """
    try:
        city = registry.city(city_id)
    except InputError as error:
        raise HTTPException(404, str(error)) from error
    if city.id not in registry.cities:
        raise HTTPException(404, f"city: found {city_id}; expected one that is forecast")
    return city


def latest_run(store: Store) -> ForecastRun:
    """Return the newest run, a real one before any simulated one.

    Raises
    ------
    HTTPException
        404 if there is none.
    """
    run = store.latest_run()
    if run is None:
        raise HTTPException(404, "no forecast is stored yet")
    return run


def shown_of_latest(service: Service, request: Request) -> tuple[ForecastRun, tuple[HazeWarning, ...]]:
    """Return the newest run and the warnings that its map shows; the answer is valid until those change.

    Parameters
    ----------
    service : Service
    request : Request

    Returns
    -------
    ForecastRun
    tuple of HazeWarning

    Raises
    ------
    HTTPException
        404 if there is no run.
    """
    run = latest_run(service.store)
    shown = shown_warnings(service.store, run, service.book)
    cache_answer(request, until=next_change(service.store, run.simulated, service.clock(), shown))
    return run, shown


def shows_simulated(store: Store) -> bool:
    """Return whether answers are about simulated input, which they are only where there is no real forecast."""
    run = store.latest_run()
    return bool(run and run.simulated)
