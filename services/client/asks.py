"""What the API can be asked, as plain values: `Client` sends them and waits, `AsyncClient` sends them and doesn't."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from hazecast.services.delivery.subscription_fields import Change, NewSubscription
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
    ReadyOut,
    RunForecastOut,
    RunsOut,
)
from hazecast.services.web.schemas.items import ItemsOut
from hazecast.services.web.schemas.places import PointOut, StationHoursOut, StationsOut
from hazecast.services.web.schemas.scores import VerificationOut
from hazecast.services.web.schemas.studies import ClimatologyOut, VocSpeciesOut, WeekendOut
from hazecast.services.web.schemas.subscriptions import (
    CreatedOut,
    DeliveriesOut,
    DeliveryOut,
    ReplayedOut,
    SecretOut,
    SubscriptionOut,
    SubscriptionsOut,
    TestOut,
    WaitingOut,
)

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Value = str | int | float | bool | datetime | list[str] | None
Query = Mapping[str, Value]
# The most that the API puts on a page of cities.
_CITIES_A_PAGE = 500


@dataclass(frozen=True)
class Ask(Generic[T]):
    """One request, and what its answer is read as."""

    path: str
    read: Callable[[bytes], T]
    query: Query = field(default_factory=dict)
    accept: str = "application/json"
    method: str = "GET"
    body: bytes | None = None

    def parameters(self, **more: Value) -> dict[str, Any]:
        """Return the query as it is sent: times in ISO 8601, nothing that isn't given."""
        given = {name: value for name, value in {**self.query, **more}.items() if value is not None}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}


def _model(model: type[M], path: str, query: Query | None = None, **more: Any) -> Ask[M]:
    return Ask(path, model.model_validate_json, query or {}, **more)


def _file(path: str, query: Query | None = None, accept: str = "*/*") -> Ask[bytes]:
    return Ask(path, bytes, query or {}, accept)


def _sent(body: BaseModel) -> bytes:
    return body.model_dump_json(exclude_unset=True).encode()


def segment(text: str) -> str:
    """Return a name as one segment of a path, with everything else in it escaped."""
    return quote(text, safe="")


def _run(init_time: datetime | None) -> str:
    return "/v1/forecasts/latest" if init_time is None else f"/v1/forecasts/{segment(init_time.isoformat())}"


def _city(city: str, what: str) -> str:
    return f"/v1/cities/{segment(city)}/{what}"


def cities(query: Query) -> Ask[CitiesOut]:
    """The cities that are forecast."""
    return _model(CitiesOut, "/v1/cities", {"limit": _CITIES_A_PAGE, **query})


def city(name: str) -> Ask[CityOut]:
    """One city."""
    return _model(CityOut, f"/v1/cities/{segment(name)}")


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
    return _model(ForecastOut, _city(name, "forecast"), query)


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
    return _model(DailyOut, _city(name, "daily"), query)


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
    return _model(PointOut, "/v1/point", {"latitude": latitude, "longitude": longitude, **query})


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
    return _model(RunForecastOut, _run(init_time), query)


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
    return _file(_run(init_time), query, "application/x-netcdf")


def runs(query: Query) -> Ask[RunsOut]:
    """The stored runs."""
    return _model(RunsOut, "/v1/forecasts", query)


def layers(query: Query) -> Ask[MapOut]:
    """All cities and hours, compact."""
    return _model(MapOut, "/v1/map", query)


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
    return _model(ObservationsOut, _city(name, "observations"), query)


def observed_hour(query: Query) -> Ask[ObservedHourOut]:
    """One hour of the cities."""
    return _model(ObservedHourOut, "/v1/observations", query)


def stations(query: Query) -> Ask[StationsOut]:
    """The stations."""
    return _model(StationsOut, "/v1/stations", query)


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
    return _model(StationHoursOut, f"/v1/stations/{segment(station)}/observations", query)


def warnings(query: Query) -> Ask[FeatureCollectionOut]:
    """Warnings as GeoJSON."""
    return _model(FeatureCollectionOut, "/v1/warnings", query)


def warning(name: str) -> Ask[dict[str, Any]]:
    """One message as a GeoJSON feature."""
    return Ask(f"/v1/warnings/{segment(name)}", json.loads, accept="application/geo+json")


def warning_cap(name: str) -> Ask[bytes]:
    """One message as CAP 1.2."""
    return _file(f"/v1/warnings/{segment(name)}", accept="application/cap+xml")


def feed(language: str) -> Ask[bytes]:
    """The Atom feed."""
    return _file("/v1/warnings/feed.atom", {"language": language})


def areas() -> Ask[FeatureCollectionOut]:
    """Areas of haze."""
    return _model(FeatureCollectionOut, "/v1/areas")


def verification(query: Query) -> Ask[VerificationOut]:
    """How forecasts verified."""
    return _model(VerificationOut, "/v1/verification", query)


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
    return _file(f"/v1/maps/{name}", query)


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
    return _file(f"/v1/bulletins/latest.{segment(form)}", query)


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
    return _model(ClimatologyOut, _city(name, "climatology"), {"year": year})


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
    return _model(WeekendOut, f"/v1/studies/ozone/{segment(name)}/weekend", query)


def voc_species() -> Ask[ItemsOut[VocSpeciesOut]]:
    """The table of VOC."""
    return _model(ItemsOut[VocSpeciesOut], "/v1/studies/voc-species")


def ready() -> Ask[ReadyOut]:
    """Whether the service is ready."""
    return _model(ReadyOut, "/v1/readyz")


def health() -> Ask[HealthOut]:
    """Whether the process is alive."""
    return _model(HealthOut, "/v1/healthz")


def cycles(query: Query) -> Ask[ItemsOut[CycleOut]]:
    """The cycles."""
    return _model(ItemsOut[CycleOut], "/v1/cycles", query)


def subscriptions() -> Ask[SubscriptionsOut]:
    """The account's subscriptions."""
    return _model(SubscriptionsOut, "/v1/subscriptions")


def subscription(name: str) -> Ask[SubscriptionOut]:
    """One subscription."""
    return _model(SubscriptionOut, f"/v1/subscriptions/{segment(name)}")


def subscribe(new: NewSubscription) -> Ask[CreatedOut]:
    """Make a subscription."""
    return _model(CreatedOut, "/v1/subscriptions", method="POST", body=_sent(new))


def change_subscription(name: str, change: Change) -> Ask[SubscriptionOut]:
    """Change one.

    Parameters
    ----------
    name : str
    change : Change

    Returns
    -------
    Ask[SubscriptionOut]
    """
    return _model(SubscriptionOut, f"/v1/subscriptions/{segment(name)}", method="PATCH", body=_sent(change))


def delete_subscription(name: str) -> Ask[None]:
    """Delete one."""
    return Ask(f"/v1/subscriptions/{segment(name)}", lambda _: None, method="DELETE")


def rotate_secret(name: str) -> Ask[SecretOut]:
    """Make a webhook's secret anew."""
    return _model(SecretOut, f"/v1/subscriptions/{segment(name)}/secret", method="POST")


def test_subscription(name: str) -> Ask[TestOut]:
    """Send a test message."""
    return _model(TestOut, f"/v1/subscriptions/{segment(name)}/test", method="POST")


def deliveries(name: str, query: Query) -> Ask[DeliveriesOut]:
    """A subscription's messages.

    Parameters
    ----------
    name : str
    query : mapping

    Returns
    -------
    Ask[DeliveriesOut]
    """
    return _model(DeliveriesOut, f"/v1/subscriptions/{segment(name)}/deliveries", query)


def dead_letters(query: Query) -> Ask[DeliveriesOut]:
    """What could not be delivered."""
    return _model(DeliveriesOut, "/v1/dead-letters", query)


def send_now(name: str) -> Ask[WaitingOut]:
    """Send what waits of a subscription now."""
    return _model(WaitingOut, f"/v1/subscriptions/{segment(name)}/send-now", method="POST")


def delivery(name: str) -> Ask[DeliveryOut]:
    """One delivery."""
    return _model(DeliveryOut, f"/v1/deliveries/{segment(name)}")


def replay(name: str) -> Ask[ReplayedOut]:
    """Send a delivery again."""
    return _model(ReplayedOut, f"/v1/deliveries/{segment(name)}/replay", method="POST")


def replay_dead(name: str) -> Ask[ReplayedOut]:
    """Send a subscription's dead letters again."""
    return _model(ReplayedOut, f"/v1/subscriptions/{segment(name)}/replay", method="POST")
