"""Groups of settings of what comes in. Each setting is also the environment variable that its group's prefix and its name make."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import (
    NoDecode,
    SettingsConfigDict,
)

from hazecast.services.core.setting_types import (
    CompositionSourceName,
    Folder,
    Group,
    MonitorSourceName,
    Url,
    WeatherSourceName,
    listed,
    listed_or_none,
    once,
    path_of_a_step,
)

# The layout of GFS v16, and the one announced for v17.
GFS_PATHS = (
    "gfs.{init_time:%Y%m%d/%H}/atmos/gfs.t{init_time:%H}z.pgrb2.0p25.f{step:03d}",
    "gfs.{init_time:%Y%m%d/%H}/products/atmos/grib2/0p25/gfs.t{init_time:%H}z.pres_a.0p25.f{step:03d}.grib2",
)


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
        tuple[WeatherSourceName, ...], NoDecode, BeforeValidator(listed), Field(min_length=1)
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
        tuple[CompositionSourceName, ...], NoDecode, BeforeValidator(listed_or_none), AfterValidator(once)
    ] = Field(
        default=("open_meteo",),
        description="Sources of a chemistry model's forecasts, the preferred one first, or 'none'.",
    )
    composition_keep_days: float | None = Field(
        default=None, ge=7.0, description="Days that a chemistry model's forecasts are kept; by default for ever."
    )
    monitor_sources: Annotated[
        tuple[MonitorSourceName, ...], NoDecode, BeforeValidator(listed), AfterValidator(once), Field(min_length=1)
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
        tuple[Annotated[str, AfterValidator(path_of_a_step)], ...],
        NoDecode,
        BeforeValidator(listed),
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
