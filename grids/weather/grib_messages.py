"""Fields of GRIB files, editions 1 and 2, decoded with eccodes: which of them the contract needs, and what they hold.

What the contract doesn't need is passed over before it is unpacked. Of each unpacked field only a box or the grid points
around the cities are retained. A message that can't be used costs only itself, and is named.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
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
from hazecast.grids.weather.netcdf_names import HUMIDITY, SPECIFIC
from hazecast.grids.weather.regular_grid import Field, Pick, RegularGrid
from hazecast.grids.weather.variables import INSTANT, POLAR_WIND, WIND_DIRECTION, WIND_SPEED, plausible
from hazecast.grids.weather.wind import wind_of

_MISSING = 1e20
_HUMIDITIES = (HUMIDITY, SPECIFIC)
_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True)
class Message:
    """One unpacked field.

    Attributes
    ----------
    name : str
        A variable of the contract, or `hazecast.grids.weather.variables.HUMIDITY`.
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
    perturbed, elsewhere, second_best, polar = 0, Faults(), list[Header](), list[Header]()
    with ThreadPoolExecutor(_THREADS) as pool:
        decoder = _Decoder(pool, pick_on, result, elsewhere)
        for path in paths:
            for header in headers_of(path, result.faults):
                if header.member == PERTURBED:
                    perturbed += 1
                elif header.meaning.name in POLAR_WIND:
                    polar.append(header)
                elif header.meaning.rank or header.meaning.name in _HUMIDITIES:
                    second_best.append(header)
                else:
                    decoder.take(header)
        decoder.finish()
        # Humidity, a mean, another level or a wind's speed: only where what it stands in for is missing.
        there = {(message.name, message.init, message.end) for message in result.messages}
        for header in sorted(second_best, key=lambda one: (one.meaning.rank, one.meaning.name == SPECIFIC)):
            name = "d2m" if header.meaning.name in _HUMIDITIES else header.meaning.name
            if (name, header.init, header.end) not in there:
                decoder.take(header)
        for speed, direction in _winds(polar, there, result.faults):
            decoder.take(speed, direction)
        decoder.finish()
    if not result.messages:
        if perturbed:
            found = f"{perturbed} fields of perturbed members, no control"
            raise InputError(named(files), found, "the control or the mean of an ensemble, or a single forecast")
        raise nothing_in(paths, result.faults + elsewhere)
    return result


def _winds(
    headers: Sequence[Header], there: Collection[tuple[str, np.datetime64, float]], faults: Faults
) -> Iterator[tuple[Header, Header]]:
    """Yield speed and direction of each wind whose components aren't there."""
    pairs: dict[tuple[object, ...], dict[str, Header]] = {}
    for header in headers:
        if ("u10", header.init, header.end) not in there:
            key = (header.init, header.end, header.member, header.grid)
            pairs.setdefault(key, {}).setdefault(header.meaning.name, header)
    for pair in pairs.values():
        name, header = next(iter(pair.items()))
        found = None
        if header.member == MEAN:
            # Members from all sides have no direction in the mean, and a mean speed.
            found = f"{name.replace('_', ' ')} as an ensemble's mean"
        elif len(pair) < 2:
            found = f"{name.replace('_', ' ')} alone"
        if found is not None:
            faults.append(str(InputError(f"{header.where}: wind", found, "speed and direction, or both components")))
            continue
        yield pair[WIND_SPEED], pair[WIND_DIRECTION]


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

    def take(self, header: Header, direction: Header | None = None) -> None:
        """Unpack a message, unless its grid lies elsewhere: publishers put several areas into one file.

        Of a wind's speed the direction comes with it.
        """
        if header.grid not in self._picks:
            try:
                self._picks[header.grid] = self._pick_on(header.grid, header.where)
            except InputError as error:
                self._picks[header.grid] = None
                self._elsewhere.append(str(error))
        pick = self._picks[header.grid]
        if pick is not None:
            job = (_decode, header, pick) if direction is None else (_decode_wind, header, direction, pick)
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


def _decode_wind(speed: Header, direction: Header, pick: Pick) -> list[Message] | str:
    """Unpack speed and direction of a wind and pick its components; return why they can't be used instead, in words."""
    try:
        with input_errors(speed.where):
            values, origin = _whole(speed), _whole(direction)
            u10, v10 = wind_of(values, origin, speed.where, direction.where)
            return [_message(speed, name, pick(own, None)) for name, own in (("u10", u10), ("v10", v10))]
    except InputError as error:
        return str(error)


def _unpacked(header: Header) -> tuple[Field, float | None]:
    """Return the values of a message by rows from the west, and the one that stands for missing ones."""
    with handle_of(header.data) as handle:
        missing = None
        if eccodes.codes_get(handle, "bitmapPresent"):
            eccodes.codes_set(handle, "missingValue", _MISSING)
            missing = _MISSING
        return header.scan.rows_from_the_west(eccodes.codes_get_values(handle), header.grid), missing


def _whole(header: Header) -> Field:
    """Return all values of a message in the contract's unit, NaN where missing."""
    values, missing = _unpacked(header)
    return np.asarray(np.where(values == missing, np.nan, values) * header.meaning.factor, np.float64)


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
