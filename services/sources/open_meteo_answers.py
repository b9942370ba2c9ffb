"""What Open-Meteo's interfaces have in common: the current run, the key, and hourly columns at points as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.times import format_time, to_datetime, to_datetime64
from hazecast.services.sources.http import HttpClient
from hazecast.services.sources.monitors.interface import number

# The unit of a variable that the model lacks, with values that are all null.
_LACKING = "undefined"
# 2106 in seconds since 1970; the same time in milliseconds is later.
_LATEST = 2**32
RUN, SERVED_SINCE = "last_run_initialisation_time", "last_run_availability_time"


def keyed(key: str, options: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of a request with a customer's key.

    Parameters
    ----------
    key : str
        Empty for free, non-commercial use.
    options : mapping
        The other parameters.

    Returns
    -------
    dict of str to str
    """
    return {**options, "apikey": key} if key else dict(options)


def run_times(http: HttpClient, url: str, model: str, key: str, names: Sequence[str] = (RUN,)) -> list[datetime]:
    """Return times of the run that the publisher serves of a model, from its metadata.

    Parameters
    ----------
    http : HttpClient
    url : str
        Base URL of the interface.
    model : str
    key : str
    names : sequence of str
        `RUN`, its init time, and `SERVED_SINCE`.

    Returns
    -------
    list of datetime
        Aware, UTC, one a name.

    Raises
    ------
    FetchError
        If the publisher can't be reached.
    InputError
        If its metadata aren't what it documents.
    """
    address = f"{url}/data/{model}/static/meta.json"
    meta = http.json(address, params=keyed(key, {}))
    found = []
    for name in names:
        seconds = meta.get(name) if isinstance(meta, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds < _LATEST:
            raise InputError(f"{address}: {name}", seconds, "seconds since 1970")
        found.append(datetime.fromtimestamp(seconds, UTC))
    return found


def places_of(answer: Any, cities: Sequence[City], where: str) -> list[Any]:
    """Return the places of an answer, one a city.

    Parameters
    ----------
    answer : object
        Decoded JSON: an object for one city, a list of them for several, in the order of the request.
    cities : sequence of City
    where : str
        Its address, for errors.

    Returns
    -------
    list

    Raises
    ------
    InputError
        If there are more or fewer, or the answer is an error or of another form.
    """
    if not isinstance(answer, dict | list):
        raise InputError(where, repr(answer)[:60], "an object, or a list of one a city")
    if isinstance(answer, dict) and answer.get("error"):
        raise InputError(where, f"an error: {answer.get('reason')}", "values at places")
    places = answer if isinstance(answer, list) else [answer]
    if len(places) != len(cities):
        raise InputError(f"{where}: locations", len(places), f"{len(cities)}, one a city")
    for index, place in enumerate(places):
        # Neighbours may lie nearer to each other than a place to its city. The publisher leaves a number of 0 out.
        given = place.get("location_id", index) if isinstance(place, dict) else index
        if given != index:
            raise InputError(f"{where}: {cities[index].id}: location_id", given, f"{index}, the order of the request")
    return places


def hourly_of(place: Any, city: City, here: str, farthest: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the hourly values of a place by name, and their units.

    Parameters
    ----------
    place : object
        One of `places_of`.
    city : City
        The one asked for.
    here : str
        The place's address, for errors.
    farthest : float
        How far the place may lie from the city on either axis, degrees.

    Returns
    -------
    hourly, units : dict

    Raises
    ------
    InputError
        If a field is absent or the place is another one.
    """
    if not isinstance(place, dict):
        raise InputError(here, type(place).__name__, "an object with hourly values")
    for field in ("latitude", "longitude", "hourly", "hourly_units"):
        if field not in place:
            raise InputError(f"{here} {field}", f"absent among {sorted(place)}", "a field of every location")
    for axis in ("latitude", "longitude"):
        requested = getattr(city, axis)
        if not isinstance(place[axis], int | float) or abs(place[axis] - requested) > farthest:
            raise InputError(f"{here} {axis}", place[axis], f"within {farthest} degrees of {requested}")
    hourly, units = place["hourly"], place["hourly_units"]
    if not isinstance(hourly, dict) or not isinstance(units, dict):
        raise InputError(f"{here} hourly", type(hourly).__name__, "objects of values and units by name")
    return hourly, units


def hours_of(hourly: Mapping[str, Any], here: str) -> np.ndarray:
    """Return the times of hourly values.

    Parameters
    ----------
    hourly : mapping
        As from `hourly_of`.
    here : str
        For errors.

    Returns
    -------
    datetime64[ns] (t,)
        UTC.

    Raises
    ------
    InputError
        If they aren't every whole hour, in seconds since 1970.
    """
    seconds = hourly.get("time")
    if not isinstance(seconds, list) or not seconds or not all(type(s) is int and 0 <= s < _LATEST for s in seconds):
        raise InputError(f"{here} hourly.time", repr(seconds)[:60], "seconds since 1970")
    times = np.array(seconds, "datetime64[s]").astype("datetime64[ns]")
    if (np.diff(times) != np.timedelta64(1, "h")).any():
        raise InputError(f"{here} hourly.time", "gaps", "every hour")
    if seconds[0] % 3600:
        raise InputError(f"{here} hourly.time", seconds[0], "whole hours")
    return times


def refuse_other_hours(times: np.ndarray, first: datetime, last: datetime, where: str) -> None:
    """Refuse hours that were not asked for; fewer than those are for the caller to judge.

    Parameters
    ----------
    times : datetime64 (t,)
        UTC, as from `hours_of`.
    first, last : datetime
        Aware: what was asked for, both included.
    where : str
        For errors.

    Raises
    ------
    InputError
        If one lies outside.
    """
    if times[0] < to_datetime64(first) or times[-1] > to_datetime64(last):
        found = " to ".join(format_time(to_datetime(time)) for time in (times[0], times[-1]))
        raise InputError(f"{where}: hourly.time", found, f"{format_time(first)} to {format_time(last)}, as asked for")


def column_of(
    hourly: Mapping[str, Any], units: Mapping[str, Any], name: str, accepted: Sequence[str], length: int, here: str
) -> np.ndarray:
    """Return the values of one variable.

    Parameters
    ----------
    hourly, units : mapping
        As from `hourly_of`.
    name : str
        Of the variable in the interface.
    accepted : sequence of str
        Ways to write its unit.
    length : int
        How many hours there are.
    here : str
        For errors.

    Returns
    -------
    float64 (length,)
        NaN where the value is null, or all of them where the variable is absent.

    Raises
    ------
    InputError
        If the unit or the length is another one, or a value is no number.
    """
    values, found = hourly.get(name), units.get(name)
    if values is None or found == _LACKING:
        return np.full(length, np.nan)
    if found not in accepted:
        raise InputError(f"{here} hourly_units.{name}", found, accepted[0])
    if not isinstance(values, list) or len(values) != length:
        raise InputError(f"{here} hourly.{name}", repr(values)[:60], f"{length} values")
    return np.array([np.nan if (one := number(value, f"{here} hourly.{name}")) is None else one for value in values])
