"""China's hourly publication (China National Environmental Monitoring Centre), as JSON or XML.

Undocumented, without key, licence or guarantee: to be enabled only by those who may use
it. Fields, endpoints and the window of about a day of past hours as in public clients up to
2026-10; not tried against the server.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from html.entities import name2codepoint
from pathlib import Path
from typing import Any

from lxml import etree

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, StationCities
from hazecast.grids.places.cities import Registry
from hazecast.grids.quality import Reporting
from hazecast.services.core.settings import Settings
from hazecast.services.sources.errors import FetchError
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.monitors.interface import HOUR, Batch, History, SourceKind, number, try_each

URL = "https://air.cnemc.cn:18007"
_LIVE, _PAST = "/HourChangesPublish/GetAllAQIPublishLive", "/HourChangesPublish/GetAQIHistoryByConditionHis"
_BEIJING = timezone(timedelta(hours=8))
# Contract name -> field and its unit.
_FIELDS = {
    "pm25": ("PM2_5", "ug/m3"),
    "pm10": ("PM10", "ug/m3"),
    "o3": ("O3", "ug/m3"),
    "no2": ("NO2", "ug/m3"),
    "so2": ("SO2", "ug/m3"),
    "co": ("CO", "mg/m3"),
}
_EPOCH = re.compile(r"/Date\((-?\d+)\)/")
_TEXT_TIME = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日\s*(\d{1,2})时")
_NAMED = re.compile(rb"&([A-Za-z]+);")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
# Past hours that the publisher still serves.
_PAST_HOURS = 24


class Cnemc:
    """All national stations of an hour in one call.

    Parameters
    ----------
    rules : StationCities
    url : str
    patience : Patience, optional
    ca_file : Path, optional
        Certificates that are trusted besides the usual ones.
    """

    name = "cnemc"
    kind: SourceKind = "measurement"
    reporting = Reporting()
    history = History(reach=_PAST_HOURS * HOUR, span=24 * HOUR)

    def __init__(
        self, rules: StationCities, url: str = URL, patience: Patience | None = None, ca_file: Path | None = None
    ) -> None:
        self._rules, self._url = rules, url.rstrip("/")
        self._http = HttpClient(patience, headers={"X-Requested-With": "XMLHttpRequest"}, ca_file=ca_file)

    @classmethod
    def from_settings(
        cls, settings: Settings, registry: Registry, rules: StationCities, patience: Patience | None = None
    ) -> Cnemc:
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
        Cnemc
        """
        return cls(rules, settings.publishers.cnemc_url, patience, settings.publishers.cnemc_ca_file)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch(self, hours: Sequence[datetime]) -> Batch:
        """Return the newest hour, and those of `hours` before it that are still published.

        The newest hour comes from the live list, the others one call each. A list whose rows
        are not all of one hour is split: the most frequent hour is stored, the rest quarantined.

        Raises
        ------
        FetchError, InputError
            As `MonitorSource.fetch`.
        """
        live = read_hour(self._rows(_LIVE), self._rules)
        newest = max((reading.time for reading in live.readings), default=None)
        batch = Batch(counts=live.counts, problems=live.problems)
        if newest is None:
            return batch
        if newest > hours[-1] + HOUR:
            raise InputError("TimePoint", newest.isoformat(), f"an hour up to {hours[-1].isoformat()}")
        if newest in hours:
            batch.join(Batch(live.stations, live.readings))
        past = [hour for hour in hours if newest - _PAST_HOURS * HOUR <= hour < newest]
        try:
            try_each(past, lambda hour: batch.join(self._past_hour(hour)), batch, "hours")
        except (FetchError, InputError) as error:
            # The newest hour was read: that no older one was is reported, not fatal.
            batch.problems.append(f"{len(past)} earlier hours: {error}")
            batch.counts["hours_failed"] += len(past)
        return batch

    def _rows(self, path: str, **options: Any) -> Any:
        return self._http.decoded(
            self._url + path, read_rows, method="POST", expected="a list of stations, as JSON or XML", **options
        )

    def _past_hour(self, hour: datetime) -> Batch:
        form = {"date": f"{hour.astimezone(_BEIJING):%Y-%m-%d %H:00:00}"}
        rows = self._rows(_PAST, data=form)
        if rows == []:
            return Batch(counts=Counter(hours_not_published=1))
        batch = read_hour(rows, self._rules)
        wrong = {reading.time for reading in batch.readings} - {hour}
        if wrong:
            raise InputError("TimePoint", min(wrong).isoformat(), hour.isoformat())
        return batch


def read_rows(content: bytes) -> Any:
    """Decode an answer: JSON, or the XML that the publisher's older service writes.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    object
        Of XML a list with a dict for each ``AQIDataPublishLive``, by the names of its elements.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return json.loads(content)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(_NAMED.sub(_character, content), parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(str(error)) from error
    return [
        {etree.QName(field).localname: field.text for field in station if isinstance(field.tag, str) and not len(field)}
        for station in root.iterfind(".//{*}AQIDataPublishLive")
    ]


def _character(entity: re.Match[bytes]) -> bytes:
    """Return what an entity of HTML stands for: the publisher writes &mdash; without declaring it."""
    name = entity[1].decode()
    return entity[0] if name in _XML_ENTITIES else chr(name2codepoint.get(name, ord("?"))).encode()


def read_hour(rows: Any, rules: StationCities) -> Batch:
    """Read the list of all stations of one hour.

    Parameters
    ----------
    rows : object
        As of `read_rows`: a list of objects whose values are text, an em dash where missing; CO in
        mg m-3, all else in ug m-3; stamped with the end of the hour, in milliseconds since 1970 or in Beijing time.
    rules : StationCities
        Assigns stations to cities by their field ``Area``.

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        If no hour holds more than half of the rows, or half of the stations have a field that
        is absent or isn't a number, or two time stamps that disagree. Fewer are reported as
        problems.
    """
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError("answer", f"{type(rows).__name__} {str(rows)[:60]}", "a list of stations")
    batch = Batch()
    stamped: list[tuple[datetime, Mapping[str, Any]]] = []
    try_each(rows, lambda row: stamped.append((_time(row), row)), batch, "stations", tolerated=0.5)
    hours = Counter(time for time, _ in stamped)
    hour, share = hours.most_common(1)[0]
    if share * 2 <= len(rows):
        raise InputError("TimePoint", f"{len(hours)} different hours", "one hour for most stations")
    if len(hours) > 1:
        batch.problems.append(f"TimePoint: {len(hours)} hours in one list; kept {hour:%Y-%m-%dT%H:%MZ}")

    def take(entry: tuple[datetime, Mapping[str, Any]]) -> None:
        time, row = entry
        code = str(_field(row, "StationCode"))
        area = str(_field(row, "Area"))
        # Some services of the publisher leave out the word for city.
        city = rules.by_place("cnemc", area) or rules.by_place("cnemc", area.strip() + "市")
        if city is None:
            batch.counts["stations_elsewhere"] += 1
        elif time != hour:
            batch.counts["quarantined"] += 1
        else:
            batch.add(_station(row, code, city), hour, _values(row, code))

    try_each(stamped, take, batch, "stations", tolerated=0.5)
    return batch


def _values(row: Mapping[str, Any], code: str) -> list[tuple[str, float | None, str]]:
    return [
        (name, number(_field(row, field), f"station {code}: {field}"), units)
        for name, (field, units) in _FIELDS.items()
    ]


def _station(row: Mapping[str, Any], code: str, city: str) -> NetworkStation:
    return NetworkStation(
        source="cnemc",
        code=code,
        name=f"{row['Area']} {row.get('PositionName') or ''}".strip(),
        city=city,
        latitude=number(row.get("Latitude"), f"station {code}: Latitude"),
        longitude=number(row.get("Longitude"), f"station {code}: Longitude"),
        siting="background",
        licence="no open licence; real-time values are unverified",
        attribution="China National Environmental Monitoring Centre",
    )


def _field(row: Mapping[str, Any], name: str) -> Any:
    if name not in row:
        raise InputError(f"station {row.get('StationCode', '?')}: {name}", "absent", f"a field {name}")
    return row[name]


def _time(row: Mapping[str, Any]) -> datetime:
    """Return the time stamp: milliseconds since 1970 or Beijing time; where a second one is published they must agree."""
    code = row.get("StationCode", "?")
    time = _instant(str(_field(row, "TimePoint")), f"station {code}: TimePoint")
    text = row.get("TimePointStr")
    if text is None:
        return time
    parts = _TEXT_TIME.fullmatch(str(text).strip())
    if parts is None:
        raise InputError(f"station {code}: TimePointStr", text, "YYYY年MM月DD日 HH时")
    try:
        year, month, day, hour = map(int, parts.groups())
        stated = datetime(year, month, day, hour, tzinfo=_BEIJING)
    except ValueError as error:
        raise InputError(f"station {code}: TimePointStr", text, "a time") from error
    if time != stated:
        raise InputError(
            f"station {code}: TimePoint", f"{time.isoformat()}", f"{stated.isoformat()} as in TimePointStr"
        )
    return time


def _instant(text: str, where: str) -> datetime:
    expected = "/Date(milliseconds)/, or a time of Beijing such as 2019-07-18T12:00:00"
    try:
        if epoch := _EPOCH.fullmatch(text):
            return datetime.fromtimestamp(int(epoch[1]) / 1000, UTC)
        time = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(where, text, expected) from error
    # A day alone is no hour.
    if len(text) < len("2019-07-18T12"):
        raise InputError(where, text, expected)
    return (time if time.tzinfo else time.replace(tzinfo=_BEIJING)).astimezone(UTC)
