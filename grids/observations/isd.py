"""Weather of a station from the files of NOAA's Integrated Surface Database (ISD).

Fixed-width records as in NOAA, "Federal Climate Complex Data Documentation for Integrated Surface Data": a control section
(positions 1-60), the mandatory section (61-105), additional groups, and the raw report after ``REM``.

Where a folder holds METARs, the raw reports are read and nothing else: in merged records the decoded part is the report of
another station (at Beijing's airport, every third hour, the SYNOP of station 54511 25 km away).
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from hazecast.grids.contract import WEATHER, check, describe
from hazecast.grids.derived import station_pressure, wind_components
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import MonitorData
from hazecast.grids.observations.metar import PHENOMENA, UNLIMITED, Metar, parse_metar
from hazecast.grids.observations.packed import unpacked

log = logging.getLogger(__name__)

_ZERO_CELSIUS = 273.15
_CONTROL = re.compile(r"\d{4}[0-9A-Z]{6}\d{17}.[+-]\d{5}[+-]\d{6}.{5}[+-]\d{4}")
# Suspect or erroneous, by the quality codes of the mandatory section.
_BAD = frozenset("2367")
_ALTIMETER, _PRESENT_WEATHER = re.compile(r"MA1(\d{5})(.)(\d{5})(.)"), re.compile(r"MW\d(\d\d)(.)")
# The same flags from WMO code table 4677 (present weather of manned stations), codes 00 to 99.
_CODES: dict[str, frozenset[int]] = {
    "haze": frozenset({5}),
    "mist": frozenset({10}),
    "fog": frozenset(range(40, 50)),
    "smoke": frozenset({4}),
    "dust": frozenset({6, 7, 8, 9, *range(30, 36), 98}),
    "rain": frozenset({*range(50, 70), *range(80, 85), 91, 92, 95, 97}),
    "snow": frozenset({68, 69, *range(70, 80), *range(83, 91)}),
}
_LONGEST = pd.Timedelta(days=40 * 365)


@dataclass(frozen=True)
class _Record:
    time: np.datetime64
    elevation: float
    latitude: float
    longitude: float
    line: str
    metar: Metar | None


def read_isd(directory: Path) -> xr.Dataset:
    """Read the weather of one station.

    Parameters
    ----------
    directory : Path
        Folder of ISD files, plain or gzip, whatever their names.

    Returns
    -------
    xarray.Dataset (time)
        The reports at whole hours, UTC, on an axis without gaps. In the contract's units t2m, d2m, u10, v10 (zero
        where the direction is variable) and sp: as reported or from the altimeter setting and the newest
        elevation, never the pressure at sea level. ``visibility``, m, and ``visibility_at_least``, 1 where that means
        "or more" (10 km). Present weather, 1 or 0: haze, mist, fog, smoke, dust, rain, snow. NaN where nothing is
        reported. Precipitation is not read: its sums are over six hours and more. Attributes: source,
        latitude, longitude, elevation, and faults as ``count_<kind>``.

    Raises
    ------
    InputError
        If the folder holds no ISD file, or a record is broken: names the file and line.
    """
    if not directory.is_dir():
        raise InputError("weather station", directory, "a folder")
    counts: Counter[str] = Counter()
    records = [record for path in sorted(directory.iterdir()) for record in _records(path, counts)]
    if not records:
        raise InputError(str(directory), "no record at a whole hour", "files of NOAA's Integrated Surface Database")
    records.sort(key=lambda record: record.time)
    airport = [record for record in records if record.metar is not None]
    if airport:
        counts["records_without_metar"] += len(records) - len(airport)
        records = airport
    last = records[-1]
    rows = [_from_metar(r.metar, last.elevation, counts) if r.metar else _decoded(r, counts) for r in records]
    table = pd.DataFrame(rows, index=pd.DatetimeIndex([r.time for r in records], name="time").as_unit("ns"))
    repeated = table.index.duplicated(keep="last")  # a correction follows what it corrects
    counts["duplicate_records"] += int(repeated.sum())
    return _dataset(table[~repeated], last, counts, directory)


def with_weather(data: MonitorData, city: str, weather: xr.Dataset) -> MonitorData:
    """Give a city of a collection, and its stations, the weather of a station nearby.

    Parameters
    ----------
    data : MonitorData
        Of a collection without weather in that city.
    city : str
    weather : xarray.Dataset (time)
        As of `read_isd`; the variables of the contract are used.

    Returns
    -------
    MonitorData
        The same with `weather` and `station_weather` on the collection's hours.

    Raises
    ------
    InputError
        If the collection lacks the city or has weather there, or there is no hour in common.
    """
    cities = [str(c) for c in data.observations["city"].values]
    if city not in cities:
        raise InputError("weather of", city, f"a city of {data.source}: {', '.join(cities)}")
    names = [name for name in WEATHER if name in weather]
    own = weather[names].reindex(time=data.observations["time"])
    if not any(bool(own[name].notnull().any()) for name in names):
        raise InputError(f"weather of {city}", "no hour in common", f"weather during {data.source}")
    stations = [] if data.stations is None else data.stations["station"].values[data.stations["city"].values == city]
    whole = _placed(data.weather, own, [city], cities, data.source)
    everywhere = [] if data.stations is None else [str(s) for s in data.stations["station"].values]
    by_station = _placed(data.station_weather, own, [str(s) for s in stations], everywhere, data.source)
    return replace(data, weather=whole, station_weather=by_station if everywhere else None)


def _placed(base: xr.Dataset | None, own: xr.Dataset, at: list[str], places: list[str], source: str) -> xr.Dataset:
    result = xr.Dataset(
        coords={"time": own["time"], "city": places}, attrs={"source": f"{own.attrs['source']}, {source}"}
    )
    for name in WEATHER:
        if name not in own and (base is None or name not in base):
            continue
        values = np.full((own.sizes["time"], len(places)), np.nan, np.float32)
        if base is not None and name in base:
            values[:] = base[name].reindex(city=places)
        columns = [places.index(place) for place in at]
        if np.isfinite(values[:, columns]).any():
            raise InputError(f"weather of {', '.join(at)}", f"{name} of {source}", "a city without weather of its own")
        if name in own:
            values[:, columns] = own[name].values[:, None]
        result[name] = (("time", "city"), values)
    return check(describe(result, "city_weather"), "city_weather", name=source)


def _records(path: Path, counts: Counter[str]) -> Iterator[_Record]:
    """Yield the records at whole hours; those in between are counted."""
    try:
        data = path.read_bytes()
        text = unpacked(data, str(path)).decode("latin-1")
    except OSError as error:
        raise InputError(str(path), error, "a file of NOAA's Integrated Surface Database") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line:
            continue
        if not _CONTROL.match(line) or len(line) < 105:
            raise InputError(f"{path}: line {number}", line[:60], "a record of NOAA's Integrated Surface Database")
        stamp = f"{line[15:19]}-{line[19:21]}-{line[21:23]}T{line[23:25]}:{line[25:27]}"
        if line[25:27] != "00":
            counts["between_hours"] += 1
            continue
        try:
            time = np.datetime64(stamp, "m")
        except ValueError as error:
            raise InputError(f"{path}: line {number}, time", stamp, "a time") from error
        at = line.find("REM", 105)
        yield _Record(
            time=time,
            elevation=float(line[46:51]),
            latitude=float(line[28:34]) / 1000,
            longitude=float(line[34:41]) / 1000,
            line=line,
            metar=parse_metar(line[at:]) if at >= 0 else None,
        )


def _from_metar(report: Metar, elevation: float, counts: Counter[str]) -> dict[str, float]:
    direction = report.wind_from
    if report.variable_wind:
        counts["variable_wind"] += 1
    return {
        "t2m": report.temperature + _ZERO_CELSIUS,
        "d2m": report.dew_point + _ZERO_CELSIUS,
        **_wind(report.wind_speed, direction, report.variable_wind),
        "sp": float(station_pressure(report.qnh * 100.0, elevation)),
        **_seen(report.visibility),
        **{flag: float(flag in report.weather) for flag in PHENOMENA},
    }


def _decoded(record: _Record, counts: Counter[str]) -> dict[str, float]:
    """Return the values of the mandatory section and the groups MA1 and MW1 to MW7."""
    line, end = record.line, record.line.find("REM", 105)
    groups = line[105 : end if end >= 0 else None]
    speed = _field(line[65:69], line[69], 10.0, counts)
    variable = line[64] == "V" and line[60:63] == "999"
    counts["variable_wind"] += int(variable)
    pressures = _ALTIMETER.search(groups)
    sp = qnh = float("nan")
    if pressures:
        qnh = 100.0 * _field(pressures[1], pressures[2], 10.0, counts)
        sp = 100.0 * _field(pressures[3], pressures[4], 10.0, counts)
    codes = {int(code) for code, quality in _PRESENT_WEATHER.findall(groups) if quality not in _BAD}
    return {
        "t2m": _field(line[87:92], line[92], 10.0, counts) + _ZERO_CELSIUS,
        "d2m": _field(line[93:98], line[98], 10.0, counts) + _ZERO_CELSIUS,
        **_wind(speed, 0.0 if line[64] == "C" else _field(line[60:63], line[63], 1.0, counts), variable),
        "sp": sp if np.isfinite(sp) else float(station_pressure(qnh, record.elevation)),
        **_seen(_field(line[78:84], line[84], 1.0, counts)),
        **{flag: float(bool(codes & wanted)) for flag, wanted in _CODES.items()},
    }


def _field(text: str, quality: str, scale: float, counts: Counter[str]) -> float:
    # A missing value is all nines.
    if set(text.lstrip("+-")) == {"9"}:
        return float("nan")
    if quality in _BAD:
        counts["suspect_or_erroneous"] += 1
        return float("nan")
    try:
        return int(text) / scale
    except ValueError:
        counts["unreadable"] += 1
        return float("nan")


def _wind(speed: float, direction: float, variable: bool) -> dict[str, float]:
    """A variable wind has no mean direction: both components are zero."""
    if variable or speed == 0:
        return {"u10": 0.0 * speed, "v10": 0.0 * speed}
    u10, v10 = wind_components(speed, direction)
    return {"u10": float(u10), "v10": float(v10)}


def _seen(visibility: float) -> dict[str, float]:
    at_least = float("nan") if np.isnan(visibility) else float(visibility >= UNLIMITED)
    return {"visibility": min(visibility, UNLIMITED) if at_least == 1 else visibility, "visibility_at_least": at_least}


def _dataset(table: pd.DataFrame, last: _Record, counts: Counter[str], directory: Path) -> xr.Dataset:
    if table.index[-1] - table.index[0] > _LONGEST:
        raise InputError(f"{directory}: hours", f"{table.index[0]} to {table.index[-1]}", "a station within 40 years")
    for name in [name for name in table.columns if name in WEATHER]:
        outside = (table[name] < WEATHER[name].low) | (table[name] > WEATHER[name].high)
        counts["impossible_weather"] += int(outside.sum())
        table[name] = table[name].mask(outside)
    times = pd.date_range(table.index[0], table.index[-1], freq="h")
    counts["missing_hours"] += len(times) - len(table)
    table = table.reindex(times)
    dataset = xr.Dataset(
        {name: ("time", table[name].to_numpy(np.float32)) for name in table.columns},
        coords={"time": times.to_numpy("datetime64[ns]")},
        attrs={
            "source": f"{last.metar.station if last.metar else last.line[4:15]}, NOAA ISD",
            "latitude": last.latitude,
            "longitude": last.longitude,
            "elevation": last.elevation,
        },
    )
    dataset = describe(dataset, "city_weather")
    dataset["visibility"].attrs.update(standard_name="visibility_in_air", units="m")
    for name, number in sorted(counts.items()):
        dataset.attrs[f"count_{name}"] = number
        if number:
            log.info("%s: %s: %d", directory.name, name, number)
    return dataset
