"""What groups of settings are made of: kinds of values, and how a group is read."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
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


def absolute(path: Path) -> Path:
    """Return a path that holds from any working folder."""
    return path.expanduser().absolute()


def listed(value: Any) -> Any:
    """Return the parts of a text that commas separate; anything else as it is."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def listed_or_none(value: Any) -> Any:
    """Return what `listed` does; nothing for "none", since an empty variable is ignored."""
    return () if value == "none" else listed(value)


def path_of_a_step(path: str) -> str:
    """Check a path of one step of a forecast.

    Raises
    ------
    ValueError
        If it can't be filled in, or is the same for every step.
    """
    try:
        first, second = (path.format(init_time=datetime(2026, 1, 1), step=step) for step in (0, 3))
    except (LookupError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: {error}; a path holds {{init_time:%Y%m%d}} and {{step:03d}}") from error
    if first == second:
        raise ValueError(f"{path}: the same for every step; a path holds {{init_time:%Y%m%d}} and {{step:03d}}")
    return path


def once(names: tuple[Any, ...]) -> tuple[Any, ...]:
    """Check that no name stands twice.

    Raises
    ------
    ValueError
        If one does.
    """
    if len(set(names)) < len(names):
        raise ValueError("each name once")
    return names


Folder = Annotated[Path, AfterValidator(absolute)]
Url = Annotated[str, Field(pattern=r"^https?://")]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]
MonitorSourceName = Annotated[str, AfterValidator(installed_monitor_source)]
WeatherSourceName = Annotated[str, AfterValidator(installed_weather_source)]
CompositionSourceName = Annotated[str, AfterValidator(installed_composition_source)]


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
