"""Visibility and humidity of airports from their hourly reports (METAR), by the Aviation Weather Center's data interface.

``GET /api/data/metar?ids=...&format=json&hours=...&date=...``: fields and limits (400 reports an answer, 100 requests a
minute, 15 days back) as in the centre's description of the interface and in stored answers; not tried against the server.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hazecast.grids.derived import relative_humidity
from hazecast.grids.errors import InputError
from hazecast.grids.observations.metar import Metar, parse_metar
from hazecast.grids.observations.station_cities import NetworkStation, StationCities
from hazecast.grids.places.airports import Airport, load_airports
from hazecast.grids.places.cities import Registry
from hazecast.grids.quality import FOG, GOOD, OBSCURED, Reporting
from hazecast.services.core.settings import Settings
from hazecast.services.sources.errors import FetchError
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.monitors.interface import HOUR, Batch, History, Reading, SourceKind, try_each

URL = "https://aviationweather.gov"
_PATH = "/api/data/metar"
# The most reports of one answer; what is beyond them is left out without a word.
_LARGEST = 400
# Reports an airport gives in an hour: two by schedule, and some when the weather changes.
_REPORTS_AN_HOUR = 3
# A report stands for the whole hour that it is nearest to: airports report at the hour or some minutes before.
_NEAR = timedelta(minutes=10)
# Hours that are asked for together though those between them are stored.
_BRIDGED = 3 * HOUR
_NO_CONTENT = 204
# Takes the sight without being haze. Fog stays, flagged: the rules tell it by humidity and PM2.5.
_OBSCURING = frozenset({"rain", "snow", "dust", "smoke"})
_STAMP = re.compile(r"\b(\d{2})(\d{2})(\d{2})Z\b")
_ZERO_CELSIUS = 273.15
_LICENCE = "free to use; the reports are those of the national weather services"
_ATTRIBUTION = "NOAA/NWS Aviation Weather Center (aviationweather.gov)"


class Metars:
    """The reports of the airports of the cities.

    Parameters
    ----------
    registry : Registry
        Airports of other cities are left out.
    airports : sequence of Airport
    url : str
    patience : Patience, optional
    """

    name = "metar"
    kind: SourceKind = "weather_station"
    reporting = Reporting()
    # Longer requests could hold few airports.
    history = History(reach=timedelta(days=15), span=72 * HOUR)

    def __init__(
        self, registry: Registry, airports: Sequence[Airport], url: str = URL, patience: Patience | None = None
    ) -> None:
        self._stations = stations_of(airports, registry)
        self._url = url.rstrip("/") + _PATH
        self._http = HttpClient(patience)

    @classmethod
    def from_settings(
        cls, settings: Settings, registry: Registry, rules: StationCities, patience: Patience | None = None
    ) -> Metars:
        """Make the source from the settings; a `MonitorSourceFactory`.

        Parameters
        ----------
        settings : Settings
        registry : Registry
        rules : StationCities
            Not used: the list of airports names their cities.
        patience : Patience, optional
            Time-outs and retries.

        Returns
        -------
        Metars
        """
        asked = settings.publishers
        return cls(registry, load_airports(asked.airports_file), asked.metar_url, patience)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch(self, hours: Sequence[datetime]) -> Batch:
        """Return what the airports reported at the hours; airports without a report are counted as silent.

        Raises
        ------
        FetchError, InputError
            As `MonitorSource.fetch`; also if no request was answered.
        """
        batch = Batch()
        requests = [
            (names, period)
            for period in periods_of(hours)
            for names in _batches(sorted(self._stations), _airports_a_request(period))
        ]
        try_each(requests, lambda request: batch.join(self._reports(*request)), batch, "requests")
        heard = {reading.station for reading in batch.readings}
        batch.counts["stations_silent"] += sum(
            station.id not in heard for stations in self._stations.values() for station in stations
        )
        return batch

    def _reports(self, names: Sequence[str], period: tuple[datetime, datetime]) -> Batch:
        first, last = period[0] - _NEAR, period[1] + _NEAR
        query = {
            "ids": ",".join(names),
            "format": "json",
            "hours": f"{math.ceil((last - first) / HOUR)}",
            "date": f"{last.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        try:
            rows = self._http.json(self._url, expected="a list of reports", params=query)
        except FetchError as error:
            # None of these airports has reported.
            if error.status != _NO_CONTENT:
                raise
            rows = []
        if isinstance(rows, list) and len(rows) >= _LARGEST and len(names) > 1:
            half = len(names) // 2
            batch = self._reports(names[:half], period)
            batch.join(self._reports(names[half:], period))
            return batch
        return read_reports(rows, self._stations, period, self._url)


def stations_of(airports: Iterable[Airport], registry: Registry) -> dict[str, list[NetworkStation]]:
    """Return the stations of each airport, one for each of its cities.

    Parameters
    ----------
    airports : iterable of Airport
    registry : Registry

    Returns
    -------
    dict of str to list of NetworkStation
        By ICAO location indicator; only of cities in the registry.
    """
    stations = {
        airport.icao: [
            NetworkStation(
                source=Metars.name,
                code=f"{airport.icao}.{city}",
                name=airport.name,
                city=city,
                latitude=airport.latitude,
                longitude=airport.longitude,
                licence=_LICENCE,
                attribution=_ATTRIBUTION,
            )
            for city in airport.cities
            if city in registry.cities
        ]
        for airport in airports
    }
    return {icao: own for icao, own in stations.items() if own}


def periods_of(hours: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """Return the first and last hour of each stretch of hours, ascending; short gaps are bridged."""
    periods = [(hours[0], hours[0])]
    for hour in hours[1:]:
        first, last = periods[-1]
        if hour - last <= _BRIDGED:
            periods[-1] = (first, hour)
        else:
            periods.append((hour, hour))
    return periods


def _batches(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))


def _airports_a_request(period: tuple[datetime, datetime]) -> int:
    hours = (period[1] - period[0]) / HOUR + 1
    return max(1, int(_LARGEST / (_REPORTS_AN_HOUR * hours)))


def read_reports(
    rows: Any, stations: Mapping[str, Sequence[NetworkStation]], period: tuple[datetime, datetime], where: str
) -> Batch:
    """Read an answer: of the reports near an hour the nearest, and of equal ones the last received.

    Parameters
    ----------
    rows : object
        Decoded JSON.
    stations : mapping of str to sequence of NetworkStation
        By ICAO location indicator.
    period : (datetime, datetime)
        First and last hour, aware.
    where : str
        Its address, for errors.

    Returns
    -------
    Batch
        ``vis``, m, flagged where precipitation, dust, smoke or fog was reported, and ``rh``, %.

    Raises
    ------
    InputError
        If it isn't a list of reports, is as long as answers may be, or half of the reports can't be read. Fewer are
        reported as problems.
    """
    if not isinstance(rows, list):
        raise InputError(f"{where}: answer", type(rows).__name__, "a list of reports")
    if len(rows) >= _LARGEST:
        raise InputError(
            f"{where}: reports", f"{len(rows)} of one airport", f"fewer than {_LARGEST}: others are left out"
        )
    batch = Batch()
    best: dict[tuple[str, datetime], tuple[tuple[float, str], Metar]] = {}

    def take(row: Any) -> None:
        icao, time, report = read_report(row, where)
        hour = (time + HOUR / 2).replace(minute=0, second=0, microsecond=0)
        away = abs(time - hour)
        if icao not in stations or away > _NEAR or not period[0] <= hour <= period[1]:
            batch.counts["reports_between_hours"] += 1
        elif report is None:
            batch.counts["reports_without_content"] += 1
        else:
            # Less is better: nearer, and received later.
            received = str(row.get("receiptTime") or "")
            known = best.get((icao, hour))
            if known is None or away / HOUR < known[0][0] or (away / HOUR == known[0][0] and received >= known[0][1]):
                best[icao, hour] = (away / HOUR, received), report

    try_each(rows, take, batch, "reports", tolerated=0.5)
    for (icao, hour), (_, report) in sorted(best.items(), key=lambda entry: entry[0]):
        for station in stations[icao]:
            batch.stations[station.id] = station
            batch.readings += _readings(station, hour, report)
    return batch


def read_report(row: Any, where: str) -> tuple[str, datetime, Metar | None]:
    """Read one report; what it says is taken from its text, which has metres and every phenomenon.

    Parameters
    ----------
    row : object
        Decoded JSON.
    where : str
        For errors.

    Returns
    -------
    icao : str
    time : datetime
        Aware, UTC.
    report : Metar or None
        None where the report has no content (NIL).

    Raises
    ------
    InputError
        If a field is absent or of another kind, or the time in the text is another.
    """
    if not isinstance(row, Mapping):
        raise InputError(f"{where}: report", type(row).__name__, "an object")
    icao, epoch, text = row.get("icaoId"), row.get("obsTime"), row.get("rawOb")
    if not isinstance(icao, str) or not isinstance(text, str):
        field = "rawOb" if isinstance(icao, str) else "icaoId"
        raise InputError(f"{where}: {field}", row.get(field), "text")
    if isinstance(epoch, bool) or not isinstance(epoch, int | float) or not 0 < epoch < 2**32:
        raise InputError(f"{where}: {icao}, obsTime", epoch, "seconds since 1970")
    time = datetime.fromtimestamp(epoch, UTC)
    stamp = _STAMP.search(text)
    if stamp is None or stamp.group(1, 2, 3) != (f"{time:%d}", f"{time:%H}", f"{time:%M}"):
        raise InputError(f"{where}: {icao}, rawOb", text[:60], f"a report with the time of obsTime, {time:%d%H%MZ}")
    if re.search(r"\bNIL\b", text):
        return icao, time, None
    report = parse_metar(text if text.startswith(("METAR", "SPECI")) else f"METAR {text}")
    if report is None or report.station != icao:
        raise InputError(f"{where}: {icao}, rawOb", text[:60], f"a report of {icao}")
    return icao, time, report


def _readings(station: NetworkStation, hour: datetime, report: Metar) -> Iterator[Reading]:
    flag = OBSCURED if report.weather & _OBSCURING else FOG if "fog" in report.weather else GOOD
    seen = report.visibility if math.isfinite(report.visibility) else None
    yield Reading(station.id, hour, "vis", seen, "m", GOOD if seen is None else flag)
    humidity = float(relative_humidity(report.temperature + _ZERO_CELSIUS, report.dew_point + _ZERO_CELSIUS))
    yield Reading(station.id, hour, "rh", round(humidity, 1) if math.isfinite(humidity) else None, "%")
