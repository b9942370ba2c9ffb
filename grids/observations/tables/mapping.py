"""What a table's columns mean and how its cells are written: the mapping file, TOML beside the table."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.units import MEANINGS, conversion
from hazecast.grids.observations.tables.zones import known_zone

# A mapping of all tables in a folder and below it; one named as the table, with .toml, goes before it.
MAPPING_FILE = "mapping.toml"
# Columns that are no quantities.
Role = Literal[
    "station", "name", "time", "date", "hour", "year", "month", "day", "variable", "value", "unit", "flag", "ignore"
]  # fmt: skip
ROLES: tuple[str, ...] = Role.__args__  # type: ignore[attr-defined]
# Zones that are no IANA name or offset: each stamp states its own; the city of the station gives it.
STAMPED, OF_STATION = "stamp", "station"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _as_table(value: Any) -> Any:
    return {"is": value} if isinstance(value, str) else value


class Column(_Part):
    """What a column, or an item of a table with a column of items, means.

    Attributes
    ----------
    meaning : str
        One of `ROLES` or of `hazecast.grids.observations.tables.units.MEANINGS`; ``is`` in the file.
    unit : str
        Of a quantity; "" where a column of the table states it.
    of : str
        The column of a quantity that a flag is of; "" for all of its row.
    valid : tuple of str
        The flags of values that may be used.
    """

    meaning: str = Field(alias="is")
    unit: str = ""
    of: str = ""
    valid: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Column:
        if (self.meaning == "flag") != bool(self.valid) or (self.of and self.meaning != "flag"):
            raise ValueError('valid, the flags of values that may be used, for a column that is "flag" and no other')
        if self.meaning in ROLES:
            return self
        if self.meaning not in MEANINGS:
            raise ValueError(f"one of {', '.join((*ROLES, *MEANINGS))}")
        if self.unit:
            conversion(self.meaning, self.unit)
        return self


Columns = dict[str, Annotated[Column, BeforeValidator(_as_table)]]


class FilePart(_Part):
    """How the file is written; what is None is told by the file.

    Attributes
    ----------
    encoding : str or None
    separator : str or None
        One character.
    decimal : str
        The decimal mark.
    header_line, upper_line, units_line : int or None
        Lines of the names, of those above them where there are two rows of names, and of their units, which is passed over;
        counted from 1.
    sheet : str or None
        Of an Excel file.
    missing : tuple of str
        Marks of a missing value, beside the usual ones.
    """

    encoding: str | None = None
    separator: str | None = Field(default=None, min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    header_line: int | None = Field(default=None, ge=1)
    upper_line: int | None = Field(default=None, ge=1)
    units_line: int | None = Field(default=None, ge=1)
    sheet: str | None = None
    missing: tuple[str, ...] = ()


class TimePart(_Part):
    """What the stamps mean.

    Attributes
    ----------
    zone : str
        An IANA name or an offset such as ``+08:00``; "stamp" where each stamp states its own, "station" for the local time of
        the station's city.
    stamp : {"end", "start", "range"}
        Of the hour that the values are of; both, such as ``08:00-09:00``.
    form : str or None
        As of `datetime.strptime`; `format` in the file. None for any that begins with the year.
    step_minutes : int or None
        Over how many minutes a value is a mean, of precipitation a sum: hours are made of them. None for values of hours.
    """

    zone: str = OF_STATION
    stamp: Literal["end", "start", "range"] = "end"
    form: str | None = Field(default=None, alias="format")
    step_minutes: Literal[5, 10, 15, 20, 30] | None = None

    @model_validator(mode="after")
    def _zone_known(self) -> TimePart:
        if self.zone not in (STAMPED, OF_STATION):
            known_zone(self.zone)
        if self.step_minutes is not None and self.stamp == "range":
            raise ValueError("step_minutes for stamps that are the end or the start")
        if self.form is not None:
            try:
                datetime.strptime(datetime(2026, 1, 13, 8, tzinfo=UTC).strftime(self.form), self.form)
            except (ValueError, re.error) as error:
                raise ValueError(f"format is one of datetime.strptime: {error}") from error
        return self


class TablePart(_Part):
    """How the values are laid out.

    Attributes
    ----------
    layout : {"long", "items", "wide"}
        A column a quantity; a row a quantity, named in a column; a column a station.
    variable, unit : str
        Of a wide table of one quantity.
    station : str
        Of a table of one station, without a column of stations.
    hours_across : bool
        Whether a row is a day and the columns 0 to 23 or 1 to 24 are its hours: read as one row an hour, with the columns
        ``hour`` and ``value`` in place of them.
    stations_across : bool
        Whether each quantity of each station has a column, such as ``A1 PM2.5``: read as one row a station, with the column
        ``station`` and one for each quantity in place of them.
    """

    layout: Literal["long", "items", "wide"] = "long"
    variable: str = ""
    unit: str = ""
    station: str = ""
    hours_across: bool = False
    stations_across: bool = False

    @model_validator(mode="after")
    def _variable_known(self) -> TablePart:
        if self.variable:
            if self.variable not in MEANINGS:
                raise ValueError(f"variable is one of {', '.join(MEANINGS)}")
            conversion(self.variable, self.unit)
        return self


class Mapping(_Part):
    """A mapping file.

    Attributes
    ----------
    file : FilePart
    time : TimePart
    table : TablePart
    columns : dict of str to Column
        By the name in the header; what isn't named is not used, or is a station of a wide table.
    items : dict of str to Column
        By the text in the column of items.
    stations : dict of str to str
        The city of each station, where there is no ``stations.csv``.
    """

    file: FilePart = FilePart()
    time: TimePart = TimePart()
    table: TablePart = TablePart()
    columns: Columns
    items: Columns = {}
    stations: dict[str, str] = {}

    def column(self, *meanings: str) -> str | None:
        """Return the name of the column of one of the meanings; None without one."""
        return next((name for name, column in self.columns.items() if column.meaning in meanings), None)

    @property
    def quantities(self) -> dict[str, Column]:
        """The columns of quantities."""
        return {name: column for name, column in self.columns.items() if column.meaning in MEANINGS}

    @model_validator(mode="after")
    def _whole(self) -> Mapping:
        found = {column.meaning for column in self.columns.values()}
        if not ({"time"} <= found or {"date", "hour"} <= found or {"year", "month", "day", "hour"} <= found):
            raise ValueError("columns: one of time, or date and hour, or year, month, day and hour")
        if self.table.layout == "items" and not {"variable", "value"} <= found:
            raise ValueError("columns: one of variable and one of value, for a layout of items")
        if self.table.layout == "wide" and not (self.table.variable or "variable" in found):
            raise ValueError("table: variable and unit, what a wide table's values are")
        if self.table.layout == "long":
            if not self.quantities:
                raise ValueError("columns: at least one quantity")
            if not self.table.station and not found & {"station", "name"}:
                raise ValueError("columns: one of station, or station in [table]")
        for name, column in self.quantities.items():
            if self.table.layout == "long" and not column.unit:
                raise ValueError(f"columns: {name}: a unit")
        for name, column in self.columns.items():
            if column.of and column.of not in self.quantities:
                raise ValueError(f"columns: {name}: of names the column of a quantity")
        return self


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Parameters
    ----------
    path : Path
        TOML in UTF-8.

    Returns
    -------
    Mapping

    Raises
    ------
    InputError
        If it can't be read or a field is wrong: names the field.
    """
    try:
        return Mapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        where = f"{path}: {field}" if field else str(path)
        found = first["input"] if field else "a mapping that lacks something"
        raise InputError(where, found, first["msg"].removeprefix("Value error, ")) from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(str(path), error, "a mapping file: TOML in UTF-8") from error


def mapping_of(path: Path, root: Path) -> Path | None:
    """Return the mapping file of a table.

    Parameters
    ----------
    path : Path
        The table.
    root : Path
        Folder above it that is searched at last.

    Returns
    -------
    Path or None
        ``<name>.toml`` beside the table, or the nearest `MAPPING_FILE` at or above it; None without one.
    """
    own = path.with_name(path.name.split(".")[0] + ".toml")
    if own.is_file() and own.name != MAPPING_FILE:
        return own
    for folder in path.parents:
        if (folder / MAPPING_FILE).is_file():
            return folder / MAPPING_FILE
        if folder == root:
            break
    return None


def written(mapping: Mapping, notes: tuple[str, ...] = ()) -> str:
    """Return a mapping as the text of its file.

    Parameters
    ----------
    mapping : Mapping
    notes : tuple of str
        Written above it as comments.

    Returns
    -------
    str
        TOML.
    """
    lines = [f"# {' '.join(note.split())}" for note in notes]
    for part in ("file", "time", "table"):
        values = getattr(mapping, part).model_dump(by_alias=True, exclude_none=True)
        lines += [
            "",
            f"[{part}]",
            *(f"{name} = {_value(value)}" for name, value in values.items() if value not in ("", False)),
        ]
    for part in ("columns", "items"):
        columns: Columns = getattr(mapping, part)
        if columns:
            lines += ["", f"[{part}]", *(f"{_value(name)} = {_column(column)}" for name, column in columns.items())]
    if mapping.stations:
        lines += ["", "[stations]", *(f"{_value(c)} = {_value(city)}" for c, city in mapping.stations.items())]
    return "\n".join(lines).lstrip("\n") + "\n"


def _value(value: Any) -> str:
    # A basic string of TOML is one of JSON, but for the delete character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _column(column: Column) -> str:
    values = {name: value for name, value in column.model_dump(by_alias=True).items() if value}
    if len(values) == 1:
        return _value(column.meaning)
    return f"{{ {', '.join(f'{name} = {_value(value)}' for name, value in values.items())} }}"
