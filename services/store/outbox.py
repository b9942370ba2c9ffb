"""The outbox: events written in the transaction in which they happen, so that none is lost or invented.

An event's id follows from its subject: the same cycle run again adds nothing. A message whose content has
changed since, or that a later run of the same init time no longer gives, is a further event, a revision.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.cap import identifier
from hazecast.grids.times import format_time
from hazecast.services.store.changes import announce
from hazecast.services.store.locks import lock_until_commit
from hazecast.services.store.tables.delivery import OutboxEvent
from hazecast.services.store.tables.forecasts import ForecastRun, Warning_

WITHDRAWN = "warning.withdrawn"
FORECAST = "forecast.updated"
BULLETIN = "bulletin.daily"
CONFIRMATION = "subscription.confirmation"
TEST = "subscription.test"
WARNING_TYPES = (
    "warning.issue", "warning.continue", "warning.upgrade", "warning.downgrade", "warning.lift", WITHDRAWN,
)  # fmt: skip
PUBLIC_TYPES = (FORECAST, *WARNING_TYPES)


def lock_outbox(session: Session) -> None:
    """Let other writers of events and deliveries wait until this transaction ends.

    Numbers are then given in the order in which they become visible: a reader that has seen one has missed
    none before it.
    """
    lock_until_commit(session, "outbox")


def record_run(session: Session, run: ForecastRun, digest: str, warnings: Sequence[HazeWarning]) -> None:
    """Record a stored forecast and its messages, within the caller's transaction.

    Parameters
    ----------
    session : Session
        The run's warnings are already in it.
    run : ForecastRun
    digest : str
        Of the forecast's values: the same forecast stored again is no new event.
    warnings : sequence of HazeWarning
        All messages of the run that are in the store. What an earlier run of its init time gave and this one
        does not is withdrawn, unless a person approved it.
    """
    _begin(session)
    name = f"forecast.{run.init_time:%Y%m%dT%H%MZ}"
    content = {
        "init_time": format_time(run.init_time),
        "model_id": run.model_id,
        "degraded": run.degraded,
        "simulated": run.simulated,
        "weather_source": run.weather_source,
        "observations_until": format_time(run.observations_until),
        "digest": digest,
    }
    batch = f"run.{run.init_time:%Y%m%dT%H%MZ}"
    known = _latest(session, [name], run.simulated)
    payload = json.dumps(content, ensure_ascii=False)
    _add(session, known.get(name), FORECAST, name, run.simulated, batch, run.init_time, payload)
    session.flush()
    _record(session, warnings, batch)
    stored = select(Warning_.id).where(
        Warning_.simulated == run.simulated, Warning_.run_init_time == run.init_time
    )  # fmt: skip
    given = session.scalars(
        select(OutboxEvent.subject).where(
            OutboxEvent.batch == batch,
            OutboxEvent.simulated == run.simulated,
            OutboxEvent.city.is_not(None),
            OutboxEvent.subject.not_in(stored),
        )
    )
    _withdraw(session, sorted(set(given)), run, batch, run.init_time)


def record_withdrawal(session: Session, run: ForecastRun, messages: Collection[str], at: datetime) -> None:
    """Record that the messages of a run are withdrawn, within the caller's transaction.

    Parameters
    ----------
    session : Session
    run : ForecastRun
    messages : collection of str
        Ids.
    at : datetime
        When, aware.
    """
    _begin(session)
    _withdraw(session, messages, run, f"withdrawal.{run.init_time:%Y%m%dT%H%MZ}", at)


def record_message(session: Session, warning: HazeWarning) -> None:
    """Record a message that a person approved, within the caller's transaction; its row is already in it.

    Parameters
    ----------
    session : Session
    warning : HazeWarning
    """
    _begin(session)
    _record(session, [warning], f"approval.{warning.id}")


def record_addressed(
    session: Session, subscription_id: str, event_type: str, event_id: str, at: datetime, content: dict[str, Any]
) -> OutboxEvent | None:
    """Record an event that concerns one subscription, within the caller's transaction.

    Parameters
    ----------
    session : Session
    subscription_id : str
    event_type : str
        `CONFIRMATION`, `TEST` or `BULLETIN`.
    event_id : str
        The same for the same event: it is recorded once.
    at : datetime
        When it occurred, aware.
    content : dict
        As JSON.

    Returns
    -------
    OutboxEvent or None
        None if it is there already.
    """
    lock_outbox(session)
    if session.scalar(select(OutboxEvent.seq).where(OutboxEvent.id == event_id)) is not None:
        return None
    row = OutboxEvent(
        id=event_id, type=event_type, subject=subscription_id, revision=1, batch=event_id, simulated=False, levels=[],
        subscription_id=subscription_id, occurred_at=at, payload=json.dumps(content, ensure_ascii=False),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def _begin(session: Session) -> None:
    lock_outbox(session)
    announce(session)


def _record(session: Session, warnings: Sequence[HazeWarning], batch: str) -> None:
    if not warnings:
        return
    simulated = warnings[0].simulated
    known = _latest(session, [w.id for w in warnings], simulated)
    before = _levels(session, {w.references[-1] for w in warnings if w.references}, simulated)
    for warning in sorted(warnings, key=lambda w: (w.rule_set, w.city, w.id)):
        # Subscribers to a level must also learn that it changed to another.
        levels = [warning.level]
        if warning.references and before.get(warning.references[-1], warning.level) != warning.level:
            levels.append(before[warning.references[-1]])
        _add(
            session, known.get(warning.id), f"warning.{warning.kind}", warning.id, simulated, batch, warning.issued,
            warning.model_dump_json(), warning.rule_set, warning.city, levels,
        )  # fmt: skip
    session.flush()


def _withdraw(session: Session, subjects: Collection[str], run: ForecastRun, batch: str, occurred_at: datetime) -> None:
    for subject, last in sorted(_latest(session, subjects, run.simulated).items()):
        if last.type != WITHDRAWN:
            _add(
                session, last, WITHDRAWN, subject, run.simulated, batch, occurred_at, last.payload, last.rule_set,
                last.city, last.levels,
            )  # fmt: skip
    session.flush()


def _add(
    session: Session,
    last: OutboxEvent | None,
    event_type: str,
    subject: str,
    simulated: bool,
    batch: str,
    occurred_at: datetime,
    payload: str,
    rule_set: str | None = None,
    city: str | None = None,
    levels: Sequence[str] = (),
) -> None:
    if last is not None and (last.type, last.payload) == (event_type, payload):
        return
    revision = 1 if last is None else last.revision + 1
    name = identifier(subject, simulated)
    session.add(
        OutboxEvent(
            id=name if revision == 1 else f"{name}.r{revision}", type=event_type, subject=subject, revision=revision,
            batch=batch, simulated=simulated, rule_set=rule_set, city=city, levels=list(levels),
            occurred_at=occurred_at, payload=payload,
        )
    )  # fmt: skip
    # One by one: the order of the numbers is the order of the list.
    session.flush()


def _latest(session: Session, subjects: Collection[str], simulated: bool) -> dict[str, OutboxEvent]:
    rows = session.scalars(
        select(OutboxEvent)
        .where(OutboxEvent.subject.in_(subjects), OutboxEvent.simulated == simulated)
        .order_by(OutboxEvent.seq)
    )
    return {row.subject: row for row in rows}


def _levels(session: Session, ids: Collection[str], simulated: bool) -> dict[str, str]:
    rows = session.execute(
        select(Warning_.id, Warning_.level).where(Warning_.id.in_(ids), Warning_.simulated == simulated)
    )
    return {row.id: row.level for row in rows}
