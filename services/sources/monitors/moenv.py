"""Taiwan's Ministry of Environment (data.moenv.gov.tw): the newest hour of all stations, data set aqx_p_432, by key.

Fields and units as the data set describes them, answers as in stored ones; not tried against the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, StationCities
from hazecast.grids.places.cities import Registry
from hazecast.grids.places.stations import ROADSIDE
from hazecast.grids.quality import Reporting
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.monitors.interface import Batch, SourceKind, number, try_each

URL = "https://data.moenv.gov.tw"
_PATH = "/api/v2/aqx_p_432"
_TAIPEI = timezone(timedelta(hours=8))
_ROWS = 1_000
# Below what the instrument can tell.
_NOT_DETECTED = "ND"
_TIMES = ("%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M")
# Contract name -> field and unit.
_FIELDS = {
    "pm25": ("pm2.5", "ug/m3"),
    "pm10": ("pm10", "ug/m3"),
    "o3": ("o3", "ppb"),
    "no2": ("no2", "ppb"),
    "so2": ("so2", "ppb"),
    "co": ("co", "ppm"),
}
# The network's traffic stations (交通測站); the data set doesn't tell them.
_TRAFFIC = frozenset({"三重", "中壢", "永和", "復興", "鳳山", "大同"})


class Moenv:
    """All stations of Taiwan's network.

    Parameters
    ----------
    rules : StationCities
    key : str
    url : str
    patience : Patience, optional

    Raises
    ------
    InputError
        If there is no key.
    """

    name = "moenv"
    kind: SourceKind = "measurement"
    reporting = Reporting()

    def __init__(self, rules: StationCities, key: str, url: str = URL, patience: Patience | None = None) -> None:
        if not key:
            raise InputError("HAZECAST_MOENV_KEY", "not set", "a key, since monitor_sources names 'moenv'")
        self._rules, self._key, self._url = rules, key, url.rstrip("/") + _PATH
        self._http = HttpClient(patience, secrets=(key,))

    @classmethod
    def from_settings(
        cls, settings: Settings, registry: Registry, rules: StationCities, patience: Patience | None = None
    ) -> Moenv:
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
        Moenv
        """
        asked = settings.publishers
        return cls(rules, asked.moenv_key.get_secret_value(), asked.moenv_url, patience)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch(self, hours: Sequence[datetime]) -> Batch:
        """Return the newest hour; earlier ones aren't in this data set.

        Raises
        ------
        FetchError, InputError
            As `MonitorSource.fetch`.
        """
        query = {"api_key": self._key, "format": "JSON", "limit": str(_ROWS), "offset": "0"}
        answer = self._http.json(self._url, expected="JSON with records", params=query)
        batch = read_answer(answer, self._rules, _PATH)
        batch.counts["hours_not_published"] += len(set(hours) - {reading.time for reading in batch.readings})
        return batch


def read_answer(answer: Any, rules: StationCities, where: str) -> Batch:
    """Read an answer: an object with ``records``, or the list of them alone.

    Parameters
    ----------
    answer : object
        Decoded JSON. PM in ug m-3, O3, NO2 and SO2 in ppb, CO in ppm; "", "-" or "ND" where there is no value.
    rules : StationCities
        Assigns stations to cities by county.
    where : str
        Its address, for errors.

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        If the answer has another form or fewer records than it says, or half of the records can't be read. Fewer are
        reported as problems.
    """
    rows = answer.get("records") if isinstance(answer, Mapping) else answer
    if not isinstance(rows, list):
        raise InputError(f"{where}: records", repr(answer)[:120], "a list of records")
    total = number(answer.get("total"), f"{where}: total") if isinstance(answer, Mapping) else None
    if total is not None and len(rows) < total:
        raise InputError(f"{where}: records", len(rows), f"as many as total says, {total:g}")
    batch = Batch()

    def take(row: Any) -> None:
        if not isinstance(row, Mapping):
            raise InputError(f"{where}: records", type(row).__name__, "an object")
        code = str(row.get("siteid") or "")
        if not code:
            raise InputError(f"{where}: siteid", row.get("siteid"), "the number of a station")
        city = rules.by_place(Moenv.name, str(row.get("county")))
        if city is None:
            batch.counts["stations_elsewhere"] += 1
        else:
            batch.add(_station(row, code, city, where), *_values(row, f"{where}, {code}", batch))

    try_each(rows, take, batch, "rows", tolerated=0.5)
    return batch


def _values(row: Mapping[str, Any], where: str, batch: Batch) -> tuple[datetime, list[tuple[str, float | None, str]]]:
    time = read_time(row.get("publishtime"), f"{where}: publishtime")
    values: list[tuple[str, float | None, str]] = []
    for name, (field, units) in _FIELDS.items():
        if field not in row:
            raise InputError(f"{where}: {field}", "absent", f"a field {field}")
        if str(row[field]).strip().upper() == _NOT_DETECTED:
            batch.counts["not_detected"] += 1
            values.append((name, None, units))
        else:
            values.append((name, number(row[field], f"{where}: {field}"), units))
    return time, values


def read_time(text: object, where: str) -> datetime:
    """Return the end of the hour: a time of publication in Taiwan can't lie before the end of what is published.

    Parameters
    ----------
    text : object
        Such as "2026/01/14 17:00:00".
    where : str
        The field, for errors.

    Returns
    -------
    datetime
        Aware, UTC.

    Raises
    ------
    InputError
        If it isn't a whole hour in one of the publisher's forms.
    """
    for form in _TIMES:
        try:
            time = datetime.strptime(str(text).strip(), form).replace(tzinfo=_TAIPEI).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
        if not (time.minute or time.second):
            return time
    raise InputError(where, text, "a whole hour such as 2026/01/14 17:00:00")


def _station(row: Mapping[str, Any], code: str, city: str, where: str) -> NetworkStation:
    name = str(row.get("sitename") or code)
    latitude, longitude = (number(row.get(axis), f"{where}, {code}: {axis}") for axis in ("latitude", "longitude"))
    return NetworkStation(
        source=Moenv.name,
        code=code,
        name=name,
        city=city,
        latitude=latitude,
        longitude=longitude,
        siting=ROADSIDE if name in _TRAFFIC else "background",
        licence="政府資料開放授權條款第1版 (Open Government Data License, version 1.0); preliminary values",
        attribution="環境部 (Ministry of Environment, Taiwan)",
    )
