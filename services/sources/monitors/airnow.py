"""The hourly files of the US diplomatic posts (StateAir, later AirNow Department of State).

The feed stopped on 2025-03-04 (from memory, not verified): a source for past years. Addresses
and both headers as in public clients; not tried against the server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, StationCities
from hazecast.grids.places.cities import Registry
from hazecast.grids.quality import SENTINELS, Reporting
from hazecast.services.core.settings import Settings
from hazecast.services.sources.errors import FetchError
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.monitors.interface import HOUR, Batch, History, SourceKind, csv_rows, number, try_each

URL = "https://dosairnowdata.org"
# All of China has one time zone, without daylight saving.
_POST_ZONE = timezone(timedelta(hours=8))
_TIME = ["Year", "Month", "Day", "Hour"]
# The two layouts: StateAir's, and AirNow's with the NowCast beside the raw concentration.
# StateAir stamps the start of the hour, AirNow its end: for 2013 and 2014 the same values stand an hour apart.
_VALUE_COLUMNS = (("Value", "Unit"), ("Raw Conc.", "Conc. Unit"))
_POLLUTANTS = {"PM2.5": "pm25", "PM2.5 - Principal": "pm25"}


class AirNowPosts:
    """PM2.5 of the posts in the registry's cities, one file for each post and year.

    Parameters
    ----------
    registry : Registry
    rules : StationCities
        Names the posts and their cities.
    url : str
    patience : Patience, optional
    """

    name = "airnow"
    kind: SourceKind = "measurement"
    reporting = Reporting(sentinels=tuple(s for s in SENTINELS if s < -9))
    # A file a year.
    history = History(reach=None, span=366 * 24 * HOUR)

    def __init__(
        self, registry: Registry, rules: StationCities, url: str = URL, patience: Patience | None = None
    ) -> None:
        self._registry, self._rules, self._url = registry, rules, url.rstrip("/")
        self._http = HttpClient(patience)

    @classmethod
    def from_settings(
        cls, settings: Settings, registry: Registry, rules: StationCities, patience: Patience | None = None
    ) -> AirNowPosts:
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
        AirNowPosts
        """
        return cls(registry, rules, settings.publishers.airnow_url, patience)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch(self, hours: Sequence[datetime]) -> Batch:
        """Return the hours of all posts; files that don't exist are counted.

        Raises
        ------
        FetchError, InputError
            As `MonitorSource.fetch`; also if no file could be read.
        """
        batch = Batch()
        first, last = hours[0], hours[-1]
        years = range((first - HOUR).astimezone(_POST_ZONE).year, (last - HOUR).astimezone(_POST_ZONE).year + 1)
        posts = sorted(self._rules.places.get("airnow", {}))
        files = [f"/dos/historical/{post}/{year}/{post}_PM2.5_{year}_YTD.csv" for post in posts for year in years]
        try_each(files, lambda path: batch.join(self._file(self._url + path, first, last)), batch, "files")
        return batch

    def _file(self, address: str, first: datetime, last: datetime) -> Batch:
        try:
            text = self._http.text(address, expected="CSV", encoding="utf-8-sig")
        except FetchError as error:
            if error.status == 404:
                return Batch(counts=Counter(files_not_published=1))
            raise
        return read_file(text, self._rules, self._registry, address, (first, last))


def read_file(
    text: str,
    rules: StationCities,
    registry: Registry,
    where: str,
    period: tuple[datetime, datetime] | None = None,
) -> Batch:
    """Read a file of one post, in either of its layouts.

    Parameters
    ----------
    text : str
        CSV, with or without lines of text before the header. The stamp is the *start* of the
        hour in StateAir's layout and its end in AirNow's, in the post's standard time; -999 where missing.
    rules : StationCities
        Names the posts and their cities.
    registry : Registry
        Gives the city's position, which is used as the post's.
    where : str
        The file, for errors.
    period : (datetime, datetime), optional
        Hours to read, by their end; by default all.

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        If there is no header, or a row holds another post, pollutant, unit or duration, or
        something that isn't a time or a number.
    """
    lines = csv_rows(text, where)
    start = next((n for n, fields in enumerate(lines) if fields and fields[0].strip() == "Site"), None)
    if start is None:
        raise InputError(
            f"{where}: header", ",".join(lines[0])[:80] if lines else "nothing", "a line that starts with Site"
        )
    columns = [name.strip() for name in lines[start]]
    value_column, unit_column = next((pair for pair in _VALUE_COLUMNS if set(pair) <= set(columns)), ("", ""))
    absent = [name for name in ("Parameter", *_TIME, "Duration", "QC Name") if name not in columns]
    if absent or not value_column:
        raise InputError(f"{where}: header", ",".join(columns), f"also {', '.join(absent) or 'Value or Raw Conc.'}")
    after_stamp = HOUR if value_column == "Value" else timedelta(0)
    batch = Batch()
    for line, fields in enumerate(lines[start + 1 :], start=start + 2):
        here = f"{where}: line {line}"
        if not any(fields):
            continue
        if len(fields) != len(columns):
            raise InputError(here, f"{len(fields)} fields", f"{len(columns)}")
        row = dict(zip(columns, fields, strict=True))
        station, time = _station(row, rules, registry, here), _time(row, here) + after_stamp
        name = _POLLUTANTS.get(row["Parameter"].strip())
        if name is None or row["Duration"].strip().lower() not in ("1 hr", "1 hour"):
            raise InputError(f"{here}, Parameter", f"{row['Parameter']}, {row['Duration']}", "PM2.5, 1 Hr")
        value = number(row[value_column], f"{here}, {value_column}")
        if period is not None and not period[0] <= time <= period[1]:
            continue
        if row["QC Name"].strip().lower() == "invalid":
            batch.counts["invalid_by_publisher"] += 1
            value = None
        batch.add(station, time, [(name, value, _unit(row[unit_column], f"{here}, {unit_column}"))])
    return batch


def _unit(text: str, where: str) -> str:
    # Micro sign and cube come in several encodings, some of them damaged (Â) in the files themselves.
    plain = text.strip().replace("Â", "").replace("³", "3").upper()
    if not plain.endswith("G/M3") or plain.startswith("MG"):
        raise InputError(where, text, "UG/M3")
    return "ug/m3"


def _time(row: Mapping[str, str], where: str) -> datetime:
    try:
        year, month, day, hour = (int(row[name]) for name in _TIME)
        return datetime(year, month, day, hour, tzinfo=_POST_ZONE).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{where}, Year to Hour", [row[name] for name in _TIME], "a date and an hour 0 to 23"
        ) from error


def _station(row: Mapping[str, str], rules: StationCities, registry: Registry, where: str) -> NetworkStation:
    site = row["Site"].strip()
    city = rules.places.get("airnow", {}).get(site)
    if city is None:
        raise InputError(f"{where}, Site", site, f"one of {sorted(rules.places.get('airnow', {}))}")
    place = registry.city(city)
    return NetworkStation(
        source="airnow",
        code=site,
        name=f"US post {site}",
        city=city,
        latitude=place.latitude,
        longitude=place.longitude,
        siting="background",
        licence="US public domain; not fully verified or validated",
        attribution="US Department of State and US EPA AirNow",
    )
