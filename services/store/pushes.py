"""What accounts pushed: their stations, and the answers to requests that may be sent again."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from hazecast.grids.observations.station_cities import NetworkStation
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import MonitorStation, PushedRequest
from hazecast.services.store.upsert import upsert

# A sender that has not repeated a request by then has given it up.
KEPT = timedelta(days=7)


def earlier_answer(store: Store, account_id: str, key: str) -> tuple[str, str] | None:
    """Return the digest and the answer of an account's earlier request with an Idempotency-Key.

    Parameters
    ----------
    store : Store
    account_id, key : str

    Returns
    -------
    (str, str) or None
        None if there was none in the last `KEPT`.
    """
    query = select(PushedRequest.digest, PushedRequest.answer).where(
        PushedRequest.account_id == account_id, PushedRequest.key == key
    )
    with store.engine.connect() as connection:
        row = connection.execute(query).first()
    return None if row is None else (row.digest, row.answer)


def keep_answer(store: Store, account_id: str, key: str, digest: str, answer: str, now: datetime) -> None:
    """Keep the answer to a request, and forget those older than `KEPT`.

    Parameters
    ----------
    store : Store
    account_id, key : str
    digest : str
        Of the body.
    answer : str
    now : datetime
        Aware.
    """
    row = {"account_id": account_id, "key": key, "digest": digest, "answer": answer, "received_at": now}
    with store.writing() as connection:
        connection.execute(delete(PushedRequest).where(PushedRequest.received_at < now - KEPT))
        upsert(connection, PushedRequest, [row])


def stations_pushed(store: Store, source: str, prefix: str) -> dict[str, NetworkStation]:
    """Return the stations of a source whose code begins with a prefix.

    Parameters
    ----------
    store : Store
    source, prefix : str

    Returns
    -------
    dict of str to NetworkStation
        By code without the prefix.
    """
    query = select(MonitorStation.__table__).where(
        MonitorStation.source == source, MonitorStation.code.startswith(prefix, autoescape=True)
    )
    with store.engine.connect() as connection:
        rows = list(connection.execute(query))
    return {
        row.code.removeprefix(prefix): NetworkStation(
            source=row.source,
            code=row.code,
            name=row.name,
            city=row.city,
            latitude=row.latitude,
            longitude=row.longitude,
            siting=row.siting,
            licence=row.licence,
            attribution=row.attribution,
        )
        for row in rows
    }
