"""What the readers of monitoring collections share: a station's hours, and checks of a table's columns and times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hazecast.grids.errors import InputError
from hazecast.grids.units import to_ug_m3


@dataclass(frozen=True)
class Place:
    """One station: hourly pollutants (ug m-3) and weather (contract units) by UTC hour.

    `weather` is None where the collection has none; `siting` and `longitude` (degrees) are those that the collection
    itself states.
    """

    station: str
    city: str
    table: pd.DataFrame
    weather: pd.DataFrame | None = None
    siting: str = ""
    longitude: float | None = None


def require(table: pd.DataFrame, columns: Sequence[str], path: Path) -> None:
    """Check that a table has some columns and at least one row.

    Parameters
    ----------
    table : pandas.DataFrame
    columns : sequence of str
    path : Path
        The file, for errors.

    Raises
    ------
    InputError
        If a column is missing, or there is no row.
    """
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(f"{path}: columns", list(table.columns), f"also {', '.join(missing)}")
    if table.empty:
        raise InputError(f"{path}: rows", 0, "at least one hour")


def by_name(table: pd.DataFrame, column: str, path: Path, counts: Counter[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of each station of a table, sorted by name; rows that name none are left out and counted.

    Parameters
    ----------
    table : pandas.DataFrame
    column : str
        That of the names.
    path : Path
        The file, for errors.
    counts : Counter of str
        "rows_without_name" is added to.

    Yields
    ------
    str
        The name as in the file.
    pandas.DataFrame
        Its rows.

    Raises
    ------
    InputError
        If no row names a station.
    """
    unnamed = table[column].isna()
    counts["rows_without_name"] += int(unnamed.sum())
    if unnamed.all():
        raise InputError(f"{path}: column {column}", f"no name in {len(table)} rows", "the station of each row")
    for name, own in table.groupby(column, sort=True):
        yield str(name), own


def numbers(table: pd.DataFrame, name: str, path: Path) -> pd.Series:
    """Return a column as numbers, NaN where a cell is missing.

    Parameters
    ----------
    table : pandas.DataFrame
    name : str
        Of the column.
    path : Path
        The file, for errors.

    Returns
    -------
    pandas.Series of float

    Raises
    ------
    InputError
        If a cell holds something else: names its row.
    """
    values = pd.to_numeric(table[name], errors="coerce")
    wrong = values.isna() & table[name].notna()
    if wrong.any():
        row = f"{wrong.idxmax()} UTC" if isinstance(table.index, pd.DatetimeIndex) else f"row {wrong.idxmax()}"
        raise InputError(f"{path}: column {name}, {row}", table[name][wrong].iloc[0], "a number or a missing value")
    return values.astype(float)


def pollutants_of(table: pd.DataFrame, columns: Mapping[str, tuple[str, str]], path: Path) -> pd.DataFrame:
    """Return a table's pollutants in the contract's names and units.

    Parameters
    ----------
    table : pandas.DataFrame
    columns : mapping of str to (str, str)
        Name in the contract and unit of each column.
    path : Path
        The file, for errors.

    Returns
    -------
    pandas.DataFrame of float
        ug m-3; mixing ratios at the reference state of `hazecast.grids.units`.
    """
    return pd.DataFrame({
        ours: numbers(table, name, path) * to_ug_m3(ours, units) for name, (ours, units) in columns.items()
    })  # fmt: skip


def local_times(text: pd.Series, form: str, path: Path) -> pd.Series:
    """Parse a column of local times or dates, all of one form.

    Parameters
    ----------
    text : pandas.Series of str
    form : str
        As of `datetime.strptime`.
    path : Path
        The file, for errors.

    Returns
    -------
    pandas.Series of datetime64

    Raises
    ------
    InputError
        If a cell is missing or has another form.
    """
    times = pd.to_datetime(text, format=form, errors="coerce")
    if times.isna().any():
        row = int(times.isna().to_numpy().argmax())
        raise InputError(f"{path}: column {text.name}, row {row}", text.iloc[row], f"a time of the form {form}")
    return times


def on_utc(table: pd.DataFrame, ends: pd.Series, time_zone: str, path: Path, counts: Counter[str]) -> pd.DataFrame:
    """Put a table on the UTC ends of its hours, sorted; of rows of one hour the first is used and the others counted.

    Parameters
    ----------
    table : pandas.DataFrame
    ends : pandas.Series of datetime64
        The local end of each row's hour.
    time_zone : str
        IANA name.
    path : Path
        The file, for errors.
    counts : Counter of str
        "duplicate_rows" is added to.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    InputError
        If a time isn't a whole hour, or doesn't exist or occurs twice in the time zone.
    """
    try:
        times = pd.DatetimeIndex(ends).tz_localize(time_zone).tz_convert("UTC").tz_localize(None).as_unit("ns")
    except ValueError as error:
        raise InputError(f"{path}: times", error, f"hours of {time_zone}") from error
    if (times != times.floor("h")).any():
        raise InputError(f"{path}: times", times[times != times.floor("h")][0], "whole hours")
    table = table.set_index(times.rename("time"))
    repeated = table.index.duplicated(keep="first")
    counts["duplicate_rows"] += int(repeated.sum())
    return table[~repeated].sort_index()


def joined(places: Sequence[Place], counts: Counter[str]) -> list[Place]:
    """Put together the parts of stations that are spread over several files.

    Parameters
    ----------
    places : sequence of Place
        Of hours in two parts the first is used.
    counts : Counter of str
        "duplicate_rows" is added to.

    Returns
    -------
    list of Place
        One a station, in the order in which they appear.
    """
    parts: dict[str, list[Place]] = {}
    for place in places:
        parts.setdefault(place.station, []).append(place)
    return [own[0] if len(own) == 1 else _join(own, counts) for own in parts.values()]


def _join(parts: Sequence[Place], counts: Counter[str]) -> Place:
    table = pd.concat([part.table for part in parts])
    repeated = table.index.duplicated(keep="first")
    counts["duplicate_rows"] += int(repeated.sum())
    weathers = [part.weather for part in parts if part.weather is not None]
    weather = None
    if weathers:
        weather = pd.concat(weathers)
        weather = weather[~weather.index.duplicated(keep="first")].sort_index()
    return Place(parts[0].station, parts[0].city, table[~repeated].sort_index(), weather)
