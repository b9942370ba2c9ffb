"""The life cycle of a warning: which message a run adds to those in force.

Between no warning and each level there is hysteresis: a level is raised at its ``raise_probability`` and
remains in force while its probability is at least the lower ``lower_probability``; it remains for ``hold_hours``
at least, and for ``unconfirmed_hours`` after the last message that confirmed it, though it may rise at any time. All
state that this needs is in the message in force, so stopping and restarting a service changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hazecast.alerts.engine.assessment import Assessment
from hazecast.alerts.engine.warning import LIFT_VALID, HazeWarning, Kind, Reason, standing_at, warning_id
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.errors import InputError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decision:
    """What follows for one city: the rank that shall be in force (0 none), and why.

    `probability` and `threshold` are those that decided; None for what was declared on measurement.
    """

    rank: int
    reason: Reason
    probability: float | None
    threshold: float | None


def decide(standing: HazeWarning | None, now: Assessment, rules: RuleSet) -> Decision:
    """Return the level that shall be in force after this run.

    Parameters
    ----------
    standing : HazeWarning or None
        The message in force.
    now : Assessment
    rules : RuleSet

    Returns
    -------
    Decision
    """
    before = rules.level_of(standing.level).rank if standing else 0
    raised = now.rank
    kept = 0
    if standing is not None:
        kept = max(
            (
                o.rank
                for o in now.outlooks
                if o.rank <= before
                and o.evidence
                and o.keep_probability >= _kept_at(rules, now, o.rank)
            ),
            default=0,
        )  # fmt: skip
    rank = max(raised, kept)
    if standing is not None and rank < before and not _may_fall(standing, now, rules, rank):
        rank = before
    if rank == 0:
        lowest = now.of(1)
        by_observation = now.declared and rules.life.lift == "observed"
        reason: Reason = "improvement_observed" if by_observation else "criterion_no_longer_likely"
        return Decision(0, reason, lowest.keep_probability, _kept_at(rules, now, 1))
    outlook, level = now.of(rank), rules.level_of(rank)
    if rank > before:
        reason = (
            ("criterion_observed" if outlook.observed else "criterion_forecast")
            if before == 0
            else ("higher_level_observed" if outlook.observed else "higher_level_forecast")
        )
    elif rank < before:
        reason = "level_no_longer_likely"
    else:
        reason = (
            "criterion_observed" if outlook.observed else "criterion_forecast" if outlook.raised else "still_likely"
        )
    if outlook.measured:
        return Decision(rank, reason, None, None)
    if outlook.raised:
        return Decision(rank, reason, outlook.probability, level.raise_probability)
    return Decision(rank, reason, outlook.keep_probability, _kept_at(rules, now, rank))


def _kept_at(rules: RuleSet, now: Assessment, rank: int) -> float:
    """Return the probability from which a level is kept: the lower one, of an episode that is over what raises one.

    Once the air has improved, what may make it bad again is an episode to come: it must be as likely as for an alert.
    """
    level = rules.level_of(rank)
    over = rules.episodes is not None and now.lift_ready
    return level.raise_probability if over else level.lower_probability


def _may_fall(standing: HazeWarning, now: Assessment, rules: RuleSet, rank: int) -> bool:
    held_until = max(
        (standing.level_since or standing.issued) + timedelta(hours=rules.life.hold_hours),
        standing.run_init_time + timedelta(hours=rules.life.unconfirmed_hours),
    )
    if now.init_time < held_until:
        return False
    if rules.life.lift == "never" and standing.reason in ("criterion_observed", "higher_level_observed"):
        return False
    return (rank > 0 and rules.life.lift != "never") or now.lift_ready


def advance(
    in_force: Sequence[HazeWarning],
    assessments: Sequence[Assessment],
    init_time: datetime,
    *,
    ruleset: RuleSet,
) -> list[HazeWarning]:
    """Return the new messages of a run.

    A level met where none is in force is an "issue"; the same level for a later window a "continue"; a
    higher or lower one an "upgrade" or "downgrade"; none where one is in force a "lift". The same
    level for the same window needs no message, so hourly runs do not repeat themselves. An expired
    message ends without a further one. A city that already has a message of this run gets no other: run twice,
    the result is the same.

    Parameters
    ----------
    in_force : sequence of HazeWarning
        The messages in force; a complete history is accepted too (see `standing_at`). Other rule sets are skipped.
    assessments : sequence of Assessment
        Of one rule set; a city in force that is not among them stays as it is, and is logged.
    init_time : datetime
        Aware; of the run. Its messages count as issued then, until `as_issued` gives them the time of publication.
    ruleset : RuleSet
        The rule set of the assessments.

    Returns
    -------
    list of HazeWarning
        By city.

    Raises
    ------
    InputError
        If simulated and real warnings are mixed, rule sets or runs are mixed, a city occurs twice, or
        something in force is newer than the run.
    """
    if not assessments:
        return []
    rules = ruleset
    own = [m for m in in_force if m.rule_set == rules.id]
    _check_together(own, assessments, init_time, rules)
    done = {m.city for m in own if m.run_init_time == init_time}
    standing: dict[str, HazeWarning] = {}
    for message in standing_at(own, init_time):
        if message.city in standing:
            raise InputError("in force", f"{standing[message.city].id} and {message.id}", "one warning for a city")
        standing[message.city] = message
    unknown = sorted(set(standing) - {a.city for a in assessments})
    if unknown:
        _LOG.warning("%s: %d cities with a warning in force are not assessed: %s", rules.id, len(unknown), unknown)
    messages: list[HazeWarning] = []
    for assessment in sorted(assessments, key=lambda a: a.city):
        if assessment.city in done:
            continue
        following = _next_message(standing.get(assessment.city), assessment, init_time, rules)
        if following is not None:
            messages.append(following)
    return messages


def _next_message(
    before: HazeWarning | None, now: Assessment, init_time: datetime, rules: RuleSet
) -> HazeWarning | None:
    decision = decide(before, now, rules)
    kind: Kind
    if before is None:
        if not decision.rank:
            return None
        kind = "issue"
    else:
        rank = rules.level_of(before.level).rank
        if not decision.rank:
            kind = "lift"
        elif decision.rank == rank:
            if not _continues(before, now, rules, rank):
                return None
            kind = "continue"
        else:
            kind = "upgrade" if decision.rank > rank else "downgrade"
    if kind == "lift" and before is not None:
        level, onset, expires = str(before.level), init_time, init_time + LIFT_VALID
    else:
        outlook = now.of(decision.rank)
        level, onset, expires = outlook.level, outlook.onset, outlook.until or now.end
        if before is not None:
            # What is in force stays covered, also where the hours that the new message rests on come later.
            onset = min(onset, max(before.onset, init_time))
        elif any(o.observed for o in now.outlooks):
            # So does a lower level that is seen now and persists, where the higher one comes later.
            onset = min(onset, init_time)
    since = before.level_since or before.issued if before is not None and kind in ("continue", "lift") else init_time
    return HazeWarning.model_validate(
        {
            "id": warning_id(rules.id, now.city, init_time),
            "rule_set": rules.id,
            "level": level,
            "kind": kind,
            "city": now.city,
            "area_zh": now.area_zh,
            "area_ja": now.area_ja,
            "area_en": now.area_en,
            "issued": init_time,
            "onset": onset,
            "expires": expires,
            "evidence": () if kind == "lift" else now.of(decision.rank).evidence,
            "run_init_time": init_time,
            "references": (*before.references, before.id) if before is not None else (),
            "simulated": now.simulated,
            "weather_source": now.weather_source,
            "probability": None if decision.probability is None else round(decision.probability, 4),
            "threshold": decision.threshold,
            "reason": decision.reason,
            "level_since": since,
            "rule_version": rules.version,
        }
    )


def _continues(before: HazeWarning, now: Assessment, rules: RuleSet, rank: int) -> bool:
    """Return whether a level that stays needs a message: for a later window, soon enough, with evidence."""
    outlook = now.of(rank)
    longer, left = (outlook.until or now.end) - before.expires, before.expires - now.init_time
    if longer <= timedelta() or not outlook.evidence:
        return False
    if rules.episodes is not None and longer < timedelta(hours=rules.episodes.extension_hours) < left:
        return False
    if not (outlook.raised or outlook.keep_probability >= _kept_at(rules, now, rank)):
        return False  # held for its minimum only: it may run out
    renew = rules.life.renew_hours
    return renew is None or left <= timedelta(hours=renew)


def _check_together(
    own: Sequence[HazeWarning], assessments: Sequence[Assessment], init_time: datetime, rules: RuleSet
) -> None:
    if init_time.tzinfo is None:
        raise InputError("init_time", init_time, "a time with a time zone")
    if len({a.simulated for a in assessments} | {m.simulated for m in own}) > 1:
        raise InputError("advance", "simulated and real warnings together", "all simulated or all real")
    if {a.rule_set for a in assessments} != {rules.id}:
        raise InputError("assessments: rule sets", sorted({a.rule_set for a in assessments}), rules.id)
    if {a.init_time for a in assessments} != {init_time}:
        raise InputError("assessments: runs", sorted({str(a.init_time) for a in assessments}), str(init_time))
    if len({a.city for a in assessments}) != len(assessments):
        raise InputError("assessments: cities", "a city more than once", "each city once")
    newest = max((m.run_init_time for m in own), default=init_time)
    if newest > init_time:
        raise InputError("in force", f"a message of the run of {newest}", f"none newer than {init_time}")
