"""Settings, read from the environment (``HAZECAST_*``) or given by the caller."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _absolute(path: Path) -> Path:
    # The store keeps paths of files: they must hold from any working folder.
    return path.expanduser().absolute()


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _once(names: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(names)) < len(names):
        raise ValueError("each name once")
    return names


def _default_database(known: dict[str, Any]) -> str:
    return f"sqlite:///{known['data_dir'].as_posix()}/hazecast.db"


Folder = Annotated[Path, AfterValidator(_absolute)]
Url = Annotated[str, Field(pattern=r"^https?://")]
MonitorSourceName = Literal["cnemc", "soramame", "openaq", "airnow", "csv", "open_meteo"]
WeatherSourceName = Literal["gfs", "ecmwf", "open_meteo", "folder"]


class Settings(BaseSettings):
    """All settings of the service; each is also the environment variable ``HAZECAST_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="HAZECAST_", frozen=True, extra="forbid", env_ignore_empty=True)

    data_dir: Folder = Field(default=Path("data"), validate_default=True, description="The store and its files.")
    database_url: str = Field(
        default_factory=_default_database,
        min_length=1,
        description="SQLAlchemy URL; by default SQLite in data_dir.",
    )
    observations_dir: Literal["live"] | Folder | None = Field(
        default=None,
        description="Folder of observations, or 'live' for the ingested ones; without it cycles run on the simulated "
        "sample.",
    )
    monitor_sources: Annotated[
        tuple[MonitorSourceName, ...], NoDecode, BeforeValidator(_listed), AfterValidator(_once), Field(min_length=1)
    ] = Field(default=("open_meteo",), description="Sources of live observations, the preferred one first.")
    monitor_reread_hours: int = Field(
        default=6, ge=1, le=72, description="How many of the newest hours are asked for again, for revised values."
    )
    monitor_dir: Folder | None = Field(default=None, description="Where the source 'csv' finds its files.")
    cnemc_url: Url = Field(default="https://air.cnemc.cn:18007", description="China's hourly publication.")
    soramame_url: Url = Field(default="https://soramame.env.go.jp", description="Japan's Soramame-kun.")
    openaq_url: Url = Field(default="https://api.openaq.org", description="OpenAQ, version 3.")
    openaq_key: SecretStr = Field(default=SecretStr(""), description="Key of OpenAQ.")
    openaq_stations_per_city: int = Field(
        default=3, ge=1, le=50, description="How many stations of a city are asked, the nearest first."
    )
    airnow_url: Url = Field(default="https://dosairnowdata.org", description="Files of the US posts.")
    open_meteo_air_url: Url = Field(
        default="https://air-quality-api.open-meteo.com", description="Base of Open-Meteo's air quality."
    )
    weather: str = Field(
        default="none",
        min_length=1,
        description="'none', 'live' (the newest ingested cycle), 'observed' (the observations' own weather) or the "
        "path of weather files.",
    )
    weather_sources: Annotated[
        tuple[WeatherSourceName, ...], NoDecode, BeforeValidator(_listed), Field(min_length=1)
    ] = Field(default=("gfs", "open_meteo"), description="Sources of live weather, the preferred one first.")
    weather_step_hours: Literal[1, 3] = Field(default=3, description="Hours between the steps fetched of a grid.")
    weather_keep_days: float = Field(default=10.0, ge=7.0, description="Age at which ingested cycles are removed.")
    archive_days: int | None = Field(
        default=None, ge=1, description="Days that the weather archive keeps; by default everything."
    )
    weather_folder: Folder | None = Field(default=None, description="Where the source 'folder' finds its cycles.")
    gfs_url: Url = Field(
        default="https://noaa-gfs-bdp-pds.s3.amazonaws.com", description="Bucket of GFS, or a mirror with its paths."
    )
    ecmwf_url: Url = Field(
        default="https://data.ecmwf.int/forecasts", description="ECMWF's open data, or a mirror with its paths."
    )
    open_meteo_url: Url = Field(default="https://api.open-meteo.com", description="Base of Open-Meteo's forecasts.")
    open_meteo_archive_url: Url = Field(
        default="https://archive-api.open-meteo.com", description="Base of Open-Meteo's archive."
    )
    open_meteo_model: str = Field(
        default="ecmwf_ifs", pattern="^[a-z0-9_]+$", description="Model, by its name in requests and metadata."
    )
    open_meteo_key: SecretStr = Field(default=SecretStr(""), description="Key of a customer of Open-Meteo.")
    era5_url: Url = Field(default="https://cds.climate.copernicus.eu/api", description="The Climate Data Store.")
    era5_key: SecretStr = Field(default=SecretStr(""), description="Access token of the Climate Data Store.")
    http_attempts: int = Field(default=5, ge=1, le=20, description="How often a failing request is made.")
    http_timeout_seconds: float = Field(default=60.0, gt=0.0, description="Longest silence of a server.")
    rules_dir: Folder | None = Field(
        default=None, description="Folder of the bureau's own rule sets; one of a shipped name takes its place."
    )
    rule_sets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        default=(), description="Rule sets wanted besides those of each city's jurisdiction, comma-separated."
    )
    approval: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        default=(), description="Rule sets whose messages a person must approve first, comma-separated."
    )
    public_url: str | None = Field(
        default=None, description="Address of the service as readers reach it; by default that of the request."
    )
    sender: str = Field(
        default="hazecast.invalid",
        pattern=r"^[^\s,<&]+$",
        description="CAP sender: a globally unique name of the bureau, such as an address in its own domain.",
    )
    sender_name: str = Field(default="Hazecast", min_length=1, description="The bureau's name, in CAP and feed.")
    sender_contact: str | None = Field(default=None, description="How to reach the bureau, in CAP.")
    cap_key_file: Path | None = Field(default=None, description="RSA private key, PEM: CAP messages are then signed.")
    cap_certificate_file: Path | None = Field(default=None, description="The certificate of that key, PEM.")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65_535)
    schedule_hours: Annotated[
        tuple[Annotated[int, Field(ge=0, le=23)], ...], NoDecode, BeforeValidator(_listed), Field(min_length=1)
    ] = Field(default=(5, 17), description="Hours of the cycles, Beijing time, comma-separated.")
    schedule_minute: int = Field(
        default=40, ge=0, le=59, description="Minute; 05:40 and 17:40 precede the signals of 06:00 and 18:00."
    )
    misfire_grace_seconds: int = Field(
        default=3_600, ge=1, description="How late a cycle may still start, for example after sleep."
    )
    stale_after_hours: float = Field(
        default=18.0, gt=0.0, description="Age of the newest forecast from which the service isn't ready."
    )
    cache_seconds: int = Field(default=60, ge=0, description="max-age of public answers.")
    answers_check_seconds: float = Field(
        default=1.0, ge=0.0, le=60.0, description="How long what another process stored may stay unseen by readers."
    )
    answers_memory_mb: int = Field(default=64, ge=0, description="Memory for answers kept ready, of each process, MB.")

    @property
    def models_dir(self) -> Path:
        """Folder of this installation's own trained models and of the history of the one in service."""
        return self.data_dir / "models"

    @property
    def weather_dir(self) -> Path:
        """Folder of the ingested weather."""
        return self.data_dir / "weather"

    @property
    def archive_dir(self) -> Path:
        """Folder of the weather archive."""
        return self.data_dir / "archive"
