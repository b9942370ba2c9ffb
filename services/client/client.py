"""A typed client of the API, for programs, notebooks and the command.

Answers are the models of `hazecast.services.web.schemas`. Errors are those of `hazecast.services.client.errors`.
"""

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

from hazecast.services.client.errors import PASSING, NoAnswerError, error_of
from hazecast.services.web.schemas.daily import DailyOut
from hazecast.services.web.schemas.forecasts import (
    CitiesOut,
    CityOut,
    FeatureCollectionOut,
    ForecastOut,
    MapOut,
    ObservationOut,
    ObservationsOut,
    ObservedHourOut,
    ReadyOut,
    RunForecastOut,
    RunOut,
    RunsOut,
)
from hazecast.services.web.schemas.scores import VerificationOut

_M = TypeVar("_M", bound=BaseModel)
# Answers that come in pages of cities.
_P = TypeVar("_P", RunForecastOut, MapOut, ObservedHourOut)
# Answers that are kept with their ETag.
_REMEMBERED = 64
_CITIES_A_PAGE = 500
Value = str | int | float | bool | datetime | list[str] | None


class _Passing(Exception):  # noqa: N818 a state, not a fault
    """An answer of a status that may be another at the next attempt."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


class Client:
    """A connection to a Hazecast service; close it, or use it as a context manager.

    A read that fails temporarily (no connection, status 429, 502, 503 or 504) is repeated with growing pauses, or after
    the time that the header Retry-After gives. Answers are cached with their ETag; the server sends a cached one again
    only after it changed.

    Parameters
    ----------
    server : str
        Address of the service, such as ``https://haze.example``.
    key : str, optional
        An API key; reads of public data need none.
    attempts : int
        How often a read is made at most.
    timeout : float
        Longest silence of the server, s.
    transport : httpx.BaseTransport, optional
        Sends the requests in place of the network, for tests.

    Raises
    ------
    NoAnswerError
        If `server` is not an address.

    Notes
    -----
    Every method that reads raises a `ServerError`: `NoAnswerError`, `RefusedError` or `UnavailableError`; see
    `hazecast.services.client.errors`.

    Examples
    --------
    >>> with Client("https://haze.example") as client:  # doctest: +SKIP
    ...     forecast = client.forecast("beijing")
    ...     tomorrow = forecast.hours[23]
    ...     print(tomorrow.time, tomorrow.pm25.q10, tomorrow.pm25.q50, tomorrow.pm25.q90)
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
            raise NoAnswerError(server, f"not an address: {error}") from error
        self._attempts = attempts
        self._known: OrderedDict[tuple[str, str], tuple[str, bytes, str | None]] = OrderedDict()

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
        """Return the cities that are forecast, all pages of them.

        The arguments select some of them: ``city``, ``region`` (text or lists of it), ``country`` (such as ``JP``) and
        ``bbox`` (west, south, east, north in degrees, comma-separated).

        Examples
        --------
        >>> client.cities(country="JP", bbox="139,35,140,36")  # doctest: +SKIP
        """
        found: list[CityOut] = []
        address: str | None = self._address("/v1/cities", {"limit": _CITIES_A_PAGE} | places)
        while address is not None:
            content, address = self._page(address, "application/json")
            found.extend(CitiesOut.model_validate_json(content).root)
        return found

    def forecast(
        self,
        city: str,
        *,
        init_time: datetime | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> ForecastOut:
        """Return the forecast of a city, by hour.

        Parameters
        ----------
        city : str
            Id of the city.
        init_time : datetime.datetime, optional
            The run, by its init time; the newest by default.
        start, end : datetime.datetime, optional
            First and last hour, by the time that the hour ends at; all 120 by default.

        Returns
        -------
        ForecastOut
            PM2.5 and ozone in ug/m3, with quantiles.

        Examples
        --------
        >>> [hour.pm25.q50 for hour in client.forecast("beijing").hours]  # doctest: +SKIP
        """
        query = {"init_time": init_time, "from": start, "to": end}
        return self._read(ForecastOut, f"/v1/cities/{_name(city)}/forecast", query)

    def daily(self, city: str) -> DailyOut:
        """Return the coming days of a city: means, maxima, indices, exceedance probabilities and haze grade."""
        return self._read(DailyOut, f"/v1/cities/{_name(city)}/daily", {})

    def run(self, init_time: datetime | None = None, **query: Value) -> RunForecastOut:
        """Return the forecast of all cities from one run, all pages of it.

        Parameters
        ----------
        init_time : datetime.datetime, optional
            The run; the newest by default.
        **query : str, int, float, bool, datetime.datetime or list of str
            Cities as in `cities`; ``from`` and ``to`` for the hours.

        Returns
        -------
        RunForecastOut
            The run with its cities.
        """
        return self._joined(RunForecastOut, _run(init_time), query)

    def run_netcdf(self, init_time: datetime | None = None, **query: Value) -> bytes:
        """Return a run as a NetCDF file in the data contract.

        Parameters
        ----------
        init_time : datetime.datetime, optional
            The run; the newest by default.
        **query : str, int, float, bool, datetime.datetime or list of str
            As in `run`.

        Returns
        -------
        bytes
            The file's content.

        Examples
        --------
        >>> Path("run.nc").write_bytes(client.run_netcdf())  # doctest: +SKIP
        >>> xarray.open_dataset("run.nc", decode_timedelta=True)  # doctest: +SKIP
        """
        return self._get(_run(init_time), query, "application/x-netcdf")

    def runs(self, **query: Value) -> Iterator[RunOut]:
        """Yield the stored runs, newest first, fetched page by page.

        `query` may hold ``simulated``, ``from`` and ``to`` (init times) and ``limit`` (runs a page).
        """
        for page in self._pages(RunsOut, "/v1/forecasts", query):
            yield from page.runs

    def map(self, **query: Value) -> MapOut:
        """Return all cities and hours of the newest run, compact; `query` may hold ``layer`` and cities as in `cities`."""
        return self._joined(MapOut, "/v1/map", query)

    def observations(
        self, city: str, *, start: datetime | None = None, end: datetime | None = None, limit: int = 500
    ) -> Iterator[ObservationOut]:
        """Yield the observed hours of a city, oldest first, fetched page by page.

        Parameters
        ----------
        city : str
            Id of the city.
        start, end : datetime.datetime, optional
            First and last hour, by the time that the hour ends at; by default the last 72 hours.
        limit : int
            Hours a page.

        Yields
        ------
        ObservationOut
            One hour.

        Examples
        --------
        >>> for hour in client.observations("beijing"):  # doctest: +SKIP
        ...     print(hour.time, hour.pm25)
        """
        query: dict[str, Value] = {"from": start, "to": end, "limit": limit}
        for page in self._pages(ObservationsOut, f"/v1/cities/{_name(city)}/observations", query):
            yield from page.hours

    def observed_hour(self, time: datetime | None = None, **places: Value) -> ObservedHourOut:
        """Return one observed hour of the cities.

        Parameters
        ----------
        time : datetime.datetime, optional
            The time that the hour ends at; the newest by default.
        **places : str, int, float, bool, datetime.datetime or list of str
            Cities as in `cities`.

        Returns
        -------
        ObservedHourOut
            The hour with its cities.
        """
        return self._joined(ObservedHourOut, "/v1/observations", {"time": time, **places})

    def warnings(self, **query: Value) -> FeatureCollectionOut:
        """Return the warnings in force as GeoJSON features.

        `query` may hold ``at`` (a time, now by default), ``level``, ``rule_set``, ``simulated``, and cities as in `cities`.

        Examples
        --------
        >>> [warning["id"] for warning in client.warnings(level=["red"]).features]  # doctest: +SKIP
        """
        return self._read(FeatureCollectionOut, "/v1/warnings", query)

    def warning_history(self, **query: Value) -> Iterator[dict[str, object]]:
        """Yield all warning messages as GeoJSON features, newest first, fetched page by page; `query` as in `warnings`."""
        for page in self._pages(FeatureCollectionOut, "/v1/warnings", {"state": "all", **query}):
            yield from page.features

    def warning_cap(self, warning_id: str) -> bytes:
        """Return a warning message as CAP 1.2."""
        return self._get(f"/v1/warnings/{_name(warning_id)}", {}, "application/cap+xml")

    def verification(
        self, *, city: str | None = None, pollutant: str | None = None, days: int | None = None
    ) -> VerificationOut:
        """Return how well past forecasts agreed with observations.

        Parameters
        ----------
        city, pollutant : str, optional
            One city or pollutant; all by default.
        days : int, optional
            Days of init times that are counted.

        Returns
        -------
        VerificationOut
            Scores by pollutant and lead time, beside those of the baselines.
        """
        return self._read(VerificationOut, "/v1/verification", {"city": city, "pollutant": pollutant, "days": days})

    def picture(self, name: str, **query: Value) -> bytes:
        """Return a map or chart.

        Parameters
        ----------
        name : str
            Path below ``/v1/maps``, such as ``haze.png``.
        **query : str, int, float, bool, datetime.datetime or list of str
            ``language`` (zh, ja or en), ``size`` (desktop or phone) and others of the picture.

        Returns
        -------
        bytes
            The file's content.
        """
        return self._get(f"/v1/maps/{name}", query, "*/*")

    def ready(self) -> ReadyOut:
        """Return the readiness of the service; where its forecast is stale, an `UnavailableError` (503) is raised."""
        return self._read(ReadyOut, "/v1/readyz", {})

    def _pages(self, model: type[_M], path: str, query: Mapping[str, Value]) -> Iterator[_M]:
        cursor: str | None = None
        while True:
            page = self._read(model, path, {**query, "cursor": cursor})
            yield page
            cursor = getattr(page, "next", None)
            if cursor is None:
                return

    def _joined(self, model: type[_P], path: str, query: Mapping[str, Value]) -> _P:
        """Return the first page with the cities of all that follow."""
        first, *rest = self._pages(model, path, query)
        cities: list[Any] = first.cities
        for page in rest:
            cities.extend(page.cities)
        first.next = None
        return first

    def _read(self, model: type[_M], path: str, query: Mapping[str, Value]) -> _M:
        return model.model_validate_json(self._get(path, query, "application/json"))

    def _get(self, path: str, query: Mapping[str, Value], accept: str) -> bytes:
        return self._page(self._address(path, query), accept)[0]

    def _address(self, path: str, query: Mapping[str, Value]) -> str:
        return str(self._http.build_request("GET", path, params=_plain(query)).url)

    def _page(self, address: str, accept: str) -> tuple[bytes, str | None]:
        """Return an answer, and the address of the next page by its header Link."""
        headers, known = {"Accept": accept}, self._known.get((address, accept))
        if known is not None:
            headers["If-None-Match"] = known[0]
        try:
            answer = self._ask(address, headers)
        except httpx.HTTPError as error:
            raise NoAnswerError(address, f"no answer: {error or type(error).__name__}") from error
        if answer.status_code == 304 and known is not None:
            self._known.move_to_end((address, accept))
            return known[1], known[2]
        if answer.status_code != 200:
            raise error_of(address, answer)
        link = answer.links.get("next")
        following = str(answer.url.join(link["url"])) if link else None
        if "etag" in answer.headers:
            self._known[address, accept] = (answer.headers["etag"], answer.content, following)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return answer.content, following

    def _ask(self, address: str, headers: dict[str, str]) -> httpx.Response:
        try:
            for attempt in stamina.retry_context(on=_pause, attempts=self._attempts, wait_initial=0.2, timeout=None):
                with attempt:
                    answer = self._http.get(address, headers=headers)
                    if answer.status_code in PASSING:
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


def _plain(query: Mapping[str, Value]) -> dict[str, Any]:
    given = {name: value for name, value in query.items() if value is not None}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}


def _name(text: str) -> str:
    """Return a name as one segment of a path, with everything else in it escaped."""
    return quote(text, safe="")


def _run(init_time: datetime | None) -> str:
    return "/v1/forecasts/latest" if init_time is None else f"/v1/forecasts/{_name(init_time.isoformat())}"
