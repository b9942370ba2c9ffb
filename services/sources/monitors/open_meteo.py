"""Open-Meteo air quality: the CAMS global model at the cities. A model's analysis, not a measurement.

Interface from the publisher's own description; not tried against the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, StationCities
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.quality import Reporting
from hazecast.grids.units import to_ug_m3
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.monitors.interface import HOUR, Batch, History, SourceKind, number
from hazecast.services.sources.open_meteo_answers import places_of

URL = "https://air-quality-api.open-meteo.com"
_VARIABLES = {
    "pm25": "pm2_5",
    "pm10": "pm10",
    "o3": "ozone",
    "no2": "nitrogen_dioxide",
    "so2": "sulphur_dioxide",
    "co": "carbon_monoxide",
}
_CITIES_A_CALL = 50
# CAMS global has cells of 0.4 degree.
_FARTHEST_DEGREES = 0.4


class OpenMeteoAir:
    """The model's hours at all cities, fifty cities a call.

    Parameters
    ----------
    cities : sequence of City
    url : str
    key : str
        For customers, with a base URL of their own; empty for free, non-commercial use.
    patience : Patience, optional
    """

    name = "open_meteo"
    kind: SourceKind = "model_analysis"
    reporting = Reporting(zero_is_valid=True, modelled=True)
    # The publisher counts a longer request as several.
    history = History(reach=None, span=14 * 24 * HOUR)

    def __init__(self, cities: Sequence[City], url: str = URL, key: str = "", patience: Patience | None = None) -> None:
        self._cities, self._url, self._key = list(cities), url.rstrip("/"), key
        self._http = HttpClient(patience, secrets=(key,))

    @classmethod
    def from_settings(
        cls, settings: Settings, registry: Registry, rules: StationCities, patience: Patience | None = None
    ) -> OpenMeteoAir:
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
        OpenMeteoAir
        """
        key = settings.publishers.open_meteo_key.get_secret_value()
        return cls(list(registry.cities.values()), settings.publishers.open_meteo_air_url, key, patience)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch(self, hours: Sequence[datetime]) -> Batch:
        """Return the hours wanted at all cities.

        Raises
        ------
        FetchError, InputError
            As `MonitorSource.fetch`.
        """
        batch = Batch()
        for start in range(0, len(self._cities), _CITIES_A_CALL):
            cities = self._cities[start : start + _CITIES_A_CALL]
            params = {
                "latitude": ",".join(f"{city.latitude:.4f}" for city in cities),
                "longitude": ",".join(f"{city.longitude:.4f}" for city in cities),
                "hourly": ",".join(_VARIABLES.values()),
                "domains": "cams_global",
                "timezone": "GMT",
                "timeformat": "unixtime",
                "start_hour": f"{hours[0].astimezone(UTC):%Y-%m-%dT%H:%M}",
                "end_hour": f"{hours[-1].astimezone(UTC):%Y-%m-%dT%H:%M}",
            } | ({"apikey": self._key} if self._key else {})
            answer = self._http.json(f"{self._url}/v1/air-quality", params=params)
            batch.join(read_answer(answer, cities, (hours[0], hours[-1])))
        return batch


def read_answer(answer: Any, cities: Sequence[City], period: tuple[datetime, datetime]) -> Batch:
    """Read the hours at cities.

    The model's instantaneous values are used for the hour that ends with them. Hours outside `period` are
    counted and left out, since later hours are a forecast.

    Parameters
    ----------
    answer : object
        Decoded JSON: an object for one city and a list for several.
    cities : sequence of City
        In the order of the request.
    period : (datetime, datetime)
        Hours to read, by their end.

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        If the answer is an error, or a field is absent, of another length, unit or place, or holds something that isn't
        a number.
    """
    batch = Batch()
    for place, city in zip(places_of(answer, cities, "open_meteo: answer"), cities, strict=True):
        where = f"open_meteo: {city.id}"
        station = _station(place, city, where)
        hourly, units = _object(place, "hourly", where), _object(place, "hourly_units", where)
        times = _series(hourly, "time", where)
        columns = {}
        for name, variable in _VARIABLES.items():
            values = _series(hourly, variable, where)
            if len(values) != len(times):
                raise InputError(f"{where}: {variable}", f"{len(values)} values", f"{len(times)}, one an hour")
            columns[name] = (values, _unit(units, name, variable, where), variable)
        for row, stamp in enumerate(times):
            time = _time(stamp, where)
            if not period[0] <= time <= period[1]:
                batch.counts["outside_the_period"] += 1
                continue
            values_now = [
                (name, number(values[row], f"{where}: {variable}, {time:%Y-%m-%dT%H:%MZ}"), unit)
                for name, (values, unit, variable) in columns.items()
            ]
            batch.add(station, time, values_now)
    return batch


def _station(place: Any, city: City, where: str) -> NetworkStation:
    position = []
    for axis, wanted in (("latitude", city.latitude), ("longitude", city.longitude)):
        value = number(_field(place, axis, where), f"{where}: {axis}")
        if value is None or abs(value - wanted) > _FARTHEST_DEGREES:
            raise InputError(f"{where}: {axis}", value, f"within {_FARTHEST_DEGREES} degrees of {wanted}")
        position.append(value)
    return NetworkStation(
        source="open_meteo",
        code=city.id,
        name=f"CAMS global at {city.name_en}",
        city=city.id,
        latitude=position[0],
        longitude=position[1],
        licence="CC BY 4.0; the free service is for non-commercial use",
        attribution="Open-Meteo.com; contains modified Copernicus Atmosphere Monitoring Service information",
    )


def _field(value: Any, name: str, where: str) -> Any:
    if not isinstance(value, Mapping) or name not in value:
        raise InputError(f"{where}: {name}", "absent", f"a field {name}")
    return value[name]


def _object(value: Any, name: str, where: str) -> Mapping[str, Any]:
    found = _field(value, name, where)
    if not isinstance(found, Mapping):
        raise InputError(f"{where}: {name}", type(found).__name__, "an object")
    return found


def _series(hourly: Mapping[str, Any], name: str, where: str) -> list[Any]:
    values = _field(hourly, name, f"{where}: hourly")
    if not isinstance(values, list):
        raise InputError(f"{where}: hourly.{name}", type(values).__name__, "a list")
    return values


def _unit(units: Mapping[str, Any], name: str, variable: str, where: str) -> str:
    unit = str(_field(units, variable, f"{where}: hourly_units"))
    try:
        to_ug_m3(name, unit)
    except InputError as error:
        raise InputError(f"{where}: hourly_units.{variable}", unit, error.expected) from error
    return unit


def _time(stamp: Any, where: str) -> datetime:
    if isinstance(stamp, bool) or not isinstance(stamp, int) or stamp % 3600:
        raise InputError(f"{where}: hourly.time", stamp, "seconds since 1970 at a whole hour")
    try:
        return datetime.fromtimestamp(stamp, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(f"{where}: hourly.time", stamp, "seconds since 1970") from error
