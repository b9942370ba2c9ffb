"""A folder of CSV files, as exported by a bureau from its own system.

``stations.csv`` has the columns code, name, latitude, longitude and any of city, siting, licence,
attribution. Every other ``*.csv`` has ``station`` (a code), ``time`` and any pollutants of the
contract: ISO 8601 with its offset, the end of the hour, values in ug/m3, empty where missing.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, StationCities
from hazecast.grids.places.cities import Registry
from hazecast.grids.places.stations import ROADSIDE
from hazecast.grids.quality import MEASURED_ZERO
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import Patience
from hazecast.services.sources.monitors.interface import Batch, SourceKind, number, try_each

STATIONS_FILE = "stations.csv"
_REQUIRED = ("code", "name", "latitude", "longitude")
_SITINGS = ("", "background", ROADSIDE)


class CsvFolder:
    """The CSV files of a folder, read at each fetch.

    Parameters
    ----------
    folder : Path
    registry : Registry
    rules : StationCities
        Its radius assigns stations without a city to the nearest one.
    """

    name = "csv"
    kind: SourceKind = "measurement"
    reporting = MEASURED_ZERO

    def __init__(self, folder: Path, registry: Registry, rules: StationCities) -> None:
        self._folder, self._registry, self._rules = folder, registry, rules

    @classmethod
    def from_settings(
        cls, settings: Settings, registry: Registry, rules: StationCities, patience: Patience | None = None
    ) -> CsvFolder:
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
        CsvFolder

        Raises
        ------
        InputError
            If the folder is not set.
        """
        if settings.ingest.monitor_dir is None:
            raise InputError("HAZECAST_MONITOR_DIR", "not set", "a folder, since monitor_sources names 'csv'")
        return cls(settings.ingest.monitor_dir, registry, rules)

    def close(self) -> None:
        """Nothing is held open."""

    def fetch(self, hours: Sequence[datetime]) -> Batch:
        """Return the hours wanted; files that can't be read are reported, and the others are still read.

        Raises
        ------
        InputError
            If the folder or its stations can't be read, or no file can.
        """
        batch = Batch()
        stations = self._stations(batch)
        files = sorted(path for path in self._folder.glob("*.csv") if path.name != STATIONS_FILE)
        if not files:
            raise InputError(str(self._folder), f"only {STATIONS_FILE}", "CSV files of hours beside it")
        try_each(files, lambda path: batch.join(read_file(path, stations, (hours[0], hours[-1]))), batch, "files")
        return batch

    def _stations(self, batch: Batch) -> dict[str, NetworkStation | None]:
        path = self._folder / STATIONS_FILE
        stations: dict[str, NetworkStation | None] = {}
        for line, row in enumerate(_rows(path, _REQUIRED), start=2):
            where = f"{path}: line {line}"
            code = (row["code"] or "").strip()
            if not code or code in stations:
                raise InputError(f"{where}, code", code, "a code used once")
            station = self._station(row, code, where)
            batch.counts["stations_elsewhere"] += station is None
            stations[code] = station
        return stations

    def _station(self, row: Mapping[str, str | None], code: str, where: str) -> NetworkStation | None:
        place = [number(row[axis], f"{where}, {axis}") for axis in ("latitude", "longitude")]
        city = (row.get("city") or "").strip() or None
        siting = (row.get("siting") or "").strip()
        if siting not in _SITINGS:
            raise InputError(f"{where}, siting", siting, f"one of {_SITINGS}")
        if city is not None:
            self._registry.city(city)
        elif place[0] is None or place[1] is None:
            raise InputError(f"{where}, latitude", None, "a position where no city is given")
        else:
            city = self._rules.by_distance(self._registry, place[0], place[1])
        if city is None:
            return None
        return NetworkStation(
            source="csv",
            code=code,
            name=(row["name"] or code).strip(),
            city=city,
            latitude=place[0],
            longitude=place[1],
            siting=siting,
            licence=(row.get("licence") or "").strip(),
            attribution=(row.get("attribution") or "").strip(),
        )


def read_file(path: Path, stations: Mapping[str, NetworkStation | None], period: tuple[datetime, datetime]) -> Batch:
    """Read one file of hours.

    Parameters
    ----------
    path : Path
    stations : mapping of str to NetworkStation or None
        By code; None for a station of no city.
    period : (datetime, datetime)
        Hours to read, by their end.

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        If the file can't be read, lacks a column, or a row names an unknown station or holds
        something that isn't a time or a number.
    """
    batch = Batch()
    seen: set[tuple[str, datetime]] = set()
    for line, row in enumerate(_rows(path, ("station", "time")), start=2):
        where = f"{path}: line {line}"
        code = (row["station"] or "").strip()
        if code not in stations:
            raise InputError(f"{where}, station", code, f"a code of {STATIONS_FILE}")
        time = _time(row["time"], f"{where}, time")
        station = stations[code]
        values = [(name, number(row[name], f"{where}, {name}"), "ug/m3") for name in POLLUTANTS if name in row]
        if (code, time) in seen:
            batch.counts["duplicate_rows"] += 1
        elif station is not None and period[0] <= time <= period[1]:
            batch.add(station, time, values)
        seen.add((code, time))
    return batch


def _rows(path: Path, required: tuple[str, ...]) -> list[dict[str, str | None]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = names
            rows = list(reader)
    except (OSError, UnicodeError, csv.Error) as error:
        raise InputError(str(path), error, "a CSV file in UTF-8") from error
    absent = [name for name in required if name not in names]
    if absent:
        raise InputError(f"{path}: columns", ",".join(names), f"also {', '.join(absent)}")
    return rows


def _time(text: str | None, where: str) -> datetime:
    try:
        time = datetime.fromisoformat((text or "").strip())
    except ValueError as error:
        raise InputError(where, text, "an ISO 8601 time") from error
    if time.tzinfo is None or time.minute or time.second or time.microsecond:
        raise InputError(where, text, "a whole hour with its offset, such as 2026-11-24T08:00+08:00")
    return time.astimezone(UTC)
