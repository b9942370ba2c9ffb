"""Drafts: messages that a person must approve. A pure state machine; who may do so is not decided here.

A draft is pending until it is approved, amended (approved with changes) or rejected, each with a name and a
reason, or superseded by a later run for the same rule set and city. A decision is final.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from hazecast.alerts.engine.draft import Draft, Edit, Status
from hazecast.alerts.engine.warning import LIFT_VALID, Approval, HazeWarning, Wording, in_force_at
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.errors import ConflictError, InputError
from hazecast.grids.times import format_time

_FACTS: tuple[Literal["level", "onset", "expires"], ...] = ("level", "onset", "expires")


def supersede(draft: Draft, init_time: datetime) -> Draft:
    """Return a pending draft as superseded by a later run.

    Parameters
    ----------
    draft : Draft
    init_time : datetime
        Aware; of the later run.

    Returns
    -------
    Draft

    Raises
    ------
    ConflictError
        If it isn't pending.
    """
    _must_be_pending(draft)
    return draft.model_copy(
        update={"status": "superseded", "decided_at": init_time, "reason": f"run of {format_time(init_time)}"}
    )


def reject(draft: Draft, *, by: str, reason: str, at: datetime) -> Draft:
    """Return the draft as rejected.

    Parameters
    ----------
    draft : Draft
    by, reason : str
        Who decided, and why.
    at : datetime
        Aware.

    Returns
    -------
    Draft

    Raises
    ------
    ConflictError
        If it isn't pending.
    InputError
        If name or reason is empty.
    """
    _must_be_pending(draft)
    _must_be_named(by, reason)
    return draft.model_copy(update={"status": "rejected", "decided_at": at, "by": by, "reason": reason})


def approve(
    draft: Draft, in_force: Sequence[HazeWarning], *, by: str, reason: str, at: datetime
) -> tuple[Draft, HazeWarning]:
    """Return the draft as approved, and the message to publish, issued at `at`.

    Parameters
    ----------
    draft : Draft
    in_force : sequence of HazeWarning
        The messages in force; a complete history is accepted too.
    by, reason : str
        Who decided, and why.
    at : datetime
        Aware.

    Returns
    -------
    draft : Draft
    message : HazeWarning

    Raises
    ------
    ConflictError
        If the draft isn't pending, it has expired, or the message in force is not the one it follows: then a
        newer run must be waited for.
    InputError
        If name or reason is empty.
    """
    return _decide(draft, in_force, {}, by=by, reason=reason, at=at)


def amend(
    draft: Draft,
    in_force: Sequence[HazeWarning],
    rules: RuleSet,
    *,
    by: str,
    reason: str,
    at: datetime,
    level: str | None = None,
    onset: datetime | None = None,
    expires: datetime | None = None,
    texts: Sequence[Edit] = (),
) -> tuple[Draft, HazeWarning]:
    """Return the draft as amended, and the changed message to publish.

    The message keeps its evidence, and the forecast's probability only if its level stays. Its kind follows
    from the chosen level and the one in force.

    Parameters
    ----------
    draft : Draft
    in_force : sequence of HazeWarning
        As for `approve`.
    rules : RuleSet
        The draft's own.
    by, reason : str
        Who decided, and why.
    at : datetime
        Aware.
    level : str, optional
        Id of another level.
    onset, expires : datetime, optional
        Aware; other times.
    texts : sequence of Edit
        Other words.

    Returns
    -------
    draft : Draft
        With all that was changed as its `edits`.
    message : HazeWarning

    Raises
    ------
    ConflictError
        As `approve`.
    InputError
        As `approve`; also if nothing is changed, the level is unknown, a lift's level or times are changed, or the
        times contradict each other.
    """
    before = draft.proposed
    changes: dict[str, object] = {}
    for name, given in (("onset", onset), ("expires", expires)):
        # It begins when it is issued, and ends soon after: another time would be dropped.
        if given is not None and before.kind == "lift":
            raise InputError(f"draft {draft.id}: {name}", format_time(given), "no other time for a lift")
    if onset is not None:
        changes["onset"] = onset
    if expires is not None:
        changes["expires"] = expires
    if level is not None and level != before.level:
        if before.kind == "lift":
            raise InputError(f"draft {draft.id}: level", level, "no new level for a lift")
        changes |= {"level": rules.level_of(level).id, "probability": None, "threshold": None}
        standing = {m.id: m for m in in_force_at(in_force, at)}
        last = standing.get(before.references[-1]) if before.references else None
        if last is not None:
            step = rules.level_of(level).rank - rules.level_of(last.level).rank
            changes["kind"] = "upgrade" if step > 0 else "downgrade" if step < 0 else "continue"
            changes["level_since"] = at if step else last.level_since or last.issued
    if texts:
        changes["wording"] = _wording(texts)
    if not changes:
        raise InputError(f"draft {draft.id}: amendment", "no change", "a new level, onset, expiry or text")
    decided, message = _decide(draft, in_force, changes, by=by, reason=reason, at=at)
    edits = [
        Edit(part=part, before=_written(getattr(before, part)), after=_written(getattr(message, part)))
        for part in _FACTS
        if part in changes
    ]
    return decided.model_copy(update={"edits": (*edits, *texts)}), message


def _wording(texts: Sequence[Edit]) -> dict[str, Wording]:
    edited: dict[str, dict[str, str]] = {}
    for one in texts:
        edited.setdefault(str(one.language), {})[one.part] = one.after
    return {language: Wording.model_validate(parts) for language, parts in edited.items()}


def _written(value: str | datetime) -> str:
    return value if isinstance(value, str) else format_time(value)


def _decide(
    draft: Draft, in_force: Sequence[HazeWarning], changes: dict[str, object], *, by: str, reason: str, at: datetime
) -> tuple[Draft, HazeWarning]:
    _must_be_pending(draft)
    _must_be_named(by, reason)
    proposed = draft.proposed
    if at.tzinfo is None or at < proposed.run_init_time:
        raise InputError(f"draft {draft.id}: time", at, f"a time with a zone, not before {proposed.run_init_time}")
    standing = next(
        (m for m in in_force_at(in_force, at) if (m.rule_set, m.city) == (proposed.rule_set, proposed.city)), None
    )
    follows = proposed.references[-1] if proposed.references else None
    if (standing.id if standing else None) != follows:
        raise ConflictError(
            f"draft {draft.id}", f"in force is {standing.id if standing else 'nothing'}", f"{follows or 'nothing'}"
        )
    fields = {name: getattr(proposed, name) for name in HazeWarning.model_fields} | changes
    if proposed.kind in ("issue", "upgrade", "downgrade") and "level_since" not in changes:
        fields["level_since"] = at
    if proposed.kind == "lift":
        fields |= {"onset": at, "expires": at + LIFT_VALID}
    elif "onset" not in changes and not proposed.observed_now:
        # A forecast that waited for its approval begins no earlier than it is issued.
        fields["onset"] = min(max(proposed.onset, at), fields["expires"])
    fields |= {"issued": at, "approval": Approval(by=by, at=at, reason=reason, amended=bool(changes))}
    try:
        message = HazeWarning.model_validate(fields)
    except ValueError as error:
        raise InputError(f"draft {draft.id}: amendment", changes, str(error)) from error
    if message.expires <= at:
        raise (InputError if "expires" in changes else ConflictError)(
            f"draft {draft.id}: expires", message.expires, f"a time after {at}"
        )
    status: Status = "amended" if changes else "approved"
    return draft.model_copy(update={"status": status, "decided_at": at, "by": by, "reason": reason}), message


def _must_be_pending(draft: Draft) -> None:
    if draft.status != "pending":
        raise ConflictError(f"draft {draft.id}: status", draft.status, "pending")


def _must_be_named(by: str, reason: str) -> None:
    for name, value in (("by", by), ("reason", reason)):
        if not value.strip():
            raise InputError(name, repr(value), "some words: who decided, and why")
