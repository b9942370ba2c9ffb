"""Settings, read from the environment (``HAZECAST_*``) or given by the caller."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _absolute(path: Path) -> Path:
    # The store keeps paths of files: they must hold from any working folder.
    return path.expanduser().absolute()


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _default_database(known: dict[str, Any]) -> str:
    return f"sqlite:///{known['data_dir'].as_posix()}/hazecast.db"


Folder = Annotated[Path, AfterValidator(_absolute)]


class Settings(BaseSettings):
    """All settings of the service; each is also the environment variable ``HAZECAST_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="HAZECAST_", frozen=True, extra="forbid", env_ignore_empty=True)

    data_dir: Folder = Field(default=Path("data"), validate_default=True, description="The store and its files.")
    database_url: str = Field(
        default_factory=_default_database,
        min_length=1,
        description="SQLAlchemy URL; by default SQLite in data_dir.",
    )
    observations_dir: Folder | None = Field(
        default=None, description="Folder of observations; without it cycles run on the simulated sample."
    )
    weather: str = Field(
        default="none",
        min_length=1,
        description="'none', 'observed' (the observations' own weather) or the path of weather files.",
    )
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
