"""A view or query of a provincial platform's database, read as a bureau's own table: by the same mapping file.

Only the rows of the hours wanted are asked for: by the view's column of times, or by the parameters ``:first`` and ``:last``
of a query, which are times of the mapping's zone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Integer,
    Numeric,
    TextClause,
    and_,
    bindparam,
    column,
    func,
    inspect,
    literal,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.sql import Select
from sqlalchemy.types import TypeEngine

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import StationCities
from hazecast.grids.observations.tables.findings import Findings
from hazecast.grids.observations.tables.folder import data_of, stations_of
from hazecast.grids.observations.tables.mapping import MAPPING_FILE, Mapping, read_mapping
from hazecast.grids.observations.tables.reading import read_values
from hazecast.grids.observations.tables.sheets import Sheet, cell_text
from hazecast.grids.observations.tables.stamps import stamp_columns, zone_of
from hazecast.grids.places.cities import Registry
from hazecast.grids.quality import MEASURED_ZERO
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import Patience
from hazecast.services.sources.monitors.folder import batch_of
from hazecast.services.sources.monitors.interface import HOUR, Batch, History, SourceKind
from hazecast.services.sources.sql_reading import ReadOnlyDatabase

# Texts of these forms sort as their times do; the longer before those that they begin with.
_YEAR = r"(?:19|20|21)\d\d"
_FORMS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y/%m/%d %H:%M",
    "%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y-%m-%d %H", "%Y%m%d%H", "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d",
)  # fmt: skip
# A stamp may be the start of its hour or 24:00 of the day before; where each has a zone of its own, any zone's.
_MARGIN, _ANY_ZONE = 2 * HOUR, 16 * HOUR
_MOST_ROWS = 2_000_000
_BY_QUERY = "else name a query with :first and :last"


@dataclass(frozen=True)
class What:
    """What is read: a view or table, or a query with ``:first`` and ``:last``."""

    view: str = ""
    query: str = ""

    @property
    def name(self) -> str:
        """How rows are named in errors."""
        return self.view or "query"


class SqlView:
    """A view of a database.

    Parameters
    ----------
    database : ReadOnlyDatabase
    what : What
    folder : Path
        Holds ``mapping.toml``, and ``stations.csv`` unless the mapping names the stations.
    registry : Registry
    rules : StationCities
        Its radius assigns stations without a city to the nearest one.
    """

    name = "sql"
    kind: SourceKind = "measurement"
    reporting = MEASURED_ZERO
    history = History(reach=None, span=7 * 24 * HOUR)

    def __init__(
        self, database: ReadOnlyDatabase, what: What, folder: Path, registry: Registry, rules: StationCities
    ) -> None:
        self._database, self._what, self._folder = database, what, folder
        self._registry, self._rules = registry, rules

    @classmethod
    def from_settings(
        cls, settings: Settings, registry: Registry, rules: StationCities, patience: Patience | None = None
    ) -> SqlView:
        """Make the source from the settings; a `MonitorSourceFactory`.

        Parameters
        ----------
        settings : Settings
        registry : Registry
        rules : StationCities
        patience : Patience, optional
            Not used: a database is asked once.

        Returns
        -------
        SqlView

        Raises
        ------
        InputError
            If address, view or folder are not set, or the address is no database that can be read.
        """
        given = settings.sql
        if not given.url.get_secret_value():
            raise InputError("HAZECAST_SQL_URL", "not set", "a database, since monitor_sources names 'sql'")
        if bool(given.view) == bool(given.query):
            found = "both" if given.view else "neither"
            raise InputError("HAZECAST_SQL_VIEW and HAZECAST_SQL_QUERY", found, "one of them")
        if given.folder is None:
            raise InputError("HAZECAST_SQL_FOLDER", "not set", f"a folder with {MAPPING_FILE}")
        database = ReadOnlyDatabase(given.url.get_secret_value(), given.timeout_seconds)
        return cls(database, What(given.view, given.query), given.folder, registry, rules)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def fetch(self, hours: Sequence[datetime]) -> Batch:
        """Return the hours wanted; cells and rows that can't be used are reported, and the others are read.

        Raises
        ------
        FetchError
            If the database can't be reached or refuses, or takes too long.
        InputError
            If the mapping or the stations can't be read, or the view is not as the mapping says.
        """
        findings = Findings()
        listed = stations_of(self._folder, self._registry, findings, self._rules)
        own = {code: station and replace(station, source=self.name) for code, station in listed.by_code.items()}
        stations = replace(listed, by_code=own)
        mapping = read_mapping(self._folder / MAPPING_FILE)
        # A mapping of exported files may count lines above the names.
        mapping = mapping.model_copy(update={"file": mapping.file.model_copy(update={"header_line": None})})
        with self._database.reading() as connection:
            statement = _statement(connection, self._what, mapping, hours[0], hours[-1])
            rows = _rows(connection, statement, self._what, mapping.file.decimal)
        # A row of nothing but NULL is a row: it is named.
        sheet = Sheet(Path(self._what.name), "SQL", list(enumerate(rows, start=1)))
        if len(rows) == 1:
            return Batch()
        values = read_values(sheet, mapping, stations, findings)
        return batch_of(data_of(values, stations, findings, (hours[0], hours[-1])))


def _rows(
    connection: Connection, statement: Select[Any] | TextClause, what: What, decimal: str = "."
) -> list[list[str]]:
    """Return the names of the columns and the rows below them, as texts; a row's number is its place in the answer."""
    result = connection.execution_options(stream_results=True).execute(statement)
    rows = [[str(name) for name in result.keys()]]  # noqa: SIM118 a result's own
    for row in result:
        # What is a number has the decimal mark that the mapping says of texts.
        rows.append(
            [
                cell_text(cell).replace(".", decimal) if isinstance(cell, (float, Decimal)) else cell_text(cell)
                for cell in row
            ]
        )
        if len(rows) > _MOST_ROWS:
            raise InputError(what.name, f"more than {_MOST_ROWS} rows", "fewer in the hours asked for")
    return rows


def _statement(
    connection: Connection, what: What, mapping: Mapping, first: datetime, last: datetime
) -> Select[Any] | TextClause:
    """Return what asks for the rows of a period, and for some around it."""
    zone, margin = zone_of(mapping.time), _MARGIN
    if zone is None:
        zone, margin = UTC, _ANY_ZONE
    low, high = ((time.astimezone(zone)) for time in (first - margin, last + margin))
    if what.query:
        kinds = [bindparam(name, type_=DateTime()) for name in ("first", "last")]
        try:
            return text(what.query).bindparams(*kinds).bindparams(first=_naive(low), last=_naive(high))
        except Exception as error:
            raise InputError("HAZECAST_SQL_QUERY", what.query[:200], "a SELECT with :first and :last") from error
    schema, _, name = what.view.rpartition(".")
    try:
        found = {c["name"]: c["type"] for c in inspect(connection).get_columns(name, schema or None)}
    except NoSuchTableError as error:
        raise InputError("HAZECAST_SQL_VIEW", what.view, "a view or table of the database") from error
    absent = [own for own in mapping.columns if own not in found]
    if absent:
        raise InputError(f"{what.view}: columns", ", ".join(found), f"also {', '.join(absent)}, as the mapping says")
    view = table(name, *(column(own) for own in found), schema=schema or None)
    lead = stamp_columns(mapping.columns)[0]
    stamp: ColumnElement[Any] = view.c[lead]
    return select(view).where(_within(connection, stamp, found[lead], mapping, low, high)).order_by(stamp)


def _within(
    connection: Connection,
    stamp: ColumnElement[Any],
    kind: TypeEngine[Any],
    mapping: Mapping,
    low: datetime,
    high: datetime,
) -> ColumnElement[bool]:
    """Return what the first column of the stamp is in rows of a period, in its own type."""
    lead = stamp_columns(mapping.columns)[0]
    where = f"column {lead}"
    sample = select(stamp).where(stamp.is_not(None)).limit(1)
    if mapping.columns[lead].meaning == "year":
        year = cell_text(connection.execute(sample).scalar())
        if year and not re.fullmatch(_YEAR, year):
            # Years of an era, or with a sign behind, would be outside of the bounds, and their rows not seen.
            raise InputError(where, year, "years such as 2026; else name a query with :first and :last")
        as_number = isinstance(kind, (Integer, Numeric))
        first, last = (literal(one if as_number else str(one)) for one in (low.year, high.year))
        return stamp.between(first, last)
    # SQLite has no type of times: a column that is declared so holds texts of any form.
    typed = connection.dialect.name != "sqlite"
    if typed and isinstance(kind, DateTime):
        begin, end = (low.astimezone(UTC), high.astimezone(UTC)) if kind.timezone else (_naive(low), _naive(high))
        return stamp.between(literal(begin, kind), literal(end, kind))
    if typed and isinstance(kind, Date):
        return stamp.between(literal(low.date(), kind), literal(high.date(), kind))
    written = connection.execute(sample).scalar()
    if isinstance(written, (datetime, date)):
        return stamp.between(literal(_naive(low)), literal(_naive(high)))
    if isinstance(written, str) or written is None:
        return _texts_within(connection, stamp, where, low, high)
    form = _form_of(cell_text(written), where)
    return stamp.between(literal(int(low.strftime(form))), literal(int(high.strftime(form))))


def _texts_within(
    connection: Connection, stamp: ColumnElement[Any], where: str, low: datetime, high: datetime
) -> ColumnElement[bool]:
    """Return which texts are of a period: those of the usual form within its hours, and of any other within its days.

    What begins with another form of the day sorts elsewhere, and would not be seen: it is refused. The first and the last text
    of the years tell it.
    """
    years = and_(stamp >= literal(str(low.year)), stamp < literal(str(high.year + 1)))
    found = [text for text in connection.execute(select(func.min(stamp), func.max(stamp)).where(years)).one() if text]
    if not found:
        # Texts that begin with no year of them: of another time, or of another form.
        found = [text for text in [connection.execute(select(func.max(stamp))).scalar()] if text]
    forms = [_form_of(cell_text(text), where) for text in found]
    if len({form.partition("%d")[0] for form in forms}) > 1:
        raise InputError(where, " and ".join(found), f"texts of one form; {_BY_QUERY}")
    form = forms[-1] if forms else _FORMS[0]
    day = f"{form.partition('%d')[0]}%d"
    first, last = low - _ANY_ZONE, high + _ANY_ZONE + timedelta(days=1)
    days = and_(stamp >= literal(first.strftime(day)), stamp <= literal(last.strftime(day)))
    hours = stamp.between(literal(low.strftime(form)), literal(high.strftime(form)))
    usual = re.sub("%[mdHMS]", "__", form.replace("%Y", "____"))
    return and_(days, or_(hours, stamp.not_like(usual)))


def _form_of(written: str, where: str) -> str:
    """Return the form that a text begins with.

    Raises
    ------
    InputError
        If its order isn't that of times.
    """
    for form in _FORMS:
        size = len(datetime(2026, 1, 1).strftime(form))
        try:
            if datetime.strptime(written[:size], form).strftime(form) == written[:size]:
                return form
        except ValueError:
            continue
    raise InputError(where, written, f"times, or texts that sort by time such as 2026-01-13 08:00; {_BY_QUERY}")


def _naive(time: datetime) -> datetime:
    return time.replace(tzinfo=None)
