"""Options and small helpers that several commands share; nothing heavy is imported here."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hazecast.services.core.clock import utc_now

if TYPE_CHECKING:
    from hazecast.services.client.client import Client
    from hazecast.services.core.settings import Settings

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        envvar="HAZECAST_SERVER",
        help="Address of a Hazecast to ask instead of the data folder here: for warnings, verify, map, forecast.",
    ),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Store and files; default HAZECAST_DATA_DIR or ./data.")
]
Observations = Annotated[
    str | None,
    typer.Option(
        "--observations", help="Folder of a monitoring collection, or live (ingested); without it, a simulated sample."
    ),
]
Weather = Annotated[
    str | None,
    typer.Option(
        "--weather", help="none, live (ingested), observed (perfect prog) or a path of weather files. Default: none."
    ),
]
InitTime = Annotated[
    str | None,
    typer.Option("--init-time", help="ISO 8601, for example 2013-01-11T22:00Z; UTC where no offset is given."),
]


def current_time() -> datetime:
    """Return the current time, aware, UTC; all commands take it from here."""
    return utc_now()


def time_of(text: str | None, name: str) -> datetime | None:
    """Return the time that an option gives, aware; UTC where no offset is given."""
    from hazecast.grids.times import parse_time

    return None if text is None else parse_time(text, name)


def settings_of(data_dir: Path | None, observations: str | None = None, weather: str | None = None) -> Settings:
    """Return the settings with what the command line gives."""
    from hazecast.services.core.setting_groups import InputSettings
    from hazecast.services.core.settings import Settings

    given: dict[str, Any] = {"observations_dir": observations, "weather": weather}
    inputs = InputSettings(**{name: value for name, value in given.items() if value is not None})
    return Settings(inputs=inputs) if data_dir is None else Settings(data_dir=data_dir, inputs=inputs)


def server(context: typer.Context) -> Client | None:
    """Return the client of the server that the command line names; None where it names none."""
    address = context.find_root().obj
    if address is None:
        return None
    from hazecast.services.client.client import Client

    return Client(str(address))
