"""Requests that a process may answer, taken from the count that all processes of a service share."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import delete, text

from hazecast.services.store.shared import Shared, request_count

# As text, the same for both databases: to put these together from parts for each call takes longer than they do.
_HERE = "kind = :kind AND caller = :caller AND slot = :slot"
_GIVE_BACK = text(f"UPDATE request_count SET used = used - :unused WHERE {_HERE}")  # noqa: S608 constants
_USED = text(f"SELECT used FROM request_count WHERE {_HERE}")  # noqa: S608 constants
_GRANTED = (
    "CASE WHEN request_count.used + :want <= :most THEN :want "
    "WHEN request_count.used < :most THEN :most - request_count.used ELSE 0 END"
)
_INSERT = (
    "INSERT INTO request_count (kind, slot, caller, used, granted) VALUES (:kind, :slot, :caller, :used, :granted)"
)
_TAKE = text(
    f"{_INSERT} ON CONFLICT (kind, slot, caller) DO UPDATE "
    f"SET used = request_count.used + {_GRANTED}, granted = {_GRANTED} RETURNING used, granted"
)
_CHARGE = text(f"{_INSERT} ON CONFLICT (kind, slot, caller) DO UPDATE SET used = request_count.used + :used")


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
        row = {"kind": kind, "caller": caller, "slot": slot}
        last = row | {"slot": slot - 1}
        if unused[1] and unused[0] == slot - 1:
            connection.execute(_GIVE_BACK, last | {"unused": unused[1]})
        before = connection.execute(_USED, last).scalar() or 0
        most = max(int(limit - before * ends / seconds), 0)
        first = min(want, most)
        used, granted = connection.execute(
            _TAKE, row | {"used": first, "granted": first, "want": want, "most": most}
        ).one()  # fmt: skip
    wait = 0.0 if granted else _wait(limit, seconds, used, before, ends)
    return Allowance(granted, max(most - used, 0), slot, ends, wait)


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
        row = {"kind": kind, "caller": caller, "slot": slot, "used": cost, "granted": 0}
        connection.execute(_CHARGE, row)


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
        connection.execute(delete(request_count).where(request_count.c.kind == kind, request_count.c.slot < window))


def _wait(limit: int, seconds: int, used: int, before: int, ends: float) -> float:
    """Return the seconds until one request is free if nobody asks meanwhile: until then nothing can be."""
    free = limit - used - 1
    if free < 0 or not before:
        return ends
    return max(ends - free * seconds / before, 0.0)
