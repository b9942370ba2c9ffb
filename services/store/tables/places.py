"""The table of what was done with cities."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hazecast.services.store.tables.forecasts import Base


class CityChange(Base):
    """A city added, changed or removed, by whom; rows are only added.

    Account and key are null where the command did it, `by` is then the user of the machine. `before` and `after` are its
    fields as JSON, null where there was or is none.
    """

    __tablename__ = "city_change"
    __table_args__ = (Index("ix_city_change_city", "city"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    city: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(16))
    by: Mapped[str] = mapped_column(String(128))
    account_id: Mapped[str | None] = mapped_column(String(64))
    key_id: Mapped[str | None] = mapped_column(String(64))
    before: Mapped[str | None] = mapped_column(Text)
    after: Mapped[str | None] = mapped_column(Text)
