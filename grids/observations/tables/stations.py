"""The stations of a bureau's tables: ``stations.csv`` beside them, or the table [stations] of a mapping."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, StationCities
from hazecast.grids.observations.tables.findings import Fault, Findings
from hazecast.grids.observations.tables.mapping import FilePart
from hazecast.grids.observations.tables.sheets import read_sheet
from hazecast.grids.places.cities import Registry
from hazecast.grids.places.stations import ROADSIDE, load_stations

STATIONS_FILE = "stations.csv"
# Source of a bureau's own stations, in the store and in the names of stations.
SOURCE = "csv"
_NAMES = {
    "code": "code station stationid stationcode id 编号 站点编号 站点编码 测站编号 測定局コード 局コード 測站代碼 站号",
    "name": "name stationname 名称 站点名称 站名 測定局名 測定局名称 測站名稱 名稱",
    "latitude": "latitude lat 纬度 緯度",
    "longitude": "longitude lon lng long 经度 経度 經度",
    "city": "city 城市 市 所在城市 都市 城市名称 市町村 city_id cityid",
    "siting": "siting",
    "licence": "licence license",
    "attribution": "attribution",
}
_MEANING = {name: meaning for meaning, names in _NAMES.items() for name in names.split()}
_SITINGS = ("", "background", ROADSIDE)


@dataclass(frozen=True)
class Stations:
    """The stations that tables may name.

    Attributes
    ----------
    by_code : dict of str to NetworkStation or None
        None for a station of no city.
    zones : dict of str to str or None
        By code, and by name where it is one station's: the time zone of its city.
    codes : dict of str to str
        The code by code, and by name.
    """

    by_code: dict[str, NetworkStation | None]
    zones: dict[str, str | None]
    codes: dict[str, str]

    def code_of(self, text: str) -> str | None:
        """Return the code of a station by its code or name, or by what `plain_code` makes of one where that is one station's."""
        return self.codes.get(text) or self._alike.get(plain_code(text))

    @cached_property
    def _alike(self) -> dict[str, str]:
        plain: dict[str, set[str]] = {}
        for text, code in self.codes.items():
            plain.setdefault(plain_code(text), set()).add(code)
        return {text: codes.pop() for text, codes in plain.items() if len(codes) == 1}


def plain_code(text: str) -> str:
    """Return a station's code or name in one of the ways that programs write it: case, width, blanks, and zeros before a number.

    Examples
    --------
    >>> [plain_code(text) for text in ("a1", "Ａ1", "0101", "101", "000")]
    ['a1', 'a1', '101', '101', '0']
    """
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return (plain.lstrip("0") or "0") if plain.isdecimal() else plain


def read_stations(
    folder: Path, registry: Registry, rules: StationCities, findings: Findings, given: Mapping[str, str] | None = None
) -> Stations:
    """Read the stations of a folder.

    Parameters
    ----------
    folder : Path
        That of `STATIONS_FILE`.
    registry : Registry
    rules : StationCities
        Its radius assigns stations without a city to the nearest one.
    findings : Findings
        Stations that can't be used are left out and named here.
    given : mapping of str to str, optional
        City by code, in place of the file.

    Returns
    -------
    Stations

    Raises
    ------
    InputError
        If the file can't be read, lacks a column, or names no station that can be used.
    """
    path = folder / STATIONS_FILE
    by_code: dict[str, NetworkStation | None] = {}
    if given and not path.exists():
        for code, city in given.items():
            by_code[code] = NetworkStation(SOURCE, code, code, registry.city(city).id)
    else:
        for where, row in _rows(path):
            try:
                code, station = station_of(row, where, registry, rules)
                if code in by_code:
                    raise InputError(f"{where}, code", code, "a code used once")
            except InputError as error:
                findings.leave_out("stations_refused", Fault(error.where, str(error.found), error.expected))
                continue
            findings.counts["stations_elsewhere"] += station is None
            by_code[code] = station
    if not by_code:
        raise InputError(str(path), "no station that can be used", "at least one, with its code and city or position")
    return _indexed(by_code, registry)


def _indexed(by_code: dict[str, NetworkStation | None], registry: Registry) -> Stations:
    names = [station.name for station in by_code.values() if station is not None]
    codes = {station.name: code for code, station in by_code.items() if station and names.count(station.name) == 1}
    codes |= {code: code for code in by_code}
    known = load_stations()
    zones = {
        text: None if (station := by_code[code]) is None else known.known_time_zone(str(station.city), registry)
        for text, code in codes.items()
    }
    return Stations(by_code, zones, codes)


def _rows(path: Path) -> list[tuple[str, dict[str, str]]]:
    rows = read_sheet(path, FilePart()).rows
    if not rows:
        raise InputError(str(path), "an empty file", "a table of stations")
    names = [_MEANING.get(_plain(cell), "") for cell in rows[0][1]]
    if "code" not in names or not ("city" in names or {"latitude", "longitude"} <= set(names)):
        raise InputError(f"{path}: columns", ",".join(rows[0][1]), "code, and city or latitude and longitude")
    return [
        (f"{path}: line {line}", {name: cell for name, cell in zip(names, cells, strict=False) if name})
        for line, cells in rows[1:]
    ]


def _plain(text: str) -> str:
    return re.sub(r"[\s(\[（].*", "", unicodedata.normalize("NFKC", text).strip().lower())


def station_of(
    row: Mapping[str, str], where: str, registry: Registry, rules: StationCities, source: str = SOURCE
) -> tuple[str, NetworkStation | None]:
    """Return a station as its row in a table describes it.

    Parameters
    ----------
    row : mapping of str to str
        ``code``, and ``city`` (id or name) or ``latitude`` and ``longitude``; ``name``, ``siting``, ``licence``, ``attribution``.
    where : str
        The row, for errors.
    registry : Registry
    rules : StationCities
        Its radius assigns a station without a city to the nearest one.
    source : str
        Of the station.

    Returns
    -------
    code : str
    station : NetworkStation or None
        None where no city is near.

    Raises
    ------
    InputError
        If a field is missing or wrong.
    """
    code = row.get("code", "")
    if not code:
        raise InputError(f"{where}, code", code, "a code")
    latitude, longitude = _degrees(row, "latitude", 90.0, where), _degrees(row, "longitude", 180.0, where)
    siting = row.get("siting", "")
    if siting not in _SITINGS:
        raise InputError(f"{where}, siting", siting, f"one of {_SITINGS}")
    city: str | None = None
    if text := row.get("city", ""):
        city = _city(text, where, registry)
    elif latitude is None or longitude is None:
        raise InputError(f"{where}, latitude", "nothing", "a position where no city is given")
    else:
        city = rules.by_distance(registry, latitude, longitude)
    if city is None:
        return code, None
    return code, NetworkStation(
        source=source,
        code=code,
        name=row.get("name", "") or code,
        city=city,
        latitude=latitude,
        longitude=longitude,
        siting=siting,
        licence=row.get("licence", ""),
        attribution=row.get("attribution", ""),
    )


def _city(text: str, where: str, registry: Registry) -> str:
    """Return a city by its id or its name in any language, with or without 市."""
    for city in registry.cities.values():
        names = (city.id, city.name_en, city.name_zh, city.name_ja)
        if any(text.lower().removesuffix("市") == name.lower().removesuffix("市") for name in names):
            return city.id
    raise InputError(f"{where}, city", text, "the id or name of a city that Hazecast forecasts")


def _degrees(row: Mapping[str, str], axis: str, most: float, where: str) -> float | None:
    text = row.get(axis, "")
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = float("nan")
    if not abs(value) <= most:
        raise InputError(f"{where}, {axis}", text, f"degrees, at most {most:g}")
    return value
