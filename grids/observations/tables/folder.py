"""A folder of a bureau's tables: its stations, each table by its mapping, and one value for each station, hour and quantity.

Repeated values that are equal count once. Where they differ none is right by itself: all are left out and named.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.derived import dew_point, relative_humidity, wind_components
from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, StationCities, load_station_cities
from hazecast.grids.observations.tables.findings import Fault, Findings
from hazecast.grids.observations.tables.guess import guess
from hazecast.grids.observations.tables.looked_at import Hints
from hazecast.grids.observations.tables.mapping import MAPPING_FILE, FilePart, Mapping, mapping_of, read_mapping
from hazecast.grids.observations.tables.reading import read_steps
from hazecast.grids.observations.tables.sheets import OTHER_SUFFIXES, Sheet, is_table, read_sheet
from hazecast.grids.observations.tables.stations import STATIONS_FILE, Stations, read_stations
from hazecast.grids.observations.tables.units import conversion
from hazecast.grids.observations.tables.within_hour import hours_of
from hazecast.grids.places.cities import Registry
from hazecast.grids.times import to_datetime64

_KEY = ["station", "time", "quantity"]


@dataclass(frozen=True)
class TableData:
    """The values of tables.

    Attributes
    ----------
    stations : dict of str to NetworkStation
        By code; those that have values.
    values : pandas.DataFrame
        `hazecast.grids.observations.tables.reading.COLUMNS`; each station, hour and quantity once.
    findings : Findings
    """

    stations: dict[str, NetworkStation]
    values: pd.DataFrame
    findings: Findings


def holds_tables(folder: Path) -> bool:
    """Return whether a folder is one of a bureau's tables: it names their stations, or how to read them."""
    return (folder / STATIONS_FILE).is_file() or (folder / MAPPING_FILE).is_file()


def read_folder(
    folder: Path,
    registry: Registry,
    rules: StationCities | None = None,
    period: tuple[datetime, datetime] | None = None,
) -> TableData:
    """Read all tables in a folder and below it.

    Parameters
    ----------
    folder : Path
    registry : Registry
    rules : StationCities, optional
        Assigns stations without a city; by default those that Hazecast ships.
    period : (datetime, datetime), optional
        Hours to read, by their end, aware; faults of other hours are not told.

    Returns
    -------
    TableData

    Raises
    ------
    InputError
        If the stations can't be read, there is no table, or none can be read.
    """
    findings = Findings()
    stations = stations_of(folder, registry, findings, rules)
    files = sorted(path for path in folder.rglob("*") if _wanted(path, folder))
    if not files:
        raise InputError(str(folder), f"only {STATIONS_FILE}", "tables of hours beside it: CSV, Excel or Parquet")
    for path in sorted(folder.rglob("*")):
        if path.name.lower().endswith(OTHER_SUFFIXES) and not _hidden(path, folder) and path.is_file():
            expected = "a table as CSV, Excel or Parquet, or a ZIP archive"
            findings.leave_out("files_of_other_kinds", Fault(str(path), path.suffix, expected))
    return read_tables(files, folder, stations, findings, period)


def read_tables(
    files: Sequence[Path],
    root: Path,
    stations: Stations,
    findings: Findings,
    period: tuple[datetime, datetime] | None = None,
) -> TableData:
    """Read tables of known stations.

    Parameters
    ----------
    files : sequence of Path
        At least one.
    root : Path
        The folder above them up to which mapping files are looked for.
    stations : Stations
    findings : Findings
        What is found is added.
    period : (datetime, datetime), optional
        As of `read_folder`.

    Returns
    -------
    TableData

    Raises
    ------
    InputError
        The first table's, if none can be read.
    """
    parts: list[tuple[pd.DataFrame, int | None]] = []
    errors: list[InputError] = []
    for path in files:
        own = Findings()
        try:
            parts.append(read_table(path, root, stations, own))
        except InputError as error:
            errors.append(error)
            own.leave_out("files_refused", Fault(error.where, str(error.found), error.expected))
        findings.join(own)
    if len(errors) == len(files):
        raise errors[0]
    return data_of(hours_of(parts, findings), stations, findings, period)


def data_of(
    values: pd.DataFrame, stations: Stations, findings: Findings, period: tuple[datetime, datetime] | None = None
) -> TableData:
    """Return values that were read from tables, each once.

    Parameters
    ----------
    values : pandas.DataFrame
        As `hazecast.grids.observations.tables.reading.read_values`.
    stations : Stations
    findings : Findings
        What was found, to which more is added.
    period : (datetime, datetime), optional
        As of `read_folder`.

    Returns
    -------
    TableData
    """
    if period is not None:
        values = _within(values, period, findings)
    return _data(once(values, findings), stations, findings)


def stations_of(folder: Path, registry: Registry, findings: Findings, rules: StationCities | None = None) -> Stations:
    """Return the stations of a folder: its table of them, or those of its mapping.

    Parameters
    ----------
    folder : Path
    registry : Registry
    findings : Findings
        Stations that can't be used are left out and named here.
    rules : StationCities, optional
        Assigns stations without a city; by default those that Hazecast ships.

    Returns
    -------
    Stations

    Raises
    ------
    InputError
        If neither can be read.
    """
    if not folder.is_dir():
        raise InputError("observations", folder, "a folder")
    path = folder / MAPPING_FILE
    given = read_mapping(path).stations if path.is_file() else None
    return read_stations(folder, registry, rules or load_station_cities(registry), findings, given)


def read_table(path: Path, root: Path, stations: Stations, findings: Findings) -> tuple[pd.DataFrame, int | None]:
    """Read one table, by its mapping file or by what it tells.

    Parameters
    ----------
    path, root : Path
        The table, and the folder above it up to which mapping files are looked for.
    stations : Stations
    findings : Findings
        What is found is added.

    Returns
    -------
    pandas.DataFrame
        As `hazecast.grids.observations.tables.reading.read_steps`.
    int or None
        Minutes of a step; None where the values are of hours.

    Raises
    ------
    InputError
        If it can't be read.
    """
    sheet, mapping = understood(path, root, stations, findings)
    values = read_steps(sheet, mapping, stations, findings)
    if not findings.counts["rows_read"]:
        findings.leave_out("tables_without_rows", Fault(str(path), "no row below the header", "hours"))
    return values, mapping.time.step_minutes


def understood(
    path: Path, root: Path, stations: Stations, findings: Findings, hints: Hints | None = None
) -> tuple[Sheet, Mapping]:
    """Return a table's cells and its mapping.

    Parameters
    ----------
    path, root : Path
        The table, and the folder above it up to which mapping files are looked for.
    stations : Stations
    findings : Findings
        Notes and doubts are added.
    hints : Hints, optional
        What a person says; a mapping file is then not looked for.

    Returns
    -------
    Sheet
    Mapping

    Raises
    ------
    InputError
        If the table or its mapping can't be read, or what is needed isn't told.
    """
    found = mapping_of(path, root) if hints is None else None
    if found is not None:
        mapping = read_mapping(found)
        sheet = read_sheet(path, mapping.file)
        findings.notes += [f"mapping {found}", *sheet.notes]
        findings.doubts += [f"{path.name}: {doubt}" for doubt in sheet.doubts]
        return sheet, mapping
    sheet = read_sheet(path, FilePart())
    told = guess(sheet, stations.zones, hints)
    findings.notes += told.said
    findings.doubts += [*(f"{path.name}: {doubt}" for doubt in sheet.doubts), *told.doubts]
    return sheet, told.mapping


def once(values: pd.DataFrame, findings: Findings, place: str = "{}: line {}") -> pd.DataFrame:
    """Return each station, hour and quantity once.

    Parameters
    ----------
    values : pandas.DataFrame
        As of `TableData`.
    findings : Findings
        Repeated values are counted; those that differ are left out and named.
    place : str
        How a file and a line are named.

    Returns
    -------
    pandas.DataFrame
    """
    result = _once(values, findings, place)
    findings.counts["winds_incomplete"] += int(lone_winds(result).sum())
    return result


def lone_winds(values: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which values are a speed of the wind without a direction, or a direction without a speed: no wind is made of them.

    Parameters
    ----------
    values : pandas.DataFrame (row)
        As of `TableData`; a calm needs no direction.

    Returns
    -------
    bool (row,)
    """
    given = values["value"].notna()
    speeds = given & (values["quantity"] == "wind_speed")
    angles = given & (values["quantity"] == "wind_direction")
    keys = pd.MultiIndex.from_frame(values[["station", "time"]])
    alone = speeds & (values["value"] != 0.0) & ~keys.isin(keys[angles])
    return np.asarray(alone | (angles & ~keys.isin(keys[speeds])), bool)


def _once(values: pd.DataFrame, findings: Findings, place: str) -> pd.DataFrame:
    repeated = values.duplicated(_KEY, keep=False)
    if not repeated.any():
        return values
    alone, again = values[~repeated], values[repeated].dropna(subset="value")
    again = again.assign(same=_contract_values(again).round(6))
    different = again.groupby(_KEY)["same"].transform("nunique") > 1
    equal = again[~different]
    findings.counts["values_repeated"] += int(equal.duplicated(_KEY).sum())
    for (station, hour, quantity), own in again[different].groupby(_KEY, sort=True):
        time = pd.Timestamp(str(hour))
        places = " and ".join(place.format(*at) for at in zip(own["file"], own["line"], strict=True))
        found = ", ".join(f"{value:g}" for value in own["value"])
        fault = Fault(places, f"{found} as {quantity} of {station} at {time} UTC", "one value", time.to_pydatetime())
        findings.leave_out("values_that_differ", fault)
    kept = equal.drop_duplicates(_KEY).drop(columns="same")
    return pd.concat([alone, kept], ignore_index=True)


def by_station(data: TableData) -> dict[str, pd.DataFrame]:
    """Return each station's hours in the contract's names and units.

    Parameters
    ----------
    data : TableData

    Returns
    -------
    dict of str to pandas.DataFrame
        By code; hours by their UTC end, pollutants and what is measured beside them, where they are given.
    """
    values = data.values.assign(value=_contract_values(data.values))
    tables = {}
    for code, own in values.groupby("station", sort=True):
        hours = own.pivot(index="time", columns="quantity", values="value").sort_index()
        hours.index = pd.DatetimeIndex(hours.index).as_unit("ns")
        tables[str(code)] = _derived(hours)
    return tables


def _derived(hours: pd.DataFrame) -> pd.DataFrame:
    result = hours[[name for name in POLLUTANTS if name in hours]].copy()
    given = {name: hours[name] for name in hours.columns}
    if "temperature" in given:
        result["t2m"] = given["temperature"]
    dew = given.get("dew_point")
    if "temperature" in given and "relative_humidity" in given:
        derived = pd.Series(dew_point(given["temperature"], given["relative_humidity"]), hours.index)
        dew = derived if dew is None else dew.fillna(derived)
    if dew is not None:
        result["d2m"] = dew
    if "relative_humidity" in given:
        result["relative_humidity"] = given["relative_humidity"]
    elif "temperature" in given and dew is not None:
        result["relative_humidity"] = relative_humidity(given["temperature"], dew)
    if "wind_speed" in given:
        # A calm has no direction.
        calm = given["wind_speed"] == 0.0
        angle = given.get("wind_direction", pd.Series(np.nan, hours.index)).mask(calm, 0.0)
        result["u10"], result["v10"] = wind_components(given["wind_speed"], angle)
    for ours, name in {"sp": "pressure", "tp": "precipitation", "visibility": "visibility"}.items():
        if name in given:
            result[ours] = given[name]
    return result


def _contract_values(values: pd.DataFrame) -> pd.Series:
    result = values["value"].astype(float).copy()
    for (quantity, unit), own in values.groupby(["quantity", "unit"]):
        change = conversion(str(quantity), str(unit))
        result[own.index] = own["value"] * change.factor + change.offset
    return result


def _within(values: pd.DataFrame, period: tuple[datetime, datetime], findings: Findings) -> pd.DataFrame:
    first, last = (to_datetime64(time) for time in period)
    findings.faults = [
        fault for fault in findings.faults if fault.time is None or first <= np.datetime64(fault.time, "ns") <= last
    ]
    return values[(values["time"] >= first) & (values["time"] <= last)]


def _data(values: pd.DataFrame, stations: Stations, findings: Findings) -> TableData:
    used: Dict[str, NetworkStation | None] = {code: stations.by_code[code] for code in values["station"].unique()}
    known = {code: station for code, station in used.items() if station is not None}
    return TableData(known, values[values["station"].isin(list(known))].reset_index(drop=True), findings)


def _wanted(path: Path, root: Path) -> bool:
    return not _hidden(path, root) and path.name != STATIONS_FILE and is_table(path) and path.is_file()


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)
