"""Settings, from the environment (``HAZECAST_*``) or given on the command line."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where things are and when cycles run.

    Attributes
    ----------
    data_dir : Path
        Store and files.
    database_url : str
        SQLAlchemy URL; by default SQLite in `data_dir`.
    observations_dir : Path or None
        The monitoring collection; None for the simulated sample.
    weather : str
        ``none``, ``observed`` or the path of weather files.
    schedule_hours, schedule_minute : str, int
        When cycles start, Beijing time: by default 05:40 and 17:40, before the CMA signal's
        issue times of 06 and 18.
    stale_after_hours : int
        Age of the newest forecast at which the service stops calling itself ready.
    """

    model_config = SettingsConfigDict(env_prefix="HAZECAST_", extra="forbid")

    data_dir: Path = Path("data")
    database_url: str = ""
    observations_dir: Path | None = None
    weather: str = "none"
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65_535)
    schedule_hours: str = "5,17"
    schedule_minute: int = Field(40, ge=0, le=59)
    stale_after_hours: int = Field(18, ge=1)

    @model_validator(mode="after")
    def _default_database(self) -> Settings:
        if not self.database_url:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self.database_url = f"sqlite:///{self.data_dir.resolve() / 'hazecast.db'}"
        return self
