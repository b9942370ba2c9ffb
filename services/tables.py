"""The tables of the store. Times are UTC; concentrations ug m-3, humidity per cent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STATUSES = ("running", "done", "degraded", "failed")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, held as UTC; SQLite keeps no offset, so there it is stored without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware time into UTC; a naive one is refused, for it could be local time."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"time without an offset: {value.isoformat()}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time as aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables; constraints are named so that a migration can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON}  # noqa: RUF012 read by SQLAlchemy


class CycleRun(Base):
    """One attempt at a forecast cycle, whatever became of it."""

    __tablename__ = "cycle_run"
    __table_args__ = (
        CheckConstraint("status IN ('running', 'done', 'degraded', 'failed')", name="status_known"),
        Index(None, "started_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    init_time: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    simulated: Mapped[bool]
    observations_source: Mapped[str | None] = mapped_column(Text)
    weather_source: Mapped[str | None] = mapped_column(Text)
    model_id: Mapped[str | None] = mapped_column(Text)
    report: Mapped[dict[str, Any] | None]


class ForecastRun(Base):
    """A stored forecast; one for each init time, simulated and real apart."""

    __tablename__ = "forecast_run"
    __table_args__ = (UniqueConstraint("init_time", "simulated"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    init_time: Mapped[datetime]
    simulated: Mapped[bool]
    model_id: Mapped[str] = mapped_column(Text)
    weather_source: Mapped[str] = mapped_column(Text)
    observations_until: Mapped[datetime]
    degraded: Mapped[bool]
    netcdf_path: Mapped[str] = mapped_column(Text)
    map_path: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    cycle_run_id: Mapped[int | None] = mapped_column(ForeignKey("cycle_run.id", ondelete="SET NULL"))


class ForecastValue(Base):
    """One forecast hour of one city; `lead_time` in hours."""

    __tablename__ = "forecast_value"

    run_id: Mapped[int] = mapped_column(ForeignKey("forecast_run.id", ondelete="CASCADE"), primary_key=True)
    city_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    lead_time: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
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


class Observation(Base):
    """One observed hour of one city; `time` is the end of the hour.

    `flags` holds the quality code and `stations` the number of stations of each pollutant.
    """

    __tablename__ = "observation"

    city_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    time: Mapped[datetime] = mapped_column(primary_key=True)
    simulated: Mapped[bool] = mapped_column(primary_key=True)
    pm25: Mapped[float | None]
    o3: Mapped[float | None]
    pm10: Mapped[float | None]
    no2: Mapped[float | None]
    so2: Mapped[float | None]
    co: Mapped[float | None]
    flags: Mapped[dict[str, Any]]
    stations: Mapped[dict[str, Any]]


class Warning_(Base):
    """One warning message; `payload` is the whole of it, the columns are what is searched by.

    An id says nothing about simulation, so that it is unique only together with `simulated`.
    """

    __tablename__ = "warning"
    __table_args__ = (
        Index(None, "simulated", "expires"),
        Index(None, "simulated", "run_init_time"),
        Index(None, "run_id"),
    )

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    simulated: Mapped[bool] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("forecast_run.id", ondelete="CASCADE"))
    rule_set: Mapped[str] = mapped_column(String(64))
    city_id: Mapped[str] = mapped_column(String(64))
    level: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(16))
    issued: Mapped[datetime]
    onset: Mapped[datetime]
    expires: Mapped[datetime]
    run_init_time: Mapped[datetime]
    payload: Mapped[str] = mapped_column(Text)
