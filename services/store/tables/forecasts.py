"""The tables of the store."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from weakref import WeakKeyDictionary

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, String, Text, TypeDecorator, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite itself keeps no zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to naive UTC for the database.

        Parameters
        ----------
        value : datetime or None
            Aware.
        dialect : Dialect

        Returns
        -------
        datetime or None

        Raises
        ------
        ValueError
            If the time has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without zone can't be stored: {value}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a stored time to an aware one.

        Parameters
        ----------
        value : datetime or None
            Naive, UTC.
        dialect : Dialect

        Returns
        -------
        datetime or None
        """
        return None if value is None else value.replace(tzinfo=UTC)


# The data folder of each engine's dialect, below which the files lie that its rows name.
_DATA_FOLDERS: WeakKeyDictionary[Dialect, Path] = WeakKeyDictionary()


def keep_files_in(dialect: Dialect, folder: Path) -> None:
    """Let an engine's rows name files relative to a folder, so that it may be moved.

    Parameters
    ----------
    dialect : Dialect
        Of the engine.
    folder : Path
        The data folder.
    """
    _DATA_FOLDERS[dialect] = folder.absolute()


def data_folder_of(dialect: Dialect) -> Path | None:
    """Return the folder that `keep_files_in` was given; None without."""
    return _DATA_FOLDERS.get(dialect)


class FilePath(TypeDecorator[str]):
    """The path of a file: stored relative to the data folder where it lies in it, read as an absolute one."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Make a path below the data folder relative.

        Parameters
        ----------
        value : str or None
        dialect : Dialect

        Returns
        -------
        str or None
        """
        folder = data_folder_of(dialect)
        if value is None or folder is None or not Path(value).is_relative_to(folder):
            return value
        return Path(value).relative_to(folder).as_posix()

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Return a stored path as an absolute one.

        Parameters
        ----------
        value : str or None
        dialect : Dialect

        Returns
        -------
        str or None
        """
        folder = data_folder_of(dialect)
        return value if value is None or folder is None else str(folder / value)


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012 (SQLAlchemy's own form)


class CycleRun(Base):
    """One start of a forecast cycle, with its outcome."""

    __tablename__ = "cycle_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    init_time: Mapped[datetime | None]
    simulated: Mapped[bool]
    status: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    report: Mapped[dict[str, object] | None] = mapped_column(JSON)


_WITHDRAWN = text("withdrawn_at IS NOT NULL")


class ForecastRun(Base):
    """One stored forecast; one that a person withdrew stays, but is no longer read as a forecast."""

    __tablename__ = "forecast_run"
    __table_args__ = (
        UniqueConstraint("init_time", "simulated", name="uq_forecast_run"),
        Index("ix_forecast_run_newest", "simulated", "init_time"),
        Index("ix_forecast_run_cycle", "cycle_id"),
        # Of few rows: an index of all would be chosen to find those that are not withdrawn.
        Index("ix_forecast_run_withdrawn", "withdrawn_at", sqlite_where=_WITHDRAWN, postgresql_where=_WITHDRAWN),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    cycle_id: Mapped[int] = mapped_column(ForeignKey("cycle_run.id"))
    init_time: Mapped[datetime]
    simulated: Mapped[bool]
    degraded: Mapped[bool]
    model_id: Mapped[str] = mapped_column(String(128))
    weather_source: Mapped[str] = mapped_column(Text)
    humidity_source: Mapped[str] = mapped_column(Text)
    observations_until: Mapped[datetime]
    netcdf_path: Mapped[str] = mapped_column(FilePath)
    map_path: Mapped[str] = mapped_column(FilePath)
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None] = mapped_column(String(128))
    withdrawn_why: Mapped[str | None] = mapped_column(Text)


class ForecastValue(Base):
    """One city and lead time of a forecast, with the chemistry model's; concentrations in ug m-3, humidity in %."""

    __tablename__ = "forecast_value"

    run_id: Mapped[int] = mapped_column(ForeignKey("forecast_run.id", ondelete="CASCADE"), primary_key=True)
    city: Mapped[str] = mapped_column(String(64), primary_key=True)
    lead_time: Mapped[int] = mapped_column(primary_key=True)
    pm25_q10: Mapped[float | None]
    pm25_q25: Mapped[float | None]
    pm25_q50: Mapped[float | None]
    pm25_q75: Mapped[float | None]
    pm25_q90: Mapped[float | None]
    pm25_mean: Mapped[float | None]
    o3_q10: Mapped[float | None]
    o3_q25: Mapped[float | None]
    o3_q50: Mapped[float | None]
    o3_q75: Mapped[float | None]
    o3_q90: Mapped[float | None]
    o3_mean: Mapped[float | None]
    relative_humidity: Mapped[float | None]
    pm25_cams: Mapped[float | None]
    o3_cams: Mapped[float | None]


class Observation(Base):
    """One observed hour of a city, ug m-3; the time is the end of the hour."""

    __tablename__ = "observation"
    # The key serves a city's year, the index an hour's map.
    __table_args__ = (Index("ix_observation_time", "time"),)

    city: Mapped[str] = mapped_column(String(64), primary_key=True)
    time: Mapped[datetime] = mapped_column(primary_key=True)
    simulated: Mapped[bool] = mapped_column(primary_key=True)
    pm25: Mapped[float | None]
    o3: Mapped[float | None]
    pm10: Mapped[float | None]
    no2: Mapped[float | None]
    so2: Mapped[float | None]
    co: Mapped[float | None]
    pm25_flag: Mapped[int | None]
    o3_flag: Mapped[int | None]
    pm25_stations: Mapped[int | None]
    source: Mapped[str] = mapped_column(Text)


class Warning_(Base):  # noqa: N801 (Warning is Python's own)
    """One warning message; `payload` is the complete message."""

    __tablename__ = "warning"
    __table_args__ = (
        Index("ix_warning_run", "simulated", "run_init_time"),
        Index("ix_warning_issued", "simulated", "issued", "id"),
    )

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    simulated: Mapped[bool] = mapped_column(primary_key=True)
    rule_set: Mapped[str] = mapped_column(String(64))
    city: Mapped[str] = mapped_column(String(64))
    level: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(16))
    issued: Mapped[datetime]
    onset: Mapped[datetime]
    expires: Mapped[datetime]
    run_init_time: Mapped[datetime]
    payload: Mapped[str] = mapped_column(Text)


class MonitorStation(Base):
    """A monitoring station; `id` is "source:code"."""

    __tablename__ = "station"
    __table_args__ = (Index("ix_station_city", "city"),)

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    source: Mapped[str] = mapped_column(String(32))
    source_kind: Mapped[str] = mapped_column(String(16))
    code: Mapped[str] = mapped_column(String(96))
    name: Mapped[str] = mapped_column(Text)
    city: Mapped[str] = mapped_column(String(64))
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    siting: Mapped[str] = mapped_column(String(16))
    licence: Mapped[str] = mapped_column(Text)
    attribution: Mapped[str] = mapped_column(Text)


class StationObservation(Base):
    """One hour of one pollutant at a station; the time is the end of the hour.

    `raw` is as published, in `units`; `value` in ug m-3, null where quality control (`flag`)
    doesn't let it be used. `revision` counts how often the publisher has changed `raw`.
    """

    __tablename__ = "station_observation"
    __table_args__ = (Index("ix_station_observation_time", "time"),)

    station_id: Mapped[str] = mapped_column(ForeignKey("station.id"), primary_key=True)
    time: Mapped[datetime] = mapped_column(primary_key=True)
    pollutant: Mapped[str] = mapped_column(String(8), primary_key=True)
    raw: Mapped[float | None]
    units: Mapped[str] = mapped_column(String(8))
    value: Mapped[float | None]
    flag: Mapped[int]
    revision: Mapped[int]
    retrieved_at: Mapped[datetime]


class EarlierValue(Base):
    """What a station observation was before its publisher changed it."""

    __tablename__ = "station_observation_earlier"

    station_id: Mapped[str] = mapped_column(ForeignKey("station.id"), primary_key=True)
    time: Mapped[datetime] = mapped_column(primary_key=True)
    pollutant: Mapped[str] = mapped_column(String(8), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    raw: Mapped[float | None]
    units: Mapped[str] = mapped_column(String(8))
    value: Mapped[float | None]
    flag: Mapped[int]
    retrieved_at: Mapped[datetime]


class PushedRequest(Base):
    """A request that pushed observations, by its Idempotency-Key, with the digest of its body and what was answered."""

    __tablename__ = "pushed_request"

    account_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    answer: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime]


class ForecastScore(Base):
    """Sums over the pairs of a day's runs at one city and lead time; see `hazecast.forecast.evaluation.verification`."""

    __tablename__ = "forecast_score"

    day: Mapped[date] = mapped_column(primary_key=True)
    model_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    city: Mapped[str] = mapped_column(String(64), primary_key=True)
    pollutant: Mapped[str] = mapped_column(String(16), primary_key=True)
    lead_time: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int]
    se: Mapped[float]
    ae: Mapped[float]
    e: Mapped[float]
    inside: Mapped[int]
    persistence_n: Mapped[int]
    persistence_se: Mapped[float]
    persistence_ae: Mapped[float]
    persistence_e: Mapped[float]
    persistence_model_se: Mapped[float]
    climatology_n: Mapped[int]
    climatology_se: Mapped[float]
    climatology_ae: Mapped[float]
    climatology_e: Mapped[float]
    climatology_model_se: Mapped[float]
    cams_n: Mapped[int]
    cams_se: Mapped[float]
    cams_ae: Mapped[float]
    cams_e: Mapped[float]
    cams_model_se: Mapped[float]


class ScoredDay(Base):
    """A day (UTC) of init times, and the time that its forecasts were last scored up to."""

    __tablename__ = "scored_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    scored_until: Mapped[datetime]


class WarningDraft(Base):
    """One message that needs or needed approval; `payload` is the complete draft."""

    __tablename__ = "warning_draft"
    __table_args__ = (Index("ix_warning_draft_status", "simulated", "status"),)

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    simulated: Mapped[bool] = mapped_column(primary_key=True)
    rule_set: Mapped[str] = mapped_column(String(64))
    city: Mapped[str] = mapped_column(String(64))
    run_init_time: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(16))
    payload: Mapped[str] = mapped_column(Text)


class WarningAudit(Base):
    """What was done with a draft, by whom and why; rows are only added."""

    __tablename__ = "warning_audit"
    __table_args__ = (Index("ix_warning_audit_draft", "draft_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    draft_id: Mapped[str] = mapped_column(String(128))
    simulated: Mapped[bool]
    action: Mapped[str] = mapped_column(String(16))
    by: Mapped[str | None] = mapped_column(String(128))
    account_id: Mapped[str | None] = mapped_column(String(64))
    key_id: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str | None] = mapped_column(Text)
    payload: Mapped[str] = mapped_column(Text)
