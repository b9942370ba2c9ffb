"""Groups of settings of warnings, the schedule, learning, the server and what is kept. Each is also the environment variable of its prefix and name."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import (
    NoDecode,
    SettingsConfigDict,
)

from hazecast.services.core.setting_types import (
    Folder,
    Group,
    Origin,
    listed,
    listed_or_none,
)


class WarningSettings(Group):
    """Rule sets, approval, and the sender of warnings."""

    rules_dir: Folder | None = Field(
        default=None, description="Folder of the bureau's own rule sets; one of a shipped name takes its place."
    )
    shapes_file: Folder | None = Field(
        default=None, description="GeoJSON file of the bureau's own areas of cities and base map."
    )
    rule_sets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(listed)] = Field(
        default=(), description="Rule sets wanted besides those of each city's jurisdiction, comma-separated."
    )
    approval: Annotated[tuple[str, ...], NoDecode, BeforeValidator(listed)] = Field(
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
        tuple[Annotated[int, Field(ge=0, le=23)], ...], NoDecode, BeforeValidator(listed), Field(min_length=1)
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


class ServerSettings(Group):
    """How the service listens and logs."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65_535)
    workers: int = Field(default=1, ge=1, le=64, description="Processes that answer requests.")
    public_url: str | None = Field(
        default=None, description="Address of the service as readers reach it; by default that of the request."
    )
    cors_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(listed_or_none)] = Field(
        default=("*",),
        description="Origins whose pages may use the API, comma-separated; '*', alone: any page may read what needs no key."
        " 'none': no other page.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(listed), Field(min_length=1)] = Field(
        default=("*",),
        description="Names by which the service may be asked for, comma-separated; '*.name' for all below.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(listed)] = Field(
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
        description="Largest body of a request: of observations or a study; a subscription takes 64 KiB at most, others 16 KiB.",
    )
    body_seconds: float = Field(default=10.0, gt=0.0, description="How long a request's body may take to come.")
    answer_seconds: float = Field(default=60.0, gt=0.0, description="How long an answer may take to begin.")
    drawing_processes: int = Field(
        default=2, ge=1, le=64, description="Subprocesses that draw maps, bulletins and NetCDF on demand."
    )
    drawing_waiting: int = Field(
        default=32, ge=0, le=10_000, description="How many drawings may wait for one; more are answered 503."
    )
    study_processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Subprocesses that answer studies; a study ends after the time of an answer.",
    )
    study_waiting: int = Field(
        default=8, ge=0, le=10_000, description="How many studies may wait for one; more are answered 503."
    )
    study_jobs: int = Field(
        default=1, ge=1, le=64, description="How many studies run as jobs at a time, over all processes of the service."
    )
    study_jobs_open: int = Field(
        default=20, ge=1, le=10_000, description="How many such jobs may wait or run; more are answered 429."
    )
    study_jobs_account: int = Field(
        default=4, ge=1, le=10_000, description="How many of them may be of one account; more are answered 429."
    )
    study_jobs_kept: int = Field(
        default=100,
        ge=1,
        le=100_000,
        description="How many results of jobs an account may have kept; more are answered 429.",
    )
    study_job_seconds: float = Field(
        default=3_600.0,
        gt=0.0,
        le=86_400.0,
        description="How long such a job may run; then it is ended, and has failed.",
    )
    study_result_mb: int = Field(
        default=32,
        ge=1,
        le=1_000,
        description="Most that the results of such a job may take, MB; one with more has failed.",
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
    study_days: int = Field(
        default=14, ge=1, le=3_650, description="Days that the results of studies run as jobs are kept, from their end."
    )
