"""A typed client of the API, for programs, notebooks and the command.

Answers are the models of `hazecast.services.web.schemas`. Errors are those of `hazecast.services.client.errors`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

import httpx
import stamina

from hazecast.services.client import asks
from hazecast.services.client.asks import Ask, Value
from hazecast.services.client.connection import (
    Memory,
    Passing,
    attempts_of,
    checked,
    headers_of,
    no_answer,
    pause,
    request_of,
)
from hazecast.services.client.errors import NoAnswerError
from hazecast.services.delivery.subscription_fields import Change, NewSubscription
from hazecast.services.web.schemas.daily import DailyOut
from hazecast.services.web.schemas.forecasts import (
    CityOut,
    CycleOut,
    FeatureCollectionOut,
    ForecastOut,
    HealthOut,
    MapOut,
    ObservationOut,
    ObservedHourOut,
    ReadyOut,
    RunForecastOut,
    RunOut,
)
from hazecast.services.web.schemas.places import PointOut, StationHourOut, StationOut
from hazecast.services.web.schemas.scores import VerificationOut
from hazecast.services.web.schemas.studies import ClimatologyOut, VocSpeciesOut, WeekendOut
from hazecast.services.web.schemas.subscriptions import (
    CreatedOut,
    DeliveryOut,
    ReplayedOut,
    SecretOut,
    SubscriptionOut,
    TestOut,
    WaitingOut,
)

T = TypeVar("T")


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
        try:
            self._http = httpx.Client(base_url=server, headers=headers_of(key), timeout=timeout, transport=transport)
        except httpx.InvalidURL as error:
            raise NoAnswerError(server, f"not an address: {error}") from error
        self._attempts = attempts
        self._memory = Memory()

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

    def city(self, name: str) -> CityOut:
        """Return one city."""
        return self._send(asks.city(name))

    def forecast(
        self,
        city: str,
        *,
        init_time: datetime | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> ForecastOut:
        """Return the forecast of a city by hour, of the newest run or that of `init_time`.

        `start` and `end` choose hours by the time they end at.

        Parameters
        ----------
        city : str
        init_time : datetime.datetime or None
        start : datetime.datetime or None
        end : datetime.datetime or None

        Returns
        -------
        ForecastOut
        """
        return self._send(asks.forecast(city, {"init_time": init_time, "from": start, "to": end}))

    def daily(self, city: str, **query: Value) -> DailyOut:
        """Return the days of a city; `query` may hold ``init_time`` and ``timezone``.

        Parameters
        ----------
        city : str
        **query : str, int, float, bool, datetime.datetime or list of str

        Returns
        -------
        DailyOut
        """
        return self._send(asks.daily(city, query))

    def point(self, latitude: float, longitude: float, **query: Value) -> PointOut:
        """Return the forecast at a point: of the city there or of the field between cities.

        `query` may hold ``init_time``, ``method``, ``timezone``, ``variables``, ``from``, ``to``.

        Parameters
        ----------
        latitude : float
        longitude : float
        **query : str, int, float, bool, datetime.datetime or list of str

        Returns
        -------
        PointOut
        """
        return self._send(asks.point(latitude, longitude, query))

    def run(self, init_time: datetime | None = None, **query: Value) -> RunForecastOut:
        """Return the forecast of all cities from one run, all pages of it.

        `query` may hold cities as in `cities`, ``from`` and ``to``.

        Parameters
        ----------
        init_time : datetime.datetime or None
        **query : str, int, float, bool, datetime.datetime or list of str

        Returns
        -------
        RunForecastOut
        """
        first, *rest = self._pages(asks.run(init_time, query))
        first.items.extend(item for page in rest for item in page.items)
        first.next = None
        return first

    def run_netcdf(self, init_time: datetime | None = None, **query: Value) -> bytes:
        """Return a run as a NetCDF file by CF-1.11 and ACDD-1.3; `query` as in `run`.

        Parameters
        ----------
        init_time : datetime.datetime or None
        **query : str, int, float, bool, datetime.datetime or list of str

        Returns
        -------
        bytes
        """
        return self._send(asks.run_netcdf(init_time, query))

    def map(self, **query: Value) -> MapOut:
        """Return all cities and hours of a run, compact; `query` may hold ``variables``, ``init_time`` and cities as in `cities`."""
        first, *rest = self._pages(asks.layers(query))
        first.items.extend(item for page in rest for item in page.items)
        first.next = None
        return first

    def observed_hour(self, time: datetime | None = None, **places: Value) -> ObservedHourOut:
        """Return one observed hour of the cities, the newest by default.

        Parameters
        ----------
        time : datetime.datetime or None
        **places : str, int, float, bool, datetime.datetime or list of str

        Returns
        -------
        ObservedHourOut
        """
        ask = asks.observed_hour({"time": time, **places})
        first, *rest = self._pages(ask)
        first.items.extend(item for page in rest for item in page.items)
        first.next = None
        return first

    def warnings(self, **query: Value) -> FeatureCollectionOut:
        """Return the warnings in force as GeoJSON features; `query` may hold ``at`` (a time, now by default), ``level``, ``rule_set``, ``simulated``, and cities as in `cities`."""
        return self._send(asks.warnings(query))

    def warning(self, warning_id: str) -> dict[str, Any]:
        """Return a warning message as a GeoJSON feature."""
        return self._send(asks.warning(warning_id))

    def warning_cap(self, warning_id: str) -> bytes:
        """Return a warning message as CAP 1.2."""
        return self._send(asks.warning_cap(warning_id))

    def feed(self, language: str = "zh") -> bytes:
        """Return the Atom feed of warnings."""
        return self._send(asks.feed(language))

    def areas(self) -> FeatureCollectionOut:
        """Return the areas of haze of the latest forecast."""
        return self._send(asks.areas())

    def verification(
        self, *, city: list[str] | None = None, pollutant: str | None = None, days: int | None = None
    ) -> VerificationOut:
        """Return how well past forecasts agreed with observations: of some cities or all together, of a pollutant or both, over so many days of init times.

        Parameters
        ----------
        city : list of str or None
        pollutant : str or None
        days : int or None

        Returns
        -------
        VerificationOut
        """
        return self._send(asks.verification({"city": city, "pollutant": pollutant, "days": days}))

    def picture(self, name: str, **query: Value) -> bytes:
        """Return a map or chart by its path below ``/v1/maps``, such as ``haze.png``.

        `query` may hold ``language``, ``size`` and others of the picture.

        Parameters
        ----------
        name : str
        **query : str, int, float, bool, datetime.datetime or list of str

        Returns
        -------
        bytes
        """
        return self._send(asks.picture(name, query))

    def bulletin(self, form: str = "html", **query: Value) -> bytes:
        """Return the daily bulletin as html, pdf, csv, nc or txt.

        `query` may hold ``city``, ``region`` and ``language``.

        Parameters
        ----------
        form : str
        **query : str, int, float, bool, datetime.datetime or list of str

        Returns
        -------
        bytes
        """
        return self._send(asks.bulletin(form, query))

    def climatology(self, city: str, year: int | None = None) -> ClimatologyOut:
        """Return a city's year from the stored observations, the newest by default.

        Parameters
        ----------
        city : str
        year : int or None

        Returns
        -------
        ClimatologyOut
        """
        return self._send(asks.climatology(city, year))

    def weekend(self, city: str, **query: Value) -> WeekendOut:
        """Return the weekend effect in a city's observations; `query` may hold ``series`` and ``days``.

        Parameters
        ----------
        city : str
        **query : str, int, float, bool, datetime.datetime or list of str

        Returns
        -------
        WeekendOut
        """
        return self._send(asks.weekend(city, query))

    def ready(self) -> ReadyOut:
        """Return the readiness of the service; where its forecast is stale, an `UnavailableError` (503) is raised."""
        return self._send(asks.ready())

    def health(self) -> HealthOut:
        """Return whether the process is alive."""
        return self._send(asks.health())

    def cities(self, **places: Value) -> list[CityOut]:
        """Return the cities that are forecast, all pages of them: those of a ``city``, ``region`` (text or lists of it), ``country`` (such as ``JP``) and ``bbox`` (west, south, east, north in degrees, comma-separated)."""
        return [item for page in self._pages(asks.cities(places)) for item in page.items]

    def voc_species(self) -> list[VocSpeciesOut]:
        """Return the reactivity of VOC that Hazecast knows."""
        return [item for page in self._pages(asks.voc_species()) for item in page.items]

    def subscriptions(self) -> list[SubscriptionOut]:
        """Return the account's subscriptions, oldest first."""
        return [item for page in self._pages(asks.subscriptions()) for item in page.items]

    def runs(self, **query: Value) -> Iterator[RunOut]:
        """Yield the stored runs, newest first, page by page; `query` may hold ``simulated``, ``from`` and ``to`` (init times) and ``limit`` (runs a page)."""
        for page in self._pages(asks.runs(query)):
            yield from page.items

    def observations(
        self, city: str, *, start: datetime | None = None, end: datetime | None = None, limit: int = 500
    ) -> Iterator[ObservationOut]:
        """Yield the observed hours of a city, oldest first, page by page; by default the last 72.

        Parameters
        ----------
        city : str
        start : datetime.datetime or None
        end : datetime.datetime or None
        limit : int

        Yields
        ------
        ObservationOut
        """
        for page in self._pages(asks.observations(city, {"from": start, "to": end, "limit": limit})):
            yield from page.items

    def stations(self, **query: Value) -> Iterator[StationOut]:
        """Yield the stations by id, page by page; `query` may hold ``limit`` and cities as in `cities`."""
        for page in self._pages(asks.stations(query)):
            yield from page.items

    def station_observations(
        self, station: str, *, start: datetime | None = None, end: datetime | None = None, limit: int = 500
    ) -> Iterator[StationHourOut]:
        """Yield the hours of a station, oldest first, page by page; by default the last 72.

        Parameters
        ----------
        station : str
        start : datetime.datetime or None
        end : datetime.datetime or None
        limit : int

        Yields
        ------
        StationHourOut
        """
        for page in self._pages(asks.station_observations(station, {"from": start, "to": end, "limit": limit})):
            yield from page.items

    def cycles(self, **query: Value) -> Iterator[CycleOut]:
        """Yield the forecast cycles, newest first, page by page."""
        for page in self._pages(asks.cycles(query)):
            yield from page.items

    def warning_history(self, **query: Value) -> Iterator[dict[str, object]]:
        """Yield all warning messages as GeoJSON features, newest first, page by page; `query` as in `warnings`."""
        for page in self._pages(asks.warnings({"state": "all", **query})):
            yield from page.features

    def deliveries(self, subscription_id: str, **query: Value) -> Iterator[DeliveryOut]:
        """Yield the messages to a subscription, newest first, page by page; `query` may hold ``state``.

        Parameters
        ----------
        subscription_id : str
        **query : str, int, float, bool, datetime.datetime or list of str

        Yields
        ------
        DeliveryOut
        """
        for page in self._pages(asks.deliveries(subscription_id, query)):
            yield from page.items

    def dead_letters(self, **query: Value) -> Iterator[DeliveryOut]:
        """Yield what could not be delivered, newest first, page by page."""
        for page in self._pages(asks.dead_letters(query)):
            yield from page.items

    def subscription(self, subscription_id: str) -> SubscriptionOut:
        """Return one subscription."""
        return self._send(asks.subscription(subscription_id))

    def subscribe(self, new: NewSubscription) -> CreatedOut:
        """Subscribe; the answer holds a webhook's secret, this once."""
        return self._send(asks.subscribe(new))

    def change_subscription(self, subscription_id: str, change: Change) -> SubscriptionOut:
        """Change what is given of a subscription, also its state.

        Parameters
        ----------
        subscription_id : str
        change : Change

        Returns
        -------
        SubscriptionOut
        """
        return self._send(asks.change_subscription(subscription_id, change))

    def delete_subscription(self, subscription_id: str) -> None:
        """Delete a subscription with its history."""
        self._send(asks.delete_subscription(subscription_id))

    def rotate_secret(self, subscription_id: str) -> SecretOut:
        """Make a webhook's secret anew."""
        return self._send(asks.rotate_secret(subscription_id))

    def test_subscription(self, subscription_id: str) -> TestOut:
        """Send a test message."""
        return self._send(asks.test_subscription(subscription_id))

    def send_now(self, subscription_id: str) -> WaitingOut:
        """Send what waits of a subscription now, after its receiver is repaired."""
        return self._send(asks.send_now(subscription_id))

    def delivery(self, delivery_id: str) -> DeliveryOut:
        """Return one delivery."""
        return self._send(asks.delivery(delivery_id))

    def replay(self, delivery_id: str) -> ReplayedOut:
        """Send a finished delivery again."""
        return self._send(asks.replay(delivery_id))

    def replay_dead(self, subscription_id: str) -> ReplayedOut:
        """Send all dead letters of a subscription again."""
        return self._send(asks.replay_dead(subscription_id))

    def _pages(self, ask: Ask[T]) -> Iterator[T]:
        cursor: str | None = None
        while True:
            page = self._send(ask, cursor=cursor)
            yield page
            cursor = getattr(page, "next", None)
            if cursor is None:
                return

    def _send(self, ask: Ask[T], **more: Value) -> T:
        request = request_of(self._http, ask, self._memory, **more)
        try:
            answer = self._answer(request, attempts_of(ask, self._attempts))
        except httpx.HTTPError as error:
            raise no_answer(request, error) from error
        return ask.read(self._memory.content(request, answer))

    def _answer(self, request: httpx.Request, attempts: int) -> httpx.Response:
        try:
            for attempt in stamina.retry_context(on=pause, attempts=attempts, wait_initial=0.2, timeout=None):
                with attempt:
                    answer = checked(self._http.send(request))
        except Passing as passing:
            return passing.answer
        return answer
