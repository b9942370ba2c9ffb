"""Requests that a process may answer, taken from the count that all processes of a service share."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import case, delete, select, update

from hazecast.services.store.shared import Shared, request_count
from hazecast.services.store.upsert import INSERTS

_COUNT = request_count.c


class Allowance(NamedTuple):
    """What a caller was given.

    Attributes
    ----------
    granted : int
        Requests that the asking process may let through until the window ends.
    left : int
        That all processes may still take in this window.
    window : int
        Its number.
    ends : float
        Seconds until its end.
    wait : float
        Where nothing was granted: seconds before which nothing will be.
    """

    granted: int
    left: int
    window: int
    ends: float
    wait: float


def take(
    shared: Shared, kind: str, limit: int, seconds: int, caller: str, want: int, unused: tuple[int, int] = (0, 0)
) -> Allowance:
    """Take requests of a caller from what is left of a sliding window.

    The previous window counts by the share of it that still lies within `seconds`, as if its requests had come evenly.
    All that all processes were given never exceeds that.

    Parameters
    ----------
    shared : Shared
    kind : str
        Of the limit: each counts for itself.
    limit : int
        Requests in any `seconds`.
    seconds : int
    caller : str
    want : int
        How many are asked for; fewer are given where fewer are left.
    unused : tuple of (int, int)
        A window, and how many requests of it the asking process had taken and not needed.

    Returns
    -------
    Allowance

    Raises
    ------
    StoreError
        If the count can't be used.
    """
    with shared.begin() as connection:
        window, past = divmod(shared.seconds(connection), seconds)
        slot, ends = int(window), seconds - past
        here = (_COUNT.kind == kind) & (_COUNT.caller == caller)
        if unused[1] and unused[0] == slot - 1:
            given_back = update(request_count).where(here, _COUNT.slot == slot - 1)
            connection.execute(given_back.values(used=_COUNT.used - unused[1]))
        before = connection.execute(select(_COUNT.used).where(here, _COUNT.slot == slot - 1)).scalar() or 0
        most = max(int(limit - before * ends / seconds), 0)
        granted = case((_COUNT.used + want <= most, want), (_COUNT.used < most, most - _COUNT.used), else_=0)
        first = min(want, most)
        row = connection.execute(
            INSERTS[connection.dialect.name](request_count)
            .values(kind=kind, slot=slot, caller=caller, used=first, granted=first)
            .on_conflict_do_update(
                index_elements=["kind", "slot", "caller"], set_={"used": _COUNT.used + granted, "granted": granted}
            )
            .returning(_COUNT.used, _COUNT.granted)
        ).one()
    wait = 0.0 if row.granted else _wait(limit, seconds, row.used, before, ends)
    return Allowance(row.granted, max(most - row.used, 0), slot, ends, wait)


def charge(shared: Shared, kind: str, seconds: int, caller: str, cost: int) -> None:
    """Count what a request turned out to cost, beyond the limit too.

    Parameters
    ----------
    shared : Shared
    kind : str
    seconds : int
    caller : str
    cost : int
        As how many requests it counts.

    Raises
    ------
    StoreError
        If the count can't be used.
    """
    with shared.begin() as connection:
        slot = int(shared.seconds(connection) // seconds)
        connection.execute(
            INSERTS[connection.dialect.name](request_count)
            .values(kind=kind, slot=slot, caller=caller, used=cost, granted=0)
            .on_conflict_do_update(index_elements=["kind", "slot", "caller"], set_={"used": _COUNT.used + cost})
        )


def forget_before(shared: Shared, kind: str, window: int) -> None:
    """Remove the counts of windows before one.

    Parameters
    ----------
    shared : Shared
    kind : str
    window : int

    Raises
    ------
    StoreError
        If they can't be removed.
    """
    with shared.begin() as connection:
        connection.execute(delete(request_count).where(_COUNT.kind == kind, _COUNT.slot < window))


def _wait(limit: int, seconds: int, used: int, before: int, ends: float) -> float:
    """Return the seconds until one request is free if nobody asks meanwhile: until then nothing can be."""
    free = limit - used - 1
    if free < 0 or not before:
        return ends
    return max(ends - free * seconds / before, 0.0)
