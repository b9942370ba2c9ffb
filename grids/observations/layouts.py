"""The layouts of monitoring collections: how a file shows which one it has, and what reads it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hazecast.grids.errors import InputError
from hazecast.grids.observations.csv_collections import beijing_multisite, five_cities
from hazecast.grids.observations.hong_kong import hong_kong
from hazecast.grids.observations.hourly_tables import Place
from hazecast.grids.observations.packed import unpacked
from hazecast.grids.observations.seoul import seoul
from hazecast.grids.observations.taiwan import taiwan, taiwan_as_published
from hazecast.grids.observations.us_posts import us_posts
from hazecast.grids.quality import MEASURED_ZERO, Reporting

Reader = Callable[[pd.DataFrame, Path, Counter[str]], list[Place]]

_REPORTS_NO_ZERO = Reporting()
# Lines in which the header must appear: some publishers write remarks above it.
_HEADER_LINES = 40


@dataclass(frozen=True)
class Layout:
    """A layout of files.

    Attributes
    ----------
    name : str
        Of the collection.
    marks : tuple of str
        Columns that no other layout has together; one that ends in ``*`` is the start of a name.
    read : callable
        From the table, its path and the counter of faults to stations.
    missing : tuple of str
        Texts of a missing value.
    reporting : Reporting
        How the network reports, for quality control.
    """

    name: str
    marks: tuple[str, ...]
    read: Reader
    missing: tuple[str, ...] = ("NA",)
    reporting: Reporting = _REPORTS_NO_ZERO

    def matches(self, names: list[str]) -> bool:
        """Return whether a line of cells is this layout's header."""
        return all(any(_is(name, mark) for name in names) for mark in self.marks)


def _is(name: str, mark: str) -> bool:
    return name.startswith(mark[:-1]) if mark.endswith("*") else name == mark


LAYOUTS: tuple[Layout, ...] = (
    Layout("us-posts", ("Site", "Raw Conc.", "QC Name"), us_posts, reporting=MEASURED_ZERO),
    Layout("hongkong", ("STATION", "FSP", "RSP"), hong_kong, ("N.A.",), MEASURED_ZERO),
    Layout("seoul", ("일시", "초미세먼지"), seoul, ("-",), reporting=MEASURED_ZERO),
    Layout("taiwan", ("time", "AMB_TEMP", "WIND_DIREC"), taiwan, reporting=MEASURED_ZERO),
    Layout("taiwan, as published", ("observatory", "item"), taiwan_as_published, reporting=MEASURED_ZERO),
    Layout("taiwan, as published", ("測站", "測項"), taiwan_as_published, reporting=MEASURED_ZERO),
    Layout("beijing-multisite", ("station", "year"), beijing_multisite),
    Layout("beijing-multisite", ("WSPM",), beijing_multisite),
    Layout("five-cities", ("cbwd",), five_cities),
    Layout("five-cities", ("PM_*",), five_cities),
)


def read_layout(path: Path, counts: Counter[str]) -> tuple[Layout, list[Place]]:
    """Read a file of any known layout, recognised by the names in its header.

    Parameters
    ----------
    path : Path
        CSV in UTF-8, plain or compressed with gzip.
    counts : Counter of str
        Faults found are added, by kind.

    Returns
    -------
    Layout
    list of Place

    Raises
    ------
    InputError
        If the file can't be read or has no known layout.
    """
    try:
        data = path.read_bytes()
        text = unpacked(data, str(path)).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), error, "a CSV file in UTF-8") from error
    at, layout = _header(path, text)
    try:
        table = pd.read_csv(io.StringIO(text), skiprows=at, na_values=list(layout.missing), low_memory=False)
    except ValueError as error:
        raise InputError(str(path), error, "a CSV file") from error
    return layout, layout.read(table.rename(columns=str.strip), path, counts)


def _header(path: Path, text: str) -> tuple[int, Layout]:
    lines = io.StringIO(text)
    try:
        rows = [next(csv.reader([lines.readline()]), []) for _ in range(_HEADER_LINES)]
    except csv.Error as error:
        raise InputError(f"{path}: first lines", error, "lines of a CSV file") from error
    for at, cells in enumerate(rows):
        names = [cell.strip() for cell in cells]
        for layout in LAYOUTS:
            if layout.matches(names):
                return at, layout
    known = sorted({layout.name for layout in LAYOUTS})
    raise InputError(f"{path}: columns", rows[0], f"those of one of {', '.join(known)}")
