"""A table looked at by itself: what was understood of it, and what would be taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation
from hazecast.grids.observations.tables.findings import Findings
from hazecast.grids.observations.tables.folder import holds_tables, once, stations_of, understood
from hazecast.grids.observations.tables.looked_at import Hints
from hazecast.grids.observations.tables.mapping import Mapping, read_mapping
from hazecast.grids.observations.tables.reading import read_values
from hazecast.grids.observations.tables.sheets import Sheet, read_sheet
from hazecast.grids.observations.tables.stations import SOURCE, STATIONS_FILE, Stations
from hazecast.grids.places.cities import Registry

_LEVELS_UP = 4


@dataclass(frozen=True)
class Examined:
    """What a table holds.

    Attributes
    ----------
    sheet : Sheet
    mapping : Mapping
    findings : Findings
        What was understood, assumed and left out.
    values : pandas.DataFrame
        As `hazecast.grids.observations.tables.reading.read_values`, each once.
    stations : Stations or None
        None where no table of them was found.
    """

    sheet: Sheet
    mapping: Mapping
    findings: Findings
    values: pd.DataFrame
    stations: Stations | None


def examine(
    path: Path, registry: Registry, *, hints: Hints | None = None, mapping: Path | None = None, guessed: bool = False
) -> Examined:
    """Read one table as a forecast would.

    Parameters
    ----------
    path : Path
    registry : Registry
    hints : Hints, optional
        What a person says of a table without a mapping.
    mapping : Path, optional
        The mapping file; by default the one beside the table, else it is told by the table.
    guessed : bool
        Whether mapping files beside the table are passed over.

    Returns
    -------
    Examined

    Raises
    ------
    InputError
        If the table, its mapping or its stations can't be read, or what is needed isn't told.
    """
    findings = Findings()
    root = next((folder for folder in [*path.absolute().parents][:_LEVELS_UP] if holds_tables(folder)), path.parent)
    found = stations_of(root, registry, findings) if holds_tables(root) else None
    stations = found or Stations({}, {}, {})
    if mapping is not None:
        given = read_mapping(mapping)
        sheet = read_sheet(path, given.file)
        findings.notes += [f"mapping {mapping}", *sheet.notes]
    else:
        sheet, given = understood(path, root, stations, findings, (hints or Hints()) if hints or guessed else None)
    if found is None:
        stations = _of_table(sheet, given)
        findings.doubts.append(f"no {STATIONS_FILE} beside the table: its cities are not known")
    values = once(read_values(sheet, given, stations, findings), findings)
    return Examined(sheet, given, findings, values, found)


def _of_table(sheet: Sheet, mapping: Mapping) -> Stations:
    """Return the stations that a table names itself, of no city."""
    header = next(cells for line, cells in sheet.rows if mapping.file.header_line in (None, line))
    name = mapping.column("station", "name")
    if mapping.table.station:
        codes = [mapping.table.station]
    elif mapping.table.layout == "wide":
        codes = [cell for cell in header if cell and cell not in mapping.columns]
    elif name is None or name not in header:
        raise InputError(f"{sheet.path}: columns", ",".join(header)[:200], "one of the station")
    else:
        at = header.index(name)
        codes = [cells[at] for _, cells in sheet.rows if len(cells) > at and cells[at] and cells is not header]
    unique = list(dict.fromkeys(codes))
    own: dict[str, NetworkStation | None] = {code: NetworkStation(SOURCE, code, code, None) for code in unique}
    return Stations(own, dict.fromkeys(unique), {code: code for code in unique})
