"""Japan's Soramame-kun (Ministry of the Environment): one CSV file an hour with all stations.

Addresses, header and codes as in public clients of 2026; not tried against the server. A wrong
address is answered with an HTML page under status 200.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, StationCities
from hazecast.grids.places.cities import Registry
from hazecast.grids.places.stations import ROADSIDE
from hazecast.grids.quality import MEASURED_ZERO
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.monitors.interface import HOUR, Batch, History, SourceKind, csv_rows, number, try_each

URL = "https://soramame.env.go.jp"
_LATEST = "/data/sokutei/noudoAll/metadata.json"
_LATEST_TIME = re.compile(r"(\d{4})/(\d{2})/(\d{2}) (\d{2}):00:00")
_JAPAN = timezone(timedelta(hours=9))
# Contract name -> column and unit. Ox, photochemical oxidant, is nearly all ozone and read as ozone.
# SPM isn't PM10 (its cut is sharper) and is not read.
_COLUMNS = {
    "pm25": ("PM2.5", "ug/m3"),
    "o3": ("OX", "ppm"),
    "no2": ("NO2", "ppm"),
    "so2": ("SO2", "ppm"),
    "co": ("CO", "ppm"),
}
# Columns are found by their names: the publisher adds and moves them.
_NEEDED = (
    "測定局コード",
    "測定局名称",
    "局種別",
    "都道府県コード",
    "市区町村名",
    *(column for column, _ in _COLUMNS.values()),
)
_SITING = {"一般局": "background", "自排局": ROADSIDE}


class Soramame:
    """All stations of Japan, hour by hour.

    Parameters
    ----------
    rules : StationCities
    url : str
    patience : Patience, optional
    """

    name = "soramame"
    kind: SourceKind = "measurement"
    reporting = MEASURED_ZERO
    # A file an hour; the oldest that the publisher names is of 2021.
    history = History(reach=None, span=24 * HOUR)

    def __init__(self, rules: StationCities, url: str = URL, patience: Patience | None = None) -> None:
        self._rules, self._url = rules, url.rstrip("/")
        self._http = HttpClient(patience)

    @classmethod
    def from_settings(
        cls, settings: Settings, registry: Registry, rules: StationCities, patience: Patience | None = None
    ) -> Soramame:
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
        Soramame
        """
        return cls(rules, settings.publishers.soramame_url, patience)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch(self, hours: Sequence[datetime]) -> Batch:
        """Return the hours, one file each; those not published yet are counted.

        Raises
        ------
        FetchError, InputError
            As `MonitorSource.fetch`.
        """
        newest = read_latest(self._http.json(self._url + _LATEST), self._url + _LATEST)
        published = [hour for hour in hours if hour <= newest]
        batch = Batch()
        batch.counts["hours_not_published"] += len(hours) - len(published)
        try_each(published, lambda hour: batch.join(self._hour(hour)), batch, "hours")
        return batch

    def _hour(self, hour: datetime) -> Batch:
        address = self._url + hour_path(hour)
        text = self._http.text(address, expected="CSV", encoding="utf-8-sig")
        return read_hour(text, hour, self._rules, address)


def read_latest(answer: Any, where: str) -> datetime:
    """Return the newest published hour.

    Parameters
    ----------
    answer : object
        Decoded JSON.
    where : str
        Its address, for errors.

    Returns
    -------
    datetime
        The end of the hour, UTC.

    Raises
    ------
    InputError
        If the field ``latest`` is absent or isn't a time.
    """
    text = answer.get("latest") if isinstance(answer, dict) else None
    parts = _LATEST_TIME.fullmatch(str(text))
    if parts is None:
        raise InputError(f"{where}: latest", text, "a time such as 2026/09/26 01:00:00")
    # Midnight may be written as the 24th hour.
    try:
        day = datetime(int(parts[1]), int(parts[2]), int(parts[3]), tzinfo=_JAPAN)
    except ValueError as error:
        raise InputError(f"{where}: latest", text, "a date and an hour") from error
    return day.astimezone(UTC) + int(parts[4]) * HOUR


def hour_path(hour: datetime) -> str:
    """Return the path of an hour's file: hours of Japan Standard Time, 01 to 24, named by their end."""
    start = (hour - HOUR).astimezone(_JAPAN)
    return f"/data/sokutei/noudoAll/{start:%Y/%m/%d}/{start.hour + 1:02d}.csv"


def read_hour(text: str, hour: datetime, rules: StationCities, where: str) -> Batch:
    """Read one hour's file.

    Parameters
    ----------
    text : str
        CSV with a header. PM2.5 in ug m-3, gases in ppm, "-" where missing.
    hour : datetime
        The end of its hour, which the file doesn't state.
    rules : StationCities
        Assigns stations to cities by prefecture code and municipality.
    where : str
        Its address, for errors.

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        If the header lacks a column or has one twice, or half of the rows have another number of fields or a value
        that isn't a number. Fewer are reported as problems.
    """
    rows = csv_rows(text, where)
    header = [name.strip() for name in rows[0]] if rows else []
    absent = [name for name in _NEEDED if header.count(name) != 1]
    if absent:
        raise InputError(f"{where}: header", f"{', '.join(header[:30])}", f"{', '.join(absent)}, once each")
    batch = Batch()

    def take(entry: tuple[int, list[str]]) -> None:
        line, fields = entry
        if len(fields) != len(header):
            raise InputError(f"{where}: line {line}", f"{len(fields)} fields", f"{len(header)}")
        row = {name: field.strip() for name, field in zip(header, fields, strict=True)}
        code = row["測定局コード"].zfill(8)
        city = rules.by_place("soramame", row["都道府県コード"].zfill(2) + row["市区町村名"])
        if city is None:
            batch.counts["stations_elsewhere"] += 1
        else:
            values = [
                (name, number(row[column], f"{where}: line {line}, {column}"), units)
                for name, (column, units) in _COLUMNS.items()
            ]
            batch.add(_station(row, code, city), hour, values)

    entries = [(line, fields) for line, fields in enumerate(rows[1:], start=2) if any(fields)]
    try_each(entries, take, batch, "rows", tolerated=0.5)
    if not batch.readings:
        raise InputError(f"{where}: rows", len(entries), "stations of the cities in the registry")
    return batch


def _station(row: dict[str, str], code: str, city: str) -> NetworkStation:
    return NetworkStation(
        source="soramame",
        code=code,
        name=row["測定局名称"],
        city=city,
        siting=_SITING.get(row["局種別"], ""),
        licence="terms of Soramame-kun: use with the source named; preliminary values (速報値)",
        attribution="環境省大気汚染物質広域監視システム（そらまめくん）",
    )
