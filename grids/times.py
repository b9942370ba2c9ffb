"""Conversions of times between the contract's naive UTC, aware times and text; all of the project use these."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from hazecast.grids.errors import InputError


def to_datetime64(time: datetime) -> np.datetime64:
    """Return an aware time as the contract's naive UTC.

    Examples
    --------
    >>> from datetime import datetime
    >>> to_datetime64(datetime.fromisoformat("2013-01-12T08:00+08:00"))
    np.datetime64('2013-01-12T00:00:00.000000000')
    """
    return np.datetime64(time.astimezone(UTC).replace(tzinfo=None), "ns")


def to_datetime(time: np.datetime64 | npt.NDArray[np.datetime64]) -> datetime:
    """Return the contract's naive UTC, to the second, as an aware time.

    Examples
    --------
    >>> import numpy as np
    >>> to_datetime(np.datetime64("2013-01-12T00:00", "ns"))
    datetime.datetime(2013, 1, 12, 0, 0, tzinfo=datetime.timezone.utc)
    """
    return datetime.fromtimestamp(int(np.asarray(time).astype("datetime64[s]").astype(np.int64)), tz=UTC)


def rounded(times: npt.NDArray[np.datetime64], to: np.timedelta64) -> npt.NDArray[np.datetime64]:
    """Return times rounded to a length of time.

    Parameters
    ----------
    times : datetime64 (...)
    to : timedelta64

    Returns
    -------
    datetime64[ns] (...)

    Examples
    --------
    >>> times = np.array(["2013-01-12T00:59:59.990"], "datetime64[ms]")
    >>> rounded(times, np.timedelta64(1, "m"))
    array(['2013-01-12T01:00:00.000000000'], dtype='datetime64[ns]')
    """
    step = int(to / np.timedelta64(1, "ns"))
    numbers = times.astype("datetime64[ns]").astype(np.int64)
    return np.asarray(((numbers + step // 2) // step * step).astype("datetime64[ns]"))


def in_utc(time: datetime) -> datetime:
    """Return a time in UTC; one without an offset is UTC already, as returned by some databases."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def parse_time(text: str, name: str) -> datetime:
    """Parse a time; without an offset it is UTC.

    Parameters
    ----------
    text : str
        ISO 8601.
    name : str
        What the text is called, for the error.

    Returns
    -------
    datetime
        Aware.

    Raises
    ------
    InputError
        If the text is not an ISO 8601 time.

    Examples
    --------
    >>> parse_time("2013-01-11T22:00Z", "init_time")
    datetime.datetime(2013, 1, 11, 22, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError(name, text, "an ISO 8601 time such as 2013-01-11T22:00Z") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def format_time(time: datetime) -> str:
    """Return an aware time as the service writes it: ISO 8601 in UTC, marked Z.

    Examples
    --------
    >>> format_time(parse_time("2013-01-12T06:00+08:00", "init_time"))
    '2013-01-11T22:00:00Z'
    """
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
