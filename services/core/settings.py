"""Settings: the groups together, read from the environment (``HAZECAST_*``), from files of secrets, or given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError
from pydantic.fields import FieldInfo

from hazecast.services.core.database_url import with_driver
from hazecast.services.core.delivery_settings import (
    DeliverySettings,
    EventSettings,
    SmtpSettings,
    SubscriptionSettings,
    WebhookSettings,
)
from hazecast.services.core.input_settings import (
    IngestSettings,
    InputSettings,
    PlaceSettings,
    PublisherSettings,
    SqlSettings,
)
from hazecast.services.core.service_settings import (
    AnswerSettings,
    BulletinSettings,
    LearningSettings,
    LimitSettings,
    RetentionSettings,
    ScheduleSettings,
    ServerSettings,
    WarningSettings,
)
from hazecast.services.core.setting_types import Folder, Group


def _default_database(known: dict[str, Any]) -> str:
    return f"sqlite:///{known['data_dir'].as_posix()}/hazecast.db"


class Settings(Group):
    """All settings of the service, in groups.

    Examples
    --------
    >>> settings = Settings(inputs=InputSettings(weather="none"))
    >>> settings.schedule.schedule_hours
    (5, 17)
    """

    data_dir: Folder = Field(default=Path("data"), validate_default=True, description="The store and its files.")
    database_url: Annotated[str, AfterValidator(with_driver)] = Field(
        default_factory=_default_database,
        min_length=1,
        repr=False,  # it may hold a password
        description="SQLAlchemy URL; by default SQLite in data_dir.",
    )
    inputs: InputSettings = Field(default_factory=InputSettings)
    places: PlaceSettings = Field(default_factory=PlaceSettings)
    ingest: IngestSettings = Field(default_factory=IngestSettings)
    publishers: PublisherSettings = Field(default_factory=PublisherSettings)
    sql: SqlSettings = Field(default_factory=SqlSettings)
    warnings: WarningSettings = Field(default_factory=WarningSettings)
    bulletin: BulletinSettings = Field(default_factory=BulletinSettings)
    schedule: ScheduleSettings = Field(default_factory=ScheduleSettings)
    learning: LearningSettings = Field(default_factory=LearningSettings)
    smtp: SmtpSettings = Field(default_factory=SmtpSettings)
    webhooks: WebhookSettings = Field(default_factory=WebhookSettings)
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)
    subscriptions: SubscriptionSettings = Field(default_factory=SubscriptionSettings)
    events: EventSettings = Field(default_factory=EventSettings)
    server: ServerSettings = Field(default_factory=ServerSettings)
    answers: AnswerSettings = Field(default_factory=AnswerSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)

    @property
    def observation_sources(self) -> tuple[str, ...]:
        """The sources of live observations, the preferred one first: what was sent or delivered goes before what is fetched."""
        own = ("push", "csv") if self.ingest.watch_dir is not None else ("push",)
        return tuple(dict.fromkeys((*own, *self.ingest.monitor_sources)))

    @property
    def live(self) -> bool:
        """Whether weather or observations are those that an ingest brings in."""
        return "live" in (self.inputs.weather, self.inputs.observations_dir)

    @property
    def models_dir(self) -> Path:
        """Folder of this installation's own trained models and of the history of the one in service."""
        return self.data_dir / "models"

    @property
    def weather_dir(self) -> Path:
        """Folder of the ingested weather."""
        return self.data_dir / "weather"

    @property
    def composition_dir(self) -> Path:
        """Folder of the ingested forecasts of a chemistry model."""
        return self.data_dir / "composition"

    @property
    def archive_dir(self) -> Path:
        """Folder of the weather archive."""
        return self.data_dir / "archive"


def variables() -> Iterator[tuple[str, type[Group], FieldInfo]]:
    """Yield every environment variable that is a setting, with its group and field."""
    for group in Group.__subclasses__():
        for name, field in group.model_fields.items():
            if not _is_group(field):
                yield f"{group.model_config['env_prefix']}{name}".upper(), group, field


def _is_group(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Group)


def explained(error: ValidationError) -> str:
    """Return what is wrong with the settings: each by its variable, with what was found unless that may be a secret."""
    known = {(group.__name__, variable): field for variable, group, field in variables()}
    prefixes = {group.__name__: str(group.model_config["env_prefix"]) for _, group, _ in variables()}
    lines = []
    for fault in error.errors(include_url=False, include_context=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        variable = f"{prefixes.get(error.title, 'HAZECAST_')}{name}".upper()
        field = known.get((error.title, variable))
        open_ = field is not None and field.repr and "SecretStr" not in str(field.annotation)
        found = f"found {fault['input']!r}; " if open_ else ""
        lines.append(f"{variable}: {found}{fault['msg']}" if name else fault["msg"])
    return "\n".join(lines)
