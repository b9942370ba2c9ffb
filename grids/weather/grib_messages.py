"""Fields of GRIB files, editions 1 and 2, decoded with eccodes: which of them the contract needs, and what they hold.

What the contract doesn't need is passed over before it is unpacked. Of each unpacked field only a box or the grid points
around the cities are retained. A message that can't be used costs only itself, and is named.
"""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hazecast.grids.errors import InputError
from hazecast.grids.weather.codec import eccodes
from hazecast.grids.weather.grib_headers import (
    MEAN,
    PERTURBED,
    SINGLE,
    Faults,
    Header,
    handle_of,
    headers_of,
    input_errors,
    named,
    nothing_in,
)
from hazecast.grids.weather.grib_scattered import Scattered
from hazecast.grids.weather.netcdf_names import HUMIDITY, SPECIFIC
from hazecast.grids.weather.regular_grid import Field, Pick, RegularGrid
from hazecast.grids.weather.variables import INSTANT, POLAR_WIND, WIND_SPEED, plausible
from hazecast.grids.weather.wind import wind_of

_MISSING = 1e20
_HUMIDITIES = (HUMIDITY, SPECIFIC)
_COMPONENTS = ("u10", "v10")
_MEMBER, _POLAR, _TURNED, _SECOND = "member", "polar", "turned", "second best"
_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True)
class Message:
    """One unpacked field.

    Attributes
    ----------
    name : str
        As of `hazecast.grids.weather.variables.Meaning`; a wind's speed and direction are its components.
    init : datetime64
        Reference time: init time of the run, or time of the analysis, UTC.
    start, end : float
        First and last hour of the step after `init`; equal for an instant.
    values : Field
        The values picked, in units of the contract; an accumulation is a total over the step.
    kind : {"instant", "average", "accumulation"}
        What the values are over the step.
    source : str
        The model, or the centre where the message tells no more.
    rank : int
        Of several messages for the same, that of the lowest rank counts.
    member : {SINGLE, MEAN, PERTURBED}
        A forecast that stands alone (or an ensemble's control), an ensemble's mean, a perturbed member.
    grid : RegularGrid, optional
    """

    name: str
    init: np.datetime64
    start: float
    end: float
    values: Field
    kind: str
    source: str = ""
    rank: int = 0
    member: int = SINGLE
    grid: RegularGrid | None = None


@dataclass
class Contents:
    """What is needed of GRIB files.

    Attributes
    ----------
    messages : list of Message
    faults : list of str
        What was left out, with the reason, file and message.
    """

    messages: list[Message] = field(default_factory=list)
    faults: Faults = field(default_factory=list)


def read_messages(files: Path | Sequence[Path], pick_on: Callable[[RegularGrid, str], Pick]) -> Contents:
    """Read all messages of the contract, and of each field the part that a `Pick` returns.

    Unpacking takes nearly all of the time and runs in eccodes without Python's global lock, so that threads
    share it; at most two fields a thread are in memory.

    Parameters
    ----------
    files : Path or sequence of Path
        GRIB files of one run, or of analyses.
    pick_on : callable
        Makes the `Pick` for a grid; also gets its file and message, for errors.

    Returns
    -------
    Contents
        At least one message; perturbed members of an ensemble are passed over.

    Raises
    ------
    InputError
        If nothing of the contract can be used.
    """
    _retain_freed_memory()
    result = Contents()
    paths = [files] if isinstance(files, Path) else list(files)
    elsewhere, waiting = Faults(), defaultdict[str, list[Header]](list)
    with ThreadPoolExecutor(_THREADS) as pool:
        decoder = _Decoder(pool, pick_on, result, elsewhere)
        for path in paths:
            for header in headers_of(path, result.faults):
                kind = _waits_for(header)
                if kind:
                    waiting[kind].append(header)
                else:
                    decoder.take(header)
        for along, across in _pairs(waiting[_TURNED], _COMPONENTS, result.faults):
            decoder.take(along, across)
        decoder.finish()
        # Humidity, a mean, another level or a wind's speed: only where what it stands in for is missing.
        there = {(message.name, message.init, message.end) for message in result.messages}
        for header in sorted(waiting[_SECOND], key=lambda one: (one.meaning.rank, one.meaning.name == SPECIFIC)):
            name = "d2m" if header.meaning.name in _HUMIDITIES else header.meaning.name
            if (name, header.init, header.end) not in there:
                decoder.take(header)
        wanted = [header for header in waiting[_POLAR] if ("u10", header.init, header.end) not in there]
        for speed, direction in _pairs(wanted, POLAR_WIND, result.faults):
            decoder.take(speed, direction)
        decoder.finish()
    if not result.messages:
        if waiting[_MEMBER]:
            found = f"{len(waiting[_MEMBER])} fields of perturbed members, no control"
            raise InputError(named(files), found, "the control or the mean of an ensemble, or a single forecast")
        raise nothing_in(paths, result.faults + elsewhere)
    return result


def _waits_for(header: Header) -> str:
    """Return for what a message waits: for the other of its wind, or whether a better one is missing; "" for nothing."""
    name = header.meaning.name
    if header.member == PERTURBED:
        return _MEMBER
    if name in POLAR_WIND:
        return _POLAR
    if name in _COMPONENTS and isinstance(header.scan, Scattered) and header.scan.angle is not None:
        return _TURNED
    return _SECOND if header.meaning.rank or name in _HUMIDITIES else ""


def _pairs(headers: Sequence[Header], names: tuple[str, str], faults: Faults) -> Iterator[tuple[Header, Header]]:
    """Yield the two messages of each wind: speed and direction, or its components along the axes of a grid."""
    pairs: dict[tuple[object, ...], dict[str, Header]] = {}
    for header in headers:
        key = (header.init, header.end, header.member, header.grid)
        pairs.setdefault(key, {}).setdefault(header.meaning.name, header)
    for pair in pairs.values():
        name, header = next(iter(pair.items()))
        found = None
        if header.member == MEAN and name in POLAR_WIND:
            # Members from all sides have no direction in the mean, and a mean speed.
            found = f"{name.replace('_', ' ')} as an ensemble's mean"
        elif len(pair) < 2:
            found = f"{name.replace('_', ' ')} alone"
        if found is not None:
            expected = "speed and direction, or both components"
            faults.append(str(InputError(f"{header.where}: wind", found, expected)))
            continue
        yield pair[names[0]], pair[names[1]]


class _Decoder:
    """Unpacks messages in threads and puts them, or why they can't be used, into `into`."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        pick_on: Callable[[RegularGrid, str], Pick],
        into: Contents,
        elsewhere: Faults,
    ) -> None:
        self._pool, self._pick_on, self._into, self._elsewhere = pool, pick_on, into, elsewhere
        self._picks: dict[RegularGrid, Pick | None] = {}
        self._pending: deque[Future[list[Message] | str]] = deque()

    def take(self, header: Header, other: Header | None = None) -> None:
        """Unpack a message, unless its grid lies elsewhere: publishers put several areas into one file.

        Two messages of one wind come together.
        """
        if header.grid not in self._picks:
            try:
                self._picks[header.grid] = self._pick_on(header.grid, header.where)
            except InputError as error:
                self._picks[header.grid] = None
                self._elsewhere.append(str(error))
        pick = self._picks[header.grid]
        if pick is not None:
            job = (_decode, header, pick) if other is None else (_decode_wind, header, other, pick)
            self._pending.append(self._pool.submit(*job))
            if len(self._pending) > 2 * _THREADS:
                self._done(self._pending.popleft())

    def finish(self) -> None:
        """Wait for all messages taken so far."""
        while self._pending:
            self._done(self._pending.popleft())

    def _done(self, job: Future[list[Message] | str]) -> None:
        decoded = job.result()
        if isinstance(decoded, str):
            self._into.faults.append(decoded)
        else:
            self._into.messages.extend(decoded)


def _retain_freed_memory() -> None:
    """Make the C library retain freed blocks as large as a global field from one message to the next.

    By default glibc returns them to the kernel, and allocating them again takes half of the
    decoding time. Freeing a block raises that limit to its size, up to 32 MiB (mallopt(3),
    M_MMAP_THRESHOLD). Elsewhere this does nothing.
    """
    np.empty(31 * 2**20, np.uint8)


def _decode(header: Header, pick: Pick) -> list[Message] | str:
    """Unpack a message and pick its values; return why it can't be used instead, in words."""
    name, factor, kind, _ = header.meaning
    try:
        with input_errors(header.where):
            values = pick(*_unpacked(header)) * factor
            if kind == INSTANT:
                values = plausible(values, name, header.where)
    except InputError as error:
        return str(error)
    return [_message(header, name, values)]


def _decode_wind(one: Header, other: Header, pick: Pick) -> list[Message] | str:
    """Unpack the two messages of a wind and pick its components; return why they can't be used instead, in words."""
    try:
        with input_errors(one.where):
            values, others = _whole(one), _whole(other)
            if one.meaning.name == WIND_SPEED:
                u10, v10 = wind_of(values, others, one.where, other.where)
            else:
                assert isinstance(one.scan, Scattered)
                cosine, sine = one.scan.turn
                u10, v10 = values * cosine - others * sine, values * sine + others * cosine
            picked = (("u10", pick(u10, None)), ("v10", pick(v10, None)))
            return [_message(one, name, plausible(own, name, one.where)) for name, own in picked]
    except InputError as error:
        return str(error)


def _unpacked(header: Header) -> tuple[Field, float | None]:
    """Return the values of a message by rows from the west, and the one that stands for missing ones."""
    with handle_of(header.data) as handle:
        missing = None
        if eccodes.codes_get(handle, "bitmapPresent"):
            eccodes.codes_set(handle, "missingValue", _MISSING)
            missing = _MISSING
        values = eccodes.codes_get_values(handle)
        if isinstance(header.scan, Scattered):
            values, missing = np.where(values == _MISSING, np.nan, values), None
        return header.scan.rows_from_the_west(values, header.grid), missing


def _whole(header: Header) -> Field:
    """Return all values of a message in the contract's unit, NaN where missing."""
    with input_errors(header.where):
        values, _ = _unpacked(header)
    return np.asarray(np.where(values == _MISSING, np.nan, values) * header.meaning.factor, np.float64)


def _message(header: Header, name: str, values: Field) -> Message:
    return Message(
        name,
        header.init,
        header.start,
        header.end,
        values,
        header.meaning.kind,
        header.source,
        header.meaning.rank,
        header.member,
        header.grid,
    )
