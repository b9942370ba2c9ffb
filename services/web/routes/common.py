"""What the routes of the API share: descriptions of error answers, and look-ups that answer 404."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import Header, HTTPException, Request

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import format_time
from hazecast.services.store.reads import init_times_near, next_change
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.web.answers import cache_answer
from hazecast.services.web.dependencies import Service
from hazecast.services.web.schemas.forecasts import ProblemOut, UnreadyOut
from hazecast.services.work.public_haze import shown_warnings

# 0.0001 degrees are 11 m, less than the size of a station.
COORDINATE_DECIMALS = 4
# A document, such as a bulletin or a report, contains all that it needs, and no scripts.
DOCUMENT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
# Of runs that are stored, in the answer about one that is not.
_NAMED_RUNS = 5
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


def idempotency_key(how_long: str) -> Any:
    """Return the header Idempotency-Key: printable ASCII, as a structured header's string holds it."""
    told = f"Of the sender's choice, new for each body: a repeated request is answered as the first was, {how_long}."
    return Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern="^[ -~]+$", description=told)


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


def coordinates(city: City) -> dict[str, float]:
    """Return where a city is, in degrees, as the API writes it."""
    return {name: round(getattr(city, name), COORDINATE_DECIMALS) for name in ("latitude", "longitude")}


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


def run_of(store: Store, init_time: datetime | None, simulated: bool | None = None) -> ForecastRun:
    """Return the run of an init time, or the newest; a real one before a simulated one.

    Parameters
    ----------
    store : Store
    init_time : datetime or None
        Aware; None for the newest.
    simulated : bool or None
        Only a simulated one, or only a real one.

    Returns
    -------
    ForecastRun

    Raises
    ------
    HTTPException
        404 if there is none; of an init time, with the nearest that there are.
    """
    if init_time is None and simulated is None:
        return latest_run(store)
    kinds = (False, True) if simulated is None else (simulated,)
    if init_time is None:
        found = store.latest_run(simulated)
        if found is None:
            raise HTTPException(404, "no such forecast is stored yet")
        return found
    found = next((run for kind in kinds if (run := store.run_at(init_time, kind))), None)
    if found is None:
        raise HTTPException(
            404, f"no forecast of {format_time(init_time)} is stored; {_those_stored(store, init_time, simulated)}"
        )
    return found


def _those_stored(store: Store, init_time: datetime, simulated: bool | None) -> str:
    nearest = [format_time(time) for time in init_times_near(store, init_time, simulated, _NAMED_RUNS)]
    if not nearest:
        return "there is none yet"
    return f"the nearest that are: {', '.join(nearest)}; /v1/forecasts lists all"


def shown_of_run(
    service: Service, request: Request, init_time: datetime | None = None
) -> tuple[ForecastRun, tuple[HazeWarning, ...]]:
    """Return a run and the warnings that its haze map shows; the answer is valid until those change.

    Parameters
    ----------
    service : Service
    request : Request
    init_time : datetime or None
        Of the run, aware; None for the newest.

    Returns
    -------
    ForecastRun
    tuple of HazeWarning

    Raises
    ------
    HTTPException
        404 if there is no such run.
    """
    run = run_of(service.store, init_time)
    shown = shown_warnings(service.store, run, service.book)
    cache_answer(request, until=next_change(service.store, run.simulated, service.clock(), shown))
    return run, shown


def shows_simulated(store: Store) -> bool:
    """Return whether answers are about simulated input, which they are only where there is no real forecast."""
    run = store.latest_run()
    return bool(run and run.simulated)
