"""The groups of settings. Each setting is also the environment variable that its group's prefix and its name make."""

from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from hazecast.grids.errors import InputError
from hazecast.services.core.source_names import (
    installed_composition_source,
    installed_monitor_source,
    installed_weather_source,
)


def _absolute(path: Path) -> Path:
    # A path must hold from any working folder.
    return path.expanduser().absolute()


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _listed_or_none(value: Any) -> Any:
    # An empty variable is ignored, so that nothing needs a word.
    return () if value == "none" else _listed(value)


def _path_of_a_step(path: str) -> str:
    try:
        first, second = (path.format(init_time=datetime(2026, 1, 1), step=step) for step in (0, 3))
    except (LookupError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: {error}; a path holds {{init_time:%Y%m%d}} and {{step:03d}}") from error
    if first == second:
        raise ValueError(f"{path}: the same for every step; a path holds {{init_time:%Y%m%d}} and {{step:03d}}")
    return path


def _once(names: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(names)) < len(names):
        raise ValueError("each name once")
    return names


Folder = Annotated[Path, AfterValidator(_absolute)]
Url = Annotated[str, Field(pattern=r"^https?://")]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]
MonitorSourceName = Annotated[str, AfterValidator(installed_monitor_source)]
WeatherSourceName = Annotated[str, AfterValidator(installed_weather_source)]
CompositionSourceName = Annotated[str, AfterValidator(installed_composition_source)]


# The layout of GFS v16, and the one announced for v17.
GFS_PATHS = (
    "gfs.{init_time:%Y%m%d/%H}/atmos/gfs.t{init_time:%H}z.pgrb2.0p25.f{step:03d}",
    "gfs.{init_time:%Y%m%d/%H}/products/atmos/grib2/0p25/gfs.t{init_time:%H}z.pres_a.0p25.f{step:03d}.grib2",
)


class Group(BaseSettings):
    """A group of settings: what the caller gives comes before the environment, and that before files of secrets.

    With ``HAZECAST_SECRETS_DIR`` a setting may also be a file ``hazecast_<name>`` in that folder, as Docker and
    Kubernetes mount secrets.
    """

    # An error shows no input by itself: it might be a secret. `explained` shows what isn't.
    model_config = SettingsConfigDict(
        env_prefix="HAZECAST_", frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what is given, then the environment, then the files of HAZECAST_SECRETS_DIR.

        Parameters
        ----------
        settings_cls : type of BaseSettings
        init_settings, env_settings : PydanticBaseSettingsSource
        dotenv_settings, file_secret_settings : PydanticBaseSettingsSource
            Not used.

        Returns
        -------
        tuple of PydanticBaseSettingsSource
            The first that has a setting gives it.

        Raises
        ------
        InputError
            If HAZECAST_SECRETS_DIR is not a folder.
        """
        folder = os.environ.get("HAZECAST_SECRETS_DIR") or None
        if folder is not None and not Path(folder).is_dir():
            raise InputError("HAZECAST_SECRETS_DIR", folder, "a folder with a file for each secret")
        return init_settings, _Variables(settings_cls), SecretsSettingsSource(settings_cls, secrets_dir=folder)


class _Variables(EnvSettingsSource):
    """The environment, in which settings stand by themselves: HAZECAST_SERVER is no group of them, but the command's."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return what the environment gives for a field, as the base class does; nothing for a group.

        Parameters
        ----------
        field : FieldInfo
        field_name : str

        Returns
        -------
        tuple of (object, str, bool)
            Value, its key, and whether it has to be parsed.
        """
        if isinstance(field.annotation, type) and issubclass(field.annotation, Group):
            return None, field_name, False
        return super().get_field_value(field, field_name)


class InputSettings(Group):
    """What a forecast cycle reads."""

    observations_dir: Literal["live"] | Folder | None = Field(
        default=None,
        description="Folder of observations, or 'live' for the ingested ones; without it cycles run on the simulated "
        "sample.",
    )
    weather: str = Field(
        default="none",
        min_length=1,
        description="'none', 'live' (the newest ingested cycle), 'observed' (the observations' own weather) or the "
        "path of weather files.",
    )


class IngestSettings(Group):
    """What is fetched, from which sources, and for how long fetched weather is kept."""

    weather_sources: Annotated[
        tuple[WeatherSourceName, ...], NoDecode, BeforeValidator(_listed), Field(min_length=1)
    ] = Field(default=("gfs", "open_meteo"), description="Sources of live weather, the preferred one first.")
    weather_step_hours: Literal[1, 3] = Field(default=3, description="Hours between the steps fetched of a grid.")
    weather_variables: Literal["used", "all"] = Field(
        default="used",
        description="What is fetched of weather: what the model in service and the warnings read, or all that models may "
        "learn from; with retraining always all.",
    )
    weather_keep_days: float = Field(default=10.0, ge=7.0, description="Age at which ingested cycles are removed.")
    weather_folder: Folder | None = Field(default=None, description="Where the source 'folder' finds its cycles.")
    archive_days: int | None = Field(
        default=None, ge=1, description="Days that the weather archive keeps; by default everything."
    )
    composition_sources: Annotated[
        tuple[CompositionSourceName, ...], NoDecode, BeforeValidator(_listed_or_none), AfterValidator(_once)
    ] = Field(
        default=("open_meteo",),
        description="Sources of a chemistry model's forecasts, the preferred one first, or 'none'.",
    )
    composition_keep_days: float | None = Field(
        default=None, ge=7.0, description="Days that a chemistry model's forecasts are kept; by default for ever."
    )
    monitor_sources: Annotated[
        tuple[MonitorSourceName, ...], NoDecode, BeforeValidator(_listed), AfterValidator(_once), Field(min_length=1)
    ] = Field(default=("open_meteo",), description="Sources of live observations, the preferred one first.")
    monitor_reread_hours: int = Field(
        default=6, ge=1, le=72, description="How many of the newest hours are asked for again, for revised values."
    )
    backfill_days: float = Field(
        default=30.0,
        ge=0.0,
        description="How far back holes in the store are looked for and filled, days; 0: not at all.",
    )
    monitor_dir: Folder | None = Field(default=None, description="Where the source 'csv' finds its files.")
    watch_dir: Folder | None = Field(
        default=None, description="Folder into which a bureau's tables are delivered; each is taken once, then moved."
    )
    http_attempts: int = Field(default=5, ge=1, le=20, description="How often a failing request is made.")
    http_timeout_seconds: float = Field(default=60.0, gt=0.0, description="Longest silence of a server.")


class PublisherSettings(Group):
    """Addresses and keys of the publishers of weather and monitoring data."""

    gfs_url: Url = Field(
        default="https://noaa-gfs-bdp-pds.s3.amazonaws.com", description="Bucket of GFS, or a mirror with its paths."
    )
    gfs_paths: Annotated[
        tuple[Annotated[str, AfterValidator(_path_of_a_step)], ...],
        NoDecode,
        BeforeValidator(_listed),
        Field(min_length=1),
    ] = Field(
        default=GFS_PATHS,
        description="Where a step's file is below it, by init_time and step; the first that exists is used.",
    )
    gfs_filter_url: Url | None = Field(
        default=None, description="NOMADS' filter, which cuts the files to the region: fewer bytes, more of its time."
    )
    ecmwf_url: Url = Field(
        default="https://data.ecmwf.int/forecasts", description="ECMWF's open data, or a mirror with its paths."
    )
    open_meteo_url: Url = Field(default="https://api.open-meteo.com", description="Base of Open-Meteo's forecasts.")
    open_meteo_archive_url: Url = Field(
        default="https://archive-api.open-meteo.com", description="Base of Open-Meteo's archive."
    )
    open_meteo_runs_url: Url = Field(
        default="https://single-runs-api.open-meteo.com", description="Base of Open-Meteo's earlier runs."
    )
    open_meteo_air_url: Url = Field(
        default="https://air-quality-api.open-meteo.com", description="Base of Open-Meteo's air quality."
    )
    open_meteo_model: str = Field(
        default="ecmwf_ifs", pattern="^[a-z0-9_]+$", description="Model, by its name in requests and metadata."
    )
    open_meteo_key: SecretStr = Field(default=SecretStr(""), description="Key of a customer of Open-Meteo.")
    era5_url: Url = Field(default="https://cds.climate.copernicus.eu/api", description="The Climate Data Store.")
    era5_key: SecretStr = Field(default=SecretStr(""), description="Access token of the Climate Data Store.")
    ads_url: Url = Field(default="https://ads.atmosphere.copernicus.eu/api", description="The Atmosphere Data Store.")
    ads_key: SecretStr = Field(default=SecretStr(""), description="Access token of the Atmosphere Data Store.")
    cnemc_url: Url = Field(default="https://air.cnemc.cn:18007", description="China's hourly publication.")
    cnemc_ca_file: Folder | None = Field(
        default=None, description="PEM file of certificates that are trusted there besides the usual ones."
    )
    soramame_url: Url = Field(default="https://soramame.env.go.jp", description="Japan's Soramame-kun.")
    openaq_url: Url = Field(default="https://api.openaq.org", description="OpenAQ, version 3.")
    openaq_key: SecretStr = Field(default=SecretStr(""), description="Key of OpenAQ.")
    openaq_stations_per_city: int = Field(
        default=3, ge=1, le=50, description="How many stations of a city are asked, the nearest first."
    )
    airnow_url: Url = Field(default="https://dosairnowdata.org", description="Files of the US posts.")
    airkorea_url: Url = Field(default="https://apis.data.go.kr", description="Korea's portal of public data.")
    airkorea_key: SecretStr = Field(default=SecretStr(""), description="Key of Korea's portal of public data.")
    moenv_url: Url = Field(
        default="https://data.moenv.gov.tw", description="Open data of Taiwan's environment ministry."
    )
    moenv_key: SecretStr = Field(default=SecretStr(""), description="Key of Taiwan's environment ministry.")
    metar_url: Url = Field(default="https://aviationweather.gov", description="Reports of airports (METAR).")
    airports_file: Folder | None = Field(
        default=None, description="TOML file of the airports of the cities, in place of those shipped."
    )


class PlaceSettings(Group):
    """The cities that are forecast."""

    cities_dir: Folder | None = Field(
        default=None, description="Folder of the bureau's own cities; one of a shipped id takes its place."
    )
    shipped_cities: bool = Field(default=True, description="Whether the shipped cities are forecast too.")


class SqlSettings(Group):
    """The source ``sql``: a view of somebody else's database."""

    model_config = SettingsConfigDict(env_prefix="HAZECAST_SQL_")

    url: SecretStr = Field(default=SecretStr(""), description="SQLAlchemy URL of the database; it may hold a password.")
    view: str = Field(default="", description="The view or table that is read, with its schema before a dot.")
    query: str = Field(default="", description="In place of it a SELECT with :first and :last, times of the mapping.")
    folder: Folder | None = Field(default=None, description="Folder with mapping.toml and stations.csv.")
    timeout_seconds: float = Field(default=60.0, gt=0.0, le=3_600.0, description="Longest time of one statement.")


class WarningSettings(Group):
    """Rule sets, approval, and the sender of warnings."""

    rules_dir: Folder | None = Field(
        default=None, description="Folder of the bureau's own rule sets; one of a shipped name takes its place."
    )
    shapes_file: Folder | None = Field(
        default=None, description="GeoJSON file of the bureau's own areas of cities and base map."
    )
    rule_sets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        default=(), description="Rule sets wanted besides those of each city's jurisdiction, comma-separated."
    )
    approval: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        default=(), description="Rule sets whose messages a person must approve first, comma-separated."
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


class BulletinSettings(Group):
    """What the bureau prints on its daily bulletin besides the content."""

    bulletin_letterhead: str | None = Field(
        default=None, min_length=1, max_length=200, description="The bureau's letterhead, above the bulletin's title."
    )
    bulletin_signatory: str | None = Field(
        default=None, min_length=1, max_length=200, description="Who signs the bulletin: name and office."
    )
    bulletin_numbered_from: Literal["year"] | date | None = Field(
        default=None,
        description="Day of the issue numbered 1, one issue a day; 'year' begins again each 1 January. Without it, no number.",
    )


class ScheduleSettings(Group):
    """When jobs run and how long they may take."""

    schedule_hours: Annotated[
        tuple[Annotated[int, Field(ge=0, le=23)], ...], NoDecode, BeforeValidator(_listed), Field(min_length=1)
    ] = Field(default=(5, 17), description="Hours of the cycles, Beijing time, comma-separated.")
    schedule_decisions: bool = Field(
        default=True,
        description="Whether cycles also follow the hours at which rule sets decide, as those of Japan's prefectures: "
        "the hours come from the rule sets.",
    )
    schedule_minute: int = Field(
        default=40, ge=0, le=59, description="Minute; 05:40 and 17:40 precede the signals of 06:00 and 18:00."
    )
    misfire_grace_seconds: int = Field(
        default=3_600, ge=1, description="How late a cycle may still start, for example after sleep."
    )
    cycle_limit_seconds: float = Field(
        default=1_800.0, gt=0.0, description="After this time a scheduled cycle is stopped, and recorded so."
    )
    ingest_minute: int = Field(default=25, ge=0, le=59, description="Minute of the hourly ingest of live sources.")
    scheduler_beat_seconds: float = Field(
        default=2.0, ge=0.1, le=5.0, description="How often a scheduler asks whether it leads, or may lead."
    )
    stop_seconds: float = Field(
        default=60.0, ge=0.0, description="How long running jobs may go on when the service stops."
    )
    job_history_days: float = Field(default=90.0, ge=1.0, description="Age at which runs of jobs are forgotten.")


class LearningSettings(Group):
    """Whether and how the service learns from what it has stored, and what a model must show to be put into service."""

    retrain: Literal["off", "register", "promote"] = Field(
        default="off",
        description="Whether the network is trained on the store again and again: 'register' leaves the decision to a "
        "person, 'promote' puts it into service if it passes the gate. Weather is then kept at the cities for that.",
    )
    retrain_every_days: int = Field(default=28, ge=1, description="Days between two trainings.")
    retrain_reach_days: int = Field(
        default=1_095, ge=90, description="How far back a training from the store reads, days."
    )
    retrain_holdout_days: int = Field(
        default=60, ge=7, description="Newest days that a training leaves out, to compare the models on."
    )
    retrain_limit_seconds: float = Field(
        default=21_600.0, gt=0.0, description="After this time a scheduled training is stopped, and recorded so."
    )
    gate_margin: float = Field(
        default=0.05, ge=0.0, le=1.0, description="Share by which a new model may be worse in any one city."
    )
    gate_days: int = Field(default=30, ge=1, description="Fewest days that two models are compared on.")
    gate_windows: int = Field(default=500, ge=1, description="Fewest windows that two models are compared on.")
    gate_drawn: int = Field(default=20_000, ge=1, description="Fewest windows that a new model learned from.")


class SmtpSettings(Group):
    """The mail server."""

    model_config = SettingsConfigDict(env_prefix="HAZECAST_SMTP_")

    host: str | None = Field(default=None, description="Mail server; without it nothing is sent by e-mail.")
    port: int = Field(default=587, ge=1, le=65_535)
    tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="TLS after STARTTLS, from the start, or (on a machine of one's own) none."
    )
    user: str | None = Field(default=None, description="User of the mail server.")
    password: SecretStr = Field(default=SecretStr(""), description="Password of the mail server.")
    ca_file: Path | None = Field(
        default=None,
        description="Certificates (PEM) that the mail server is checked against; by default the public ones.",
    )


class WebhookSettings(Group):
    """Where webhooks may go, and how long they may take."""

    model_config = SettingsConfigDict(env_prefix="HAZECAST_WEBHOOK_")

    ports: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65_535)], ...], NoDecode, BeforeValidator(_listed), Field(min_length=1)
    ] = Field(default=(443, 8443), description="Ports that webhooks may name, comma-separated.")
    http: bool = Field(default=False, description="Whether webhooks may be sent without TLS.")
    networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_listed)] = Field(
        default=(), description="Networks that webhooks may reach though they are not public, such as a bureau's own."
    )
    ca_file: Path | None = Field(
        default=None, description="Certificates (PEM) that webhooks are checked against; by default the public ones."
    )
    timeout_seconds: float = Field(
        default=20.0, gt=0.0, le=300.0, description="Longest time that one webhook may take, from name to answer."
    )
    secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="Seals webhooks' secrets in the database; several, comma-separated: the first seals, all open.",
    )
    secret_overlap_hours: float = Field(
        default=24.0, ge=0.0, description="How long the secret before signs too, after a new one was made."
    )


class DeliverySettings(Group):
    """How messages are tried again, and when they are given up."""

    model_config = SettingsConfigDict(env_prefix="HAZECAST_DELIVERY_")

    give_up_hours: float = Field(default=72.0, gt=0.0, description="Age at which a message is given up.")
    refused_hours: float = Field(
        default=1.0, ge=0.0, description="How long a message that the receiver refuses holds up those after it."
    )
    retry_seconds: float = Field(
        default=5.0, gt=0.0, description="Wait after a first failure; it doubles with each further one."
    )
    retry_max_seconds: float = Field(default=600.0, gt=0.0, description="Longest wait between attempts.")
    poll_seconds: float = Field(default=2.0, gt=0.0, description="How often due messages are looked for.")
    workers: int = Field(default=8, ge=1, le=64, description="Receivers that one process serves at a time.")
    keep_days: float = Field(default=90.0, ge=1.0, description="Age at which events and history are removed.")


class SubscriptionSettings(Group):
    """Subscriptions, and what their mails and bulletins have in common."""

    mail_from: str = Field(
        default="hazecast@hazecast.invalid", pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", description="Sender of e-mails."
    )
    bulletin_give_up_hours: float = Field(
        default=12.0, gt=0.0, description="Age at which a bulletin is given up; one due longer ago is not made."
    )
    subscriptions_per_account: int = Field(default=50, ge=1, description="Most subscriptions of one account.")
    confirmations_per_day: int = Field(
        default=20, ge=1, description="Most receivers that one account may have asked to confirm in 24 h."
    )
    confirmations_per_address: int = Field(
        default=3,
        ge=1,
        description="Most times that one mailbox is asked to confirm in 30 days, by all accounts together.",
    )
    confirmation_days: float = Field(default=7.0, gt=0.0, description="Days that a receiver has for confirming.")


class EventSettings(Group):
    """Event streams."""

    model_config = SettingsConfigDict(env_prefix="HAZECAST_EVENTS_")

    poll_seconds: float = Field(default=1.0, gt=0.0, description="How often event streams look for news.")
    seconds: float = Field(
        default=900.0,
        gt=0.0,
        description="Time after which an event stream ends: whoever comes back shows the key anew.",
    )
    connections: int = Field(default=1_000, ge=1, description="Most event streams of one process.")
    connections_per_address: int = Field(
        default=50, ge=1, description="Most event streams to one address (IPv6: to one network), of all processes."
    )
    connections_per_account: int = Field(
        default=50, ge=1, description="Most event streams with the keys of one account, of all processes."
    )


class ServerSettings(Group):
    """How the service listens and logs."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65_535)
    workers: int = Field(default=1, ge=1, le=64, description="Processes that answer requests.")
    public_url: str | None = Field(
        default=None, description="Address of the service as readers reach it; by default that of the request."
    )
    cors_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_listed_or_none)] = Field(
        default=("*",),
        description="Origins whose pages may use the API, comma-separated; '*', alone: any page may read what needs no key."
        " 'none': no other page.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed), Field(min_length=1)] = Field(
        default=("*",),
        description="Names by which the service may be asked for, comma-separated; '*.name' for all below.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        default=(), description="Addresses or networks of proxies whose X-Forwarded-For and -Proto are believed."
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Log lines for people, or JSON lines.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Least level logged.")


class AnswerSettings(Group):
    """How long answers are kept, and from which age a forecast is stale."""

    cache_seconds: int = Field(default=60, ge=0, description="max-age of public answers.")
    answers_check_seconds: float = Field(
        default=1.0, ge=0.0, le=60.0, description="How long what another process stored may stay unseen by readers."
    )
    answers_memory_mb: int = Field(default=64, ge=0, description="Memory for answers kept ready, of each process, MB.")
    stale_after_hours: float = Field(
        default=18.0, gt=0.0, description="Age of the newest forecast from which the service isn't ready."
    )


class LimitSettings(Group):
    """Limits on keys and requests."""

    key_days: int = Field(default=365, ge=1, le=3_650, description="Longest life of an API key, and the default.")
    rate_anonymous: int = Field(
        default=600, ge=0, description="Requests a minute from an address without a key; 0: no limit."
    )
    rate_account: int = Field(
        default=1_200, ge=0, description="Requests a minute of an account, with all its keys; 0: no limit."
    )
    failed_keys: int = Field(
        default=30, ge=0, description="Keys that open nothing from an address in ten minutes; 0: no limit."
    )
    max_body_bytes: int = Field(
        default=1_048_576,
        ge=1_000,
        description="Largest body of a request: of observations; a subscription takes 64 KiB at most, others 16 KiB.",
    )
    body_seconds: float = Field(default=10.0, gt=0.0, description="How long a request's body may take to come.")
    answer_seconds: float = Field(default=60.0, gt=0.0, description="How long an answer may take to begin.")
    drawing_processes: int = Field(
        default=2, ge=1, le=64, description="Subprocesses that draw maps, bulletins and NetCDF on demand."
    )
    drawing_waiting: int = Field(
        default=32, ge=0, le=10_000, description="How many drawings may wait for one; more are answered 503."
    )


class RetentionSettings(Group):
    """How long the store keeps what it holds."""

    model_config = SettingsConfigDict(env_prefix="HAZECAST_KEEP_")

    # Scores need 10 days of forecasts until they are closed, the verdict on a model 60 days of observations.
    forecast_days: int | None = Field(
        default=None, ge=15, description="Days that forecasts, their files and cycles are kept; by default for ever."
    )
    observation_days: int | None = Field(
        default=None, ge=60, description="Days that observed hours are kept; by default for ever."
    )
    # The longest warning, and the feed of those that have ended, reach back ten days.
    warning_days: int | None = Field(
        default=None,
        ge=30,
        description="Days after which warnings move to files; by default they stay in the database.",
    )
