"""Options that commands share, and what follows from them: settings, times, the store, a server's client.

Nothing heavy is imported here: every command loads this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, overload

import typer

from hazecast.services.core.clock import utc_now

if TYPE_CHECKING:
    from hazecast.services.client import Client
    from hazecast.services.core.settings import Settings
    from hazecast.services.store.store import Store

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        envvar="HAZECAST_SERVER",
        help="Address of a Hazecast service to read from, not the local data folder: for forecast, map, verify, warnings.",
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
Collection = Annotated[Path, typer.Option("--observations", help="Folder of a monitoring collection.")]
PastWeather = Annotated[str, typer.Option("--weather", help="none or observed (perfect prog).")]
Language = Annotated[str, typer.Option("--language", help="zh, ja or en.")]


def plain(text: str | None) -> str | None:
    """Return a text that is kept as it is; refuse one that reads otherwise than it is written.

    Raises
    ------
    typer.BadParameter
        If it holds control characters.
    """
    from hazecast.services.core.field_limits import plain_lines

    try:
        return text if text is None else plain_lines(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def city_ids(incomplete: str) -> list[str]:
    """Return the ids of cities that begin so, for the shell's completion."""
    from hazecast.services.core.places import city_registry

    return [city for city in city_registry(settings_of(None)).cities if city.startswith(incomplete)]


Cities = Annotated[
    list[str] | None, typer.Option("--city", autocompletion=city_ids, help="Only this city; may be repeated.")
]


def ends_with(ending: str) -> Callable[[Path | None], Path | None]:
    """Return a check of an option that names a file to write, whose format its ending says: such as ``.json``."""

    def check(path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() != ending:
            raise typer.BadParameter(f"found {path.name!r}; expected a name that ends with {ending}")
        return path

    return check


Why = Annotated[str, typer.Option("--why", callback=plain, help="The reason; recorded in the history.")]
By = Annotated[
    str | None, typer.Option("--by", callback=plain, help="Who decides; by default the user of this system.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def current_time() -> datetime:
    """Return the current time, aware, UTC; all commands take it from here."""
    return utc_now()


def user_of(by: str | None) -> str:
    """Return who decides: the option ``--by``, or the user of this system."""
    import getpass

    return by if by is not None else getpass.getuser()


@overload
def time_of(text: str, name: str) -> datetime: ...
@overload
def time_of(text: str | None, name: str) -> datetime | None: ...
def time_of(text: str | None, name: str) -> datetime | None:
    """Return the time that an option gives.

    Parameters
    ----------
    text : str or None
        ISO 8601, UTC where it has no offset.
    name : str
        The option, for the message of an error.

    Returns
    -------
    datetime.datetime or None
        Aware; None where the option isn't given.
    """
    from hazecast.grids.times import parse_time

    return None if text is None else parse_time(text, name)


def settings_of(data_dir: Path | None, observations: str | None = None, weather: str | None = None) -> Settings:
    """Return the settings of the environment, with what the command line gives in their place.

    Parameters
    ----------
    data_dir : Path or None
        The option ``--data-dir``.
    observations : str, optional
        The option ``--observations``.
    weather : str, optional
        The option ``--weather``.

    Returns
    -------
    Settings
        Validated.
    """
    from hazecast.services.core.input_settings import InputSettings
    from hazecast.services.core.settings import Settings

    given: dict[str, Any] = {"observations_dir": observations, "weather": weather}
    inputs = InputSettings(**{name: value for name, value in given.items() if value is not None})
    return Settings(inputs=inputs) if data_dir is None else Settings(data_dir=data_dir, inputs=inputs)


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Open the store with its schema up to date, and close it at the end."""
    from hazecast.services.store.store import Store

    store = Store(settings.database_url, files=settings.data_dir)
    try:
        store.migrate()
        yield store
    finally:
        store.close()


def refuse_given(context: typer.Context, options: Mapping[str, str], expected: str) -> None:
    """Refuse options that were given on the command line although they have no effect there.

    Parameters
    ----------
    context : typer.Context
        Of the command.
    options : mapping of str to str
        Names of its parameters, each with its option, such as ``data_dir`` and ``--data-dir``.
    expected : str
        What the options go with, for the message of the error.

    Raises
    ------
    InputError
        If one of them was given.
    """
    for name, option in options.items():
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            from hazecast.grids.errors import InputError

            raise InputError(option, context.params[name], expected)


def client_of(context: typer.Context) -> Client | None:
    """Return a client of the server that ``--server`` names; None where it isn't given.

    Raises
    ------
    InputError
        If a data folder is given beside the server: nothing would be read from it.
    """
    address = context.find_root().obj
    if address is None:
        return None
    refuse_given(context, {"data_dir": "--data-dir"}, f"no data folder: the answer comes from the server {address}")
    from hazecast.services.client import Client

    return Client(str(address))
