"""Korea's AirKorea (data.go.kr): the newest hour of all stations of a province or metropolitan city, by key.

``GET /B552584/ArpltnInforInqireSvc/getCtprvnRltmMesureDnsty``: parameters, fields and error codes as on the portal's page and in
public clients; not tried against the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, StationCities
from hazecast.grids.places.cities import Registry
from hazecast.grids.places.stations import ROADSIDE
from hazecast.grids.quality import Reporting
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.monitors.interface import HOUR, Batch, SourceKind, number, try_each

URL = "https://apis.data.go.kr"
_PATH = "/B552584/ArpltnInforInqireSvc/getCtprvnRltmMesureDnsty"
_KOREA = timezone(timedelta(hours=9))
# The version of the answer that names the network of a station.
_VERSION = "1.3"
_ROWS = 1_000
# Contract name -> start of the fields' names, and unit.
_FIELDS = {
    "pm25": ("pm25", "ug/m3"),
    "pm10": ("pm10", "ug/m3"),
    "o3": ("o3", "ppm"),
    "no2": ("no2", "ppm"),
    "so2": ("so2", "ppm"),
    "co": ("co", "ppm"),
}
# Urban and roadside stations; those of the background, of harbours and of suburbs are of neither kind.
_SITING = {"도시대기": "background", "도로변대기": ROADSIDE}


class AirKorea:
    """The stations of Korea's metropolitan cities, upwind of the forecast cities in spring and summer.

    Parameters
    ----------
    rules : StationCities
        Names the provinces and metropolitan cities that are asked for.
    key : str
        The portal's key, as given or percent-encoded.
    url : str
    patience : Patience, optional

    Raises
    ------
    InputError
        If there is no key.
    """

    name = "airkorea"
    kind: SourceKind = "measurement"
    reporting = Reporting()

    def __init__(self, rules: StationCities, key: str, url: str = URL, patience: Patience | None = None) -> None:
        if not key:
            raise InputError("HAZECAST_AIRKOREA_KEY", "not set", "a key, since monitor_sources names 'airkorea'")
        # The portal shows the key in both forms.
        self._key = unquote(key)
        self._rules, self._url = rules, url.rstrip("/") + _PATH
        self._http = HttpClient(patience, secrets=(key, self._key))

    @classmethod
    def from_settings(
        cls, settings: Settings, registry: Registry, rules: StationCities, patience: Patience | None = None
    ) -> AirKorea:
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
        AirKorea
        """
        asked = settings.publishers
        return cls(rules, asked.airkorea_key.get_secret_value(), asked.airkorea_url, patience)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch(self, hours: Sequence[datetime]) -> Batch:
        """Return the newest hour, a request for each city; earlier ones aren't published by this interface.

        Raises
        ------
        FetchError, InputError
            As `MonitorSource.fetch`.
        """
        batch = Batch()
        try_each(
            sorted(self._rules.places.get(self.name, {})), lambda place: batch.join(self._place(place)), batch, "cities"
        )
        batch.counts["hours_not_published"] += len(set(hours) - {reading.time for reading in batch.readings})
        return batch

    def _place(self, place: str) -> Batch:
        query = {
            "serviceKey": self._key,
            "returnType": "json",
            "numOfRows": str(_ROWS),
            "pageNo": "1",
            "sidoName": place,
            "ver": _VERSION,
        }
        answer = self._http.json(self._url, expected="JSON with response.body.items", params=query)
        return read_answer(answer, self._rules, f"{_PATH}: {place}")


def read_answer(answer: Any, rules: StationCities, where: str) -> Batch:
    """Read the answer for one city.

    Parameters
    ----------
    answer : object
        Decoded JSON. PM in ug m-3, gases in ppm; "-" or a flag of the station where there is no value.
    rules : StationCities
        Assigns stations to cities by the name of the province or metropolitan city.
    where : str
        For errors.

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        If the publisher reports an error, the answer has another form or fewer rows than it says, or half of the rows can't
        be read. Fewer are reported as problems.
    """
    response = _part(answer, "response", where)
    header, body = _part(response, "header", where), _part(response, "body", where)
    code = str(header.get("resultCode"))
    if code != "00":
        raise InputError(f"{where}: resultCode", f"{code} {header.get('resultMsg')}", "00")
    rows, total = body.get("items"), number(body.get("totalCount"), f"{where}: totalCount")
    if not isinstance(rows, list):
        raise InputError(f"{where}: items", type(rows).__name__, "a list of rows")
    if total is None or len(rows) != total:
        raise InputError(f"{where}: items", len(rows), f"as many as totalCount says, {body.get('totalCount')}")
    batch = Batch()

    def take(row: Any) -> None:
        if not isinstance(row, Mapping):
            raise InputError(f"{where}: items", type(row).__name__, "an object")
        _take(row, rules, where, batch)

    try_each(rows, take, batch, "rows", tolerated=0.5)
    return batch


def _take(row: Mapping[str, Any], rules: StationCities, where: str, batch: Batch) -> None:
    place, name = (_text(row, field, where) for field in ("sidoName", "stationName"))
    city = rules.by_place(AirKorea.name, place)
    if city is None:
        batch.counts["stations_elsewhere"] += 1
        return
    here = f"{where}, {name}"
    if row.get("dataTime") in (None, "", "-"):
        batch.counts["stations_without_time"] += 1
        return
    time = read_time(row["dataTime"], f"{here}: dataTime")
    values = []
    for pollutant, (field, units) in _FIELDS.items():
        if f"{field}Value" not in row:
            raise InputError(f"{here}: {field}Value", "absent", f"a field {field}Value")
        value = number(row[f"{field}Value"], f"{here}: {field}Value")
        if value is not None and row.get(f"{field}Flag"):
            batch.counts["flagged_by_publisher"] += 1
            value = None
        values.append((pollutant, value, units))
    station = NetworkStation(
        source=AirKorea.name,
        code=f"{place}.{name}",
        name=name,
        city=city,
        siting=_SITING.get(str(row.get("mangName")), ""),
        licence="attribution, no changes (공공누리 3); preliminary values",
        attribution="환경부/한국환경공단 에어코리아 (AirKorea)",
    )
    batch.add(station, time, values)


def read_time(text: object, where: str) -> datetime:
    """Return the end of the hour that a stamp of Korean time names; midnight may be the 24th hour.

    Parameters
    ----------
    text : object
        Such as "2026-01-14 24:00".
    where : str
        The field, for errors.

    Returns
    -------
    datetime
        Aware, UTC.

    Raises
    ------
    InputError
        If it isn't a whole hour in that form.
    """
    day, _, clock = str(text).partition(" ")
    hour, _, minute = clock.partition(":")
    try:
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=_KOREA)
        if not (hour.isdecimal() and int(hour) <= 24 and minute == "00"):
            raise ValueError
        return start.astimezone(UTC) + int(hour) * HOUR
    except (ValueError, OverflowError) as error:
        raise InputError(where, text, "a time such as 2026-01-14 24:00") from error


def _part(value: Any, name: str, where: str) -> Mapping[str, Any]:
    part = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(part, Mapping):
        raise InputError(f"{where}: {name}", repr(value)[:120], f"an object with {name}")
    return part


def _text(row: Mapping[str, Any], field: str, where: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: {field}", value, "text")
    return value.strip()
