"""A typed client of the API that waits for nothing: every read and subscription, awaited.

Answers are the models of `hazecast.services.web.schemas`. Errors are those of `hazecast.services.client.errors`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
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


class AsyncClient:
    """As `Client`, for programs that wait for many things at once: methods are awaited, lists iterated with ``async for``.

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
    transport : httpx.AsyncBaseTransport, optional
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
    >>> async with AsyncClient("https://haze.example") as client:  # doctest: +SKIP
    ...     forecast = await client.forecast("beijing")
    """

    def __init__(
        self,
        server: str,
        *,
        key: str | None = None,
        attempts: int = 4,
        timeout: float = 60.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        try:
            self._http = httpx.AsyncClient(
                base_url=server, headers=headers_of(key), timeout=timeout, transport=transport
            )
        except httpx.InvalidURL as error:
            raise NoAnswerError(server, f"not an address: {error}") from error
        self._attempts = attempts
        self._memory = Memory()

    async def __aenter__(self) -> AsyncClient:
        """Return the client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def city(self, name: str) -> CityOut:
        """Return one city."""
        return await self._send(asks.city(name))

    async def forecast(
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
        return await self._send(asks.forecast(city, {"init_time": init_time, "from": start, "to": end}))

    async def daily(self, city: str, **query: Value) -> DailyOut:
        """Return the days of a city; `query` may hold ``init_time`` and ``timezone``.

        Parameters
        ----------
        city : str
        **query : str, int, float, bool, datetime.datetime or list of str

        Returns
        -------
        DailyOut
        """
        return await self._send(asks.daily(city, query))

    async def point(self, latitude: float, longitude: float, **query: Value) -> PointOut:
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
        return await self._send(asks.point(latitude, longitude, query))

    async def run(self, init_time: datetime | None = None, **query: Value) -> RunForecastOut:
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
        first, *rest = [page async for page in self._pages(asks.run(init_time, query))]
        first.items.extend(item for page in rest for item in page.items)
        first.next = None
        return first

    async def run_netcdf(self, init_time: datetime | None = None, **query: Value) -> bytes:
        """Return a run as a NetCDF file by CF-1.11 and ACDD-1.3; `query` as in `run`.

        Parameters
        ----------
        init_time : datetime.datetime or None
        **query : str, int, float, bool, datetime.datetime or list of str

        Returns
        -------
        bytes
        """
        return await self._send(asks.run_netcdf(init_time, query))

    async def map(self, **query: Value) -> MapOut:
        """Return all cities and hours of a run, compact; `query` may hold ``variables``, ``init_time`` and cities as in `cities`."""
        first, *rest = [page async for page in self._pages(asks.layers(query))]
        first.items.extend(item for page in rest for item in page.items)
        first.next = None
        return first

    async def observed_hour(self, time: datetime | None = None, **places: Value) -> ObservedHourOut:
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
        first, *rest = [page async for page in self._pages(ask)]
        first.items.extend(item for page in rest for item in page.items)
        first.next = None
        return first

    async def warnings(self, **query: Value) -> FeatureCollectionOut:
        """Return the warnings in force as GeoJSON features; `query` may hold ``at`` (a time, now by default), ``level``, ``rule_set``, ``simulated``, and cities as in `cities`."""
        return await self._send(asks.warnings(query))

    async def warning(self, warning_id: str) -> dict[str, Any]:
        """Return a warning message as a GeoJSON feature."""
        return await self._send(asks.warning(warning_id))

    async def warning_cap(self, warning_id: str) -> bytes:
        """Return a warning message as CAP 1.2."""
        return await self._send(asks.warning_cap(warning_id))

    async def feed(self, language: str = "zh") -> bytes:
        """Return the Atom feed of warnings."""
        return await self._send(asks.feed(language))

    async def areas(self) -> FeatureCollectionOut:
        """Return the areas of haze of the latest forecast."""
        return await self._send(asks.areas())

    async def verification(
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
        return await self._send(asks.verification({"city": city, "pollutant": pollutant, "days": days}))

    async def picture(self, name: str, **query: Value) -> bytes:
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
        return await self._send(asks.picture(name, query))

    async def bulletin(self, form: str = "html", **query: Value) -> bytes:
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
        return await self._send(asks.bulletin(form, query))

    async def climatology(self, city: str, year: int | None = None) -> ClimatologyOut:
        """Return a city's year from the stored observations, the newest by default.

        Parameters
        ----------
        city : str
        year : int or None

        Returns
        -------
        ClimatologyOut
        """
        return await self._send(asks.climatology(city, year))

    async def weekend(self, city: str, **query: Value) -> WeekendOut:
        """Return the weekend effect in a city's observations; `query` may hold ``series`` and ``days``.

        Parameters
        ----------
        city : str
        **query : str, int, float, bool, datetime.datetime or list of str

        Returns
        -------
        WeekendOut
        """
        return await self._send(asks.weekend(city, query))

    async def ready(self) -> ReadyOut:
        """Return the readiness of the service; where its forecast is stale, an `UnavailableError` (503) is raised."""
        return await self._send(asks.ready())

    async def health(self) -> HealthOut:
        """Return whether the process is alive."""
        return await self._send(asks.health())

    async def cities(self, **places: Value) -> list[CityOut]:
        """Return the cities that are forecast, all pages of them: those of a ``city``, ``region`` (text or lists of it), ``country`` (such as ``JP``) and ``bbox`` (west, south, east, north in degrees, comma-separated)."""
        return [item async for page in self._pages(asks.cities(places)) for item in page.items]

    async def voc_species(self) -> list[VocSpeciesOut]:
        """Return the reactivity of VOC that Hazecast knows."""
        return [item async for page in self._pages(asks.voc_species()) for item in page.items]

    async def subscriptions(self) -> list[SubscriptionOut]:
        """Return the account's subscriptions, oldest first."""
        return [item async for page in self._pages(asks.subscriptions()) for item in page.items]

    async def runs(self, **query: Value) -> AsyncIterator[RunOut]:
        """Yield the stored runs, newest first, page by page; `query` may hold ``simulated``, ``from`` and ``to`` (init times) and ``limit`` (runs a page)."""
        async for page in self._pages(asks.runs(query)):
            for item in page.items:
                yield item

    async def observations(
        self, city: str, *, start: datetime | None = None, end: datetime | None = None, limit: int = 500
    ) -> AsyncIterator[ObservationOut]:
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
        async for page in self._pages(asks.observations(city, {"from": start, "to": end, "limit": limit})):
            for item in page.items:
                yield item

    async def stations(self, **query: Value) -> AsyncIterator[StationOut]:
        """Yield the stations by id, page by page; `query` may hold ``limit`` and cities as in `cities`."""
        async for page in self._pages(asks.stations(query)):
            for item in page.items:
                yield item

    async def station_observations(
        self, station: str, *, start: datetime | None = None, end: datetime | None = None, limit: int = 500
    ) -> AsyncIterator[StationHourOut]:
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
        async for page in self._pages(asks.station_observations(station, {"from": start, "to": end, "limit": limit})):
            for item in page.items:
                yield item

    async def cycles(self, **query: Value) -> AsyncIterator[CycleOut]:
        """Yield the forecast cycles, newest first, page by page."""
        async for page in self._pages(asks.cycles(query)):
            for item in page.items:
                yield item

    async def warning_history(self, **query: Value) -> AsyncIterator[dict[str, object]]:
        """Yield all warning messages as GeoJSON features, newest first, page by page; `query` as in `warnings`."""
        async for page in self._pages(asks.warnings({"state": "all", **query})):
            for item in page.features:
                yield item

    async def deliveries(self, subscription_id: str, **query: Value) -> AsyncIterator[DeliveryOut]:
        """Yield the messages to a subscription, newest first, page by page; `query` may hold ``state``.

        Parameters
        ----------
        subscription_id : str
        **query : str, int, float, bool, datetime.datetime or list of str

        Yields
        ------
        DeliveryOut
        """
        async for page in self._pages(asks.deliveries(subscription_id, query)):
            for item in page.items:
                yield item

    async def dead_letters(self, **query: Value) -> AsyncIterator[DeliveryOut]:
        """Yield what could not be delivered, newest first, page by page."""
        async for page in self._pages(asks.dead_letters(query)):
            for item in page.items:
                yield item

    async def subscription(self, subscription_id: str) -> SubscriptionOut:
        """Return one subscription."""
        return await self._send(asks.subscription(subscription_id))

    async def subscribe(self, new: NewSubscription) -> CreatedOut:
        """Subscribe; the answer holds a webhook's secret, this once."""
        return await self._send(asks.subscribe(new))

    async def change_subscription(self, subscription_id: str, change: Change) -> SubscriptionOut:
        """Change what is given of a subscription, also its state.

        Parameters
        ----------
        subscription_id : str
        change : Change

        Returns
        -------
        SubscriptionOut
        """
        return await self._send(asks.change_subscription(subscription_id, change))

    async def delete_subscription(self, subscription_id: str) -> None:
        """Delete a subscription with its history."""
        await self._send(asks.delete_subscription(subscription_id))

    async def rotate_secret(self, subscription_id: str) -> SecretOut:
        """Make a webhook's secret anew."""
        return await self._send(asks.rotate_secret(subscription_id))

    async def test_subscription(self, subscription_id: str) -> TestOut:
        """Send a test message."""
        return await self._send(asks.test_subscription(subscription_id))

    async def send_now(self, subscription_id: str) -> WaitingOut:
        """Send what waits of a subscription now, after its receiver is repaired."""
        return await self._send(asks.send_now(subscription_id))

    async def delivery(self, delivery_id: str) -> DeliveryOut:
        """Return one delivery."""
        return await self._send(asks.delivery(delivery_id))

    async def replay(self, delivery_id: str) -> ReplayedOut:
        """Send a finished delivery again."""
        return await self._send(asks.replay(delivery_id))

    async def replay_dead(self, subscription_id: str) -> ReplayedOut:
        """Send all dead letters of a subscription again."""
        return await self._send(asks.replay_dead(subscription_id))

    async def _pages(self, ask: Ask[T]) -> AsyncIterator[T]:
        cursor: str | None = None
        while True:
            page = await self._send(ask, cursor=cursor)
            yield page
            cursor = getattr(page, "next", None)
            if cursor is None:
                return

    async def _send(self, ask: Ask[T], **more: Value) -> T:
        request = request_of(self._http, ask, self._memory, **more)
        try:
            answer = await self._answer(request, attempts_of(ask, self._attempts))
        except httpx.HTTPError as error:
            raise no_answer(request, error) from error
        return ask.read(self._memory.content(request, answer))

    async def _answer(self, request: httpx.Request, attempts: int) -> httpx.Response:
        try:
            async for attempt in stamina.retry_context(on=pause, attempts=attempts, wait_initial=0.2, timeout=None):
                with attempt:
                    answer = checked(await self._http.send(request))
        except Passing as passing:
            return passing.answer
        return answer
