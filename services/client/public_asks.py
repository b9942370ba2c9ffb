"""What the API answers to everyone, as requests."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from hazecast.services.client.ask import Ask, Query, file, model, segment
from hazecast.services.web.schemas.daily import DailyOut
from hazecast.services.web.schemas.forecasts import (
    CitiesOut,
    CityOut,
    CycleOut,
    FeatureCollectionOut,
    ForecastOut,
    HealthOut,
    MapOut,
    ObservationsOut,
    ObservedHourOut,
    ProblemTypeOut,
    ReadyOut,
    RunForecastOut,
    RunsOut,
)
from hazecast.services.web.schemas.items import ItemsOut
from hazecast.services.web.schemas.places import PointOut, StationHoursOut, StationsOut
from hazecast.services.web.schemas.scores import VerificationOut
from hazecast.services.web.schemas.studies import ClimatologyOut, StudyFormOut, StudyOut, VocSpeciesOut, WeekendOut

# The most that the API puts on a page of cities.
_CITIES_A_PAGE = 500


def _run(init_time: datetime | None) -> str:
    return "/v1/forecasts/latest" if init_time is None else f"/v1/forecasts/{segment(init_time.isoformat())}"


def _city(city: str, what: str) -> str:
    return f"/v1/cities/{segment(city)}/{what}"


def cities(query: Query) -> Ask[CitiesOut]:
    """The cities that are forecast."""
    return model(CitiesOut, "/v1/cities", {"limit": _CITIES_A_PAGE, **query})


def city(name: str) -> Ask[CityOut]:
    """One city."""
    return model(CityOut, f"/v1/cities/{segment(name)}")


def forecast(name: str, query: Query) -> Ask[ForecastOut]:
    """A city's hours.

    Parameters
    ----------
    name : str
    query : mapping

    Returns
    -------
    Ask[ForecastOut]
    """
    return model(ForecastOut, _city(name, "forecast"), query)


def daily(name: str, query: Query) -> Ask[DailyOut]:
    """A city's days.

    Parameters
    ----------
    name : str
    query : mapping

    Returns
    -------
    Ask[DailyOut]
    """
    return model(DailyOut, _city(name, "daily"), query)


def point(latitude: float, longitude: float, query: Query) -> Ask[PointOut]:
    """The forecast at a point.

    Parameters
    ----------
    latitude : float
    longitude : float
    query : mapping

    Returns
    -------
    Ask[PointOut]
    """
    return model(PointOut, "/v1/point", {"latitude": latitude, "longitude": longitude, **query})


def run(init_time: datetime | None, query: Query) -> Ask[RunForecastOut]:
    """A run's cities.

    Parameters
    ----------
    init_time : datetime.datetime or None
    query : mapping

    Returns
    -------
    Ask[RunForecastOut]
    """
    return model(RunForecastOut, _run(init_time), query)


def run_netcdf(init_time: datetime | None, query: Query) -> Ask[bytes]:
    """A run as NetCDF.

    Parameters
    ----------
    init_time : datetime.datetime or None
    query : mapping

    Returns
    -------
    Ask[bytes]
    """
    return file(_run(init_time), query, "application/x-netcdf")


def runs(query: Query) -> Ask[RunsOut]:
    """The stored runs."""
    return model(RunsOut, "/v1/forecasts", query)


def layers(query: Query) -> Ask[MapOut]:
    """All cities and hours, compact."""
    return model(MapOut, "/v1/map", query)


def observations(name: str, query: Query) -> Ask[ObservationsOut]:
    """A city's observed hours.

    Parameters
    ----------
    name : str
    query : mapping

    Returns
    -------
    Ask[ObservationsOut]
    """
    return model(ObservationsOut, _city(name, "observations"), query)


def observed_hour(query: Query) -> Ask[ObservedHourOut]:
    """One hour of the cities."""
    return model(ObservedHourOut, "/v1/observations", query)


def stations(query: Query) -> Ask[StationsOut]:
    """The stations."""
    return model(StationsOut, "/v1/stations", query)


def station_observations(station: str, query: Query) -> Ask[StationHoursOut]:
    """A station's hours.

    Parameters
    ----------
    station : str
    query : mapping

    Returns
    -------
    Ask[StationHoursOut]
    """
    return model(StationHoursOut, f"/v1/stations/{segment(station)}/observations", query)


def warnings(query: Query) -> Ask[FeatureCollectionOut]:
    """Warnings as GeoJSON."""
    return model(FeatureCollectionOut, "/v1/warnings", query)


def warning(name: str) -> Ask[dict[str, Any]]:
    """One message as a GeoJSON feature."""
    return Ask(f"/v1/warnings/{segment(name)}", json.loads, accept="application/geo+json")


def warning_cap(name: str) -> Ask[bytes]:
    """One message as CAP 1.2."""
    return file(f"/v1/warnings/{segment(name)}.cap")


def feed(query: Query) -> Ask[bytes]:
    """The Atom feed."""
    return file("/v1/warnings/feed.atom", query)


def areas(query: Query) -> Ask[FeatureCollectionOut]:
    """Areas of haze."""
    return model(FeatureCollectionOut, "/v1/areas", query)


def verification(query: Query) -> Ask[VerificationOut]:
    """How forecasts verified."""
    return model(VerificationOut, "/v1/verification", query)


def picture(name: str, query: Query) -> Ask[bytes]:
    """A map or chart.

    Parameters
    ----------
    name : str
    query : mapping

    Returns
    -------
    Ask[bytes]
    """
    return file(f"/v1/maps/{name}", query)


def bulletin(form: str, query: Query) -> Ask[bytes]:
    """The daily bulletin.

    Parameters
    ----------
    form : str
    query : mapping

    Returns
    -------
    Ask[bytes]
    """
    return file(f"/v1/bulletins/latest.{segment(form)}", query)


def climatology(name: str, year: int | None) -> Ask[ClimatologyOut]:
    """A city's year.

    Parameters
    ----------
    name : str
    year : int or None

    Returns
    -------
    Ask[ClimatologyOut]
    """
    return model(ClimatologyOut, _city(name, "climatology"), {"year": year})


def weekend(name: str, query: Query) -> Ask[WeekendOut]:
    """The weekend effect in a city.

    Parameters
    ----------
    name : str
    query : mapping

    Returns
    -------
    Ask[WeekendOut]
    """
    return model(WeekendOut, f"/v1/studies/ozone/{segment(name)}/weekend", query)


def studies() -> Ask[ItemsOut[StudyOut]]:
    """The studies that can be asked for."""
    return model(ItemsOut[StudyOut], "/v1/studies")


def study(name: str) -> Ask[StudyFormOut]:
    """What a study takes."""
    return model(StudyFormOut, f"/v1/studies/{segment(name)}")


def voc_species() -> Ask[ItemsOut[VocSpeciesOut]]:
    """The table of VOC."""
    return model(ItemsOut[VocSpeciesOut], "/v1/studies/voc-species")


def ready() -> Ask[ReadyOut]:
    """Whether the service is ready."""
    return model(ReadyOut, "/v1/readyz")


def health() -> Ask[HealthOut]:
    """Whether the process is alive."""
    return model(HealthOut, "/v1/healthz")


def cycles(query: Query) -> Ask[ItemsOut[CycleOut]]:
    """The cycles."""
    return model(ItemsOut[CycleOut], "/v1/cycles", query)


def problem(name: str) -> Ask[ProblemTypeOut]:
    """What a type of problem means."""
    return model(ProblemTypeOut, f"/v1/problems/{segment(name)}")


def table(path: str, form: str, query: Query) -> Ask[bytes]:
    """Any answer in a representation that is a file.

    Parameters
    ----------
    path : str
        Below ``/v1``.
    form : str
    query : mapping

    Returns
    -------
    Ask[bytes]
    """
    return file(f"/v1/{path}", {**query, "format": form})
