"""A typed client of the API: what a program, a notebook or the command uses to ask a Hazecast somewhere else."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import stamina
from pydantic import BaseModel

from hazecast.services.web.schemas.daily import DailyOut
from hazecast.services.web.schemas.forecasts import (
    CitiesOut,
    CityOut,
    FeatureCollectionOut,
    ForecastOut,
    InvalidOut,
    MapOut,
    ObservationOut,
    ObservationsOut,
    ObservedHourOut,
    ProblemOut,
    ReadyOut,
    RunForecastOut,
    RunOut,
    RunsOut,
)
from hazecast.services.web.schemas.scores import VerificationOut

_M = TypeVar("_M", bound=BaseModel)
_PASSING = (429, 502, 503, 504)
_REMEMBERED = 64
Value = str | int | float | bool | datetime | list[str] | None


class ServerError(Exception):
    """What a server answered instead, or that it could not be reached.

    Attributes
    ----------
    status : int or None
        None where no answer came.
    errors : list of InvalidOut
        Every argument that is wrong.
    """

    def __init__(self, address: str, status: int | None, detail: str, errors: list[InvalidOut] | None = None) -> None:
        super().__init__(f"{address}: {detail}")
        self.status, self.detail, self.errors = status, detail, errors or []

    @property
    def refused(self) -> bool:
        """Whether the request itself is at fault."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in _PASSING


class _Passing(Exception):  # noqa: N818 a state, not a fault
    """An answer that a later try may do without."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


class Client:
    """A connection to a Hazecast; close it, or use it as a context manager.

    Reads that fail in passing (no connection, 429, 502 to 504) are tried again with growing pauses, or after what
    Retry-After says. Answers are remembered with their ETag, and not sent again while they hold.

    Parameters
    ----------
    server : str
        Address of the service, such as ``https://haze.example``.
    key : str, optional
        An API key; reads of public data need none.
    attempts : int
        How often a read is tried.
    timeout : float
        Longest silence of the server, s.
    transport : httpx.BaseTransport, optional
        Another way to the server, for tests.
    """

    def __init__(
        self,
        server: str,
        *,
        key: str | None = None,
        attempts: int = 4,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"User-Agent": "hazecast-client"} | ({"Authorization": f"Bearer {key}"} if key else {})
        try:
            self._http = httpx.Client(base_url=server, headers=headers, timeout=timeout, transport=transport)
        except httpx.InvalidURL as error:
            raise ServerError(server, None, f"not an address: {error}") from error
        self._attempts = attempts
        self._known: OrderedDict[tuple[str, str], tuple[str, bytes]] = OrderedDict()

    def __enter__(self) -> Client:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def cities(self, **places: Value) -> list[CityOut]:
        """Return the cities; `places` narrow them: ``city``, ``region``, ``country``, ``bbox``."""
        return self._read(CitiesOut, "/v1/cities", places).root

    def forecast(
        self,
        city: str,
        *,
        init_time: datetime | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> ForecastOut:
        """Return the forecast of a city: the newest, or that of a run."""
        query = {"init_time": init_time, "from": start, "to": end}
        return self._read(ForecastOut, f"/v1/cities/{_name(city)}/forecast", query)

    def daily(self, city: str) -> DailyOut:
        """Return the days ahead of a city."""
        return self._read(DailyOut, f"/v1/cities/{_name(city)}/daily", {})

    def run(self, init_time: datetime | None = None, **query: Value) -> RunForecastOut:
        """Return a run, the newest by default; `query` narrows its cities (as `cities`) and hours."""
        return self._read(RunForecastOut, _run(init_time), query)

    def run_netcdf(self, init_time: datetime | None = None, **query: Value) -> bytes:
        """Return a run as the bytes of a NetCDF file in the data contract."""
        return self._get(_run(init_time), query, "application/x-netcdf")

    def runs(self, **query: Value) -> Iterator[RunOut]:
        """Yield the stored runs, newest first, page by page; `query`: ``simulated``, ``from``, ``to``, ``limit``."""
        for page in self._pages(RunsOut, "/v1/forecasts", query):
            yield from page.runs

    def map(self, **query: Value) -> MapOut:
        """Return all cities and hours of the newest run; `query`: ``layer`` and places."""
        return self._read(MapOut, "/v1/map", query)

    def observations(
        self, city: str, *, start: datetime | None = None, end: datetime | None = None, limit: int = 500
    ) -> Iterator[ObservationOut]:
        """Yield the observed hours of a city, oldest first, `limit` to a page; by default the last 72 hours."""
        query: dict[str, Value] = {"from": start, "to": end, "limit": limit}
        for page in self._pages(ObservationsOut, f"/v1/cities/{_name(city)}/observations", query):
            yield from page.hours

    def observed_hour(self, time: datetime | None = None, **places: Value) -> ObservedHourOut:
        """Return one observed hour of the cities, the newest by default."""
        return self._read(ObservedHourOut, "/v1/observations", {"time": time, **places})

    def warnings(self, **query: Value) -> FeatureCollectionOut:
        """Return the warnings in force; `query`: ``at``, ``level``, ``rule_set``, ``simulated`` and places."""
        return self._read(FeatureCollectionOut, "/v1/warnings", query)

    def warning_history(self, **query: Value) -> Iterator[dict[str, object]]:
        """Yield all warning messages as GeoJSON features, newest first, page by page."""
        for page in self._pages(FeatureCollectionOut, "/v1/warnings", {"state": "all", **query}):
            yield from page.features

    def warning_cap(self, warning_id: str) -> bytes:
        """Return a warning message as CAP 1.2."""
        return self._get(f"/v1/warnings/{_name(warning_id)}", {}, "application/cap+xml")

    def verification(
        self, *, city: str | None = None, pollutant: str | None = None, days: int | None = None
    ) -> VerificationOut:
        """Return how well the forecasts came true."""
        return self._read(VerificationOut, "/v1/verification", {"city": city, "pollutant": pollutant, "days": days})

    def picture(self, name: str, **query: Value) -> bytes:
        """Return a map or chart by its name under ``/v1/maps``, such as ``haze.png``."""
        return self._get(f"/v1/maps/{name}", query, "*/*")

    def ready(self) -> ReadyOut:
        """Return the readiness of the service; a `ServerError` of status 503 where its forecast is stale."""
        return self._read(ReadyOut, "/v1/readyz", {})

    def _pages(self, model: type[_M], path: str, query: Mapping[str, Value]) -> Iterator[_M]:
        cursor: str | None = None
        while True:
            page = self._read(model, path, {**query, "cursor": cursor})
            yield page
            cursor = getattr(page, "next", None)
            if cursor is None:
                return

    def _read(self, model: type[_M], path: str, query: Mapping[str, Value]) -> _M:
        return model.model_validate_json(self._get(path, query, "application/json"))

    def _get(self, path: str, query: Mapping[str, Value], accept: str) -> bytes:
        address = str(self._http.build_request("GET", path, params=_plain(query)).url)
        headers, known = {"Accept": accept}, self._known.get((address, accept))
        if known is not None:
            headers["If-None-Match"] = known[0]
        try:
            answer = self._ask(address, headers)
        except httpx.HTTPError as error:
            raise ServerError(address, None, f"no answer: {error or type(error).__name__}") from error
        if answer.status_code == 304 and known is not None:
            self._known.move_to_end((address, accept))
            return known[1]
        if answer.status_code != 200:
            raise _error(address, answer)
        if "etag" in answer.headers:
            self._known[address, accept] = (answer.headers["etag"], answer.content)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return answer.content

    def _ask(self, address: str, headers: dict[str, str]) -> httpx.Response:
        try:
            for attempt in stamina.retry_context(on=_pause, attempts=self._attempts, wait_initial=0.2, timeout=None):
                with attempt:
                    answer = self._http.get(address, headers=headers)
                    if answer.status_code in _PASSING:
                        raise _Passing(answer)
        except _Passing as passing:
            return passing.answer
        return answer


def _pause(error: Exception) -> bool | float:
    """Return whether to try again, or after how many seconds."""
    if not isinstance(error, _Passing):
        return isinstance(error, httpx.TransportError)
    wait = error.answer.headers.get("retry-after", "")
    return min(float(wait), 60.0) if wait.isdigit() else True


def _error(address: str, answer: httpx.Response) -> ServerError:
    try:
        problem = ProblemOut.model_validate_json(answer.content)
    except ValueError:
        return ServerError(address, answer.status_code, f"{answer.status_code} {answer.reason_phrase}")
    return ServerError(address, answer.status_code, problem.detail, problem.errors)


def _plain(query: Mapping[str, Value]) -> dict[str, Any]:
    given = {name: value for name, value in query.items() if value is not None}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}


def _name(text: str) -> str:
    """Return a name as one segment of a path, whatever is in it."""
    return quote(text, safe="")


def _run(init_time: datetime | None) -> str:
    return "/v1/forecasts/latest" if init_time is None else f"/v1/forecasts/{_name(init_time.isoformat())}"
