"""What the routes of the API share: answers to what is not found or not valid, and the cities and runs they ask for."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.web.schemas.forecasts import ProblemOut, UnreadyOut

Responses = dict[int | str, dict[str, Any]]
NOT_FOUND: Responses = {404: {"model": ProblemOut, "description": "Not found"}}
INVALID: Responses = {422: {"model": ProblemOut, "description": "Invalid argument"}}
UNCHANGED: Responses = {304: {"description": "Unchanged since If-None-Match"}}
DENIED: Responses = {
    401: {"model": ProblemOut, "description": "No API key, or one that opens nothing"},
    403: {"model": ProblemOut, "description": "The key lacks the scope"},
}
CONFLICT: Responses = {409: {"model": ProblemOut, "description": "Not as things stand"}}
NOT_READY: Responses = {503: {"model": UnreadyOut, "description": "Not to be relied on"}}


def known_city(registry: Registry, city_id: str) -> City:
    """Return a city, or answer 404 with close matches."""
    try:
        return registry.city(city_id)
    except InputError as error:
        raise HTTPException(404, str(error)) from error


def latest_run(store: Store) -> ForecastRun:
    """Return the newest run, or answer 404."""
    run = store.latest_run()
    if run is None:
        raise HTTPException(404, "no forecast is stored yet")
    return run


def shows_simulated(store: Store) -> bool:
    """Return whether answers are about simulated input: only where there is no real forecast."""
    run = store.latest_run()
    return bool(run and run.simulated)
