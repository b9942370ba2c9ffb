"""A table while it is being understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.sheets import Sheet


@dataclass(frozen=True)
class Hints:
    """What a person says of a table beside what it tells itself; "" where nothing.

    Attributes
    ----------
    variable, unit : str
        Of a wide table.
    zone : str
        As in a mapping.
    stamp : str
        "end" or "start".
    """

    variable: str = ""
    unit: str = ""
    zone: str = ""
    stamp: str = ""


@dataclass
class Table:
    """A table while it is being understood.

    Attributes
    ----------
    sheet : Sheet
    where : str
        File and line of its names.
    header : list of str
    rows : list of list of str
        The first ones that have a cell for each name.
    below : list of list of str
        All that are below the names.
    stations : mapping of str to str or None
        Known stations: codes and names, with the time zone of their city.
    hints : Hints
    units : dict of str to str
        By name, of a row of units below the names, or of a column of units beside; what is no one unit stands as it is written.
    above : tuple of str
        Cells above the names.
    around : frozenset of str
        Units of concentrations that lines above the names, or the last ones, state.
    stamp : (str, str)
        What of the hour the stamps are, and what tells it; "" where nothing does.
    said, doubts : list of str
        As of `hazecast.grids.observations.tables.guess.Guess`.
    """

    sheet: Sheet
    where: str
    header: list[str]
    rows: list[list[str]]
    below: list[list[str]]
    stations: Mapping[str, str | None]
    hints: Hints
    units: dict[str, str] = field(default_factory=dict)
    above: tuple[str, ...] = ()
    around: frozenset[str] = frozenset()
    stamp: tuple[str, str] = ("", "")
    said: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def cells(self, name: str) -> list[str]:
        """Return the cells of a column."""
        at = self.header.index(name)
        return [row[at] for row in self.rows]

    def texts(self, name: str) -> set[str]:
        """Return what stands in a column, down to the last row, which may be of another kind than the first."""
        at = self.header.index(name)
        return {row[at] for row in self.below if len(row) == len(self.header) and row != self.header}

    def doubt(self, text: str) -> None:
        """Keep what was assumed, or is not used, with the name of the file."""
        self.doubts.append(f"{self.sheet.path.name}: {text}")


def asked(table: Table, what: str) -> InputError:
    """Return the error of a table that does not tell what can't be done without.

    Parameters
    ----------
    table : Table
    what : str
        What it does not tell.

    Returns
    -------
    InputError
    """
    why = f" ({'; '.join(table.doubts)})" if table.doubts else ""
    return InputError(table.where, ",".join(table.header)[:200], f"{what}: say it in a mapping file{why}")
