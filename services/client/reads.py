"""The reads of `Client` that need no key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Unpack

from hazecast.services.client import public_asks as asks
from hazecast.services.client.events import PublicEvent, public_event
from hazecast.services.client.queries import (
    BulletinQuery,
    DailyQuery,
    FeedQuery,
    ForecastQuery,
    HistoryQuery,
    MapQuery,
    ObservedQuery,
    OfRun,
    PageQuery,
    PictureQuery,
    Places,
    PointQuery,
    RunQuery,
    RunsQuery,
    StationsQuery,
    VerificationQuery,
    WarningsQuery,
    WeekendQuery,
)
from hazecast.services.client.waiting import Connection
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
    ProblemTypeOut,
    ReadyOut,
    RunForecastOut,
    RunOut,
)
from hazecast.services.web.schemas.places import PointOut, StationHourOut, StationOut
from hazecast.services.web.schemas.scores import VerificationOut
from hazecast.services.web.schemas.studies import ClimatologyOut, StudyFormOut, StudyOut, VocSpeciesOut, WeekendOut


class Reads(Connection):
    """What everyone may read. What a query may hold is named by its type, in `hazecast.services.client.queries`."""

    def cities(self, **places: Unpack[Places]) -> list[CityOut]:
        """Return the cities that are forecast, all pages of them."""
        return [item for page in self._pages(asks.cities(places)) for item in page.items]

    def city(self, name: str) -> CityOut:
        """Return one city."""
        return self._send(asks.city(name))

    def forecast(self, city: str, **query: Unpack[ForecastQuery]) -> ForecastOut:
        """Return the forecast of a city by hour, of the newest run or that of `init_time`.

        Parameters
        ----------
        city : str
        **query : ForecastQuery

        Returns
        -------
        ForecastOut
        """
        return self._send(asks.forecast(city, query))

    def daily(self, city: str, **query: Unpack[DailyQuery]) -> DailyOut:
        """Return the days of a city.

        Parameters
        ----------
        city : str
        **query : DailyQuery

        Returns
        -------
        DailyOut
        """
        return self._send(asks.daily(city, query))

    def point(self, latitude: float, longitude: float, **query: Unpack[PointQuery]) -> PointOut:
        """Return the forecast at a point: of the city there or of the field between cities.

        Parameters
        ----------
        latitude : float
        longitude : float
        **query : PointQuery

        Returns
        -------
        PointOut
        """
        return self._send(asks.point(latitude, longitude, query))

    def run(self, init_time: datetime | None = None, **query: Unpack[RunQuery]) -> RunForecastOut:
        """Return the forecast of all cities from one run, all pages of it.

        Parameters
        ----------
        init_time : datetime.datetime or None
        **query : RunQuery

        Returns
        -------
        RunForecastOut
        """
        first, *rest = self._pages(asks.run(init_time, query))
        first.items.extend(item for page in rest for item in page.items)
        first.next = None
        return first

    def run_netcdf(self, init_time: datetime | None = None, **query: Unpack[RunQuery]) -> bytes:
        """Return a run as a NetCDF file by CF-1.11 and ACDD-1.3.

        Parameters
        ----------
        init_time : datetime.datetime or None
        **query : RunQuery

        Returns
        -------
        bytes
        """
        return self._send(asks.run_netcdf(init_time, query))

    def runs(self, **query: Unpack[RunsQuery]) -> Iterator[RunOut]:
        """Yield the stored runs, newest first, page by page."""
        for page in self._pages(asks.runs(query)):
            yield from page.items

    def map(self, **query: Unpack[MapQuery]) -> MapOut:
        """Return all cities and hours of a run, compact, all pages of it."""
        first, *rest = self._pages(asks.layers(query))
        first.items.extend(item for page in rest for item in page.items)
        first.next = None
        return first

    def table(self, path: str, form: str, **query: Any) -> bytes:
        """Return any answer as a file: ``table("cities/beijing/forecast", "csv", variables="pm25")``.

        A long list is its first page; `query` may hold its ``limit`` and ``cursor``.

        Parameters
        ----------
        path : str
            Below ``/v1``.
        form : str
            ``csv``, ``parquet``, ``netcdf`` or ``geojson``, where the answer has it.
        **query : str, int, float, bool, datetime.datetime or list of str
            As the API's description names them, with ``start`` and ``end`` for ``from`` and ``to``.

        Returns
        -------
        bytes
        """
        return self._send(asks.table(path, form, query))

    def observations(self, city: str, **query: Unpack[ObservedQuery]) -> Iterator[ObservationOut]:
        """Yield the observed hours of a city, oldest first, page by page; by default the last 72.

        Parameters
        ----------
        city : str
        **query : ObservedQuery

        Yields
        ------
        ObservationOut
        """
        for page in self._pages(asks.observations(city, query)):
            yield from page.items

    def observed_hour(self, time: datetime | None = None, **places: Unpack[Places]) -> ObservedHourOut:
        """Return one observed hour of the cities, the newest by default.

        Parameters
        ----------
        time : datetime.datetime or None
        **places : Places

        Returns
        -------
        ObservedHourOut
        """
        first, *rest = self._pages(asks.observed_hour({"time": time, **places}))
        first.items.extend(item for page in rest for item in page.items)
        first.next = None
        return first

    def stations(self, **query: Unpack[StationsQuery]) -> Iterator[StationOut]:
        """Yield the stations by id, page by page."""
        for page in self._pages(asks.stations(query)):
            yield from page.items

    def station_observations(self, station: str, **query: Unpack[ObservedQuery]) -> Iterator[StationHourOut]:
        """Yield the hours of a station, oldest first, page by page; by default the last 72.

        Parameters
        ----------
        station : str
        **query : ObservedQuery

        Yields
        ------
        StationHourOut
        """
        for page in self._pages(asks.station_observations(station, query)):
            yield from page.items

    def warnings(self, **query: Unpack[WarningsQuery]) -> FeatureCollectionOut:
        """Return the warnings in force as GeoJSON features, all pages of them."""
        first, *rest = self._pages(asks.warnings(query))
        first.features.extend(feature for page in rest for feature in page.features)
        first.next = None
        return first

    def warning_history(self, **query: Unpack[HistoryQuery]) -> Iterator[dict[str, object]]:
        """Yield all warning messages as GeoJSON features, newest first, page by page."""
        for page in self._pages(asks.warnings({"state": "all", **query})):
            yield from page.features

    def warning(self, warning_id: str) -> dict[str, Any]:
        """Return a warning message as a GeoJSON feature."""
        return self._send(asks.warning(warning_id))

    def warning_cap(self, warning_id: str) -> bytes:
        """Return a warning message as CAP 1.2."""
        return self._send(asks.warning_cap(warning_id))

    def feed(self, **query: Unpack[FeedQuery]) -> bytes:
        """Return the Atom feed of warnings."""
        return self._send(asks.feed(query))

    def areas(self, **query: Unpack[OfRun]) -> FeatureCollectionOut:
        """Return the areas of haze of a forecast."""
        return self._send(asks.areas(query))

    def events(self, after: int | None = None) -> Iterator[PublicEvent]:
        """Yield new forecasts and warnings as they come, without end; a lost connection is made anew where it ended.

        A `ServerError` is raised where the server refuses, or can't be reached in as many attempts in a row as the client makes.

        Parameters
        ----------
        after : int or None
            `position` of the last event that was seen; by default it begins now.

        Yields
        ------
        ForecastEvent, WarningEvent or ResetEvent
            Those of a type that this client does not know are passed over.
        """
        for raw in self._listen("/v1/events", after):
            event = public_event(raw)
            if event is not None:
                yield event

    def picture(self, name: str, **query: Unpack[PictureQuery]) -> bytes:
        """Return a map or chart by its path below ``/v1/maps``, such as ``haze.png``.

        Parameters
        ----------
        name : str
        **query : PictureQuery

        Returns
        -------
        bytes
        """
        return self._send(asks.picture(name, query))

    def bulletin(self, form: str = "html", **query: Unpack[BulletinQuery]) -> bytes:
        """Return the daily bulletin as html, pdf, csv, nc or txt.

        Parameters
        ----------
        form : str
        **query : BulletinQuery

        Returns
        -------
        bytes
        """
        return self._send(asks.bulletin(form, query))

    def verification(self, **query: Unpack[VerificationQuery]) -> VerificationOut:
        """Return how well past forecasts agreed with observations."""
        return self._send(asks.verification(query))

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

    def weekend(self, city: str, **query: Unpack[WeekendQuery]) -> WeekendOut:
        """Return the weekend effect in a city's observations.

        Parameters
        ----------
        city : str
        **query : WeekendQuery

        Returns
        -------
        WeekendOut
        """
        return self._send(asks.weekend(city, query))

    def studies(self) -> list[StudyOut]:
        """Return the studies that can be asked for, and what each needs."""
        return [item for page in self._pages(asks.studies()) for item in page.items]

    def study(self, name: str) -> StudyFormOut:
        """Return what a study takes: the JSON Schema of what `run_study` is given, and an example."""
        return self._send(asks.study(name))

    def voc_species(self) -> list[VocSpeciesOut]:
        """Return the reactivity of VOC that Hazecast knows."""
        return [item for page in self._pages(asks.voc_species()) for item in page.items]

    def cycles(self, **query: Unpack[PageQuery]) -> Iterator[CycleOut]:
        """Yield the forecast cycles, newest first, page by page."""
        for page in self._pages(asks.cycles(query)):
            yield from page.items

    def ready(self) -> ReadyOut:
        """Return the readiness of the service; where its forecast is stale, an `UnavailableError` (503) is raised."""
        return self._send(asks.ready())

    def health(self) -> HealthOut:
        """Return whether the process is alive."""
        return self._send(asks.health())

    def problem(self, name: str) -> ProblemTypeOut:
        """Return what a type of problem means, such as ``invalid-argument``."""
        return self._send(asks.problem(name))
