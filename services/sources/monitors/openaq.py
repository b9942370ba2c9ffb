"""OpenAQ v3: stations of many networks with the licence of each, by key.

Endpoints and fields from the published API reference and the source of the API; not tried against
the server.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hazecast.grids.contract import FORECAST_POLLUTANTS
from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, StationCities, distances_km
from hazecast.grids.places.cities import Registry
from hazecast.grids.quality import Reporting
from hazecast.grids.units import to_ug_m3
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.monitors.interface import HOUR, Batch, History, SourceKind, number, try_each
from hazecast.services.sources.refusals import rate_limit_wait

log = logging.getLogger(__name__)

URL = "https://api.openaq.org"
_PAGE = 1_000
_MAX_PAGES = 50
# Sensors of a location without values for longer aren't requested.
_SILENT = 24 * HOUR
# The reset is given in whole seconds: a request at its very end may still be refused.
_RESET_MARGIN = 1.0


class OpenAQ:
    """Reference monitors around each city, the nearest first.

    Each sensor needs a request, so the number of stations a city is limited: the limit of the
    free key is 60 requests a minute and 2,000 an hour.

    Parameters
    ----------
    registry : Registry
    rules : StationCities
        Its radius assigns locations to the nearest city.
    key : str
        API key.
    url : str
    stations_per_city : int
    patience : Patience, optional
    sleep : callable, optional
        Waits for a number of seconds, when the rate limit is exhausted.
    """

    name = "openaq"
    kind: SourceKind = "measurement"
    # Networks write gaps as -1, -999, -9999 and 0, and OpenAQ republishes them.
    reporting = Reporting()
    # One page of a sensor.
    history = History(reach=None, span=_PAGE * HOUR)

    def __init__(
        self,
        registry: Registry,
        rules: StationCities,
        key: str,
        url: str = URL,
        stations_per_city: int = 3,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not key:
            raise InputError("HAZECAST_OPENAQ_KEY", "not set", "an API key, since monitor_sources names 'openaq'")
        self._registry, self._rules, self._url, self._most = registry, rules, url.rstrip("/"), stations_per_city
        self._http = HttpClient(patience, headers={"X-API-Key": key}, secrets=(key,))
        self._sleep = sleep

    @classmethod
    def from_settings(
        cls, settings: Settings, registry: Registry, rules: StationCities, patience: Patience | None = None
    ) -> OpenAQ:
        """Make the source from the settings; a `MonitorSourceFactory`.

        Parameters
        ----------
        settings : Settings
        registry : Registry
        rules : StationCities
        patience : Patience, optional
            Time-outs and retries.

        Returns
        -------
        OpenAQ
        """
        key = settings.publishers.openaq_key.get_secret_value()
        return cls(
            registry, rules, key, settings.publishers.openaq_url, settings.publishers.openaq_stations_per_city, patience
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch(self, hours: Sequence[datetime]) -> Batch:
        """Return the hours of the chosen sensors; failures are reported, and the others are still read.

        Raises
        ------
        FetchError, InputError
            As `MonitorSource.fetch`; also if no sensor could be read.
        """
        batch = Batch()
        period = (hours[0], hours[-1])
        wanted: list[tuple[NetworkStation, int, str, str]] = []

        def choose(entry: tuple[Mapping[str, Any], str]) -> None:
            station = read_station(*entry)
            wanted.extend((station, *sensor) for sensor in read_sensors(entry[0], FORECAST_POLLUTANTS))

        held: set[tuple[str, datetime, str]] = set()

        def take(entry: tuple[NetworkStation, int, str, str]) -> None:
            station, sensor, name, units = entry
            rows = list(self._pages(f"/v3/sensors/{sensor}/hours", _query(period)))
            own = Batch()
            read_hours(rows, station, name, units, period, own)
            # A station may have a second sensor, or the same one in another unit: the first that has a value counts.
            others = [r for r in own.readings if (r.station, r.time, r.pollutant) not in held]
            batch.counts["values_of_second_sensors"] += len(own.readings) - len(others)
            own.readings = others
            held.update((r.station, r.time, r.pollutant) for r in others if r.raw is not None)
            batch.join(own)

        try_each(self._chosen(hours[0], batch), choose, batch, "stations")
        try_each(wanted, take, batch, "sensors")
        return batch

    def _chosen(self, first: datetime, batch: Batch) -> list[tuple[Mapping[str, Any], str]]:
        cities = list(self._registry.cities.values())
        box = (
            min(c.longitude for c in cities) - 0.5, min(c.latitude for c in cities) - 0.5,
            max(c.longitude for c in cities) + 0.5, max(c.latitude for c in cities) + 0.5,
        )  # fmt: skip
        query = {"bbox": ",".join(f"{edge:.3f}" for edge in box), "mobile": "false", "monitor": "true"}
        near: dict[str, list[tuple[float, int, Mapping[str, Any]]]] = {}

        def consider(location: Mapping[str, Any]) -> None:
            where = f"location {_key(location, 'id', 'location')}"
            if location.get("isMobile") or not location.get("isMonitor"):
                batch.counts["not_a_reference_monitor"] += 1
                return
            latitude, longitude = _position(location, where)
            city = self._rules.by_distance(self._registry, latitude, longitude)
            newest = _utc(location.get("datetimeLast"), where, optional=True)
            if city is None:
                batch.counts["stations_elsewhere"] += 1
            elif newest is None or newest < first - _SILENT:
                batch.counts["stations_silent"] += 1
            else:
                distance = float(distances_km([self._registry.city(city)], latitude, longitude)[0])
                near.setdefault(city, []).append((distance, _integer_id(location, "location"), location))

        try_each(list(self._pages("/v3/locations", query)), consider, batch, "locations")
        chosen = []
        for city, found in sorted(near.items()):
            found.sort(key=lambda entry: entry[:2])
            batch.counts["stations_beyond_the_nearest"] += len(found[self._most :])
            chosen += [(location, city) for _, _, location in found[: self._most]]
        return chosen

    def _pages(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        for page in range(1, _MAX_PAGES + 1):
            params = {**query, "limit": str(_PAGE), "page": str(page)}
            answer = self._page(self._url + path, params)
            results = answer.get("results") if isinstance(answer, dict) else None
            if not isinstance(results, list) or not all(isinstance(row, dict) for row in results):
                raise InputError(f"{path}: results", type(results).__name__, "a list of objects")
            yield from results
            if len(results) < _PAGE:
                return
        raise InputError(f"{path}: pages", f"more than {_MAX_PAGES}", f"at most {_MAX_PAGES} of {_PAGE} rows")

    def _page(self, url: str, params: Mapping[str, str]) -> Any:
        response = self._http.request("GET", url, params=params)
        # Every answer states the remaining limit; waiting once it is exhausted avoids 429.
        if (seconds := rate_limit_wait(response)) > 0:
            log.info("OpenAQ: rate limit used up, waiting %.0f s", seconds)
            self._sleep(min(seconds + _RESET_MARGIN, self._http.patience.retry_after_max))
        try:
            return response.json()
        except (ValueError, RecursionError) as error:
            raise InputError(url, repr(response.text[:60]), "JSON") from error


def read_station(location: Mapping[str, Any], city: str) -> NetworkStation:
    """Read a location with the licences of its values.

    Parameters
    ----------
    location : mapping
        Decoded JSON.
    city : str
        Id of its city.

    Returns
    -------
    NetworkStation

    Raises
    ------
    InputError
        If a field is absent or of another kind.
    """
    code = str(_key(location, "id", "location"))
    where = f"location {code}"
    latitude, longitude = _position(location, where)
    licences = location.get("licenses") or []
    if not isinstance(licences, list) or not all(isinstance(entry, dict) for entry in licences):
        raise InputError(f"{where}: licenses", licences, "a list of licences, or null")
    owners = [_inside(entry.get("attribution"), "name") for entry in licences]
    provider = _inside(location.get("provider"), "name")
    return NetworkStation(
        source="openaq",
        code=code,
        name=str(location.get("name") or code),
        city=city,
        latitude=latitude,
        longitude=longitude,
        licence="; ".join(str(entry.get("name")) for entry in licences) or "none stated",
        attribution="; ".join(dict.fromkeys(str(name) for name in [*owners, provider, "OpenAQ"] if name)),
    )


def read_sensors(location: Mapping[str, Any], names: tuple[str, ...]) -> list[tuple[int, str, str]]:
    """Find the sensors of a location that measure the given pollutants.

    Parameters
    ----------
    location : mapping
        Decoded JSON.
    names : tuple of str
        Pollutants of the contract.

    Returns
    -------
    list of (int, str, str)
        Id, pollutant and units of each sensor.

    Raises
    ------
    InputError
        If a field is absent or of another kind, or the units of a pollutant aren't known.
    """
    where = f"location {_key(location, 'id', 'location')}"
    sensors = _key(location, "sensors", where)
    if not isinstance(sensors, list):
        raise InputError(f"{where}: sensors", sensors, "a list")
    found = []
    for sensor in sensors:
        parameter = _key(sensor, "parameter", f"{where}: sensors")
        name, units = _key(parameter, "name", f"{where}: parameter"), _key(parameter, "units", f"{where}: parameter")
        if isinstance(name, str) and name in names:
            to_ug_m3(str(name), str(units))
            found.append((_integer_id(sensor, f"{where}: sensors"), str(name), str(units)))
    return found


def read_hours(
    rows: list[Mapping[str, Any]],
    station: NetworkStation,
    name: str,
    units: str,
    period: tuple[datetime, datetime],
    batch: Batch,
) -> None:
    """Add the hourly values of one sensor to `batch`.

    An hour that the publisher has flagged is missing, a period that isn't a full
    hour is left out; both are counted.

    Parameters
    ----------
    rows : list of mapping
        Decoded JSON.
    station : NetworkStation
    name : str
        A pollutant of the contract.
    units : str
        Of the values.
    period : (datetime, datetime)
        Hours to read, by their end.
    batch : Batch
        Changed in place.

    Raises
    ------
    InputError
        If a field is absent or of another kind.
    """
    for row in rows:
        where = f"{station.id}: {name}"
        stamps = _key(row, "period", where)
        start, end = (_utc(_key(stamps, edge, where), where) for edge in ("datetimeFrom", "datetimeTo"))
        value = number(_key(row, "value", where), f"{where}: value, {end:%Y-%m-%dT%H:%MZ}")
        _same_parameter(row.get("parameter"), name, units, where)
        if end - start != HOUR or end.minute:
            batch.counts["not_a_whole_hour"] += 1
        elif not period[0] <= end <= period[1]:
            batch.counts["outside_the_period"] += 1
        elif row.get("flagInfo") is True or _inside(row.get("flagInfo"), "hasFlags"):
            batch.counts["flagged_by_publisher"] += 1
            batch.add(station, end, [(name, None, units)])
        else:
            batch.add(station, end, [(name, value, units)])


def _same_parameter(stated: Any, name: str, units: str, where: str) -> None:
    """Refuse a value of which the answer says that it is another pollutant or in another unit than the sensor's."""
    own_name, own_units = _inside(stated, "name"), _inside(stated, "units")
    if own_name not in (None, name):
        raise InputError(f"{where}: parameter.name", own_name, f"{name}, as of its sensor")
    if own_units is not None and to_ug_m3(name, str(own_units)) != to_ug_m3(name, units):
        raise InputError(f"{where}: parameter.units", own_units, f"{units}, as of its sensor")


def _query(period: tuple[datetime, datetime]) -> dict[str, str]:
    # The interface selects hours by their start.
    edges = {"datetime_from": period[0] - HOUR, "datetime_to": period[1]}
    return {name: f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for name, time in edges.items()}


def _position(location: Mapping[str, Any], where: str) -> tuple[float, float]:
    place = _key(location, "coordinates", where)
    latitude, longitude = (number(_key(place, axis, where), f"{where}: {axis}") for axis in ("latitude", "longitude"))
    if latitude is None or longitude is None or not (-90 <= latitude <= 90 and -180 <= longitude <= 360):
        raise InputError(f"{where}: coordinates", f"{latitude}, {longitude}", "degrees")
    return latitude, longitude


def _key(value: Any, name: str, where: str) -> Any:
    if not isinstance(value, Mapping) or name not in value:
        raise InputError(f"{where}: {name}", "absent", f"a field {name}")
    return value[name]


def _inside(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def _integer_id(value: Any, where: str) -> int:
    found = _key(value, "id", where)
    if isinstance(found, bool) or not isinstance(found, int):
        raise InputError(f"{where}: id", found, "a whole number")
    return found


def _utc(stamp: Any, where: str, *, optional: bool = False) -> Any:
    if stamp is None and optional:
        return None
    text = _key(stamp, "utc", where)
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise InputError(f"{where}: utc", text, "an ISO 8601 time") from error
    if time.tzinfo is None:
        raise InputError(f"{where}: utc", text, "a time with its zone")
    return time.astimezone(UTC)
