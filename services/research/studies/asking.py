"""How a study is asked for: the arguments of its function, from which its command and its part of the API are made.

A study is a function whose arguments are annotated with what is told of them here: tables of the caller's own, numbers
and words, and observations. Arguments that belong together may be a dataclass of them. This module is light: commands
are built from it each time one is run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

from hazecast.services.research.studies.result import Result

if TYPE_CHECKING:
    from numpy import datetime64

Study = Callable[..., Result]
# As the API's times: beyond the years that nanoseconds can count numpy would take another time without a word.
_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """What is told of an argument.

    Attributes
    ----------
    text : str
        For who asks.
    named : str
        Its name for who asks, where that is no name of Python.
    """

    text: str
    named: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class Table(Told):
    """A table of the caller's own, as CSV; a path. On the command line named by its place, or by an option."""

    by_option: bool = False


@dataclass(frozen=True)
class Option(Told):
    """A number, a word, a choice or a list of them.

    Attributes
    ----------
    least, most : float or None
        Both allowed.
    """

    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class Observed(Told):
    """Observations: a collection of files, or those that the service stores."""


@dataclass(frozen=True)
class Weather(Told):
    """Gridded weather: files, or the archive that the service stores, which a request does not name."""


@dataclass(frozen=True)
class Local(Told):
    """A path of files on the own machine, or what belongs to it: only the command line takes it."""


@dataclass(frozen=True)
class Call:
    """What a study was asked: its name, its description, and its arguments and options by name."""

    name: str = ""
    description: str = ""
    asked: dict[str, Any] = field(default_factory=dict)


# Shows the newest line of what a long study is at, where somebody watches.
progress: ContextVar[Callable[[str], None] | None] = ContextVar("progress", default=None)


def tell(text: str) -> None:
    """Say what a long study is at, to whoever watches."""
    shown = progress.get()
    if shown is not None:
        shown(text)


# By name: what the API offers, and all that the command line has.
SERVED: dict[str, Study] = {}
COMMANDS: dict[str, Study] = {}

OneTable = Annotated[Path, Table("CSV file.")]


@dataclass(frozen=True)
class Argument:
    """One argument of a study.

    Attributes
    ----------
    name : str
    kind : type
        Without what is told of it.
    told : Told
    default : object
        `inspect.Parameter.empty` where it is required.
    """

    name: str
    kind: Any
    told: Told
    default: Any

    @property
    def shown(self) -> str:
        """Its name for who asks."""
        return self.told.named or self.name

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is inspect.Parameter.empty


def study(function: Study) -> Study:
    """Make a function a study of the command line and of the API, whose docstring is what they tell of it."""
    SERVED[name_of(function)] = function
    return command_study(function)


def command_study(function: Study) -> Study:
    """Make a function a study of the command line alone, whose docstring is its help."""
    COMMANDS[name_of(function)] = function
    return function


def arguments_of(asked: Study) -> Iterator[Argument]:
    """Yield the arguments of a study, those of groups one by one."""
    hints = get_type_hints(asked, include_extras=True)
    for name, parameter in inspect.signature(asked).parameters.items():
        if not is_dataclass(hints[name]):
            yield _argument(name, hints[name], parameter.default)
            continue
        inner = get_type_hints(hints[name], include_extras=True)
        for one in fields(hints[name]):
            default = inspect.Parameter.empty if one.default is MISSING else one.default
            yield _argument(one.name, inner[one.name], default)


def _argument(name: str, hint: Any, default: Any) -> Argument:
    if get_origin(hint) is not Annotated:
        raise TypeError(f"{name}: nothing is told of it")
    kind, *notes = get_args(hint)
    return Argument(name, kind, next(note for note in notes if isinstance(note, Told)), default)


def ask(asked: Study, given: Mapping[str, Any]) -> Result:
    """Call a study with its arguments by name, those of groups one by one.

    Parameters
    ----------
    asked : callable
        A study.
    given : mapping of str to Any

    Returns
    -------
    Result
    """
    left = dict(given)
    for name, hint in get_type_hints(asked).items():
        if name != "return" and is_dataclass(hint) and isinstance(hint, type):
            left[name] = hint(**{one.name: left.pop(one.name) for one in fields(hint) if one.name in left})
    return asked(**left)


def aware_time(text: str, option: str) -> datetime64:
    """Return a time that was given as a text.

    Parameters
    ----------
    text : str
        ISO 8601 with its offset.
    option : str
        Its name, for the error.

    Returns
    -------
    datetime64
        UTC.

    Raises
    ------
    InputError
        If it is none, or not of the years 1900 to 2200.
    """
    from hazecast.grids.errors import InputError
    from hazecast.grids.times import to_datetime64

    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None or not _FIRST <= time <= _LAST:
        raise InputError(option, text, "an ISO 8601 time with its offset, of the years 1900 to 2200")
    return to_datetime64(time)


def title_of(asked: Study) -> str:
    """Return what a study does, as its docstring says."""
    return inspect.getdoc(asked) or ""


def name_of(asked: Study) -> str:
    """Return a study's name: its function's, with hyphens."""
    return asked.__name__.replace("_", "-")
