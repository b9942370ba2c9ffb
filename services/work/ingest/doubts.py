"""What a fetch of observations gave that can't be so, or says nothing new: left out, counted and named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from hazecast.services.sources.monitors.interface import HOUR, Batch, HasHistory, MonitorSource, Reading
from hazecast.services.store.monitors import Saved

# Counted in `Batch.counts`.
FUTURE_VALUES, REPEATED_VALUES, CONTRADICTING_VALUES = "future_values", "repeated_values", "contradicting_values"
# Of a publisher of its newest hour alone: AirKorea and Taiwan publish within the hour after its end.
_STALE_HOURS = 3


def leave_out_future(batch: Batch, source: MonitorSource, now: datetime) -> None:
    """Leave out and count what is stamped after now. A model's analysis may go on as a forecast; a measurement can't.

    Parameters
    ----------
    batch : Batch
        Changed in place.
    source : MonitorSource
    now : datetime
        Aware.
    """
    future = [reading for reading in batch.readings if reading.time > now]
    if not future:
        return
    batch.readings = [reading for reading in batch.readings if reading.time <= now]
    batch.counts[FUTURE_VALUES] = len(future)
    newest = max(reading.time for reading in future)
    # The hour that is going on may be published before it ends.
    if newest > now + HOUR and not source.reporting.modelled:
        batch.problems.append(
            f"time {newest:%Y-%m-%dT%H:%MZ} of {len(future)} values, expected none after {now:%Y-%m-%dT%H:%MZ}: not stored"
        )


def settle_repeats(batch: Batch) -> None:
    """Keep one of the readings of the same station, hour and pollutant; none is used where they say different things.

    Parameters
    ----------
    batch : Batch
        Changed in place.
    """
    settled: dict[tuple[str, datetime, str], Reading] = {}
    contradicting: dict[tuple[str, datetime, str], str] = {}
    for reading in batch.readings:
        key = reading.station, reading.time, reading.pollutant
        kept = settled.setdefault(key, reading)
        if kept is reading:
            continue
        batch.counts[REPEATED_VALUES] += 1
        if kept.raw is None and key not in contradicting:
            settled[key] = reading
        elif (
            reading.raw is not None and kept.raw is not None and (kept.raw, kept.units) != (reading.raw, reading.units)
        ):
            contradicting[key] = f"{kept.raw:g} and {reading.raw:g}"
            settled[key] = kept._replace(raw=None)
    batch.readings = list(settled.values())
    if contradicting:
        batch.counts[CONTRADICTING_VALUES] += len(contradicting)
        (station, time, pollutant), found = next(iter(contradicting.items()))
        batch.problems.append(
            f"{len(contradicting)} values are given twice with different numbers, expected one each: not used; "
            f"the first is {pollutant} of {station} at {time:%Y-%m-%dT%H:%MZ}, {found}"
        )


def doubts_of_newest(batch: Batch, saved: Saved, source: MonitorSource, now: datetime) -> Iterator[str]:
    """Say what is wrong with the newest hour of a batch: that no value of it can be used, or that it is old.

    Parameters
    ----------
    batch : Batch
    saved : Saved
        What became of its values.
    source : MonitorSource
    now : datetime
        Aware.

    Yields
    ------
    str
    """
    if not batch.readings:
        return
    newest = max(reading.time for reading in batch.readings)
    own = [reading for reading in batch.readings if reading.time == newest]
    if not any((r.station, r.time, r.pollutant) in saved.usable for r in own):
        given = sum(reading.raw is not None for reading in own)
        yield (
            f"{newest:%Y-%m-%dT%H:%MZ}: none of {len(own)} values can be used: {len(own) - given} are missing, "
            f"{given} are outside their range, codes or in doubt"
        )
    if not isinstance(source, HasHistory) and newest < now - _STALE_HOURS * HOUR:
        yield f"the newest hour is {newest:%Y-%m-%dT%H:%MZ}, expected one of the {_STALE_HOURS} h before {now:%H:%MZ}"
